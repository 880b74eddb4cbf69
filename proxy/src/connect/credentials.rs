//! Who connects through the proxy: `Proxy-Authorization: Basic NAME:OPTIONS`.
//!
//! So `HTTPS_PROXY=http://NAME:run%3DID@127.0.0.1:4141` says what the prefixes of a path say. It is
//! no secret and proves nothing, like those; but an agent's token may stand among the options
//! (`http://NAME:iron_...@`), and says who connects whatever the name is. Options only tighten. Never
//! sent on.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use iron_policy::token::{self, Claims};
use iron_policy::types::Name;

use zeroize::Zeroizing;

use crate::dialect::Address;
use crate::pinned::{Claimed, Pinned};

/// What a client says of itself to its proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The agent.
    pub agent: Option<Name>,
    /// Its run.
    pub run: Option<Name>,
    /// How many agents stand above it.
    pub depth: Option<u8>,
    /// Whether hosts that no list of the policy names are denied to it.
    pub strict: bool,
    /// What its token says, once that was verified.
    pub claims: Option<Arc<Claims>>,
    /// Whose the connection is, where that was known before anything was said.
    pub pinned: Option<Arc<Pinned>>,
}

/// What stands in a request: [`Credentials`], and the token that is still to be verified.
pub(super) type Said = (Credentials, Option<Zeroizing<String>>);

/// Credentials that say nothing we understand. Shows none of them: they may be meant for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the proxy's user name is the agent's name, and its password holds options, `run=ID;depth=N;strict` or a token: correct HTTPS_PROXY"
)]
pub struct BadCredentials;

impl Credentials {
    /// Reads them from a request; the default where there are none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Said, BadCredentials> {
        let Some(value) = headers.get(header::PROXY_AUTHORIZATION) else {
            return Ok(Said::default());
        };
        let text = value.to_str().ok().and_then(|text| text.split_once(' '));
        let (_, encoded) = text
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .ok_or(BadCredentials)?;
        let plain = STANDARD.decode(encoded.trim()).map_err(|_| BadCredentials)?;
        let plain = Zeroizing::new(String::from_utf8(plain).map_err(|_| BadCredentials)?);
        let (name, options) = plain.split_once(':').unwrap_or((&plain, ""));
        Self::read(name, options).ok_or(BadCredentials)
    }

    /// The same as a path's prefixes would say it.
    pub(crate) fn address(&self) -> Address<'static> {
        Address {
            agent: self.agent.clone(),
            run: self.run.clone(),
            depth: self.depth,
            upstream: None,
            path: "/",
        }
    }

    /// Makes them what is known of the connection. Refuses those that say something else; a token
    /// among them is looked at before.
    pub(super) fn pin(&mut self, pinned: &Arc<Pinned>) -> Result<(), Claimed> {
        pinned.allows(
            self.agent.as_ref(),
            self.run.as_ref(),
            "the proxy's user name (HTTPS_PROXY)",
        )?;
        pinned.allows_token(self.claims.as_deref())?;
        self.agent = Some(pinned.agent.clone());
        self.run = Some(pinned.run.clone());
        self.depth = pinned.depth(self.depth);
        // A sandbox has providers, and no way around it but what the policy names.
        self.strict = true;
        self.pinned = Some(Arc::clone(pinned));
        Ok(())
    }

    fn read(name: &str, options: &str) -> Option<Said> {
        // Some clients send what stands in the proxy's address without decoding it.
        let (name, options) = (decoded(name)?, Zeroizing::new(decoded(options)?));
        let (mut read, mut own) = Said::default();
        if !name.is_empty() {
            read.agent = Some(name.parse().ok()?);
        }
        for option in options.split(';').map(str::trim).filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("run", run)) if read.run.is_none() => read.run = Some(run.parse().ok()?),
                Some(("depth", depth)) if read.depth.is_none() => {
                    read.depth = Some(depth.parse().ok()?);
                }
                None if option == "strict" => read.strict = true,
                None if option.starts_with(token::PREFIX) && own.is_none() => {
                    own = Some(Zeroizing::new(option.to_owned()));
                }
                _ => return None,
            }
        }
        Some((read, own))
    }
}

/// Undoes percent-encoding; neither names nor options hold a `%` of their own.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(plain: &str) -> Result<Credentials, BadCredentials> {
        said(plain).map(|(read, _)| read)
    }

    fn said(plain: &str) -> Result<Said, BadCredentials> {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(plain));
        headers.insert(header::PROXY_AUTHORIZATION, value.parse().unwrap());
        Credentials::of(&headers)
    }

    #[test]
    fn a_name_and_options_are_read_and_anything_else_is_refused() {
        let read = of("nightly:run=r-1;depth=2;strict").unwrap();
        assert_eq!(read.agent.as_ref().map(Name::as_str), Some("nightly"));
        assert_eq!(read.run.as_ref().map(Name::as_str), Some("r-1"));
        assert_eq!((read.depth, read.strict), (Some(2), true));
        assert_eq!(of("nightly:run%3Dr-1%3Bdepth%3D2%3Bstrict").unwrap(), read);
        assert_eq!(of("a:").unwrap(), of("a").unwrap());
        assert_eq!(of(":").unwrap(), Credentials::default());
        for plain in [
            "a:hunter2",
            "a:run",
            "a:run=",
            "a:strict=no",
            "a b:",
            "a:depth=256",
            "a:%zz",
            "a:run=1;run=2",
        ] {
            assert_eq!(of(plain), Err(BadCredentials), "{plain}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(Credentials::of(&headers), Ok(Said::default()));
        let (read, own) = said("a:strict;iron_ey.a-b_c.d").unwrap();
        assert!(read.strict);
        assert_eq!(own.as_ref().map(|own| own.as_str()), Some("iron_ey.a-b_c.d"));
        assert_eq!(said("a:iron_x;iron_y"), Err(BadCredentials));
        for value in ["Bearer x", "Basic", "Basic *", "Basic /w=="] {
            headers.insert(header::PROXY_AUTHORIZATION, value.parse().unwrap());
            assert_eq!(Credentials::of(&headers), Err(BadCredentials), "{value}");
        }
    }
}
