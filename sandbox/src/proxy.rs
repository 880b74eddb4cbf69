//! What the launcher asks of the proxy: to take a connection for this run's, and to keep events.
//!
//! Both are opened by the control token, which stands in a file beside the proxy's state that this
//! user alone can read. It is read anew each time: a proxy that was started again has another one.
//! Blocking and bounded in time. Not here: who is connected to whom ([`crate::gate`]).

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, geteuid, test_kill_process};
use zeroize::Zeroizing;

use crate::confinement::Introduction;
use crate::event::Event;

/// How long the proxy may take for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest head of an answer, in bytes: the proxy's are a few hundred.
const MOST_HEAD: usize = 16 * 1024;
/// The largest body of an answer that is read, in bytes: a message.
const MOST_BODY: usize = 64 * 1024;
/// The longest file with a token, in bytes.
const MOST_TOKEN: u64 = 4 * 1024;
/// Events in one request: the proxy takes no more.
const MOST_EVENTS: usize = 100;

/// A connection that the proxy took for the run's.
#[derive(Debug)]
pub struct Attached {
    /// The connection: what is sent on it is the agent's.
    pub stream: TcpStream,
    /// What the proxy has sent already, for the agent.
    pub early: Vec<u8>,
}

/// Why the proxy did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Nobody is there, or who is there says nothing.
    #[error("no proxy answers at {address} ({source}): start it with `iron up`")]
    Absent {
        /// Where it was.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not there, or not for us.
    #[error(
        "the proxy's control token {path} cannot be read ({source}): start the proxy with `iron up`, as the same user"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is somebody else's, or of a proxy that is gone.
    #[error(
        "the control token {0} is not that of a proxy of this user that runs: start the proxy with `iron up`"
    )]
    Foreign(PathBuf),
    /// The file is that of a proxy on another port.
    #[error(
        "the control token {path} is that of a proxy at {there}, not of the one at {here}: end this sandbox and start it anew"
    )]
    Elsewhere {
        /// The file.
        path: PathBuf,
        /// Where its proxy is.
        there: SocketAddr,
        /// Which was meant.
        here: SocketAddr,
    },
    /// It said no.
    #[error("the proxy at {address} refused ({status}): {said}")]
    Refused {
        /// Where it is.
        address: SocketAddr,
        /// The status of its answer.
        status: u16,
        /// Why, in its words.
        said: String,
    },
    /// It answered something that no proxy of this version does.
    #[error(
        "what answers at {0} is no proxy that knows of sandboxes: update `iron` and start it anew"
    )]
    Strange(SocketAddr),
    /// The run's id is none.
    #[error("`{0}` is no id of a run: start the sandbox through `iron run`")]
    NoRun(String),
}

impl ProxyError {
    /// The same for the agent, without paths of the user's.
    pub const fn for_agent(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "the proxy does not answer: it has to be started (`iron up`)",
            Self::Unreadable { .. } | Self::Foreign(_) | Self::Elsewhere { .. } => {
                "the proxy is not the one that this sandbox was started with, or is gone: it has to \
                 be started (`iron up`), or the sandbox anew"
            }
            Self::Refused { .. } | Self::NoRun(_) => {
                "the proxy does not take connections of this sandbox: the sandbox has to be started \
                 anew"
            }
            Self::Strange(_) => {
                "what answers in the proxy's place knows of no sandboxes: `iron` has to be updated"
            }
        }
    }

    /// Whether another try may go better without anything being done about it here.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Unreadable { .. } | Self::Foreign(_) => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Elsewhere { .. } | Self::Strange(_) | Self::NoRun(_) => false,
        }
    }
}

/// Opens a connection to the proxy that is the run's, whatever is sent on it.
pub fn attach(introduction: &Introduction) -> Result<Attached, ProxyError> {
    let run = checked(&introduction.run)?;
    let address = introduction.address;
    let request = |token: &str| {
        let mut text = Zeroizing::new(String::with_capacity(256 + token.len()));
        text.push_str("POST /_iron/control/attach HTTP/1.1\r\nhost: ");
        text.push_str(&address.to_string());
        text.push_str("\r\nconnection: upgrade\r\nupgrade: iron-attach\r\nx-iron-run: ");
        text.push_str(run);
        text.push_str("\r\ncontent-length: 0\r\nauthorization: Bearer ");
        text.push_str(token);
        text.push_str("\r\n\r\n");
        text
    };
    let answer = ask(introduction, request)?;
    match answer.status {
        101 => Ok(Attached { stream: answer.stream, early: answer.rest }),
        // A server that knows nothing of it answers as if no upgrade had been asked for.
        200..=299 => Err(ProxyError::Strange(address)),
        _ => Err(answer.refusal(address)),
    }
}

/// Hands events to the proxy's records.
pub fn tell(introduction: &Introduction, events: &[Event]) -> Result<(), ProxyError> {
    let run = checked(&introduction.run)?;
    let address = introduction.address;
    for events in events.chunks(MOST_EVENTS) {
        // Events hold nothing that cannot be written as JSON.
        let body = serde_json::to_string(events).unwrap_or_else(|_| "[]".to_owned());
        let request = |token: &str| {
            let mut text = Zeroizing::new(String::with_capacity(256 + token.len() + body.len()));
            text.push_str("POST /_iron/control/runs/");
            text.push_str(run);
            text.push_str("/denials HTTP/1.1\r\nhost: ");
            text.push_str(&address.to_string());
            text.push_str(
                "\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ",
            );
            text.push_str(&body.len().to_string());
            text.push_str("\r\nauthorization: Bearer ");
            text.push_str(token);
            text.push_str("\r\n\r\n");
            text.push_str(&body);
            text
        };
        let answer = ask(introduction, request)?;
        if !(200..=299).contains(&answer.status) {
            return Err(answer.refusal(address));
        }
    }
    Ok(())
}

/// A head of an answer, and what came behind it.
struct Answer {
    status: u16,
    head: String,
    rest: Vec<u8>,
    stream: TcpStream,
}

impl Answer {
    /// What it says of its reason.
    fn refusal(mut self, address: SocketAddr) -> ProxyError {
        let length =
            self.head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:")?.trim().parse::<usize>().ok()
            });
        let wanted = length.unwrap_or(0).min(MOST_BODY).saturating_sub(self.rest.len());
        // What is missing of it is missing of a message alone.
        let _ = self.stream.take(wanted as u64).read_to_end(&mut self.rest);
        let said = serde_json::from_slice::<serde_json::Value>(&self.rest).unwrap_or_default();
        if self.status == 404 && said["error"]["code"] == "not_found" {
            return ProxyError::Strange(address);
        }
        let said = said["error"]["message"].as_str().unwrap_or("it does not say why");
        let said = said.chars().filter(|c| !c.is_control()).take(500).collect();
        ProxyError::Refused { address, status: self.status, said }
    }
}

/// Sends a request with the token, and once more with a new one where it was no longer good.
fn ask(
    introduction: &Introduction,
    request: impl Fn(&str) -> Zeroizing<String>,
) -> Result<Answer, ProxyError> {
    let address = introduction.address;
    let token = token(&introduction.state, address)?;
    let answer = exchange(address, &request(&token))
        .map_err(|source| ProxyError::Absent { address, source })?
        .ok_or(ProxyError::Strange(address))?;
    if answer.status != 401 {
        return Ok(answer);
    }
    // The proxy was started again in between.
    let fresh = self::token(&introduction.state, address)?;
    if *fresh == *token {
        return Ok(answer);
    }
    exchange(address, &request(&fresh))
        .map_err(|source| ProxyError::Absent { address, source })?
        .ok_or(ProxyError::Strange(address))
}

/// None where the answer is no HTTP.
fn exchange(address: SocketAddr, request: &str) -> io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let until = Instant::now() + PATIENCE;
    let mut read = Vec::with_capacity(1024);
    let end = loop {
        let searched = read.len().saturating_sub(3);
        let mut some = [0; 1024];
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(&some[..count]),
        }
        let found = read[searched..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(found) = found {
            break searched + found + 4;
        }
        if read.len() > MOST_HEAD {
            return Ok(None);
        }
    };
    let rest = read.split_off(end);
    let head = String::from_utf8_lossy(&read).into_owned();
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)?.parse().ok());
    Ok(status.map(|status| Answer { status, head, rest, stream }))
}

/// The control token of the proxy at this address, by the file beside its state.
fn token(state: &Path, here: SocketAddr) -> Result<Zeroizing<String>, ProxyError> {
    let mut path = state.as_os_str().to_owned();
    path.push(".token");
    let path = PathBuf::from(path);
    let unreadable = |source| ProxyError::Unreadable { path: path.clone(), source };
    let file = File::open(&path).map_err(unreadable)?;
    let ours = file.metadata().map_err(unreadable)?.uid() == geteuid().as_raw();
    // Room for all of it: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST_TOKEN as usize));
    file.take(MOST_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    let mut words = text.split_whitespace();
    let (token, there, process) = (words.next(), words.next(), words.next());
    let process = process.and_then(|word| Pid::from_raw(word.parse().ok()?));
    let runs = process.is_some_and(|process| test_kill_process(process).is_ok());
    let there = there.and_then(|word| word.parse::<SocketAddr>().ok());
    match (token, there) {
        (Some(token), Some(there)) if ours && runs && is_plain(token) => {
            if there.port() == here.port() {
                Ok(Zeroizing::new(token.to_owned()))
            } else {
                Err(ProxyError::Elsewhere { path, there, here })
            }
        }
        _ => Err(ProxyError::Foreign(path)),
    }
}

/// Whether it can stand in a header's line.
fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= 256 && text.bytes().all(plain)
}

fn checked(run: &str) -> Result<&str, ProxyError> {
    if is_plain(run) { Ok(run) } else { Err(ProxyError::NoRun(run.escape_default().to_string())) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::event::{Action, Denial, Remedy};
    use crate::layer::Layer;

    /// Answers so many requests, each by one of these, and gives back what they were.
    fn answering(answers: Vec<&'static str>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        let served = thread::spawn(move || {
            let serve = |answer: &str| {
                let (mut stream, _) = port.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut read = Vec::new();
                let mut some = [0; 4096];
                loop {
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let length =
                        text.lines().find_map(|line| line.strip_prefix("content-length: "));
                    if let Some((head, body)) = text.split_once("\r\n\r\n")
                        && body.len() >= length.unwrap().parse().unwrap()
                    {
                        let _ = head;
                        stream.write_all(answer.as_bytes()).unwrap();
                        return text;
                    }
                    let count = stream.read(&mut some).unwrap();
                    assert_ne!(count, 0);
                    read.extend_from_slice(&some[..count]);
                }
            };
            answers.into_iter().map(serve).collect()
        });
        (address, served)
    }

    fn introduction(folder: &Path, address: SocketAddr) -> Introduction {
        let text = format!("token {address} {}\n", std::process::id());
        std::fs::write(folder.join("state.db.token"), text).unwrap();
        Introduction { address, state: folder.join("state.db"), run: "run-1".to_owned() }
    }

    #[test]
    fn events_are_told_in_batches_and_a_refusal_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let denial = Event::Denial(Denial {
            action: Action::Connect,
            target: "10.0.0.1:443".to_owned(),
            layer: Layer::Network,
            program: Some("curl".to_owned()),
            remedy: Remedy::Never("nothing else is reached".to_owned()),
        });
        let ok = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        let (address, served) = answering(vec![ok, ok]);
        tell(&introduction(folder.path(), address), &vec![denial.clone(); MOST_EVENTS + 1])
            .unwrap();
        let requests = served.join().unwrap();
        assert!(requests[0].starts_with("POST /_iron/control/runs/run-1/denials HTTP/1.1\r\n"));
        let (_, body) = requests[1].split_once("\r\n\r\n").unwrap();
        insta::assert_snapshot!(body, @r#"[{"event":"denial","action":"connect","target":"10.0.0.1:443","layer":"network","program":"curl","remedy":{"never":"nothing else is reached"}}]"#);

        let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 35\r\n\r\n\
                       {\"error\":{\"message\":\"no\\u0007 such thing\"}}";
        let (address, _) = answering(vec![refusal]);
        let error = tell(&introduction(folder.path(), address), &[denial]).unwrap_err();
        assert!(matches!(error, ProxyError::Refused { status: 400, .. }), "{error}");
    }

    #[test]
    fn what_is_no_proxy_of_ours_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let of = |answer| {
            let (address, served) = answering(vec![answer]);
            let error = attach(&introduction(folder.path(), address)).unwrap_err();
            served.join().unwrap();
            error
        };
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(of(ok), ProxyError::Strange(_)));
        assert!(matches!(of("220 ready\r\n\r\n"), ProxyError::Strange(_)));
        let unknown = "HTTP/1.1 404 Not Found\r\ncontent-length: 31\r\n\r\n\
                       {\"error\":{\"code\":\"not_found\"}}";
        assert!(matches!(of(unknown), ProxyError::Strange(_)));
        let no_run = "HTTP/1.1 404 Not Found\r\ncontent-length: 33\r\n\r\n\
                      {\"error\":{\"code\":\"unknown_run\"}}";
        assert!(matches!(of(no_run), ProxyError::Refused { status: 404, .. }));

        let mut wrong = introduction(folder.path(), "127.0.0.1:1".parse().unwrap());
        wrong.run = "a\r\nx: y".to_owned();
        assert!(matches!(attach(&wrong).unwrap_err(), ProxyError::NoRun(_)));
        wrong.run = "run-1".to_owned();
        wrong.address.set_port(2);
        assert!(matches!(attach(&wrong).unwrap_err(), ProxyError::Elsewhere { .. }));
        // No process has this id: it is above what systems give out.
        let gone = "token 127.0.0.1:2 2147483647\n";
        std::fs::write(folder.path().join("state.db.token"), gone).unwrap();
        assert!(matches!(attach(&wrong).unwrap_err(), ProxyError::Foreign(_)));
    }
}
