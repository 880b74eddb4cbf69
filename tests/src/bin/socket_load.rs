//! The benchmark's client of WebSockets, since `wrk` knows none.
//!
//! `socket_load --to ADDRESS --path PATH --body FILE [--connections N] [--seconds S]` opens N
//! connections, sends the message in the file over each, reads to `response.completed`, and does
//! so again and again. The handshakes are not measured. Prints round trips, microseconds, p50, p99
//! (microseconds) and errors, as the scripts of `wrk` do.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use iron_tests::messages::{Reader, TEXT, message};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

struct Options {
    to: String,
    path: String,
    body: Vec<u8>,
    connections: usize,
    time: Duration,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            to: String::new(),
            path: String::new(),
            body: Vec::new(),
            connections: 8,
            time: Duration::from_secs(2),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| wrong(&argument));
            match argument.as_str() {
                "--to" => options.to = value()?,
                "--path" => options.path = value()?,
                "--body" => options.body = message(&std::fs::read(value()?)?, true),
                "--connections" => options.connections = number(&value()?)?,
                "--seconds" => options.time = Duration::from_secs(number(&value()?)? as u64),
                _ => return Err(wrong(&argument)),
            }
        }
        if options.to.is_empty() || options.body.is_empty() {
            return Err(wrong("--to or --body"));
        }
        Ok(options)
    }
}

fn wrong(text: &str) -> io::Error {
    let usage = "usage: socket_load --to ADDRESS --path PATH --body FILE [--connections N] \
                 [--seconds S]";
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{text}`: {usage}"))
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(|_| wrong(text))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let mut open = Vec::new();
    for _ in 0..options.connections {
        open.push(Connection::open(&options).await?);
    }
    let began = Instant::now();
    let end = began + options.time;
    let body: Arc<[u8]> = options.body.into();
    let workers: Vec<_> = open
        .into_iter()
        .map(|connection| tokio::spawn(connection.work(Arc::clone(&body), end)))
        .collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for worker in workers {
        let (more, error) = worker.await.map_err(io::Error::other)?;
        times.extend(more);
        if let Some(error) = error {
            failed += 1;
            let _ = writeln!(io::stderr(), "socket_load: {error}");
        }
    }
    let took = began.elapsed().as_micros();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("{} {took} {} {} {failed}", times.len(), at(0.5), at(0.99));
    Ok(())
}

struct Connection {
    stream: TcpStream,
    reader: Reader,
}

impl Connection {
    async fn open(options: &Options) -> io::Result<Self> {
        let mut stream = TcpStream::connect(&options.to).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer k\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            options.path, options.to,
        );
        stream.write_all(request.as_bytes()).await?;
        let mut reader = Reader::default();
        match reader.head(&mut stream).await? {
            Some(head) if head.starts_with("HTTP/1.1 101 ") => Ok(Self { stream, reader }),
            other => Err(io::Error::other(other.unwrap_or_default())),
        }
    }

    /// Asks until the time is over: the microseconds that each response took, and what ended it
    /// early.
    async fn work(mut self, body: Arc<[u8]>, end: Instant) -> (Vec<u64>, Option<io::Error>) {
        let mut times = Vec::new();
        while Instant::now() < end {
            let began = Instant::now();
            if let Err(error) = self.round_trip(&body).await {
                return (times, Some(error));
            }
            times.push(began.elapsed().as_micros() as u64);
        }
        (times, None)
    }

    async fn round_trip(&mut self, body: &[u8]) -> io::Result<()> {
        self.stream.write_all(body).await?;
        loop {
            let Some((TEXT, event)) = self.reader.next(&mut self.stream).await? else {
                return Err(io::Error::other("the connection ended"));
            };
            if event.starts_with(br#"{"type":"response.completed""#) {
                return Ok(());
            }
            if memchr::memmem::find(event, br#""type":"error""#).is_some() {
                return Err(io::Error::other(String::from_utf8_lossy(event).into_owned()));
            }
        }
    }
}
