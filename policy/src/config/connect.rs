//! `[connect]`, `[[secret]]` and the hosts of upstreams: what agents reach through the proxy by
//! `CONNECT`, and what is done with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, SecretSource, Upstream, duration};
use crate::connect::{HostPattern, OtherHosts, Private, Rules, host_name};
use crate::redact::{Engine, KINDS, Mode, Modes};
use crate::types::Name;

/// `[connect]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// What happens to connections to hosts that are no upstream's.
    pub rules: Rules,
    /// Places on networks that are not public, and that may be connected to.
    pub private: Vec<Private>,
    /// Ports that may be connected to.
    pub ports: Vec<u16>,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a tunnel may be silent in both directions, and an answer after its head.
    pub idle_timeout: Duration,
    /// What is looked for in requests to intercepted hosts.
    pub redact: Scope,
    /// What happens to bodies that cannot be looked through.
    pub opaque_bodies: OpaqueBodies,
}

/// What is looked for in requests to intercepted hosts that are no upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Keys, tokens and passwords, as `[redact]` says.
    #[default]
    Secrets,
    /// Every kind, as `[redact]` says.
    All,
    /// Nothing.
    Off,
}

/// What happens to bodies that cannot be looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpaqueBodies {
    /// They leave as they are.
    #[default]
    Pass,
    /// They are refused.
    Block,
}

/// `[[secret]]`: a value that is put into requests to certain hosts, and that agents do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name, which its placeholder shows.
    pub name: Name,
    /// Where the value is.
    pub source: SecretSource,
    /// The variable in which agents expect it, and in which they get the placeholder.
    pub agent_env: Option<String>,
    /// The hosts that get it.
    pub hosts: Vec<HostPattern>,
    /// The headers in which it may stand, in lower case; any where the list is empty.
    pub headers: Vec<String>,
}

/// A host and port by which clients know an upstream, and the path below which it answers there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The host's name as it is compared, or its address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What the upstream's paths begin with there, without a slash at its end; may be empty.
    pub base_path: String,
}

impl Connect {
    /// The engine for requests to intercepted hosts; none where nothing is looked for.
    pub fn engine(&self, redact: &super::Redact) -> Option<Engine> {
        match self.redact {
            Scope::Off => None,
            Scope::All => Some(redact.engine()),
            Scope::Secrets => {
                let secrets = KINDS.into_iter().filter(|kind| kind.is_secret());
                let modes = secrets.fold(Modes::all(Mode::Off), |modes, kind| {
                    modes.with(kind, redact.modes.of(kind))
                });
                Some(Engine::new(modes))
            }
        }
    }

    /// Whether a port may be connected to.
    pub fn allows_port(&self, host: &str, port: u16) -> bool {
        self.ports.contains(&port)
            || self.private.iter().any(|private| private.names_port(host, port))
    }
}

/// `[connect]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    other_hosts: OtherHosts,
    deny: Vec<toml::Spanned<HostPattern>>,
    tunnel: Vec<toml::Spanned<HostPattern>>,
    intercept: Vec<toml::Spanned<HostPattern>>,
    private: Vec<Private>,
    ports: Vec<u16>,
    #[serde(deserialize_with = "duration")]
    connect_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    idle_timeout: Duration,
    redact: Scope,
    opaque_bodies: OpaqueBodies,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            other_hosts: OtherHosts::default(),
            deny: Vec::new(),
            tunnel: Vec::new(),
            intercept: Vec::new(),
            private: Vec::new(),
            ports: vec![443, 80],
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(5),
            redact: Scope::default(),
            opaque_bodies: OpaqueBodies::default(),
        }
    }
}

/// `[[secret]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecret {
    name: Name,
    env: Option<String>,
    file: Option<PathBuf>,
    agent_env: Option<String>,
    hosts: Vec<HostPattern>,
    #[serde(default)]
    headers: Vec<String>,
}

/// Checks the section against the upstreams and the secrets; `text` is the whole file.
pub(super) fn check(
    raw: Raw,
    upstreams: &[Arc<Upstream>],
    secrets: &[Secret],
    text: &str,
) -> Result<Connect, ConfigError> {
    let mut listed = Vec::new();
    for (rule, patterns) in [
        (OtherHosts::Deny, raw.deny),
        (OtherHosts::Tunnel, raw.tunnel),
        (OtherHosts::Intercept, raw.intercept),
    ] {
        for pattern in patterns {
            let at = pattern.span().start;
            let pattern = pattern.into_inner();
            if let Some(name) = upstream_of(upstreams, &pattern) {
                return Err(wrong(
                    text,
                    at,
                    format!(
                        "connect.{} names `{pattern}`, a host of the upstream `{name}`, which is \
                         always intercepted: take it out",
                        rule.name()
                    ),
                ));
            }
            let secret = secrets.iter().find(|secret| secret.hosts.contains(&pattern));
            if let Some(secret) = secret.filter(|_| rule != OtherHosts::Intercept) {
                return Err(wrong(
                    text,
                    at,
                    format!(
                        "connect.{} names `{pattern}`, which gets the secret `{}` and is \
                         intercepted for it: take it out of one of them",
                        rule.name(),
                        secret.name
                    ),
                ));
            }
            listed.push((pattern, rule));
        }
    }
    let hosts = secrets.iter().flat_map(|secret| secret.hosts.iter().cloned());
    listed.extend(hosts.map(|host| (host, OtherHosts::Intercept)));
    if raw.ports.contains(&0) {
        return Err(ConfigError { line: None, message: "connect.ports: 0 is no port".to_owned() });
    }
    Ok(Connect {
        rules: Rules::new(listed, raw.other_hosts),
        private: raw.private,
        ports: raw.ports,
        connect_timeout: raw.connect_timeout,
        idle_timeout: raw.idle_timeout,
        redact: raw.redact,
        opaque_bodies: raw.opaque_bodies,
    })
}

/// Checks the secrets against the upstreams.
pub(super) fn secrets(
    raw: Vec<RawSecret>,
    upstreams: &[Arc<Upstream>],
) -> Result<Vec<Secret>, ConfigError> {
    let mut names = std::collections::HashSet::new();
    raw.into_iter()
        .map(|secret| {
            let name = secret.name;
            let bad = |what: String| ConfigError {
                line: None,
                message: format!("[[secret]] `{name}` {what}"),
            };
            if !names.insert(name.clone()) {
                return Err(bad("is there twice: names must differ".to_owned()));
            }
            let is_variable = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
            let source = match (secret.env.clone(), secret.file) {
                (Some(variable), None) if is_variable(&variable) => {
                    SecretSource::Variable(variable)
                }
                (None, Some(file)) if file.is_absolute() => SecretSource::File(file),
                (None, Some(_)) => {
                    return Err(bad("needs an absolute path as its file".to_owned()));
                }
                _ => {
                    return Err(bad(
                        "needs either env, a variable where the proxy runs, or file".to_owned()
                    ));
                }
            };
            if secret.hosts.is_empty() {
                return Err(bad("names no hosts that get it".to_owned()));
            }
            for host in &secret.hosts {
                if host.is_wide() {
                    return Err(bad(format!("would be given to anyone under `{host}`")));
                }
                if let Some(upstream) = upstream_of(upstreams, host) {
                    return Err(bad(format!(
                        "is for `{host}`, a host of the upstream `{upstream}`: put its key into \
                         the variable of its api_key_env"
                    )));
                }
            }
            if secret.agent_env.as_ref().is_some_and(|name| !is_variable(name)) {
                return Err(bad("needs the name of a variable as its agent_env".to_owned()));
            }
            Ok(Secret {
                source,
                agent_env: secret.agent_env.or(secret.env),
                hosts: secret.hosts,
                headers: secret.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
                name,
            })
        })
        .collect()
}

/// The upstream of which a pattern names a host by itself.
fn upstream_of<'u>(upstreams: &'u [Arc<Upstream>], pattern: &HostPattern) -> Option<&'u Name> {
    let host = pattern.single()?;
    let serves = |upstream: &&Arc<Upstream>| upstream.hosts.iter().any(|own| own.host == host);
    upstreams.iter().find(serves).map(|upstream| &upstream.name)
}

/// The places by which clients know an upstream: those of the file, else that of its base URL.
pub(super) fn places(
    name: &Name,
    base_url: &str,
    given: Option<Vec<String>>,
) -> Result<Vec<Place>, ConfigError> {
    let wrong = |what: &str| ConfigError {
        line: None,
        message: format!(
            "hosts of upstream `{name}`: `{what}` is none: write `api.example.com`, \
             `api.example.com:8443` or `api.example.com/base/path`"
        ),
    };
    let own = Place::of_url(base_url);
    let Some(given) = given else {
        // A base URL without a host that can be compared is none that clients connect to.
        return Ok(own.into_iter().collect());
    };
    given
        .iter()
        .map(|text| {
            let path = own.as_ref().map_or("", |own| own.base_path.as_str());
            Place::read(text, 443, path).ok_or_else(|| wrong(text))
        })
        .collect()
}

fn wrong(text: &str, at: usize, message: String) -> ConfigError {
    let line = text.get(..at).map(|before| 1 + before.matches('\n').count());
    ConfigError { line, message }
}

impl Place {
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        Self::read(rest, if scheme == "https" { 443 } else { 80 }, "")
    }

    /// Reads `host[:port][/path]`; `port` and `path` stand for missing ones.
    fn read(text: &str, port: u16, path: &str) -> Option<Self> {
        let (authority, base_path) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, path),
        };
        // The last colon of an address in brackets may stand inside of it.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, digits)) if !digits.contains(']') => (host, digits.parse().ok()?),
            _ => (authority, port),
        };
        let base_path = base_path.trim_end_matches('/').to_owned();
        Some(Self { host: host_name(host)?, port, base_path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::redact::Kind;

    #[test]
    fn an_upstream_is_known_by_its_base_url_unless_the_file_says_otherwise() {
        let place = |upstream: &str, hosts: &str| {
            let text = format!(
                "[[upstream]]\nname = \"a\"\ndialect = \"openai\"\nbase_url = \"{upstream}\"\n{hosts}"
            );
            let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            policy.upstreams[0]
                .hosts
                .iter()
                .map(|place| format!("{} {} {}", place.host, place.port, place.base_path))
                .collect::<Vec<_>>()
        };
        assert_eq!(place("https://API.openai.com", ""), ["api.openai.com 443 "]);
        assert_eq!(place("https://api.groq.com/openai/v1/", ""), ["api.groq.com 443 /openai/v1"]);
        assert_eq!(place("http://127.0.0.1:11434", ""), ["127.0.0.1 11434 "]);
        assert_eq!(place("http://[::1]:80", ""), ["::1 80 "]);
        assert_eq!(
            place("http://127.0.0.1:1/v1", "hosts = [\"x.org\", \"y.org:8443/a/\"]\n"),
            ["x.org 443 /v1", "y.org 8443 /a"]
        );
        assert!(place("https://x.org", "hosts = []\n").is_empty());
    }

    #[test]
    fn the_section_is_read_and_secrets_are_intercepted() {
        let policy = Policy::parse(
            "[connect]\nother_hosts = \"deny\"\ntunnel = [\"*.example.com\"]\n\
             private = [\"10.0.0.0/8\", \"localhost:3000\"]\n\
             [[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"api.github.com\"]\n\
             headers = [\"Authorization\"]\n",
        )
        .unwrap();
        let connect = &policy.connect;
        assert_eq!(connect.rules.of("api.github.com"), (OtherHosts::Intercept, true));
        assert_eq!(connect.rules.of("www.example.com"), (OtherHosts::Tunnel, true));
        assert_eq!(connect.rules.of("example.com"), (OtherHosts::Deny, false));
        assert!(connect.allows_port("x", 443) && !connect.allows_port("x", 22));
        assert!(connect.allows_port("localhost", 3000));
        assert_eq!(policy.secrets[0].agent_env.as_deref(), Some("GITHUB_TOKEN"));
        assert_eq!(policy.secrets[0].headers, ["authorization"]);
        let engine = connect.engine(&policy.redact).unwrap();
        assert_eq!(engine.modes().of(Kind::Email), Mode::Off);
        assert_eq!(engine.modes().of(Kind::PrivateKey), Mode::Reversible);
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let secret = |rest: &str| format!("[[secret]]\nname = \"s\"\n{rest}");
        for (text, said) in [
            ("[connect]\nother_host = \"deny\"\n".to_owned(), "did you mean `other_hosts`?"),
            ("[connect]\nother_hosts = \"drop\"\n".to_owned(), "tunnel"),
            ("[connect]\n\ntunnel = [\"api.openai.com\"]\n".to_owned(), "line 3"),
            ("[connect]\ntunnel = [\"a*.com\"]\n".to_owned(), "names no host"),
            ("[connect]\nprivate = [\"10.0.0.0/99\"]\n".to_owned(), "private network"),
            ("[connect]\nports = [0]\n".to_owned(), "no port"),
            (secret("env = \"A\"\nhosts = []\n"), "no hosts"),
            (secret("env = \"A\"\nhosts = [\"*.com\"]\n"), "anyone"),
            (secret("env = \"A\"\nhosts = [\"api.openai.com\"]\n"), "api_key_env"),
            (secret("hosts = [\"a.org\"]\n"), "either env"),
            (secret("file = \"x\"\nhosts = [\"a.org\"]\n"), "absolute"),
            (
                secret("env = \"A\"\nhosts = [\"a.org\"]\n[connect]\ntunnel = [\"a.org\"]\n"),
                "secret `s`",
            ),
        ] {
            let error = Policy::parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
