//! Dialling on behalf of agents: names are resolved here, every address is checked, and the one
//! that was checked is the one that is connected to.
//!
//! An agent may ask for any host, and whoever owns a name decides what it leads to, anew with every
//! question. So a name is never resolved twice, and what it leads to counts, not what it is called.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use iron_policy::config::Connect;
use iron_policy::connect::{Class, class, embedded};
use tokio::net::TcpStream;

use super::target::Target;
use crate::upstream::Tls;

/// What the proxy knows of the network that it dials in.
#[derive(Clone, Debug)]
pub struct Network {
    /// What peers' certificates are checked against.
    pub tls: Tls,
    /// What turns names into addresses.
    pub names: Names,
    /// Where the proxy itself listens.
    pub own: Own,
}

/// The addresses of a name.
pub type Resolve = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

/// What turns names into addresses.
#[derive(Clone, Default)]
pub enum Names {
    /// The system's resolver.
    #[default]
    System,
    /// Something else: for tests.
    Given(Resolve),
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Given(_) => "Given",
        })
    }
}

/// Where the proxy itself listens, once it does. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Own(Arc<ArcSwapOption<SocketAddr>>);

impl Own {
    /// The port is taken.
    pub fn listens(&self, address: SocketAddr) {
        self.0.store(Some(Arc::new(address)));
    }

    /// Whether a connection to this address comes back to the proxy.
    pub fn is(&self, address: SocketAddr) -> bool {
        let Some(own) = self.0.load_full() else { return false };
        let (own_ip, ip) = (embedded(own.ip()), embedded(address.ip()));
        // On some systems the unspecified address leads to the machine itself.
        own.port() == address.port()
            && (own_ip == ip
                || (ip.is_unspecified() && (own_ip.is_loopback() || own_ip.is_unspecified()))
                || (own_ip.is_unspecified() && is_of_this_machine(ip)))
    }

    /// Whether a target is the proxy by what it is called: no name is resolved for it.
    pub fn is_called(&self, target: &Target) -> bool {
        let address = match target.host.parse() {
            Ok(address) => Some(address),
            Err(_) if target.host == "localhost" => self.0.load().as_ref().map(|own| own.ip()),
            Err(_) => None,
        };
        address.is_some_and(|ip| self.is(SocketAddr::new(ip, target.port)))
    }
}

/// Only an address of the machine can be bound.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Why nothing was connected to.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The policy does not let agents connect to the port.
    #[error("port {0} is not in connect.ports")]
    Port(u16),
    /// The name leads nowhere.
    #[error("the name cannot be resolved: {0}")]
    Unresolved(io::Error),
    /// The host is on a network that the policy keeps agents from.
    #[error("it leads to {address}, a {} address", class.name())]
    Forbidden {
        /// Where it leads.
        address: IpAddr,
        /// What that is.
        class: Class,
    },
    /// It is the proxy itself.
    #[error("it leads to this proxy itself")]
    Own,
    /// Nobody took the connection.
    #[error("no connection: {0}")]
    Unreachable(io::Error),
    /// It took too long.
    #[error("connecting took longer than {0:?}")]
    Late(Duration),
}

impl DialError {
    /// The same, for whoever got it by reference.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Port(port) => Self::Port(*port),
            Self::Unresolved(error) => Self::Unresolved(io::Error::other(error.to_string())),
            Self::Forbidden { address, class } => {
                Self::Forbidden { address: *address, class: *class }
            }
            Self::Own => Self::Own,
            Self::Unreachable(error) => Self::Unreachable(io::Error::other(error.to_string())),
            Self::Late(limit) => Self::Late(*limit),
        }
    }
}

impl Network {
    /// A network that is reached with this trust, and the system's names.
    pub fn new(tls: Tls) -> Self {
        Self { tls, names: Names::default(), own: Own::default() }
    }

    /// Connects to a target for an agent, at an address that the policy lets it reach.
    pub async fn dial(&self, policy: &Connect, target: &Target) -> Result<TcpStream, DialError> {
        if !policy.allows_port(&target.host, target.port) {
            return Err(DialError::Port(target.port));
        }
        let limit = policy.connect_timeout;
        tokio::time::timeout(limit, self.connect(policy, target))
            .await
            .unwrap_or(Err(DialError::Late(limit)))
    }

    async fn connect(&self, policy: &Connect, target: &Target) -> Result<TcpStream, DialError> {
        let mut last = DialError::Unresolved(io::Error::other("no addresses"));
        for ip in self.resolve(&target.host).await.map_err(DialError::Unresolved)? {
            let address = SocketAddr::new(ip, target.port);
            if self.own.is(address) {
                return Err(DialError::Own);
            }
            if let Some(class) = class(ip) {
                let allows = |private: &iron_policy::connect::Private| {
                    private.allows(&target.host, ip, target.port)
                };
                if !policy.private.iter().any(allows) {
                    last = DialError::Forbidden { address: ip, class };
                    continue;
                }
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it a small write waits for the peer's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = DialError::Unreachable(error),
            }
        }
        Err(last)
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        match &self.names {
            Names::System => {
                Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
            }
            Names::Given(names) => Ok(names(host)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_knows_itself_in_every_spelling() {
        let own = Own::default();
        let is = |own: &Own, text: &str| own.is(text.parse().unwrap());
        assert!(!is(&own, "127.0.0.1:4141"));
        own.listens("127.0.0.1:4141".parse().unwrap());
        for text in ["127.0.0.1:4141", "[::ffff:127.0.0.1]:4141", "0.0.0.0:4141"] {
            assert!(is(&own, text), "{text}");
        }
        for text in ["127.0.0.1:4142", "127.0.0.2:4141", "10.0.0.1:4141"] {
            assert!(!is(&own, text), "{text}");
        }
        let called = |host: &str, port| own.is_called(&Target { host: host.to_owned(), port });
        assert!(called("localhost", 4141) && called("127.0.0.1", 4141));
        assert!(!called("localhost", 80) && !called("example.com", 4141));
        let own = Own::default();
        own.listens("0.0.0.0:4141".parse().unwrap());
        assert!(is(&own, "127.0.0.1:4141") && is(&own, "127.1.2.3:4141"));
        assert!(!is(&own, "192.0.2.1:4141"));
    }
}
