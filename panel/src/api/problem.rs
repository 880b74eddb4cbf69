//! What a caller gets that is refused: a problem document (RFC 9457).
//!
//! `code` is stable and for programs; `detail` is for people and ends with what to do next. What only
//! the operator may see goes to the log, under the same request id.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// A refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: an address that need not lead anywhere.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// What happened, for programs: it never changes.
    pub code: &'static str,
    /// What happened, for people, and what to do next.
    pub detail: String,
    /// Names the request in the panel's log.
    pub request_id: String,
    /// Seconds until the same may be tried again; also in the header `retry-after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A refusal with this status, code and explanation.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            request_id: super::request::id(),
            retry_after: None,
        }
    }

    /// The request makes no sense.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// Nobody is signed in.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// Whoever is signed in may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such thing, or it is not the caller's to see.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The method is not one of the address's.
    pub fn method_not_allowed() -> Self {
        let detail = "this address does not take this method: see /api/v1/openapi.json";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// The body is larger than any that is read.
    pub fn too_large() -> Self {
        let detail = "the body is too large: send less at once";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// The change does not say which version it is meant for.
    pub fn precondition_required() -> Self {
        let detail = "say which version is meant: send the thing's ETag in `If-Match`";
        Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail)
    }

    /// It is there already, or not in the state for this.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_taken() {
            let detail =
                "something of this name is there already: choose another name, or look again";
            return Self::conflict("already_there", detail);
        }
        if error.lacks_reference() {
            let detail = "what this refers to is not there (any more): look again";
            return Self::conflict("reference_missing", detail);
        }
        let unavailable = |code, detail: &str| {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail.to_owned())
        };
        if error.may_be_tried_again() {
            let detail =
                "other changes were in the way, and nothing was changed: try the same again";
            let problem = unavailable("overtaken", detail).after(1);
            tracing::warn!(request_id = problem.request_id, %error, "a change lost against others");
            return problem;
        }
        let problem = match &error {
            StoreError::WrongMasterKey(_) => unavailable(
                "wrong_master_key",
                "the panel was not given the master key of its database, and reads nothing secret: \
                 start it with the right one",
            ),
            StoreError::Damaged(_) => unavailable(
                "damaged_row",
                "what the panel's database holds of this was damaged or changed, and is not used: \
                 the panel's log names the row under this request's id",
            ),
            _ => unavailable(
                "store_unavailable",
                "the panel's database cannot be used now, and nothing was changed: try again, and \
                 look at the panel's log under this request's id",
            )
            .after(1),
        };
        tracing::error!(request_id = problem.request_id, %error, "a request could not be served");
        problem
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer to a request whose handler panicked. The panic's text is in the log already.
pub fn panicked() -> Response {
    let detail = "the panel failed in an unforeseen way: report it with this request's id";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
