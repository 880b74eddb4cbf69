//! A call on an intercepted connection: what its host and path stand for.
//!
//! The agent called the provider by the provider's own name; here that becomes the address of an
//! upstream, as if the agent had written `/agent/NAME/run/ID/depth/N/UPSTREAM/...` to the proxy.
//!
//! The check against web pages is another one than on the port itself. There, any page can make a
//! browser on this machine send a request, because the address is the machine's own. Here nobody
//! comes by chance: scripts cannot send `CONNECT`, so the browser itself was told to use this proxy
//! and to trust its CA, and its user's own pages of the provider are to work. What remains is a page
//! of a stranger in such a browser, which could spend what the operator's key pays for; so requests
//! of foreign pages pass only with a key that the page has itself.

use std::sync::Arc;

use http::header;
use http::request::Parts;

use super::Stopped;
use super::identify::is_local;
use crate::connect::Passage;
use crate::dialect::{self, Address, BadPath};
use crate::live::Live;
use crate::upstream::Upstream;

/// The address that a call on an intercepted connection has, and the upstream that it names;
/// `path` is that of the request.
pub(super) fn address<'a>(
    live: &Live,
    passage: &Passage,
    head: &Parts,
    path: &'a str,
) -> Result<(Address<'a>, Arc<Upstream>), Stopped> {
    passage.agrees(head)?;
    if dialect::is_ambiguous(path) {
        return Err(BadPath::Ambiguous.into());
    }
    let wanted = |path: &str| dialect::dialect_of(path, head.uri.query(), &head.headers);
    let found = live.upstream_at(&passage.target, path, wanted);
    let (upstream, path) = found.ok_or_else(|| Stopped::UnpricedEndpoint {
        method: head.method.to_string(),
        path: path.chars().take(80).collect(),
    })?;
    if upstream.key().is_some() && is_foreign(head, &passage.target.host) {
        return Err(Stopped::ForeignPage);
    }
    let address = Address { upstream: None, path, ..passage.credentials.address() };
    Ok((address, upstream))
}

/// Whether a page that is neither the host's own nor this machine's sent the request.
fn is_foreign(head: &Parts, host: &str) -> bool {
    let foreign = head.headers.get_all(header::ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        // Programs that are built of web pages name schemes of their own.
        let Some((_, named)) = origin.split_once("://") else { return true };
        let is_web = origin.starts_with("http://") || origin.starts_with("https://");
        let same = named.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(host));
        is_web && !same && !is_local(named)
    });
    foreign || head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_strangers_are_told_from_the_hosts_own_and_from_programs() {
        let of = |name: &'static str, value: &str| {
            let request = http::Request::builder().header(name, value).body(()).unwrap();
            is_foreign(&request.into_parts().0, "api.openai.com")
        };
        for (origin, foreign) in [
            ("https://evil.example", true),
            ("https://api.openai.com.evil.example", true),
            ("null", true),
            ("https://api.openai.com", false),
            ("http://localhost:3000", false),
            ("vscode-file://vscode-app", false),
        ] {
            assert_eq!(of("origin", origin), foreign, "{origin}");
        }
        assert!(of("sec-fetch-site", "cross-site"));
        assert!(!of("sec-fetch-site", "same-origin") && !of("accept", "*/*"));
    }
}
