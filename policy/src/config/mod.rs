//! `iron.toml`: what the operator wrote, checked into a [`Policy`] that cannot be wrong.
//!
//! Two steps: `raw` mirrors the file and refuses unknown keys; `check` turns it into
//! values that hold together (names resolve, limits are positive, no two upstreams share a name).
//! Reading the file and the environment is the caller's business: this module sees only text.

mod check;
mod connect;
mod distributed;
mod fallback;
mod overlay;
pub mod panel;
mod raw;
mod redact;
mod suggest;
mod text;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

pub use check::{address, builtin_address};
pub use connect::{Connect, OpaqueBodies, Place, Scope, Secret};
pub use panel::{Panel, PanelTls};
pub use redact::{OnFailure, OpaqueParts, Recogniser, Redact, SecretSource};
pub(crate) use text::{amount, duration};

use crate::breaker;
use crate::budget::{Budget, Glob};
use crate::price::PriceOverride;
use crate::retry::{Fallback, Retry};
use crate::runaway::Runaway;
use crate::types::{Dialect, Name, Platform};

/// Everything that decides about calls. Replaced whole when the file changes.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where agents connect, and how calls are handled.
    pub proxy: Proxy,
    /// The control panel.
    pub panel: Panel,
    /// Whether calls without an agent's token are refused; where the file does not say, whoever runs
    /// the proxy decides.
    pub tokens_required: Option<bool>,
    /// The upstreams, in the order of the file. At least one.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Models that go to another upstream than their path says.
    pub routes: Vec<Route>,
    /// When a call that failed is tried again at its upstream.
    pub retry: Retry,
    /// Where calls go when their upstream cannot answer.
    pub fallbacks: Vec<Fallback>,
    /// The budgets.
    pub budgets: Vec<Budget>,
    /// The zone in which days, weeks and months begin.
    pub time_zone: TimeZone,
    /// How reservations are made.
    pub reserve: Reserve,
    /// How long money waits for the results of batches.
    pub batches: Batches,
    /// A WebSocket over which nothing passes for so long is closed.
    pub websocket_idle: Duration,
    /// What happens to findings.
    pub redact: Redact,
    /// When an agent is held for one that ran away, where nothing else is said of it.
    pub runaway: Runaway,
    /// Limits of every agent that has none of its own.
    pub limits: Limits,
    /// Agents that the operator named.
    pub agents: Vec<Agent>,
    /// What agents reach through the proxy besides the upstreams.
    pub connect: Connect,
    /// Values that are put into requests to certain hosts.
    pub secrets: Vec<Secret>,
    /// Prices that come before the built-in list.
    pub prices: Vec<PriceOverride>,
}

/// `[proxy]`
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The agents' port.
    pub listen: SocketAddr,
    /// Names and addresses by which agents on other machines reach the port, as they are compared.
    pub names: Vec<String>,
    /// How many connections of agents may be open at once, at least 1. More wait to be accepted.
    pub max_connections: usize,
    /// Whether a caller's own provider key may be used.
    pub passthrough: bool,
    /// The largest request body in bytes; a larger one is a 413.
    pub max_body: usize,
    /// How long a caller may take to send its head, and each part of its body.
    pub read_timeout: Duration,
    /// How long a caller may take nothing of its answer.
    pub write_timeout: Duration,
    /// How long open calls may go on after a request to stop.
    pub drain: Duration,
    /// What a committed reservation survives.
    pub durability: Durability,
    /// The status of a refusal for money: 402, or 429 for clients that cannot take it.
    pub budget_status: u16,
    /// What happens upstream when the client goes away during a stream.
    pub on_abort: OnAbort,
}

/// What a committed reservation survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The death of the process, `kill -9` included.
    #[default]
    Process,
    /// The loss of power: every commit waits for the disk.
    Power,
}

/// What becomes of a client that wants to speak WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebSockets {
    /// It may, where the endpoint is known.
    #[default]
    Allow,
    /// It is told at once to use HTTP.
    Refuse,
}

/// What happens upstream when the client goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAbort {
    /// The upstream call is cancelled. Without usage the whole reservation is charged.
    #[default]
    Cancel,
    /// The answer is read to its end, within limits, because its end names the usage.
    Drain,
}

/// `[[upstream]]`: one endpoint of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name, also its path prefix: `/NAME/v1/...`.
    pub name: Name,
    /// The API it speaks.
    pub dialect: Dialect,
    /// The cloud it is, where it has paths and prices of its own.
    pub platform: Option<Platform>,
    /// What models are called there that have names of their own, such as deployments: the name
    /// in the call, and the model whose price and rules apply.
    pub models: BTreeMap<String, String>,
    /// Scheme, host, port and path prefix, without a trailing slash.
    pub base_url: String,
    /// Where clients believe it to be: connections to there are intercepted.
    pub hosts: Vec<Place>,
    /// The environment variable that holds its key.
    pub api_key_env: Option<String>,
    /// The vendor whose prices apply, where the name does not say.
    pub vendor: Option<String>,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take.
    pub answer_timeout: Duration,
    /// How long an answer may be silent after its head.
    pub idle_timeout: Duration,
    /// Whether it understands `stream_options.include_usage`.
    pub include_usage: bool,
    /// What becomes of WebSockets to it.
    pub websocket: WebSockets,
    /// When calls to it are stopped.
    pub breaker: breaker::Settings,
    /// Limits over all agents together.
    pub limits: Limits,
}

impl Upstream {
    /// The model that a name in a call means here.
    pub fn model<'a>(&'a self, name: &'a str) -> &'a str {
        self.models.get(name).map_or(name, String::as_str)
    }

    /// What a model is called here. None where its name means another one here.
    pub fn called<'a>(&'a self, model: &'a str) -> Option<&'a str> {
        match self.models.get(model) {
            Some(meant) if meant == model => Some(model),
            own => {
                let named = self.models.iter().find(|(_, meant)| *meant == model);
                named.map(|(name, _)| name.as_str()).or(own.is_none().then_some(model))
            }
        }
    }
}

/// `[[route]]`: a model that goes to a certain upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A glob over model names.
    pub model: Glob,
    /// Where calls for it go.
    pub upstream: Name,
}

/// `[reserve]`: how reservations are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// Whether an output limit is lowered to what the budget still buys.
    pub clamp: bool,
    /// The output limit written into a call that has none.
    pub default_max_output: Option<u64>,
    /// Calls of billed tools assumed where the caller sets no limit.
    pub tool_calls: u64,
}

/// `[batches]`: calls whose answers come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// How long after a batch was made it is charged whole, where nobody has fetched its results.
    pub settle_after: Duration,
}

/// Limits on a rate; none where absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls in a minute.
    pub requests_per_minute: Option<std::num::NonZeroU32>,
    /// Tokens in a minute, as estimated before a call.
    pub tokens_per_minute: Option<std::num::NonZeroU32>,
    /// Calls at the same time.
    pub parallel: Option<std::num::NonZeroU32>,
}

/// `[[agent]]`: what the operator says about one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The agent's name.
    pub name: Name,
    /// The project it works for.
    pub project: Option<Name>,
    /// Its own limits, instead of the common ones.
    pub limits: Option<Limits>,
    /// When it is held for one that ran away, instead of the common bounds.
    pub runaway: Option<Runaway>,
}

/// Why a configuration is refused: the line where known, what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ConfigError {
    /// The line of the file, from 1.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Policy {
    /// Reads the text of an `iron.toml`. An empty text is a valid one: the defaults.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        check::check(raw::parse(text)?, text)
    }

    /// The upstream of this name.
    pub fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.name.as_str() == name)
    }

    /// The upstream for paths without a prefix: the first of the dialect that is on no platform,
    /// since a platform's paths are its own.
    pub fn default_upstream(&self, dialect: Dialect) -> Option<&Arc<Upstream>> {
        let plain = |upstream: &&Arc<Upstream>| upstream.platform.is_none();
        self.upstreams.iter().filter(plain).find(|upstream| upstream.dialect == dialect)
    }

    /// Where calls for a model go when its upstream cannot answer: the first entry that names it.
    pub fn fallback(&self, model: &str) -> Option<&Fallback> {
        self.fallbacks.iter().find(|fallback| fallback.model.matches(model))
    }

    /// When an agent is held for one that ran away.
    pub fn runaway_of(&self, agent: &Name) -> &Runaway {
        self.agent(agent).and_then(|agent| agent.runaway.as_ref()).unwrap_or(&self.runaway)
    }

    /// What the operator said about an agent.
    pub fn agent(&self, name: &Name) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NanoUsd;

    #[test]
    fn an_empty_file_is_the_defaults() {
        let policy = Policy::parse("").unwrap();
        assert_eq!(policy.proxy.listen, "127.0.0.1:4141".parse().unwrap());
        let names: Vec<_> = policy.upstreams.iter().map(|u| u.name.as_str()).collect();
        assert_eq!(names, ["openai", "anthropic", "gemini"]);
        assert!(policy.proxy.passthrough);
    }

    #[test]
    fn the_documented_shape_is_read() {
        let policy = Policy::parse(
            r#"
            [proxy]
            listen = "127.0.0.1:4141"
            passthrough = true
            [panel]
            listen = "127.0.0.1:8080"
            [[upstream]]
            name = "openai"
            dialect = "openai"
            base_url = "https://api.openai.com"
            api_key_env = "OPENAI_API_KEY"
            [[budget]]
            scope = "organisation"
            window = "day"
            limit = "5 USD"
            [redact]
            mode = "reversible"
            "#,
        )
        .unwrap();
        assert_eq!(policy.upstreams.len(), 1);
        assert_eq!(policy.upstreams[0].api_key_env.as_deref(), Some("OPENAI_API_KEY"));
        assert_eq!(policy.budgets[0].limit, NanoUsd::usd(5));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_right_word() {
        for (text, line, said) in [
            (
                "[proxy]\nlisten = \"127.0.0.1:1\"\npasstrough = true\n",
                3,
                "did you mean `passthrough`?",
            ),
            ("[proxi]\n", 1, "did you mean `proxy`?"),
            ("[proxy]\nlisten = 4141\n", 2, "expected"),
            (
                "[[budget]]\nscope = \"organization\"\nwindow = \"day\"\nlimit = \"5 USD\"\n",
                2,
                "organisation",
            ),
            (
                "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"5 EUR\"\n",
                4,
                "EUR",
            ),
        ] {
            let error = Policy::parse(text).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.message.contains(said), "{error}");
        }
    }

    #[test]
    fn answers_have_modes_of_their_own_and_none_is_reversible() {
        use crate::redact::{Kind, Mode};
        let policy = Policy::parse(
            "[redact]\nanswers = \"mask\"\n[redact.answer_kinds]\nIP = \"off\"\nIBAN = \"block\"\n",
        )
        .unwrap();
        let answers = policy.redact.answers;
        let modes = [Kind::Email, Kind::Ip, Kind::Iban].map(|kind| answers.of(kind));
        assert_eq!(modes, [Mode::Mask, Mode::Off, Mode::Block]);
        assert_eq!(policy.redact.modes.of(Kind::Iban), Mode::Reversible);
        assert_eq!(Policy::parse("").unwrap().redact.answers.of(Kind::Iban), Mode::Off);
        for text in [
            "[redact]\nanswers = \"reversible\"\n",
            "[redact.answer_kinds]\nEMAIL = \"reversible\"\n",
        ] {
            let error = Policy::parse(text).unwrap_err();
            assert_eq!(error.line, Some(2), "{error}");
            assert!(error.message.contains("put back on the way to the agent"), "{error}");
        }
    }

    #[test]
    fn websockets_are_allowed_unless_refused_for_all_or_for_one() {
        let modes = |text: &str| -> Vec<WebSockets> {
            Policy::parse(text).unwrap().upstreams.iter().map(|one| one.websocket).collect()
        };
        assert_eq!(modes(""), [WebSockets::Allow; 3]);
        assert_eq!(modes("[websocket]\nmode = \"refuse\"\n"), [WebSockets::Refuse; 3]);
        let one = "[[upstream]]\nname = \"a\"\ndialect = \"openai\"\nbase_url = \"https://a\"\n";
        let text = format!(
            "{one}websocket = \"allow\"\n{}[websocket]\nmode = \"refuse\"\n",
            one.replace("\"a\"", "\"b\"")
        );
        assert_eq!(modes(&text), [WebSockets::Allow, WebSockets::Refuse]);
        assert!(Policy::parse("[websocket]\nmode = \"maybe\"\n").is_err());
        assert_eq!(Policy::parse("").unwrap().websocket_idle, Duration::from_hours(1));
    }

    #[test]
    fn a_platform_says_which_dialect_is_spoken_there() {
        let upstream = |lines: &str| {
            let text = format!("[[upstream]]\nname = \"a\"\nbase_url = \"https://x\"\n{lines}");
            Policy::parse(&text).map(|policy| Arc::clone(&policy.upstreams[0]))
        };
        for (name, dialect) in
            [("azure", Dialect::OpenAi), ("bedrock", Dialect::Bedrock), ("vertex", Dialect::Gemini)]
        {
            let found = upstream(&format!("platform = \"{name}\"\n")).unwrap();
            assert_eq!((found.platform.map(Platform::name), found.dialect), (Some(name), dialect));
        }
        assert_eq!(upstream("dialect = \"bedrock\"").unwrap().platform, Some(Platform::Bedrock));
        let both = "dialect = \"openai\"\nplatform = \"azure\"\nmodels = { mine = \"gpt-4o\" }\n";
        let both = upstream(both).unwrap();
        assert_eq!((both.model("mine"), both.model("other")), ("gpt-4o", "other"));
        for (lines, said) in [
            ("dialect = \"anthropic\"\nplatform = \"azure\"\n", "speaks `openai`"),
            ("platform = \"gcp\"\n", "vertex"),
            ("", "dialect"),
        ] {
            let error = upstream(lines).unwrap_err();
            assert!(error.message.contains(said), "{error}");
        }
    }

    #[test]
    fn values_that_do_not_hold_together_are_refused() {
        let upstream = |name: &str, url: &str| {
            format!("[[upstream]]\nname = \"{name}\"\ndialect = \"openai\"\nbase_url = \"{url}\"\n")
        };
        for (text, said) in [
            (upstream("a", "https://x") + &upstream("a", "https://y"), "two upstreams"),
            (upstream("a", "ftp://x"), "http://"),
            (upstream("a", "https://"), "host"),
            (upstream("a", "https://user:pw@host"), "credentials"),
            (upstream("agent", "https://x"), "reserved"),
            ("[[route]]\nmodel = \"m\"\nupstream = \"nowhere\"\n".to_owned(), "nowhere"),
            ("time_zone = \"Mars/Olympus\"\n".to_owned(), "Mars/Olympus"),
            ("[proxy]\nbudget_status = 200\n".to_owned(), "402 or 429"),
        ] {
            let error = Policy::parse(&text).unwrap_err();
            assert!(error.message.contains(said), "{text}: {error}");
        }
    }
}
