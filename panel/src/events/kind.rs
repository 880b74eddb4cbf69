//! What can happen that live views are told of: names, counts and money, never a text of a call.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::money::Money;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Kind {
    /// A call ended. Of many that arrive together only the newest are told.
    Call(CallEnded),
    /// Records of calls arrived: by how much the sums moved.
    Spend(Spend),
    /// Something was found in calls that arrived together.
    Finding(Found),
    /// A breaker changed.
    Breaker(BreakerChanged),
    /// So much of a budget is used.
    BudgetAlert(BudgetAlert),
    /// Calls cost more than was held for them.
    BudgetOverrun(BudgetOverrun),
    /// Somebody asked for more of a budget, or that was decided.
    BudgetRequest(BudgetRequested),
    /// A proxy is there (again).
    ProxyUp(ProxySeen),
    /// A proxy was not heard of for longer than it may be silent.
    ProxyDown(ProxySeen),
    /// A lease was granted, closed or taken back.
    Lease(LeaseChanged),
    /// An entry was written to the audit log.
    Audit(Audited),
}

/// A call that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallEnded {
    /// The call's id, `call_…`.
    pub id: String,
    /// The proxy it went through.
    pub proxy: String,
    /// Who called.
    pub agent: Option<String>,
    /// For which project.
    pub project: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// The model.
    pub model: String,
    /// The upstream.
    pub upstream: Option<String>,
    /// The status that the caller got; 0 where there was none.
    pub status: u16,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// What was charged.
    pub posted: Money,
    /// Whether the charge is an estimate.
    pub estimated: bool,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Microseconds to the first byte of the answer; 0 where there was none.
    pub first_byte_us: i64,
    /// How many findings there were.
    pub findings: i64,
}

/// By how much sums moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Spend {
    /// By agent and project: at most 100, the rest added up in one without names.
    pub moves: Vec<Moved>,
}

/// By how much the sums of an agent in a project moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Moved {
    /// The agent; none where it has no name, or several are added up.
    pub agent: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// How many calls ended.
    pub calls: i64,
    /// How many of them were refused.
    pub refused: i64,
    /// What was charged.
    pub posted: Money,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// In whose calls.
    pub agent: Option<String>,
    /// In which project.
    pub project: Option<String>,
    /// What kind of thing; it begins with `answer/` where it stood in an answer.
    pub found: String,
    /// How often.
    pub count: i64,
    /// In how many calls.
    pub calls: i64,
}

/// A breaker as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakerChanged {
    /// At which proxy.
    pub proxy: String,
    /// Of which upstream.
    pub upstream: String,
    /// Of which model or lane, where it is one's alone.
    pub lane: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
}

/// So much of a budget is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetAlert {
    /// The budget's id.
    pub budget: String,
    /// The account: the scope with its real name.
    pub account: String,
    /// The project it belongs to; none where only admins are to be told.
    pub project: Option<String>,
    /// When the window began, RFC 3339.
    pub start: String,
    /// The threshold that was passed, in percent.
    pub percent: i64,
    /// What was spent.
    pub spent: Money,
    /// What is held by leases.
    pub held: Money,
    /// The limit.
    pub limit: Money,
}

/// Calls cost more than was held for them: the one way past a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetOverrun {
    /// The budget's id.
    pub budget: String,
    /// The account: the scope with its real name.
    pub account: String,
    /// The project it belongs to; none where only admins are to be told.
    pub project: Option<String>,
    /// When the window began, RFC 3339.
    pub start: String,
    /// By how much more than was known before.
    pub by: Money,
    /// What was spent.
    pub spent: Money,
    /// The limit.
    pub limit: Money,
}

/// Somebody asked for more of a budget, or that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetRequested {
    /// The request's id.
    pub request: String,
    /// The budget's id.
    pub budget: String,
    /// The account: the scope with its real name.
    pub account: String,
    /// The project it belongs to; none where only admins are to be told.
    pub project: Option<String>,
    /// Who asked: `agent:NAME` or `usr_…`.
    pub asked_by: String,
    /// `open`, `approved`, `denied` or `withdrawn`.
    pub state: String,
    /// How much more was asked for.
    pub amount: Money,
    /// How much was given.
    pub given: Option<Money>,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxySeen {
    /// Its name.
    pub proxy: String,
    /// Its version, where it is known.
    pub version: String,
}

/// A lease as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseChanged {
    /// The lease's id.
    pub lease: String,
    /// The proxy that holds it.
    pub proxy: String,
    /// The budget's id.
    pub budget: String,
    /// The account.
    pub account: String,
    /// The project it belongs to; none where only admins are to be told.
    pub project: Option<String>,
    /// `open`, `closed` or `reclaimed`.
    pub state: String,
    /// All that was granted with it.
    pub granted: Money,
    /// What was spent of it.
    pub spent: Money,
}

/// An entry of the audit log, for admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audited {
    /// Its number.
    pub sequence: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
}

impl Kind {
    /// Its name in the database and for whoever filters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Spend(_) => "spend",
            Self::Finding(_) => "finding",
            Self::Breaker(_) => "breaker",
            Self::BudgetAlert(_) => "budget_alert",
            Self::BudgetOverrun(_) => "budget_overrun",
            Self::BudgetRequest(_) => "budget_request",
            Self::ProxyUp(_) => "proxy_up",
            Self::ProxyDown(_) => "proxy_down",
            Self::Lease(_) => "lease",
            Self::Audit(_) => "audit",
        }
    }

    /// What of it somebody may see who sees these projects; none where that is nothing.
    #[must_use]
    pub fn seen_by(&self, sight: &super::Sight) -> Option<Self> {
        let own =
            |project: &Option<String>| project.as_deref().is_some_and(|name| sight.sees(name));
        let seen = match self {
            _ if sight.sees_all() => true,
            Self::Breaker(_) | Self::ProxyUp(_) | Self::ProxyDown(_) => true,
            Self::Audit(_) => false,
            Self::Call(CallEnded { project, .. })
            | Self::Finding(Found { project, .. })
            | Self::BudgetAlert(BudgetAlert { project, .. })
            | Self::BudgetOverrun(BudgetOverrun { project, .. })
            | Self::BudgetRequest(BudgetRequested { project, .. })
            | Self::Lease(LeaseChanged { project, .. }) => own(project),
            Self::Spend(spend) => {
                let moves: Vec<_> =
                    spend.moves.iter().filter(|moved| own(&moved.project)).cloned().collect();
                return (!moves.is_empty()).then_some(Self::Spend(Spend { moves }));
            }
        };
        seen.then(|| self.clone())
    }
}
