//! Attempts to make namespaces and mounts, or to enter others': in them, a plain user is root.

use std::fs::File;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::attempts::processes::victim;
use crate::selftest::stage::Stage;
use crate::sys::attempts::kernel::{self as raw, Knock};

const NO_SUCH_CALL: Expect = Expect::held(&[by::SECCOMP]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
) -> Attempt {
    let group = Group::Namespaces;
    Attempt { name, group, what, run, shows: Shows::Report, expect: NO_SUCH_CALL }
}

macro_rules! knock {
    ($name:literal, $what:literal, $knock:ident) => {
        attempt($name, $what, |_| Knock::$knock.make().at($name))
    };
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("unshare-user", "make a user namespace (unshare)", |_| unshare(libc::CLONE_NEWUSER)),
    attempt("unshare-net", "make a network namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
    }),
    attempt("unshare-mount", "make a mount namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)
    }),
    attempt("unshare-pid", "make a process namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID)
    }),
    attempt("unshare-ipc", "make an IPC namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWIPC)
    }),
    attempt("unshare-uts", "make a host name's namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWUTS)
    }),
    attempt("unshare-cgroup", "make a cgroup namespace (unshare)", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWCGROUP)
    }),
    attempt("clone-user", "make a child in a user namespace (clone)", |_| {
        done(raw::clone(libc::CLONE_NEWUSER).at("clone"))
    }),
    attempt("clone-all", "make a child in namespaces of its own (clone)", |_| {
        let all = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWPID;
        done(raw::clone(all).at("clone"))
    }),
    attempt("clone3-user", "make a child in a user namespace (clone3)", |_| {
        done(raw::clone3(libc::CLONE_NEWUSER).at("clone3"))
    }),
    knock!("clone3", "make a child by clone3, whose flags no filter can look at", CLONE3),
    attempt("userns-mount", "mount in a user namespace of one's own", |_| {
        raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).at("unshare")?;
        done(raw::mount_tmpfs(c"/mnt").at("mount"))
    }),
    attempt("mount", "mount a file system", |_| {
        // In namespaces of one's own where that can be had: nothing is left behind.
        let _ = raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
        Knock::MOUNT.make().at("mount")
    }),
    attempt("umount", "unmount what covers a file", |_| {
        let _ = raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
        Knock::UNMOUNT.make().at("umount2")
    }),
    attempt("pivot-root", "change the root for all (pivot_root)", |_| {
        let _ = raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
        Knock::PIVOT_ROOT.make().at("pivot_root")
    }),
    attempt("fsopen", "mount by the new calls (fsopen)", |_| {
        in_namespaces(Knock::FSOPEN, "fsopen")
    }),
    attempt("fsconfig", "mount by the new calls (fsconfig)", |_| {
        in_namespaces(Knock::FSCONFIG, "fsconfig")
    }),
    attempt("fsmount", "mount by the new calls (fsmount)", |_| {
        in_namespaces(Knock::FSMOUNT, "fsmount")
    }),
    attempt("fspick", "change a mount by the new calls (fspick)", |_| {
        in_namespaces(Knock::FSPICK, "fspick")
    }),
    attempt("open-tree", "copy a mount (open_tree)", |_| {
        in_namespaces(Knock::OPEN_TREE, "open_tree")
    }),
    attempt("open-tree-attr", "copy a mount with other attributes (open_tree_attr)", |_| {
        in_namespaces(Knock::OPEN_TREE_ATTR, "open_tree_attr")
    }),
    attempt("move-mount", "move a mount (move_mount)", |_| {
        in_namespaces(Knock::MOVE_MOUNT, "move_mount")
    }),
    attempt("mount-setattr", "make a mount writable (mount_setattr)", |_| {
        in_namespaces(Knock::MOUNT_SETATTR, "mount_setattr")
    }),
    attempt("setns", "enter another namespace (setns)", |_| {
        Knock::SET_NAMESPACE.make().at("setns")
    }),
    attempt("setns-victim", "enter another process's namespaces by /proc/PID/ns", |stage| {
        let path = format!("/proc/{}/ns/user", victim(stage)?.process);
        let namespace = File::open(path).at("open")?;
        let kind = Some(LinkNameSpaceType::User);
        match move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind) {
            // One's own user namespace cannot be entered anew: the call was reached.
            Ok(()) | Err(rustix::io::Errno::INVAL) => Ok("reached".to_owned()),
            Err(error) => Err(error).at("setns"),
        }
    })
    .expecting(Expect::tiers(&[by::PROCESS, by::SECCOMP], &[by::SECCOMP, by::LANDLOCK])),
];

fn unshare(flags: i32) -> Result<String, Refusal> {
    done(raw::unshare(flags).at("unshare"))
}

/// With the rights of a user namespace of one's own, where one can be had.
fn in_namespaces(knock: Knock, step: &'static str) -> Result<String, Refusal> {
    let _ = raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
    knock.make().at(step)
}

fn done<T>(result: Result<T, Refusal>) -> Result<String, Refusal> {
    result.map(|_| "done".to_owned())
}
