//! Attempts on system calls that an agent has no use for.
//!
//! Most are a [`Knock`]: the call with arguments that it cannot carry out. What the kernel answers
//! tells whether the call itself was reached, and nothing is changed by it.

use std::io;
use std::mem::size_of;
use std::os::fd::{FromRawFd as _, OwnedFd};

use super::answer;

/// A system call with arguments that are harmless to this process and to the machine.
#[derive(Debug, Clone, Copy)]
pub struct Knock {
    number: libc::c_long,
    arguments: [usize; 4],
    /// Answers other than success that show that the call was reached.
    reached: &'static [i32],
}

const fn knock(number: libc::c_long, arguments: [usize; 4], reached: &'static [i32]) -> Knock {
    Knock { number, arguments, reached }
}

/// No file.
const NONE: usize = usize::MAX;

#[expect(missing_docs, reason = "each is the system call of its name")]
impl Knock {
    pub const KEXEC_LOAD: Self = knock(libc::SYS_kexec_load, [0, 17, 0, 0], &[libc::EINVAL]);
    pub const KEXEC_FILE_LOAD: Self =
        knock(libc::SYS_kexec_file_load, [NONE, NONE, 0, 0], &[libc::EINVAL, libc::EBADF]);
    pub const INIT_MODULE: Self =
        knock(libc::SYS_init_module, [0, 0, 0, 0], &[libc::EFAULT, libc::ENOEXEC]);
    pub const FINIT_MODULE: Self =
        knock(libc::SYS_finit_module, [NONE, 0, 0, 0], &[libc::EBADF, libc::EFAULT]);
    pub const DELETE_MODULE: Self =
        knock(libc::SYS_delete_module, [0, 0, 0, 0], &[libc::EFAULT, libc::ENOENT]);
    pub const SWAPON: Self = knock(libc::SYS_swapon, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const SWAPOFF: Self = knock(libc::SYS_swapoff, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const REBOOT: Self = knock(libc::SYS_reboot, [0, 0, 0, 0], &[libc::EINVAL]);
    pub const SET_TIME_OF_DAY: Self = knock(libc::SYS_settimeofday, [0, 0, 0, 0], &[]);
    // CLOCK_MONOTONIC, which nobody can set.
    pub const CLOCK_SETTIME: Self = knock(libc::SYS_clock_settime, [1, 0, 0, 0], &[libc::EINVAL]);
    pub const ACCT: Self = knock(libc::SYS_acct, [1, 0, 0, 0], &[libc::EFAULT]);
    pub const QUOTACTL: Self =
        knock(libc::SYS_quotactl, [NONE, 0, 0, 0], &[libc::EINVAL, libc::ENODEV]);
    // SYSLOG_ACTION_SIZE_BUFFER
    pub const SYSLOG: Self = knock(libc::SYS_syslog, [10, 0, 0, 0], &[]);
    pub const VHANGUP: Self = knock(libc::SYS_vhangup, [0, 0, 0, 0], &[]);
    pub const SET_HOST_NAME: Self = knock(libc::SYS_sethostname, [0, NONE, 0, 0], &[libc::EINVAL]);
    pub const SET_DOMAIN_NAME: Self =
        knock(libc::SYS_setdomainname, [0, NONE, 0, 0], &[libc::EINVAL]);
    pub const SET_NAMESPACE: Self = knock(libc::SYS_setns, [NONE, 0, 0, 0], &[libc::EBADF]);
    pub const MOUNT: Self = knock(libc::SYS_mount, [0, 0, 0, 0], &[libc::EFAULT, libc::ENOENT]);
    pub const UNMOUNT: Self = knock(libc::SYS_umount2, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const PIVOT_ROOT: Self = knock(libc::SYS_pivot_root, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const OPEN_TREE: Self =
        knock(libc::SYS_open_tree, [NONE, 0, 1, 0], &[libc::EFAULT, libc::EBADF]);
    pub const MOVE_MOUNT: Self =
        knock(libc::SYS_move_mount, [NONE, 0, NONE, 0], &[libc::EFAULT, libc::EBADF, libc::EINVAL]);
    pub const FSOPEN: Self = knock(libc::SYS_fsopen, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const FSCONFIG: Self =
        knock(libc::SYS_fsconfig, [NONE, 0, 0, 0], &[libc::EINVAL, libc::EBADF]);
    pub const FSMOUNT: Self = knock(libc::SYS_fsmount, [NONE, 0, 0, 0], &[libc::EBADF]);
    pub const FSPICK: Self = knock(libc::SYS_fspick, [NONE, 0, 0, 0], &[libc::EFAULT]);
    pub const MOUNT_SETATTR: Self =
        knock(libc::SYS_mount_setattr, [NONE, 0, 0, 0], &[libc::EINVAL, libc::EFAULT, libc::EBADF]);
    // Since Linux 6.15; before it, ENOSYS.
    pub const OPEN_TREE_ATTR: Self =
        knock(467, [NONE, 0, 0, 0], &[libc::EINVAL, libc::EFAULT, libc::EBADF]);
    pub const FANOTIFY: Self = knock(libc::SYS_fanotify_init, [NONE, 0, 0, 0], &[libc::EINVAL]);
    pub const LOOKUP_COOKIE: Self = knock(libc::SYS_lookup_dcookie, [0, 0, 0, 0], &[libc::EINVAL]);
    // A clone3 whose arguments' size is told as 0.
    pub const CLONE3: Self = knock(libc::SYS_clone3, [0, 0, 0, 0], &[libc::EINVAL]);
    pub const BPF: Self = knock(libc::SYS_bpf, [NONE & 0xffff, 0, 0, 0], &[libc::EINVAL]);
    // With the keyring of this session: asks for its number.
    pub const KEYCTL: Self =
        knock(libc::SYS_keyctl, [0, (-3isize).cast_unsigned(), 0, 0], &[libc::ENOKEY]);
    pub const ADD_KEY: Self = knock(libc::SYS_add_key, [0, 0, 0, 0], &[libc::EFAULT]);
    pub const REQUEST_KEY: Self = knock(libc::SYS_request_key, [0, 0, 0, 0], &[libc::EFAULT]);
    #[cfg(target_arch = "x86_64")]
    pub const IOPL: Self = knock(libc::SYS_iopl, [3, 0, 0, 0], &[]);
    #[cfg(target_arch = "x86_64")]
    pub const IOPERM: Self = knock(libc::SYS_ioperm, [0x80, 1, 1, 0], &[]);
    #[cfg(target_arch = "x86_64")]
    pub const MODIFY_LDT: Self = knock(libc::SYS_modify_ldt, [0, 0, 0, 0], &[]);
}

impl Knock {
    /// Makes the call: what shows that it was reached, or why it was not.
    pub fn make(&self) -> io::Result<String> {
        let [a, b, c, d] = self.arguments;
        // SAFETY: a `Knock` is made in this file alone, and each one's addresses are null or invalid:
        // the kernel reads and writes no memory of ours.
        let result = answer(unsafe { libc::syscall(self.number, a, b, c, d, 0usize, 0usize) });
        match result {
            Ok(_) => Ok("done".to_owned()),
            Err(error) if error.raw_os_error().is_some_and(|one| self.reached.contains(&one)) => {
                Ok("the kernel looked at its arguments".to_owned())
            }
            Err(error) => Err(error),
        }
    }
}

/// Leaves namespaces for new ones (CLONE_NEW* flags).
pub fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: CLONE_NEW* flags alone change no memory; others (files, signals) are not among them.
    answer(libc::c_long::from(unsafe { libc::unshare(flags & NAMESPACES) })).map(drop)
}

/// Makes a child in new namespaces with `clone`, which ends at once.
pub fn clone(flags: i32) -> io::Result<()> {
    let flags = (flags & NAMESPACES) | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and with no stack of its own this is a fork.
    let child = answer(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    reap(child)
}

/// Makes a child in new namespaces with `clone3`, which ends at once.
pub fn clone3(flags: i32) -> io::Result<()> {
    let mut arguments = [0u64; 8];
    arguments[0] = (flags & NAMESPACES).cast_unsigned().into();
    arguments[4] = libc::SIGCHLD.cast_unsigned().into();
    // SAFETY: `arguments` is a clone_args of the told size (CLONE_ARGS_SIZE_VER0); as a fork.
    let child = answer(unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), 64usize) })?;
    reap(child)
}

const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

fn reap(child: i64) -> io::Result<()> {
    if child == 0 {
        // SAFETY: ends the child and runs nothing of it.
        unsafe { libc::_exit(0) }
    }
    // SAFETY: a null status is not written.
    answer(libc::c_long::from(unsafe { libc::waitpid(child as i32, std::ptr::null_mut(), 0) }))
        .map(drop)
}

/// Mounts a file system without a device on a folder, by its old call.
pub fn mount_tmpfs(on: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: all strings end with a zero, and no data is given.
    let mounted = unsafe {
        libc::mount(c"none".as_ptr(), on.as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null())
    };
    answer(libc::c_long::from(mounted)).map(drop)
}

/// Makes a map in the kernel for its virtual machine.
pub fn bpf_map() -> io::Result<()> {
    let mut attributes = [0u32; 32];
    // An array (2) with keys of 4 bytes, values of 4 bytes, one entry.
    attributes[..4].copy_from_slice(&[2, 4, 4, 1]);
    // SAFETY: `attributes` has the told size and outlives the call; command 0 is BPF_MAP_CREATE.
    close(answer(unsafe { libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), 128usize) })?);
    Ok(())
}

/// Counts what this process does.
pub fn performance_counter() -> io::Result<()> {
    let mut attributes = [0u64; 16];
    // A software event (1) of 128 bytes; the CPU's clock (0); without kernel and hypervisor.
    attributes[0] = 1 | (128 << 32);
    attributes[5] = (1 << 5) | (1 << 6);
    // SAFETY: `attributes` says its own size and outlives the call.
    close(answer(unsafe {
        libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0, -1, -1, 0)
    })?);
    Ok(())
}

/// Handles faults of this process's memory itself.
pub fn userfault() -> io::Result<()> {
    // SAFETY: takes a number alone: UFFD_USER_MODE_ONLY, which a plain user may have.
    close(answer(unsafe { libc::syscall(libc::SYS_userfaultfd, 1) })?);
    Ok(())
}

/// Puts a key into this process's own keyring.
pub fn add_key() -> io::Result<i64> {
    // SAFETY: both strings end with a zero; one byte is read of the last. -2 is the process's keyring.
    answer(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            c"iron-selftest".as_ptr(),
            c"x".as_ptr(),
            1usize,
            -2,
        )
    })
}

/// Adds a seccomp filter that lets everything pass and whose listener this process would get: with it,
/// it could answer its own children's calls.
pub fn listening_filter() -> io::Result<()> {
    let allow = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: (&raw const allow).cast_mut() };
    // SAFETY: takes numbers alone.
    answer(libc::c_long::from(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }))?;
    // SAFETY: `program` describes one instruction; both outlive the call.
    let listener = answer(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    })?;
    close(listener);
    Ok(())
}

/// Makes a call of 32-bit programs (getpid), which another filter would judge.
#[cfg(target_arch = "x86_64")]
pub fn foreign_architecture() -> io::Result<i64> {
    let process: i64;
    // SAFETY: getpid (20 for i386) takes no arguments and touches no memory; what the entry may
    // overwrite is told.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20i64 => process,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    if process < 0 { Err(io::Error::from_raw_os_error(-process as i32)) } else { Ok(process) }
}

/// Makes a call by its number of the x32 table (getpid).
#[cfg(target_arch = "x86_64")]
pub fn x32() -> io::Result<i64> {
    // SAFETY: getpid takes no arguments and touches no memory.
    answer(unsafe { libc::syscall(libc::SYS_getpid | 0x4000_0000) })
}

/// There is no such architecture beside this one.
#[cfg(not(target_arch = "x86_64"))]
pub fn foreign_architecture() -> io::Result<i64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is no such table on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub fn x32() -> io::Result<i64> {
    Err(io::ErrorKind::Unsupported.into())
}

fn close(fd: i64) {
    // SAFETY: the kernel has just made it, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
}

const _: () = assert!(size_of::<usize>() == 8);
