//! What panel and proxy say to each other: the bodies of the four things a proxy asks.
//!
//! | a proxy asks | at | and gets |
//! |---|---|---|
//! | what changed? (long poll) | `POST /api/v1/proxies/changes` | [`Changes`] since what it [`Known`] |
//! | may I spend? | `POST /api/v1/leases` | [`Grants`] for its [`Asks`] |
//! | this was spent | `POST /api/v1/leases/report` | [`Acknowledged`] for its [`Reports`] |
//! | this happened | `POST /api/v1/ingest` | [`Taken`] for its [`Batch`] |
//!
//! Every message may come twice, late, or out of order, and changes nothing then: amounts are
//! cumulative, reports are numbered, records have ids. Proxies name themselves by their credential,
//! not by a field.

mod lease;
mod record;

use serde::{Deserialize, Serialize};

pub use lease::{
    Acknowledged, Ask, Asks, Grant, Grants, Kept, LeaseId, Refused, Report, Reports, Standing, size,
};
pub use record::{Batch, BreakerRecord, CallRecord, Denied, ExtraRecord, FindingCount, Taken};

use crate::types::NanoUsd;

/// What a proxy holds, and who it is: the panel answers with what is newer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Known {
    /// The proxy's version, for the operator's list.
    pub version: String,
    /// The public key that secrets are to be sealed to: base64 of an X25519 key, for HPKE.
    pub seal_to: String,
    /// Where agents reach it, for the operator's list.
    #[serde(default)]
    pub listens: Option<String>,
    /// How far it is in each part; zeros where it holds nothing.
    pub marks: Marks,
    /// How long the panel may wait for a change before it answers, in milliseconds; 25 s at most.
    #[serde(default)]
    pub wait_ms: u64,
}

/// How far somebody is in each part of what a panel hands out. A part is newer where its number is
/// another one: a panel that was restored from an old backup counts from there again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Marks {
    /// Policy.
    #[serde(default)]
    pub policy: i64,
    /// Budgets.
    #[serde(default)]
    pub budgets: i64,
    /// Keys that sign tokens.
    #[serde(default)]
    pub keys: i64,
    /// Provider keys.
    #[serde(default)]
    pub secrets: i64,
    /// Revoked tokens.
    #[serde(default)]
    pub revocations: i64,
    /// Stopped agents and other orders.
    #[serde(default)]
    pub stops: i64,
}

/// What is newer than what the proxy holds; a part that is not is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changes {
    /// Where the proxy is after it has taken this.
    pub marks: Marks,
    /// The panel's clock, in Unix milliseconds: a proxy warns where its own is far from it.
    pub now_ms: i64,
    /// Whose tokens to accept: `iss`, and `aud` that they must carry.
    pub issuer: String,
    /// The policy in force: lines of `iron.toml` that the proxy lays over its own file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyText>,
    /// All budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Vec<LeasedBudget>>,
    /// The keys that tokens may be signed with: a JSON Web Key Set (RFC 7517).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<serde_json::Value>,
    /// All provider keys that the proxy needs, sealed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SealedSecret>>,
    /// All tokens that are revoked and would not have expired by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<Vec<Revocation>>,
    /// All agents that are stopped; `*` is everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<Vec<String>>,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PolicyText {
    /// Its version.
    pub version: i64,
    /// `iron.toml`, checked by the panel with [`crate::config::Policy::parse`].
    pub toml: String,
}

/// A budget that is spent by leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LeasedBudget {
    /// Its id.
    pub id: String,
    /// Whose calls it covers, as in `iron.toml`: `agent:researcher`, `token:ID`, `model:gpt-*`.
    pub scope: String,
    /// `total`, `day`, `week` or `month`.
    pub window: String,
    /// The time zone of its windows (IANA).
    pub zone: String,
    /// What may be spent in a window by all proxies together.
    pub limit: NanoUsd,
    /// Whether calls are shortened rather than refused.
    #[serde(default)]
    pub clamp: bool,
}

/// A provider key that only one proxy can read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SealedSecret {
    /// Its id.
    pub id: String,
    /// Its version: it rises with each rotation.
    pub version: i64,
    /// The upstream whose key it is.
    pub upstream: String,
    /// The one address that it may be sent to, as [`crate::config::address`] writes it.
    pub base_url: String,
    /// What HPKE calls `enc`, in base64.
    pub encapsulated: String,
    /// The sealed key, in base64. HPKE in base mode (RFC 9180): X25519, HKDF-SHA256,
    /// ChaCha20-Poly1305, with [`SealedSecret::INFO`] and [`SealedSecret::bound_to`].
    pub sealed: String,
}

impl SealedSecret {
    /// HPKE's `info`.
    pub const INFO: &'static [u8] = b"iron-cage provider key v1";

    /// HPKE's associated data: a sealed key cannot pass for another one.
    /// Neither can it pass for one of another address.
    pub fn bound_to(id: &str, version: i64, upstream: &str, base_url: &str) -> String {
        format!("{id}\n{version}\n{upstream}\n{base_url}")
    }
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedSecret")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("upstream", &self.upstream)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A token that is not valid any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revocation {
    /// The token's `jti`.
    pub token: String,
    /// Whether streams that are open with it end as well.
    #[serde(default)]
    pub cut_streams: bool,
}
