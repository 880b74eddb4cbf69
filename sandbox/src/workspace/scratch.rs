//! A folder for one run: its owner's alone, outside the workspace, removed when the run is over.
//!
//! It is locked while it is used. What a launcher left behind that was killed is found by the lock that
//! nobody holds, and removed by a later run. What is kept has another name and is left alone.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, RenameFlags};
use rustix::io::Errno;

use super::folder::{Folder, Kind};

/// Below this many seconds a folder may belong to a launcher that is about to lock it.
const YOUNG: i64 = 60;

/// How the names of folders begin that stay.
const KEPT: &str = "kept-";

/// Where folders for runs may be made, the best first: the user's state folder, then the system's
/// folders for temporary files. `/tmp` is last: in the fallback tier an agent writes there.
pub(crate) fn places() -> Vec<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))
        .filter(|path| path.is_absolute());
    let user = rustix::process::geteuid().as_raw();
    let temporary = [PathBuf::from("/var/tmp"), env::temp_dir()];
    let temporary = temporary.into_iter().map(|path| path.join(format!("iron-cage-{user}")));
    state.map(|path| path.join("iron-cage")).into_iter().chain(temporary).collect()
}

/// A folder for one run.
#[derive(Debug)]
pub(crate) struct Scratch {
    place: Folder,
    place_path: PathBuf,
    name: OsString,
    folder: Folder,
    kept: bool,
    /// Who made it: a process forked from that one must not remove it.
    owner: u32,
}

impl Scratch {
    /// Makes one in a place that exists or can be made, is this user's alone, and lies neither in the
    /// workspace nor around it.
    pub(crate) fn create(place: &Path, workspace: &Path) -> io::Result<Self> {
        let (place, place_path) = make_place(place, workspace)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let owner = std::process::id();
        let base = format!("{owner}-{:x}", since.as_nanos());
        for attempt in 0..100 {
            let name = OsString::from(format!("{base}-{attempt}"));
            match place.create_folder(&name) {
                Ok(folder) => {
                    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
                    return Ok(Self { place, place_path, name, folder, kept: false, owner });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(Errno::EXIST))
    }

    /// It, open.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its path. It changes when it is kept.
    pub(crate) fn path(&self) -> PathBuf {
        self.place_path.join(&self.name)
    }

    /// From now on it stays, also when this process is killed.
    pub(crate) fn keep(&mut self) -> io::Result<PathBuf> {
        if !self.kept {
            let mut name = OsString::from(KEPT);
            name.push(&self.name);
            let flags = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(&self.place, &self.name, &self.place, &name, flags)?;
            self.name = name;
            self.kept = true;
        }
        Ok(self.path())
    }

    /// It was kept, and is no longer needed.
    pub(crate) fn release(&mut self) {
        self.kept = false;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.owner != std::process::id() {
            return;
        }
        if !self.kept {
            // What cannot be removed now is tried again by a later run's sweep.
            drop(remove_tree(&self.place, &self.name));
        }
        drop(sweep(&self.place, YOUNG));
    }
}

/// Makes and opens a place, and says where it really is.
fn make_place(path: &Path, workspace: &Path) -> io::Result<(Folder, PathBuf)> {
    let refuse = |why: &str| Err(io::Error::other(format!("{} {why}", path.display())));
    // Looked at before it is made: nothing is made in a workspace.
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path);
    let resolved = existing.canonicalize()?;
    if resolved.starts_with(workspace) {
        return refuse("lies in the workspace");
    }
    std::fs::DirBuilder::new().recursive(true).create(path.parent().unwrap_or(path))?;
    let parent = path.parent().unwrap_or(path).canonicalize()?;
    let name = path.file_name().unwrap_or_else(|| OsStr::new("iron-cage"));
    let top = own_folder(&Folder::open(&parent)?, name, false)?;
    let place = own_folder(&top, OsStr::new("ephemeral"), true)?;
    let resolved = parent.join(name).join("ephemeral");
    if workspace.starts_with(&resolved) {
        return refuse("contains the workspace");
    }
    Ok((place, resolved))
}

/// Makes or opens a folder that is this user's: nobody else can have put it there.
fn own_folder(parent: &Folder, name: &OsStr, private: bool) -> io::Result<Folder> {
    match parent.create_folder(name) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let folder = parent.child(name)?;
    let stamp = folder.itself()?;
    let others = if private { 0o077 } else { 0o022 };
    if stamp.owner.0 != rustix::process::geteuid().as_raw() || stamp.mode & others != 0 {
        let name = name.to_string_lossy();
        return Err(io::Error::other(format!("`{name}` there is not this user's alone")));
    }
    Ok(folder)
}

/// Removes what launchers that are no more left behind, if it is this many seconds old.
pub(crate) fn sweep(place: &Folder, young: i64) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for name in place.names()? {
        let Some(stamp) = place.look(&name)? else { continue };
        let young = i64::try_from(now).unwrap_or(0) - stamp.changed.0 < young;
        let kept = name.as_encoded_bytes().starts_with(KEPT.as_bytes());
        if stamp.kind != Kind::Folder || young || kept {
            continue;
        }
        let Ok(folder) = place.child(&name) else { continue };
        if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // One that cannot be removed does not keep the others.
            drop(remove_tree(place, &name));
        }
    }
    Ok(())
}

/// Removes a folder of ours and all in it, however deep and whatever its permissions: folders in it
/// are moved up before they are emptied, so that two levels are open at most.
pub(crate) fn remove_tree(place: &Folder, name: &OsStr) -> io::Result<()> {
    let mut counter = 0_u64;
    let mut rest = vec![name.to_owned()];
    let root = open_fully(place, name)?;
    while let Some(next) = rest.pop() {
        let top = next == name;
        let folder = if top { open_fully(place, name)? } else { open_fully(&root, &next)? };
        for entry in folder.names()? {
            match folder.look(&entry)? {
                Some(stamp) if stamp.kind == Kind::Folder => {
                    if top {
                        rest.push(entry);
                        continue;
                    }
                    // Moving a folder changes its `..`, for which it has to be writable.
                    drop(open_fully(&folder, &entry)?);
                    let fresh = loop {
                        counter += 1;
                        let fresh = OsString::from(format!(".{counter}"));
                        if root.look(&fresh)?.is_none() {
                            break fresh;
                        }
                    };
                    rustix::fs::renameat(&folder, &entry, &root, &fresh)?;
                    rest.push(fresh);
                }
                Some(_) => folder.unlink(&entry)?,
                None => {}
            }
        }
        drop(folder);
        if !top {
            root.unlink_folder(&next)?;
        }
    }
    drop(root);
    place.unlink_folder(name)
}

/// Opens a folder of ours after giving its owner every right to it, for good.
fn open_fully(parent: &Folder, name: &OsStr) -> io::Result<Folder> {
    let mut folder = parent.child_of_ours(name)?;
    let mode = folder.itself()?.mode;
    folder.set_mode(mode | 0o700)?;
    Ok(folder)
}
