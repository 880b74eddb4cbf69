//! Names of hosts, as they are compared, and patterns over them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// A text that names no host, or a pattern that could match anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no host: write `api.example.com` or `*.example.com`")]
pub struct BadHost(pub String);

/// A host's name as it is compared: lower case, without the dot at its end, an address without
/// brackets. None where it is no name of a host.
pub fn host_name(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return (bare.is_none() || address.is_ipv6()).then(|| address.to_string());
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let fits = name.len() <= 253
        && name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(plain));
    fits.then(|| name.to_ascii_lowercase())
}

/// One host, or all under a domain: `api.example.com`, `*.example.com`, `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    /// What follows the star, with its dot, or the whole name.
    name: String,
    any: bool,
}

impl HostPattern {
    /// Whether a host's name, as [`host_name`] gives it, is meant.
    pub fn matches(&self, host: &str) -> bool {
        if self.any {
            host.len() > self.name.len() && host.ends_with(&self.name)
        } else {
            host == self.name
        }
    }

    /// How much it says: a whole name before a pattern, a longer pattern before a shorter one.
    pub const fn weight(&self) -> (bool, usize) {
        (!self.any, self.name.len())
    }

    /// The name, where it means one host only.
    pub fn single(&self) -> Option<&str> {
        (!self.any).then_some(&self.name)
    }

    /// The name that all hosts meant have in common: the host's own, or the domain's.
    pub fn domain(&self) -> &str {
        self.name.trim_start_matches('.')
    }

    /// True for `*`, and for `*.com` and the like, which anyone can have a name under.
    pub fn is_wide(&self) -> bool {
        self.any && !self.name.get(1..).is_some_and(|rest| rest.contains('.'))
    }
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        if text == "*" {
            return Ok(Self { name: String::new(), any: true });
        }
        match text.strip_prefix("*.") {
            Some(rest) => {
                let rest = host_name(rest).filter(|rest| rest.parse::<IpAddr>().is_err());
                Ok(Self { name: format!(".{}", rest.ok_or_else(bad)?), any: true })
            }
            None => Ok(Self { name: host_name(text).ok_or_else(bad)?, any: false }),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = BadHost;
    fn try_from(text: String) -> Result<Self, BadHost> {
        text.parse()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.any { "*" } else { "" }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_in_one_form() {
        for (text, name) in [
            ("API.Example.com.", Some("api.example.com")),
            ("[::1]", Some("::1")),
            ("::ffff:1.2.3.4", Some("::ffff:1.2.3.4")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[127.0.0.1]", None),
            ("a..b", None),
            ("", None),
            (".", None),
            ("a b", None),
            ("a/b", None),
            ("user@host", None),
        ] {
            assert_eq!(host_name(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_pattern_means_names_below_its_domain_only() {
        let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
        assert!(pattern("*.example.com").matches("a.b.example.com"));
        assert!(!pattern("*.example.com").matches("example.com"));
        assert!(!pattern("*.example.com").matches("badexample.com"));
        assert!(pattern("Example.com").matches("example.com"));
        assert!(pattern("*").matches("anything"));
        assert!(pattern("a.b").weight() > pattern("*.long.example.com").weight());
        assert!(pattern("*").is_wide() && pattern("*.com").is_wide());
        assert!(!pattern("*.example.com").is_wide());
        for text in ["a*.com", "*.*.com", "*.", "**", "", "*.127.0.0.1"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
