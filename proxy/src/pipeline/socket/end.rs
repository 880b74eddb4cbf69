//! Why a WebSocket ends: what each side is told with the closing frame, and what becomes of the
//! answers that were waited for.

use iron_policy::types::Outcome;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::turn::SPENT;
use crate::stops::AgentStopped;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client closes it.
    ClientLeft(Option<CloseFrame>),
    /// The client is gone without a word.
    ClientGone,
    /// The client breaks the protocol, or a limit.
    ClientBroke(CloseCode, &'static str),
    /// The upstream closes it.
    UpstreamLeft(Option<CloseFrame>),
    /// The upstream is gone without a word, or speaks nonsense.
    UpstreamGone,
    /// The upstream answers nothing although it was asked.
    Silent,
    /// The upstream made a response that nobody asked for.
    Unasked,
    /// No further response can be paid for.
    Exhausted,
    /// A response has cost what was reserved for it.
    Spent,
    /// Nothing passed for too long.
    Idle,
    /// The operator stops the agent.
    Stopped(AgentStopped),
    /// The proxy stops.
    Stopping,
}

impl End {
    pub(super) fn of_client(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::ClientBroke(
                CloseCode::Size,
                "the message is larger than proxy.max_body_mib allows",
            ),
            Error::Utf8(_) => Self::ClientBroke(CloseCode::Invalid, "text must be UTF-8"),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Self::ClientGone,
            Error::Protocol(_) => Self::ClientBroke(CloseCode::Protocol, "not a valid frame"),
            _ => Self::ClientGone,
        }
    }

    pub(super) const fn is_clients(&self) -> bool {
        matches!(self, Self::ClientLeft(_) | Self::ClientGone | Self::ClientBroke(..))
    }

    /// What each side is told at the end. Closing is repeated by the library where it answers.
    pub(super) fn frames(&self) -> (Option<CloseFrame>, Option<CloseFrame>) {
        let frame = |code, reason: &'static str| {
            Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
        };
        let leave = || frame(CloseCode::Away, "");
        match self {
            Self::ClientLeft(told) | Self::UpstreamLeft(told) => (told.clone(), told.clone()),
            Self::ClientGone => (None, leave()),
            Self::ClientBroke(code, what) => (frame(*code, what), leave()),
            Self::UpstreamGone => (frame(CloseCode::Error, "the upstream broke off"), leave()),
            Self::Silent => (frame(CloseCode::Error, "the upstream fell silent"), leave()),
            Self::Unasked => {
                (frame(CloseCode::Error, "the upstream answered without being asked"), leave())
            }
            Self::Exhausted => (frame(CloseCode::Policy, "the budget is used up"), leave()),
            Self::Spent => {
                let why = "a response has cost what was reserved for it";
                (frame(CloseCode::Policy, why), leave())
            }
            Self::Idle => (frame(CloseCode::Normal, "nothing passed for too long"), leave()),
            Self::Stopped(AgentStopped::Revoked(_)) => {
                (frame(CloseCode::Policy, "the token is revoked"), leave())
            }
            Self::Stopped(_) => (frame(CloseCode::Policy, "the agent is stopped"), leave()),
            Self::Stopping => (frame(CloseCode::Away, "the proxy stops"), leave()),
        }
    }

    /// What became of the answers that were waited for.
    pub(super) const fn outcome(&self) -> (Outcome, &'static str) {
        match self {
            Self::ClientLeft(_) | Self::ClientGone | Self::ClientBroke(..) => {
                (Outcome::Aborted, "client_gone")
            }
            Self::UpstreamLeft(_) | Self::UpstreamGone => (Outcome::Failed, "upstream_reset"),
            Self::Silent => (Outcome::Failed, "upstream_timeout"),
            Self::Unasked => (Outcome::Failed, "upstream_answer"),
            Self::Exhausted => (Outcome::Refused, "budget_exhausted"),
            Self::Spent => (Outcome::Aborted, SPENT),
            Self::Stopped(why) => (Outcome::Refused, why.reason()),
            Self::Idle | Self::Stopping => (Outcome::Aborted, "proxy_stopped"),
        }
    }
}
