//! The namespace tier's view of the files: everything read-only, homes and temporary folders empty, and
//! what is allowed put back.
//!
//! Landlock says again which of what can be seen may be opened: where one of the two fails, the other
//! holds. Runs in the keeper, as the root of a user namespace of its own.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
};

use super::failure::{Failed, Step};
use crate::confinement::{Access, Files, Layout};
use crate::layer::Layer;
use crate::sys::mounts::{Change, change};

/// Folders of which an agent sees nothing but what is put back.
const COVERED: [&str; 9] =
    ["/home", "/root", "/tmp", "/var/tmp", "/run", "/mnt", "/media", "/srv", "/net"];

/// Those of them that it may write to.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Devices that every program may have.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Parts of `/proc` by which the kernel is steered. Programs of uid 0 would be let write to some of them.
const STEERING: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];

/// Names that are folders wherever they are protected: one is made where it is absent.
const FOLDERS: [&str; 7] =
    ["hooks", ".vscode", ".idea", ".claude", ".codex", ".cursor", "workflows"];

/// Sets up the view. Gives back the folders that it made in the workspace itself.
pub(super) fn set_up(files: &Files) -> Result<Vec<PathBuf>, Failed> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(c"/", private).step(Layer::Mount, || "own mounts".to_owned())?;
    if let Layout::Overlay { upper, work } = &files.layout {
        // Before all is read-only: an upper folder has to be writable.
        overlay(&files.workspace, upper, work)
            .step(Layer::Mount, || "the overlay over the workspace".to_owned())?;
    }
    change(CWD, c"/", Change::ReadOnly).step(Layer::Mount, || "all read-only".to_owned())?;
    super::standard::reopen().step(Layer::Mount, || "standard input and outputs".to_owned())?;
    let plan = Plan::of(files, std::env::home_dir().as_deref());
    // Taken before they are covered.
    let mut kept = Vec::new();
    for put in &plan.puts {
        let tree = put.take().step(Layer::Mount, || show(&put.path))?;
        kept.extend(tree.map(|tree| (put, tree)));
    }
    let devices: Vec<_> = DEVICES.iter().map(|name| take(Path::new("/dev").join(name))).collect();
    for cover in &plan.covers {
        let mode = if is_temporary(cover) { c"mode=1777" } else { c"mode=0755" };
        tmpfs(cover, mode).step(Layer::Mount, || show(cover))?;
    }
    own_devices(devices).step(Layer::Mount, || "/dev".to_owned())?;
    for (put, tree) in kept {
        put.place(&tree, &plan.covers).step(Layer::Mount, || show(&put.path))?;
    }
    for cover in plan.covers.iter().filter(|cover| !is_temporary(cover)) {
        // What was put back in it keeps its own way: this changes the cover alone.
        read_only_alone(cover).step(Layer::Mount, || show(cover))?;
    }
    own_processes().step(Layer::Process, || "/proc".to_owned())?;
    guard(files)
}

/// Which folders are covered, and what is put back over them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    covers: Vec<PathBuf>,
    /// Outer ones first.
    puts: Vec<Put>,
}

/// A file or folder that is put back, or is put over itself to be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Put {
    path: PathBuf,
    /// Where it is taken from, if it is from elsewhere.
    from: Option<PathBuf>,
    access: Access,
}

impl Plan {
    fn of(files: &Files, home: Option<&Path>) -> Self {
        let mut covers: BTreeSet<PathBuf> = COVERED.iter().map(PathBuf::from).collect();
        let home = home.filter(|home| home.components().count() > 1);
        if let Some(home) = home.filter(|home| !covers.iter().any(|cover| home.starts_with(cover)))
        {
            covers.insert(home.to_owned());
        }
        // A link, such as /var/run, leads to a cover or to nothing of these.
        covers.retain(|cover| fs::symlink_metadata(cover).is_ok_and(|found| found.is_dir()));
        let covered = |path: &Path| covers.iter().any(|cover| path.starts_with(cover));
        let mut puts: Vec<Put> = Vec::new();
        let mut add = |path: &Path, from: Option<PathBuf>, access| {
            if covers.contains(path) && from.is_none() && path != files.workspace {
                return;
            }
            if let Some(put) = puts.iter_mut().find(|put| put.path == path) {
                if access == Access::Write {
                    put.access = access;
                }
                return;
            }
            puts.push(Put { path: path.to_owned(), from, access });
        };
        let copy = match &files.layout {
            Layout::Copy { copy } => Some(copy.clone()),
            _ => None,
        };
        if copy.is_some() || files.workspace_access == Access::Write || covered(&files.workspace) {
            add(&files.workspace, copy, files.workspace_access);
        }
        for path in &files.write {
            add(path, None, Access::Write);
        }
        for path in files.read.iter().filter(|path| covered(path)) {
            add(path, None, Access::Read);
        }
        puts.sort_by(|a, b| a.path.cmp(&b.path));
        Self { covers: covers.into_iter().collect(), puts }
    }
}

impl Put {
    /// Takes hold of it; none where it is a link, which is made anew, or is not there.
    fn take(&self) -> io::Result<Option<OwnedFd>> {
        let from = self.from.as_ref().unwrap_or(&self.path);
        let found = match fs::symlink_metadata(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if found.is_symlink() {
            // Stands for the link itself; its target is put back by its own name.
            return take_link(from);
        }
        let tree = take(from)?;
        if self.access == Access::Write {
            match change(&tree, c"", Change::Writable) {
                // What is mounted read-only below it stays so: that cannot be lifted here.
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                    change(&tree, c"", Change::WritableAlone)?;
                }
                changed => changed?,
            }
        }
        Ok(Some(tree))
    }

    /// Puts it in its place, which is made where it lies below a cover.
    fn place(&self, tree: &OwnedFd, covers: &[PathBuf]) -> io::Result<()> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
        if covers.iter().any(|cover| self.path.starts_with(cover)) {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent)?;
            }
            match kind {
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(tree, c"", Vec::new())?;
                    return match symlink(OsStr::from_bytes(target.as_bytes()), &self.path) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                        made => made,
                    };
                }
                FileType::Directory => fs::create_dir_all(&self.path)?,
                _ if self.path.exists() => {}
                _ => drop(fs::OpenOptions::new().create(true).append(true).open(&self.path)?),
            }
        }
        if kind == FileType::Symlink { Ok(()) } else { attach(tree, &self.path) }
    }
}

fn is_temporary(cover: &Path) -> bool {
    TEMPORARY.iter().any(|temporary| cover == Path::new(temporary))
}

/// Takes hold of a file or a folder with all that is mounted below it.
fn take(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    Ok(open_tree(CWD, path.as_ref(), flags)?)
}

fn take_link(path: &Path) -> io::Result<Option<OwnedFd>> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Some(open(path, flags, Mode::empty())?))
}

fn attach(tree: &OwnedFd, path: &Path) -> io::Result<()> {
    Ok(move_mount(tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

fn tmpfs(path: &Path, mode: &std::ffi::CStr) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount(c"tmpfs", path, c"tmpfs", flags, mode)?)
}

fn read_only_alone(path: &Path) -> io::Result<()> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount_remount(path, flags, c"")?)
}

fn overlay(workspace: &Path, upper: &Path, work: &Path) -> io::Result<()> {
    // A comma ends an option and a colon a folder.
    let escaped = |path: &Path| -> Vec<u8> {
        let bytes = path.as_os_str().as_bytes().iter();
        bytes
            .flat_map(|byte| {
                let escape = matches!(byte, b',' | b':' | b'\\').then_some(b'\\');
                escape.into_iter().chain([*byte])
            })
            .collect()
    };
    let mut options = b"userxattr,lowerdir=".to_vec();
    options.extend(escaped(workspace));
    options.extend(b",upperdir=");
    options.extend(escaped(upper));
    options.extend(b",workdir=");
    options.extend(escaped(work));
    let options = CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount(c"overlay", workspace, c"overlay", flags, options.as_c_str())?)
}

fn own_devices(devices: Vec<io::Result<OwnedFd>>) -> io::Result<()> {
    let dev = Path::new("/dev");
    tmpfs(dev, c"mode=0755,size=64k")?;
    for (name, tree) in DEVICES.iter().zip(devices) {
        // A machine without one of them has programs that do without.
        let Ok(tree) = tree else { continue };
        let path = dev.join(name);
        drop(fs::File::create(&path)?);
        attach(&tree, &path)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))?;
    }
    for folder in ["pts", "shm"] {
        fs::create_dir(dev.join(folder))?;
    }
    // What stands for hidden files.
    drop(fs::OpenOptions::new().write(true).create_new(true).mode(0o000).open(HIDDEN)?);
    change(CWD, c"/dev", Change::ReadOnly)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(c"devpts", dev.join("pts"), c"devpts", flags, c"newinstance,ptmxmode=0666,mode=0600")?;
    tmpfs(&dev.join("shm"), c"mode=1777")
}

/// An empty file that nobody may open.
const HIDDEN: &str = "/dev/.hidden";

fn own_processes() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"proc", c"/proc", c"proc", flags, None)?;
    for name in STEERING {
        let path = Path::new("/proc").join(name);
        let Ok(tree) = take(&path) else { continue };
        change(&tree, c"", Change::ReadOnly)?;
        attach(&tree, &path)?;
    }
    Ok(())
}

/// Protects and hides within what is written to.
fn guard(files: &Files) -> Result<Vec<PathBuf>, Failed> {
    let mut made = Vec::new();
    let mut pinned = BTreeSet::new();
    for path in files.protect.iter().chain(&files.hide) {
        let Some(root) = writable_root(files, path) else { continue };
        // A folder that holds a protected one is pinned: it cannot be renamed away and made anew.
        let between: Vec<&Path> =
            path.ancestors().skip(1).take_while(|above| *above != root).collect();
        for folder in between.into_iter().rev() {
            if folder.is_dir() && pinned.insert(folder.to_owned()) {
                take(folder)
                    .and_then(|tree| attach(&tree, folder))
                    .step(Layer::Mount, || show(folder))?;
            }
        }
    }
    for path in &files.protect {
        if writable_root(files, path).is_none() {
            continue;
        }
        if let Some(folder) = make_absent(files, path) {
            made.push(folder);
        }
        protect(path).step(Layer::Mount, || show(path))?;
    }
    for path in &files.hide {
        hide(path).step(Layer::Mount, || show(path))?;
    }
    Ok(made)
}

/// The folder that is written to and holds a path.
fn writable_root<'a>(files: &'a Files, path: &Path) -> Option<&'a Path> {
    let workspace = (files.workspace_access == Access::Write).then_some(&files.workspace);
    let roots = workspace.into_iter().chain(&files.write);
    let holding = roots.filter(|root| path.starts_with(root) && path != root.as_path());
    holding.map(PathBuf::as_path).max_by_key(|root| root.as_os_str().len())
}

/// Makes a folder that is to be protected and is not there, in a workspace that is written to itself.
fn make_absent(files: &Files, path: &Path) -> Option<PathBuf> {
    let is_folder = FOLDERS.iter().any(|name| path.file_name() == Some(OsStr::new(name)));
    let in_place = files.layout == Layout::InPlace;
    if !is_folder || !in_place || fs::symlink_metadata(path).is_ok() {
        return None;
    }
    // Where its parent is absent as well, nothing is made: what appears is put away at the end.
    fs::DirBuilder::new().mode(0o755).create(path).is_ok().then(|| path.to_owned())
}

fn protect(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if found.is_symlink() {
        // A mount would go where it leads, which has a protection of its own or needs none.
        return Ok(());
    }
    let tree = take(path)?;
    change(&tree, c"", Change::ReadOnly)?;
    attach(&tree, path)
}

fn hide(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if found.is_dir() {
        mount(c"tmpfs", path, c"tmpfs", MountFlags::RDONLY | MountFlags::NOSUID, c"mode=0000")?;
        return Ok(());
    }
    if found.is_symlink() {
        return Ok(());
    }
    attach(&take(HIDDEN)?, path)
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &str, access: Access) -> Put {
        Put { path: path.into(), from: None, access }
    }

    #[test]
    fn what_lies_below_a_cover_is_put_back_and_what_is_written_to_is_opened() {
        let files = Files {
            workspace: "/tmp".into(),
            read: vec!["/usr".into(), "/root/.pyenv".into()],
            write: vec!["/var/cache/x".into(), "/root/.pyenv/shims".into()],
            ..Files::default()
        };
        let plan = Plan::of(&files, Some(Path::new("/usr")));
        assert_eq!(
            plan.puts,
            [
                put("/root/.pyenv", Access::Read),
                put("/root/.pyenv/shims", Access::Write),
                put("/tmp", Access::Write),
                put("/var/cache/x", Access::Write),
            ]
        );
        assert!(plan.covers.contains(&PathBuf::from("/usr")), "a home of its own is covered");
    }

    #[test]
    fn a_read_only_workspace_is_put_back_read_only_and_a_copy_stands_in_its_place() {
        let mut files = Files {
            workspace: "/root/x".into(),
            workspace_access: Access::Read,
            ..Files::default()
        };
        assert_eq!(Plan::of(&files, None).puts, [put("/root/x", Access::Read)]);
        files.layout = Layout::Copy { copy: "/var/c".into() };
        assert_eq!(Plan::of(&files, None).puts[0].from.as_deref(), Some(Path::new("/var/c")));
    }
}
