//! The commands that speak to a control panel.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use iron_policy::types::{Name, NanoUsd};

use super::{Files, Output};

/// Which panel, and how its answers are shown.
#[derive(Debug, Clone, Args)]
pub struct At {
    /// Files of the proxy on this machine whose panel is meant.
    #[command(flatten)]
    pub files: Files,
    /// The panel's address; default: that of `iron login`, else the one of this machine's proxy
    #[arg(long, env = "IRON_PANEL_URL", value_name = "URL", conflicts_with_all = ["config", "state"])]
    pub panel: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value = "table")]
    pub output: Output,
}

/// `iron panel`
#[derive(Debug, Args)]
#[command(after_help = PANEL_EXAMPLES)]
pub struct PanelArgs {
    /// The configuration; its [panel] is used
    #[arg(long, env = "IRON_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database: `postgres://…`, or `sqlite:PATH` to try it
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: String,
    /// Listen here instead of where the configuration says
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The certificate chain (PEM), instead of [panel] tls_certificate
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its key (PEM), instead of [panel] tls_key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The master key that secrets in the database hang on: a file that only you can read
    #[arg(long, env = "IRON_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key: Option<PathBuf>,
    /// A program that prints the master key in base64, such as a call of your KMS
    #[arg(
        long,
        env = "IRON_MASTER_KEY_COMMAND",
        value_name = "CMD",
        conflicts_with = "master_key"
    )]
    pub master_key_command: Option<String>,
    /// The master key before this one, while secrets still hang on it (see --rewrap); the variable
    /// IRON_OLD_MASTER_KEY may hold it as well
    #[arg(long, env = "IRON_OLD_MASTER_KEY_FILE", value_name = "FILE")]
    pub old_master_key: Option<PathBuf>,
    /// Make every secret hang on the master key instead of the old one, and end
    #[arg(long)]
    pub rewrap: bool,
}

const PANEL_EXAMPLES: &str = "Examples:
  DATABASE_URL=postgres://iron@db/iron iron panel --master-key /etc/iron/master.key \\
      --tls-certificate /etc/iron/tls.pem --tls-key /etc/iron/tls.key --listen 0.0.0.0:8443
  iron panel --database sqlite:panel.db --master-key master.key     to try it, on this machine alone

The master key may also be in IRON_MASTER_KEY (base64 of 32 bytes).";

/// `iron login`
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The panel, as in https://panel.example.org; default: the one you signed in to before
    pub url: Option<String>,
    /// Trust this certificate authority (PEM) besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Make the panel's first admin with the token that it printed when it started
    #[arg(long)]
    pub bootstrap: bool,
    /// Choose your password with the invitation that an admin gave you
    #[arg(long, conflicts_with = "bootstrap")]
    pub invitation: bool,
    /// Your name there; asked for in the terminal unless given
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Sign in by approving a code in a browser or a terminal that is signed in
    #[arg(long, conflicts_with_all = ["bootstrap", "invitation"])]
    pub device: bool,
    /// Approve the code that another terminal shows
    #[arg(long, value_name = "CODE", conflicts_with_all = ["bootstrap", "device"])]
    pub approve: Option<String>,
}

/// `iron token ...`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token for an agent; it is shown once
    #[command(after_help = TOKEN_EXAMPLES)]
    Issue {
        /// The agent; it is made where there is none
        #[arg(long, value_name = "NAME")]
        agent: Name,
        /// The project that the agent works for; default: that of the agent, or `default`
        #[arg(long, value_name = "NAME")]
        project: Option<Name>,
        /// What the token may spend, as in `5 USD/day`; windows: day, week, month, total
        #[arg(long, value_name = "AMOUNT[/WINDOW]")]
        budget: Option<String>,
        /// Models that it may call, as in `gpt-5*,claude-*`; default: all
        #[arg(long, value_name = "GLOB", value_delimiter = ',')]
        models: Vec<String>,
        /// Upstreams that it may call; default: all
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        upstreams: Vec<String>,
        /// How long it is valid, as in `30d` or `12h`
        #[arg(long, value_name = "TIME", default_value = "30d")]
        expires: String,
        /// What it is for
        #[arg(long, default_value = "")]
        label: String,
        /// Where the agent reaches its proxy, for the snippets; default: the proxy on this machine, or
        /// the one that the panel heard of last
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List tokens
    List {
        /// Only this agent's
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Show a token's terms; the token itself is not kept
    Show {
        /// The token's id
        id: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Refuse a token from now on
    Revoke {
        /// The token's id
        id: String,
        /// End the streams that are open with it as well
        #[arg(long)]
        cut_streams: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Issue a new token in a token's place; the old one is valid for a while longer
    Rotate {
        /// The token's id
        id: String,
        /// For how long the old one is valid, as in `1h`
        #[arg(long, value_name = "TIME", default_value = "1h")]
        overlap: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

const TOKEN_EXAMPLES: &str = "Examples:
  iron token issue --agent researcher --budget \"5 USD/day\" --models \"gpt-5*,claude-*\" --expires 30d
  iron token issue --agent ci --output json | jq -r .token";

/// `iron budget ...`
#[derive(Debug, Subcommand)]
pub enum BudgetCommand {
    /// Set what a scope may spend; a lower limit says first what it would do
    Set {
        /// Whose: organisation, project:NAME, agent:NAME, token:ID or model:GLOB
        scope: String,
        /// How much, as in `5 USD/day`
        limit: String,
        /// The time zone of its windows (IANA)
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        zone: String,
        /// Shorten calls to what is left instead of refusing them
        #[arg(long)]
        clamp: bool,
        /// Only say what it would do
        #[arg(long)]
        dry_run: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List budgets with what is spent and left
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Show one budget with its accounts
    Show {
        /// Its id or its scope
        budget: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Remove a budget
    Remove {
        /// Its id or its scope
        budget: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Ask for more
    Request {
        /// Its id or its scope
        budget: String,
        /// By how much the limit is to rise
        #[arg(long, value_name = "AMOUNT")]
        more: NanoUsd,
        /// Why
        #[arg(long)]
        why: String,
        /// Wait until it is decided
        #[arg(long)]
        wait: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List requests for more
    Requests {
        /// Those that are decided as well
        #[arg(long)]
        all: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Approve a request: the limit rises at once
    Approve {
        /// The request's id
        request: String,
        /// Raise the budget's limit for good, rather than for the window of now
        #[arg(long)]
        lasting: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Deny a request
    Deny {
        /// The request's id
        request: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// `iron secret ...`
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a provider key; it is read from standard input, never from the command line
    Set {
        /// Its name
        name: Name,
        /// The upstream whose key it is
        #[arg(long, value_name = "NAME")]
        upstream: Name,
        /// The one address that it may be sent to: the upstream's base_url; default: that of the
        /// upstream in this machine's iron.toml for the panel of this machine, else the provider's
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List the keys: names, upstreams, addresses, last four characters
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Replace a key by a new one from standard input
    Rotate {
        /// Its name
        name: String,
        /// The one address that the new one may be sent to; default: that of the old one
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Remove a key
    Remove {
        /// Its name
        name: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// `iron proxies ...`
#[derive(Debug, Subcommand)]
pub enum ProxiesCommand {
    /// Let a proxy in; its credential is shown once
    Add {
        /// Its name
        name: Name,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List the proxies: versions, when last seen, what they hold
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Keep a proxy out
    Remove {
        /// Its name
        name: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// `iron lease ...`
#[derive(Debug, Subcommand)]
pub enum LeaseCommand {
    /// List what proxies hold
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Take back the remainder of a lease whose proxy is gone for good
    Reclaim {
        /// The lease's id
        id: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// What somebody may do at a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Reads what belongs to its projects.
    Viewer,
    /// Issues tokens, sets budgets, decides requests in its projects.
    Operator,
    /// Everything.
    Admin,
}

/// `iron user ...`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add somebody; the panel makes a token with which they choose a password
    Add {
        /// The name to sign in with
        name: String,
        /// What they may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleArg,
        /// Projects that they are members of
        #[arg(long = "project", value_name = "NAME")]
        projects: Vec<String>,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Invite somebody anew who has no password or forgot it
    Invite {
        /// Who
        name: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List everybody
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Change what somebody may do
    Role {
        /// Whose
        name: String,
        /// What they may do
        #[arg(value_enum)]
        role: RoleArg,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Keep somebody out, and end their sessions
    Disable {
        /// Who
        name: String,
        /// Let them in again instead
        #[arg(long)]
        lift: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// `iron project ...`
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Add a project
    Add {
        /// Its name
        name: Name,
        /// What it is about
        #[arg(long, default_value = "")]
        title: String,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// List the projects
    List {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Make somebody a member, or not any more
    Member {
        /// The project
        project: String,
        /// Who
        user: String,
        /// Not any more
        #[arg(long)]
        remove: bool,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}

/// `iron audit ...`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List who did what
    List {
        /// How many of the latest
        #[arg(long, short = 'n', default_value_t = 50)]
        lines: usize,
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
    /// Check the chain: exit 1 where an entry was changed or is missing
    Verify {
        /// Which panel.
        #[command(flatten)]
        at: At,
    },
}
