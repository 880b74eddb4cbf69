//! What an agent is told whose connection leads nowhere: an answer in HTTP, after its request.
//!
//! A client takes an answer that comes before its request for a broken connection, and one that
//! is followed by unread bytes of its request for none at all. So the request is waited for, and
//! what comes of it is read and thrown away for a while.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Reason;

/// How long a request is waited for: it may be a connection in reserve.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the rest of a request is read.
const REST: Duration = Duration::from_secs(2);

/// Answers the request that comes, and closes.
pub(super) fn make(mut agent: TcpStream, reason: &Reason) {
    let mut some = [0; 16 * 1024];
    let _ = agent.set_read_timeout(Some(PATIENCE));
    if !matches!(agent.read(&mut some), Ok(1..)) {
        return;
    }
    let _ = agent.set_write_timeout(Some(REST));
    if agent.write_all(answer(reason).as_bytes()).is_err() {
        return;
    }
    let _ = agent.shutdown(Shutdown::Write);
    let until = Instant::now() + REST;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || agent.set_read_timeout(Some(left)).is_err() {
            return;
        }
        if !matches!(agent.read(&mut some), Ok(1..)) {
            return;
        }
    }
}

/// In a form that clients of all dialects find a message in.
fn answer(reason: &Reason) -> String {
    let (code, message, again) = match reason {
        Reason::Proxy(error) => {
            ("proxy_unreachable", error.for_agent().to_owned(), error.may_pass())
        }
        Reason::Service(address, error) => {
            let message = format!("nothing answers at {address} outside of the sandbox: {error}");
            ("service_unreachable", message, true)
        }
    };
    let message = format!("Iron Cage's sandbox: {message}");
    let body = json!({
        "type": "error",
        "error": {"type": "api_error", "code": code, "message": message, "status": "UNAVAILABLE"},
    })
    .to_string();
    // No official SDK repeats a call where this says no.
    let again = if again { "" } else { "x-should-retry: false\r\n" };
    format!(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\nx-iron-refused-by: sandbox\r\n\
         {again}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
