//! What happens to connections to hosts that are no upstream's.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::address::{Class, Net, class, embedded};
use super::host::HostPattern;

/// What happens to a connection to a host that is no upstream's. From mild to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherHosts {
    /// Bytes pass both ways, unread.
    #[default]
    Tunnel,
    /// TLS ends here: request bodies are looked through.
    Intercept,
    /// It is refused.
    Deny,
}

impl OtherHosts {
    /// As it is written in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Intercept => "intercept",
            Self::Deny => "deny",
        }
    }
}

/// The operator's word about single hosts, and about all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// The most telling pattern first; of two alike, the stricter one.
    listed: Vec<(HostPattern, OtherHosts)>,
    others: OtherHosts,
}

impl Rules {
    /// Rules in any order.
    pub fn new(mut listed: Vec<(HostPattern, OtherHosts)>, others: OtherHosts) -> Self {
        listed.sort_by(|(a, x), (b, y)| (b.weight(), y).cmp(&(a.weight(), x)));
        Self { listed, others }
    }

    /// What happens to connections to this host. True beside it where a list names the host.
    pub fn of(&self, host: &str) -> (OtherHosts, bool) {
        let named = self.listed.iter().find(|(pattern, _)| pattern.matches(host));
        named.map_or((self.others, false), |(_, rule)| (*rule, true))
    }

    /// The patterns under a rule.
    pub fn under(&self, rule: OtherHosts) -> impl Iterator<Item = &HostPattern> {
        self.listed.iter().filter(move |(_, own)| *own == rule).map(|(pattern, _)| pattern)
    }

    /// What happens to hosts that no list names.
    pub const fn others(&self) -> OtherHosts {
        self.others
    }
}

/// A place on a network that is not public, and that may be connected to all the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Private {
    place: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Net(Net),
    Host(HostPattern),
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place on a private network: write `10.0.0.0/8`, `10.1.2.3:8080`, `localhost:3000` or `*.internal.example`"
)]
pub struct BadPlace(String);

impl Private {
    /// Whether it lets a connection to this host, at this address and port, through.
    ///
    /// The metadata of a cloud and addresses of no or many receivers are only let through by an
    /// address of their own: whoever allows a range or a name rarely means them.
    pub fn allows(&self, host: &str, address: IpAddr, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        let address = embedded(address);
        match &self.place {
            Place::Net(net) => net.contains(address) && (net.is_single() || !is_special(address)),
            Place::Host(pattern) => pattern.matches(host) && !is_special(address),
        }
    }

    /// Whether it names the port, for this host or for an address of any.
    pub fn names_port(&self, host: &str, port: u16) -> bool {
        let meant = match &self.place {
            Place::Net(net) => host.parse().is_ok_and(|address| net.contains(embedded(address))),
            Place::Host(pattern) => pattern.matches(host),
        };
        meant && self.port == Some(port)
    }
}

fn is_special(address: IpAddr) -> bool {
    matches!(class(address), Some(Class::Metadata | Class::Unspecified | Class::Multicast))
}

impl FromStr for Private {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        if let Ok(net) = text.parse() {
            return Ok(Self { place: Place::Net(net), port: None });
        }
        let bad = || BadPlace(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let place = match bare.unwrap_or(host).parse() {
            Ok(net) => Place::Net(net),
            Err(()) => Place::Host(host.parse().map_err(|_| bad())?),
        };
        Ok(Self { place, port })
    }
}

impl TryFrom<String> for Private {
    type Error = BadPlace;
    fn try_from(text: String) -> Result<Self, BadPlace> {
        text.parse()
    }
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Net(net) => net.fmt(f)?,
            Place::Host(pattern) => pattern.fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_rule_wins_and_of_two_alike_the_stricter() {
        let rule = |text: &str, rule| (text.parse().unwrap(), rule);
        let rules = Rules::new(
            vec![
                rule("*.example.com", OtherHosts::Deny),
                rule("api.example.com", OtherHosts::Tunnel),
                rule("*.api.example.com", OtherHosts::Intercept),
                rule("twice.org", OtherHosts::Tunnel),
                rule("twice.org", OtherHosts::Deny),
                rule("twice.org", OtherHosts::Intercept),
            ],
            OtherHosts::Tunnel,
        );
        for (host, expected) in [
            ("www.example.com", (OtherHosts::Deny, true)),
            ("api.example.com", (OtherHosts::Tunnel, true)),
            ("v1.api.example.com", (OtherHosts::Intercept, true)),
            ("twice.org", (OtherHosts::Deny, true)),
            ("else.org", (OtherHosts::Tunnel, false)),
        ] {
            assert_eq!(rules.of(host), expected, "{host}");
        }
    }

    #[test]
    fn a_private_place_is_that_place_and_no_other() {
        let allows = |place: &str, host: &str, address: &str, port| {
            place.parse::<Private>().unwrap().allows(host, address.parse().unwrap(), port)
        };
        for (place, host, address, port, expected) in [
            ("10.0.0.0/8", "any.example", "10.1.2.3", 443, true),
            ("10.0.0.0/8", "any.example", "::ffff:10.1.2.3", 443, true),
            ("10.0.0.0/8", "any.example", "192.168.0.1", 443, false),
            ("10.1.2.3:8080", "x", "10.1.2.3", 8080, true),
            ("10.1.2.3:8080", "x", "10.1.2.3", 443, false),
            ("localhost:3000", "localhost", "127.0.0.1", 3000, true),
            ("localhost:3000", "other", "127.0.0.1", 3000, false),
            ("*.corp.example", "git.corp.example", "192.168.0.1", 443, true),
            ("*.corp.example", "git.corp.example", "169.254.169.254", 443, false),
            ("169.254.0.0/16", "x", "169.254.169.254", 80, false),
            ("169.254.169.254", "x", "169.254.169.254", 80, true),
            ("0.0.0.0/0", "x", "0.0.0.0", 80, false),
            ("[::1]:3000", "x", "::1", 3000, true),
        ] {
            assert_eq!(allows(place, host, address, port), expected, "{place} {host} {address}");
        }
        for text in ["", "10.0.0.0/99", "host:port", "a b", "host:70000"] {
            assert!(text.parse::<Private>().is_err(), "{text}");
        }
        let private: Private = "localhost:3000".parse().unwrap();
        assert!(private.names_port("localhost", 3000));
        assert!(!private.names_port("localhost", 3001) && !private.names_port("x", 3000));
    }
}
