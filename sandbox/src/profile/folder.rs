//! Which folder an agent can be given, and which it cannot.
//!
//! A workspace, or anything else that is granted, is never the user's whole folder or what holds it,
//! and never holds what Iron Cage itself lives on.

use std::path::{Path, PathBuf};

/// What is never granted as a whole.
#[derive(Debug, Clone, Default)]
pub struct Guarded {
    /// The user's folder, resolved.
    pub home: Option<PathBuf>,
    /// Where Iron Cage keeps its state, resolved as far as it is there.
    pub state: Vec<PathBuf>,
}

/// Why a folder is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is the root.
    #[error("/ is the whole machine")]
    Root,
    /// It is the user's folder.
    #[error("{} is your home folder, with keys, histories and settings in it", .0.display())]
    Home(PathBuf),
    /// It holds the user's folder.
    #[error("{} holds your home folder {}", .0.display(), .1.display())]
    AboveHome(PathBuf, PathBuf),
    /// It is where Iron Cage lives, or within.
    #[error("{} is where Iron Cage keeps its state ({})", .0.display(), .1.display())]
    State(PathBuf, PathBuf),
    /// The kernel's own.
    #[error("{} is the kernel's and the machine's own, and not a place for files", .0.display())]
    Kernel(PathBuf),
}

impl Guarded {
    /// Whether a folder can be granted. `path` is resolved. A folder that holds a file of Iron Cage can:
    /// that file is hidden in it.
    pub fn check(&self, path: &Path) -> Result<(), Refused> {
        if path == Path::new("/") {
            return Err(Refused::Root);
        }
        if let Some(home) = &self.home
            && home != Path::new("/")
        {
            if path == home {
                return Err(Refused::Home(path.to_owned()));
            }
            if home.starts_with(path) {
                return Err(Refused::AboveHome(path.to_owned(), home.clone()));
            }
        }
        for state in &self.state {
            if path.starts_with(state) {
                return Err(Refused::State(path.to_owned(), state.clone()));
            }
        }
        Ok(())
    }

    /// Whether a folder can be what an agent works in.
    pub fn check_workspace(&self, path: &Path) -> Result<(), Refused> {
        self.check(path)?;
        for kernel in
            ["/proc", "/sys", "/dev", "/boot", "/etc", "/usr", "/bin", "/sbin", "/lib", "/run"]
        {
            if path == Path::new(kernel)
                || (matches!(kernel, "/proc" | "/sys" | "/dev") && path.starts_with(kernel))
            {
                return Err(Refused::Kernel(path.to_owned()));
            }
        }
        // A state folder that is no file's neighbour but the user's: everything of Iron Cage is in it.
        match self.state.iter().find(|state| state.is_dir() && state.starts_with(path)) {
            Some(state) => Err(Refused::State(path.to_owned(), state.clone())),
            None => Ok(()),
        }
    }

    /// What of Iron Cage stands in a granted folder, and is to be hidden there.
    pub fn within(&self, granted: &[&Path]) -> Vec<PathBuf> {
        let within = |state: &&PathBuf| granted.iter().any(|folder| state.starts_with(folder));
        self.state.iter().filter(within).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_everything_is_refused() {
        let guarded = Guarded {
            home: Some(PathBuf::from("/home/ada")),
            state: vec![PathBuf::from("/home/ada/.local/state/iron-cage")],
        };
        let told = |path: &str| guarded.check_workspace(Path::new(path)).map_err(|e| e.to_string());
        assert_eq!(told("/home/ada/project"), Ok(()));
        assert_eq!(told("/home/adam"), Ok(()));
        for (path, why) in [
            ("/", "the whole machine"),
            ("/home", "/home holds your home folder /home/ada"),
            ("/home/ada", "is your home folder"),
            ("/home/ada/.local/state/iron-cage/x", "is where Iron Cage keeps its state"),
            ("/proc/self", "the kernel's"),
            ("/etc", "the kernel's"),
        ] {
            let error = told(path).unwrap_err();
            assert!(error.contains(why), "{path}: {error}");
        }
    }

    #[test]
    fn a_home_that_is_the_root_refuses_nothing_but_the_root() {
        let guarded = Guarded { home: Some(PathBuf::from("/")), state: Vec::new() };
        assert_eq!(guarded.check_workspace(Path::new("/srv/x")), Ok(()));
        assert_eq!(guarded.check(Path::new("/")), Err(Refused::Root));
    }
}
