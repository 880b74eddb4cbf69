//! A folder of a client's own within sandboxes: its sessions and settings there, kept from run to run.
//!
//! A client that keeps its settings in the home folder writes there all the time, and what stands there
//! says what it runs on later starts, also outside a sandbox. So it is given another folder by its own
//! variable: the user's settings are copied into it anew each time, what is large is linked, and what an
//! agent writes stays in it. Prepared before the sandbox is made, with the user's rights, in a folder that
//! agents have written to: nothing there is followed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The largest file that is copied, in bytes.
const LARGEST: u64 = 1 << 20;

/// `[own_folder]` of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFolder {
    /// The variable by which the client finds it.
    pub variable: String,
    /// What it is called; the same folder for all sandboxes that name it.
    pub name: String,
    /// The user's own.
    pub from: String,
    /// Files of that which are copied.
    #[serde(default)]
    pub copy: Vec<String>,
    /// Files and folders of that which are linked; they can be read, and written where `[files]` says so.
    #[serde(default)]
    pub link: Vec<String>,
}

/// One that is to be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Where it is.
    pub path: PathBuf,
    /// The user's own; it need not be there.
    pub from: PathBuf,
    /// What is copied.
    pub copy: Vec<String>,
    /// What is linked.
    pub link: Vec<String>,
}

impl OwnFolder {
    /// Whether its names are names: none leads elsewhere.
    pub fn check(&self) -> Result<(), String> {
        let mut names = self.copy.iter().chain(&self.link).chain([&self.name]);
        match names.find(|name| {
            name.is_empty() || name.contains('/') || matches!(name.as_str(), "." | "..")
        }) {
            Some(name) => Err(format!("own_folder: `{name}` is not one name")),
            None => Ok(()),
        }
    }

    /// What is copied and linked besides, by another profile for the same variable.
    pub fn join(&mut self, other: &Self) {
        for (list, more) in [(&mut self.copy, &other.copy), (&mut self.link, &other.link)] {
            let new: Vec<String> =
                more.iter().filter(|name| !list.contains(name)).cloned().collect();
            list.extend(new);
        }
    }
}

impl Own {
    /// Makes the folder, and brings it up to date.
    pub fn prepare(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        if !self.path.symlink_metadata()?.is_dir() {
            return Err(io::Error::other("it is no folder"));
        }
        for name in &self.copy {
            let place = self.path.join(name);
            match read(&self.from.join(name)) {
                Ok(bytes) => self.replace(&place, &bytes)?,
                // What an agent wrote there is no setting of the user's.
                Err(error) if error.kind() == io::ErrorKind::NotFound => take_away(&place)?,
                Err(error) => return Err(error),
            }
        }
        for name in &self.link {
            let (place, target) = (self.path.join(name), self.from.join(name));
            let is_there = target.symlink_metadata().is_ok();
            if is_there && fs::read_link(&place).is_ok_and(|leads| leads == target) {
                continue;
            }
            if is_there || place.is_symlink() {
                take_away(&place)?;
            }
            if is_there {
                symlink(&target, &place)?;
            }
        }
        Ok(())
    }

    /// By a rename, which follows no link.
    fn replace(&self, place: &Path, bytes: &[u8]) -> io::Result<()> {
        if place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            fs::remove_dir_all(place)?;
        }
        let new = self.path.join(format!(".iron-sandbox-{}", std::process::id()));
        take_away(&new)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        fs::rename(&new, place)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("{} is larger than 1 MiB", path.display())));
    }
    Ok(bytes)
}

fn take_away(place: &Path) -> io::Result<()> {
    match place.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_users_settings_and_follows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("user/skills")).unwrap();
        fs::write(at("user/config"), "user's").unwrap();
        fs::write(at("user/auth"), "secret").unwrap();
        fs::write(at("bashrc"), "mine").unwrap();
        let own = Own {
            path: at("data/own"),
            from: at("user"),
            copy: vec!["config".to_owned(), "absent".to_owned()],
            link: vec!["skills".to_owned(), "none".to_owned()],
        };
        own.prepare().unwrap();
        let read = |path: &str| fs::read_to_string(at(path)).unwrap();
        assert_eq!(read("data/own/config"), "user's");
        assert_eq!(fs::read_link(at("data/own/skills")).unwrap(), at("user/skills"));
        assert!(!at("data/own/auth").exists() && !at("data/own/none").exists());
        // An agent was here.
        fs::write(at("data/own/session"), "kept").unwrap();
        fs::remove_file(at("data/own/config")).unwrap();
        symlink(at("bashrc"), at("data/own/config")).unwrap();
        symlink(at("bashrc"), at("data/own/absent")).unwrap();
        fs::remove_file(at("data/own/skills")).unwrap();
        fs::create_dir_all(at("data/own/skills/evil")).unwrap();
        own.prepare().unwrap();
        assert_eq!((read("data/own/config"), read("bashrc")), ("user's".into(), "mine".into()));
        assert_eq!(read("data/own/session"), "kept");
        assert!(!at("data/own/absent").is_symlink());
        assert_eq!(fs::read_link(at("data/own/skills")).unwrap(), at("user/skills"));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let own = |name: &str| OwnFolder { name: name.to_owned(), ..OwnFolder::default() };
        assert!(own("codex").check().is_ok());
        for name in ["", "..", "a/b", "/etc"] {
            assert!(own(name).check().is_err(), "{name}");
        }
    }
}
