//! Attempts on other processes.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use super::answer;

/// Who may trace this process where the kernel asks (Yama): any process of the same user.
pub fn let_anybody_trace() -> io::Result<()> {
    // SAFETY: prctl with these arguments reads no memory.
    answer(libc::c_long::from(unsafe {
        libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0)
    }))
    .map(drop)
}

/// A process's I/O class and priority, as one number.
pub fn io_priority(process: i32) -> io::Result<i64> {
    // SAFETY: ioprio_get takes numbers alone; 1 is IOPRIO_WHO_PROCESS.
    answer(unsafe { libc::syscall(libc::SYS_ioprio_get, 1, process) })
}

/// Puts a process into the idle I/O class.
pub fn set_io_priority(process: i32) -> io::Result<()> {
    // SAFETY: ioprio_set takes numbers alone; class 3 (idle) stands in the top bits.
    answer(unsafe { libc::syscall(libc::SYS_ioprio_set, 1, process, 3 << 13) }).map(drop)
}

/// Attaches to a process as a debugger does, and lets go of it.
pub fn trace(process: i32) -> io::Result<()> {
    // SAFETY: PTRACE_SEIZE with no options reads and writes no memory of ours.
    answer(unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, 0usize, 0usize) })?;
    // SAFETY: as above. It fails where the process is not stopped; the end of ours lets go of it.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, process, 0usize, 0usize) };
    Ok(())
}

/// Reads another process's memory.
pub fn read_memory(process: i32, address: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; length.min(4096)];
    let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let theirs = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: `ours` describes `bytes`, which lives past the call; the other address is looked up in
    // the other process alone.
    let read =
        unsafe { libc::process_vm_readv(process, &raw const ours, 1, &raw const theirs, 1, 0) };
    let read = answer(read as libc::c_long)?;
    bytes.truncate(read as usize);
    Ok(bytes)
}

/// Writes another process's memory.
pub fn write_memory(process: i32, address: u64, bytes: &[u8]) -> io::Result<usize> {
    let ours = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let theirs = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: `ours` describes `bytes` and is only read; the other address is looked up in the other
    // process alone.
    let written =
        unsafe { libc::process_vm_writev(process, &raw const ours, 1, &raw const theirs, 1, 0) };
    answer(written as libc::c_long).map(|written| written as usize)
}

/// Ways to send a signal that the standard library and rustix have no function for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalling {
    /// `kill` with a process or, negative, a group.
    Kill,
    /// `tkill`.
    Thread,
    /// `tgkill`.
    ThreadOfGroup,
    /// `rt_sigqueueinfo`.
    Queue,
    /// `rt_tgsigqueueinfo`.
    QueueToThread,
}

/// Sends a signal.
pub fn signal(how: Signalling, process: i32, signal: i32) -> io::Result<()> {
    let mut info = [0u64; 16];
    // si_signo; si_code -1 (SI_QUEUE) stands in the upper half of the second word's lower part.
    info[0] = u64::from(signal.unsigned_abs());
    info[1] = u64::from((-1i32).cast_unsigned());
    let info = info.as_ptr();
    // SAFETY: 128 bytes of `info`, a siginfo_t's size, are read and live past each call; all other
    // arguments are numbers.
    let value = unsafe {
        match how {
            Signalling::Kill => libc::syscall(libc::SYS_kill, process, signal),
            Signalling::Thread => libc::syscall(libc::SYS_tkill, process, signal),
            Signalling::ThreadOfGroup => libc::syscall(libc::SYS_tgkill, process, process, signal),
            Signalling::Queue => libc::syscall(libc::SYS_rt_sigqueueinfo, process, signal, info),
            Signalling::QueueToThread => {
                libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, process, signal, info)
            }
        }
    };
    answer(value).map(drop)
}

/// Lets this process live on when it is sent a signal.
pub fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: SIG_IGN is no function of ours that could be run.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the kernel send `signal` to `process` whenever `fd` can be read.
pub fn set_owner(fd: BorrowedFd<'_>, process: i32, signal: i32) -> io::Result<()> {
    const F_SETSIG: i32 = 10;
    let fd = fd.as_raw_fd();
    // SAFETY: these commands of fcntl take numbers alone.
    unsafe {
        answer(libc::c_long::from(libc::fcntl(fd, F_SETSIG, signal)))?;
        answer(libc::c_long::from(libc::fcntl(fd, libc::F_SETOWN, process)))?;
        answer(libc::c_long::from(libc::fcntl(
            fd,
            libc::F_SETFL,
            libc::O_ASYNC | libc::O_NONBLOCK,
        )))?;
    }
    Ok(())
}

/// Puts another process under the batch scheduler.
pub fn set_scheduler(process: i32) -> io::Result<()> {
    let parameter: libc::sched_param = libc::sched_param { sched_priority: 0 };
    // SAFETY: `parameter` is read alone and lives past the call.
    let value = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            process,
            libc::SCHED_BATCH,
            &raw const parameter,
        )
    };
    answer(value).map(drop)
}

/// Asks whether two processes share something: needs the right to trace both.
pub fn compare(one: i32, other: i32) -> io::Result<i64> {
    // SAFETY: kcmp takes numbers alone; 1 is KCMP_VM.
    answer(unsafe { libc::syscall(libc::SYS_kcmp, one, other, 1, 0, 0) })
}

/// Asks where pages of another process lie.
pub fn pages_of(process: i32) -> io::Result<i64> {
    // SAFETY: with a count of 0 no memory is read or written.
    answer(unsafe {
        libc::syscall(libc::SYS_move_pages, process, 0usize, 0usize, 0usize, 0usize, 0)
    })
}

/// Advises the kernel to take a page of another process out of memory.
pub fn advise(pidfd: BorrowedFd<'_>, address: u64) -> io::Result<i64> {
    let page = libc::iovec { iov_base: (address & !0xfff) as *mut libc::c_void, iov_len: 4096 };
    // SAFETY: `page` is read alone and lives past the call; its address is the other process's. The
    // advice (MADV_COLD) changes no content.
    answer(unsafe {
        libc::syscall(libc::SYS_process_madvise, pidfd.as_raw_fd(), &raw const page, 1, 20, 0)
    })
}

/// Asks for another process's list of robust futexes.
pub fn robust_list(process: i32) -> io::Result<u64> {
    let mut head = 0u64;
    let mut length = 0usize;
    // SAFETY: both are written, have the sizes that the kernel writes, and live past the call.
    answer(unsafe {
        libc::syscall(libc::SYS_get_robust_list, process, &raw mut head, &raw mut length)
    })?;
    Ok(head)
}

/// The same as [`set_owner`] by ioctl, which no filter of fcntl sees.
pub fn set_owner_by_ioctl(fd: BorrowedFd<'_>, process: i32, signal: i32) -> io::Result<()> {
    const F_SETSIG: i32 = 10;
    const FIOSETOWN: u64 = 0x8901;
    let number = fd.as_raw_fd();
    // SAFETY: fcntl takes numbers alone; FIOSETOWN reads one number, which outlives the call.
    unsafe {
        answer(libc::c_long::from(libc::fcntl(number, F_SETSIG, signal)))?;
        answer(libc::syscall(libc::SYS_ioctl, number, FIOSETOWN, &raw const process))?;
        answer(libc::c_long::from(libc::fcntl(number, libc::F_SETFL, libc::O_ASYNC)))?;
    }
    Ok(())
}

/// Signals this process's own group by its pidfd (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9).
pub fn signal_group(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is not read; the rest are numbers.
    answer(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, 0usize, 4)
    })
    .map(drop)
}

/// Puts this process under the real-time scheduler.
pub fn real_time() -> io::Result<()> {
    let parameter: libc::sched_param = libc::sched_param { sched_priority: 1 };
    // SAFETY: `parameter` is read alone and lives past the call.
    let value = unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const parameter)
    };
    answer(value).map(drop)
}

/// Makes a child that does nothing and ends; the number of children made until one could not be.
/// All are reaped before this returns.
pub fn fork_until_refused(most: usize) -> (usize, Option<io::Error>) {
    let mut children = Vec::new();
    let mut refused = None;
    while children.len() < most {
        // SAFETY: the child makes one call, which is async-signal-safe, and is then killed.
        match unsafe { libc::fork() } {
            -1 => {
                refused = Some(io::Error::last_os_error());
                break;
            }
            0 => loop {
                // SAFETY: waits for a signal; touches no memory.
                unsafe { libc::pause() };
            },
            child => children.push(child),
        }
    }
    for child in &children {
        // SAFETY: numbers alone; the child is ours and not yet reaped, so the number is its own.
        unsafe { libc::kill(*child, libc::SIGKILL) };
    }
    for child in &children {
        // SAFETY: a null status is not written.
        unsafe { libc::waitpid(*child, std::ptr::null_mut(), 0) };
    }
    (children.len(), refused)
}

/// Makes a process of a session of its own that makes a child and ends, as does its child, again and
/// again: whoever wants to end it must be quicker. The last, after `time`, runs `then`. The calling
/// process must have one thread.
pub fn hopping_daemon(time: Duration, then: fn()) -> io::Result<()> {
    let started = Instant::now();
    daemon_with(move || {
        while started.elapsed() < time {
            // SAFETY: this process has one thread, so that the child may go on as any program.
            if unsafe { libc::fork() } != 0 {
                return;
            }
        }
        then();
    })
}

/// Makes a grandchild in a session of its own, as a daemon does, which runs `then` and ends. The
/// calling process must have one thread.
pub fn daemon(then: fn()) -> io::Result<()> {
    daemon_with(then)
}

fn daemon_with(then: impl FnOnce()) -> io::Result<()> {
    // SAFETY: this process has one thread, so that the child may go on as any program; it never
    // returns from here.
    match answer(libc::c_long::from(unsafe { libc::fork() }))? {
        0 => {
            // SAFETY: numbers alone.
            unsafe { libc::setsid() };
            // SAFETY: as for the first.
            if unsafe { libc::fork() } == 0 {
                then();
            }
            // SAFETY: ends the process and runs nothing of it.
            unsafe { libc::_exit(0) }
        }
        child => {
            // SAFETY: a null status is not written.
            unsafe { libc::waitpid(child as i32, std::ptr::null_mut(), 0) };
            Ok(())
        }
    }
}
