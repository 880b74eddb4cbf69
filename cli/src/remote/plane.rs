//! A proxy's control plane: a panel, over HTTPS or in this process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use iron_policy::control::{Acknowledged, Asks, Batch, Changes, Grants, Known, Reports, Taken};
use iron_proxy::control_plane::{Answer, ControlError, ControlPlane, Enforce, Follower};
use iron_proxy::shared::Shared;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::link::Link;

/// How long a question may take that a call waits for.
const CALL: Duration = Duration::from_secs(5);
/// How long one may take that nobody waits for.
const BACKGROUND: Duration = Duration::from_secs(30);
/// How long to leave a panel alone that has too much to do and does not say until when.
const BUSY: Duration = Duration::from_secs(1);
/// The longest that one may ask to be left alone.
const LONGEST_BUSY: Duration = Duration::from_mins(1);

/// A panel, as the control plane of a proxy.
#[derive(Debug, Clone)]
pub struct Plane(Link);

impl Plane {
    /// Over this link, whose credential is a proxy's.
    pub const fn over(link: Link) -> Self {
        Self(link)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &(impl Serialize + Sync),
        within: Duration,
    ) -> Result<T, ControlError> {
        let body = serde_json::to_vec(question)
            .map_err(|error| ControlError::Unreachable(error.to_string()))?;
        let reply = self.0.ask(Method::POST, path, &[], Some(Bytes::from(body)), within).await;
        let reply = reply.map_err(|error| ControlError::Unreachable(error.to_string()))?;
        let status = reply.status;
        if status.is_success() {
            return serde_json::from_slice(&reply.body).map_err(|error| {
                ControlError::Unreachable(format!("its answer makes no sense: {error}"))
            });
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds = reply.headers.get("retry-after").and_then(|value| value.to_str().ok());
            let retry_after = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
            let retry_after = retry_after.unwrap_or(BUSY).min(LONGEST_BUSY);
            return Err(ControlError::Busy { retry_after });
        }
        let problem = reply.json();
        match (problem["code"].as_str(), problem["detail"].as_str()) {
            _ if status == StatusCode::UNAUTHORIZED => Err(ControlError::Refused {
                code: "unauthorized".to_owned(),
                detail:
                    "the proxy's credential is not taken: make a new one with `iron proxies add`"
                        .to_owned(),
            }),
            (Some(code), Some(detail)) if status.is_client_error() => {
                Err(ControlError::Refused { code: code.to_owned(), detail: detail.to_owned() })
            }
            _ => Err(ControlError::Unreachable(format!("it answered {status}"))),
        }
    }
}

impl ControlPlane for Plane {
    fn changes<'a>(&'a self, known: &'a Known) -> Answer<'a, Changes> {
        let within = BACKGROUND + Duration::from_millis(known.wait_ms);
        Box::pin(self.ask("/api/v1/proxies/changes", known, within))
    }

    fn leases<'a>(&'a self, asks: &'a Asks) -> Answer<'a, Grants> {
        Box::pin(self.ask("/api/v1/leases", asks, CALL))
    }

    fn report<'a>(&'a self, reports: &'a Reports) -> Answer<'a, Acknowledged> {
        Box::pin(self.ask("/api/v1/leases/report", reports, BACKGROUND))
    }

    fn ingest<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Taken> {
        Box::pin(self.ask("/api/v1/ingest", batch, BACKGROUND))
    }
}

/// How long a start waits for the panel's first word.
const FIRST_WORD: Duration = Duration::from_secs(3);

/// Links a proxy to its panel: what the panel said before the last stop is in force when this
/// returns, what it says now is where it answers at once, and what it says from now on is followed. To
/// be called before the port is served, and after what spends the panel's budgets was begun.
///
/// `panel` names the panel, as its copy in the state folder is known by; `listens` is where agents
/// reach the proxy; `tokens_required` is whether calls need a token where the policy does not say.
pub async fn follow(
    shared: &Arc<Shared>,
    plane: Arc<dyn ControlPlane>,
    enforce: Arc<dyn Enforce>,
    panel: &str,
    listens: Option<String>,
    tokens_required: bool,
) {
    shared.tokens.expect(tokens_required);
    let mut follower = Follower::new(shared, plane, enforce, panel, listens);
    // A failure is said once more by whoever follows.
    let _ = tokio::time::timeout(FIRST_WORD, follower.ask_now()).await;
    tokio::spawn(follower.run());
}
