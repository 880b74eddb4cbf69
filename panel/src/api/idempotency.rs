//! `Idempotency-Key`: a POST that is sent twice is done once.
//!
//! Any POST of a person or an agent may carry one. The first is done and its answer kept for a day,
//! sealed, since it may hold a token that is shown once; the same again gets the kept answer. What
//! was refused is not kept: nothing was changed, and the same may well work later. Proxies number
//! what they send and need none of this.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::access::Principal;
use super::problem::Problem;
use super::request;
use crate::panel::Panel;
use crate::store::StoreError;

/// Names the request, the same in each attempt.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells that an answer is the kept one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How long answers are kept, in milliseconds.
const KEPT: i64 = 24 * 3_600_000;
/// After so many milliseconds nobody works on a request any more: the panel was stopped over it.
const ABANDONED: i64 = 60_000;
/// Keys of one principal in a day at most.
const MOST: i64 = 10_000;
/// The longest key, in bytes.
const LONGEST: usize = 255;
/// The largest answer that is kept, in bytes.
const LARGEST: usize = 1 << 20;

/// Does a POST with a key once.
pub async fn once(State(panel): State<Panel>, request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>().cloned();
    let (Some(principal @ (Principal::Person { .. } | Principal::Agent { .. })), &Method::POST) =
        (principal, request.method())
    else {
        return next.run(request).await;
    };
    let Some(key) = request.headers().get(&HEADER) else { return next.run(request).await };
    let key = key.to_str().unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > LONGEST {
        let detail = format!("`Idempotency-Key` must be 1 to {LONGEST} visible characters");
        return Problem::invalid(format!("{detail}: send a random UUID")).into_response();
    }
    match with_key(&panel, principal.actor(), key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn with_key(
    panel: &Panel,
    principal: String,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, super::LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Problem::too_large());
        }
        Err(_) => return Err(Problem::invalid("the body ended too early: send it again, whole")),
    };
    let mut digest = Sha256::new();
    digest.update(parts.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes());
    digest.update([0]);
    digest.update(&body);
    let slot = Slot { principal, key, request: digest.finalize().to_vec() };
    if let Some(kept) = slot.take(panel).await? {
        return Ok(kept);
    }
    // In a task of its own: what was begun ends, and its answer is kept, also for a caller that left.
    let (panel, id) = (panel.clone(), request::id());
    let request = Request::from_parts(parts, Body::from(body));
    let work = async move {
        let response = next.run(request).await;
        slot.settle(&panel, response).await
    };
    match tokio::spawn(request::within(id, work)).await {
        Ok(response) => Ok(response),
        Err(_) => Ok(super::problem::panicked()),
    }
}

/// One key of one principal.
struct Slot {
    principal: String,
    key: String,
    /// What was asked, as a hash.
    request: Vec<u8>,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

impl Slot {
    /// Takes the key for this request; the kept answer where it was done already.
    async fn take(&self, panel: &Panel) -> Result<Option<Response>, Problem> {
        let now = panel.clock.now_ms();
        let mut tx = panel.store.begin().await?;
        sqlx::query("DELETE FROM idempotency WHERE at < $1")
            .bind(now - KEPT)
            .execute(&mut *tx)
            .await?;
        let taken = sqlx::query(
            "INSERT INTO idempotency (principal, key, request, status, answer, at)
             VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (principal, key) DO NOTHING",
        )
        .bind(self.principal.clone())
        .bind(self.key.clone())
        .bind(self.request.clone())
        .bind(Vec::<u8>::new())
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 1 {
            let row = sqlx::query("SELECT COUNT(*) FROM idempotency WHERE principal = $1")
                .bind(self.principal.clone())
                .fetch_one(&mut *tx)
                .await?;
            if row.try_get::<i64, _>(0)? > MOST {
                return Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_idempotency_keys",
                    "too many idempotency keys in one day: send this without one, or tomorrow",
                )
                .after(3600));
            }
            tx.commit().await?;
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT request, status, answer, at FROM idempotency WHERE principal = $1 AND key = $2",
        )
        .bind(self.principal.clone())
        .bind(self.key.clone())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        let Some(row) = row else { return Err(in_use()) };
        if row.try_get::<Vec<u8>, _>(0)? != self.request {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this idempotency key was used for another request: use a new one for each thing",
            ));
        }
        match row.try_get::<i64, _>(1)? {
            0 if row.try_get::<i64, _>(3)? < now - ABANDONED => Err(Problem::conflict(
                "idempotency_outcome_unknown",
                "the panel was stopped while it did this: look whether it is there, and if it is \
                 not, send it again with a new idempotency key",
            )),
            0 => Err(in_use()),
            status => Ok(Some(self.replay(panel, status, &row.try_get::<Vec<u8>, _>(2)?)?)),
        }
    }

    /// Keeps an answer that says that something was done, and gives the key free otherwise.
    async fn settle(&self, panel: &Panel, response: Response) -> Response {
        let status = response.status();
        if !status.is_success() {
            self.free(panel).await;
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = Limited::new(body, LARGEST).collect().await else {
            return super::problem::panicked();
        };
        let body = body.to_bytes();
        if let Err(error) = self.keep(panel, &parts, &body).await {
            // It was done. The same key finds it unsettled, and says so.
            tracing::error!(%error, "the answer to a request with an idempotency key was not kept");
        }
        Response::from_parts(parts, Body::from(body))
    }

    async fn keep(
        &self,
        panel: &Panel,
        parts: &http::response::Parts,
        body: &Bytes,
    ) -> Result<(), StoreError> {
        let headers = ["content-type", "etag", "location"].into_iter().filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.to_owned(), value.to_owned()))
        });
        let kept = Kept { headers: headers.collect(), body: STANDARD.encode(body) };
        let plain = serde_json::to_vec(&kept).unwrap_or_default();
        sqlx::query(
            "UPDATE idempotency SET status = $1, answer = $2 WHERE principal = $3 AND key = $4",
        )
        .bind(i64::from(parts.status.as_u16()))
        .bind(self.seal(panel, &plain)?)
        .bind(self.principal.clone())
        .bind(self.key.clone())
        .execute(panel.store.pool())
        .await?;
        Ok(())
    }

    async fn free(&self, panel: &Panel) {
        let freed = sqlx::query("DELETE FROM idempotency WHERE principal = $1 AND key = $2")
            .bind(self.principal.clone())
            .bind(self.key.clone())
            .execute(panel.store.pool())
            .await;
        if let Err(error) = freed {
            tracing::error!(%error, "an idempotency key was not given free");
        }
    }

    fn replay(&self, panel: &Panel, status: i64, sealed: &[u8]) -> Result<Response, Problem> {
        let damaged = || StoreError::Damaged("a kept answer".to_owned());
        let plain = self.open(panel, sealed).ok_or_else(damaged)?;
        let kept: Kept = serde_json::from_slice(&plain).map_err(|_| damaged())?;
        let body = STANDARD.decode(&kept.body).map_err(|_| damaged())?;
        let status =
            u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let mut response = (status.ok_or_else(damaged)?, body).into_response();
        for (name, value) in kept.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }

    /// Where the answer belongs: it cannot pass for that to another key.
    fn bound_to(&self) -> Vec<u8> {
        [self.principal.as_bytes(), b"\n", self.key.as_bytes(), b"\n", &self.request].concat()
    }

    fn seal(&self, panel: &Panel, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; 24];
        let failed = || StoreError::Damaged("the system's randomness".to_owned());
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let sealed = cipher(panel)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &self.bound_to() })
            .map_err(|_| failed())?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open(&self, panel: &Panel, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
        let payload = Payload { msg: sealed, aad: &self.bound_to() };
        cipher(panel).decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

fn cipher(panel: &Panel) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*panel.master.derive("idempotency")).into())
}

fn in_use() -> Problem {
    let detail = "the first request with this idempotency key is not done yet: try again";
    Problem::conflict("idempotency_key_in_use", detail).after(1)
}
