//! Attempts to get hold of files outside the workspace by a detour: links, renames, descriptors,
//! winding paths, handles.

use std::fs::{self, File};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::files as raw;

const OUTSIDE: Expect = Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Files, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "symlink-read",
        "read a file outside by a symbolic link in the workspace",
        |stage| {
            let link = stage.workspace.join("link");
            symlink(stage.home.join(".ssh/id_ed25519"), &link).at("symlink")?;
            read(&link)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "symlink-write",
        "write a file outside by a symbolic link in the workspace",
        |stage| {
            let link = stage.workspace.join("link");
            symlink(stage.home.join(".bashrc"), &link).at("symlink")?;
            done(fs::write(&link, "x").at("open"))
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "symlink-race",
        "open a path while one of its folders turns into a link to outside",
        symlink_race,
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "hard-link",
        "link a file outside into the workspace",
        |stage| {
            let link = stage.workspace.join("link");
            fs::hard_link(stage.home.join(".ssh/id_ed25519"), &link).at("link")?;
            read(&link)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "hard-link-by-descriptor",
        "link a file outside into the workspace by /proc/self/fd",
        |stage| {
            let file = stage.home.join(".ssh/id_ed25519");
            let file = openat(CWD, file, OFlags::PATH, Mode::empty()).at("open")?;
            let link = stage.workspace.join("link");
            let from = in_proc(&file);
            rustix::fs::linkat(CWD, from, CWD, &link, AtFlags::SYMLINK_FOLLOW).at("linkat")?;
            read(&link)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "hard-link-empty-path",
        "link an open file outside into the workspace (AT_EMPTY_PATH)",
        |stage| {
            let file = stage.home.join(".ssh/id_ed25519");
            let file = openat(CWD, file, OFlags::PATH, Mode::empty()).at("open")?;
            let link = stage.workspace.join("link");
            rustix::fs::linkat(&file, "", CWD, &link, AtFlags::EMPTY_PATH).at("linkat")?;
            read(&link)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "rename-in",
        "move a file from outside into the workspace",
        |stage| {
            let file = stage.workspace.join("file");
            fs::rename(stage.home.join(".ssh/id_ed25519"), &file).at("rename")?;
            read(&file)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "rename-out",
        "move a file from the workspace to outside",
        |stage| {
            let file = stage.workspace.join("source/main.py");
            done(fs::rename(file, stage.home.join(".profile")).at("rename"))
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "rename-exchange",
        "exchange a file of the workspace with one outside",
        |stage| {
            let ours = stage.workspace.join("source/main.py");
            let theirs = stage.home.join(".ssh/id_ed25519");
            let exchange = RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(CWD, &ours, CWD, theirs, exchange).at("renameat2")?;
            read(&ours)
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "unnamed-file",
        "make a file without a name outside, and link it there",
        |stage| {
            let flags = OFlags::TMPFILE | OFlags::WRONLY;
            let file = openat(CWD, &stage.home, flags, Mode::RUSR).at("open")?;
            let to = stage.home.join(".profile");
            done(
                rustix::fs::linkat(CWD, in_proc(&file), CWD, to, AtFlags::SYMLINK_FOLLOW)
                    .at("linkat"),
            )
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "unnamed-file-linked-out",
        "make a file without a name in the workspace, and link it outside",
        |stage| {
            let flags = OFlags::TMPFILE | OFlags::WRONLY;
            let file = openat(CWD, &stage.workspace, flags, Mode::RUSR).at("open")?;
            let to = stage.home.join(".profile");
            done(
                rustix::fs::linkat(CWD, in_proc(&file), CWD, to, AtFlags::SYMLINK_FOLLOW)
                    .at("linkat"),
            )
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "dots",
        "walk up from an open folder of the workspace",
        |stage| {
            let folder = File::open(&stage.workspace).at("open the workspace")?;
            let path = "../home/.ssh/id_ed25519";
            let file = openat(&folder, path, OFlags::RDONLY, Mode::empty()).at("open")?;
            read(&in_proc(&file))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "dots-by-working-folder",
        "walk up by changing the working folder",
        |stage| {
            rustix::process::chdir(&stage.workspace).at("chdir")?;
            rustix::process::chdir("..").at("chdir")?;
            read(Path::new("home/.ssh/id_ed25519"))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "own-root",
        "reach a file outside by /proc/self/root",
        |stage| {
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home);
            read(&Path::new("/proc/self/root").join(inner).join(".ssh/id_ed25519"))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "path-descriptor",
        "open a folder outside without reading it (O_PATH), then a file in it",
        |stage| {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let home = openat(CWD, &stage.home, flags, Mode::empty()).at("open the folder")?;
            let path = ".ssh/id_ed25519";
            let file = openat(&home, path, OFlags::RDONLY, Mode::empty()).at("open")?;
            read(&in_proc(&file))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "path-descriptor-reopened",
        "open a file outside without reading it (O_PATH), then by /proc/self/fd",
        |stage| {
            let file = stage.home.join(".ssh/id_ed25519");
            let file = openat(CWD, file, OFlags::PATH, Mode::empty()).at("open")?;
            read(&in_proc(&file))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "openat2",
        "open a file outside by openat2, resolved within an open root",
        |stage| {
            let root = openat(CWD, "/", OFlags::PATH, Mode::empty()).at("open /")?;
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home);
            // RESOLVE_IN_ROOT
            let path = inner.join(".ssh/id_ed25519");
            let file = raw::open2(root.as_fd(), &path, libc::O_RDONLY, 0x10).at("openat2")?;
            read(&in_proc(&file))
        },
        Shows::Secret,
        Expect::tiers(&[by::MOUNT, by::LANDLOCK, by::SECCOMP], &[by::LANDLOCK, by::SECCOMP]),
    ),
    attempt(
        "file-handle",
        "open a file outside by its handle",
        |stage| {
            let handle =
                raw::handle_of(&stage.home.join(".ssh/id_ed25519")).at("name_to_handle_at")?;
            let mount = File::open(&stage.workspace).at("open the workspace")?;
            let file = raw::open_handle(mount.as_fd(), handle).at("open_by_handle_at")?;
            read(&in_proc(&file))
        },
        Shows::Secret,
        Expect::held(&[by::SECCOMP, by::MOUNT, by::CAPABILITIES]),
    ),
    attempt(
        "chroot",
        "change the root, and leave it by an open folder",
        |stage| {
            let outside = openat(CWD, "/", OFlags::PATH, Mode::empty()).at("open /")?;
            raw::change_root(&stage.workspace).at("chroot")?;
            rustix::process::fchdir(&outside).at("fchdir")?;
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home);
            read(&inner.join(".ssh/id_ed25519"))
        },
        Shows::Secret,
        Expect::held(&[by::SECCOMP, by::CAPABILITIES]),
    ),
];

fn read(path: &Path) -> Result<String, Refusal> {
    fs::read_to_string(path).at("open")
}

fn done<T>(result: Result<T, Refusal>) -> Result<String, Refusal> {
    result.map(|_| "done".to_owned())
}

fn in_proc(file: &OwnedFd) -> std::path::PathBuf {
    use std::os::fd::AsRawFd as _;
    std::path::PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// For a second, one thread exchanges a folder of the workspace with a link to outside while
/// another opens a file by it.
fn symlink_race(stage: &Stage) -> Result<String, Refusal> {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    let (folder, link) = (stage.workspace.join("raced"), stage.workspace.join("link"));
    fs::create_dir(&folder).at("mkdir")?;
    fs::write(folder.join("id_ed25519"), "ours").at("write")?;
    symlink(stage.home.join(".ssh"), &link).at("symlink")?;
    let ended = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let _ = rustix::fs::renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE);
            }
        });
        let mut last = Refusal::nothing("open");
        while Instant::now() < deadline {
            match read(&folder.join("id_ed25519")) {
                Ok(text) if text != "ours" => {
                    ended.store(true, Ordering::Relaxed);
                    return Ok(text);
                }
                Ok(_) => {}
                Err(refusal) => last = refusal,
            }
        }
        ended.store(true, Ordering::Relaxed);
        Err(last)
    })
}
