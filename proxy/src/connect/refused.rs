//! Why an agent does not reach a host through the proxy, free of HTTP.
//!
//! `Display` is what the agent reads: the host, and the key of `iron.toml` that changes it. Where a
//! name leads is the operator's to know.

use iron_policy::connect::Class;

use super::credentials::BadCredentials;
use super::network::DialError;
use super::target::Target;
use crate::pinned::Claimed;
use crate::stops::AgentStopped;
use crate::tokens::TokenRefused;

/// Why a connection, or a request on one, goes no further.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The target is no host and port.
    #[error("CONNECT needs a host and a port, such as api.example.com:443")]
    Target,
    /// The proxy's credentials say nothing.
    #[error(transparent)]
    Credentials(#[from] BadCredentials),
    /// The request claims to be another's than its connection is.
    #[error(transparent)]
    Claimed(#[from] Claimed),
    /// The operator stopped the agent.
    #[error(transparent)]
    AgentStopped(#[from] AgentStopped),
    /// The connection is not made with a token that is good here.
    #[error(transparent)]
    Token(#[from] TokenRefused),
    /// The policy denies the host.
    #[error("connections to {host} are denied by {by}")]
    Denied {
        /// The host.
        host: String,
        /// What says so, and what to change.
        by: &'static str,
    },
    /// Too many connections are open.
    #[error("{limit} connections through the proxy are open: close some and try again")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The host is not reached.
    #[error("{target} {}", told(error, target))]
    Dial {
        /// Where the connection was to lead.
        target: Target,
        /// What happened.
        error: DialError,
    },
    /// TLS cannot be ended here for the host.
    #[error(
        "the local CA may not sign for {host}: name it under connect.intercept in iron.toml, or let it pass with connect.tunnel"
    )]
    NotPermitted {
        /// The host.
        host: String,
    },
    /// A request on an intercepted connection is for another host.
    #[error(
        "this connection was made for {target}, and the request names another host: make a connection of its own for it"
    )]
    Misdirected {
        /// Whom the connection was made for.
        target: Target,
    },
    /// A `CONNECT` on an intercepted connection.
    #[error("there is no CONNECT within a connection: ask the proxy itself")]
    Nested,
    /// An upgrade on an intercepted connection to a host that is no upstream's.
    #[error(
        "{host} is intercepted, and WebSocket is not spoken there: name it under connect.tunnel in iron.toml to let it pass unread"
    )]
    Upgrade {
        /// The host.
        host: String,
    },
    /// A body that cannot be looked through, where the policy lets none out.
    #[error(
        "the body of this request to {host} cannot be looked through ({what}), and connect.opaque_bodies = \"block\" lets none out: send JSON, a form or text, or name the host under connect.tunnel"
    )]
    Opaque {
        /// The host.
        host: String,
        /// Why not.
        what: &'static str,
    },
    /// A request holds the placeholder of a secret that has no value.
    #[error("the secret `{name}` has no value: {missing} where the proxy runs")]
    NoSecret {
        /// The secret's name.
        name: String,
        /// What to do.
        missing: String,
    },
    /// The host did not answer.
    #[error("{host} could not answer: {what}")]
    Answer {
        /// The host.
        host: String,
        /// What happened, for the agent.
        what: &'static str,
        /// For the operator.
        cause: String,
    },
}

/// What an agent is told of a connection that was not made; follows the target.
fn told(error: &DialError, target: &Target) -> String {
    match error {
        DialError::Port(port) => {
            format!("is refused: add {port} to connect.ports in iron.toml to allow the port")
        }
        DialError::Unresolved(_) => "is no known host: check its name".to_owned(),
        DialError::Forbidden { class: Class::Metadata, .. } => {
            "is refused: it is a cloud's metadata service, which hands out the machine's keys. Only \
             its address itself in connect.private of iron.toml allows it"
                .to_owned()
        }
        DialError::Forbidden { class, .. } => format!(
            "is refused: it leads to a {} address. Add \"{target}\" to connect.private in iron.toml \
             to allow it",
            class.name()
        ),
        DialError::Own => "is this proxy itself: the request would go in circles. Take it out of the \
                           proxied hosts (NO_PROXY)"
            .to_owned(),
        DialError::Unreachable(_) => "cannot be reached: try again later".to_owned(),
        DialError::Late(limit) => format!("took longer than {limit:?} to connect to: try again later"),
    }
}

impl Refused {
    /// The reason in records and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Target => "connect_target",
            Self::Credentials(_) => "proxy_credentials",
            Self::Claimed(_) => Claimed::REASON,
            Self::AgentStopped(why) => why.reason(),
            Self::Token(why) => why.reason(),
            Self::Denied { .. } => "connect_denied",
            Self::TooMany { .. } => "connect_too_many",
            Self::Dial { error, .. } => match error {
                DialError::Port(_) => "connect_port",
                DialError::Unresolved(_) => "connect_unresolved",
                DialError::Forbidden { .. } => "connect_address",
                DialError::Own => "proxy_loop",
                DialError::Unreachable(_) => "connect_unreachable",
                DialError::Late(_) => "connect_timeout",
            },
            Self::NotPermitted { .. } => "connect_not_permitted",
            Self::Misdirected { .. } => "misdirected",
            Self::Nested => "connect_nested",
            Self::Upgrade { .. } => "connect_upgrade",
            Self::Opaque { .. } => "opaque_body",
            Self::NoSecret { .. } => "no_secret",
            Self::Answer { .. } => "connect_answer",
        }
    }

    /// The status that says it best.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Target | Self::Nested | Self::Credentials(_) => 400,
            Self::AgentStopped(why) => why.status(),
            Self::Claimed(_)
            | Self::Denied { .. }
            | Self::NotPermitted { .. }
            | Self::Opaque { .. } => 403,
            Self::TooMany { .. } | Self::Token(TokenRefused::NoKeys) => 503,
            Self::Dial { error, .. } => match error {
                DialError::Port(_) | DialError::Forbidden { .. } => 403,
                DialError::Own => 508,
                DialError::Unresolved(_) | DialError::Unreachable(_) => 502,
                DialError::Late(_) => 504,
            },
            Self::Misdirected { .. } => 421,
            Self::Upgrade { .. } => 426,
            Self::NoSecret { .. } | Self::Token(_) => 401,
            Self::Answer { .. } => 502,
        }
    }

    /// Whether the host failed, rather than that we refused.
    pub const fn is_failure(&self) -> bool {
        matches!(self.status(), 502 | 504)
    }

    /// What the operator reads in the log.
    pub fn for_operator(&self) -> String {
        match self {
            Self::Dial { target, error } => format!("{target}: {error}"),
            Self::Answer { host, cause, .. } => format!("{host}: {cause}"),
            other => other.to_string(),
        }
    }
}
