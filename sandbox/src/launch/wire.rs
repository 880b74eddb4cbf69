//! What launcher, keeper and command say to each other over the socket that they share before the
//! command is executed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::layer::Layer;
use crate::sys::fds;

/// The longest message.
const LONGEST: usize = 4096;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// To the launcher: a gate's listener, by its place in the list; a file comes with it.
    Gate(usize),
    /// To the launcher: a folder that was not there was made, so that it could be protected.
    Made(String),
    /// To the launcher: a layer that may be missing is.
    Missing(Layer, String),
    /// To the launcher: all is set up.
    Ready,
    /// To the keeper: begin.
    Go,
    /// To the launcher: the command's process; its pidfd comes with it.
    Running,
    /// To the launcher: the command's seccomp listener comes with it.
    Listener,
    /// To the launcher: a layer cannot be had.
    Failed(Layer, i32, String),
    /// To the launcher: the command cannot be executed.
    NotExecuted(i32),
    /// To the launcher: the command was stopped by a signal.
    Stopped(i32),
    /// To the launcher: the command ended, with the status of `waitpid`.
    Ended(i32),
}

/// One end of the socket.
#[derive(Debug)]
pub(super) struct Wire(OwnedFd);

impl Wire {
    /// Both ends. Neither outlives an `execve`.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Says something.
    pub(super) fn say(&self, message: &Message) -> io::Result<()> {
        self.hand(message, None)
    }

    /// Says something, and hands an open file over with it.
    pub(super) fn hand(&self, message: &Message, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        fds::send(&self.0, &message.encode(), file)
    }

    /// Waits for what the other side says; none where it is gone.
    pub(super) fn hear(&self) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        let mut buffer = [0; LONGEST];
        let (length, file) = match fds::receive(&self.0, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            other => other?,
        };
        if length == 0 {
            return Ok(None);
        }
        let message = Message::decode(&buffer[..length]);
        message.map(|message| Some((message, file))).ok_or(io::ErrorKind::InvalidData.into())
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let layer = |layer: &Layer| Layer::ALL.iter().position(|one| one == layer).unwrap_or(0);
        let (kind, first, second, text) = match self {
            Self::Gate(place) => (0, *place, 0, ""),
            Self::Made(path) => (1, 0, 0, path.as_str()),
            Self::Missing(missing, why) => (2, layer(missing), 0, why.as_str()),
            Self::Ready => (3, 0, 0, ""),
            Self::Go => (4, 0, 0, ""),
            Self::Running => (5, 0, 0, ""),
            Self::Listener => (6, 0, 0, ""),
            Self::Failed(failed, errno, what) => (7, layer(failed), *errno, what.as_str()),
            Self::NotExecuted(errno) => (8, 0, *errno, ""),
            Self::Stopped(signal) => (9, 0, *signal, ""),
            Self::Ended(status) => (10, 0, *status, ""),
        };
        let mut message = vec![kind, u8::try_from(first).unwrap_or(u8::MAX)];
        message.extend(second.to_ne_bytes());
        message.extend(text.as_bytes());
        message.truncate(LONGEST);
        message
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[kind, first], rest) = bytes.split_first_chunk()?;
        let (second, text) = rest.split_first_chunk()?;
        let (number, text) =
            (i32::from_ne_bytes(*second), String::from_utf8_lossy(text).into_owned());
        let layer = || Layer::ALL.get(usize::from(first)).copied();
        Some(match kind {
            0 => Self::Gate(usize::from(first)),
            1 => Self::Made(text),
            2 => Self::Missing(layer()?, text),
            3 => Self::Ready,
            4 => Self::Go,
            5 => Self::Running,
            6 => Self::Listener,
            7 => Self::Failed(layer()?, number, text),
            8 => Self::NotExecuted(number),
            9 => Self::Stopped(number),
            10 => Self::Ended(number),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_with_its_file_and_an_end_is_an_end() {
        let (one, other) = Wire::pair().unwrap();
        let said = [
            Message::Gate(3),
            Message::Made("/work/.vscode".to_owned()),
            Message::Missing(Layer::Cgroup, "not delegated".to_owned()),
            Message::Failed(Layer::Mount, libc::EPERM, "the root".to_owned()),
            Message::NotExecuted(libc::ENOENT),
            Message::Stopped(libc::SIGTSTP),
            Message::Ended(256),
            Message::Ready,
        ];
        for message in &said {
            one.say(message).unwrap();
            assert_eq!(other.hear().unwrap().unwrap().0, *message);
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        one.hand(&Message::Running, Some(file.as_fd())).unwrap();
        let (message, file) = other.hear().unwrap().unwrap();
        assert_eq!(message, Message::Running);
        assert!(file.is_some());
        drop(one);
        assert!(other.hear().unwrap().is_none());
    }
}
