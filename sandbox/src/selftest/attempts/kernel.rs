//! Attempts on system calls that an agent has no use for.

use std::os::fd::AsFd as _;

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::kernel::{self as raw, Knock};
use crate::sys::attempts::{files, memory, ring};

const NO_SUCH_CALL: Expect = Expect::held(&[by::SECCOMP]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
) -> Attempt {
    let group = Group::Kernel;
    Attempt { name, group, what, run, shows: Shows::Report, expect: NO_SUCH_CALL }
}

/// A call by its number alone.
macro_rules! knock {
    ($name:literal, $what:literal, $knock:ident) => {
        attempt($name, $what, |_| Knock::$knock.make().at($name))
    };
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("io-uring", "make an io_uring", |_| done(ring::make().at("io_uring_setup"))),
    attempt("io-uring-enter", "enter an io_uring that was handed on", |stage| {
        let number =
            stage.descriptor_ring.ok_or_else(|| Refusal::absent("the kernel has no io_uring"))?;
        let fd = files::copy_of_descriptor(number).at("the descriptor")?;
        done(ring::enter(fd.as_fd()).at("io_uring_enter"))
    })
    .expecting(Expect::held(&[by::DESCRIPTORS, by::SECCOMP])),
    attempt("io-uring-register", "register with an io_uring that was handed on", |stage| {
        let number =
            stage.descriptor_ring.ok_or_else(|| Refusal::absent("the kernel has no io_uring"))?;
        let fd = files::copy_of_descriptor(number).at("the descriptor")?;
        done(ring::register(fd.as_fd()).at("io_uring_register"))
    })
    .expecting(Expect::held(&[by::DESCRIPTORS, by::SECCOMP])),
    attempt("foreign-architecture", "make a call of 32-bit programs (int 0x80)", |_| {
        done(raw::foreign_architecture().at("int 0x80"))
    }),
    attempt("x32", "make a call by its number of the x32 table", |_| done(raw::x32().at("getpid"))),
    attempt("keyctl", "ask for a keyring of the kernel's", |_| Knock::KEYCTL.make().at("keyctl")),
    attempt("add-key", "put a key into a keyring of the kernel's", |_| {
        done(raw::add_key().at("add_key"))
    }),
    knock!("request_key", "ask for a key of the kernel's", REQUEST_KEY),
    attempt("bpf", "make a map for the kernel's virtual machine", |_| {
        done(raw::bpf_map().at("bpf"))
    }),
    knock!("bpf-unknown", "make a call of the kernel's virtual machine that there is none of", BPF),
    attempt("perf", "count what this process does", |_| {
        done(raw::performance_counter().at("perf_event_open"))
    }),
    attempt("userfaultfd", "handle faults of memory", |_| done(raw::userfault().at("userfaultfd"))),
    attempt("userfaultfd-device", "handle faults of memory by /dev/userfaultfd", |_| {
        done(std::fs::File::open("/dev/userfaultfd").at("open"))
    })
    .expecting(Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK])),
    attempt(
        "seccomp-listener",
        "answer the calls of one's own children in the kernel's place",
        |_| done(raw::listening_filter().at("seccomp")),
    ),
    attempt("memfd-exec", "execute a program from memory alone (memfd, execveat)", |_| {
        use std::io::Write as _;
        let program = std::fs::read("/bin/true").at("read a program")?;
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = rustix::fs::memfd_create("program", flags).at("memfd_create")?;
        let mut file = std::fs::File::from(file);
        file.write_all(&program).at("write")?;
        done(memory::execute(file.as_fd(), "x").at("execveat"))
    })
    .expecting(NO_SUCH_CALL),
    attempt("workspace-exec", "execute a program that was written to the workspace", |stage| {
        let program = stage.workspace.join("program");
        std::fs::copy("/bin/true", &program).at("copy")?;
        done(std::process::Command::new(program).status().at("execute"))
    })
    .expecting(Expect::gap("an agent may run what it writes; it is confined as any other")),
    knock!("kexec_load", "start another kernel (kexec_load)", KEXEC_LOAD),
    knock!("kexec_file_load", "start another kernel (kexec_file_load)", KEXEC_FILE_LOAD),
    knock!("init_module", "load a module into the kernel (init_module)", INIT_MODULE),
    knock!("finit_module", "load a module into the kernel (finit_module)", FINIT_MODULE),
    knock!("delete_module", "remove a module from the kernel", DELETE_MODULE),
    knock!("swapon", "add swap space", SWAPON),
    knock!("swapoff", "remove swap space", SWAPOFF),
    knock!("reboot", "reboot", REBOOT),
    knock!("settimeofday", "set the clock (settimeofday)", SET_TIME_OF_DAY),
    knock!("clock_settime", "set the clock (clock_settime)", CLOCK_SETTIME),
    knock!("acct", "turn on process accounting", ACCT),
    knock!("quotactl", "change disk quotas", QUOTACTL),
    knock!("syslog", "read the kernel's log", SYSLOG),
    knock!("vhangup", "hang up the terminal", VHANGUP),
    knock!("sethostname", "change the host's name", SET_HOST_NAME),
    knock!("setdomainname", "change the host's domain", SET_DOMAIN_NAME),
    knock!("fanotify_init", "watch whole file systems", FANOTIFY),
    knock!("lookup_dcookie", "look up paths by the profiler's cookies", LOOKUP_COOKIE),
    #[cfg(target_arch = "x86_64")]
    knock!("iopl", "reach the machine's ports (iopl)", IOPL),
    #[cfg(target_arch = "x86_64")]
    knock!("ioperm", "reach the machine's ports (ioperm)", IOPERM),
    #[cfg(target_arch = "x86_64")]
    knock!("modify_ldt", "change the processor's segments", MODIFY_LDT),
];

fn done<T>(result: Result<T, Refusal>) -> Result<String, Refusal> {
    result.map(|_| "done".to_owned())
}
