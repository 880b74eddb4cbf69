//! `[panel]`: where the control panel listens, under which names, and how long it keeps what.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use super::text::duration;
use crate::connect::host_name;

/// Where the panel listens unless it is said.
pub const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// `[panel]`
#[derive(Debug, Clone)]
pub struct Panel {
    /// Whether `iron up` has one.
    pub enabled: bool,
    /// Where it listens; none where the file does not say: [`LISTEN`], or a free port where that one
    /// is taken.
    pub listen: Option<SocketAddr>,
    /// Where people and proxies reach it, such as `https://panel.example.org`; none where that is the
    /// address it listens on.
    pub url: Option<String>,
    /// Host names under which it answers besides that of `url` and those of this machine.
    pub hosts: Vec<String>,
    /// Whether a reverse proxy stands before it, whose last entry in `X-Forwarded-For` says who
    /// calls. Where there is none, anybody could say so.
    pub behind_proxy: bool,
    /// The certificate chain and the key (PEM); none for plain HTTP.
    pub tls: Option<PanelTls>,
    /// Hosts in private networks that webhooks may be sent to.
    pub webhook_hosts: Vec<String>,
    /// How long single calls are kept.
    pub keep_calls: Duration,
    /// How long sums per minute are kept; those per hour ten times, those per day for ever.
    pub keep_minutes: Duration,
}

impl Default for Panel {
    fn default() -> Self {
        let Raw { keep_calls, keep_minutes, .. } = Raw::default();
        Self {
            enabled: true,
            listen: None,
            url: None,
            hosts: Vec::new(),
            behind_proxy: false,
            tls: None,
            webhook_hosts: Vec::new(),
            keep_calls,
            keep_minutes,
        }
    }
}

/// The files of the panel's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelTls {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    enabled: bool,
    listen: Option<SocketAddr>,
    url: Option<String>,
    hosts: Vec<String>,
    behind_proxy: bool,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    webhook_hosts: Vec<String>,
    #[serde(deserialize_with = "duration")]
    keep_calls: Duration,
    #[serde(deserialize_with = "duration")]
    keep_minutes: Duration,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: None,
            url: None,
            hosts: Vec::new(),
            behind_proxy: false,
            tls_certificate: None,
            tls_key: None,
            webhook_hosts: Vec::new(),
            keep_calls: Duration::from_hours(24 * 90),
            keep_minutes: Duration::from_hours(24 * 7),
        }
    }
}

pub(super) fn check(raw: Raw) -> Result<Panel, ConfigError> {
    let wrong = |message: String| ConfigError { line: None, message };
    let url = raw.url.map(|url| {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let place = rest.map(|rest| rest.trim_end_matches('/'));
        match place {
            Some(place) if !place.is_empty() && !place.contains(['/', '?', '#', '@', ' ']) => {
                Ok(url.trim_end_matches('/').to_owned())
            }
            _ => Err(wrong(format!(
                "panel.url `{url}` is no address of a panel: write https://HOST or https://HOST:PORT"
            ))),
        }
    });
    let names = |key: &'static str, names: Vec<String>| {
        let name = move |name: &String| {
            host_name(name).ok_or_else(|| {
                wrong(format!("panel.{key}: `{name}` is neither a host name nor an address"))
            })
        };
        names.iter().map(name).collect::<Result<Vec<_>, _>>()
    };
    let tls = match (raw.tls_certificate, raw.tls_key) {
        (Some(certificate), Some(key)) => Some(PanelTls { certificate, key }),
        (None, None) => None,
        _ => return Err(wrong("panel.tls_certificate and panel.tls_key come together".to_owned())),
    };
    let hour = Duration::from_hours(1);
    if raw.keep_calls < hour || raw.keep_minutes < hour {
        return Err(wrong(
            "panel.keep_calls and panel.keep_minutes are an hour at least".to_owned(),
        ));
    }
    Ok(Panel {
        enabled: raw.enabled,
        listen: raw.listen,
        url: url.transpose()?,
        hosts: names("hosts", raw.hosts)?,
        behind_proxy: raw.behind_proxy,
        tls,
        webhook_hosts: names("webhook_hosts", raw.webhook_hosts)?,
        keep_calls: raw.keep_calls,
        keep_minutes: raw.keep_minutes,
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Policy;

    #[test]
    fn a_panel_that_makes_no_sense_is_refused_with_its_key() {
        for (lines, said) in [
            ("url = 'panel.example.org'", "panel.url"),
            ("url = 'https://user@panel.example.org'", "panel.url"),
            ("hosts = ['a b']", "panel.hosts"),
            ("tls_key = 'key.pem'", "come together"),
            ("keep_calls = '5m'", "an hour at least"),
        ] {
            let error = Policy::parse(&format!("[panel]\n{lines}\n")).unwrap_err();
            assert!(error.to_string().contains(said), "{lines}: {error}");
        }
        let panel = Policy::parse("[panel]\nurl = 'https://panel.example.org/'").unwrap().panel;
        assert_eq!(panel.url.as_deref(), Some("https://panel.example.org"));
        assert!(panel.enabled && panel.listen.is_none());
    }
}
