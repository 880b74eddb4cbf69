//! What becomes of each system call, in each tier, and why.
//!
//! What stands in no entry is allowed if it has a name in `calls`, and is missing (`ENOSYS`) if not:
//! a kernel newer than the table offers nothing that was not looked at. Namespaces hold what needs a
//! path or an address in their tier; in the fallback tier the supervisor does.

use crate::confinement::Watch;
use crate::layer::Tier;

use super::bpf::{self, Clause, Instruction, Rule, Test, Verdict};
use super::{Machine, calls};

/// One or several calls that are treated alike.
pub(crate) struct Entry {
    pub(crate) names: &'static [&'static str],
    pub(crate) rule: Rule,
    pub(crate) duty: Duty,
    /// Why, for people: stands behind "refused: ".
    pub(crate) why: &'static str,
}

/// What the supervisor does with a call that it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Refuses it and tells of it.
    Refuse,
    /// Refuses a socket and says which kind.
    Socket,
    /// Refuses to listen, and says where.
    Listen,
    /// Connects on the caller's behalf, or lets it connect and tells of what cannot succeed.
    Connect,
    /// Changes mode, owner or times on the caller's behalf, where the file may be written.
    Metadata,
    /// Lets it be if it concerns the caller's own process.
    Foreign,
    /// Lets it be, and tells of what Landlock and mounts will refuse.
    Files,
}

/// The program of a machine.
pub(crate) fn program(machine: Machine, tier: Tier, watch: Watch) -> Vec<Instruction> {
    let entries = entries(tier, watch);
    let allowed = always(Verdict::Allow);
    let mut rules: Vec<(u32, &Rule)> =
        calls::all(machine).map(|(_, number)| (number, &allowed)).collect();
    rules.sort_unstable_by_key(|rule| rule.0);
    for entry in &entries {
        for number in entry.names.iter().filter_map(|name| calls::number(name, machine)) {
            if let Ok(at) = rules.binary_search_by_key(&number, |rule| rule.0)
                && let Some(rule) = rules.get_mut(at)
            {
                rule.1 = &entry.rule;
            }
        }
    }
    bpf::program(machine.audit_arch(), machine == Machine::X86_64, &rules, MISSING)
}

/// What the supervisor has to do with each call, by number.
pub(crate) fn duties(machine: Machine, tier: Tier, watch: Watch) -> Vec<(u32, &'static str, Duty)> {
    let entries = entries(tier, watch);
    let all = entries.iter().flat_map(|entry| entry.names.iter().map(|name| (*name, entry.duty)));
    all.filter_map(|(name, duty)| Some((calls::number(name, machine)?, name, duty))).collect()
}

impl Rule {
    /// Whether a supervisor can be asked.
    pub(crate) fn notifies(&self) -> bool {
        self.otherwise == Verdict::Notify
            || self.clauses.iter().any(|clause| clause.then == Verdict::Notify)
    }
}

const REFUSED: Verdict = Verdict::Errno(libc::EPERM as u16);
const UNSUPPORTED: Verdict = Verdict::Errno(libc::EOPNOTSUPP as u16);
const MISSING: Verdict = Verdict::Errno(libc::ENOSYS as u16);

/// All calls that are not simply allowed.
pub(crate) fn entries(tier: Tier, watch: Watch) -> Vec<Entry> {
    // A refusal that people should hear of; where nothing is told, the kernel refuses by itself.
    let told = if watch == Watch::Nothing { REFUSED } else { Verdict::Notify };
    let mut entries = everywhere(told);
    entries.extend(administration(told));
    entries.extend(sockets(told));
    entries.extend(match tier {
        Tier::Namespace => namespace(told),
        Tier::Fallback => fallback(told),
    });
    entries.extend(files(watch));
    entries
}

fn entry(names: &'static [&'static str], verdict: Verdict, why: &'static str) -> Entry {
    Entry { names, rule: always(verdict), duty: Duty::Refuse, why }
}

fn tested(
    names: &'static [&'static str],
    duty: Duty,
    clauses: Vec<Clause>,
    otherwise: Verdict,
    why: &'static str,
) -> Entry {
    Entry { names, rule: Rule { clauses, otherwise }, duty, why }
}

const fn always(verdict: Verdict) -> Rule {
    Rule { clauses: Vec::new(), otherwise: verdict }
}

fn when(tests: Vec<Test>, then: Verdict) -> Clause {
    Clause { tests, then }
}

fn is(argument: u8, values: &[u32]) -> Test {
    masked(argument, u32::MAX, values)
}

fn masked(argument: u8, mask: u32, values: &[u32]) -> Test {
    Test { argument, mask, values: values.to_vec(), one_of: true }
}

fn has(argument: u8, bits: u32) -> Test {
    Test { argument, mask: bits, values: vec![0], one_of: false }
}

/// `CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET`.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

/// The same in both tiers.
fn everywhere(told: Verdict) -> Vec<Entry> {
    let quiet = REFUSED;
    vec![
        entry(
            &["io_uring_setup", "io_uring_enter", "io_uring_register"],
            quiet,
            "a ring carries out calls that no filter sees",
        ),
        entry(
            &["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"],
            told,
            "reaches into other processes",
        ),
        entry(
            &["process_madvise", "process_mrelease", "kcmp"],
            quiet,
            "reaches into other processes",
        ),
        entry(
            &["add_key", "request_key", "keyctl"],
            told,
            "the kernel's keyrings are not the sandbox's own",
        ),
        entry(
            &["bpf", "perf_event_open", "userfaultfd"],
            told,
            "a part of the kernel that is attacked often",
        ),
        entry(&["unshare", "setns"], told, "no namespaces are made or entered inside a sandbox"),
        tested(
            &["clone"],
            Duty::Refuse,
            vec![when(vec![has(0, NEW_NAMESPACES)], told)],
            Verdict::Allow,
            "no namespaces are made inside a sandbox",
        ),
        entry(
            &["clone3", "openat2"],
            MISSING,
            "its arguments stand in memory, where no filter sees them; programs fall back to the older call",
        ),
        entry(
            &["file_setattr", "lsm_set_self_attr"],
            quiet,
            "changes attributes that no rule covers",
        ),
        // The usual values, as container runtimes allow them, and no address randomisation.
        tested(
            &["personality"],
            Duty::Refuse,
            vec![when(
                vec![is(0, &[0, 8, 0x2_0000, 0x2_0008, 0x4_0000, 0x4_0008, u32::MAX])],
                Verdict::Allow,
            )],
            told,
            "a rare execution domain",
        ),
        // PR_SET_MM, PR_SCHED_CORE, PR_SET_PTRACER.
        tested(
            &["prctl"],
            Duty::Refuse,
            vec![when(vec![is(0, &[35, 62, 0x5961_6d61])], told)],
            Verdict::Allow,
            "concerns other processes",
        ),
        // SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_NEW_LISTENER.
        tested(
            &["seccomp"],
            Duty::Refuse,
            vec![when(vec![is(0, &[1]), has(1, 1 << 3)], told)],
            Verdict::Allow,
            "a listener could answer calls in place of the supervisor; filters without one are fine",
        ),
        ioctl(told),
    ]
}

/// The machine's administration.
fn administration(told: Verdict) -> Vec<Entry> {
    vec![
        entry(
            &[
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
            ],
            told,
            "the view of the files is fixed",
        ),
        entry(&["statmount", "listmount"], MISSING, "mounts outside are nobody's business"),
        entry(&["open_by_handle_at"], told, "opens files without a path"),
        entry(&["name_to_handle_at"], UNSUPPORTED, "opens files without a path"),
        entry(
            &[
                "kexec_load",
                "kexec_file_load",
                "init_module",
                "finit_module",
                "delete_module",
                "create_module",
                "query_module",
                "get_kernel_syms",
                "reboot",
                "swapon",
                "swapoff",
                "acct",
                "quotactl",
                "quotactl_fd",
                "nfsservctl",
                "sethostname",
                "setdomainname",
                "vhangup",
                "syslog",
                "lookup_dcookie",
                "fanotify_init",
                "iopl",
                "ioperm",
                "modify_ldt",
            ],
            told,
            "is the machine's administration",
        ),
        entry(
            &["settimeofday", "clock_settime", "adjtimex", "clock_adjtime"],
            told,
            "the clock is the machine's",
        ),
    ]
}

/// Requests that reach further than the file they are made on.
fn ioctl(told: Verdict) -> Entry {
    const TYPE: u32 = 0xff00;
    // TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS, TIOCVHANGUP.
    let terminal = is(1, &[0x5412, 0x541c, 0x5423, 0x541d, 0x5437]);
    // FS_IOC_GETFLAGS, FS_IOC_FIEMAP, FS_IOC_FSGETXATTR, FS_IOC_GETVERSION, and FICLONE,
    // FICLONERANGE, FIDEDUPERANGE, which write to files that are open for it.
    let harmless = is(
        1,
        &[
            0x8008_6601,
            0xc020_660b,
            0x801c_581f,
            0x8008_7601,
            0x4004_9409,
            0x4020_940d,
            0xc018_9436,
        ],
    );
    tested(
        &["ioctl"],
        Duty::Refuse,
        vec![
            when(vec![terminal], told),
            when(vec![harmless], Verdict::Allow),
            // Consoles ('K', 'V') are the machine's.
            when(vec![masked(1, TYPE, &[0x4b00, 0x5600])], REFUSED),
            // File systems' own ('f', 'X', 'v', btrfs): flags, subvolumes, verity, encryption, all on
            // files that are only open for reading.
            when(vec![masked(1, TYPE, &[0x6600, 0x5800, 0x7600, 0x9400])], REFUSED),
        ],
        Verdict::Allow,
        "puts input into the terminal, or changes attributes that no rule covers",
    )
}

/// The kinds of sockets, and what can be set on them.
fn sockets(told: Verdict) -> Vec<Entry> {
    const UNIX: u32 = 1;
    const INTERNET: [u32; 2] = [2, 10];
    const NETLINK: u32 = 16;
    const STREAM: u32 = 1;
    const DATAGRAM: u32 = 2;
    const SEQUENCED: u32 = 5;
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    const NONBLOCKING: u32 = 0o4000;
    const TCP: u32 = 6;
    const MPTCP: u32 = 262;
    const FAST_OPEN: u32 = 0x2000_0000;
    // The flags that the kernel takes from a type; any other makes it refuse the call.
    let kind = |kinds: &[u32]| masked(1, !(CLOSE_ON_EXEC | NONBLOCKING), kinds);
    vec![
        tested(
            &["socket"],
            Duty::Socket,
            vec![
                when(vec![is(0, &INTERNET), kind(&[STREAM]), is(2, &[0, TCP])], Verdict::Allow),
                // What the C library tries on every look-up of a user, a group or a name, exactly
                // as it tries it: nobody wants to hear of those.
                when(vec![is(0, &[NETLINK])], REFUSED),
                when(vec![is(0, &[UNIX]), is(1, &[STREAM | CLOSE_ON_EXEC | NONBLOCKING])], REFUSED),
                when(
                    vec![is(0, &INTERNET), is(1, &[DATAGRAM | CLOSE_ON_EXEC]), is(2, &[0])],
                    REFUSED,
                ),
                // Go tries it for each listener.
                when(vec![is(0, &INTERNET), kind(&[STREAM]), is(2, &[MPTCP])], REFUSED),
            ],
            told,
            "there are TCP sockets alone",
        ),
        tested(
            &["socketpair"],
            Duty::Socket,
            // No datagrams: such a pair can send to any path. Streams and sequenced packets cannot.
            vec![when(vec![is(0, &[UNIX]), kind(&[STREAM, SEQUENCED])], Verdict::Allow)],
            told,
            "there are pairs of UNIX streams alone",
        ),
        tested(
            &["sendto", "sendmmsg"],
            Duty::Refuse,
            vec![when(vec![has(3, FAST_OPEN)], told)],
            Verdict::Allow,
            "MSG_FASTOPEN connects without connect",
        ),
        tested(
            &["sendmsg"],
            Duty::Refuse,
            vec![when(vec![has(2, FAST_OPEN)], told)],
            Verdict::Allow,
            "MSG_FASTOPEN connects without connect",
        ),
        set_socket_option(),
    ]
}

/// Options of sockets: those that programs use, and none that sends elsewhere.
///
/// What is missing on purpose: `TCP_FASTOPEN_CONNECT` (30) connects without connect, `TCP_ULP` (31)
/// makes another kind of socket, `IP_OPTIONS` (4) routes by addresses of its own, `IPV6_RTHDR` as
/// well, `SO_BINDTODEVICE` (25), `SO_BINDTOIFINDEX` (62) and `IP_UNICAST_IF` (50) choose the way,
/// `SO_ATTACH_FILTER` and its like (26, 50, 51, 52) load programs, `TCP_REPAIR` (19) makes
/// connections out of nothing.
fn set_socket_option() -> Entry {
    let level =
        |level: u32, names: &[u32]| when(vec![is(1, &[level]), is(2, names)], Verdict::Allow);
    let no_such_option = Verdict::Errno(libc::ENOPROTOOPT as u16);
    tested(
        &["setsockopt"],
        Duty::Refuse,
        vec![
            // SOL_SOCKET: REUSEADDR, BROADCAST, SNDBUF, RCVBUF, KEEPALIVE, OOBINLINE, PRIORITY,
            // LINGER, REUSEPORT, PASSCRED, RCVLOWAT, SNDLOWAT, RCVTIMEO, SNDTIMEO, TIMESTAMP,
            // PASSSEC, TIMESTAMPNS, BUSY_POLL, INCOMING_CPU, ZEROCOPY, RCVTIMEO_NEW, SNDTIMEO_NEW,
            // PASSPIDFD.
            level(
                1,
                &[
                    2, 6, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19, 20, 21, 29, 34, 35, 46, 49, 60, 66,
                    67, 76,
                ],
            ),
            // IPPROTO_TCP: NODELAY, MAXSEG, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2,
            // DEFER_ACCEPT, WINDOW_CLAMP, QUICKACK, CONGESTION, THIN_LINEAR_TIMEOUTS, THIN_DUPACK,
            // USER_TIMEOUT, FASTOPEN (of a listener), TIMESTAMP, NOTSENT_LOWAT, INQ, TX_DELAY.
            level(6, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 18, 23, 24, 25, 36, 37]),
            // IPPROTO_IP: TOS, TTL, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, BIND_ADDRESS_NO_PORT.
            level(0, &[1, 2, 10, 11, 12, 13, 24]),
            // IPPROTO_IPV6: UNICAST_HOPS, MTU_DISCOVER, RECVERR, V6ONLY, TCLASS.
            level(41, &[16, 23, 25, 26, 67]),
            when(vec![is(1, &[6]), is(2, &[19, 30, 31])], REFUSED),
            when(vec![is(1, &[0]), is(2, &[4, 50])], REFUSED),
            when(vec![is(1, &[1]), is(2, &[25, 26, 50, 51, 52, 62])], REFUSED),
        ],
        no_such_option,
        "options are allowed by name: none that connects, chooses another way, or loads a program",
    )
}

/// What is allowed because it stays in the sandbox's own namespaces.
fn namespace(told: Verdict) -> Vec<Entry> {
    let mut entries = vec![
        tested(
            &["chmod", "fchmod"],
            Duty::Refuse,
            vec![when(vec![has(1, SET_UID | SET_GID)], told)],
            Verdict::Allow,
            "a setuid program would act for its owner outside",
        ),
        tested(
            &["fchmodat", "fchmodat2"],
            Duty::Refuse,
            vec![when(vec![has(2, SET_UID | SET_GID)], told)],
            Verdict::Allow,
            "a setuid program would act for its owner outside",
        ),
    ];
    if told == Verdict::Notify {
        entries.push(Entry {
            names: &["connect"],
            rule: always(Verdict::Notify),
            duty: Duty::Connect,
            why: "there is no network but the sandbox's own loopback, with its gates",
        });
    }
    entries
}

/// What namespaces hold in the other tier.
fn fallback(told: Verdict) -> Vec<Entry> {
    let asked = |names, duty, why| Entry { names, rule: always(Verdict::Notify), duty, why };
    let unless_own = |names, who: u8, why| {
        let own = vec![when(vec![is(who, &[0])], Verdict::Allow)];
        tested(names, Duty::Foreign, own, Verdict::Notify, why)
    };
    vec![
        asked(&["connect"], Duty::Connect, "connections are made by the launcher, to gates alone"),
        tested(
            &["bind", "listen"],
            Duty::Listen,
            Vec::new(),
            told,
            "the network is the machine's own in the fallback tier: nothing may listen on it",
        ),
        entry(
            &[
                "shmget",
                "shmat",
                "shmctl",
                "msgget",
                "msgsnd",
                "msgrcv",
                "msgctl",
                "semget",
                "semop",
                "semtimedop",
                "semctl",
                "mq_open",
                "mq_unlink",
            ],
            told,
            "System V and POSIX queues and memory are the machine's own in the fallback tier",
        ),
        asked(
            &["chmod", "fchmod", "fchmodat", "fchmodat2"],
            Duty::Metadata,
            "modes are changed by the launcher, where files may be written",
        ),
        asked(
            &["chown", "lchown", "fchown", "fchownat", "utime", "utimes", "futimesat", "utimensat"],
            Duty::Metadata,
            "owners and times are changed by the launcher, where files may be written",
        ),
        entry(
            &[
                "setxattr",
                "lsetxattr",
                "fsetxattr",
                "setxattrat",
                "removexattr",
                "lremovexattr",
                "fremovexattr",
                "removexattrat",
                // To read those of a file that is open is left: it was opened under the rules.
                "getxattr",
                "lgetxattr",
                "getxattrat",
                "listxattr",
                "llistxattr",
                "listxattrat",
            ],
            UNSUPPORTED,
            "no rule covers extended attributes in the fallback tier",
        ),
        unless_own(
            &[
                "prlimit64",
                "sched_setaffinity",
                "sched_setscheduler",
                "sched_setparam",
                "sched_setattr",
                "migrate_pages",
                "move_pages",
            ],
            0,
            "concerns other processes, which can be seen in the fallback tier",
        ),
        tested(
            &["setpriority"],
            Duty::Foreign,
            // PRIO_PROCESS.
            vec![when(vec![is(0, &[0]), is(1, &[0])], Verdict::Allow)],
            Verdict::Notify,
            "concerns other processes, which can be seen in the fallback tier",
        ),
        tested(
            &["ioprio_set"],
            Duty::Foreign,
            // IOPRIO_WHO_PROCESS.
            vec![when(vec![is(0, &[1]), is(1, &[0])], Verdict::Allow)],
            Verdict::Notify,
            "concerns other processes, which can be seen in the fallback tier",
        ),
    ]
}

/// Calls that name files: nothing here refuses but for setuid files; they may be watched.
fn files(watch: Watch) -> Vec<Entry> {
    // O_CREAT and __O_TMPFILE: only with one of them there is a mode.
    const MAKES: u32 = 0o100 | 0o20_000_000;
    let seen = if watch == Watch::Everything { Verdict::Notify } else { Verdict::Allow };
    let watched = |names, clauses| {
        tested(names, Duty::Files, clauses, seen, "a setuid file would act for its owner outside")
    };
    let with_mode = |tests: Vec<Test>| vec![when(tests, REFUSED)];
    vec![
        watched(&["open"], with_mode(vec![has(1, MAKES), has(2, SET_UID | SET_GID)])),
        watched(&["openat"], with_mode(vec![has(2, MAKES), has(3, SET_UID | SET_GID)])),
        watched(&["creat", "mknod"], with_mode(vec![has(1, SET_UID | SET_GID)])),
        watched(&["mknodat"], with_mode(vec![has(2, SET_UID | SET_GID)])),
        // AT_EMPTY_PATH.
        tested(
            &["execveat"],
            Duty::Files,
            vec![when(vec![has(4, 0x1000)], REFUSED)],
            seen,
            "executes a file without a path, which no rule covers",
        ),
        watched(
            &[
                "execve",
                "mkdir",
                "mkdirat",
                "rename",
                "renameat",
                "renameat2",
                "unlink",
                "unlinkat",
                "rmdir",
                "link",
                "linkat",
                "symlink",
                "symlinkat",
                "truncate",
            ],
            Vec::new(),
        ),
    ]
}
