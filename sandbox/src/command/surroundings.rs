//! Where the launcher stands: its variables and folders, read once.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// What is around the launcher.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Its variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The user's folder, resolved.
    pub home: Option<PathBuf>,
    /// Where it was started, resolved.
    pub current_folder: PathBuf,
}

/// What `iron run` tells of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfRun {
    /// The proxy's address, as the client's variables have it.
    pub proxy: String,
    /// Its state file.
    pub state: PathBuf,
    /// The run.
    pub id: String,
}

impl Surroundings {
    /// Those of this process.
    pub fn here() -> io::Result<Self> {
        Ok(Self {
            variables: env::vars_os().collect(),
            home: env::home_dir().and_then(|home| home.canonicalize().ok()),
            current_folder: env::current_dir()?,
        })
    }

    /// A variable, where it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// The user's folder for what they configured.
    pub fn configuration(&self) -> Option<PathBuf> {
        self.user_folder("XDG_CONFIG_HOME", ".config")
    }

    /// The user's folder for state.
    pub fn state(&self) -> Option<PathBuf> {
        self.user_folder("XDG_STATE_HOME", ".local/state")
    }

    /// The user's folder for what programs keep.
    pub fn data(&self) -> Option<PathBuf> {
        self.user_folder("XDG_DATA_HOME", ".local/share")
    }

    /// What `iron run` told, where this is within one.
    pub fn of_run(&self) -> Option<OfRun> {
        let text = |name| self.variable(name).and_then(OsStr::to_str).map(str::to_owned);
        Some(OfRun {
            proxy: text("IRON_PROXY")?,
            state: self.variable("IRON_STATE")?.into(),
            id: text("IRON_RUN_ID")?,
        })
    }

    /// The names of variables that `iron run` set for its client.
    pub fn run_variables(&self) -> Vec<String> {
        let names = self.variable("IRON_RUN_VARIABLES").and_then(OsStr::to_str).unwrap_or_default();
        names.split([',', ':', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Paths that `iron run` says its client needs.
    pub fn run_paths(&self, name: &str) -> Vec<PathBuf> {
        let paths = self.variable(name).map(|list| env::split_paths(list).collect::<Vec<_>>());
        paths.unwrap_or_default().into_iter().filter(|path| path.is_absolute()).collect()
    }

    fn user_folder(&self, variable: &str, below: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(Path::new).filter(|path| path.is_absolute());
        named.map(Path::to_owned).or_else(|| Some(self.home.as_ref()?.join(below)))
    }
}
