//! The folders of one try: somebody's home, a workspace, and what an attempt may find and change.
//!
//! Each try has its own, so that none is judged by what another left; all are gone when it is dropped.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Within the workspace: what a sandbox protects. Some of it does not exist yet.
const PROTECTED: [&str; 5] = [".git/config", ".git/hooks", ".vscode", ".mcp.json", ".claude"];

/// The folders of one try.
#[derive(Debug)]
pub struct Scene {
    folder: PathBuf,
    /// What attempts must find.
    pub secret: String,
    /// The agent's folder.
    pub workspace: PathBuf,
    /// Somebody's home.
    pub home: PathBuf,
    /// A file in the temporary folder.
    pub temporary: PathBuf,
    /// A file in shared memory.
    pub shared_memory: Option<PathBuf>,
}

impl Scene {
    /// Makes it, in `root`.
    pub fn make(root: &Path, token: &str) -> io::Result<Self> {
        let folder = root.join(token);
        let secret = format!("secret-{}{}", random()?, random()?);
        let scene = Self {
            workspace: folder.join("workspace"),
            home: folder.join("home"),
            temporary: std::env::temp_dir().join(format!("iron-selftest-{token}")),
            shared_memory: Path::new("/dev/shm")
                .is_dir()
                .then(|| PathBuf::from(format!("/dev/shm/iron-selftest-{token}"))),
            folder,
            secret,
        };
        let secret = format!("{}\n", scene.secret);
        for path in [".ssh", ".aws", "folder", ".local/state/iron-cage"] {
            fs::create_dir_all(scene.home.join(path))?;
        }
        for path in [
            ".ssh/id_ed25519",
            ".aws/credentials",
            "folder/inner",
            ".local/state/iron-cage/control-token",
        ] {
            fs::write(scene.home.join(path), &secret)?;
        }
        fs::write(scene.home.join(".bashrc"), "# nothing\n")?;
        fs::write(scene.home.join("notes"), "something\n")?;
        fs::set_permissions(scene.home.join("notes"), fs::Permissions::from_mode(0o444))?;
        fs::create_dir_all(scene.workspace.join(".git/hooks"))?;
        fs::create_dir_all(scene.workspace.join("source"))?;
        fs::write(scene.workspace.join(".git/HEAD"), "ref: refs/heads/main\n")?;
        fs::write(scene.workspace.join(".git/config"), "[core]\n\tbare = false\n")?;
        fs::write(scene.workspace.join(".git/hooks/pre-commit"), "#!/bin/sh\nexit 0\n")?;
        fs::write(scene.workspace.join("source/main.py"), "print('hello')\n")?;
        fs::write(&scene.temporary, &secret)?;
        if let Some(path) = &scene.shared_memory {
            fs::write(path, &secret)?;
        }
        Ok(scene)
    }

    /// Everything that an attempt must not change, as text: equal texts, nothing changed. The time of
    /// a file's last change by the kernel's own count is in it, so that no change can be undone.
    pub fn outside(&self) -> String {
        let mut text = String::new();
        describe(&self.home, &mut text);
        describe(&self.temporary, &mut text);
        if let Some(path) = &self.shared_memory {
            describe(path, &mut text);
        }
        text
    }

    /// The same for what is protected within the workspace.
    pub fn protected(&self) -> String {
        let mut text = String::new();
        for path in PROTECTED {
            describe_briefly(&self.workspace.join(path), &mut text);
        }
        for path in entries(&self.workspace) {
            // Whoever runs such a program has its owner's rights.
            let mode = path.symlink_metadata().map_or(0, |found| found.mode());
            if mode & 0o170_000 == 0o100_000 && mode & 0o6000 != 0 {
                let _ = writeln!(text, "{} {mode:o}", path.display());
            }
        }
        text
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // An attempt may have made folders that cannot be entered; they are ours all the same.
        if fs::remove_dir_all(&self.folder).is_err() {
            open_up(&self.folder);
            let _ = fs::remove_dir_all(&self.folder);
        }
        let _ = fs::remove_file(&self.temporary);
        if let Some(path) = &self.shared_memory {
            let _ = fs::remove_file(path);
        }
    }
}

/// Eight random bytes in hexadecimal: short, as paths of sockets must be (108 bytes).
pub fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn describe(path: &Path, text: &mut String) {
    let Ok(metadata) = path.symlink_metadata() else {
        let _ = writeln!(text, "{} none", path.display());
        return;
    };
    let _ = writeln!(
        text,
        "{} {:o} {}:{} {} {}.{} {}.{} {} {}",
        path.display(),
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.nlink(),
        metadata.ino(),
    );
    if metadata.is_file() {
        let _ = writeln!(text, "{:?}", fs::read(path).ok());
    }
    for entry in entries(path) {
        describe(&entry, text);
    }
}

/// Contents and modes alone: what was put back as it was has other numbers and times.
fn describe_briefly(path: &Path, text: &mut String) {
    let Ok(metadata) = path.symlink_metadata() else {
        let _ = writeln!(text, "{} none", path.display());
        return;
    };
    let _ = writeln!(text, "{} {:o}", path.display(), metadata.mode());
    if metadata.is_file() {
        let _ = writeln!(text, "{:?}", fs::read(path).ok());
    }
    if metadata.is_symlink() {
        let _ = writeln!(text, "{:?}", fs::read_link(path).ok());
    }
    for entry in entries(path) {
        describe_briefly(&entry, text);
    }
}

fn entries(path: &Path) -> Vec<PathBuf> {
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn open_up(path: &Path) {
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in entries(path) {
        if entry.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            open_up(&entry);
        }
    }
}
