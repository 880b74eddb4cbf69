//! The tokens that agents hold in place of a provider's key: who calls, and what it may ask for.
//!
//! `iron_` and a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037). The panel signs one with
//! [`sign`] and publishes the public half ([`public_key`]) in a JSON Web Key Set; a proxy verifies
//! offline with [`TokenKeys::verify`]. What is not exactly such a token is refused: no other
//! algorithm is spoken, and a key is only ever looked up in the set, never taken from the token.
//!
//! Not here: which tokens are revoked, where a request carries one, and the clock.

mod keys;
mod provider;
mod sign;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use keys::{KeySetError, MAX_KEYS, TokenKeys};
pub use sign::{SignError, public_key, sign};

use crate::budget::Glob;
use crate::types::Name;

/// What every token begins with, so that people and scanners for leaked secrets know it.
pub const PREFIX: &str = "iron_";
/// The audience that tokens for agents are made for: no other of the panel's tokens passes for one.
pub const AUDIENCE: &str = "iron-proxy";
/// The longest token, in bytes; a longer one is refused before anything of it is decoded.
pub const MAX_TOKEN: usize = 16 * 1024 - 1;
/// How far a proxy's clock and the panel's may be apart, in seconds: a token is good for so long
/// before it begins and after it ends.
pub const LEEWAY_S: i64 = 30;

/// What a token says of its holder. Signed, not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it: the panel, as proxies know it.
    pub iss: String,
    /// What it is for: [`AUDIENCE`].
    pub aud: String,
    /// The agent.
    pub sub: Name,
    /// The token's id, as `tok_...`.
    pub jti: Name,
    /// When it was made, in Unix seconds.
    pub iat: i64,
    /// From when on it is good, in Unix seconds.
    pub nbf: i64,
    /// Until when it is good, in Unix seconds.
    pub exp: i64,
    /// The project that its calls are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// The models that it may ask for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Glob>,
    /// The upstreams that it may call; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Name>,
    /// The id of the budget that is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Name>,
    /// Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Name>,
}

impl Claims {
    /// Whether it may ask for a model.
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|glob| glob.matches(model))
    }

    /// Whether it may call an upstream.
    pub fn allows_upstream(&self, upstream: &str) -> bool {
        self.upstreams.is_empty() || self.upstreams.iter().any(|name| name.as_str() == upstream)
    }
}

/// Why a token is not taken. The messages hold nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of this panel's.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// It was one.
    #[error("the token expired at {}", at(*.since_s))]
    Expired {
        /// Until when it was good, in Unix seconds.
        since_s: i64,
    },
}

impl TokenError {
    /// In a word of a closed set, for records and programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "token_invalid",
            Self::Expired { .. } => "token_expired",
        }
    }
}

/// Unix seconds as people write them.
fn at(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s"), |at| at.to_string())
}
