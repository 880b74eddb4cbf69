//! What keeps a browser's other pages out: the names that the panel answers to, the origins that it
//! listens to, and the headers that every answer carries. There is no CORS: only pages of the panel's
//! own may read its answers.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use iron_policy::config::Panel as Settings;

use super::access::Trusted;
use super::problem::Problem;
use crate::audit;
use crate::panel::Panel;
use crate::reach::{answers_to, host_of, is_secure, trusts_origin};

/// What answers may load, unless they say what they need: nothing.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
/// Headers of every answer.
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Refuses what was sent to a foreign name or by a foreign page, and puts the headers on.
pub async fn guard(State(panel): State<Panel>, mut request: Request, next: Next) -> Response {
    let address = Address::of(&request, &panel.settings);
    // What this process asks itself comes from no page.
    let is_own = request.extensions().get::<Trusted>().is_some();
    let checked = if is_own { Ok(()) } else { check(&panel.settings, &request) };
    let mut response = match checked {
        Ok(()) => {
            request.extensions_mut().insert(address);
            next.run(request).await
        }
        Err(problem) => {
            let detail = serde_json::json!({"code": problem.code, "address": address.0});
            audit::refusal(&panel, "anonymous", "access.refused", "", detail).await;
            problem.into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let csp = headers.entry(header::CONTENT_SECURITY_POLICY);
    csp.or_insert(HeaderValue::from_static(NOTHING));
    if is_secure(&panel.settings) {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn check(settings: &Settings, request: &Request) -> Result<(), Problem> {
    let host = host_of(request.uri(), request.headers());
    let Some(host) = host.filter(|host| answers_to(settings, host)) else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            "this panel does not answer to the name in `Host`: use the address that it was set up \
             with, or have its operator add the name to its hosts",
        ));
    };
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    if origin.to_str().is_ok_and(|origin| trusts_origin(settings, origin, &host)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "a page of another origin sent this: pages of the panel itself may, and programs that send \
         no `Origin`",
    ))
}

/// Where a caller is, as far as attempts to sign in are counted: an IPv4 address, or the first 64 bits
/// of an IPv6 address, which one machine has all of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(pub String);

impl Address {
    fn of(request: &Request, settings: &Settings) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip());
        let told = settings.behind_proxy.then(|| forwarded(request.headers())).flatten();
        match told.or(peer).map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self(address.to_string()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
            None => Self("unknown".to_owned()),
        }
    }
}

/// Whom the reverse proxy names: the last entry, which is the one that it wrote itself.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<Self>().cloned();
        Ok(address.unwrap_or_else(|| Self("unknown".to_owned())))
    }
}
