//! Where a panel is reached: the names that it answers to, and the pages that it listens to.

use http::HeaderMap;
use http::uri::Authority;
use iron_policy::config::Panel as Settings;

/// Whether browsers reach it over TLS: its own, or that of a reverse proxy in front of it.
pub fn is_secure(settings: &Settings) -> bool {
    settings.tls.is_some() || settings.url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

/// Whether it answers to this name: `panel.example.org:8443`, with a port or without.
pub fn answers_to(settings: &Settings, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    is_loopback(name)
        || own_authority(settings).is_some_and(|own| own.host().eq_ignore_ascii_case(name))
        || settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
        // Whoever has it listen at one address reaches it there.
        || settings.listen.is_some_and(|own| !own.ip().is_unspecified() && is_address(name, own.ip()))
}

/// Whether a page of this origin may send something that was addressed to this host.
pub fn trusts_origin(settings: &Settings, origin: &str, host: &str) -> bool {
    let own = settings.url.as_deref().is_some_and(|url| url.eq_ignore_ascii_case(origin));
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    own || authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn own_authority(settings: &Settings) -> Option<Authority> {
    settings.url.as_deref()?.split_once("://")?.1.split('/').next()?.parse().ok()
}

fn is_address(name: &str, address: std::net::IpAddr) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse().is_ok_and(|named: std::net::IpAddr| named == address)
}

/// Whether a name is this machine's own.
pub fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The name that a request was sent to.
pub fn host_of(uri: &http::Uri, headers: &HeaderMap) -> Option<String> {
    // HTTP/2 has it in the address.
    let authority = uri.authority().map(|authority| authority.as_str().to_owned());
    authority.or_else(|| {
        let mut hosts = headers.get_all(http::header::HOST).iter();
        let host = hosts.next()?.to_str().ok()?.to_owned();
        hosts.next().is_none().then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_answers_to_its_own_names_alone() {
        let settings = Settings {
            url: Some("https://panel.example.org".to_owned()),
            hosts: vec!["panel.internal".to_owned()],
            ..Settings::default()
        };
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "Panel.example.org",
            "panel.example.org:8443",
            "panel.internal",
        ] {
            assert!(answers_to(&settings, own), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "panel.example.org.evil.example",
            "xpanel.example.org",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "10.0.0.1",
            "0.0.0.0",
            "127.0.0.1.evil.example",
        ] {
            assert!(!answers_to(&settings, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_page_is_trusted_that_the_panel_served() {
        let settings =
            Settings { url: Some("https://panel.example.org".to_owned()), ..Settings::default() };
        assert!(trusts_origin(&settings, "http://127.0.0.1:4000", "127.0.0.1:4000"));
        assert!(trusts_origin(&settings, "https://panel.example.org", "10.0.0.1:80"));
        for (origin, host) in [
            ("null", "127.0.0.1:4000"),
            ("http://127.0.0.1:4001", "127.0.0.1:4000"),
            ("http://localhost:4000", "127.0.0.1:4000"),
            ("http://panel.example.org", "127.0.0.1"),
            ("https://panel.example.org.evil.example", "127.0.0.1"),
            ("file://", ""),
        ] {
            assert!(!trusts_origin(&settings, origin, host), "{origin}");
        }
    }
}
