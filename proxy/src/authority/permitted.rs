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
use iron_policy::connect::OtherHosts;
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
pub struct Permitted {
    hosts: BTreeSet<Host>,
    /// Every host there is.
    any: bool,
}

impl Permitted {
    /// `localhost` and the known providers.
    pub fn known() -> Self {
        KNOWN.iter().copied().chain(["localhost"]).map(|name| Host::Dns(name.to_owned())).collect()
    }

    /// Those, the hosts of the policy's upstreams, what it intercepts, and by what names the port
    /// itself is reached.
    pub fn of(policy: &Policy) -> Self {
        let mut permitted = Self::known();
        let places = policy.upstreams.iter().flat_map(|upstream| &upstream.hosts);
        for name in places.map(|place| &place.host).chain(&policy.proxy.names) {
            permitted.extend(name.parse().ok());
        }
        permitted.any = policy.connect.rules.others() == OtherHosts::Intercept;
        for pattern in policy.connect.rules.under(OtherHosts::Intercept) {
            match pattern.to_string().as_str() {
                "*" => permitted.any = true,
                text => permitted.extend(text.trim_start_matches("*.").parse().ok()),
            }
        }
        let listen = policy.proxy.listen.ip();
        permitted.extend((!listen.is_unspecified()).then_some(Host::Ip(listen)));
        permitted
    }

    /// Whether certificates for this host may be issued.
    pub fn permits(&self, host: &Host) -> bool {
        self.any
            || match host {
                Host::Ip(address) => address.is_loopback() || self.hosts.contains(host),
                Host::Dns(name) => self.hosts.iter().any(|permitted| match permitted {
                    Host::Dns(domain) => name
                        .strip_suffix(domain.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
                    Host::Ip(_) => false,
                }),
            }
    }

    /// Whether everything that `other` permits is permitted here too.
    pub fn covers(&self, other: &Self) -> bool {
        self.any || !other.any && other.hosts.iter().all(|host| self.permits(host))
    }

    /// Whether every host there is is permitted.
    pub const fn is_any(&self) -> bool {
        self.any
    }

    /// With every host that there is.
    pub(super) const fn with_any(mut self, any: bool) -> Self {
        self.any = any;
        self
    }

    /// The hosts that are named, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }
}

impl Extend<Host> for Permitted {
    /// Adds hosts, and with each name all names under it. What is permitted already is left out.
    fn extend<T: IntoIterator<Item = Host>>(&mut self, hosts: T) {
        for host in hosts {
            let loopback = matches!(host, Host::Ip(address) if address.is_loopback());
            if loopback || self.clone().with_any(false).permits(&host) {
                continue;
            }
            self.hosts.insert(host);
        }
    }
}

impl FromIterator<Host> for Permitted {
    fn from_iter<T: IntoIterator<Item = Host>>(hosts: T) -> Self {
        let mut permitted = Self::default();
        permitted.extend(hosts);
        permitted
    }
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
        permitted.extend([host("models.example.org"), host("10.0.0.5")]);
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
        let policy = policy.unwrap();
        let permitted = Permitted::of(&policy);
        assert!(permitted.permits(&host("models.example.org")));
        assert!(permitted.permits(&host("fd00::7")));
        assert!(permitted.covers(&Permitted::known()) && !Permitted::known().covers(&permitted));
    }

    #[test]
    fn what_the_policy_intercepts_is_permitted_and_every_host_only_where_it_says_so() {
        let of = |lines: &str| Permitted::of(&Policy::parse(lines).unwrap());
        let some =
            of("[connect]\nintercept = [\"*.example.org\"]\n[proxy]\nnames = [\"iron.lan\"]\n");
        assert!(some.permits(&host("a.example.org")) && some.permits(&host("iron.lan")));
        assert!(!some.is_any() && !some.permits(&host("example.com")));
        for lines in ["intercept = [\"*\"]", "other_hosts = \"intercept\""] {
            let any = of(&format!("[connect]\n{lines}\n"));
            assert!(any.is_any() && any.permits(&host("example.com")), "{lines}");
            assert!(any.covers(&some) && !some.covers(&any));
        }
        let listen = of("[proxy]\nlisten = \"10.1.2.3:4141\"\n");
        assert!(listen.permits(&host("10.1.2.3")) && !listen.permits(&host("10.1.2.4")));
        assert_eq!(of("[proxy]\nlisten = \"0.0.0.0:4141\"\n"), Permitted::known());
    }
}
