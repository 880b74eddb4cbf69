//! What handlers take apart: bodies, queries, paths, versions. What cannot be taken apart is refused
//! with a problem document.
//!
//! These have the names of axum's own, so that the OpenAPI document knows them, and differ in what a
//! caller is told.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::Principal;
use super::problem::Problem;
use crate::panel::Panel;

/// Characters of a parser's complaint that a caller is shown: it may quote what was sent.
const SHOWN: usize = 300;

/// A JSON body, in or out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Panel> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, panel: &Panel) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be JSON: send it with `content-type: application/json`",
            ));
        }
        let body = Bytes::from_request(request, panel).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::too_large()
            } else {
                Problem::invalid("the body ended too early: send it again, whole")
            }
        })?;
        if names_null(&body) {
            let detail = "the body holds a null character: leave it out";
            return Err(Problem::invalid(detail));
        }
        axum::Json::from_bytes(&body).map(|axum::Json(value)| Self(value)).map_err(|rejection| {
            Problem::invalid(format!(
                "the body cannot be read: {}; see /api/v1/openapi.json for what belongs there",
                shown(&rejection.body_text())
            ))
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Whether a text in this JSON has a null character, which PostgreSQL cannot store.
fn names_null(body: &[u8]) -> bool {
    fn held(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(held),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| name.contains('\0') || held(value))
            }
            _ => false,
        }
    }
    // Rare enough that only then the body is read a second time.
    body.windows(6).any(|part| part == b"\\u0000")
        && serde_json::from_slice(body).is_ok_and(|value| held(&value))
}

/// What stands after `?`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Panel> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, panel: &Panel) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, panel)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| {
                Problem::invalid(format!(
                    "the address's query cannot be read: {}; see /api/v1/openapi.json for its fields",
                    shown(&rejection.body_text())
                ))
            })
    }
}

/// The variable parts of the address.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Panel> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, panel: &Panel) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, panel)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| {
                Problem::invalid(format!(
                    "the address cannot be read: {}; see /api/v1/openapi.json for its form",
                    shown(&rejection.body_text())
                ))
            })
    }
}

/// `If-Match`: the version that a change is meant for. The access table says which routes need it;
/// whoever leaves it out does not reach the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: whatever version there is.
    Any,
    /// `"N"`.
    Version(i64),
    /// An ETag that this panel never gave.
    None,
}

impl IfMatch {
    /// Whether the thing still has the version that the caller saw. Look at the version in the
    /// transaction that changes it, or name it in the `WHERE` of the update.
    pub fn check(self, current: i64) -> Result<(), Problem> {
        match self {
            Self::Any => Ok(()),
            Self::Version(version) if version == current => Ok(()),
            _ => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                format!(
                    "somebody changed this since it was read (its ETag is now \"{current}\"): read it \
                     again, then send the change with the new ETag in `If-Match`"
                ),
            )),
        }
    }
}

impl FromRequestParts<Panel> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Panel) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(http::header::IF_MATCH) else {
            return Err(Problem::precondition_required());
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(version.and_then(|version| version.parse().ok()).map_or(Self::None, Self::Version))
    }
}

/// An answer with its version: JSON, and `ETag: "N"`.
#[derive(Debug, Clone, Copy)]
pub struct Tagged<T>(pub i64, pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(http::header::ETAG, format!("\"{}\"", self.0))], axum::Json(self.1)).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Anyone))
    }
}

/// As much of a text as a caller is shown, without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}
