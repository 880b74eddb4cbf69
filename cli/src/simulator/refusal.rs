//! Refusals in the provider's own words: status, error body, and nothing billed.

use serde_json::{Value, json};

use super::bill::Vendor;

/// A refusal of a call.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    message: String,
    /// OpenAI's `param`.
    param: Option<&'static str>,
    /// OpenAI's `code`, where it is not that of the status.
    code: Option<&'static str>,
}

impl Refusal {
    /// The provider's usual words for a status.
    pub(super) fn of_status(status: u16, vendor: Vendor) -> Self {
        let message = match (status, vendor) {
            (401, Vendor::OpenAi) => "Incorrect API key provided.",
            (401, Vendor::Anthropic) => "invalid x-api-key",
            (401, Vendor::Gemini) => "Request had invalid authentication credentials.",
            (429, Vendor::Gemini) => "You exceeded your current quota, please check your plan.",
            (500, Vendor::Gemini) => "An internal error has occurred. Please retry.",
            (503, Vendor::Gemini) => "The model is overloaded. Please try again later.",
            (402, _) => "Your credit balance is too low to access the API.",
            (403, _) => "Your API key does not have permission to use this resource.",
            (413, _) => "Request exceeds the maximum size.",
            (429, Vendor::OpenAi) => "Rate limit reached for requests. Please try again in 1s.",
            (429, Vendor::Anthropic) => {
                "This request would exceed your organization's rate limit. Please try again later."
            }
            (500, Vendor::OpenAi) => "The server had an error while processing your request.",
            (500, Vendor::Anthropic) => "Internal server error",
            (503, _) => "The engine is currently overloaded, please try again later.",
            (529, _) => "Overloaded",
            (500.., _) => "Service unavailable.",
            _ => "The request was refused.",
        };
        Self::new(status, message)
    }

    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    pub(super) fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The body, in the provider's shape.
    pub(super) fn body(&self, vendor: Vendor, request_id: &str) -> Value {
        match vendor {
            Vendor::OpenAi => {
                let (kind, code) = openai(self.status);
                json!({ "error": {
                    "message": self.message,
                    "type": kind,
                    "param": self.param,
                    "code": self.code.or(code),
                }})
            }
            Vendor::Anthropic => json!({
                "type": "error",
                "error": { "type": anthropic(self.status), "message": self.message },
                "request_id": request_id,
            }),
            Vendor::Bedrock => json!({ "message": self.message }),
            Vendor::Gemini => json!({ "error": {
                "code": self.status,
                "message": self.message,
                "status": gemini(self.status),
            }}),
        }
    }
}

/// `type` and `code` as OpenAI's error guide lists them by status.
fn openai(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        402 => ("insufficient_quota", Some("insufficient_quota")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}

/// `status` as Google's troubleshooting guide lists it by status.
fn gemini(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

/// `type` as Anthropic's error guide lists it by status.
fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
