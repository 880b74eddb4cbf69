//! Profiles one after the other, as one.
//!
//! Lists are joined; of single values the later one counts. Each entry knows who asked for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::library::{Error, Library, Loaded};
use super::own::OwnFolder;
use crate::confinement::{Access, Limits};

/// Something that a profile asks for, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The text.
    pub text: String,
    /// The profile's name.
    pub from: String,
}

/// Several profiles as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Their names, in the order in which they count.
    pub names: Vec<String>,
    /// What may be done in the workspace, where one says so.
    pub workspace: Option<Access>,
    /// Paths to read.
    pub read: Vec<Entry>,
    /// Paths to write.
    pub write: Vec<Entry>,
    /// Paths that stay as they are.
    pub protect: Vec<Entry>,
    /// Paths that are not seen.
    pub hide: Vec<Entry>,
    /// Services of this machine.
    pub connect: Vec<(SocketAddr, String)>,
    /// Variables that are handed on.
    pub allow: Vec<Entry>,
    /// Variables that are set.
    pub set: BTreeMap<String, Entry>,
    /// How much.
    pub limits: Limits,
    /// Folders of clients' own.
    pub own: Vec<OwnFolder>,
}

impl Merged {
    /// Joins profiles, each with what it extends before it; one that comes twice counts once.
    pub fn of(library: &Library, names: &[String]) -> Result<Self, Error> {
        let mut merged = Self::default();
        for name in names {
            let loaded = library.load(name)?;
            merged.join_with_extended(library, loaded, &mut Vec::new())?;
        }
        Ok(merged)
    }

    /// Joins one more, with what it extends before it.
    pub fn join(&mut self, library: &Library, loaded: Loaded) -> Result<(), Error> {
        self.join_with_extended(library, loaded, &mut Vec::new())
    }

    fn join_with_extended(
        &mut self,
        library: &Library,
        loaded: Loaded,
        way: &mut Vec<(String, bool)>,
    ) -> Result<(), Error> {
        let builtin = loaded.file.is_none();
        if way.contains(&(loaded.name.clone(), builtin)) {
            let names: Vec<&str> = way.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::Cycle { name: loaded.name, way: names.join(", ") });
        }
        let known = shown(&loaded.name, builtin);
        if self.names.contains(&known) {
            return Ok(());
        }
        way.push((loaded.name.clone(), builtin));
        for name in &loaded.profile.extends {
            // A user's `python` that extends `python` means the one built in.
            let next =
                if *name == loaded.name { library.load_builtin(name) } else { library.load(name) }?;
            self.join_with_extended(library, next, way)?;
        }
        way.pop();
        self.add(known, loaded);
        Ok(())
    }

    fn add(&mut self, known: String, loaded: Loaded) {
        let Loaded { name, profile, .. } = loaded;
        let entries = |texts: Vec<String>| {
            texts.into_iter().map(|text| Entry { text, from: name.clone() }).collect::<Vec<_>>()
        };
        union(&mut self.read, entries(profile.files.read));
        union(&mut self.write, entries(profile.files.write));
        union(&mut self.protect, entries(profile.files.protect));
        // What one profile hides another may need, which extends it: `claude-code-login` does.
        let needed = [&self.read, &self.write].into_iter().flatten();
        let given: Vec<Entry> = entries(profile.files.hide);
        let needed: Vec<String> = needed.map(|entry| entry.text.clone()).collect();
        union(
            &mut self.hide,
            given.into_iter().filter(|entry| !needed.contains(&entry.text)).collect(),
        );
        self.hide.retain(|entry| !self.write.iter().any(|write| write.text == entry.text));
        union(&mut self.allow, entries(profile.environment.allow));
        for service in profile.network.connect {
            if !self.connect.iter().any(|(known, _)| *known == service) {
                self.connect.push((service, name.clone()));
            }
        }
        for (variable, text) in profile.environment.set {
            self.set.insert(variable, Entry { text, from: name.clone() });
        }
        if let Some(own) = profile.own_folder {
            match self.own.iter_mut().find(|known| known.variable == own.variable) {
                Some(known) => known.join(&own),
                None => self.own.push(own),
            }
        }
        self.workspace = profile.files.workspace.or(self.workspace);
        self.limits = later(&self.limits, &profile.limits);
        self.names.push(known);
    }
}

/// A user's own and the one built in that it extends have one name.
fn shown(name: &str, builtin: bool) -> String {
    if builtin { name.to_owned() } else { format!("{name} (yours)") }
}

/// Of two sets of limits those of the second, where it has any.
pub fn later(first: &Limits, second: &Limits) -> Limits {
    Limits {
        memory: second.memory.or(first.memory),
        processes: second.processes.or(first.processes),
        file_size: second.file_size.or(first.file_size),
        open_files: second.open_files.or(first.open_files),
        cpu_time: second.cpu_time.or(first.cpu_time),
        wall_time: second.wall_time.or(first.wall_time),
        output: second.output.or(first.output),
    }
}

fn union(into: &mut Vec<Entry>, from: Vec<Entry>) {
    for entry in from {
        if !into.iter().any(|known| known.text == entry.text) {
            into.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn library(files: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        let library = Library::new(Some(folder.path().to_owned()));
        (folder, library)
    }

    fn merged(library: &Library, name: &str) -> Merged {
        Merged::of(library, &[name.to_owned()]).unwrap()
    }

    #[test]
    fn what_is_extended_comes_before() {
        let (_folder, library) = library(&[
            ("one", "[files]\nread = [\"/a\", \"/b\"]\n[limits]\nprocesses = 1\nopen_files = 100"),
            (
                "two",
                "extends = [\"one\"]\n[files]\nread = [\"/b\", \"/c\"]\n[limits]\nprocesses = 2",
            ),
        ]);
        let merged = merged(&library, "two");
        let read: Vec<_> = merged.read.iter().map(|e| (e.text.as_str(), e.from.as_str())).collect();
        assert_eq!(read, [("/a", "one"), ("/b", "one"), ("/c", "two")]);
        assert_eq!((merged.limits.processes, merged.limits.open_files), (Some(2), Some(100)));
        assert_eq!(merged.names, ["one (yours)", "two (yours)"]);
    }

    #[test]
    fn a_users_own_may_extend_the_one_of_its_name_and_nothing_itself() {
        let (_folder, library) = library(&[
            ("python", "extends = [\"python\"]\n[files]\nread = [\"/models\"]"),
            ("a", "extends = [\"b\"]"),
            ("b", "extends = [\"a\"]"),
        ]);
        let merged = merged(&library, "python");
        assert_eq!(merged.names, ["git", "python", "python (yours)"]);
        let error = Merged::of(&library, &["a".to_owned()]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the profile `a` extends itself by way of a, b: take it out of one `extends`"
        );
    }

    #[test]
    fn a_login_is_not_there_unless_it_is_asked_for() {
        let library = Library::new(None);
        for (name, login) in [("claude-code", ".credentials.json"), ("codex", "auth.json")] {
            let has = |name: &str| {
                let merged = merged(&library, name);
                merged.own[0].link.iter().any(|link| link == login)
                    || merged
                        .write
                        .iter()
                        .chain(&merged.read)
                        .any(|entry| entry.text.ends_with(login))
            };
            assert!(!has(name), "{name}");
            assert!(has(&format!("{name}-login")), "{name}");
        }
    }

    #[test]
    fn strict_has_no_settings_of_the_users() {
        let library = Library::new(None);
        let merged = Merged::of(&library, &["base".to_owned(), "strict".to_owned()]).unwrap();
        assert_eq!(merged.workspace, Some(Access::Read));
        assert!(merged.read.iter().all(|entry| entry.text.starts_with('/')), "{:?}", merged.read);
        assert!(merged.write.is_empty());
    }
}
