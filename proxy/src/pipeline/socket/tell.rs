//! How a client of a WebSocket is told that a message of its goes no further: an event in the words
//! of its API.
//!
//! The Responses API says `{"type":"error","status":...,"error":{...}}`: SDKs raise on it, and the
//! Codex CLI takes it for an HTTP answer of that status (older ones read `status_code`). The
//! Realtime API has no status and names the event that it is about.

use iron_policy::types::CallId;
use serde_json::{Value, json};

use crate::dialect::Socket;
use crate::rescue::{Caller, Refusal};

/// What an error is about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    /// The lane of the Responses API, where one was named.
    pub(super) lane: Option<String>,
    /// The event's own id, where it had one.
    pub(super) event: Option<String>,
}

/// The event that says so.
pub(super) fn refusal(
    socket: Socket,
    caller: Caller,
    refusal: &Refusal,
    id: CallId,
    about: About,
) -> String {
    let status = refusal.status_for(caller).as_u16();
    let told = Told { status, kind: refusal.kind, code: refusal.code, message: &refusal.message };
    let mut event = told.event(socket, id, about);
    if let (Socket::Responses, Some(wait)) = (socket, refusal.retry_after) {
        let millis = wait.as_millis().max(1) as u64;
        event["headers"]["retry-after-ms"] = json!(millis.to_string());
        event["headers"]["retry-after"] = json!(millis.div_ceil(1000).to_string());
    }
    event.to_string()
}

/// The event that ends an answer which cannot go on.
pub(super) fn failure(
    socket: Socket,
    code: &str,
    message: &str,
    id: CallId,
    about: About,
) -> String {
    let (status, kind) = match code {
        crate::stream::POLICY_VIOLATION => (403, "permission_error"),
        _ => (502, "server_error"),
    };
    Told { status, kind, code, message }.event(socket, id, about).to_string()
}

struct Told<'a> {
    status: u16,
    kind: &'a str,
    code: &'a str,
    message: &'a str,
}

impl Told<'_> {
    fn event(&self, socket: Socket, id: CallId, about: About) -> Value {
        let Self { status, kind, code, message } = self;
        let error = json!({"type": kind, "code": code, "message": message, "param": null});
        match socket {
            Socket::Responses => {
                let mut event = json!({
                    "type": "error",
                    "status": status,
                    "status_code": status,
                    "error": error,
                    "headers": {
                        "x-iron-refused-by": "proxy",
                        "x-iron-request-id": id.to_string(),
                    },
                });
                if let Some(lane) = about.lane {
                    event["stream_id"] = json!(lane);
                }
                event
            }
            Socket::Realtime => {
                let mut error = error;
                error["event_id"] = json!(about.event);
                json!({"type": "error", "event_id": format!("event_iron_{id}"), "error": error})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use iron_policy::types::Dialect;

    use super::*;

    #[test]
    fn each_api_has_its_own_error_and_codex_its_own_status() {
        let refused =
            Refusal::new(StatusCode::PAYMENT_REQUIRED, "insufficient_quota", "no \"money\"".into());
        let event = |socket, agent: &'static str| -> Value {
            let mut headers = HeaderMap::new();
            headers.insert("user-agent", agent.parse().unwrap());
            let caller = Caller::of(Dialect::OpenAi, &headers);
            let about = About { lane: Some("a".into()), event: Some("e".into()) };
            serde_json::from_str(&refusal(socket, caller, &refused, CallId(7), about)).unwrap()
        };
        let told = event(Socket::Responses, "openai-python");
        assert_eq!(
            (&told["type"], &told["status"], &told["stream_id"]),
            (&json!("error"), &json!(402), &json!("a"))
        );
        assert_eq!(told["error"]["code"], "insufficient_quota");
        assert_eq!(event(Socket::Responses, "codex_cli_rs/0.150")["status"], 400);
        let told = event(Socket::Realtime, "x");
        assert_eq!(told["error"]["event_id"], "e");
        assert!(told.get("status").is_none() && told["event_id"].is_string());
    }
}
