//! `/api/v1/session/device`: logins from a terminal (`iron login`).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::browser::Address;
use super::extract::Json;
use super::problem::Problem;
use super::session::{PersonSeen, SignedIn, nobody};
use super::wire::Time;
use crate::audit;
use crate::identity::device::{self, INTERVAL, Standing};
use crate::identity::password::Password;
use crate::identity::{attempts, names};
use crate::panel::Panel;

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("POST", "/api/v1/session/device", May::Anyone),
    door("POST", "/api/v1/session/device/token", May::Anyone),
    door("POST", "/api/v1/session/device/approve", May::Person(Role::Viewer)).own(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(ask)).routes(routes!(approve))
}

/// A terminal that wants to be signed in.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Begin {
    /// What the session is to be called in lists: the machine's name.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub label: String,
}

/// What the terminal shows, and asks with.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// Ask with this whether the login was approved.
    pub device_token: String,
    /// What a person who is signed in approves.
    #[schema(example = "BCDF-GHJK")]
    pub code: String,
    /// Where they do, on this panel.
    #[schema(example = "/device?code=BCDF-GHJK")]
    pub path: String,
    /// The same with the panel's public address, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seconds to wait between questions.
    pub interval: u64,
    /// When the code ends.
    pub expires_at: Time,
}

/// Begins a login from a terminal.
#[utoipa::path(
    post, path = "/api/v1/session/device", tag = "session", responses((status = 201, body = Begun))
)]
pub async fn begin(
    State(panel): State<Panel>,
    address: Address,
    Json(body): Json<Begin>,
) -> Result<Response, Problem> {
    names::check_text("label", &body.label, 100)?;
    let waiting = device::begin(&panel, &body.label, &address.0).await?;
    let path = format!("/device?code={}", waiting.code);
    let begun = Begun {
        device_token: waiting.token.to_string(),
        url: panel.settings.url.as_ref().map(|url| format!("{url}{path}")),
        path,
        code: waiting.code,
        interval: INTERVAL,
        expires_at: Time(waiting.expires_at),
    };
    Ok((StatusCode::CREATED, Json(begun)).into_response())
}

/// A terminal's question.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeviceQuestion)]
pub struct Ask {
    /// The `device_token` that the login began with.
    #[schema(value_type = String, max_length = 200)]
    pub device_token: Password,
}

/// Nobody approved it yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Waiting {
    /// `waiting`.
    pub state: &'static str,
    /// Seconds to wait before asking again.
    pub interval: u64,
}

/// Asks whether a login was approved. The session is given out once.
#[utoipa::path(
    post, path = "/api/v1/session/device/token", tag = "session",
    responses(
        (status = 201, body = SignedIn),
        (status = 202, body = Waiting),
        (status = 410, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn ask(State(panel): State<Panel>, Json(body): Json<Ask>) -> Result<Response, Problem> {
    Ok(match device::ask(&panel, body.device_token.text()).await? {
        Standing::Waiting => {
            let waiting = Waiting { state: "waiting", interval: INTERVAL };
            (StatusCode::ACCEPTED, Json(waiting)).into_response()
        }
        Standing::Approved(begun, person) => {
            let seen = PersonSeen { id: person.id, name: person.name, role: person.role };
            (StatusCode::CREATED, Json(SignedIn::new(&begun, seen, &panel))).into_response()
        }
    })
}

/// A code, as the terminal shows it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Approve {
    /// The code: capital or small, with the dash or without.
    #[schema(max_length = 20)]
    pub code: String,
}

/// What was approved.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approved {
    /// What the session will be called.
    pub label: String,
}

/// Approves a terminal's login: it gets a session of whoever approves.
#[utoipa::path(
    post, path = "/api/v1/session/device/approve", tag = "session",
    responses((status = 200, body = Approved))
)]
pub async fn approve(
    State(panel): State<Panel>,
    principal: Principal,
    address: Address,
    Json(body): Json<Approve>,
) -> Result<Json<Approved>, Problem> {
    let Principal::Person { id, .. } = &principal else { return Err(nobody()) };
    let label = approve_for(&panel, id, &address, &body.code).await?;
    Ok(Json(Approved { label }))
}

/// Approves a login for somebody; guesses at codes are counted.
pub(super) async fn approve_for(
    panel: &Panel,
    person: &str,
    address: &Address,
    code: &str,
) -> Result<String, Problem> {
    let attempt = attempts::begin(panel, &format!("code {person}"), &address.0).await?;
    let mut tx = panel.store.begin().await?;
    let label = device::approve(panel, &mut tx, person, code).await?;
    let detail = serde_json::json!({"label": label});
    let entry = audit::Entry { actor: person, action: "device.approve", target: person, detail };
    audit::write(panel, &mut tx, entry).await?;
    tx.commit().await?;
    attempt.forgive(panel).await?;
    Ok(label)
}
