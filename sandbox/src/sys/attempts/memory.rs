//! Attempts on memory that is shared, or that a program is started from.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::answer;

/// Makes a System V shared memory segment with `text` in it: its number.
pub fn make_segment(text: &[u8]) -> io::Result<i32> {
    // SAFETY: takes numbers alone.
    let segment = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o600) };
    answer(libc::c_long::from(segment))?;
    with_segment(segment, 0, |bytes| {
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
    })?;
    Ok(segment)
}

/// What stands in a System V shared memory segment.
pub fn read_segment(segment: i32) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    with_segment(segment, libc::SHM_RDONLY, |bytes| {
        text = bytes.iter().copied().take_while(|byte| *byte != 0).collect();
    })?;
    Ok(text)
}

/// Marks a segment to be removed.
pub fn remove_segment(segment: i32) -> io::Result<()> {
    // SAFETY: IPC_RMID uses no buffer.
    answer(libc::c_long::from(unsafe {
        libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut())
    }))
    .map(drop)
}

fn with_segment(segment: i32, flags: i32, act: impl FnOnce(&mut [u8])) -> io::Result<()> {
    // SAFETY: the kernel chooses an address where nothing lies.
    let address = unsafe { libc::shmat(segment, std::ptr::null(), flags) };
    if address.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::SHM_RDONLY == 0 {
        // SAFETY: a segment is at least a page, which lies at `address` until it is detached below,
        // and may be written.
        act(unsafe { std::slice::from_raw_parts_mut(address.cast(), 4096) });
    } else {
        // SAFETY: as above; the page is only read, and copied first.
        let mut copy = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), 4096) }.to_vec();
        act(&mut copy);
    }
    // SAFETY: `address` was attached above, and nothing refers to it any more.
    answer(libc::c_long::from(unsafe { libc::shmdt(address) })).map(drop)
}

/// Makes a System V shared memory segment by its key.
pub fn named_segment(key: i32) -> io::Result<()> {
    // SAFETY: takes numbers alone.
    answer(libc::c_long::from(unsafe { libc::shmget(key, 4096, libc::IPC_CREAT | 0o600) }))
        .map(drop)
}

/// Makes a System V semaphore set by its key.
pub fn named_semaphores(key: i32) -> io::Result<()> {
    // SAFETY: takes numbers alone.
    answer(libc::c_long::from(unsafe { libc::semget(key, 1, libc::IPC_CREAT | 0o600) })).map(drop)
}

/// Makes a System V message queue by its key.
pub fn named_messages(key: i32) -> io::Result<()> {
    // SAFETY: takes numbers alone.
    answer(libc::c_long::from(unsafe { libc::msgget(key, libc::IPC_CREAT | 0o600) })).map(drop)
}

/// Whether there is a segment, a semaphore set or a queue with this key. All are removed.
pub fn take_named(key: i32) -> bool {
    // SAFETY: all take numbers alone; IPC_RMID uses no buffer.
    unsafe {
        let segment = libc::shmget(key, 0, 0);
        let semaphores = libc::semget(key, 0, 0);
        let messages = libc::msgget(key, 0);
        if segment != -1 {
            libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut());
        }
        if semaphores != -1 {
            libc::semctl(semaphores, 0, libc::IPC_RMID);
        }
        if messages != -1 {
            libc::msgctl(messages, libc::IPC_RMID, std::ptr::null_mut());
        }
        segment != -1 || semaphores != -1 || messages != -1
    }
}

/// Makes a POSIX message queue and puts `text` into it.
pub fn make_queue(name: &str, text: &[u8]) -> io::Result<()> {
    let name = CString::new(name).map_err(io::Error::other)?;
    // SAFETY: `name` ends with a zero; the default attributes are asked for; `text` is read with its
    // length. The descriptor is closed once.
    unsafe {
        let queue = libc::mq_open(
            name.as_ptr(),
            libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC,
            0o600,
            std::ptr::null_mut::<libc::mq_attr>(),
        );
        answer(libc::c_long::from(queue))?;
        let sent =
            answer(libc::c_long::from(libc::mq_send(queue, text.as_ptr().cast(), text.len(), 0)));
        libc::mq_close(queue);
        sent.map(drop)
    }
}

/// Takes a message from a POSIX message queue.
pub fn read_queue(name: &str) -> io::Result<Vec<u8>> {
    let name = CString::new(name).map_err(io::Error::other)?;
    let mut text = vec![0u8; 65_536];
    // SAFETY: `name` ends with a zero; `text` is written with its length. The descriptor is closed
    // once.
    let length = unsafe {
        let queue = libc::mq_open(name.as_ptr(), libc::O_RDONLY | libc::O_NONBLOCK);
        answer(libc::c_long::from(queue))?;
        let received = answer(libc::mq_receive(
            queue,
            text.as_mut_ptr().cast(),
            text.len(),
            std::ptr::null_mut(),
        ) as libc::c_long);
        libc::mq_close(queue);
        received?
    };
    text.truncate(length as usize);
    Ok(text)
}

/// Removes a POSIX message queue.
pub fn remove_queue(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(io::Error::other)?;
    // SAFETY: `name` ends with a zero.
    answer(libc::c_long::from(unsafe { libc::mq_unlink(name.as_ptr()) })).map(drop)
}

/// Starts the program in an open file (`execveat` with an empty path) as a child: its exit status.
pub fn execute(program: BorrowedFd<'_>, argument: &str) -> io::Result<i32> {
    let argument = CString::new(argument).map_err(io::Error::other)?;
    let arguments = [c"program".as_ptr(), argument.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    let program = program.as_raw_fd();
    // SAFETY: between fork and exec the child makes calls alone that are async-signal-safe; all that
    // they read was made before.
    let child = answer(libc::c_long::from(unsafe { libc::fork() }))?;
    if child == 0 {
        // SAFETY: as above; the lists end with a null, the strings with a zero.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                program,
                c"".as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            );
            let error = *libc::__errno_location();
            libc::_exit(if error == libc::EPERM {
                100
            } else if error == libc::EACCES {
                101
            } else {
                102
            })
        }
    }
    let mut status = 0;
    // SAFETY: `status` is written and outlives the call.
    answer(libc::c_long::from(unsafe { libc::waitpid(child as i32, &raw mut status, 0) }))?;
    match libc::WEXITSTATUS(status) {
        100 => Err(io::Error::from_raw_os_error(libc::EPERM)),
        101 => Err(io::Error::from_raw_os_error(libc::EACCES)),
        102 => Err(io::Error::from_raw_os_error(libc::ENOEXEC)),
        code => Ok(code),
    }
}

/// Takes `length` bytes of memory and keeps them until this process ends.
pub fn reserve(length: usize) -> io::Result<()> {
    // SAFETY: the kernel chooses an address where nothing lies.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    for page in (0..length).step_by(4096) {
        // SAFETY: within the memory that was just mapped for writing.
        unsafe { address.cast::<u8>().add(page).write_volatile(1) };
    }
    Ok(())
}
