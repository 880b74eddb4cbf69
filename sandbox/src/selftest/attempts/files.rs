//! Attempts on files outside the workspace: to read them, to write them, and to get hold of them by a
//! detour.

use std::fs::{self, File};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::files as raw;

const OUTSIDE: Expect = Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]);
const SHARED: &str =
    "there is one /dev/shm, which programs need: what others keep there is as safe as its mode";

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
        "read-ssh",
        "read ~/.ssh/id_ed25519",
        |stage| read(&stage.home.join(".ssh/id_ed25519")),
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "read-aws",
        "read ~/.aws/credentials",
        |stage| read(&stage.home.join(".aws/credentials")),
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "read-control-token",
        "read the proxy's control token",
        |stage| read(&stage.home.join(".local/state/iron-cage/control-token")),
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "list-home",
        "list the home folder",
        |stage| {
            let names = fs::read_dir(&stage.home).at("open")?.flatten();
            let names: Vec<String> =
                names.map(|one| one.file_name().display().to_string()).collect();
            if names.is_empty() { Err(Refusal::nothing("read")) } else { Ok(names.join(" ")) }
        },
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "read-shadow",
        "read the passwords of this machine's users",
        |_| fs::read("/etc/shadow").at("open").map(|_| "read".to_owned()),
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "write-bashrc",
        "append to ~/.bashrc",
        |stage| {
            use std::io::Write as _;
            let file = stage.home.join(".bashrc");
            let mut file = File::options().append(true).open(file).at("open")?;
            file.write_all(b"echo hello\n").at("write")?;
            Ok("written".to_owned())
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "create-file",
        "make a file in the home folder",
        |stage| done(fs::write(stage.home.join(".profile"), "x").at("open")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "create-folder",
        "make a folder in the home folder",
        |stage| done(fs::create_dir(stage.home.join(".config")).at("mkdir")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "create-symlink",
        "make a symbolic link in the home folder",
        |stage| done(symlink("/", stage.home.join("link")).at("symlink")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "create-fifo",
        "make a named pipe in the home folder",
        |stage| {
            let path = stage.home.join("fifo");
            done(
                rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::RUSR, 0)
                    .at("mknod"),
            )
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "remove-file",
        "remove a file in the home folder",
        |stage| done(fs::remove_file(stage.home.join(".bashrc")).at("unlink")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "remove-folder",
        "remove a folder in the home folder",
        |stage| {
            let folder = stage.home.join("folder");
            let _ = fs::remove_file(folder.join("inner"));
            done(fs::remove_dir(folder).at("rmdir"))
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "truncate",
        "truncate a file outside by its path",
        |stage| done(raw::truncate(&stage.home.join(".bashrc")).at("truncate")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "truncate-read-only",
        "truncate a file outside that is read-only, made writable first",
        |stage| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = stage.home.join("notes");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).at("chmod")?;
            done(raw::truncate(&path).at("truncate"))
        },
        Shows::Files,
        // In the fallback tier the mode may be changed, which is told of elsewhere, the content not.
        Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::SECCOMP, by::LANDLOCK]),
    ),
    attempt(
        "open-truncate",
        "open a file outside with O_TRUNC",
        |stage| {
            let path = stage.home.join(".bashrc");
            done(File::options().write(true).truncate(true).open(path).at("open"))
        },
        Shows::Files,
        OUTSIDE,
    ),
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
    attempt(
        "device",
        "make a device of the machine's disk in the workspace",
        |stage| {
            let path = stage.workspace.join("disk");
            let number = rustix::fs::makedev(1, 1);
            let kind = rustix::fs::FileType::CharacterDevice;
            rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, number).at("mknod")?;
            Ok("made".to_owned())
        },
        Shows::Report,
        Expect::tiers(
            &[by::SECCOMP, by::CAPABILITIES, by::LANDLOCK],
            &[by::SECCOMP, by::CAPABILITIES, by::LANDLOCK],
        ),
    ),
    attempt(
        "read-tmp",
        "read what somebody keeps in /tmp",
        |stage| read(&stage.temporary),
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "write-tmp",
        "change what somebody keeps in /tmp",
        |stage| done(fs::write(&stage.temporary, "x").at("open")),
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "read-shared-memory",
        "read what somebody keeps in /dev/shm",
        |stage| read(shared_memory(stage)?),
        Shows::Secret,
        Expect::gap_in_fallback(&[by::MOUNT], SHARED),
    ),
    attempt(
        "write-shared-memory",
        "change what somebody keeps in /dev/shm",
        |stage| done(fs::write(shared_memory(stage)?, "x").at("open")),
        Shows::Files,
        Expect::gap_in_fallback(&[by::MOUNT], SHARED),
    ),
    attempt(
        "execute-outside",
        "execute a program in the home folder",
        |stage| {
            // Made outside by nobody: copied there if that can be done at all.
            let program = stage.home.join("program");
            fs::copy("/bin/true", &program).at("copy")?;
            done(std::process::Command::new(program).status().at("execute"))
        },
        Shows::Files,
        OUTSIDE,
    ),
    attempt(
        "proc-sys",
        "write a setting of the kernel (/proc/sys/kernel/core_pattern)",
        |_| done(File::options().write(true).open("/proc/sys/kernel/core_pattern").at("open")),
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "proc-sys-net",
        "write a setting of the network (/proc/sys/net)",
        |_| {
            let path = "/proc/sys/net/ipv4/ip_forward";
            done(File::options().write(true).open(path).at("open"))
        },
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "kernel-memory",
        "read the kernel's memory (/proc/kcore)",
        |_| done(File::open("/proc/kcore").at("open")),
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "proc-kmsg",
        "read the kernel's log (/proc/kmsg)",
        |_| done(File::open("/proc/kmsg").at("open")),
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "init-environ",
        "read the environment of the first process (/proc/1/environ)",
        |_| done(fs::read("/proc/1/environ").at("open")),
        Shows::Report,
        Expect::tiers(&[by::PROCESS, by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]),
    ),
    attempt(
        "init-memory",
        "open the memory of the first process (/proc/1/mem)",
        |_| done(File::open("/proc/1/mem").at("open")),
        Shows::Report,
        Expect::tiers(&[by::PROCESS, by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]),
    ),
    attempt(
        "init-root",
        "reach a file outside by /proc/1/root",
        |stage| {
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home);
            read(&Path::new("/proc/1/root").join(inner).join(".ssh/id_ed25519"))
        },
        Shows::Secret,
        OUTSIDE,
    ),
    attempt(
        "connections",
        "see the machine's connections (/proc/net/tcp)",
        |stage| {
            let table = fs::read_to_string("/proc/net/tcp").at("open")?;
            let port = format!(":{:04X} ", stage.other.port());
            if table.contains(&port) {
                Ok("seen".to_owned())
            } else {
                Err(Refusal::nothing("see one"))
            }
        },
        Shows::Report,
        Expect::gap_in_fallback(
            &[by::NETWORK],
            "there is one network, and /proc/self is needed: who is connected to what is seen",
        ),
    ),
    attempt(
        "sysrq",
        "write to /proc/sysrq-trigger",
        |_| done(File::options().write(true).open("/proc/sysrq-trigger").at("open")),
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "cgroup",
        "make a group in the cgroup file system",
        |stage| {
            let folder = cgroup()?.join(format!("iron-selftest-{}", stage.token));
            fs::create_dir(&folder).at("mkdir")?;
            let _ = fs::remove_dir(&folder);
            Ok("made".to_owned())
        },
        Shows::Report,
        OUTSIDE,
    ),
    attempt(
        "sys-kernel",
        "write to /sys/kernel",
        |_| {
            let path = "/sys/kernel/uevent_helper";
            let path = if Path::new(path).exists() { path } else { "/sys/kernel/profiling" };
            done(File::options().write(true).open(path).at("open"))
        },
        Shows::Report,
        OUTSIDE,
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

fn shared_memory(stage: &Stage) -> Result<&Path, Refusal> {
    stage.shared_memory.as_deref().ok_or_else(|| Refusal::absent("there is no /dev/shm"))
}

/// Where groups are made: the first of the usual places that is there.
fn cgroup() -> Result<&'static Path, Refusal> {
    ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/pids"]
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
        .and_then(|path| if path.is_dir() { Some(path) } else { path.parent() })
        // Where none is seen, the first is tried all the same: that is what a sandbox refuses.
        .or(Some(Path::new("/sys/fs/cgroup")))
        .ok_or_else(|| Refusal::absent("there are no control groups"))
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
