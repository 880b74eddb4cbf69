//! What becomes of calls, by interpreting the filters of both tiers on both machines.

use super::bpf::{self, Verdict};
use super::*;

const PERMITTED: Verdict = Verdict::Allow;
const REFUSED: Verdict = Verdict::Errno(libc::EPERM as u16);
const MISSING: Verdict = Verdict::Errno(libc::ENOSYS as u16);
const ASKED: Verdict = Verdict::Notify;

const MACHINES: [Machine; 2] = [Machine::X86_64, Machine::Aarch64];
const TIERS: [Tier; 2] = [Tier::Namespace, Tier::Fallback];
const WATCHES: [Watch; 3] = [Watch::Everything, Watch::Network, Watch::Nothing];

fn decide(machine: Machine, tier: Tier, watch: Watch, name: &str, arguments: &[u64]) -> Verdict {
    let number = calls::number(name, machine).expect("a call of this machine");
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let program = rules::program(machine, tier, watch);
    assert!(program.len() <= 4096, "the kernel takes no more");
    bpf::interpret(&program, machine.audit_arch(), number, all)
}

/// Asserts the same answer in both tiers, on both machines if they have the call; refusals that are
/// told are notified unless nothing is told.
fn everywhere(name: &str, arguments: &[u64], expected: Verdict) {
    for machine in MACHINES {
        if calls::number(name, machine).is_none() {
            continue;
        }
        for tier in TIERS {
            for watch in WATCHES {
                let expected = match expected {
                    ASKED if watch == Watch::Nothing => REFUSED,
                    other => other,
                };
                let found = decide(machine, tier, watch, name, arguments);
                assert_eq!(found, expected, "{name} {arguments:x?} {machine:?} {tier} {watch:?}");
            }
        }
    }
}

fn both(name: &str, arguments: &[u64], namespace: Verdict, fallback: Verdict) {
    for machine in MACHINES.into_iter().filter(|m| calls::number(name, *m).is_some()) {
        for (tier, expected) in TIERS.into_iter().zip([namespace, fallback]) {
            let found = decide(machine, tier, Watch::Network, name, arguments);
            assert_eq!(found, expected, "{name} {arguments:x?} {machine:?} {tier}");
        }
    }
}

#[test]
fn every_call_that_has_a_rule_exists_and_has_one_rule() {
    for tier in TIERS {
        let entries = rules::entries(tier, Watch::Everything);
        let mut names: Vec<&str> = entries.iter().flat_map(|entry| entry.names).copied().collect();
        names.sort_unstable();
        for name in &names {
            assert!(calls::is_known(name), "{name}");
        }
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{tier}");
    }
}

#[test]
fn another_machine_and_x32_are_killed() {
    for machine in MACHINES {
        let program = rules::program(machine, Tier::Namespace, Watch::Network);
        // i386, arm, and the respective other.
        for arch in [0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7] {
            if arch != machine.audit_arch() {
                assert_eq!(bpf::interpret(&program, arch, 0, [0; 6]), Verdict::Kill);
            }
        }
    }
    let program = rules::program(Machine::X86_64, Tier::Fallback, Watch::Network);
    for number in [0, 1, 59, 520] {
        let number = number | 0x4000_0000;
        assert_eq!(bpf::interpret(&program, 0xc000_003e, number, [0; 6]), Verdict::Kill);
    }
    assert_eq!(bpf::interpret(&program, 0xc000_003e, u32::MAX, [0; 6]), MISSING);
}

#[test]
fn calls_that_we_do_not_know_are_missing() {
    for machine in MACHINES {
        let program = rules::program(machine, Tier::Namespace, Watch::Everything);
        let known: Vec<u32> = calls::all(machine).map(|call| call.1).collect();
        for number in 0..1000 {
            let found = bpf::interpret(&program, machine.audit_arch(), number, [0; 6]);
            if !known.contains(&number) {
                assert_eq!(found, MISSING, "{number}");
            }
        }
    }
}

#[test]
fn tcp_sockets_are_all_there_is() {
    for (domain, kind, protocol) in [
        (2, 1, 0),
        (2, 1, 6),
        (10, 1, 0),
        (10, 0o2_004_001, 6),
        // The kernel looks at 32 bits, and so does the filter.
        (2 | 1 << 32, 1, 0),
    ] {
        everywhere("socket", &[domain, kind, protocol], PERMITTED);
    }
    let (close_on_exec, nonblocking) = (0o2_000_000, 0o4000);
    for (domain, kind, protocol) in [
        (1, 1, 0),
        (1, 2 | close_on_exec, 0),
        (2, 2, 0),
        (2, 2 | close_on_exec | nonblocking, 0),
        (2, 3, 1),
        (2, 2, 1),
        (10, 2, 58),
        (2, 1, 132),
        (2, 5, 132),
        (2, 1, 256),
        (2, 10, 0),
        (2, 1 | 0x10, 0),
        (17, 3, 0),
        (38, 5, 0),
        (40, 1, 0),
        (43, 1, 0),
        (0, 1, 0),
        (44, 3, 0),
    ] {
        everywhere("socket", &[domain, kind, protocol], ASKED);
    }
    for (domain, kind, protocol) in [
        (16, 3 | close_on_exec, 0),
        (1, 1 | close_on_exec | nonblocking, 0),
        (10, 2 | close_on_exec, 0),
        (2, 1 | close_on_exec, 262),
    ] {
        everywhere("socket", &[domain, kind, protocol], REFUSED);
    }
    everywhere("socketpair", &[1, 1 | close_on_exec, 0], PERMITTED);
    everywhere("socketpair", &[1, 5, 0], PERMITTED);
    everywhere("socketpair", &[1, 2, 0], ASKED);
    everywhere("socketpair", &[1, 3, 0], ASKED);
    everywhere("socketpair", &[2, 1, 0], ASKED);
}

#[test]
fn nothing_connects_without_connect() {
    let fast_open = 0x2000_0000;
    everywhere("sendto", &[3, 0, 0, fast_open, 0, 0], ASKED);
    everywhere("sendto", &[3, 0, 0, fast_open | 0x4000, 0, 0], ASKED);
    everywhere("sendto", &[3, 0, 0, 0x4000, 0, 0], PERMITTED);
    everywhere("sendmsg", &[3, 0, fast_open], ASKED);
    everywhere("sendmsg", &[3, 0, 0x40], PERMITTED);
    everywhere("sendmmsg", &[3, 0, 1, fast_open], ASKED);
    for (level, name) in [(6, 30), (6, 31), (6, 19), (0, 4), (0, 50), (1, 25), (1, 26), (1, 62)] {
        everywhere("setsockopt", &[3, level, name], REFUSED);
    }
    for (level, name) in [(41, 57), (41, 6), (41, 54), (0, 35), (256, 1), (263, 1), (999, 1)] {
        everywhere("setsockopt", &[3, level, name], Verdict::Errno(libc::ENOPROTOOPT as u16));
    }
    for (level, name) in [(6, 1), (6, 18), (1, 2), (1, 9), (1, 15), (41, 26), (0, 1), (6, 23)] {
        everywhere("setsockopt", &[3, level, name], PERMITTED);
    }
}

#[test]
fn the_fallback_tier_asks_where_a_namespace_would_hold() {
    both("connect", &[3, 0x1000, 16], ASKED, ASKED);
    both("bind", &[3, 0x1000, 16], PERMITTED, ASKED);
    both("listen", &[3, 5], PERMITTED, ASKED);
    for name in ["shmget", "shmat", "msgsnd", "semop", "mq_open"] {
        both(name, &[], PERMITTED, ASKED);
    }
    both("chmod", &[0x1000, 0o755], PERMITTED, ASKED);
    both("fchown", &[3, 0, 0], PERMITTED, ASKED);
    both("utimensat", &[3, 0, 0, 0], PERMITTED, ASKED);
    for name in ["setxattr", "fsetxattr", "removexattr", "getxattr", "llistxattr", "getxattrat"] {
        both(name, &[], PERMITTED, Verdict::Errno(libc::EOPNOTSUPP as u16));
    }
    both("fgetxattr", &[], PERMITTED, PERMITTED);
    both("prlimit64", &[0, 7], PERMITTED, PERMITTED);
    both("prlimit64", &[1, 7], PERMITTED, ASKED);
    both("sched_setaffinity", &[0], PERMITTED, PERMITTED);
    both("sched_setaffinity", &[77], PERMITTED, ASKED);
    both("setpriority", &[0, 0, 5], PERMITTED, PERMITTED);
    both("setpriority", &[0, 77, 5], PERMITTED, ASKED);
    both("setpriority", &[1, 0, 5], PERMITTED, ASKED);
    both("ioprio_set", &[1, 0, 5], PERMITTED, PERMITTED);
    both("ioprio_set", &[2, 0, 5], PERMITTED, ASKED);
    // What the fallback tier cannot do without is asked about even where nothing is told.
    for machine in MACHINES {
        for name in ["connect", "fchmod", "utimensat"] {
            let found = decide(machine, Tier::Fallback, Watch::Nothing, name, &[]);
            assert_eq!(found, ASKED, "{name}");
        }
        let found = decide(machine, Tier::Namespace, Watch::Nothing, "connect", &[]);
        assert_eq!(found, PERMITTED);
    }
    assert!(!Filter::new(Tier::Namespace, Watch::Nothing).notifies());
    assert!(Filter::new(Tier::Fallback, Watch::Nothing).notifies());
    assert!(Filter::new(Tier::Namespace, Watch::Network).notifies());
}

#[test]
fn namespaces_mounts_and_other_processes_are_out_of_reach() {
    for name in [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "keyctl",
        "add_key",
        "request_key",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "unshare",
        "setns",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "fsopen",
        "fsmount",
        "fsconfig",
        "fspick",
        "move_mount",
        "open_tree",
        "open_tree_attr",
        "mount_setattr",
        "open_by_handle_at",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "reboot",
        "swapon",
        "swapoff",
        "settimeofday",
        "clock_settime",
        "clock_adjtime",
        "syslog",
        "acct",
        "quotactl",
        "iopl",
        "ioperm",
        "fanotify_init",
        "vhangup",
    ] {
        everywhere(name, &[], ASKED);
    }
    for name in ["io_uring_setup", "io_uring_enter", "io_uring_register", "kcmp", "file_setattr"] {
        everywhere(name, &[], REFUSED);
    }
    for name in ["clone3", "openat2", "statmount", "listmount"] {
        everywhere(name, &[], MISSING);
    }
    for bit in [17, 25, 26, 27, 28, 29, 30] {
        everywhere("clone", &[1 << bit | 0x11], ASKED);
    }
    // As threads, fork and vfork are made.
    for flags in [0x003d_0f00, 0x0120_0011, 0x4111] {
        everywhere("clone", &[flags], PERMITTED);
    }
    everywhere("prctl", &[0x5961_6d61, 1], ASKED);
    everywhere("prctl", &[35, 1], ASKED);
    everywhere("prctl", &[15, 1], PERMITTED);
    everywhere("seccomp", &[1, 8, 0], ASKED);
    everywhere("seccomp", &[1, 1, 0], PERMITTED);
    everywhere("personality", &[0xffff_ffff], PERMITTED);
    everywhere("personality", &[0x040_0000], ASKED);
}

#[test]
fn requests_on_terminals_and_file_systems_are_looked_at_by_their_low_half() {
    for request in [0x5412, 0x541c, 0x5423, 0x541d] {
        everywhere("ioctl", &[0, request], ASKED);
        everywhere("ioctl", &[0, request | 0xdead_beef << 32], ASKED);
    }
    // FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, BTRFS_IOC_SUBVOL_CREATE, FS_IOC_ENABLE_VERITY, KDSETMODE.
    for request in [0x4008_6602, 0x401c_5820, 0x5000_940e, 0x4080_6685, 0x4b3a] {
        everywhere("ioctl", &[0, request], REFUSED);
    }
    // TCGETS, TIOCGWINSZ, TIOCSPGRP, FIONREAD, FIONBIO, FICLONE, FS_IOC_GETFLAGS.
    for request in [0x5401, 0x5413, 0x5410, 0x541b, 0x5421, 0x4004_9409, 0x8008_6601] {
        everywhere("ioctl", &[0, request], PERMITTED);
    }
}

#[test]
fn no_setuid_file_is_made() {
    both("chmod", &[0, 0o4755], ASKED, ASKED);
    both("fchmodat", &[0, 0, 0o4755], ASKED, ASKED);
    let creates = 0o101;
    everywhere_silent("openat", &[0, 0, creates, 0o4755], REFUSED);
    everywhere_silent("openat", &[0, 0, creates, 0o2755], REFUSED);
    everywhere_silent("openat", &[0, 0, creates, 0o755], PERMITTED);
    // Without O_CREAT there is no mode: whatever stands there is chance.
    everywhere_silent("openat", &[0, 0, 0, 0o4755], PERMITTED);
    everywhere_silent("open", &[0, creates, 0o4755], REFUSED);
    everywhere_silent("creat", &[0, 0o4755], REFUSED);
    everywhere_silent("mknod", &[0, 0o104_755], REFUSED);
    everywhere_silent("mknodat", &[0, 0, 0o104_755], REFUSED);
    everywhere_silent("execveat", &[3, 0, 0, 0, 0x1000], REFUSED);
}

fn everywhere_silent(name: &str, arguments: &[u64], expected: Verdict) {
    for machine in MACHINES.into_iter().filter(|m| calls::number(name, *m).is_some()) {
        for tier in TIERS {
            for watch in [Watch::Network, Watch::Nothing] {
                let found = decide(machine, tier, watch, name, arguments);
                assert_eq!(found, expected, "{name} {arguments:x?} {machine:?} {tier} {watch:?}");
            }
            let watched = if expected == PERMITTED { ASKED } else { expected };
            let found = decide(machine, tier, Watch::Everything, name, arguments);
            assert_eq!(found, watched, "{name} {arguments:x?} {machine:?} {tier} watched");
        }
    }
}

#[test]
fn what_programs_live_on_is_left_alone() {
    for name in [
        "read",
        "write",
        "mmap",
        "mprotect",
        "brk",
        "futex",
        "epoll_pwait",
        "pipe2",
        "dup3",
        "fcntl",
        "newfstatat",
        "statx",
        "getrandom",
        "rt_sigaction",
        "wait4",
        "exit_group",
        "memfd_create",
        "eventfd2",
        "timerfd_create",
        "inotify_init1",
        "accept4",
        "shutdown",
        "getsockopt",
        "pidfd_open",
        "kill",
        "tgkill",
        "landlock_create_ruleset",
        "rseq",
        "fallocate",
        "copy_file_range",
    ] {
        if calls::is_known(name) {
            everywhere(name, &[1, 2, 3], PERMITTED);
        }
    }
}
