//! A profile from what a program was refused: what it may have asked for in good faith, and no more.
//!
//! Folders of keys, histories and what runs at a login are never proposed, and what was left out is
//! said. What is proposed is for a person to read: an agent chose what it asked for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::folder::Guarded;
use crate::event::{Action, Denial, Event, Remedy};

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The profile, as TOML.
    pub text: String,
    /// How many lines it allows more than what it extends.
    pub lines: usize,
    /// What was asked for and is not proposed, and why.
    pub left_out: Vec<String>,
}

/// What a proposal is made from.
pub struct Asked<'a> {
    /// The command, for people.
    pub command: &'a str,
    /// The profiles that it ran with.
    pub extends: &'a [String],
    /// The user's folder.
    pub home: Option<&'a Path>,
    /// What is never granted.
    pub guarded: &'a Guarded,
    /// What it was refused.
    pub events: &'a [Event],
}

/// Below a home: keys, histories, what holds them, and what runs at a login.
const SECRET: [&str; 45] = [
    ".ssh",
    ".aws",
    ".gnupg",
    ".kube",
    ".docker",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".config/glab-cli",
    ".config/hub",
    ".config/op",
    ".config/rclone",
    ".config/google-chrome",
    ".config/chromium",
    ".config/BraveSoftware",
    ".config/microsoft-edge",
    ".mozilla",
    ".thunderbird",
    "snap/firefox",
    ".local/share/keyrings",
    ".password-store",
    ".config/autostart",
    ".config/systemd",
    ".config/iron-cage",
    ".local/state/iron-cage",
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".terraform.d",
    ".vault-token",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".node_repl_history",
    ".psql_history",
    ".lesshst",
    ".claude/.credentials.json",
    ".codex/auth.json",
];

/// Below a home: what a shell or a program reads at its start. Not to be written, and read it holds keys.
const STARTING: [&str; 10] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".config/fish",
    ".gitconfig",
    ".config/git",
];

/// Anywhere: the machine's own.
const MACHINE: [&str; 14] = [
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run",
    "/var/run",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pam.d",
    "/var/lib",
];

/// So many files of one folder are proposed as the folder.
const MANY: usize = 4;

/// Proposes.
pub fn propose(asked: &Asked<'_>) -> Proposal {
    let mut read = BTreeMap::<PathBuf, Vec<String>>::new();
    let mut write = BTreeMap::<PathBuf, Vec<String>>::new();
    let mut connect = BTreeMap::<String, Vec<String>>::new();
    let mut left_out = Vec::new();
    for denial in asked.events.iter().filter_map(denial) {
        let Remedy::Allow { flag, .. } = &denial.remedy else { continue };
        let program = denial.program.clone().unwrap_or_else(|| "a program".to_owned());
        let path = Path::new(&denial.target);
        match denial.action {
            Action::Read | Action::Write | Action::Execute if path.is_absolute() => {
                let writes = denial.action == Action::Write;
                if let Some(why) = asked.refuses(path, writes) {
                    let line = format!("{}: {why}", asked.short(path));
                    if !left_out.contains(&line) {
                        left_out.push(line);
                    }
                    continue;
                }
                let list = if writes { &mut write } else { &mut read };
                note(list.entry(path.to_owned()).or_default(), program);
            }
            // The flag has the address as it is to be written.
            Action::Connect => {
                if let Some(address) = flag.strip_prefix("--connect ") {
                    note(connect.entry(address.to_owned()).or_default(), program);
                }
            }
            _ => {}
        }
    }
    let write = asked.folded(write);
    let read = asked.folded(read);
    let read: BTreeMap<_, _> = read
        .into_iter()
        .filter(|(path, _)| !write.keys().any(|folder| path.starts_with(folder)))
        .collect();

    let mut text = String::new();
    // Writing to a string does not fail.
    let command: String = asked.command.chars().filter(|c| !c.is_control()).collect();
    let _ = writeln!(text, "# From what `{command}` was refused. Read it before you use it.");
    let _ = writeln!(text, "description = {}", quoted(&format!("what `{command}` needs")));
    let extends: Vec<String> = asked.extends.iter().map(|name| quoted(name)).collect();
    let _ = writeln!(text, "extends = [{}]", extends.join(", "));
    if !read.is_empty() || !write.is_empty() {
        let _ = writeln!(text, "\n[files]");
        asked.list(&mut text, "read", &read);
        asked.list(&mut text, "write", &write);
    }
    if !connect.is_empty() {
        let _ = writeln!(text, "\n[network]\nconnect = [");
        for (address, programs) in &connect {
            let _ = writeln!(text, "    {}, # {}", quoted(address), by(programs));
        }
        let _ = writeln!(text, "]");
    }
    if !left_out.is_empty() {
        let _ = writeln!(text, "\n# Left out:");
        for line in &left_out {
            let _ = writeln!(text, "# {}", line.replace(char::is_control, "\u{FFFD}"));
        }
    }
    Proposal { text, lines: read.len() + write.len() + connect.len(), left_out }
}

fn denial(event: &Event) -> Option<&Denial> {
    match event {
        Event::Denial(denial) => Some(denial),
        _ => None,
    }
}

/// Where programs and their settings are that run for everybody.
const SYSTEM: [&str; 9] =
    ["/etc", "/usr", "/opt", "/bin", "/sbin", "/lib", "/lib64", "/var/spool", "/boot"];

/// Whether it is a file right in the home folder whose name begins with a dot, or one of its programs.
fn is_hidden_at_home(home: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(home) else { return false };
    let first = below.components().next().map(|part| part.as_os_str().to_owned());
    let is_file = below.components().count() == 1;
    let hidden = first.as_ref().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    (is_file && hidden) || below.starts_with(".local/bin") || below.starts_with("bin")
}

fn note(programs: &mut Vec<String>, program: String) {
    if !programs.contains(&program) {
        programs.push(program);
    }
}

impl Asked<'_> {
    /// Why a path is not proposed.
    fn refuses(&self, path: &Path, writes: bool) -> Option<&'static str> {
        if self.guarded.state.iter().any(|state| path.starts_with(state)) {
            return Some("it is Iron Cage's own");
        }
        if self.guarded.check(path).is_err()
            || self.guarded.state.iter().any(|state| state.starts_with(path))
        {
            return Some("it holds too much");
        }
        if MACHINE.iter().any(|own| path.starts_with(own)) {
            return Some("it is the machine's own");
        }
        if writes && SYSTEM.iter().any(|own| path.starts_with(own)) {
            return Some("what stands there runs for everybody");
        }
        if self.is_in_another_home(path) {
            return Some("it is somebody else's");
        }
        let home = self.home?;
        if writes && is_hidden_at_home(home, path) {
            return Some("what stands there may run when you log in or start a program");
        }
        // Also what holds one of them.
        let near = |name: &&str| {
            let own = home.join(name);
            path.starts_with(&own) || own.starts_with(path)
        };
        if SECRET.iter().any(near) {
            return Some("keys, histories or what runs at a login are kept there");
        }
        if STARTING.iter().any(near) {
            return Some(if writes {
                "what stands there runs when you start a shell or git"
            } else {
                "keys may stand there"
            });
        }
        None
    }

    /// Whether a path is in a home that is not the user's.
    fn is_in_another_home(&self, path: &Path) -> bool {
        let own = self.home.is_some_and(|home| path.starts_with(home) || home.starts_with(path));
        !own && (path.starts_with("/root") || path.starts_with("/home"))
    }

    /// Files of one folder as that folder, where they are many and it can be proposed; and nothing that
    /// stands in another.
    fn folded(&self, paths: BTreeMap<PathBuf, Vec<String>>) -> BTreeMap<PathBuf, Vec<String>> {
        let mut counts = BTreeMap::<PathBuf, usize>::new();
        for path in paths.keys() {
            if let Some(parent) = path.parent() {
                *counts.entry(parent.to_owned()).or_default() += 1;
            }
        }
        let mut folded = BTreeMap::<PathBuf, Vec<String>>::new();
        for (path, programs) in paths {
            let parent = path.parent().filter(|parent| {
                counts.get(*parent).is_some_and(|count| *count >= MANY)
                    && parent.components().count() > 2
                    && self.refuses(parent, true).is_none()
            });
            let path = parent.map_or_else(|| path.clone(), Path::to_owned);
            let holding = folded.keys().find(|folder| path.starts_with(folder)).cloned();
            let entry = folded.entry(holding.unwrap_or(path)).or_default();
            for program in programs {
                note(entry, program);
            }
        }
        folded
    }

    fn list(&self, text: &mut String, name: &str, paths: &BTreeMap<PathBuf, Vec<String>>) {
        if paths.is_empty() {
            return;
        }
        let _ = writeln!(text, "{name} = [");
        for (path, programs) in paths {
            let _ = writeln!(text, "    {}, # {}", quoted(&self.short(path)), by(programs));
        }
        let _ = writeln!(text, "]");
    }

    /// A path as it is written in a profile.
    fn short(&self, path: &Path) -> String {
        let inside = self.home.and_then(|home| path.strip_prefix(home).ok());
        inside
            .map_or_else(|| path.display().to_string(), |inside| format!("~/{}", inside.display()))
    }
}

/// Who asked. A program's name is its own choice.
fn by(programs: &[String]) -> String {
    let names = programs.iter().map(|name| name.replace(char::is_control, "\u{FFFD}"));
    names.collect::<Vec<_>>().join(", ")
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::profile::file::Profile;

    fn refused(action: Action, target: &str, program: &str) -> Event {
        let flag = match action {
            Action::Connect => format!("--connect {target}"),
            Action::Write => format!("--write {target}"),
            _ => format!("--read {target}"),
        };
        Event::Denial(Denial {
            action,
            target: target.to_owned(),
            layer: Layer::Landlock,
            program: Some(program.to_owned()),
            remedy: Remedy::Allow { flag, profile: String::new() },
        })
    }

    fn proposed(events: &[Event]) -> Proposal {
        let home = Path::new("/home/ada");
        let guarded = Guarded {
            home: Some(home.to_owned()),
            state: vec!["/home/ada/.local/state/iron-cage".into()],
        };
        let proposal = propose(&Asked {
            command: "python agent.py",
            extends: &["python".to_owned()],
            home: Some(home),
            guarded: &guarded,
            events,
        });
        // Whatever it says, it is a profile.
        Profile::parse(&proposal.text).unwrap();
        proposal
    }

    #[test]
    fn a_profile_is_made_of_what_was_refused() {
        let mut events = vec![
            refused(Action::Read, "/home/ada/models/a.bin", "python3"),
            refused(Action::Read, "/home/ada/models/a.bin", "worker"),
            refused(Action::Execute, "/opt/tool/bin/tool", "sh"),
            refused(Action::Write, "/home/ada/results", "python3"),
            refused(Action::Read, "/home/ada/results/old", "python3"),
            refused(Action::Connect, "127.0.0.1:5432", "python3"),
            refused(Action::Read, "/home/ada/.ssh/id_rsa", "cat"),
            refused(Action::Read, "/home/ada/.ssh/id_rsa", "less"),
            refused(Action::Read, "/home/ada/.config", "ls"),
            refused(Action::Write, "/home/ada/.bashrc", "sh"),
            refused(Action::Read, "/home/ada", "ls"),
            refused(Action::Read, "/", "find"),
            refused(Action::Read, "/home/ada/.local/state/iron-cage/iron_state.db", "cat"),
            refused(Action::Read, "/proc/1/environ", "cat"),
        ];
        events.extend(
            (0..5).map(|n| refused(Action::Read, &format!("/srv/data/part-{n}"), "python3")),
        );
        insta::assert_snapshot!(proposed(&events).text);
    }

    #[test]
    fn many_files_never_become_a_folder_that_holds_keys() {
        let files = ["a", "b", "c", "d", "e"].map(|name| format!("/home/ada/{name}"));
        let events: Vec<Event> =
            files.iter().map(|file| refused(Action::Read, file, "x")).collect();
        let profile = Profile::parse(&proposed(&events).text).unwrap();
        assert_eq!(profile.files.read, ["~/a", "~/b", "~/c", "~/d", "~/e"]);
    }

    #[test]
    fn a_name_gives_no_lines_of_its_own() {
        let events = [
            refused(Action::Read, "/srv/x\"]\nwrite = [\"/etc", "a\n]\nb"),
            refused(Action::Read, "/home/ada/.ssh/x\n[files]", "c"),
        ];
        let profile = Profile::parse(&proposed(&events).text).unwrap();
        assert_eq!(profile.files.read, ["/srv/x\"]\nwrite = [\"/etc"]);
        assert!(profile.files.write.is_empty());
    }
}
