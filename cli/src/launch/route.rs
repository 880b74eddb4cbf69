//! Where the proxy is, and as whom a program comes to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use iron_policy::config::Policy;
use iron_policy::types::{Dialect, Name};
use iron_proxy::authority::Folder;
use serde_json::Value;

use crate::secret;

/// A way to the proxy.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where it listens.
    pub address: SocketAddr,
    /// As which agent.
    pub agent: Option<Name>,
    /// In which run.
    pub run: Option<Name>,
    /// How many agents stand above the program.
    pub depth: u8,
    /// The upstreams.
    pub upstreams: Vec<UpstreamRoute>,
    /// The local CA's files, where there are any.
    pub ca: Option<CaFiles>,
    /// Variables in which programs expect secrets, and the placeholders to put there.
    pub secrets: Vec<(String, String)>,
    /// Whether it may reach providers alone.
    pub strict: bool,
}

/// One upstream, as far as clients are concerned.
#[derive(Debug, Clone)]
pub struct UpstreamRoute {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// The host of its own address, in lower case, without a port.
    pub host: String,
    /// Whether the proxy has a key for it.
    pub own_key: bool,
}

/// The local CA, for programs.
#[derive(Debug, Clone)]
pub struct CaFiles {
    /// The certificate alone.
    pub certificate: PathBuf,
    /// The system's roots and it.
    pub bundle: PathBuf,
}

/// What an address that a user set belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// An upstream, by name.
    Upstream(String),
    /// The proxy, without an upstream's name.
    Proxy,
    /// Nothing that the proxy knows.
    No,
}

impl Route {
    /// The way to a proxy for whoever comes, by what it says of itself.
    pub fn to(policy: &Policy, address: SocketAddr, status: &Value) -> Self {
        let own_key = |name: &str| {
            let mut all = status["upstreams"].as_array().into_iter().flatten();
            all.any(|told| told["name"] == name && told["own_key"] == true)
        };
        // A proxy that says nothing of connections makes none for programs.
        let tunnels = !status["connections"].is_null();
        let state = status["state"].as_str().filter(|_| tunnels);
        let folder = state.map(|state| Folder::beside(Path::new(state)));
        let ca = folder
            .map(|folder| CaFiles { certificate: folder.certificate(), bundle: folder.bundle() });
        Self {
            address,
            agent: None,
            run: None,
            depth: 0,
            upstreams: upstreams(policy, own_key),
            ca: ca.filter(|ca| ca.certificate.exists() && ca.bundle.exists()),
            secrets: secret::placeholders(status),
            strict: false,
        }
    }

    /// The address of the proxy with what says who comes, without a slash at its end.
    pub fn base(&self) -> String {
        use std::fmt::Write as _;
        let mut base = self.proxy();
        if let Some(agent) = &self.agent {
            let _ = write!(base, "/agent/{agent}");
        }
        if let Some(run) = &self.run {
            let _ = write!(base, "/run/{run}");
        }
        if self.depth > 0 {
            let _ = write!(base, "/depth/{}", self.depth);
        }
        base
    }

    /// `http://127.0.0.1:4141`
    pub fn proxy(&self) -> String {
        format!("http://{}", reachable(self.address))
    }

    /// The same with what says who comes, for programs that speak to it as an HTTP proxy.
    pub fn proxy_with_credentials(&self) -> String {
        let mut options = Vec::new();
        if let Some(run) = &self.run {
            options.push(format!("run%3D{run}"));
        }
        if self.depth > 0 {
            options.push(format!("depth%3D{}", self.depth));
        }
        if self.strict {
            options.push("strict".to_owned());
        }
        let agent = self.agent.as_ref().map_or("default", Name::as_str);
        format!("http://{agent}:{}@{}", options.join("%3B"), reachable(self.address))
    }

    /// The upstream that a client of this dialect comes to.
    pub fn default_upstream(&self, dialect: Dialect) -> Option<&UpstreamRoute> {
        self.upstreams.iter().find(|upstream| upstream.dialect == dialect)
    }

    /// What a base URL that is already set belongs to.
    pub fn recognise(&self, url: &str) -> Known {
        let Some((authority, path)) = parts(url) else { return Known::No };
        if self.is_here(&authority) {
            let mut parts = path.split('/').peekable();
            while parts.next_if(|part| matches!(*part, "agent" | "run" | "depth")).is_some() {
                parts.next();
            }
            let first = parts.next().unwrap_or_default();
            let named = self.upstreams.iter().find(|upstream| upstream.name == first);
            return named.map_or(Known::Proxy, |upstream| Known::Upstream(upstream.name.clone()));
        }
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        let named = self.upstreams.iter().find(|upstream| upstream.host == host);
        named.map_or(Known::No, |upstream| Known::Upstream(upstream.name.clone()))
    }

    /// Whether a URL leads to the proxy itself.
    pub fn leads_here(&self, url: &str) -> bool {
        parts(url).is_some_and(|(authority, _)| self.is_here(&authority))
    }

    fn is_here(&self, authority: &str) -> bool {
        let here = reachable(self.address);
        authority == here.to_string() || authority == format!("localhost:{}", here.port())
    }
}

/// The host with its port, and the path, of a URL.
fn parts(url: &str) -> Option<(String, &str)> {
    let (_, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    Some((authority.to_ascii_lowercase(), path))
}

/// The upstreams of a policy; `own_key` says for which the proxy has a key.
pub fn upstreams(policy: &Policy, own_key: impl Fn(&str) -> bool) -> Vec<UpstreamRoute> {
    let routes = policy.upstreams.iter().map(|upstream| UpstreamRoute {
        name: upstream.name.to_string(),
        dialect: upstream.dialect,
        host: host(&upstream.base_url),
        own_key: own_key(upstream.name.as_str()),
    });
    routes.collect()
}

/// The host of an address, in lower case.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_ascii_lowercase()
}

/// An address that a program on this machine can connect to.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A route to a proxy with two upstreams of OpenAI's dialect and a key for the first.
    pub(in crate::launch) fn route() -> Route {
        let policy = Policy::parse(
            "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"https://api.openai.com\"\n\
             [[upstream]]\nname = \"anthropic\"\ndialect = \"anthropic\"\nbase_url = \"https://api.anthropic.com\"\n\
             [[upstream]]\nname = \"gemini\"\ndialect = \"gemini\"\nbase_url = \"https://generativelanguage.googleapis.com\"\n\
             [[upstream]]\nname = \"groq\"\ndialect = \"openai\"\nbase_url = \"https://api.groq.com/openai\"\n",
        )
        .unwrap();
        Route {
            address: "127.0.0.1:4141".parse().unwrap(),
            agent: Some("claude".parse().unwrap()),
            run: Some("run-1".parse().unwrap()),
            depth: 0,
            upstreams: upstreams(&policy, |name| name == "openai"),
            ca: None,
            secrets: Vec::new(),
            strict: false,
        }
    }

    #[test]
    fn the_base_says_who_comes() {
        let mut route = route();
        assert_eq!(route.base(), "http://127.0.0.1:4141/agent/claude/run/run-1");
        route.depth = 2;
        route.agent = None;
        route.address = "0.0.0.0:4141".parse().unwrap();
        assert_eq!(route.base(), "http://127.0.0.1:4141/run/run-1/depth/2");
        route.strict = true;
        assert_eq!(
            route.proxy_with_credentials(),
            "http://default:run%3Drun-1%3Bdepth%3D2%3Bstrict@127.0.0.1:4141"
        );
    }

    #[test]
    fn an_address_of_the_users_is_known_by_its_host() {
        let route = route();
        let known = |url: &str| route.recognise(url);
        let upstream = |name: &str| Known::Upstream(name.to_owned());
        assert_eq!(known("https://API.groq.com/openai/v1"), upstream("groq"));
        assert_eq!(known("http://localhost:4141/v1"), Known::Proxy);
        assert_eq!(known("http://127.0.0.1:4141/agent/a/groq/v1"), upstream("groq"));
        assert_eq!(known("http://127.0.0.1:4142/v1"), Known::No);
        assert_eq!(known("https://api.deepseek.com"), Known::No);
        assert_eq!(known("nonsense"), Known::No);
    }
}
