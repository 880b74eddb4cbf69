//! What signals do to this process.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use rustix::process::Signal;

/// Signals of the usual kind: real-time ones are nobody's here.
pub fn usual() -> impl Iterator<Item = i32> {
    (1..=31).filter(|signal| !matches!(*signal, libc::SIGKILL | libc::SIGSTOP))
}

/// Whether a signal is ignored.
pub fn is_ignored(signal: i32) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action this only writes the present one to `now`, which is valid for that; all
    // zeros are a valid one where it fails.
    let now = unsafe {
        libc::sigaction(signal, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}

/// Ignores a signal.
pub fn ignore(signal: i32) {
    set(signal, libc::SIG_IGN);
}

/// Lets a signal do what it does to a process that says nothing.
pub fn restore(signal: i32) {
    set(signal, libc::SIG_DFL);
}

fn set(signal: i32, to: libc::sighandler_t) {
    // SAFETY: neither of the two that this is called with is a function, so none runs in the handler of a
    // signal. It fails only for what is no signal.
    unsafe { libc::signal(signal, to) };
}

/// Blocks these signals until [`unblock_all`]: they wait for [`next`].
pub fn block(signals: &[Signal]) -> io::Result<()> {
    change(libc::SIG_SETMASK, &set_of(signals))
}

/// Lets all signals come.
pub fn unblock_all() -> io::Result<()> {
    change(libc::SIG_SETMASK, &set_of(&[]))
}

/// Takes the next of these blocked signals, waiting for it `patience` at most.
pub fn next(signals: &[Signal], patience: Option<Duration>) -> io::Result<Option<i32>> {
    let set = set_of(signals);
    let patience = patience.map(|patience| libc::timespec {
        tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(patience.subsec_nanos()),
    });
    let patience = patience.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the set and the time are valid until the call returns; what came is not asked for.
    let signal = unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), patience) };
    if signal > 0 {
        return Ok(Some(signal));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EINTR) => Ok(None),
        _ => Err(error),
    }
}

fn set_of(signals: &[Signal]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` makes a whole set of it, and the others change that.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal.as_raw());
        }
        set.assume_init()
    }
}

fn change(how: i32, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set is valid, and the old one is not asked for.
    match unsafe { libc::sigprocmask(how, ptr::from_ref(set), ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
