//! `/metrics`: the panel's own figures in Prometheus' text format.
//!
//! For people with a token, and for a scraper on this machine. Labels are routes as the access table
//! writes them, statuses and words of this module: nothing that a caller can name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use sqlx::Row;
use utoipa_axum::router::OpenApiRouter;

use super::access::{Door, May, Principal, door};
use super::problem::Problem;
use crate::panel::Panel;
use crate::store::StoreError;

/// Who may ask: who it is is looked at here.
pub const DOORS: &[Door] = &[door("GET", "/metrics", May::Anyone)];

/// The routes: for programs that know the format, and so not in the API's document.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().route("/metrics", get(metrics))
}

/// How long a proxy may be silent before it counts as down, in milliseconds.
const SILENT: i64 = 90_000;

/// How many requests there were, and how long they took, by method, route and status.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<Asked, (u64, Duration)>>);

/// Method, route and status.
type Asked = (&'static str, String, u16);

impl Requests {
    fn count(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry((method, route.to_owned(), status)).or_default();
        *entry = (entry.0 + 1, entry.1 + took);
    }
}

/// Counts a request.
pub async fn counted(State(panel): State<Panel>, request: Request, next: Next) -> Response {
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    panel.requests.count(method, route, response.status().as_u16(), began.elapsed());
    response
}

async fn metrics(
    State(panel): State<Panel>,
    principal: Principal,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    if !matches!(principal, Principal::Person { .. }) && !is_local(peer, &headers) {
        let why =
            "metrics are for this machine and for people: send `Authorization: Bearer iron_user_…`";
        return Err(match principal {
            Principal::Anyone => Problem::unauthenticated(why),
            _ => Problem::forbidden(why),
        });
    }
    let text = text(&panel).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Whether it comes from this machine, and not from elsewhere through a proxy on it.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !forwarded.iter().any(|name| headers.contains_key(*name))
}

async fn text(panel: &Panel) -> Result<String, StoreError> {
    let mut text = String::with_capacity(4_096);
    let all = panel.requests.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    head(&mut text, "iron_panel_requests_total", "counter", "Requests answered.");
    for ((method, route, status), (count, _)) in &all {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        let _ = writeln!(text, "iron_panel_requests_total{{{labels}}} {count}");
    }
    head(&mut text, "iron_panel_request_seconds_total", "counter", "Time spent on them.");
    for ((method, route, status), (_, took)) in &all {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        let took = took.as_secs_f64();
        let _ = writeln!(text, "iron_panel_request_seconds_total{{{labels}}} {took:.6}");
    }
    let [new, known, batches, refused] = panel.telemetry.counters.read();
    head(&mut text, "iron_panel_ingest_records_total", "counter", "Records from proxies.");
    let _ = writeln!(text, "iron_panel_ingest_records_total{{result=\"new\"}} {new}");
    let _ = writeln!(text, "iron_panel_ingest_records_total{{result=\"known\"}} {known}");
    head(&mut text, "iron_panel_ingest_batches_total", "counter", "Batches from proxies.");
    let _ = writeln!(text, "iron_panel_ingest_batches_total{{result=\"taken\"}} {batches}");
    let _ = writeln!(text, "iron_panel_ingest_batches_total{{result=\"refused\"}} {refused}");
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM proxy WHERE removed_at IS NULL AND seen_at >= $1),
         (SELECT COUNT(*) FROM proxy WHERE removed_at IS NULL AND (seen_at IS NULL OR seen_at < $1)),
         (SELECT COUNT(*) FROM lease WHERE state = 'open'),
         (SELECT number FROM mark WHERE part = 'event')",
    )
    .bind(panel.clock.now_ms() - SILENT)
    .fetch_one(panel.store.pool())
    .await?;
    let mut counts = [0_i64; 4];
    for (place, count) in counts.iter_mut().enumerate() {
        *count = row.try_get(place)?;
    }
    let [up, down, leases, newest] = counts;
    head(&mut text, "iron_panel_proxies", "gauge", "Proxies by whether they were heard of lately.");
    let _ = writeln!(text, "iron_panel_proxies{{state=\"up\"}} {up}");
    let _ = writeln!(text, "iron_panel_proxies{{state=\"down\"}} {down}");
    let hub = &panel.events;
    for (name, about, value) in [
        ("iron_panel_leases_open", "Leases that proxies hold.", leases),
        ("iron_panel_live_views", "Open live views.", as_i64(panel.views.count())),
        (
            "iron_panel_events_behind",
            "Events that live views were not told yet.",
            (newest - hub.last().max(0)).max(0),
        ),
        (
            "iron_panel_event_lag_milliseconds",
            "Age of the last event when it was told.",
            hub.lag_ms(),
        ),
        (
            "iron_panel_listening",
            "Whether PostgreSQL tells of other replicas.",
            i64::from(hub.is_listening()),
        ),
    ] {
        head(&mut text, name, "gauge", about);
        let _ = writeln!(text, "{name} {value}");
    }
    Ok(text)
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn head(text: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Role;
    use crate::testing::worlds;

    #[test]
    fn a_proxy_on_this_machine_does_not_make_others_local() {
        let mut headers = HeaderMap::new();
        let peer = |text: &str| Some(text.parse().unwrap());
        assert!(is_local(peer("127.0.0.1:5"), &headers));
        assert!(is_local(peer("[::ffff:127.0.0.1]:5"), &headers));
        assert!(!is_local(peer("192.0.2.1:5"), &headers));
        assert!(!is_local(None, &headers));
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        assert!(!is_local(peer("127.0.0.1:5"), &headers));
    }

    #[tokio::test]
    async fn figures_are_for_people_and_name_nobody() {
        for world in worlds().await {
            assert_eq!(world.get("/metrics").await.status, 401);
            let viewer = world.signed_in(Role::Viewer).await;
            viewer.get("/api/v1/calls/call_whatever").await;
            viewer.get("/api/v1/secret-agent-name").await;
            let answer = viewer.get("/metrics").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let line = "iron_panel_requests_total{method=\"GET\",route=\"/api/v1/calls/{id}\",status=\"404\"} 1";
            assert!(answer.text.contains(line), "{}", answer.text);
            assert!(answer.text.contains("iron_panel_proxies{state=\"up\"} 0"));
            assert!(
                !answer.text.contains("whatever") && !answer.text.contains("secret-agent-name")
            );
        }
    }
}
