//! A control plane that says what the story wants, can be away, and signs tokens.

use std::sync::Arc;
use std::time::Duration;

use iron_policy::budget::Glob;
use iron_policy::control::{
    Acknowledged, Asks, Batch, Changes, Grants, Known, Marks, PolicyText, Reports, Revocation,
    Taken,
};
use iron_policy::token::{AUDIENCE, Claims, public_key, sign};
use iron_proxy::control_plane::{Answer, ControlError, ControlPlane};
use iron_proxy::shared::unix_ms;
use serde_json::json;
use tokio::sync::watch;

/// Whose tokens it signs.
pub const ISSUER: &str = "panel-of-the-story";
const KEY: [u8; 32] = [7; 32];

/// A control plane in the story's hands. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Scripted(Arc<watch::Sender<State>>);

#[derive(Clone, Debug)]
struct State {
    said: Changes,
    away: Option<ControlError>,
    asked: usize,
}

impl Default for Scripted {
    fn default() -> Self {
        let said = Changes {
            marks: Marks { keys: 1, ..Marks::default() },
            issuer: ISSUER.to_owned(),
            keys: Some(json!({"keys": [public_key("k1", &KEY)]})),
            ..Changes::default()
        };
        Self(Arc::new(watch::Sender::new(State { said, away: None, asked: 0 })))
    }
}

impl Scripted {
    /// From now on it answers nothing but this error.
    pub fn leaves(&self, error: ControlError) {
        self.0.send_modify(|state| state.away = Some(error));
    }

    /// It answers again.
    pub fn is_back(&self) {
        self.0.send_modify(|state| state.away = None);
    }

    /// How often it was asked what changed.
    pub fn asked(&self) -> usize {
        self.0.borrow().asked
    }

    /// Changes what it says; the story raises the mark of what it changes.
    pub fn say(&self, change: impl FnOnce(&mut Changes)) {
        self.0.send_modify(|state| change(&mut state.said));
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str, cut_streams: bool) {
        self.say(|said| {
            let token = token.to_owned();
            said.revocations.get_or_insert_default().push(Revocation { token, cut_streams });
            said.marks.revocations += 1;
        });
    }

    /// Stops these agents and no others.
    pub fn stop(&self, agents: &[&str]) {
        self.say(|said| {
            said.stops = Some(agents.iter().map(|agent| (*agent).to_owned()).collect());
            said.marks.stops += 1;
        });
    }

    /// Hands out a policy.
    pub fn policy(&self, toml: &str) {
        self.say(|said| {
            said.marks.policy += 1;
            said.policy = Some(PolicyText { version: said.marks.policy, toml: toml.to_owned() });
        });
    }

    /// A token of the agent `researcher`, good for an hour, changed by the story.
    pub fn token(id: &str, change: impl FnOnce(&mut Claims)) -> String {
        let now = unix_ms() / 1000;
        let mut claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: "researcher".parse().unwrap(),
            jti: id.parse().unwrap(),
            iat: now,
            nbf: now,
            exp: now + 3_600,
            project: Some("web".parse().unwrap()),
            models: Vec::new(),
            upstreams: Vec::new(),
            budget: None,
            policy: None,
        };
        change(&mut claims);
        sign(&claims, "k1", &KEY).unwrap()
    }

    /// A token for these models alone.
    pub fn token_for(id: &str, models: &[&str]) -> String {
        Self::token(id, |claims| {
            claims.models = models.iter().map(|glob| Glob::new(glob)).collect();
        })
    }
}

impl ControlPlane for Scripted {
    fn changes<'a>(&'a self, known: &'a Known) -> Answer<'a, Changes> {
        self.0.send_modify(|state| state.asked += 1);
        Box::pin(async move {
            let mut state = self.0.subscribe();
            let news = |state: &State| state.away.is_some() || state.said.marks != known.marks;
            let wait = Duration::from_millis(known.wait_ms);
            // No news within the time is an answer too.
            let _ = tokio::time::timeout(wait, state.wait_for(news)).await;
            let State { said, away, .. } = self.0.borrow().clone();
            if let Some(away) = away {
                return Err(away);
            }
            // As a panel does: what the proxy has is left out.
            let (new, old) = (said.marks, known.marks);
            Ok(Changes {
                now_ms: unix_ms(),
                keys: said.keys.filter(|_| new.keys != old.keys),
                policy: said.policy.filter(|_| new.policy != old.policy),
                budgets: said.budgets.filter(|_| new.budgets != old.budgets),
                secrets: said.secrets.filter(|_| new.secrets != old.secrets),
                revocations: said.revocations.filter(|_| new.revocations != old.revocations),
                stops: said.stops.filter(|_| new.stops != old.stops),
                ..said
            })
        })
    }

    fn leases<'a>(&'a self, _asks: &'a Asks) -> Answer<'a, Grants> {
        away()
    }

    fn report<'a>(&'a self, _reports: &'a Reports) -> Answer<'a, Acknowledged> {
        away()
    }

    fn ingest<'a>(&'a self, _batch: &'a Batch) -> Answer<'a, Taken> {
        away()
    }
}

fn away<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(ControlError::Unreachable("nobody plays this part".to_owned())) })
}
