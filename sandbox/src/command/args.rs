//! The command line, as clap reads it. What the words mean is in the modules beside this one.

mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use values::{
    AccessArg, ApplyArg, EphemeralArg, NetworkArg, Output, ReportArg, TierArg, WatchArg,
};

use crate::confinement::Limits;
use crate::layer::Layer;
use crate::units::{parse_duration, parse_service, parse_size};

/// Runs an agent so that the proxy is the only thing it can reach.
#[derive(Debug, Parser)]
#[command(name = "iron-sandbox", version, propagate_version = true, after_help = EXAMPLES)]
pub struct IronSandbox {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  iron-sandbox exec python agent.py     confined to this folder and the proxy
  iron-sandbox exec --ephemeral claude  see what it changed before it lands
  iron-sandbox check                    which layers this machine can give
  iron-sandbox explain ~/.ssh/id_rsa    what an agent would be told, and why
  iron-sandbox selftest                 try to get out, in each way that is known";

const EXEC_EXAMPLES: &str = "Examples:
  iron-sandbox exec python agent.py
  iron-sandbox exec --read ~/models --write ~/results -- python train.py
  iron-sandbox exec --budget 2usd --ephemeral --diff claude -p \"fix the tests\"
  iron-sandbox exec --profile strict --network none ./unknown-program
  iron-sandbox exec --connect 127.0.0.1:5432 --env DATABASE_URL node agent.mjs";

const EXPLAIN_EXAMPLES: &str = "Examples:
  iron-sandbox explain ~/.aws/credentials
  iron-sandbox explain pypi.org:443
  iron-sandbox explain ptrace
  iron-sandbox explain --profile claude-code ~/.claude/settings.json";

const PROFILES_EXAMPLES: &str = "Examples:
  iron-sandbox profiles                 all there are
  iron-sandbox profiles show python     what it comes to here, with all that it extends";

const LEARN_EXAMPLES: &str = "Examples:
  iron-sandbox learn -- python agent.py
  iron-sandbox learn --write-to ~/.config/iron-cage/sandbox/mine.toml -- python agent.py";

const TRUST_EXAMPLES: &str = "Examples:
  iron-sandbox trust                    honour ./.iron-sandbox.toml as it is now
  iron-sandbox trust --list             the folders whose file is trusted
  iron-sandbox trust --revoke           honour it no more";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program confined to a folder and the proxy
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(Box<ExecArgs>),
    /// Say which layers this machine can give, tried by doing, and what is not covered
    Check(CheckArgs),
    /// Say what would happen to an access, by which layer, and what would allow it
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Box<ExplainArgs>),
    /// Try to get out of a sandbox in each way that is known
    Selftest(SelftestArgs),
    /// Make one attempt of the self-test in this very process
    #[command(hide = true)]
    Attempt(AttemptArgs),
    /// The profiles there are, and what each comes to
    #[command(after_help = PROFILES_EXAMPLES)]
    Profiles(ProfilesArgs),
    /// Run a program confined, and propose a profile from what it was refused
    #[command(after_help = LEARN_EXAMPLES)]
    Learn(Box<LearnArgs>),
    /// Honour a folder's .iron-sandbox.toml as it is now
    #[command(after_help = TRUST_EXAMPLES)]
    Trust(TrustArgs),
    /// Make a sandbox in which a program does nothing
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Probe {
        /// In which tier
        tier: crate::layer::Tier,
    },
    /// Do nothing
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Nothing,
}

/// What a sandbox is to be: the flags that `exec`, `explain` and `learn` share.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfineArgs {
    /// A profile by its name or file (repeatable); default: told by the program
    #[arg(long, value_name = "NAME|FILE", help_heading = "Sandbox")]
    pub profile: Vec<String>,
    /// How it is made; auto is the strongest that can really be set up
    #[arg(long, value_enum, value_name = "TIER", default_value = "auto", help_heading = "Sandbox")]
    pub tier: TierArg,
    /// Layers that may be missing, comma-separated: without this a missing one is an error
    #[arg(long, value_name = "LAYER", value_delimiter = ',', help_heading = "Sandbox")]
    pub allow_degraded: Vec<Layer>,
    /// The agent's folder; default: the current one
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    pub workspace: Option<PathBuf>,
    /// What it may do there; default: write, unless a profile says read
    #[arg(long, value_enum, value_name = "ACCESS", help_heading = "Files")]
    pub workspace_access: Option<AccessArg>,
    /// Let it read this, and execute what is in it (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub read: Vec<PathBuf>,
    /// Let it write this (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub write: Vec<PathBuf>,
    /// Let it read this but not change it, within a folder that it may write to (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub protect: Vec<PathBuf>,
    /// Let it neither read nor change this, within a folder that it may read (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub hide: Vec<PathBuf>,
    /// What it can connect to
    #[arg(
        long,
        value_enum,
        value_name = "NETWORK",
        default_value = "proxy",
        help_heading = "Network"
    )]
    pub network: NetworkArg,
    /// Let it connect to this service of the machine (repeatable)
    #[arg(long, value_name = "127.0.0.1:PORT", value_parser = parse_service, help_heading = "Network")]
    pub connect: Vec<SocketAddr>,
    /// Hand on a variable, or set one (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = parse_variable, help_heading = "Environment")]
    pub env: Vec<Variable>,
    /// How much it may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// `iron-sandbox exec ...`
#[derive(Debug, Clone, Default, Args)]
pub struct ExecArgs {
    /// What the sandbox is.
    #[command(flatten)]
    pub confine: ConfineArgs,
    /// Keep the workspace as it is until the end, by an overlay or a copy; default: as can be had
    #[arg(
        long,
        value_enum,
        value_name = "WAY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "auto",
        help_heading = "Ephemeral workspace"
    )]
    pub ephemeral: Option<EphemeralArg>,
    /// Show what it changed at the end, as a diff for people or as JSON; default: a list
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        requires = "ephemeral",
        help_heading = "Ephemeral workspace"
    )]
    pub diff: Option<Output>,
    /// Whether its changes land in the workspace at the end
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        requires = "ephemeral",
        help_heading = "Ephemeral workspace"
    )]
    pub apply: Option<ApplyArg>,
    /// Let changes of protected paths land as well
    #[arg(long, requires = "ephemeral", help_heading = "Ephemeral workspace")]
    pub apply_protected: bool,
    /// Keep what does not land, and say where
    #[arg(long, requires = "ephemeral", help_heading = "Ephemeral workspace")]
    pub keep: bool,
    /// How much is copied at most; default: 4GiB
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = parse_size,
        requires = "ephemeral",
        help_heading = "Ephemeral workspace"
    )]
    pub ephemeral_limit: Option<u64>,
    /// What is looked at, so that refusals are told; what is refused stays the same
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value = "everything",
        help_heading = "Report"
    )]
    pub watch: WatchArg,
    /// How refusals are told, on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value = "text", help_heading = "Report")]
    pub report: ReportArg,
    /// Write the report to this file instead, as lines of JSON; fd:N is a file that it was given
    #[arg(long, value_name = "FILE|fd:N", help_heading = "Report")]
    pub report_file: Option<String>,
    /// What is for the run as a whole.
    #[command(flatten)]
    pub run: RunArgs,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD",
        help_heading = "Arguments"
    )]
    pub command: Vec<OsString>,
}

/// What is handed to `iron run`, which finds or starts the proxy and announces the run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// As which agent it calls; default: the program's name
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What the run may spend, as in `5usd`
    #[arg(long, value_name = "AMOUNT")]
    pub budget: Option<String>,
    /// Let a simulated provider answer, whatever proxy runs
    #[arg(long)]
    pub simulate: bool,
    /// How the receipt is written: `text` or `json` on standard error, `off`, or a file for JSON
    #[arg(long, value_name = "text|json|off|FILE")]
    pub receipt: Option<String>,
}

/// How much an agent may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Memory of each process, and of all together where that can be had: 512M, 2GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<u64>,
    /// Processes and threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub processes: Option<u64>,
    /// The largest file
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub file_size: Option<u64>,
    /// Files that one process has open
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(16..))]
    pub open_files: Option<u64>,
    /// CPU time of one process: 90s, 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub cpu_time: Option<Duration>,
    /// Time from start to end: 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub wall_time: Option<Duration>,
    /// What is written to standard output and error together, where they are no terminal
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub output_size: Option<u64>,
}

impl From<&LimitArgs> for Limits {
    fn from(given: &LimitArgs) -> Self {
        Self {
            memory: given.memory,
            processes: given.processes,
            file_size: given.file_size,
            open_files: given.open_files,
            cpu_time: given.cpu_time,
            wall_time: given.wall_time,
            output: given.output_size,
        }
    }
}

/// `iron-sandbox check ...`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Which tier to look at
    #[arg(long, value_enum, value_name = "TIER", default_value = "auto")]
    pub tier: TierArg,
    /// How to show it
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// `iron-sandbox explain ...`
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// What the sandbox is.
    #[command(flatten)]
    pub confine: ConfineArgs,
    /// How to show it
    #[arg(long, value_enum, default_value = "text", help_heading = "Report")]
    pub output: Output,
    /// A path, a host with or without a port, or a system call
    #[arg(value_name = "PATH|HOST[:PORT]|SYSCALL", help_heading = "Arguments", display_order = 1)]
    pub target: OsString,
    /// The program that would be run: it may choose a profile
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD",
        help_heading = "Arguments",
        display_order = 2
    )]
    pub command: Vec<OsString>,
}

/// `iron-sandbox selftest ...`
#[derive(Debug, Clone, Args)]
pub struct SelftestArgs {
    /// In which tier; default: in each that can be had
    #[arg(long, value_enum, value_name = "TIER")]
    pub tier: Option<TierArg>,
    /// Only this attempt, or this part of the table (repeatable)
    #[arg(long, value_name = "NAME|GROUP")]
    pub only: Vec<String>,
    /// Only the controls: what works on this machine outside a sandbox
    #[arg(long, conflicts_with = "tier")]
    pub controls: bool,
    /// How to show it
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// `iron-sandbox attempt ...`, which the self-test starts
#[derive(Debug, Clone, Args)]
pub struct AttemptArgs {
    /// The attempt's name.
    pub name: String,
    /// What is known of the world around it, as JSON.
    #[arg(long)]
    pub stage: Option<PathBuf>,
    /// What a part of the scenery starts.
    #[arg(last = true)]
    pub command: Vec<OsString>,
}

/// `iron-sandbox profiles ...`
#[derive(Debug, Clone, Args)]
pub struct ProfilesArgs {
    /// How to show them
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub output: Output,
    /// What to look at.
    #[command(subcommand)]
    pub command: Option<ProfilesCommand>,
}

/// `iron-sandbox profiles ...`
#[derive(Debug, Clone, Subcommand)]
pub enum ProfilesCommand {
    /// List them (the default)
    List,
    /// Show what a profile comes to on this machine, with all that it extends
    Show {
        /// Its name or file
        #[arg(value_name = "NAME|FILE")]
        profile: String,
    },
}

/// `iron-sandbox learn ...`
#[derive(Debug, Clone, Args)]
pub struct LearnArgs {
    /// What the sandbox is.
    #[command(flatten)]
    pub confine: ConfineArgs,
    /// Write the profile to this file, which is not there yet, instead of standard output
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub write_to: Option<PathBuf>,
    /// What is for the run as a whole.
    #[command(flatten)]
    pub run: RunArgs,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD",
        help_heading = "Arguments"
    )]
    pub command: Vec<OsString>,
}

/// `iron-sandbox trust ...`
#[derive(Debug, Clone, Args)]
pub struct TrustArgs {
    /// The folder; default: the current one
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Show what is trusted
    #[arg(long, conflicts_with_all = ["folder", "revoke"])]
    pub list: bool,
    /// Trust it no more
    #[arg(long)]
    pub revoke: bool,
}

/// A variable that is handed on, or set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is set to; none is what it is.
    pub value: Option<String>,
}

fn parse_variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() || name.contains(char::is_control) {
        return Err("a variable has a name: NAME or NAME=VALUE".to_owned());
    }
    Ok(Variable { name: name.to_owned(), value })
}

#[cfg(target_os = "linux")]
impl ExecArgs {
    /// What is done with an ephemeral workspace's changes. `protect` are the protected paths.
    pub fn ending(&self, protect: &[PathBuf]) -> crate::workspace::conclude::Ending {
        use crate::workspace::apply::Rules;
        use crate::workspace::conclude::{Apply, Ending, Show};
        Ending {
            apply: match self.apply {
                None | Some(ApplyArg::Ask) => Apply::Ask,
                Some(ApplyArg::Always) => Apply::Always,
                Some(ApplyArg::Never) => Apply::Never,
            },
            show: match self.diff {
                None => Show::List,
                Some(Output::Text) => Show::Diff,
                Some(Output::Json) => Show::Json,
            },
            keep: self.keep,
            rules: Rules { protect: protect.to_vec(), protected_too: self.apply_protected },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn exec(line: &str) -> Result<ExecArgs, clap::Error> {
        let words = ["iron-sandbox", "exec"].into_iter().chain(line.split_whitespace());
        match IronSandbox::try_parse_from(words)?.command {
            Command::Exec(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_commands_hold_together() {
        IronSandbox::command().debug_assert();
    }

    #[test]
    fn a_commands_own_words_are_its_own() {
        let args = exec("--read /a python agent.py --read /b -v").unwrap();
        assert_eq!(args.confine.read, [PathBuf::from("/a")]);
        assert_eq!(args.command, ["python", "agent.py", "--read", "/b", "-v"]);
        let args = exec("-- -x --y").unwrap();
        assert_eq!(args.command, ["-x", "--y"]);
        let args = exec("sh -c true -- x").unwrap();
        assert_eq!(args.command, ["sh", "-c", "true", "--", "x"]);
    }

    #[test]
    fn flags_are_read() {
        let line = "--ephemeral --diff --apply never --tier fallback --allow-degraded cgroup,ipc \
            --connect localhost:5432 --env A --env B=c=d --memory 1G --wall-time 1h true";
        let args = exec(line).unwrap();
        assert_eq!(args.ephemeral, Some(EphemeralArg::Auto));
        assert_eq!(args.command, ["true"]);
        assert_eq!(args.confine.allow_degraded, [Layer::Cgroup, Layer::Ipc]);
        assert_eq!(args.confine.connect, ["127.0.0.1:5432".parse().unwrap()]);
        assert_eq!(args.confine.env[1], Variable { name: "B".into(), value: Some("c=d".into()) });
        assert_eq!(exec("--ephemeral=copy true").unwrap().ephemeral, Some(EphemeralArg::Copy));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "--diff true",
            "--apply always true",
            "--connect 10.0.0.1:80 true",
            "--connect 127.0.0.1:0 true",
            "--connect [::1]:80 true",
            "--allow-degraded everything true",
            "--memory 12q true",
            "--wall-time 10 true",
            "--processes 0 true",
            "--env =x true",
            "--tier none true",
        ] {
            assert!(exec(line).is_err(), "{line}");
        }
    }
}
