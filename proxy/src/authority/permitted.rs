//! For whom certificates may be issued: the name constraints of the local CA.
//!
//! Whoever gets hold of the CA's key can pretend to be these hosts to programs that trust the CA,
//! and no others. So the list is short: the hosts of the upstreams, those to which the policy
//! says that connections are intercepted, a few known ones, and this machine.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use iron_policy::config::Policy;
use rustls::pki_types::ServerName;

/// Hosts of providers that most people point an agent at sooner or later.
///
/// They are in every CA so that a provider that is added later needs no new certificate, which
/// every program that has read the old one would have to read again. Only names under which an
/// API is served: nobody logs in, reads mail or stores files there. Hosts that differ by region
/// or customer are not in it where their domain serves more than models (amazonaws.com,
/// googleapis.com): those come in with the upstream that names them.
const KNOWN: &[&str] = &[
    "api.anthropic.com",
    "api.cohere.com",
    "api.deepseek.com",
    "api.fireworks.ai",
    "api.groq.com",
    "api.mistral.ai",
    "api.openai.com",
    "api.perplexity.ai",
    "api.together.xyz",
    "api.x.ai",
    // Google's only for the Gemini API, not for what else is under googleapis.com.
    "generativelanguage.googleapis.com",
    // One name a customer under it, and nothing but Azure OpenAI.
    "openai.azure.com",
    "openrouter.ai",
];

/// Networks in which every address is this machine (RFC 1122, section 3.2.1.3; RFC 4291, 2.5.3).
pub(super) const LOOPBACK: [(IpAddr, u8); 2] =
    [(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];

/// A host that a certificate can be for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name, in lower case, without a dot at its end.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

/// Text that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name nor an address")]
pub struct NotAHost(String);

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        match ServerName::try_from(bare) {
            Ok(ServerName::DnsName(name)) => Ok(Self::Dns(name.as_ref().to_ascii_lowercase())),
            Ok(ServerName::IpAddress(address)) => Ok(Self::Ip(address.into())),
            _ => Err(NotAHost(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

/// The hosts that certificates may be for. A name stands for itself and every name under it; the
/// addresses of this machine need not be in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permitted(pub(super) BTreeSet<Host>);

impl Permitted {
    /// `localhost` and the known providers.
    pub fn known() -> Self {
        let known = KNOWN.iter().copied().chain(["localhost"]);
        Self(known.map(|name| Host::Dns(name.to_owned())).collect())
    }

    /// Those, and the hosts of the policy's upstreams.
    pub fn of(policy: &Policy) -> Self {
        let mut permitted = Self::known();
        for upstream in &policy.upstreams {
            if let Some(host) = host_of(&upstream.base_url) {
                permitted.insert(host);
            }
        }
        permitted
    }

    /// Adds a host, and with a name all names under it.
    pub fn insert(&mut self, host: Host) {
        let loopback = matches!(host, Host::Ip(address) if address.is_loopback());
        if !loopback && !self.permits(&host) {
            self.0.insert(host);
        }
    }

    /// Whether certificates for this host may be issued.
    pub fn permits(&self, host: &Host) -> bool {
        match host {
            Host::Ip(address) => address.is_loopback() || self.0.contains(host),
            Host::Dns(name) => self.0.iter().any(|permitted| match permitted {
                Host::Dns(domain) => name
                    .strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
                Host::Ip(_) => false,
            }),
        }
    }

    /// Whether everything that `other` permits is permitted here too.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|host| self.permits(host))
    }

    /// What either permits.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for host in &other.0 {
            self.insert(host.clone());
        }
        self
    }

    /// The hosts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.0.iter()
    }
}

/// The host of `scheme://host[:port]/path`.
fn host_of(url: &str) -> Option<Host> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_read_alike_however_they_are_written() {
        assert_eq!(host("API.OpenAI.com."), Host::Dns("api.openai.com".to_owned()));
        assert_eq!(host("[::1]"), host("::1"));
        for text in ["", "*", "*.example.org", "a..b", "a b", "x/y", "1.2.3", "ä.example", "-a.b"]
        {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_stands_for_what_is_under_it_and_nothing_beside_it() {
        let mut permitted = Permitted::known();
        permitted.insert(host("models.example.org"));
        permitted.insert(host("10.0.0.5"));
        for text in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "10.0.0.5",
            "api.openai.com",
            "mine.openai.azure.com",
            "models.example.org",
            "eu.models.example.org",
        ] {
            assert!(permitted.permits(&host(text)), "{text}");
        }
        for text in ["example.org", "evilmodels.example.org", "10.0.0.6", "::2", "openai.com"] {
            assert!(!permitted.permits(&host(text)), "{text}");
        }
    }

    #[test]
    fn the_hosts_of_upstreams_are_permitted() {
        let policy = Policy::parse(
            "[[upstream]]\nname = \"a\"\ndialect = \"openai\"\nbase_url = \"https://Models.example.org:8443/openai/v1\"\n\
             [[upstream]]\nname = \"b\"\ndialect = \"openai\"\nbase_url = \"http://[fd00::7]:1/v1\"\n",
        );
        let permitted = Permitted::of(&policy.unwrap());
        assert!(permitted.permits(&host("models.example.org")));
        assert!(permitted.permits(&host("fd00::7")));
        assert!(permitted.covers(&Permitted::known()) && !Permitted::known().covers(&permitted));
        assert_eq!(Permitted::known().with(&permitted), permitted);
    }
}
