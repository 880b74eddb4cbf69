//! What a program needs to start, told by where it stands: an interpreter's own folder, never a home.
//!
//! A command is looked up in PATH and followed through its links: a pyenv shim, a venv's `python`, an
//! npm package's script. Each place on the way that belongs to a toolchain is granted with that
//! toolchain's folder; any other is granted as the one file that it is. What a script names in its
//! first line is followed too. Nothing is executed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::expand::plain;
use super::library;

/// The most links and interpreters that are followed.
const DEEPEST: usize = 16;

/// What is known of the machine.
pub struct Here<'a> {
    /// The user's folder.
    pub home: Option<&'a Path>,
    /// Where a command with a `/` is looked for.
    pub current_folder: &'a Path,
    /// Where agents write: what a link or a first line there names was perhaps their choice.
    pub workspace: &'a Path,
    /// PATH, as the command's own.
    pub search: Option<&'a OsStr>,
}

/// A path that is granted to read and execute, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The path: absolute, its links as they are.
    pub path: PathBuf,
    /// What it is.
    pub what: &'static str,
}

/// Folders of toolchains: what stands after a home or root, and how many names after it are part of
/// the folder that is granted.
const MANAGERS: [(&str, usize, &str); 24] = [
    (".pyenv", 0, "pyenv"),
    (".local/share/uv/python", 1, "a Python of uv's"),
    (".local/share/uv/tools", 1, "a tool of uv's"),
    (".local/share/pipx/venvs", 1, "a tool of pipx's"),
    (".local/pipx/venvs", 1, "a tool of pipx's"),
    (".nvm/versions/node", 1, "a Node of nvm's"),
    (".local/share/fnm", 0, "fnm"),
    (".fnm", 0, "fnm"),
    (".volta", 0, "volta"),
    (".local/share/pnpm", 0, "pnpm"),
    (".bun", 0, "Bun"),
    (".deno/bin", 0, "Deno"),
    (".asdf", 0, "asdf"),
    (".local/share/mise", 0, "mise"),
    (".cargo/bin", 0, "cargo's programs"),
    (".rustup", 0, "rustup"),
    (".rbenv", 0, "rbenv"),
    (".sdkman/candidates", 2, "SDKMAN"),
    ("go/bin", 0, "Go's programs"),
    (".go/bin", 0, "Go's programs"),
    (".local/share/claude", 0, "Claude Code"),
    (".claude/local", 0, "Claude Code"),
    (".opencode/bin", 0, "opencode"),
    (".linuxbrew", 0, "Homebrew"),
];

/// Names of toolchains' folders wherever they stand.
const ANYWHERE: [(&str, &str); 3] =
    [(".pyenv", "pyenv"), (".rustup", "rustup"), ("linuxbrew", "Homebrew")];

/// Finds a command as a shell would: by PATH, or by its path.
pub fn find(command: &OsStr, here: &Here<'_>) -> Option<PathBuf> {
    if command.as_bytes().contains(&b'/') {
        return Some(here.current_folder.join(command)).filter(|path| is_program(path));
    }
    let folders = std::env::split_paths(here.search?);
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(command))
        .find(|path| is_program(path))
}

/// What a program needs. `program` is as [`find`] found it.
pub fn needs(program: &Path, here: &Here<'_>) -> Vec<Need> {
    let mut walk = Walk { here, needs: Vec::new(), left: DEEPEST, within: false };
    walk.follow(program);
    walk.needs
}

/// A way from a command to what starts it.
struct Walk<'a> {
    here: &'a Here<'a>,
    needs: Vec<Need>,
    left: usize,
    /// Whether it came through the workspace. An agent that was there before may have laid a link to any
    /// file: from there on toolchains are granted alone.
    within: bool,
}

impl Walk<'_> {
    fn follow(&mut self, program: &Path) {
        if !is_program(program) {
            return;
        }
        let mut place = plain(program);
        loop {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            self.add(&place);
            match place.read_link() {
                // Folders on the way may be links themselves: what they lead to is what counts.
                Ok(target) => {
                    let folder = place.parent().unwrap_or(Path::new("/"));
                    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                    place = plain(&folder.join(target));
                }
                Err(_) => break,
            }
        }
        let Ok(real) = place.canonicalize() else { return };
        if real != place {
            self.add(&real);
        }
        for interpreter in interpreters(&real, self.here) {
            if !self.needs.iter().any(|need| need.path == interpreter) {
                self.follow(&interpreter);
            }
        }
    }

    fn add(&mut self, place: &Path) {
        let inside = place.starts_with(self.here.workspace);
        self.within |= inside;
        let toolchain = root(place, self.here);
        if toolchain.is_none() && self.within && !inside {
            return;
        }
        let (path, what) = toolchain.unwrap_or((place.to_owned(), "the program itself"));
        let is_venv = path.join("pyvenv.cfg").is_file();
        if !self.needs.iter().any(|need| need.path == path) {
            self.needs.push(Need { path: path.clone(), what });
            if is_venv {
                self.of_venv(&path);
            }
        }
    }

    /// A venv has its standard library where it was made from.
    fn of_venv(&mut self, venv: &Path) {
        let text = library::read(&venv.join("pyvenv.cfg")).unwrap_or_default();
        let home = text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == "home").then(|| PathBuf::from(value.trim()))
        });
        let Some(bin) = home.filter(|home| home.is_absolute()) else { return };
        // Only a folder of interpreters: the file says what it likes.
        let pythons = ["python3", "python", "pypy3"].map(|name| bin.join(name));
        if let Some(python) = pythons.into_iter().find(|path| is_program(path)) {
            self.follow(&python);
        }
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The toolchain that a place belongs to, if any.
fn root(place: &Path, here: &Here<'_>) -> Option<(PathBuf, &'static str)> {
    if let Some(home) = here.home
        && let Ok(inside) = place.strip_prefix(home)
    {
        for (folder, names, what) in MANAGERS {
            if let Ok(rest) = inside.strip_prefix(folder) {
                let mut root = home.join(folder);
                root.extend(rest.components().take(names));
                return Some((root, what));
            }
        }
    }
    for (name, what) in ANYWHERE {
        if let Some(root) =
            place.ancestors().skip(1).find(|above| above.file_name() == Some(OsStr::new(name)))
            && is_fine(root, here)
        {
            return Some((root.to_owned(), what));
        }
    }
    // The outermost, since packages there look into each other.
    if let Some(modules) = place
        .ancestors()
        .filter(|above| above.file_name() == Some(OsStr::new("node_modules")))
        .last()
    {
        return Some((modules.to_owned(), "npm packages"));
    }
    prefix(place, here)
}

/// `X` for `X/bin/program`, where `X` is a toolchain and not a folder of many things.
fn prefix(place: &Path, here: &Here<'_>) -> Option<(PathBuf, &'static str)> {
    let bin = place.parent()?;
    if !matches!(bin.file_name()?.to_str()?, "bin" | "sbin" | "condabin" | "Scripts") {
        return None;
    }
    let root = bin.parent()?;
    if !is_fine(root, here) {
        return None;
    }
    if root.join("pyvenv.cfg").is_file() {
        return Some((root.to_owned(), "a venv"));
    }
    if root.join("conda-meta").is_dir() {
        // An environment of another has its packages linked to that one's.
        let of = root.parent().filter(|envs| envs.file_name() == Some(OsStr::new("envs")));
        let base = of.and_then(Path::parent).filter(|base| base.join("conda-meta").is_dir());
        return Some((base.unwrap_or(root).to_owned(), "conda"));
    }
    let library = root.join("lib");
    let toolchain = library.join("node_modules").is_dir()
        || library.join("rustlib").is_dir()
        || root.join("pkg/tool").is_dir()
        || library.join("modules").is_file()
        || std::fs::read_dir(&library)
            .into_iter()
            .flatten()
            .flatten()
            .take(512)
            .any(|entry| entry.file_name().as_bytes().starts_with(b"python"));
    toolchain.then(|| (root.to_owned(), "the interpreter's folder"))
}

/// Whether a folder can be a toolchain's: neither a home, nor what holds one, nor what many share.
fn is_fine(root: &Path, here: &Here<'_>) -> bool {
    let shared =
        ["/", "/opt", "/home", "/root", "/srv", "/var", "/mnt", "/media", "/tmp", "/usr/local"];
    if shared.iter().any(|path| root == Path::new(path)) {
        return false;
    }
    here.home.is_none_or(|home| {
        !home.starts_with(root)
            && ![".local", ".config", ".cache", ".local/share"]
                .iter()
                .any(|path| root == home.join(path))
    })
}

/// What the first line of a script names.
fn interpreters(script: &Path, here: &Here<'_>) -> Vec<PathBuf> {
    let mut head = [0; 256];
    let Ok(length) = File::open(script).and_then(|mut file| file.read(&mut head)) else {
        return Vec::new();
    };
    let Some(line) = head[..length].strip_prefix(b"#!") else { return Vec::new() };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) =
        words.next().map(|word| PathBuf::from(OsString::from(OsStr::from_bytes(word))))
    else {
        return Vec::new();
    };
    if !first.is_absolute() {
        return Vec::new();
    }
    let named = (first.file_name() == Some(OsStr::new("env")))
        .then(|| words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')))
        .flatten()
        .and_then(|word| find(OsStr::from_bytes(word), here));
    [Some(first), named].into_iter().flatten().filter(|path| is_program(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine in a folder.
    struct Machine {
        _folder: tempfile::TempDir,
        root: PathBuf,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            fs::create_dir_all(root.join("home/ada")).unwrap();
            Self { _folder: folder, root }
        }

        fn home(&self) -> PathBuf {
            self.root.join("home/ada")
        }

        fn file(&self, path: &str, text: &str) -> PathBuf {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        fn link(&self, path: &str, target: &Path) -> PathBuf {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, &path).unwrap();
            path
        }

        /// What is granted, without the folder that the machine is in.
        fn needs(&self, command: &str, search: &str) -> Vec<String> {
            let home = self.home();
            let search: Vec<PathBuf> = search.split(':').map(|path| self.root.join(path)).collect();
            let search = std::env::join_paths(search).unwrap();
            let here = Here {
                home: Some(&home),
                current_folder: &self.root,
                workspace: &self.root.join("work"),
                search: Some(&search),
            };
            let program = find(OsStr::new(command), &here).unwrap();
            let inside = |need: &Need| {
                need.path.strip_prefix(&self.root).map_or_else(
                    |_| need.path.display().to_string(),
                    |path| path.display().to_string(),
                )
            };
            needs(&program, &here).iter().map(inside).collect()
        }
    }

    #[test]
    fn a_venv_brings_the_python_that_it_was_made_from() {
        let machine = Machine::new();
        let python = machine.file("home/ada/.pyenv/versions/3.12.1/bin/python3.12", "\x7fELF");
        machine.link("home/ada/.pyenv/versions/3.12.1/bin/python3", Path::new("python3.12"));
        machine.link("work/.venv/bin/python", &python);
        let home = python.parent().unwrap().display().to_string();
        machine.file("work/.venv/pyvenv.cfg", &format!("home = {home}\nversion = 3.12.1\n"));
        assert_eq!(machine.needs("python", "work/.venv/bin"), ["work/.venv", "home/ada/.pyenv"]);
    }

    #[test]
    fn a_shim_brings_its_manager_and_what_it_is_written_in() {
        let machine = Machine::new();
        let bash = machine.file("tools/bash", "\x7fELF");
        machine.file("home/ada/.pyenv/shims/python3", &format!("#!{} -e\n", bash.display()));
        assert_eq!(
            machine.needs("python3", "home/ada/.pyenv/shims"),
            ["home/ada/.pyenv", "tools/bash"]
        );
    }

    #[test]
    fn a_script_of_npm_brings_its_packages_and_node() {
        let machine = Machine::new();
        machine.file("home/ada/.nvm/versions/node/v22.1.0/bin/node", "\x7fELF");
        machine.file("home/ada/x/node_modules/@openai/codex/bin/codex.js", "#!/usr/bin/env node\n");
        machine
            .link("home/ada/x/node_modules/.bin/codex", Path::new("../@openai/codex/bin/codex.js"));
        let needs = machine
            .needs("codex", "home/ada/x/node_modules/.bin:home/ada/.nvm/versions/node/v22.1.0/bin");
        assert_eq!(needs[0], "home/ada/x/node_modules");
        assert!(needs.contains(&"home/ada/.nvm/versions/node/v22.1.0".to_owned()), "{needs:?}");
        assert!(
            !needs.iter().any(|need| need == "home/ada" || need == "home/ada/.nvm"),
            "{needs:?}"
        );
    }

    #[test]
    fn any_other_program_is_granted_as_one_file() {
        let machine = Machine::new();
        let real = machine.file("home/ada/.local/share/thing/versions/2/thing", "\x7fELF");
        machine.link("home/ada/.local/bin/thing", &real);
        // A folder that would make ~/.local look like a toolchain.
        fs::create_dir_all(machine.home().join(".local/lib/python3.12")).unwrap();
        assert_eq!(
            machine.needs("thing", "home/ada/.local/bin"),
            ["home/ada/.local/bin/thing", "home/ada/.local/share/thing/versions/2/thing"]
        );
        machine.file("home/ada/bin/own", "\x7fELF");
        fs::create_dir_all(machine.home().join("lib/python3.12")).unwrap();
        assert_eq!(machine.needs("own", "home/ada/bin"), ["home/ada/bin/own"]);
    }

    #[test]
    fn links_in_a_circle_end() {
        let machine = Machine::new();
        machine.link("a", Path::new("b"));
        let b = machine.link("b", Path::new("a"));
        let root = machine.root.as_path();
        let here = Here { home: None, current_folder: root, workspace: root, search: None };
        assert_eq!(needs(&b, &here), []);
    }

    #[test]
    fn what_an_agent_may_have_laid_out_grants_no_file_elsewhere() {
        let machine = Machine::new();
        let secret = machine.file("home/ada/backup.sh", "#!/bin/sh\n# password");
        let key = machine.file("home/ada/.ssh/id_rsa", "key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        machine.link("work/run", &secret);
        machine.link("work/key", &key);
        machine.file("work/script", &format!("#!{}\n", secret.display()));
        machine.file("work/other", &format!("#!/usr/bin/env {}\n", secret.display()));
        let own = |command: &str| {
            let needs = machine.needs(command, "work");
            needs.into_iter().filter(|need| need.contains("home")).collect::<Vec<_>>()
        };
        for command in ["run", "script", "other"] {
            assert_eq!(own(command), Vec::<String>::new(), "{command}");
        }
        let here = Here {
            home: None,
            current_folder: &machine.root,
            workspace: &machine.root.join("work"),
            search: None,
        };
        assert_eq!(find(OsStr::new("work/key"), &here), None);
        // What a user has laid out is another thing.
        machine.link("bin/run", &secret);
        assert!(machine.needs("run", "bin").contains(&"home/ada/backup.sh".to_owned()));
    }
}
