//! Turns every way a call can stop into what the caller gets and what the operator sees.
//!
//! The only place that knows statuses, headers and error bodies of refusals. SDKs decide about
//! retrying by status and `x-should-retry` alone, so those are chosen per cause: money is a 402,
//! which no official SDK retries.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use iron_policy::runaway::Caught;
use iron_policy::types::{CallId, Dialect};
use serde_json::json;

use crate::body::Body;
use crate::pinned::Claimed;
use crate::pipeline::Stopped;
use crate::stream::POLICY_VIOLATION;
use crate::stream::encoding::EncodingError;
use crate::tokens::TokenRefused;
use crate::upstream::CallError;

/// Identifies the call, on every answer of the proxy.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-iron-request-id");
/// Says that the proxy, not the provider, refused.
pub const REFUSED_BY: HeaderName = HeaderName::from_static("x-iron-refused-by");

/// Names the upstream that answered.
pub const UPSTREAM: HeaderName = HeaderName::from_static("x-iron-upstream");
/// Names the model that answered, where it is another one than the caller asked for.
pub const MODEL: HeaderName = HeaderName::from_static("x-iron-model");
/// Says how many attempts an answer took.
pub const ATTEMPTS: HeaderName = HeaderName::from_static("x-iron-attempts");
/// What an error is, for Amazon's SDKs.
const AMAZON_ERROR: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// No caller is told to wait longer than this.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// Who is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The dialect it understands.
    pub dialect: Dialect,
    /// True for clients that repeat a turn on 402 and 403, and stop on 400.
    pub stops_on_400_only: bool,
}

impl Caller {
    /// Tells a caller from its request's headers.
    pub fn of(dialect: Dialect, headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        // Measured: the Codex CLI makes six requests on 402 and 403, one on 400.
        let codex = agent.is_some_and(|agent| agent.to_ascii_lowercase().starts_with("codex"));
        Self { dialect, stops_on_400_only: codex }
    }
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// OpenAI's `error.code`, and the code in the proxy's own API.
    pub code: &'static str,
    /// OpenAI's `error.type`.
    pub kind: &'static str,
    /// Anthropic's `error.type`.
    pub anthropic: &'static str,
    /// What happened, and what to do next.
    pub message: String,
    /// When to come back, where that helps.
    pub retry_after: Option<Duration>,
    /// Whether trying again is pointless.
    pub final_: bool,
}

impl Refusal {
    /// A refusal that SDKs must not repeat.
    pub fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        let (kind, anthropic) = match status.as_u16() {
            401 => ("authentication_error", "authentication_error"),
            402 => ("insufficient_quota", "billing_error"),
            403 => ("permission_error", "permission_error"),
            404 => ("invalid_request_error", "not_found_error"),
            413 => ("invalid_request_error", "request_too_large"),
            429 => ("rate_limit_error", "rate_limit_error"),
            503 => ("server_error", "overloaded_error"),
            500.. => ("server_error", "api_error"),
            _ => ("invalid_request_error", "invalid_request_error"),
        };
        let final_ = matches!(status.as_u16(), 402 | 403);
        Self { status, code, kind, anthropic, message, retry_after: None, final_ }
    }

    /// With a time to come back after, never more than a minute.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.min(MAX_RETRY_AFTER));
        self
    }

    /// Google's error, whose details say what their kinds say in `google.rpc`
    /// (<https://cloud.google.com/apis/design/errors>).
    fn google(&self, id: CallId) -> serde_json::Value {
        let status = match self.status.as_u16() {
            401 => "UNAUTHENTICATED",
            402 | 429 => "RESOURCE_EXHAUSTED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            408 | 504 => "DEADLINE_EXCEEDED",
            502 | 503 => "UNAVAILABLE",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.code.to_ascii_uppercase(),
            "domain": "iron-cage",
            "metadata": {"requestId": id.to_string()},
        })];
        if let Some(wait) = self.retry_after {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{:.3}s", wait.as_secs_f64()),
            }));
        }
        json!({"error": {
            "code": self.status.as_u16(), "message": self.message, "status": status,
            "details": details,
        }})
    }

    /// Amazon's error, by the exceptions of Bedrock's model: SDKs raise what the header names. None
    /// is taken that they would repeat a refusal for money or policy on.
    const fn amazon(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "UnrecognizedClientException",
            402 => "ServiceQuotaExceededException",
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 | 504 => "ModelTimeoutException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }

    /// The status that makes this caller do what the refusal means.
    pub fn status_for(&self, caller: Caller) -> StatusCode {
        match self.status.as_u16() {
            402 | 403 if caller.stops_on_400_only => StatusCode::BAD_REQUEST,
            _ => self.status,
        }
    }

    /// The answer to this caller.
    pub fn into_response(self, caller: Caller, id: CallId) -> Response<Body> {
        let body = match caller.dialect {
            Dialect::OpenAi => json!({"error": {
                "message": self.message, "type": self.kind, "param": null, "code": self.code,
            }}),
            Dialect::Anthropic => json!({
                "type": "error",
                "error": {"type": self.anthropic, "message": self.message, "code": self.code},
                "request_id": id.to_string(),
            }),
            Dialect::Gemini => self.google(id),
            Dialect::Bedrock => json!({"message": self.message}),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status_for(caller);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if caller.dialect == Dialect::Bedrock {
            headers.insert(AMAZON_ERROR, HeaderValue::from_static(self.amazon()));
        }
        headers.insert(REFUSED_BY, HeaderValue::from_static("proxy"));
        if self.final_ {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: who comes a moment too early is refused again.
            let millis = wait.as_micros().div_ceil(1000).max(1) as u64;
            headers.insert("retry-after-ms", HeaderValue::from(millis));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        }
        response
    }
}

/// Marks an answer with its call's id, unless it has that of an attempt.
pub fn mark(response: &mut Response<Body>, id: CallId) {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
}

/// What the caller is told about a call that stopped; `budget_status` is the status for money.
pub fn refusal(stopped: &Stopped, budget_status: u16) -> Refusal {
    let new = |status: u16, code| {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal::new(status, code, stopped.to_string())
    };
    match stopped {
        Stopped::Path(_) => new(400, "invalid_path"),
        Stopped::ForeignPage => new(403, "foreign_page"),
        Stopped::ForeignHost { .. } => new(421, "foreign_host"),
        Stopped::TwoHosts => new(400, "two_hosts"),
        Stopped::ManyHeaders { .. } => new(431, "too_many_headers"),
        Stopped::LongAddress { .. } => new(414, "address_too_long"),
        Stopped::Name(_) => new(400, "invalid_name"),
        Stopped::Claimed(_) => new(403, Claimed::REASON),
        Stopped::AgentStopped(why) => {
            let mut refusal = new(why.status(), why.reason());
            refusal.final_ = true;
            refusal
        }
        Stopped::Token(TokenRefused::NoKeys) => {
            new(503, "panel_unavailable").retry_after(Duration::from_secs(1))
        }
        Stopped::Token(why) => {
            let mut refusal = new(401, why.reason());
            // No new attempt makes a token good.
            refusal.final_ = true;
            refusal
        }
        Stopped::ModelNotAllowed { .. } => new(403, "model_not_allowed"),
        Stopped::UpstreamNotAllowed { .. } => new(403, "upstream_not_allowed"),
        // The same call would be refused again: no client repeats a 403.
        Stopped::Runaway(Caught::Loop { .. }) => new(403, "loop_detected"),
        Stopped::Runaway(Caught::Depth { .. }) => new(403, "depth_exceeded"),
        // A rate that frees itself within a minute: SDKs that wait for it do what is wanted.
        Stopped::Runaway(Caught::Spending { wait, .. }) => match wait {
            Some(wait) => new(429, "spend_rate").retry_after(*wait),
            None => new(403, "spend_rate"),
        },
        Stopped::NoUpstream { .. } => new(404, "unknown_upstream"),
        Stopped::Signed { .. } => new(403, "signed_request"),
        Stopped::NoKey { .. } => new(401, "invalid_api_key"),
        Stopped::WebSocket => new(426, "websocket_unsupported"),
        Stopped::Handshake(_) => new(400, "invalid_handshake"),
        Stopped::Routed { .. } => new(400, "routed_elsewhere"),
        Stopped::Unbounded(_) => new(400, "unsupported_by_proxy"),
        Stopped::Crowded { .. } => new(429, "too_many_responses"),
        Stopped::Limited { limited, .. } => {
            new(429, "rate_limit_exceeded").retry_after(limited.wait())
        }
        Stopped::TooLarge { .. } => new(413, "request_too_large"),
        Stopped::SlowBody => new(408, "request_timeout"),
        Stopped::BrokenBody => new(400, "incomplete_body"),
        Stopped::Encoding(error) => match error {
            EncodingError::Stacked(_) | EncodingError::Unknown(_) => {
                new(415, "unsupported_encoding")
            }
            EncodingError::TooLarge { .. } => new(413, "request_too_large"),
            EncodingError::Corrupt(_) => new(400, "invalid_encoding"),
        },
        Stopped::Body(_) | Stopped::Multipart(_) => new(400, "invalid_body"),
        Stopped::MediaType { .. } => new(415, "unsupported_media_type"),
        Stopped::Blocked { .. } | Stopped::BlockedAnswer { .. } | Stopped::OpaquePart { .. } => {
            new(403, POLICY_VIOLATION)
        }
        Stopped::Recogniser(_) => {
            new(503, "recogniser_unavailable").retry_after(Duration::from_secs(1))
        }
        Stopped::UnpricedModel { .. } => new(403, "unpriced_model"),
        Stopped::Batch { .. } => new(403, "unpriced_batch"),
        Stopped::UnpricedEndpoint { .. } => new(403, "unpriced_endpoint"),
        Stopped::Connect(refused) => {
            let mut refusal = new(refused.status(), refused.reason());
            // What a policy says, it says again.
            refusal.final_ |= matches!(refused.status(), 401 | 421 | 426 | 508);
            refusal
        }
        Stopped::Exhausted(_) | Stopped::LeaseExhausted(_) => {
            let mut refusal = new(402, "insufficient_quota");
            refusal.status = StatusCode::from_u16(budget_status).unwrap_or(refusal.status);
            refusal
        }
        Stopped::Ledger(_) => new(503, "ledger_unavailable").retry_after(Duration::from_secs(1)),
        Stopped::CircuitOpen { wait, .. } => new(503, "circuit_open").retry_after(*wait),
        Stopped::Upstream { error, .. } => match error {
            CallError::Tls(_) => new(502, "upstream_tls"),
            CallError::Own => {
                let mut refusal = new(508, "proxy_loop");
                refusal.final_ = true;
                refusal
            }
            CallError::ConnectTimeout(_) | CallError::AnswerTimeout(_) => {
                new(504, "upstream_timeout")
            }
            _ => new(502, "upstream_connect"),
        },
        Stopped::BadAnswer { .. } => new(502, "upstream_answer"),
        Stopped::Redirect { .. } => new(502, "upstream_redirect"),
    }
}
