//! The command line, as clap reads it. What the words mean is in [`crate::commands`].

mod console;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use iron_policy::types::{Name, NanoUsd};

pub use console::{
    At, AuditCommand, BudgetCommand, LeaseCommand, LoginArgs, PanelArgs, ProjectCommand,
    ProxiesCommand, RoleArg, SecretCommand, TokenCommand, UserCommand,
};

use crate::commands::Receipt;
use crate::launch::client::Client;
use crate::launch::shell::Shell;

/// A guard between AI agents and LLM providers: exact budgets, redaction, circuit breaking.
#[derive(Debug, Parser)]
#[command(name = "iron", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Iron {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  iron up --simulate            start with a simulated provider, no key needed
  iron run -- claude            a client through the proxy, and a receipt at its end
  iron demo                     the whole story in one minute, no key needed
  iron usage --by model         what was spent, by model
  iron logs --follow            calls as they end";

const RUN_EXAMPLES: &str = "Examples:
  iron run -- claude                    Claude Code, and a receipt at its end
  iron run --budget 2usd -- codex exec \"fix the tests\"
  iron run --simulate -- python agent.py
  iron run --receipt spent.json -- npx @google/gemini-cli -p hi";

const ENV_EXAMPLES: &str = "Examples:
  eval \"$(iron env)\"                    bash and zsh
  iron env codex --shell fish | source  fish
  iron env --shell dotenv > .env        for tools that read such a file";

const SCAN_EXAMPLES: &str = "Examples:
  iron scan app.log                     what is in a file, values masked
  git diff | iron scan --check          exit 1 where something is found
  iron scan --kinds EMAIL,URL notes.md  these kinds alone
  iron scan --jsonl < texts.jsonl       for evaluation: character offsets";

/// The files that every command may name.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// The configuration; default: ./iron.toml, then iron-cage/iron.toml in the user's folder.
    #[arg(long, env = "IRON_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The state; default: that of the proxy that runs, else iron_state.db in the user's folder.
    #[arg(long, env = "IRON_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Whom a stop is for.
#[derive(Debug, Clone, Args)]
pub struct Stopping {
    /// The agent's name
    #[arg(value_name = "AGENT", conflicts_with = "all", required_unless_present = "all")]
    pub agent: Option<iron_policy::types::Name>,
    /// Every agent, also those that come later
    #[arg(long)]
    pub all: bool,
}

/// A panel on a server, and who the proxy is to it.
#[derive(Debug, Clone, Args)]
pub struct LinkArgs {
    /// The panel, as in https://panel.example.org
    #[arg(long, env = "IRON_PANEL", value_name = "URL")]
    pub panel: String,
    /// The proxy's credential; default: the variable IRON_PROXY_TOKEN
    #[arg(long, value_name = "FILE")]
    pub credential_file: Option<PathBuf>,
    /// Trust these roots besides the system's (PEM), for a panel with a private CA
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// When providers are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Simulate {
    /// Never.
    Never,
    /// When the environment holds no key of any configured upstream.
    Auto,
    /// Always.
    Always,
}

/// What `iron usage` breaks the total down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The calling agent.
    Agent,
    /// The model, as the caller wrote it.
    Model,
    /// The upstream.
    Upstream,
    /// The day, in the configured time zone.
    Day,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy in the foreground
    Up {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// Let a simulated provider answer instead of the real ones
        #[arg(long, value_enum, default_value = "never", default_missing_value = "always", num_args = 0..=1, require_equals = true)]
        simulate: Simulate,
        /// Listen here instead of where the configuration says
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<std::net::SocketAddr>,
    },
    /// Run the control panel on a server
    Panel(PanelArgs),
    /// Sign in to a control panel
    Login(LoginArgs),
    /// Sign out, and forget the panel
    Logout,
    /// People: who may use the panel
    User {
        /// What to do.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Projects, and who works on them
    Project {
        /// What to do.
        #[command(subcommand)]
        command: ProjectCommand,
    },
    /// Who did what at the panel
    Audit {
        /// What to look at.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Agents' tokens
    Token {
        /// What to do.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Budgets, and requests for more
    Budget {
        /// What to do.
        #[command(subcommand)]
        command: BudgetCommand,
    },
    /// Provider keys
    Secret {
        /// What to do.
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Proxies that may speak to the panel
    Proxies {
        /// What to do.
        #[command(subcommand)]
        command: ProxiesCommand,
    },
    /// Slices of budgets that proxies hold
    Lease {
        /// What to do.
        #[command(subcommand)]
        command: LeaseCommand,
    },
    /// Run the proxy in the foreground, with a panel on a server; agents need a token of its
    Proxy {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// Whose proxy it is.
        #[command(flatten)]
        panel: LinkArgs,
        /// Listen here instead of where the configuration says
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<std::net::SocketAddr>,
    },
    /// Run a program with its calls through the proxy, and tell what it spent
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Print what `iron run` would set, for your own shell
    #[command(after_help = ENV_EXAMPLES)]
    Env {
        /// The client; without one, what every program is given
        #[arg(value_enum)]
        client: Option<Client>,
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// Whose words to print; default: by SHELL
        #[arg(long, value_enum)]
        shell: Option<Shell>,
        /// As which agent to call
        #[arg(long, value_name = "NAME")]
        agent: Option<Name>,
        /// Base URLs, and no proxy variables
        #[arg(long, conflicts_with = "proxy_only")]
        base_url_only: bool,
        /// Proxy variables, and no base URLs
        #[arg(long)]
        proxy_only: bool,
    },
    /// Look for what stands between your clients and the proxy, and say how to mend it
    Doctor {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Tell the whole story on a simulated provider; no key, no file, nothing left behind
    Demo,
    /// Show what was spent
    Usage {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
        /// From this day on (YYYY-MM-DD, in the configured time zone)
        #[arg(long, value_name = "DAY")]
        since: Option<String>,
        /// Up to and including this day
        #[arg(long, value_name = "DAY")]
        until: Option<String>,
        /// Only this agent's calls
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Only this run's calls
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// The breakdown to show as a table
        #[arg(long, value_enum, default_value = "agent")]
        by: By,
        /// What all proxies of a panel spent, instead of the one on this machine: that of `iron login`,
        /// or the one at URL
        #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", conflicts_with = "state")]
        panel: Option<String>,
        /// Correct or show more
        #[command(subcommand)]
        command: Option<UsageCommand>,
    },
    /// Show calls
    Logs {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show them (json: one object a line)
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
        /// Wait for more
        #[arg(long, short)]
        follow: bool,
        /// How many of the latest to begin with
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: usize,
        /// Only this agent's calls
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Only this run's calls
        #[arg(long, value_name = "ID")]
        run: Option<String>,
    },
    /// Show whether the proxy runs, its upstreams and what is left of each budget
    Status {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Stop an agent: its calls are refused and its open streams end, until `iron start`
    Stop {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// Who.
        #[command(flatten)]
        who: Stopping,
        /// Lift the stop instead, as `iron start` does
        #[arg(long)]
        lift: bool,
    },
    /// Let a stopped agent call again
    Start {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// Who.
        #[command(flatten)]
        who: Stopping,
    },
    /// Show what is personal or secret in a text, as the policy would find it
    #[command(after_help = SCAN_EXAMPLES)]
    Scan {
        /// The text; `-` or nothing: standard input
        file: Option<PathBuf>,
        /// The configuration whose kinds and rules are used
        #[arg(long, env = "IRON_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// Read lines of {"id","text"}, answer lines of {"id","spans":[{"start","end","type","rule"}]}
        #[arg(long, conflicts_with_all = ["show", "output"])]
        jsonl: bool,
        /// Show the values themselves
        #[arg(long)]
        show: bool,
        /// Exit with 1 where anything is found, for use in hooks
        #[arg(long)]
        check: bool,
        /// Look for these kinds alone, also where they are off (comma-separated)
        #[arg(long, value_name = "KIND", value_delimiter = ',')]
        kinds: Vec<iron_policy::redact::Kind>,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Look at, replace or remove the certificate authority behind the proxy's HTTPS
    Ca {
        /// What to do with it.
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Look at the policy
    Policy {
        /// What to look at.
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

/// `iron run ...`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a user gives or does not")]
pub struct RunArgs {
    /// Files to use.
    #[command(flatten)]
    pub files: Files,
    /// What the run may spend, with all that is run within it, as in `5usd`
    #[arg(long, value_name = "AMOUNT")]
    pub budget: Option<NanoUsd>,
    /// As which agent it calls; default: the program's name
    #[arg(long, value_name = "NAME")]
    pub agent: Option<Name>,
    /// Let it reach no hosts but the upstreams through the proxy
    #[arg(long)]
    pub strict: bool,
    /// Set base URLs, and no proxy variables
    #[arg(long, conflicts_with = "proxy_only")]
    pub base_url_only: bool,
    /// Set proxy variables, and no base URLs
    #[arg(long)]
    pub proxy_only: bool,
    /// Let a simulated provider answer, whatever proxy runs
    #[arg(long)]
    pub simulate: bool,
    /// How the receipt is written: `text` or `json` on standard error, `off`, or a file for JSON
    #[arg(long, value_name = "text|json|off|FILE", default_value = "text")]
    pub receipt: Receipt,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub command: Vec<OsString>,
}

/// `iron usage ...`
#[derive(Debug, Subcommand)]
pub enum UsageCommand {
    /// Replace the estimate of one call by what the provider really billed; once, for good
    Correct {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// The call, as `iron logs` shows it
        call: String,
        /// What the provider billed, as in `0.12 USD`
        amount: String,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// `iron ca ...`
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Print where the certificate is, for a program that is to trust it
    Path {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// The system's roots and the certificate, for settings that replace what is trusted
        #[arg(long)]
        bundle: bool,
    },
    /// Show whose it is, how long it is valid, and for which hosts it may sign
    Show {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Make a new key and certificate; what the old key signed is not trusted any more
    Rotate {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show the new one
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Delete the key and the certificate; the next start makes new ones
    Remove {
        /// Files to use.
        #[command(flatten)]
        files: Files,
    },
}

/// `iron policy ...`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a configuration and print what it comes to
    Check {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Say which rule and which words decide about a text, and what they would do to it
    Explain {
        /// The text; `-` or nothing: standard input
        text: Option<String>,
        /// The key or label that stands before it
        #[arg(long, value_name = "LABEL")]
        key: Option<String>,
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// List what can be found, how it is validated and what is done about it
    Kinds {
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Say what another policy would have refused, redacted and cost on recorded calls
    Replay {
        /// The policy: an iron.toml, or the part of one that a panel hands out
        policy: PathBuf,
        /// Calls of so long until now: `24h`, `7d`
        #[arg(long, default_value = "24h", value_name = "TIME")]
        since: String,
        /// Whose calls; without `--panel` those in this machine's state file.
        #[command(flatten)]
        at: At,
    },
    /// Hand a policy out to all proxies of a panel, which checks it first
    Publish {
        /// The policy: an iron.toml without [proxy], [panel] and where keys are kept
        file: PathBuf,
        /// Why, for the list of versions
        #[arg(long, default_value = "")]
        note: String,
        /// Only keep it, and do not put it in force
        #[arg(long)]
        keep: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List the versions of a panel's policy
    Versions {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Put a version of a panel's policy in force, also an older one again
    Activate {
        /// The version's number
        number: u32,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Look up prices
    Prices {
        /// Part of a model's name; all where absent
        query: Option<String>,
        /// Files to use.
        #[command(flatten)]
        files: Files,
        /// How to show them
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_hold_together() {
        Iron::command().debug_assert();
    }
}
