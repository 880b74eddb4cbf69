//! Every reason for which a call goes no further, free of HTTP.
//!
//! `Display` is what the caller reads: it names the limit, what is left and what to do. What only
//! the operator may see is in [`Stopped::for_operator`].

use std::time::Duration;

use iron_policy::outline::{BadBody, BadMultipart};
use iron_policy::runaway::Caught;
use iron_policy::types::{NameError, Outcome};

use crate::connect::Refused;
use crate::dialect::BadPath;
use crate::limits::Limited;
use crate::pinned::Claimed;
use crate::recogniser::RecogniserError;
use crate::state::ReserveError;
use crate::stops::AgentStopped;
use crate::stream::encoding::EncodingError;
use crate::tokens::TokenRefused;
use crate::upstream::CallError;

/// Why a call goes no further.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The path is not one.
    #[error("{0}")]
    Path(#[from] BadPath),
    /// A web page of somebody else's sent the request.
    #[error("requests of web pages are refused: call the proxy from a program on this machine")]
    ForeignPage,
    /// The request is for a name that may be a stranger's.
    #[error(
        "`{host}` may be a name of anybody's that leads here: call the proxy by its address or as localhost, or add the name to proxy.names in iron.toml"
    )]
    ForeignHost {
        /// The name, shortened.
        host: String,
    },
    /// The request says that it is for two hosts.
    #[error("the request names two hosts: send one Host header, the same as in the address")]
    TwoHosts,
    /// The request has more headers than any client needs.
    #[error("the request has more than {limit} headers: send fewer")]
    ManyHeaders {
        /// How many are allowed.
        limit: usize,
    },
    /// The address is longer than any client needs.
    #[error("the address is longer than {limit} bytes: send a shorter one")]
    LongAddress {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header that names the agent, its project or its run is no name.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The call claims to be another's than its connection is.
    #[error(transparent)]
    Claimed(#[from] Claimed),
    /// The operator stopped the agent.
    #[error(transparent)]
    AgentStopped(#[from] AgentStopped),
    /// The call carries no token that is good here.
    #[error(transparent)]
    Token(#[from] TokenRefused),
    /// The call's token is not for this model.
    #[error(
        "this token may not ask for the model `{model}`, only for {allowed}: ask for one of those, or for another token (`iron token issue --models`)"
    )]
    ModelNotAllowed {
        /// The model, shortened.
        model: String,
        /// What it may ask for.
        allowed: String,
    },
    /// The call's token is not for this upstream.
    #[error(
        "this token may not call the upstream `{upstream}`, only {allowed}: call one of those, or ask for another token (`iron token issue --upstreams`)"
    )]
    UpstreamNotAllowed {
        /// The upstream.
        upstream: String,
        /// What it may call.
        allowed: String,
    },
    /// The agent is held for one that ran away.
    #[error(transparent)]
    Runaway(#[from] Caught),
    /// No upstream speaks the dialect of the path.
    #[error("no upstream speaks {name}: add an [[upstream]] with {key} = \"{name}\" to iron.toml")]
    NoUpstream {
        /// `dialect` or `platform`.
        key: &'static str,
        /// Which.
        name: &'static str,
    },
    /// Neither the operator nor the caller gave a key.
    #[error("no provider key for upstream `{upstream}`: {wanted}{passthrough}")]
    NoKey {
        /// The upstream.
        upstream: String,
        /// What to do.
        wanted: String,
        /// What else would help.
        passthrough: &'static str,
    },
    /// The request is signed, so that nobody on its way may change it.
    #[error(
        "the request is signed (SigV4), so nothing in it could be redacted or limited: use a Bedrock API key instead (AWS_BEARER_TOKEN_BEDROCK), or let the proxy hold one (api_key_env of upstream `{upstream}`)"
    )]
    Signed {
        /// The upstream.
        upstream: String,
    },
    /// The client wants to speak WebSocket.
    #[error("WebSocket is not spoken here: use HTTP with server-sent events")]
    WebSocket,
    /// The request for a WebSocket is none.
    #[error("the WebSocket handshake {0}")]
    Handshake(&'static str),
    /// The model's calls go to another upstream than the WebSocket.
    #[error(
        "a [[route]] sends this model to upstream `{upstream}`, and a WebSocket goes to one upstream: connect to /{upstream}/v1/..., or use HTTP"
    )]
    Routed {
        /// Where it goes.
        upstream: String,
    },
    /// A message asks for something whose cost has no bound.
    #[error("{0}")]
    Unbounded(&'static str),
    /// More is asked for on one WebSocket than is answered at once.
    #[error("more than {limit} responses are open on this WebSocket: wait for one to end")]
    Crowded {
        /// How many may be open.
        limit: usize,
    },
    /// A rate limit was met.
    #[error("rate limit of {whose}: {limited}; try again in {} ms, or raise it under [limits] in iron.toml", limited.wait().as_millis())]
    Limited {
        /// Whose limit it is.
        whose: String,
        /// Which limit.
        limited: Limited,
    },
    /// The body is larger than the operator allows.
    #[error(
        "the request body is larger than {limit} bytes: send less, or raise proxy.max_body_mib in iron.toml"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body came too slowly.
    #[error("the request body did not arrive in time: send it again")]
    SlowBody,
    /// The body broke off.
    #[error("the request body broke off before its end")]
    BrokenBody,
    /// The body's content coding, or what it is in.
    #[error("{0}")]
    Encoding(#[from] EncodingError),
    /// The body cannot be guarded.
    #[error("{0}")]
    Body(#[from] BadBody),
    /// The body is in a format that the operation does not take.
    #[error(
        "this path takes {wanted}, and the request says {said}: send the header content-type: {wanted}"
    )]
    MediaType {
        /// What is taken.
        wanted: &'static str,
        /// What the caller's header says, shortened.
        said: String,
    },
    /// The upload cannot be taken apart.
    #[error("{0}")]
    Multipart(#[from] BadMultipart),
    /// The upload holds what cannot be read.
    #[error(
        "the policy blocks this upload: {part} cannot be read as text, so what is in it is not known. Send it as UTF-8 text, or change redact.opaque_parts in iron.toml"
    )]
    OpaquePart {
        /// Which part.
        part: String,
    },
    /// The policy blocks what was found in the body.
    #[error(
        "the policy blocks this request: it holds {found}. Take it out, or change the kind's mode under [redact.kinds] in iron.toml"
    )]
    Blocked {
        /// Kinds and paths, never values.
        found: String,
    },
    /// The policy blocks what was found in the answer.
    #[error(
        "the policy blocks this answer: it holds {found}. It was paid for and is not passed on; ask otherwise, or change the kind's mode under [redact.answer_kinds] in iron.toml"
    )]
    BlockedAnswer {
        /// Kinds, never values.
        found: String,
    },
    /// The recogniser did not answer, and the policy sends nothing that it has not seen.
    #[error(
        "the recogniser of names did not answer, so nothing was sent: try again, or set on_failure = \"open\" under [redact.recogniser] in iron.toml"
    )]
    Recogniser(RecogniserError),
    /// No sound bound can be given for the model.
    #[error(
        "no price is known for the model `{model}` on upstream `{upstream}` ({why}): add a [[price]] for it to iron.toml"
    )]
    UnpricedModel {
        /// The model as the caller wrote it.
        model: String,
        /// The upstream.
        upstream: String,
        /// What is missing.
        why: String,
    },
    /// What a batch can cost is not known.
    #[error("{why}")]
    Batch {
        /// Why, and what to do.
        why: String,
    },
    /// The path may cost money that nobody counts.
    #[error(
        "{method} {path} is not a path whose price is known: only priced and free paths are passed on{}",
        crate::dialect::instead(path)
    )]
    UnpricedEndpoint {
        /// The method.
        method: String,
        /// The path, shortened.
        path: String,
    },
    /// A host that the agent names is not reached through the proxy.
    #[error("{0}")]
    Connect(#[from] Refused),
    /// A budget cannot cover the call.
    #[error("{0}")]
    Exhausted(String),
    /// What is leased of a panel's budget cannot cover the call, and the panel cannot be asked.
    #[error("{0}")]
    LeaseExhausted(String),
    /// The ledger cannot promise anything now.
    #[error(
        "the ledger cannot record a reservation now, so nothing was sent: try again in a second"
    )]
    Ledger(ReserveError),
    /// The upstream's breaker is open.
    #[error("upstream `{upstream}` failed repeatedly for this model and is not called for now: try again in {} ms", wait.as_millis())]
    CircuitOpen {
        /// The upstream.
        upstream: String,
        /// When it is tried again.
        wait: Duration,
    },
    /// The upstream gave no answer.
    #[error("upstream `{upstream}` could not answer: {}", error.for_caller())]
    Upstream {
        /// The upstream.
        upstream: String,
        /// What happened.
        error: CallError,
    },
    /// The answer's body broke off or is not what its head says.
    #[error("upstream `{upstream}` sent an answer that {what}")]
    BadAnswer {
        /// The upstream.
        upstream: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The upstream wants the call to go elsewhere; the key does not follow.
    #[error(
        "upstream `{upstream}` answered with a redirect, which is never followed with a key: correct its base_url in iron.toml"
    )]
    Redirect {
        /// The upstream.
        upstream: String,
    },
}

/// The reason of calls whose answer the policy blocks.
pub(super) const ANSWER_BLOCKED: &str = "answer_blocked";

impl Stopped {
    /// The reason in records and metrics: few values, no data.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Path(_) => "invalid_path",
            Self::ForeignPage => "foreign_page",
            Self::ForeignHost { .. } => "foreign_host",
            Self::TwoHosts => "two_hosts",
            Self::ManyHeaders { .. } => "too_many_headers",
            Self::LongAddress { .. } => "address_too_long",
            Self::Name(_) => "invalid_name",
            Self::Claimed(_) => Claimed::REASON,
            Self::AgentStopped(why) => why.reason(),
            Self::Token(why) => why.reason(),
            Self::ModelNotAllowed { .. } => "model_not_allowed",
            Self::UpstreamNotAllowed { .. } => "upstream_not_allowed",
            Self::Runaway(caught) => match caught {
                Caught::Loop { .. } => "loop_detected",
                Caught::Spending { .. } => "spend_rate",
                Caught::Depth { .. } => "depth_exceeded",
            },
            Self::NoUpstream { .. } => "unknown_upstream",
            Self::NoKey { .. } => "no_key",
            Self::Signed { .. } => "signed_request",
            Self::WebSocket => "websocket",
            Self::Handshake(_) => "handshake",
            Self::Routed { .. } => "routed_elsewhere",
            Self::Unbounded(_) => "unbounded",
            Self::Crowded { .. } => "crowded",
            Self::Limited { limited, .. } => limited.reason(),
            Self::TooLarge { .. } => "too_large",
            Self::SlowBody => "slow_body",
            Self::BrokenBody => "broken_body",
            Self::Encoding(_) => "encoding",
            Self::Body(_) | Self::Multipart(_) => "invalid_body",
            Self::MediaType { .. } => "media_type",
            Self::OpaquePart { .. } => "opaque_part",
            Self::Blocked { .. } => "blocked",
            Self::BlockedAnswer { .. } => ANSWER_BLOCKED,
            Self::Recogniser(_) => "recogniser_unavailable",
            Self::UnpricedModel { .. } => "unpriced_model",
            Self::Batch { .. } => "unpriced_batch",
            Self::UnpricedEndpoint { .. } => "unpriced_endpoint",
            Self::Connect(refused) => refused.reason(),
            Self::Exhausted(_) => "budget_exhausted",
            Self::LeaseExhausted(_) => "lease_exhausted",
            Self::Ledger(_) => "ledger_unavailable",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::Upstream { error, .. } => match error {
                CallError::Tls(_) => "upstream_tls",
                CallError::Own => "proxy_loop",
                CallError::ConnectTimeout(_) | CallError::AnswerTimeout(_) => "upstream_timeout",
                CallError::Broken(_) => "upstream_reset",
                CallError::Connect(_) | CallError::Address(_) => "upstream_connect",
            },
            Self::BadAnswer { .. } => "upstream_answer",
            Self::Redirect { .. } => "upstream_redirect",
        }
    }

    /// Refused by us, or failed by the upstream.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Upstream { .. } | Self::BadAnswer { .. } | Self::Redirect { .. } => {
                Outcome::Failed
            }
            Self::Connect(refused) if refused.is_failure() => Outcome::Failed,
            Self::BrokenBody | Self::SlowBody => Outcome::Aborted,
            _ => Outcome::Refused,
        }
    }

    /// What the operator reads in the log. Holds addresses and causes, never a body or a key.
    pub fn for_operator(&self) -> String {
        match self {
            Self::Upstream { upstream, error } => format!("upstream `{upstream}`: {error}"),
            Self::Connect(refused) => refused.for_operator(),
            Self::Ledger(error) => format!("ledger: {error}"),
            Self::Recogniser(error) => format!("recogniser: {error}"),
            other => other.to_string(),
        }
    }
}
