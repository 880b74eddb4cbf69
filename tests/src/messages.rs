//! Messages of a WebSocket with as little work as possible, for the benchmark: each is one frame,
//! what is masked is masked with zeros, and nothing is checked. Not for stories: see
//! [`crate::socket`].

use std::io;
use std::ops::Range;

use memchr::memmem;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The opcode of text (RFC 6455, section 5.2).
pub const TEXT: u8 = 1;
/// The opcode of a farewell.
pub const CLOSE: u8 = 8;

/// A message as it goes over the wire; clients' are masked.
pub fn message(text: &[u8], masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x80 | TEXT];
    match text.len() {
        length @ 0..=125 => frame.push(mask | length as u8),
        length @ 126..=0xFFFF => {
            frame.push(mask | 0x7E);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(mask | 0x7F);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend([0; 4]);
    }
    frame.extend(text);
    frame
}

/// Reads what comes over a connection.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Where the next message begins.
    at: usize,
}

impl Reader {
    /// Reads the head of a request or of an answer; none at the end.
    pub async fn head(&mut self, stream: &mut TcpStream) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                self.at = end + 4;
                return Ok(Some(String::from_utf8_lossy(&self.buffer[..self.at]).into_owned()));
            }
            if self.buffer.len() > 64 << 10 {
                return Err(io::Error::other("the head is too long"));
            }
            if !self.more(stream).await? {
                return Ok(None);
            }
        }
    }

    /// The next message's opcode, and its bytes as they came, masked where they are; none at the
    /// end.
    pub async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<(u8, &[u8])>> {
        loop {
            if let Some((opcode, payload)) = parse(&self.buffer, self.at) {
                self.at = payload.end;
                return Ok(Some((opcode, &self.buffer[payload])));
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            if !self.more(stream).await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        self.buffer.reserve(16 << 10);
        Ok(stream.read_buf(&mut self.buffer).await? > 0)
    }
}

/// The frame that begins here, where it is whole.
fn parse(buffer: &[u8], at: usize) -> Option<(u8, Range<usize>)> {
    let bytes = |from: usize, count: usize| buffer.get(at + from..at + from + count);
    let [first, second] = *bytes(0, 2)? else { return None };
    let (length, head) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(bytes(2, 2)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes(2, 8)?.try_into().ok()?), 10),
        length => (u64::from(length), 2),
    };
    let start = at + head + if second & 0x80 == 0 { 0 } else { 4 };
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (buffer.len() >= end).then_some((first & 0x0F, start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_is_read_as_it_was_written() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            for masked in [false, true] {
                let text = vec![b'x'; length];
                let frame = message(&text, masked);
                let (opcode, payload) = parse(&frame, 0).unwrap();
                assert_eq!((opcode, &frame[payload]), (TEXT, text.as_slice()), "{length}");
                assert_eq!(parse(&frame[..frame.len() - 1], 0), None, "{length}");
            }
        }
    }
}
