//! HTTP/2 by hand, for what no library will send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

/// Kinds of frames (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// The beginning of a head.
pub const HEADERS: u8 = 1;
/// A stream is given up.
pub const RST_STREAM: u8 = 3;
/// Settings of a connection.
pub const SETTINGS: u8 = 4;
/// The connection takes no more streams.
pub const GOAWAY: u8 = 7;
/// More of a head.
pub const CONTINUATION: u8 = 9;

/// The stream's last frame.
pub const END_STREAM: u8 = 1;
/// The head's last frame.
pub const END_HEADERS: u8 = 4;

/// No story waits longer than this for a peer to give up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it holds.
    pub payload: Vec<u8>,
}

/// A client that sends what it likes and keeps what it gets.
pub struct Raw {
    writer: OwnedWriteHalf,
    reading: JoinHandle<Vec<Frame>>,
}

impl Raw {
    /// Connects with prior knowledge: the preface, and settings.
    pub async fn connect(address: SocketAddr, settings: &[u8]) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]];
        writer.write_all(&hello.concat()).await.unwrap();
        Self { writer, reading: tokio::spawn(read(reader)) }
    }

    /// Sends bytes; false where the peer takes no more.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        tokio::time::timeout(PATIENCE, self.writer.write_all(bytes)).await.unwrap().is_ok()
    }

    /// Waits until the peer closes the connection, and returns what it sent until then.
    pub async fn closed(self) -> Vec<Frame> {
        let frames = tokio::time::timeout(PATIENCE, self.reading).await.unwrap().unwrap();
        drop(self.writer);
        frames
    }

    /// Says that nothing more will come, and returns what the peer still sent.
    pub async fn finish(mut self) -> Vec<Frame> {
        self.writer.shutdown().await.unwrap();
        self.closed().await
    }
}

/// Reads frames until the peer closes the connection.
async fn read(mut reader: OwnedReadHalf) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut head = [0; 9];
    while reader.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            break;
        }
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        frames.push(Frame { kind: head[3], flags: head[4], stream, payload });
    }
    frames
}

/// The error code with which the peer gave the connection up, if it said so.
pub fn goaway(frames: &[Frame]) -> Option<u32> {
    let last = frames.iter().rfind(|frame| frame.kind == GOAWAY)?;
    Some(u32::from_be_bytes(last.payload[4..8].try_into().unwrap()))
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A setting of this number.
pub fn setting(number: u16, value: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A block of fields, each a literal that is not indexed (RFC 7541, section 6.2.2).
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The block of a chat call's head.
pub fn chat_head() -> Vec<u8> {
    fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/v1/chat/completions"),
        ("authorization", "Bearer key"),
        ("content-type", "application/json"),
    ])
}

/// A length below the first bit (RFC 7541, section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(rest as u8 | 128);
        rest >>= 7;
    }
    block.push(rest as u8);
}
