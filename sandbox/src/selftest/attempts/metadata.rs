//! Attempts on what is told of files outside the workspace: modes, owners, times, attributes.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{PermissionsExt as _, chown};

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::files as raw;

const CHANGED: Expect =
    Expect::tiers(&[by::MOUNT, by::SECCOMP, by::LANDLOCK], &[by::SECCOMP, by::NOTIFY]);
const SEEN: Expect = Expect::gap_in_fallback(
    &[by::MOUNT],
    "Landlock knows no right for it: that a file is there, its size and times can be seen",
);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Metadata, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "chmod",
        "change the mode of a file outside",
        |stage| {
            let mode = fs::Permissions::from_mode(0o666);
            done(fs::set_permissions(stage.home.join(".bashrc"), mode).at("chmod"))
        },
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "fchmodat",
        "change the mode of a file outside (fchmodat)",
        |stage| {
            let path = stage.home.join(".bashrc");
            done(rustix::fs::chmodat(CWD, path, Mode::RWXU, AtFlags::empty()).at("fchmodat"))
        },
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "fchmodat2",
        "change the mode of a file outside (fchmodat2)",
        |stage| done(raw::change_mode2(&stage.home.join(".bashrc"), 0o666).at("fchmodat2")),
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "chown",
        "change the owner of a file outside",
        |stage| {
            // To whom it belongs: the kernel notes that all the same, and needs no right for it.
            let user = rustix::process::getuid().as_raw();
            let group = rustix::process::getgid().as_raw();
            done(chown(stage.home.join(".bashrc"), Some(user), Some(group)).at("chown"))
        },
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "setxattr",
        "set an attribute of a file outside",
        |stage| {
            let path = stage.home.join(".bashrc");
            let set = rustix::fs::setxattr(path, "user.selftest", b"x", XattrFlags::empty());
            done(set.at("setxattr"))
        },
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "setxattrat",
        "set an attribute of a file outside (setxattrat)",
        |stage| done(raw::set_attribute_at(&stage.home.join(".bashrc"), b"x").at("setxattrat")),
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "file-setattr",
        "set flags of a file outside (file_setattr)",
        |stage| done(raw::set_flags_at(&stage.home.join(".bashrc")).at("file_setattr")),
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "ioctl-setflags",
        "set flags of a file outside by ioctl",
        |stage| {
            let file = File::open(stage.home.join(".bashrc")).at("open")?;
            done(raw::set_flags(file.as_fd()).at("ioctl"))
        },
        Shows::Files,
        Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]),
    ),
    attempt(
        "utime",
        "set the times of a file outside",
        |stage| {
            let path = stage.home.join(".bashrc");
            let time = Timespec { tv_sec: 1, tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            done(rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).at("utimensat"))
        },
        Shows::Files,
        CHANGED,
    ),
    attempt(
        "stat",
        "see that a file outside is there, and how large it is",
        |stage| {
            let metadata = fs::metadata(stage.home.join(".ssh/id_ed25519")).at("stat")?;
            Ok(format!("{} bytes", metadata.len()))
        },
        Shows::Report,
        SEEN,
    ),
    attempt(
        "getxattr",
        "read an attribute of a file outside",
        |stage| {
            let path = CString::new(stage.home.join(".bashrc").as_os_str().as_encoded_bytes())
                .map_err(std::io::Error::other)
                .at("path")?;
            let mut value = [0u8; 64];
            match rustix::fs::getxattr(path, "user.none", &mut value) {
                Ok(_) | Err(rustix::io::Errno::NODATA) => Ok("asked".to_owned()),
                Err(error) => Err(error).at("getxattr"),
            }
        },
        Shows::Report,
        Expect::tiers(&[by::MOUNT], &[by::SECCOMP]),
    ),
    attempt(
        "inotify",
        "watch what happens to a file outside",
        |stage| done(raw::watch(&stage.home.join(".bashrc")).at("inotify_add_watch")),
        Shows::Report,
        SEEN,
    ),
    attempt(
        "fanotify",
        "watch what happens to a file outside (fanotify)",
        |stage| done(raw::watch_all(&stage.home.join(".bashrc")).at("fanotify")),
        Shows::Report,
        Expect::tiers(&[by::SECCOMP, by::MOUNT], &[by::SECCOMP]),
    ),
];

fn done<T>(result: Result<T, Refusal>) -> Result<String, Refusal> {
    result.map(|_| "done".to_owned())
}
