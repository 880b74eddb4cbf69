//! `/api/v1/keys`: the keys that agents' tokens are verified with.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::Json;
use super::problem::Problem;
use crate::audit;
use crate::keys::{rewrap, signing};
use crate::panel::Panel;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/keys", May::Anyone),
    door("POST", "/api/v1/keys/rotate", May::Person(Role::Admin)),
    door("POST", "/api/v1/keys/rewrap", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(published)).routes(routes!(rotate)).routes(routes!(wrap))
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySet {
    /// The `iss` of the tokens that these keys verify.
    pub issuer: String,
    /// The keys: Ed25519 (RFC 8037).
    pub keys: Vec<serde_json::Value>,
}

/// A key that signs tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: String,
}

/// The keys that tokens may be signed with: public, so that anybody can verify one offline.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys", security(()),
    responses((status = 200, body = KeySet))
)]
pub async fn published(State(panel): State<Panel>) -> Result<Response, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let issuer = signing::issuer(&mut connection).await?;
    let mut set = signing::jwks(&signing::published(&panel, &mut connection).await?);
    let keys = set["keys"].take();
    let cached = [(header::CACHE_CONTROL, "public, max-age=60")];
    Ok((cached, axum::Json(json!({"issuer": issuer, "keys": keys}))).into_response())
}

/// Makes a new key that signs from now on. The one before stays published until the last token that it
/// signed has expired.
#[utoipa::path(
    post, path = "/api/v1/keys/rotate", tag = "keys",
    responses((status = 201, body = SigningKey))
)]
pub async fn rotate(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<(StatusCode, Json<SigningKey>), Problem> {
    let mut tx = panel.store.begin().await?;
    let Some(signer) = signing::rotate(&panel, &mut tx).await? else {
        return Err(Problem::conflict(
            "too_many_keys",
            "proxies take no more keys at once: wait until tokens of older ones have expired",
        ));
    };
    audit::record(&panel, &mut tx, &principal, "keys.rotate", &signer.id, json!({})).await?;
    tx.commit().await?;
    panel.wake.notify(signing::PART);
    Ok((StatusCode::CREATED, Json(SigningKey { id: signer.id })))
}

/// What a rotation of the master key did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rewrapped {
    /// The public name of the master key that wraps now.
    pub master: String,
    /// Rows that were wrapped anew.
    pub rows: u64,
    /// Rows that no key opens. While there are any, the old key is still needed.
    pub damaged: Vec<String>,
}

/// Wraps everything with the master key that the panel was started with that an older one still
/// wraps. Start every replica with the new key, and the old one besides, before this.
#[utoipa::path(
    post, path = "/api/v1/keys/rewrap", tag = "keys",
    responses((status = 200, body = Rewrapped))
)]
pub async fn wrap(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Json<Rewrapped>, Problem> {
    let done = rewrap(&panel, &principal.actor(), |_| ()).await?;
    let master = panel.master.name();
    Ok(Json(Rewrapped { master, rows: done.rows, damaged: done.damaged }))
}
