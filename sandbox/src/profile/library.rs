//! Where profiles come from: those built in, and a user's own.
//!
//! A user's own takes the place of one built in that has its name, and may extend that one.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::file::{LARGEST, Profile, nearest};

/// Those built in: the name, and the text.
const BUILTIN: [(&str, &str); 11] = [
    ("base", include_str!("builtin/base.toml")),
    ("claude-code", include_str!("builtin/claude-code.toml")),
    ("claude-code-login", include_str!("builtin/claude-code-login.toml")),
    ("codex", include_str!("builtin/codex.toml")),
    ("codex-login", include_str!("builtin/codex-login.toml")),
    ("git", include_str!("builtin/git.toml")),
    ("node", include_str!("builtin/node.toml")),
    ("python", include_str!("builtin/python.toml")),
    ("rust", include_str!("builtin/rust.toml")),
    ("shell", include_str!("builtin/shell.toml")),
    ("strict", include_str!("builtin/strict.toml")),
];

/// What every sandbox begins with.
pub const BASE: &str = "base";

/// All profiles that can be named.
#[derive(Debug, Clone)]
pub struct Library {
    /// The user's own, as `NAME.toml`.
    folder: Option<PathBuf>,
}

/// A profile, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its name: for a file, what it is called without its ending.
    pub name: String,
    /// Its file; none is built in.
    pub file: Option<PathBuf>,
    /// What it says.
    pub profile: Profile,
}

/// Why there is no such profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None has this name.
    #[error("there is no profile `{name}`: {hint}")]
    Missing {
        /// The name.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// Its file cannot be read.
    #[error("the profile {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its file is not a profile.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file; for one built in, its name.
        path: PathBuf,
        /// What is wrong, with the line.
        message: String,
    },
    /// It extends itself.
    #[error("the profile `{name}` extends itself by way of {way}: take it out of one `extends`")]
    Cycle {
        /// Which.
        name: String,
        /// Those between.
        way: String,
    },
}

impl Library {
    /// Those built in, and those in a folder of the user's.
    pub const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Those in `iron-cage/sandbox` within the user's folder for what they configured.
    pub fn of_user(configuration: Option<&Path>) -> Self {
        Self::new(configuration.map(|folder| folder.join("iron-cage/sandbox")))
    }

    /// The folder of the user's own.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A profile by its name, or by its file where it has a `/` or ends in `.toml`.
    pub fn load(&self, name: &str) -> Result<Loaded, Error> {
        if name.contains('/') || Path::new(name).extension().is_some_and(|end| end == "toml") {
            return from_file(Path::new(name));
        }
        if let Some(path) = self.own(name)
            && path.exists()
        {
            return from_file(&path);
        }
        self.load_builtin(name)
    }

    /// One that is built in.
    pub fn load_builtin(&self, name: &str) -> Result<Loaded, Error> {
        let Some((name, text)) = BUILTIN.iter().find(|(builtin, _)| *builtin == name) else {
            return Err(Error::Missing { name: name.to_owned(), hint: self.hint(name) });
        };
        let profile = Profile::parse(text)
            .map_err(|message| Error::Malformed { path: PathBuf::from(name), message })?;
        Ok(Loaded { name: (*name).to_owned(), file: None, profile })
    }

    /// Those that may be for one of these programs: a user's own, and of those built in such as have its
    /// name in their text. Others need not be read on the way to a start.
    pub fn candidates(&self, programs: &[String]) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| {
            let builtin = BUILTIN.iter().find(|(builtin, _)| builtin == name);
            let is_own = self.own(name).is_some_and(|path| path.exists());
            is_own
                || builtin.is_some_and(|(_, text)| {
                    programs.iter().any(|program| {
                        let version = |c: char| c.is_ascii_digit() || c == '.';
                        let stem = program.trim_end_matches(version);
                        [program.as_str(), stem]
                            .iter()
                            .any(|name| text.contains(&format!("\"{name}\"")))
                    })
                })
        });
        names
    }

    /// The names of all, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
        let own = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        for entry in own.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "toml")
                && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// A user's own file for a name; a name is no path.
    fn own(&self, name: &str) -> Option<PathBuf> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let plain = !name.is_empty() && !name.starts_with('.') && name.chars().all(fine);
        plain.then(|| self.folder.as_ref().map(|folder| folder.join(format!("{name}.toml"))))?
    }

    fn hint(&self, name: &str) -> String {
        let names = self.names();
        if let Some(meant) = nearest(name, names.iter().map(String::as_str)) {
            return format!("perhaps `{meant}` was meant");
        }
        if Path::new(name).is_file() {
            return format!("for the file of that name write ./{name}");
        }
        format!("there are {}", names.join(", "))
    }
}

/// Reads a profile's file.
pub fn from_file(path: &Path) -> Result<Loaded, Error> {
    let text = read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let profile = Profile::parse(&text)
        .map_err(|message| Error::Malformed { path: path.to_owned(), message })?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    Ok(Loaded { name: name.unwrap_or_default(), file: Some(path.to_owned()), profile })
}

/// A file's text, up to [`LARGEST`].
pub fn read(path: &Path) -> io::Result<String> {
    // A pipe that nobody writes to is no reason to wait.
    let file = open_at_once(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it has more than {LARGEST} bytes")));
    }
    Ok(text)
}

/// O_NONBLOCK of Linux (asm-generic/fcntl.h) and of BSD.
const NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 4 };

fn open_at_once(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_built_in_are_sound() {
        let library = Library::new(None);
        for (name, _) in BUILTIN {
            let loaded = library.load(name).unwrap();
            assert!(!loaded.profile.description.is_empty(), "{name}");
        }
        assert!(BUILTIN.is_sorted());
    }

    #[test]
    fn a_name_that_is_near_is_proposed() {
        let library = Library::new(None);
        let told = |name: &str| library.load(name).unwrap_err().to_string();
        assert_eq!(told("pyton"), "there is no profile `pyton`: perhaps `python` was meant");
        assert!(told("../x").starts_with("the profile ../x cannot be read"), "{}", told("../x"));
        assert!(told("cobol").contains("there are base, claude-code,"), "{}", told("cobol"));
    }

    #[test]
    fn a_users_own_takes_the_place_of_one_built_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("python.toml"), "description = \"mine\"").unwrap();
        let library = Library::new(Some(folder.path().to_owned()));
        assert_eq!(library.load("python").unwrap().profile.description, "mine");
        assert_eq!(library.load_builtin("python").unwrap().file, None);
        fs::write(folder.path().join("large.toml"), "#".repeat(70_000)).unwrap();
        assert!(library.load("large").unwrap_err().to_string().contains("more than 65536 bytes"));
    }
}
