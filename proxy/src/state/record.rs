//! What the state keeps of a call.

use iron_policy::budget;
use iron_policy::price::Cost;
use iron_policy::redact::Kind;
use iron_policy::types::{CallId, Dialect, Name, NanoUsd, Outcome, Usage};

use super::LeaseHold;

/// Everything that is kept of a call. Names, counts, times and money; never a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// Who called.
    pub agent: Option<Name>,
    /// For which project.
    pub project: Option<Name>,
    /// With which token: its id, never itself.
    pub token: Option<Name>,
    /// In which run.
    pub run: Option<Name>,
    /// How many agents stand above the caller, where it was said.
    pub depth: Option<u8>,
    /// The model, as the caller wrote it.
    pub model: String,
    /// Where it went.
    pub upstream: Option<Name>,
    /// In which dialect.
    pub dialect: Option<Dialect>,
    /// Which operation.
    pub endpoint: &'static str,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The status that the caller got; 0 where there was none.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a word of a closed set.
    pub reason: &'static str,
    /// What was held.
    pub reserved: NanoUsd,
    /// What was charged.
    pub posted: NanoUsd,
    /// Whether the charge is the whole reservation for want of anything better.
    pub estimated: bool,
    /// What the provider says was used.
    pub usage: Option<Usage>,
    /// What each class of it cost.
    pub cost: Option<Cost>,
    /// Findings by kind.
    pub findings: Vec<(Kind, u32)>,
    /// Findings in the answer, by kind.
    pub answer_findings: Vec<(Kind, u32)>,
    /// Each step with its microseconds.
    pub timeline: Vec<(&'static str, u32)>,
    /// Which attempt at answering its caller it was, from 1.
    pub attempt: u32,
    /// The call that was the first attempt; none where it is that itself.
    pub first_attempt: Option<CallId>,
}

impl CallRecord {
    /// A call of which nothing is known but its id.
    pub fn new(id: CallId) -> Self {
        Self {
            id,
            agent: None,
            project: None,
            token: None,
            run: None,
            depth: None,
            model: String::new(),
            upstream: None,
            dialect: None,
            endpoint: "",
            stream: false,
            status: 0,
            outcome: Outcome::Refused,
            reason: "",
            reserved: NanoUsd::ZERO,
            posted: NanoUsd::ZERO,
            estimated: false,
            usage: None,
            cost: None,
            findings: Vec::new(),
            answer_findings: Vec::new(),
            timeline: Vec::with_capacity(8),
            attempt: 1,
            first_attempt: None,
        }
    }
}

/// A reservation to be made: all accounts or none.
#[derive(Debug)]
pub struct Hold {
    /// What is known of the call; recovery needs it if the call never ends.
    pub record: CallRecord,
    /// The accounts to hold the amount in.
    pub accounts: Vec<budget::Hold>,
    /// The panel's budgets to hold it in, by lease.
    pub leases: Vec<LeaseHold>,
}

/// How a reservation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Charged this much; the rest is released.
    Post(NanoUsd),
    /// Nothing was sent; all is released.
    Void,
    /// Sent, and nobody knows what it cost: charged whole.
    PostWhole,
}

/// The end of a reservation and the call's record.
#[derive(Debug)]
pub struct Settlement {
    /// How it ends.
    pub end: End,
    /// The whole record.
    pub record: CallRecord,
}
