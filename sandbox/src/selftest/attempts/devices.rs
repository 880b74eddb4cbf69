//! Attempts on the terminal and on devices.

use std::fs::{self, File};
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::terminal::{self as raw, Control};

const NO_SUCH_REQUEST: Expect = Expect::held(&[by::SECCOMP]);
const NO_SUCH_FILE: Expect = Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Devices, what, run, shows: Shows::Report, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "type",
        "type into the terminal for whoever reads it next (TIOCSTI)",
        |_| type_character(0),
        NO_SUCH_REQUEST,
    ),
    attempt(
        "type-high",
        "the same with bits set that the kernel drops",
        |_| type_character(0xdead),
        NO_SUCH_REQUEST,
    ),
    attempt("console", "paste into a console (TIOCLINUX)", |_| console(0), NO_SUCH_REQUEST),
    attempt(
        "console-high",
        "the same with bits set that the kernel drops",
        |_| console(0xdead),
        NO_SUCH_REQUEST,
    ),
    attempt(
        "take-terminal",
        "take the terminal from the session that has it (TIOCSCTTY)",
        |_| {
            let terminal = terminal()?;
            rustix::process::setsid().at("setsid")?;
            raw::control(terminal.as_fd(), Control::Take).at("ioctl")?;
            Ok("taken".to_owned())
        },
        Expect::held(&[by::SECCOMP, by::CAPABILITIES]),
    ),
    attempt(
        "kvm",
        "ask KVM for its version",
        |_| device("/dev/kvm", Control::KvmVersion),
        NO_SUCH_FILE,
    ),
    attempt(
        "loop",
        "ask for a free loop device",
        |_| device("/dev/loop-control", Control::FreeLoop),
        NO_SUCH_FILE,
    ),
    attempt("memory", "open the machine's memory", |_| open("/dev/mem"), NO_SUCH_FILE),
    attempt("kernel-log", "open the kernel's log", |_| open("/dev/kmsg"), NO_SUCH_FILE),
    attempt("tunnel", "open the device for tunnels", |_| open("/dev/net/tun"), NO_SUCH_FILE),
    attempt("fuse", "open the device for file systems", |_| open("/dev/fuse"), NO_SUCH_FILE),
    attempt("vsock-device", "open the device of VSOCK", |_| open("/dev/vsock"), NO_SUCH_FILE),
    attempt("uinput", "open the device that makes input", |_| open("/dev/uinput"), NO_SUCH_FILE),
    attempt(
        "disks",
        "open a disk",
        |_| {
            let disks = fs::read_dir("/sys/block").at("list disks")?.flatten();
            let mut last = Refusal::absent("the machine has no disk");
            for disk in disks {
                match open(&format!("/dev/{}", disk.file_name().display())) {
                    Ok(found) => return Ok(found),
                    Err(refusal) => last = refusal,
                }
            }
            Err(last)
        },
        NO_SUCH_FILE,
    ),
    attempt(
        "other-terminals",
        "open another terminal",
        |_| {
            let own = own_terminal();
            let others = fs::read_dir("/dev/pts").at("list terminals")?.flatten();
            let mut last = Refusal::nothing("find another");
            for other in others.filter(|one| one.file_name() != "ptmx" && Some(one.path()) != own) {
                match open(&other.path().display().to_string()) {
                    Ok(found) => return Ok(found),
                    Err(refusal) => last = refusal,
                }
            }
            Err(last)
        },
        NO_SUCH_FILE,
    ),
];

fn terminal() -> Result<OwnedFd, Refusal> {
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::absent("no terminal could be made"));
    }
    rustix::io::dup(std::io::stdin()).at("dup")
}

fn own_terminal() -> Option<std::path::PathBuf> {
    fs::read_link("/proc/self/fd/0").ok()
}

/// Types a character, and sees it come.
fn type_character(high: u32) -> Result<String, Refusal> {
    let terminal = terminal()?;
    let mut raw_mode = tcgetattr(&terminal).at("tcgetattr")?;
    raw_mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Now, &raw_mode).at("tcsetattr")?;
    raw::type_character(terminal.as_fd(), b'x', high).at("ioctl")?;
    let waiting = rustix::io::ioctl_fionread(&terminal).at("see what was typed")?;
    if waiting == 0 { Err(Refusal::nothing("ioctl")) } else { Ok("typed".to_owned()) }
}

/// A terminal that is no console answers ENOTTY or EINVAL: the request was reached.
fn console(high: u32) -> Result<String, Refusal> {
    match raw::console(terminal()?.as_fd(), high) {
        Err(error) if [Some(libc::ENOTTY), Some(libc::EINVAL)].contains(&error.raw_os_error()) => {
            Ok("the terminal looked at it".to_owned())
        }
        other => other.at("ioctl").map(|()| "asked".to_owned()),
    }
}

fn open(path: &str) -> Result<String, Refusal> {
    if !std::path::Path::new(path).exists() && File::open("/dev/iron-selftest").is_err() {
        return File::open(path).at("open").map(|_| "opened".to_owned());
    }
    File::open(path).at("open")?;
    Ok("opened".to_owned())
}

fn device(path: &str, request: Control) -> Result<String, Refusal> {
    let device = File::options().read(true).write(true).open(path).at("open")?;
    raw::control(device.as_fd(), request).at("ioctl")?;
    Ok("asked".to_owned())
}
