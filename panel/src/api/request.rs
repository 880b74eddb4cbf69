//! Around every request: its id, its line in the log, and that whatever is refused is a problem
//! document, whoever refused it.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tracing::Instrument;

use super::problem::Problem;

/// Names the request in the answer and in the log.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The largest text of a refusal from elsewhere that is shown, in bytes.
const LARGEST_TEXT: usize = 1024;

tokio::task_local! {
    static ID: String;
}

/// The id of the request that is being served; a new one outside of any.
pub fn id() -> String {
    ID.try_with(Clone::clone).unwrap_or_else(|_| crate::store::id("req"))
}

/// Does something as part of the request of this id: for what goes on in a task of its own.
pub async fn within<T>(id: String, work: impl Future<Output = T>) -> T {
    ID.scope(id, work).await
}

/// Gives a request its id. What the caller calls it is not looked at: it would be in the log.
pub async fn around(request: Request, next: Next) -> Response {
    let id = crate::store::id("req");
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "(none)".to_owned());
    let span = tracing::info_span!("request", request_id = id, %method, route);
    let work = async {
        let began = Instant::now();
        let mut response = if has_null(&request) {
            let detail = "the address holds a null character: leave it out";
            Problem::invalid(detail).into_response()
        } else {
            as_problem(next.run(request).await).await
        };
        let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
        if status >= 500 {
            tracing::warn!(status, ms, "answered");
        } else {
            tracing::debug!(status, ms, "answered");
        }
        if let Ok(value) = HeaderValue::from_str(&self::id()) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    };
    within(id.clone(), work.instrument(span)).await
}

/// PostgreSQL has no text with null characters: none is let in.
fn has_null(request: &Request) -> bool {
    request.uri().path_and_query().is_some_and(|text| text.as_str().contains("%00"))
}

/// Puts a refusal that is only text, or nothing, into a problem document.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"application/problem+json")
            || kind.as_bytes().starts_with(b"text/html")
    });
    if !is_refusal || is_problem {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = match Limited::new(body, LARGEST_TEXT).collect().await {
        Ok(body) if !status.is_server_error() => {
            String::from_utf8_lossy(&body.to_bytes()).trim().to_owned()
        }
        _ => String::new(),
    };
    let code = match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        _ if status.is_server_error() => "internal",
        _ => "invalid_request",
    };
    let why = if text.is_empty() { "the request was refused" } else { &text };
    let mut response =
        Problem::new(status, code, format!("{why}: see /api/v1/openapi.json")).into_response();
    for (name, value) in &parts.headers {
        if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}
