//! Errors of a stream: why the relay gives up, and how a client is told once the head is sent.

use bytes::Bytes;
use iron_policy::json::escape_into;
use iron_policy::types::Dialect;

use super::WireKind;

/// Why a stream cannot be edited any further. What was put out before it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// One event is longer than the relay is willing to hold.
    #[error("an event of the stream is longer than {limit} bytes")]
    TooLong {
        /// The most bytes that an event may have.
        limit: usize,
    },
    /// More texts are open side by side than any answer needs.
    #[error("more than {limit} texts are open in the stream at once")]
    TooManyTexts {
        /// The most texts that may be open.
        limit: usize,
    },
    /// A text that must be searched whole is longer than the relay is willing to hold.
    #[error("a text of the answer that must be checked is longer than {limit} bytes")]
    HeldTooLong {
        /// The most bytes of one text that are held.
        limit: usize,
    },
    /// A frame's lengths or checks do not add up, or the stream ended within one.
    #[error("a frame of the stream is broken")]
    Corrupt,
    /// The answer has cost what was reserved for it.
    #[error("the answer has cost what was reserved for it")]
    Spent,
    /// The policy blocks what was found.
    #[error("the policy blocks what the answer holds")]
    Blocked,
}

/// The code of an error that the policy, not a failure, is the reason of.
pub const POLICY_VIOLATION: &str = "policy_violation";

/// The event that ends a broken stream, in the stream's own dialect: never a normal end.
///
/// `code` is the machine's word (`upstream_reset`), `message` the reader's.
pub fn error_event(kind: WireKind, code: &str, message: &str, request_id: &str) -> Bytes {
    let (type_, status) = match code {
        "token_revoked" => ("authentication_error", (401, "UNAUTHENTICATED")),
        POLICY_VIOLATION | "agent_stopped" => ("permission_error", (403, "PERMISSION_DENIED")),
        code if code.contains("timeout") => ("api_error", (504, "DEADLINE_EXCEEDED")),
        _ => ("api_error", (503, "UNAVAILABLE")),
    };
    let reason = quoted(&code.to_ascii_uppercase());
    let [code, message, request_id] = [code, message, request_id].map(quoted);
    let event = match (kind, kind.dialect()) {
        // The nested object is what the SDKs raise on; the flat members are the documented event.
        (WireKind::Responses, _) => format!(
            "event: error\ndata: {{\"type\":\"error\",\"code\":{code},\"message\":{message},\
             \"param\":null,\"error\":{{\"type\":\"{type_}\",\"code\":{code},\
             \"message\":{message},\"param\":null}},\"request_id\":{request_id}}}\n\n"
        ),
        (_, Dialect::OpenAi) => format!(
            "data: {{\"error\":{{\"message\":{message},\"type\":\"{type_}\",\"param\":null,\
             \"code\":{code},\"request_id\":{request_id}}}}}\n\n"
        ),
        (_, Dialect::Anthropic) => format!(
            "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{type_}\",\
             \"message\":{message},\"code\":{code}}},\"request_id\":{request_id}}}\n\n"
        ),
        // Its streams are frames, in which the error is written where they are.
        (_, Dialect::Bedrock) => format!(
            "data: {{\"error\":{{\"type\":{code},\"message\":{message},\
             \"request_id\":{request_id}}}}}\n\n"
        ),
        (_, Dialect::Gemini) => format!(
            "data: {{\"error\":{{\"code\":{},\"message\":{message},\"status\":\"{}\",\
             \"details\":[{{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\
             \"reason\":{reason},\"domain\":\"iron-cage\",\
             \"metadata\":{{\"requestId\":{request_id}}}}}]}}}}\n\n",
            status.0, status.1
        ),
    };
    event.into()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(&mut out, text);
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(kind: WireKind) -> (String, Value) {
        let event = error_event(kind, "upstream_reset", "the \"upstream\"\nbroke", "call_1");
        let text = String::from_utf8(event.to_vec()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("data: "));
        let value = serde_json::from_str(line.unwrap()).unwrap();
        assert!(text.ends_with("\n\n"));
        (text, value)
    }

    #[test]
    fn each_dialect_has_its_own_error_event() {
        let message = "the \"upstream\"\nbroke";
        let (text, value) = data(WireKind::Chat);
        assert!(text.starts_with("data: {"));
        assert_eq!(value["error"]["code"], "upstream_reset");
        assert_eq!(value["error"]["message"], message);

        let (text, value) = data(WireKind::Responses);
        assert!(text.starts_with("event: error\n"));
        assert_eq!(value["type"], "error");
        assert_eq!(value["error"]["message"], message);

        let (text, value) = data(WireKind::Messages);
        assert!(text.starts_with("event: error\n"));
        assert_eq!(
            value,
            json!({"type": "error", "request_id": "call_1", "error": {
                "type": "api_error", "message": message, "code": "upstream_reset"}})
        );

        let (text, value) = data(WireKind::Gemini);
        assert!(text.starts_with("data: {"));
        let error = &value["error"];
        assert_eq!((&error["code"], &error["status"]), (&json!(503), &json!("UNAVAILABLE")));
        assert_eq!(error["message"], message);
        assert_eq!(error["details"][0]["reason"], "UPSTREAM_RESET");
    }
}
