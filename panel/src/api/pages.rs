//! The pages without scripts: how to sign in, the first admin, approving a terminal's login. They are
//! forms; what they send is checked as everything is that signs somebody in.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;

use super::access::{Door, May, Principal, door};
use super::authenticate::MaybeCookie;
use super::browser::Address;
use super::extract::Query;
use super::problem::Problem;
use super::{device, session};
use crate::identity::password::Password;
use crate::identity::sessions::{Begun, Carrier};
use crate::panel::Panel;

/// Who may use which route. The device's form carries the CSRF token in a field.
pub const DOORS: &[Door] = &[
    door("GET", "/", May::Anyone),
    door("POST", "/bootstrap", May::Anyone).form(),
    door("GET", "/device", May::Anyone),
    door("POST", "/device", May::Anyone).form(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .route("/", get(front))
        .route("/bootstrap", post(first_admin))
        .route("/device", get(device_form).post(approve))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;\
padding:0 1rem;color:#1a1a1a;background:#fff}label{display:block;margin:.75rem 0}\
input{font:inherit;padding:.3rem;width:20rem;max-width:100%}button{font:inherit;padding:.4rem 1rem}\
code{background:#eee;padding:.1rem .3rem}@media(prefers-color-scheme:dark){body{color:#eee;\
background:#161616}code{background:#333}}";

/// What the front page may be asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Front {
    /// A bootstrap token.
    bootstrap: Option<Password>,
}

async fn front(
    State(panel): State<Panel>,
    principal: Principal,
    Query(query): Query<Front>,
) -> Response {
    let form = query.bootstrap.map(|token| bootstrap_form(&panel, &token)).unwrap_or_default();
    let who = match principal {
        Principal::Person { name, role, .. } => {
            format!("<p>You are signed in as {}, {}.</p>", escaped(&name), role.name())
        }
        _ => String::new(),
    };
    page(
        StatusCode::OK,
        &format!(
            "{form}{who}<p>Sign in from a terminal with <code>iron login</code> and this address; \
             <code>iron --help</code> says what there is to do then.</p>\
             <p>The API is described at <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>"
        ),
    )
}

fn bootstrap_form(panel: &Panel, token: &Password) -> String {
    let token = escaped(token.text());
    let token = format!("<input type=\"hidden\" name=\"token\" value=\"{token}\">");
    let fields = if panel.signs_in_by_click() {
        "<p>Make this browser the first admin of this panel.</p>".to_owned()
    } else {
        format!(
            "<p>Make the first admin of this panel.</p>{NAME}{PASSWORD}<p>12 characters or more.</p>"
        )
    };
    format!(
        "<form method=\"post\" action=\"/bootstrap\">{token}{fields}<button>Sign in</button></form>"
    )
}

const NAME: &str = "<label>Name<br><input name=\"name\" required maxlength=\"64\" \
autocomplete=\"username\"></label>";
const PASSWORD: &str = "<label>Password<br><input name=\"password\" type=\"password\" required \
autocomplete=\"current-password\"></label>";

#[derive(Debug, Deserialize)]
struct FirstAdmin {
    token: Password,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Option<Password>,
}

async fn first_admin(
    State(panel): State<Panel>,
    address: Address,
    body: Result<Form<FirstAdmin>, Problem>,
) -> Response {
    let made = async {
        let Form(body) = body?;
        let (name, password) = if panel.signs_in_by_click() {
            ("admin".to_owned(), None)
        } else {
            (body.name, Some(body.password.unwrap_or_else(|| String::new().into())))
        };
        let token = &body.token;
        session::make_first_admin(&panel, &address, &name, token, password, Carrier::Browser).await
    };
    match made.await {
        Ok((begun, _)) => to_front(&panel, &begun),
        Err(problem) => refused(&problem),
    }
}

/// What the device page may be asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DeviceQuery {
    code: String,
}

async fn device_form(
    principal: Principal,
    MaybeCookie(cookie): MaybeCookie,
    Query(query): Query<DeviceQuery>,
) -> Response {
    let fields = match (principal, cookie) {
        (Principal::Person { name, .. }, Some(cookie)) => {
            let (name, csrf) = (escaped(&name), escaped(&cookie.csrf));
            format!(
                "<p>Whoever sees this code gets a session of yours, {name}. Approve it only if it is \
                 in a terminal of your own.</p><input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">"
            )
        }
        _ => format!(
            "<p>Whoever sees this code gets a session of yours. Approve it only if it is in a \
             terminal of your own.</p>{NAME}{PASSWORD}"
        ),
    };
    page(
        StatusCode::OK,
        &format!(
            "<form method=\"post\" action=\"/device\"><label>Code in the terminal<br><input \
             name=\"code\" required maxlength=\"20\" value=\"{}\" autocomplete=\"off\"></label>{fields}\
             <button>Approve</button></form>",
            escaped(&query.code)
        ),
    )
}

#[derive(Debug, Deserialize)]
struct Approval {
    code: String,
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Option<Password>,
}

async fn approve(
    State(panel): State<Panel>,
    principal: Principal,
    MaybeCookie(cookie): MaybeCookie,
    address: Address,
    body: Result<Form<Approval>, Problem>,
) -> Response {
    let approved = async {
        let Form(body) = body?;
        let person = match (principal, cookie, body.password) {
            (_, _, Some(password)) => {
                session::check(&panel, &address, &body.name, password).await?.id
            }
            (Principal::Person { id, .. }, Some(cookie), None) if cookie.fits(&body.csrf) => id,
            _ => {
                let detail = "the page is too old: open it again from the terminal's address";
                return Err(Problem::forbidden(detail));
            }
        };
        device::approve_for(&panel, &person, &address, &body.code).await
    };
    match approved.await {
        Ok(label) => page(
            StatusCode::OK,
            &format!("<p>The terminal {} is signed in. You can close this.</p>", escaped(&label)),
        ),
        Err(problem) => refused(&problem),
    }
}

/// A form's fields.
struct Form<T>(T);

impl<T: serde::de::DeserializeOwned> axum::extract::FromRequest<Panel> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, panel: &Panel) -> Result<Self, Problem> {
        let form = axum::extract::RawForm::from_request(request, panel).await.map_err(|_| {
            let detail = "the form cannot be read: open the page again";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        })?;
        let uri = http::Uri::builder().path_and_query([b"/?", &form.0[..]].concat()).build();
        let fields = uri.ok().and_then(|uri| axum::extract::Query::<T>::try_from_uri(&uri).ok());
        let fields = fields.filter(|_| !form.0.windows(3).any(|part| part == b"%00"));
        let detail = "the form cannot be read: open the page again";
        fields.map(|fields| Self(fields.0)).ok_or_else(|| Problem::invalid(detail))
    }
}

fn to_front(panel: &Panel, begun: &Begun) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response();
    if let Some(line) = session::cookie(&panel.settings, begun) {
        response.headers_mut().insert(header::SET_COOKIE, line);
    }
    response
}

fn refused(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = page(status, &format!("<p>{}.</p>", escaped(&problem.detail)));
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Iron Cage</title><style>{STYLE}</style></head>\
         <body><main><h1>Iron Cage</h1>{body}</main></body></html>"
    );
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let csp = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let kind = "text/html; charset=utf-8".to_owned();
    (status, [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, csp)], html)
        .into_response()
}

/// A text as it stands in a page, whatever is in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
