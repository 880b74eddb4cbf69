//! Why the state cannot do what it is asked to.

use std::path::PathBuf;

use iron_policy::budget::Window;
use iron_policy::types::{Name, NanoUsd};

use super::Short;

/// Why the file cannot be used. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another proxy has it.
    #[error("another proxy uses {0}: stop it, or name another file with --state")]
    InUse(PathBuf),
    /// A later version wrote it.
    #[error(
        "{path} was written by a later version (schema {found}, this one knows {known}): update, or name another file with --state"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Some other program's file.
    #[error("{0} is not a state file of Iron Cage: name another file with --state")]
    Foreign(PathBuf),
    /// It cannot be trusted.
    #[error(
        "{path} is damaged ({what}); it was left as it is: restore a copy, or move it away to begin anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system says no.
    #[error(
        "{path} cannot be opened ({source}): check the folder, or name another file with --state"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error(
        "{path} cannot be opened ({source}): end what else uses it, or name another file with --state"
    )]
    Sql {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// Why nothing was reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// A budget cannot cover the call.
    #[error("{} is exhausted", .0.scope)]
    Exhausted(Exhausted),
    /// Leases have no room for the call: these, which may be topped up.
    #[error("{} of the panel's budgets need more than is leased", .0.len())]
    Short(Vec<Short>),
    /// The panel grants nothing for this token: it is revoked.
    #[error("the token {0} is revoked")]
    Revoked(Name),
    /// Which of the panel's budgets the call touches, or what is left of them, is not known now.
    #[error("{0}")]
    Unheard(String),
    /// The file cannot be written now.
    #[error("the state file cannot be written: {0}")]
    Unavailable(String),
}

/// Whose word it is that a budget cannot cover a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A `[[budget]]` of the configuration, or the budget of a run.
    Local,
    /// The panel says so.
    Panel {
        /// The budget's id.
        budget: String,
        /// What other proxies hold of it.
        held: NanoUsd,
    },
    /// The panel cannot be asked; what it granted does not suffice.
    Away {
        /// The budget's id.
        budget: String,
        /// Since when, in Unix milliseconds.
        since_ms: i64,
        /// What was wrong when it was last asked.
        why: String,
    },
}

/// The budget that cannot cover a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// Who says so.
    pub source: Source,
    /// Its scope, with the real name.
    pub scope: String,
    /// Its window.
    pub window: Window,
    /// What may be spent.
    pub limit: NanoUsd,
    /// What is neither spent nor held.
    pub left: NanoUsd,
    /// When it begins anew, in Unix milliseconds.
    pub resets_at: Option<i64>,
    /// Whether the call may be shortened.
    pub clamp: bool,
}

/// Why the file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the state file cannot be read: {0}")]
    Sql(#[from] rusqlite::Error),
    /// It is of an older version and cannot be brought up to date.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The call cannot be corrected.
    #[error("{0}")]
    Correction(&'static str),
}
