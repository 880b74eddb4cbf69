//! The benchmark's upstream: answers OpenAI chat completions from memory with as little work as
//! possible, so that what is measured is the proxy before it.
//!
//! `fast_upstream [ADDRESS] [--gap-us N]`, by default on 127.0.0.1:9900 and without gaps; pin it
//! with `taskset`. One thread, HTTP/1.1 with keep-alive, no allocation per request. It believes
//! `content-length` and nothing else: it is no server for the open.
//!
//! A request whose body contains `"stream":true` is answered by 200 events of one token, a usage
//! chunk and `[DONE]`, each in a write and an HTTP chunk of its own, `N` microseconds apart. Any
//! other request is answered by about 600 bytes of JSON.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const EVENTS: usize = 200;
const HEAD_LIMIT: usize = 64 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let listener = TcpListener::bind(options.address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let answers = Arc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            // A client that goes away is an ordinary end.
            let _ = serve(stream, &answers, options.gap).await;
        });
    }
}

#[derive(Clone, Copy)]
struct Options {
    address: SocketAddr,
    gap: Duration,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let wrong = |text: &str| {
            let usage = format!("`{text}`: usage: fast_upstream [ADDRESS] [--gap-us N]");
            io::Error::new(io::ErrorKind::InvalidInput, usage)
        };
        let mut options =
            Self { address: SocketAddr::from(([127, 0, 0, 1], 9900)), gap: Duration::ZERO };
        while let Some(argument) = arguments.next() {
            if argument == "--gap-us" {
                let value = arguments.next().unwrap_or_default();
                options.gap = Duration::from_micros(value.parse().map_err(|_| wrong(&value))?);
            } else {
                options.address = argument.parse().map_err(|_| wrong(&argument))?;
            }
        }
        Ok(options)
    }
}

/// The answers as they go out.
struct Answers {
    plain: Vec<u8>,
    stream_head: Vec<u8>,
    event: Vec<u8>,
    /// The usage chunk, `[DONE]`, and the end of the body.
    stream_end: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let body = concat!(
            r#"{"id":"chatcmpl-fast00000000000000000001","object":"chat.completion","#,
            r#""created":1760000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"#,
            r#""message":{"role":"assistant","content":"The quick brown fox jumps over the lazy "#,
            r#"dog, and nobody asks why.","refusal":null,"annotations":[]},"logprobs":null,"#,
            r#""finish_reason":"stop"}],"usage":{"prompt_tokens":256,"completion_tokens":16,"#,
            r#""total_tokens":272,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"#,
            r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"#,
            r#""service_tier":"default","system_fingerprint":"fp_fast"}"#,
        );
        let plain = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             x-request-id: req_fast\r\nopenai-processing-ms: 0\r\n\r\n{body}",
            body.len(),
        );
        let stream_head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
             transfer-encoding: chunked\r\nx-request-id: req_fast\r\n\r\n";
        let event = |rest: &str| {
            format!(
                "data: {{\"id\":\"chatcmpl-fast00000000000000000001\",\
                 \"object\":\"chat.completion.chunk\",\"created\":1760000000,\
                 \"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_fast\",{rest}}}\n\n"
            )
        };
        let token = event(
            r#""choices":[{"index":0,"delta":{"content":" fox"},"finish_reason":null}],"usage":null"#,
        );
        let usage = event(concat!(
            r#""choices":[],"usage":{"prompt_tokens":256,"completion_tokens":200,"#,
            r#""total_tokens":456}"#,
        ));
        let mut stream_end = String::new();
        for last in [usage.as_str(), "data: [DONE]\n\n", ""] {
            stream_end.push_str(&chunk(last));
        }
        Self {
            plain: plain.into_bytes(),
            stream_head: stream_head.as_bytes().to_vec(),
            event: chunk(&token).into_bytes(),
            stream_end: stream_end.into_bytes(),
        }
    }
}

/// One HTTP chunk. The empty one ends the body.
fn chunk(data: &str) -> String {
    let mut text = String::new();
    let _ = write!(text, "{:x}\r\n{data}\r\n", data.len());
    text
}

/// Answers the requests of one connection, one after the other.
async fn serve(mut stream: TcpStream, answers: &Answers, gap: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let Some(head) = read_head(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        let whole = head.length + head.body_length;
        while buffer.len() < whole {
            buffer.reserve(whole - buffer.len());
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        if wants_stream(&buffer[head.length..whole]) {
            stream_out(&mut stream, answers, gap).await?;
        } else {
            stream.write_all(&answers.plain).await?;
        }
        if head.close {
            return stream.shutdown().await;
        }
        // Keeps the capacity, and what a pipelining client has sent already.
        buffer.drain(..whole);
    }
}

async fn stream_out(stream: &mut TcpStream, answers: &Answers, gap: Duration) -> io::Result<()> {
    stream.write_all(&answers.stream_head).await?;
    for _ in 0..EVENTS {
        stream.write_all(&answers.event).await?;
        pause(gap).await;
    }
    stream.write_all(&answers.stream_end).await
}

/// Sleeps as far as the timer's millisecond allows and polls for the rest.
async fn pause(gap: Duration) {
    if gap.is_zero() {
        return;
    }
    let end = Instant::now() + gap;
    let coarse = gap.saturating_sub(Duration::from_millis(2));
    if !coarse.is_zero() {
        tokio::time::sleep(coarse).await;
    }
    while Instant::now() < end {
        tokio::task::yield_now().await;
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    /// With the blank line at its end.
    length: usize,
    body_length: usize,
    close: bool,
}

/// Reads until the head is complete. `None` if the client has no more requests.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Head>> {
    let mut searched: usize = 0;
    loop {
        // The end may straddle two reads.
        let from = searched.saturating_sub(3);
        if let Some(end) = memmem::find(&buffer[from..], b"\r\n\r\n") {
            return parse_head(&buffer[..from + end + 4]).map(Some);
        }
        searched = buffer.len();
        if searched > HEAD_LIMIT {
            return Err(io::Error::other("the head is too long"));
        }
        buffer.reserve(4096);
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let mut body_length = 0;
    let first_line = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let mut close = head[..first_line].ends_with(b"HTTP/1.0\r");
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', head) {
        let line = &head[start..end];
        start = end + 1;
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            body_length = std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| io::Error::other("content-length is no number"))?;
        } else if name.eq_ignore_ascii_case(b"connection") {
            close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(io::Error::other("only content-length is understood"));
        }
    }
    Ok(Head { length: head.len(), body_length, close })
}

/// Inside a text the quotes would be escaped, so that the key cannot be found there.
fn wants_stream(body: &[u8]) -> bool {
    const KEY: &[u8] = br#""stream":"#;
    memmem::find_iter(body, KEY).any(|place| {
        let value = body[place + KEY.len()..].trim_ascii_start();
        value.starts_with(b"true")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_understood() {
        let head = b"POST /v1/x HTTP/1.1\r\nHost: a:1\r\nContent-Length:  42\r\n\r\n";
        let read = parse_head(head).unwrap();
        assert_eq!((read.length, read.body_length, read.close), (head.len(), 42, false));
        let read = parse_head(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!((read.body_length, read.close), (0, true));
        let read = parse_head(b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n").unwrap();
        assert!(read.close);
        assert!(parse_head(b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n").is_err());
        assert!(parse_head(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn requests_on_one_connection_are_answered_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, &Answers::new(), Duration::from_micros(5)).await.unwrap();
        };
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let filler = "x".repeat(100_000);
            for (options, wanted) in [(r#","stream":true"#, 202), ("", 0)] {
                let body = format!(r#"{{"prompt":"{filler}"{options}}}"#);
                let head = format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                let end: &[u8] = if wanted == 0 { b"\"fp_fast\"}" } else { b"\r\n0\r\n\r\n" };
                while !answer.ends_with(end) {
                    assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
                }
                assert_eq!(memmem::find_iter(&answer, b"data: ").count(), wanted);
            }
        };
        tokio::join!(server, client);
    }
}
