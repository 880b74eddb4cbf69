//! Attempts on files outside the workspace: to read them and to write them. `detours` has the ways
//! around.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode};

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
