//! Tells which files an agent wanted and will not get.
//!
//! Nothing is decided here: the kernel carries every call out, and Landlock and mounts refuse. Whoever
//! opens a file waits until its name was read, and no longer. Told is what is there and would be had
//! outside: programs look for many files that are not there.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat};

use super::verdict::{self, Answer, Wanted};
use super::{Answering, Caller};
use crate::confinement::{self, Files};
use crate::event::Action;
use crate::layer::{Layer, Tier};
use crate::sys::notify::Reply;

/// Which names need no second look.
#[derive(Debug)]
pub(super) struct Quick {
    read: Vec<Vec<u8>>,
    write: Vec<Vec<u8>>,
    /// Not allowed, within what is.
    within: Vec<Vec<u8>>,
}

/// A file that is wanted.
struct Named {
    /// Relative to this, if it is relative.
    folder: i32,
    address: u64,
    wanted: Wanted,
}

impl Quick {
    pub(super) fn new(files: &Files, tier: Tier) -> Self {
        let bytes = |path: &PathBuf| path.as_os_str().as_bytes().to_vec();
        let own: &[&str] = match tier {
            Tier::Namespace => &["/tmp", "/dev", "/run", "/var/tmp"],
            Tier::Fallback => &["/dev"],
        };
        let own = own.iter().map(|own| own.as_bytes().to_vec());
        let mut write: Vec<_> = own.chain(files.write.iter().map(bytes)).collect();
        let mut read: Vec<_> = ["/proc", "/sys"].map(|own| own.as_bytes().to_vec()).into();
        read.extend(files.read.iter().map(bytes));
        match files.workspace_access {
            confinement::Access::Read => read.push(bytes(&files.workspace)),
            confinement::Access::Write => write.push(bytes(&files.workspace)),
        }
        let within = files.protect.iter().chain(&files.hide).map(bytes).collect();
        Self { read, write, within }
    }

    /// Whether a name is allowed beyond doubt.
    fn allows(&self, path: &[u8], wanted: Wanted) -> bool {
        let below = |folders: &[Vec<u8>]| {
            folders.iter().any(|folder| {
                path.strip_prefix(folder.as_slice())
                    .is_some_and(|rest| rest.first().is_none_or(|next| *next == b'/'))
            })
        };
        (below(&self.write) || (wanted != Wanted::Write && below(&self.read)))
            && !below(&self.within)
            && !path.windows(3).any(|part| part == b"/..")
    }
}

impl Answering {
    /// Lets the call be carried out, and tells if it will be refused.
    pub(super) fn watch(&self, caller: Caller<'_>, name: &'static str) {
        let mut doubtful = Vec::new();
        for named in wanted(caller, name).into_iter().flatten() {
            let Ok(path) = caller.path(named.address) else { continue };
            let path = if path.is_absolute() {
                path
            } else {
                match folder(caller, named.folder) {
                    Some(folder) => folder.join(path),
                    None => continue,
                }
            };
            // Most of what is looked for in vain ends here.
            if !self.quick.allows(path.as_os_str().as_bytes(), named.wanted)
                && (named.wanted == Wanted::Write || path.exists())
            {
                doubtful.push((path, named.wanted));
            }
        }
        let told = !doubtful.is_empty() && caller.waits();
        let program = if told { caller.program() } else { None };
        self.answer(caller.call, Reply::Continue);
        // From here on on our own time.
        if told {
            for (path, wanted) in doubtful {
                self.look(program.clone(), &path, wanted);
            }
        }
    }

    fn look(&self, program: Option<String>, path: &Path, wanted: Wanted) {
        let Some(path) = resolve(path, wanted) else { return };
        if is_noise(&path)
            || verdict::is_own(self.scene.tier, &path)
            || self.standard.contains(&path)
        {
            return;
        }
        let files = &self.scene.files;
        let Answer::Refused { layer, remedy } =
            verdict::file(files, self.scene.tier, &path, wanted)
        else {
            return;
        };
        // What is put back at the end is told then: until then nothing was refused.
        if layer == Layer::Guard || !is_had_outside(&path, wanted) {
            return;
        }
        let action = match wanted {
            Wanted::Read => Action::Read,
            Wanted::Write => Action::Write,
            Wanted::Execute => Action::Execute,
        };
        self.tell_of(program, action, path.to_string_lossy().into_owned(), layer, remedy);
    }
}

/// Which files a call names.
fn wanted(caller: Caller<'_>, name: &str) -> [Option<Named>; 2] {
    let at = |folder, address: usize, wanted| {
        Some(Named { folder, address: caller.argument(address), wanted })
    };
    let here = libc::AT_FDCWD;
    match name {
        "open" => [opened(caller.argument(1)).and_then(|wanted| at(here, 0, wanted)), None],
        "openat" => {
            [opened(caller.argument(2)).and_then(|wanted| at(caller.number(0), 1, wanted)), None]
        }
        "execve" => [at(here, 0, Wanted::Execute), None],
        "execveat" => [at(caller.number(0), 1, Wanted::Execute), None],
        "mkdirat" | "mknodat" | "unlinkat" => [at(caller.number(0), 1, Wanted::Write), None],
        "rename" => [at(here, 0, Wanted::Write), at(here, 1, Wanted::Write)],
        "renameat" | "renameat2" => {
            [at(caller.number(0), 1, Wanted::Write), at(caller.number(2), 3, Wanted::Write)]
        }
        "link" | "symlink" => [at(here, 1, Wanted::Write), None],
        "linkat" => [at(caller.number(2), 3, Wanted::Write), None],
        "symlinkat" => [at(caller.number(1), 2, Wanted::Write), None],
        // creat, mkdir, mknod, rmdir, unlink, truncate.
        _ => [at(here, 0, Wanted::Write), None],
    }
}

/// What is wanted by opening; none for a mere path, which Landlock lets everybody have.
fn opened(flags: u64) -> Option<Wanted> {
    let flags = OFlags::from_bits_retain(flags as u32);
    let writes = flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC);
    if flags.contains(OFlags::PATH) {
        return None;
    }
    Some(if writes { Wanted::Write } else { Wanted::Read })
}

fn folder(caller: Caller<'_>, folder: i32) -> Option<PathBuf> {
    let thread = caller.call.thread;
    let link = if folder == libc::AT_FDCWD {
        format!("/proc/{thread}/cwd")
    } else {
        format!("/proc/{thread}/fd/{folder}")
    };
    fs::read_link(link).ok().filter(|path| path.is_absolute())
}

/// Where a name leads to; for what is written, its folder must be there.
fn resolve(path: &Path, wanted: Wanted) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => Some(path),
        Err(_) if wanted == Wanted::Write => {
            let Some(Component::Normal(name)) = path.components().next_back() else { return None };
            Some(fs::canonicalize(path.parent()?).ok()?.join(name))
        }
        Err(_) => None,
    }
}

/// Whether the launcher itself would get it: what its user may not have is no refusal of ours.
fn is_had_outside(path: &Path, wanted: Wanted) -> bool {
    let may = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    match wanted {
        Wanted::Read => may(path, Access::READ_OK),
        Wanted::Execute => may(path, Access::EXEC_OK),
        Wanted::Write => {
            may(path, Access::WRITE_OK)
                || !path.exists()
                    && path.parent().is_some_and(|parent| may(parent, Access::WRITE_OK))
        }
    }
}

/// What programs try without needing it.
fn is_noise(path: &Path) -> bool {
    path.starts_with("/dev")
        || path.starts_with("/sys")
        || path.starts_with("/proc")
        || path.components().any(|part| part.as_os_str() == "__pycache__")
}
