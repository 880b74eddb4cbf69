//! Modes, owners and times of files, in the fallback tier, where no mount holds them and Landlock does
//! not cover them: changed on the agent's behalf, where it may write.
//!
//! The file is opened here first, by the agent's name for it or as the agent's own descriptor, and
//! what was opened is looked at: its kind, its owner, and where it is. The change is made on what was
//! opened. Names that change meanwhile, and links that lead elsewhere, end at another file, which is
//! looked at in the same way. The launcher may have rights that the agent does not have, so the
//! kernel's rules for a process without capabilities are applied here: the file must be its own.
//!
//! Not done: set-user-ID, and set-group-ID of what is no folder; extended attributes and access lists,
//! which the filter refuses.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chmod, chownat,
    fcntl_getfl, fstat, openat, utimensat,
};

use super::verdict::{self, Answer, Wanted};
use super::{Answering, Caller, errno};
use crate::event::{Action, Remedy};
use crate::layer::Layer;
use crate::sys::notify::Reply;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

/// Which file.
enum Place {
    Descriptor(i32),
    /// Relative to a folder, or to the current one.
    Named {
        folder: i32,
        path: PathBuf,
        follow: bool,
    },
}

/// What is changed.
enum Change {
    Mode(u32),
    /// Negative: as it is.
    Owner(i32, i32),
    Times(Timestamps),
}

impl Answering {
    /// Makes the change, or refuses it.
    pub(super) fn change_metadata(&self, caller: Caller<'_>, name: &'static str) -> Reply {
        match self.try_change(caller, name) {
            Ok(reply) => reply,
            Err(error) => errno(&error),
        }
    }

    fn try_change(&self, caller: Caller<'_>, name: &'static str) -> io::Result<Reply> {
        let (place, change) = read(caller, name)?;
        if matches!(change, Change::Mode(mode) if mode & SET_UID != 0) {
            let why = Remedy::Never("a setuid program would act for its owner outside".to_owned());
            self.tell(caller, Action::Call, name.to_owned(), Layer::Notify, why);
            return Ok(Reply::Errno(libc::EPERM));
        }
        let file = open(caller, &place)?;
        let found = fstat(&file)?;
        // Whatever was read and opened until here was the caller's only if it still waits.
        if !caller.waits() {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        if !self.may_be_written(&file, &found, &path) {
            if let Answer::Refused { remedy, .. } =
                verdict::file(&self.scene.files, self.scene.tier, &path, Wanted::Write)
            {
                let target = path.to_string_lossy().into_owned();
                self.tell(caller, Action::Write, target, Layer::Notify, remedy);
            }
            return Ok(Reply::Errno(libc::EPERM));
        }
        if found.st_uid != rustix::process::geteuid().as_raw() {
            return Ok(Reply::Errno(libc::EPERM));
        }
        apply(&file, &found, change)
    }

    /// Whether it is a file of a place that may be written to, or one without a name that is open for
    /// writing. Never a device: those are the machine's, whoever may write to them.
    fn may_be_written(&self, file: &OwnedFd, found: &Stat, path: &Path) -> bool {
        let kind = FileType::from_raw_mode(found.st_mode);
        let plain = matches!(
            kind,
            FileType::RegularFile
                | FileType::Directory
                | FileType::Symlink
                | FileType::Fifo
                | FileType::Socket
        );
        if !plain {
            return false;
        }
        if found.st_nlink == 0 || !path.is_absolute() {
            return fcntl_getfl(file).is_ok_and(|flags| {
                !flags.contains(OFlags::PATH) && flags & OFlags::RWMODE != OFlags::RDONLY
            });
        }
        !path.starts_with("/proc")
            // What is put back at the end can be changed until then.
            && matches!(
                verdict::file(&self.scene.files, self.scene.tier, path, Wanted::Write),
                Answer::Allowed | Answer::Refused { layer: Layer::Guard, .. }
            )
    }
}

/// Reads which file and what change, from registers and, once, from memory.
fn read(caller: Caller<'_>, name: &str) -> io::Result<(Place, Change)> {
    let mode = |index| Change::Mode(caller.argument(index) as u32 & 0o7777);
    let owner = |index| Change::Owner(caller.number(index), caller.number(index + 1));
    let named = |folder, index, flags| place(caller, folder, caller.argument(index), flags);
    let here = libc::AT_FDCWD;
    let no_follow = libc::AT_SYMLINK_NOFOLLOW;
    Ok(match name {
        "chmod" => (named(here, 0, 0)?, mode(1)),
        "fchmod" => (Place::Descriptor(caller.number(0)), mode(1)),
        "fchmodat" => (named(caller.number(0), 1, 0)?, mode(2)),
        "fchmodat2" => (named(caller.number(0), 1, caller.number(3))?, mode(2)),
        "chown" => (named(here, 0, 0)?, owner(1)),
        "lchown" => (named(here, 0, no_follow)?, owner(1)),
        "fchown" => (Place::Descriptor(caller.number(0)), owner(1)),
        "fchownat" => (named(caller.number(0), 1, caller.number(4))?, owner(2)),
        "utime" => (named(here, 0, 0)?, seconds(caller, caller.argument(1))?),
        "utimes" => (named(here, 0, 0)?, times(caller, caller.argument(1), 1000)?),
        "futimesat" | "utimensat" => {
            let (flags, nanoseconds) =
                if name == "utimensat" { (caller.number(3), 1) } else { (0, 1000) };
            let place = if caller.argument(1) == 0 {
                Place::Descriptor(caller.number(0))
            } else {
                named(caller.number(0), 1, flags)?
            };
            (place, times(caller, caller.argument(2), nanoseconds)?)
        }
        _ => return Err(io::Error::from_raw_os_error(libc::ENOSYS)),
    })
}

fn place(caller: Caller<'_>, folder: i32, address: u64, flags: i32) -> io::Result<Place> {
    if flags & !(libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let path = caller.path(address)?;
    if path.as_os_str().is_empty() {
        if flags & libc::AT_EMPTY_PATH == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        if folder != libc::AT_FDCWD {
            return Ok(Place::Descriptor(folder));
        }
        return Ok(Place::Named { folder, path: ".".into(), follow: true });
    }
    Ok(Place::Named { folder, path, follow: flags & libc::AT_SYMLINK_NOFOLLOW == 0 })
}

/// `struct utimbuf`: whole seconds.
fn seconds(caller: Caller<'_>, address: u64) -> io::Result<Change> {
    if address == 0 {
        return Ok(now());
    }
    let [last_access, last_modification] = words(caller, address)?;
    let at = |seconds| Timespec { tv_sec: seconds, tv_nsec: 0 };
    Ok(Change::Times(Timestamps {
        last_access: at(last_access),
        last_modification: at(last_modification),
    }))
}

/// Two of `struct timeval` or `struct timespec`, with so many nanoseconds to the smaller unit.
fn times(caller: Caller<'_>, address: u64, nanoseconds: i64) -> io::Result<Change> {
    if address == 0 {
        return Ok(now());
    }
    let [access, access_part, modification, modification_part] = words(caller, address)?;
    let at = |seconds, part: i64| {
        // UTIME_NOW and UTIME_OMIT are no microseconds.
        if nanoseconds != 1 && !(0..1_000_000).contains(&part) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(Timespec { tv_sec: seconds, tv_nsec: part.saturating_mul(nanoseconds) })
    };
    Ok(Change::Times(Timestamps {
        last_access: at(access, access_part)?,
        last_modification: at(modification, modification_part)?,
    }))
}

const fn now() -> Change {
    let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW as _ };
    Change::Times(Timestamps { last_access: now, last_modification: now })
}

fn words<const COUNT: usize>(caller: Caller<'_>, address: u64) -> io::Result<[i64; COUNT]> {
    let mut words = [0; COUNT];
    let mut buffer = [0; 32];
    let bytes = buffer.get_mut(..COUNT * 8).unwrap_or_default();
    caller.bytes(address, bytes)?;
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes.first_chunk().map_or(0, |bytes| i64::from_ne_bytes(*bytes));
    }
    Ok(words)
}

fn open(caller: Caller<'_>, place: &Place) -> io::Result<OwnedFd> {
    let (folder, path, follow) = match place {
        Place::Descriptor(number) => return caller.descriptor(*number),
        Place::Named { folder, path, follow } => (*folder, path, *follow),
    };
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    if path.is_absolute() {
        return Ok(openat(CWD, as_of(caller, path), flags, Mode::empty())?);
    }
    let folder = if folder == libc::AT_FDCWD {
        let here = format!("/proc/{}/cwd", caller.call.thread);
        openat(CWD, here, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?
    } else {
        caller.descriptor(folder)?
    };
    Ok(openat(folder.as_fd(), path, flags, Mode::empty())?)
}

/// `/proc/self` and `/dev/fd` are the caller's, not ours. Whichever is opened is looked at all the same.
fn as_of(caller: Caller<'_>, path: &Path) -> PathBuf {
    let (own, process) = (caller.call.thread, caller.process().unwrap_or_default());
    for (before, after) in [
        ("/proc/self", format!("/proc/{process}")),
        ("/proc/thread-self", format!("/proc/{process}/task/{own}")),
        ("/dev/fd", format!("/proc/{process}/fd")),
    ] {
        if let Ok(rest) = path.strip_prefix(before) {
            // Joining nothing would add a slash, which follows a link that is not to be followed.
            let rest = rest.as_os_str().as_bytes();
            return if rest.is_empty() {
                after.into()
            } else {
                Path::new(&after).join(bytes(rest))
            };
        }
    }
    path.to_owned()
}

fn bytes(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Makes the change on what was opened.
fn apply(file: &OwnedFd, found: &Stat, change: Change) -> io::Result<Reply> {
    let kind = FileType::from_raw_mode(found.st_mode);
    match change {
        Change::Mode(_) if kind == FileType::Symlink => return Ok(Reply::Errno(libc::EOPNOTSUPP)),
        // A program would act for its group outside.
        Change::Mode(mode) if mode & SET_GID != 0 && kind != FileType::Directory => {
            return Ok(Reply::Errno(libc::EPERM));
        }
        Change::Mode(mode) => {
            // Through its name here: a descriptor that is only a path takes no `fchmod`.
            let name = format!("/proc/self/fd/{}", file.as_raw_fd());
            chmod(name, Mode::from_raw_mode(mode))?;
        }
        Change::Owner(owner, group) => {
            // Without capabilities: a file of one's own can be given to a group of one's own.
            let same_owner = owner == -1 || owner.cast_unsigned() == found.st_uid;
            let group = (group != -1).then(|| group.cast_unsigned());
            if !same_owner || group.is_some_and(|group| !is_own_group(group, found.st_gid)) {
                return Ok(Reply::Errno(libc::EPERM));
            }
            let owner = (owner != -1).then(|| Uid::from_raw(found.st_uid));
            chownat(file, c"", owner, group.map(Gid::from_raw), AtFlags::EMPTY_PATH)?;
        }
        Change::Times(times) => utimensat(file, c"", &times, AtFlags::EMPTY_PATH)?,
    }
    Ok(Reply::Done)
}

fn is_own_group(group: u32, current: u32) -> bool {
    group == current
        || group == rustix::process::getegid().as_raw()
        || rustix::process::getgroups()
            .is_ok_and(|groups| groups.iter().any(|own| own.as_raw() == group))
}
