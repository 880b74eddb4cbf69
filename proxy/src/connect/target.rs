//! Where a connection is to lead: a host and a port, read in one way.

use std::fmt;

use http::uri::Authority;
use iron_policy::connect::host_name;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host's name as it is compared (lower case, no dot at its end), or its address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Target {
    /// Reads `host[:port]`; none where it names no host. `port` stands for a missing one.
    ///
    /// What stands before an `@` is refused: it is for no proxy, and readers differ about it.
    pub fn read(authority: &Authority, port: Option<u16>) -> Option<Self> {
        if authority.as_str().contains('@') {
            return None;
        }
        let host = host_name(authority.host())?;
        let port = match authority.port() {
            Some(port) => port.as_str().parse().ok()?,
            // `host:` with nothing behind the colon is not what `port` finds missing.
            None if authority.as_str().ends_with(':') => return None,
            None => port?,
        };
        (port != 0).then_some(Self { host, port })
    }

    /// Whether a request says that it is for this host: its `Host`, or the authority of its address.
    ///
    /// A port that is not said is no contradiction: the connection has one.
    pub fn is_meant_by(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        Self::read(&authority, Some(self.port)).is_some_and(|other| other == *self)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_in_one_way() {
        for (text, read) in [
            ("API.example.com:443", Some("api.example.com:443")),
            ("api.example.com.:443", Some("api.example.com:443")),
            ("[::1]:443", Some("[::1]:443")),
            ("api.example.com", None),
            ("api.example.com:0", None),
            ("api.example.com:70000", None),
            ("user@api.example.com:443", None),
            ("a..b:443", None),
        ] {
            let target = text.parse().ok().and_then(|authority| Target::read(&authority, None));
            assert_eq!(target.map(|target| target.to_string()).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn a_request_means_the_host_that_it_names_and_no_other() {
        let target = Target { host: "api.example.com".to_owned(), port: 443 };
        for said in ["api.example.com", "API.EXAMPLE.COM:443", "api.example.com."] {
            assert!(target.is_meant_by(said), "{said}");
        }
        for said in ["", "example.com", "api.example.com:8443", "api.example.com@x", "a b"] {
            assert!(!target.is_meant_by(said), "{said}");
        }
    }
}
