//! Which agents' tokens are good here: the panel's keys, what is revoked, and whether one is needed.
//!
//! Everything is asked without waiting: what the panel says is brought here by
//! [`crate::control_plane`], and a call only looks. A token that was verified is remembered by a
//! hash of all of it, so that an agent's next call costs no signature check.
//!
//! Not here: the form and the signature of tokens ([`iron_policy::token`]), and ending what is open
//! with a token ([`crate::stops`]).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::{HeaderMap, header};
use iron_policy::token::{Claims, LEEWAY_S, PREFIX, TokenError, TokenKeys};
use iron_policy::types::Name;
use sha2::{Digest, Sha256};

use crate::live::Live;
use crate::shared::unix_ms;
use crate::upstream::query_holds;

/// More tokens than this are not remembered at once.
const MAX_VERIFIED: usize = 10_000;

/// Why a call's token is not taken. The messages hold nothing of it but its id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// There is none, and one is needed.
    #[error(
        "calls need a token here: get one from whoever runs the panel (`iron token issue --agent NAME`), and use it as the API key"
    )]
    Missing,
    /// It is not good, or not any more.
    #[error("{0}: get another from whoever runs the panel (`iron token issue`)")]
    Bad(#[from] TokenError),
    /// It was good.
    #[error(
        "the token {0} is revoked: get another from whoever runs the panel (`iron token issue`)"
    )]
    Revoked(Name),
    /// Two are sent.
    #[error("the request carries two different tokens: send one")]
    Two,
    /// It stands where it would go on to the provider.
    #[error("the request carries a token in its address: send it as the API key, in a header")]
    InAddress,
    /// The proxy has no panel.
    #[error(
        "this proxy has no panel, so it knows no tokens: send the provider's key, or start it with a panel (`iron proxy --panel URL`)"
    )]
    NoPanel,
    /// The proxy has not heard from its panel yet.
    #[error(
        "this proxy has not reached its panel yet, so it cannot check tokens: try again in a second"
    )]
    NoKeys,
}

impl TokenRefused {
    /// In a word of a closed set, for records and callers.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Bad(error) => error.reason(),
            Self::Revoked(_) => "token_revoked",
            Self::Two | Self::InAddress | Self::NoPanel => "token_invalid",
            Self::NoKeys => "panel_unavailable",
        }
    }
}

/// Which tokens are good here.
#[derive(Debug, Default)]
pub struct Tokens {
    held: ArcSwap<Held>,
    revoked: ArcSwap<HashSet<Name>>,
    /// Whether one is needed where the policy does not say.
    required: AtomicBool,
    /// Whether there is a panel that keys may come from.
    panel: AtomicBool,
}

/// Keys, and what was verified with these very ones.
#[derive(Default)]
struct Held {
    issuer: String,
    keys: TokenKeys,
    verified: Mutex<HashMap<[u8; 32], Arc<Claims>>>,
}

impl Tokens {
    /// Says that there is a panel, and whether tokens are needed where the policy does not say.
    pub fn expect(&self, required: bool) {
        self.panel.store(true, Ordering::Relaxed);
        self.required.store(required, Ordering::Relaxed);
    }

    /// Takes over the keys that tokens may be signed with, and who must have signed them.
    pub fn learn(&self, issuer: String, keys: TokenKeys) {
        self.panel.store(true, Ordering::Relaxed);
        self.held.store(Arc::new(Held { issuer, keys, verified: Mutex::default() }));
    }

    /// Takes over which tokens are revoked: these and no others.
    pub fn revoke(&self, tokens: HashSet<Name>) {
        self.revoked.store(Arc::new(tokens));
    }

    /// Who calls, by the token among a request's credentials or by the one that its connection was
    /// made with; none where there is none and none is needed.
    pub fn identify(
        &self,
        live: &Live,
        headers: &HeaderMap,
        query: Option<&str>,
        connected: Option<&Arc<Claims>>,
    ) -> Result<Option<Arc<Claims>>, TokenRefused> {
        if query_holds(query, PREFIX) {
            return Err(TokenRefused::InAddress);
        }
        if let Some(token) = sent(headers)? {
            return self.verify(token).map(Some);
        }
        self.needed(live, connected.map(Arc::as_ref))?;
        Ok(connected.cloned())
    }

    /// Refuses who has no token where one is needed, and whose token is not good any more.
    pub fn needed(&self, live: &Live, claims: Option<&Claims>) -> Result<(), TokenRefused> {
        match claims {
            Some(claims) => self.check(claims),
            None if live.policy.tokens_required.unwrap_or_else(|| self.are_required()) => {
                Err(TokenRefused::Missing)
            }
            None => Ok(()),
        }
    }

    /// What a token says, where it is good now.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenRefused> {
        let held = self.held.load();
        if held.keys.is_empty() {
            let panel = self.panel.load(Ordering::Relaxed);
            return Err(if panel { TokenRefused::NoKeys } else { TokenRefused::NoPanel });
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = held.verified().get(&hash).cloned();
        let claims = if let Some(claims) = known {
            claims
        } else {
            let claims = Arc::new(held.keys.verify(token, &held.issuer, unix_ms() / 1000)?);
            let mut verified = held.verified();
            if verified.len() >= MAX_VERIFIED {
                verified.clear();
            }
            verified.insert(hash, Arc::clone(&claims));
            claims
        };
        self.check(&claims)?;
        Ok(claims)
    }

    /// Whether a token that was verified is good still.
    pub fn check(&self, claims: &Claims) -> Result<(), TokenRefused> {
        if self.revoked.load().contains(&claims.jti) {
            return Err(TokenRefused::Revoked(claims.jti.clone()));
        }
        if claims.exp.saturating_add(LEEWAY_S) <= unix_ms() / 1000 {
            return Err(TokenError::Expired { since_s: claims.exp }.into());
        }
        Ok(())
    }

    /// Whether a token is needed where the policy does not say.
    pub fn are_required(&self) -> bool {
        self.required.load(Ordering::Relaxed)
    }

    /// How many tokens are revoked, for the operator.
    pub fn revoked(&self) -> usize {
        self.revoked.load().len()
    }

    /// How many keys there are, for the operator.
    pub fn keys(&self) -> usize {
        self.held.load().keys.len()
    }
}

impl Held {
    fn verified(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Claims>>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Held");
        shown.field("issuer", &self.issuer).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The token that a request carries, wherever an SDK puts its API key.
fn sent(headers: &HeaderMap) -> Result<Option<&str>, TokenRefused> {
    let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let others = ["x-api-key", "x-goog-api-key", "api-key"].into_iter();
    let keys = others.flat_map(|name| headers.get_all(name)).filter_map(|key| key.to_str().ok());
    let mut found = None;
    for token in bearer.chain(keys).map(str::trim).filter(|token| token.starts_with(PREFIX)) {
        if found.is_some_and(|other| other != token) {
            return Err(TokenRefused::Two);
        }
        found = Some(token);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use iron_policy::token::{AUDIENCE, public_key, sign};
    use serde_json::json;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn claims(id: &str, exp: i64) -> Claims {
        Claims {
            iss: "panel".into(),
            aud: AUDIENCE.into(),
            sub: "a".parse().unwrap(),
            jti: id.parse().unwrap(),
            iat: 0,
            nbf: 0,
            exp,
            project: None,
            models: Vec::new(),
            upstreams: Vec::new(),
            budget: None,
            policy: None,
        }
    }

    fn tokens(kid: &str) -> Tokens {
        let tokens = Tokens::default();
        let set = json!({"keys": [public_key(kid, &KEY)]});
        tokens.learn("panel".into(), TokenKeys::parse(&set).unwrap());
        tokens
    }

    fn soon() -> i64 {
        unix_ms() / 1000 + 60
    }

    #[test]
    fn a_token_that_was_verified_is_refused_once_it_is_revoked_or_its_key_is_gone() {
        let tokens = tokens("k");
        let one = sign(&claims("one", soon()), "k", &KEY).unwrap();
        let two = sign(&claims("two", soon()), "k", &KEY).unwrap();
        assert_eq!(tokens.verify(&one).unwrap().jti.as_str(), "one");
        assert_eq!(tokens.verify(&two).unwrap().jti.as_str(), "two");
        assert_eq!(tokens.verify(&one).unwrap().jti.as_str(), "one");
        tokens.revoke(HashSet::from(["one".parse().unwrap()]));
        assert_eq!(tokens.verify(&one).unwrap_err().reason(), "token_revoked");
        assert!(tokens.verify(&two).is_ok());
        let other = TokenKeys::parse(&json!({"keys": [public_key("new", &KEY)]})).unwrap();
        tokens.learn("panel".into(), other);
        assert_eq!(tokens.verify(&two).unwrap_err().reason(), "token_invalid");
    }

    #[test]
    fn a_token_that_is_remembered_still_expires() {
        let tokens = tokens("k");
        let late = claims("late", unix_ms() / 1000 - LEEWAY_S);
        assert_eq!(tokens.check(&late).unwrap_err().reason(), "token_expired");
        let hash = Sha256::digest(b"iron_remembered").into();
        tokens.held.load().verified().insert(hash, Arc::new(late));
        assert_eq!(tokens.verify("iron_remembered").unwrap_err().reason(), "token_expired");
    }

    #[test]
    fn without_keys_the_reason_is_told() {
        let tokens = Tokens::default();
        assert_eq!(tokens.verify("iron_x").unwrap_err(), TokenRefused::NoPanel);
        tokens.expect(true);
        assert_eq!(tokens.verify("iron_x").unwrap_err(), TokenRefused::NoKeys);
    }

    #[test]
    fn what_was_verified_does_not_fill_the_memory() {
        let tokens = tokens("k");
        let held = tokens.held.load();
        let all = (0..MAX_VERIFIED)
            .map(|n| (Sha256::digest(n.to_string()).into(), Arc::new(claims("x", soon()))));
        held.verified().extend(all);
        tokens.verify(&sign(&claims("one", soon()), "k", &KEY).unwrap()).unwrap();
        assert_eq!(held.verified().len(), 1);
    }

    #[test]
    fn a_token_is_found_wherever_an_sdk_puts_its_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(sent(&headers), Ok(None));
        for name in ["x-api-key", "x-goog-api-key", "api-key"] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("iron_a"));
            assert_eq!(sent(&headers), Ok(Some("iron_a")), "{name}");
        }
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer  iron_a"));
        headers.insert("x-api-key", HeaderValue::from_static("sk-own"));
        assert_eq!(sent(&headers), Ok(Some("iron_a")));
        headers.insert("x-api-key", HeaderValue::from_static("iron_b"));
        assert_eq!(sent(&headers), Err(TokenRefused::Two));
    }
}
