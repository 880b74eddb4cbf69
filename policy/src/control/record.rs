//! What a proxy tells the panel of its calls: names, counts, times and money, never a text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Records, in the order of the proxy's own journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Batch {
    /// Calls that ended.
    #[serde(default)]
    pub calls: Vec<CallRecord>,
    /// Breakers that changed since the last batch.
    #[serde(default)]
    pub breakers: Vec<BreakerRecord>,
    /// Later corrections of estimates, and what else happened.
    #[serde(default)]
    pub extra: Vec<ExtraRecord>,
}

/// What the panel did with a [`Batch`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Taken {
    /// Records that were new.
    pub new: u64,
    /// Records that it had.
    pub known: u64,
}

/// A call that ended. Known by its proxy and its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallRecord {
    /// [`crate::types::CallId`] as a number: its order is the order of calls, and its time is in it.
    pub id: i64,
    /// Who called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// For which project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// With which token (`jti`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The model, as the caller wrote it.
    pub model: String,
    /// Where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// In which dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Which operation.
    pub endpoint: String,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The status that the caller got; 0 where there was none.
    pub status: u16,
    /// [`crate::types::Outcome::name`].
    pub outcome: String,
    /// Why, in a word of a closed set.
    pub reason: String,
    /// What was held, in nano-USD.
    pub reserved: i64,
    /// What was charged, in nano-USD.
    pub posted: i64,
    /// Whether the charge is the whole reservation for want of anything better.
    pub estimated: bool,
    /// Tokens read, cached ones included.
    #[serde(default)]
    pub input_tokens: i64,
    /// Tokens written, reasoning included.
    #[serde(default)]
    pub output_tokens: i64,
    /// Units by class ([`crate::types::TokenClass::name`]).
    #[serde(default)]
    pub usage: BTreeMap<String, u64>,
    /// Cost by class, in pico-USD.
    #[serde(default)]
    pub cost: BTreeMap<String, i64>,
    /// Findings by kind; those in the answer begin with `answer/`.
    #[serde(default)]
    pub findings: Vec<FindingCount>,
    /// Steps with their microseconds.
    #[serde(default)]
    pub timeline: Vec<(String, u32)>,
    /// Which attempt at answering its caller it was, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// The call that was the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<i64>,
}

/// How often a kind was found in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FindingCount {
    /// The kind.
    pub kind: String,
    /// How often.
    pub count: u32,
}

/// A breaker as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BreakerRecord {
    /// The upstream.
    pub upstream: String,
    /// The model or lane, where it is one's alone.
    pub lane: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    /// Since when, in Unix milliseconds.
    pub at: i64,
}

/// A correction or an incident, known by its proxy and its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExtraRecord {
    /// Names it at its proxy: a second one with the same id changes nothing.
    pub id: String,
    /// `correction`; `denial` or `limit`, of a sandbox.
    pub kind: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The call it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<i64>,
    /// The new amount in nano-USD, of a correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted: Option<i64>,
    /// In words: why. Of a denial or a limit a [`Denied`], as JSON.
    #[serde(default)]
    pub detail: String,
    /// Whose it is, where it is about no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// In which project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What it counts as among findings: `sandbox/connect`, `sandbox/limit/memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// What a sandbox refused, or which of its limits was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Denied {
    /// On what it was tried: a path, an address, a system call; of a limit how much it is.
    pub target: String,
    /// What refused it: `network`, `landlock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The program that tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The flag that would allow it; else in words why nothing does, or what came of a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The same as lines of a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}
