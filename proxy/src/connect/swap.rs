//! Secrets that agents do not have: a placeholder comes in, the value goes out, to its hosts alone.
//!
//! Only in header values, and only over TLS: a body or a query may be stored, shown or logged at the
//! other end, and plain HTTP is read on the way. Anywhere else the placeholder stays what it is,
//! which is worth nothing.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use iron_policy::config::{Secret, SecretSource};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::refused::Refused;

/// The secrets of a policy, with their values.
#[derive(Debug, Default)]
pub struct Swaps(Vec<Swap>);

/// One secret.
pub struct Swap {
    /// What the operator wrote.
    pub config: Secret,
    /// What the agent has in its place.
    pub placeholder: String,
    value: Option<Zeroizing<String>>,
}

/// A value that no header can carry.
#[derive(Debug, thiserror::Error)]
#[error("[[secret]] `{0}`: its value holds characters that no header can carry")]
pub struct BadSecret(String);

impl fmt::Debug for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swap").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// The placeholder of a secret of this name. The same as long as the key is: agents keep it.
pub fn placeholder(key: &[u8], name: &str) -> String {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&Sha256::digest(key));
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(b"iron secret ");
    mac.update(name.as_bytes());
    let hash = mac.finalize().into_bytes();
    let mut text = format!("iron-secret-{name}-");
    for byte in &hash[..10] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Swaps {
    /// Takes the values; `key` keys the placeholders.
    pub fn new(
        secrets: &[Secret],
        value_of: impl Fn(&Secret) -> Option<Zeroizing<String>>,
        key: &[u8],
    ) -> Result<Self, BadSecret> {
        secrets
            .iter()
            .map(|config| {
                let value = value_of(config)
                    .map(|value| Zeroizing::new(value.trim().to_owned()))
                    .filter(|value| !value.is_empty());
                if value.as_ref().is_some_and(|value| HeaderValue::from_str(value).is_err()) {
                    return Err(BadSecret(config.name.to_string()));
                }
                let placeholder = placeholder(key, config.name.as_str());
                Ok(Swap { config: config.clone(), placeholder, value })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Swap> {
        self.0.iter()
    }

    /// Puts values in the place of placeholders in a request to this host. Says which were used.
    pub fn put_in(&self, host: &str, headers: &mut HeaderMap) -> Result<Vec<&Swap>, Refused> {
        let meant = |swap: &&Swap| swap.config.hosts.iter().any(|pattern| pattern.matches(host));
        let mut used = Vec::new();
        for swap in self.0.iter().filter(meant) {
            for (name, header) in headers.iter_mut() {
                let listed = &swap.config.headers;
                if !listed.is_empty() && !listed.iter().any(|own| own == name.as_str()) {
                    continue;
                }
                let Some(found) = swap.replaced(header.as_bytes())? else { continue };
                if let Ok(mut value) = HeaderValue::from_bytes(&found) {
                    value.set_sensitive(true);
                    *header = value;
                    used.push(swap);
                }
            }
        }
        used.dedup_by(|a, b| std::ptr::eq(*a, *b));
        Ok(used)
    }
}

impl Swap {
    /// Whether it has a value.
    pub const fn is_set(&self) -> bool {
        self.value.is_some()
    }

    /// The value, where it is long enough not to stand in a text by chance.
    pub(super) fn telling_value(&self) -> Option<&Zeroizing<String>> {
        self.value.as_ref().filter(|value| value.len() >= 8)
    }

    /// A header's value with ours in the placeholder's place; none where it is not in it.
    fn replaced(&self, header: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        if let Some(found) = self.within(header)? {
            return Ok(Some(found));
        }
        // `Basic base64(user:password)`: either may be the placeholder.
        let Some((scheme, encoded)) = header.split_at_checked(6) else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return Ok(None);
        }
        let Ok(plain) = STANDARD.decode(encoded.trim_ascii()) else { return Ok(None) };
        let found = self.within(&plain)?;
        Ok(found.map(|plain| Zeroizing::new(format!("Basic {}", STANDARD.encode(&*plain)).into())))
    }

    fn within(&self, bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        if memchr::memmem::find(bytes, self.placeholder.as_bytes()).is_none() {
            return Ok(None);
        }
        let value = self.value.as_ref().ok_or_else(|| Refused::NoSecret {
            name: self.config.name.to_string(),
            missing: match &self.config.source {
                SecretSource::Variable(name) => format!("set {name}"),
                SecretSource::File(path) => format!("put it into {}", path.display()),
            },
        })?;
        let replaced = replace(bytes, self.placeholder.as_bytes(), value.as_bytes());
        Ok(Some(Zeroizing::new(replaced.into_owned())))
    }
}

/// `with` in the place of every `what`.
pub(super) fn replace<'b>(bytes: &'b [u8], what: &[u8], with: &[u8]) -> Cow<'b, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut rest = 0;
    for at in memchr::memmem::find_iter(bytes, what) {
        let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len() + with.len()));
        out.extend_from_slice(&bytes[rest..at]);
        out.extend_from_slice(with);
        rest = at + what.len();
    }
    match out {
        None => Cow::Borrowed(bytes),
        Some(mut out) => {
            out.extend_from_slice(&bytes[rest..]);
            Cow::Owned(out)
        }
    }
}

/// Takes values out of a text that comes in pieces, and puts their placeholders back.
pub(crate) struct Hider {
    pairs: Vec<(Zeroizing<String>, String)>,
    held: Vec<u8>,
}

impl Hider {
    /// For the answer to a request in which these were used; none where nothing is to be hidden.
    pub(crate) fn new(used: &[&Swap]) -> Option<Self> {
        let pairs: Vec<_> = used
            .iter()
            .filter_map(|swap| Some((swap.telling_value()?.clone(), swap.placeholder.clone())))
            .collect();
        (!pairs.is_empty()).then_some(Self { pairs, held: Vec::new() })
    }

    /// The headers of the answer.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        for header in headers.values_mut() {
            let hidden = self.whole(header.as_bytes());
            if let Cow::Owned(hidden) = hidden
                && let Ok(value) = HeaderValue::from_bytes(&hidden)
            {
                *header = value;
            }
        }
    }

    /// A text that is all there.
    pub(crate) fn whole<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut text = Cow::Borrowed(bytes);
        for (value, placeholder) in &self.pairs {
            if let Cow::Owned(hidden) = replace(&text, value.as_bytes(), placeholder.as_bytes()) {
                text = Cow::Owned(hidden);
            }
        }
        text
    }

    /// The next piece: what of it, and of those before, can be passed on.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let text = self.whole(&self.held).into_owned();
        // The longest end that may be the beginning of a value is kept for the next piece.
        let begins = |keep: &usize| {
            let end = &text[text.len() - keep..];
            self.pairs.iter().any(|(value, _)| value.as_bytes().starts_with(end))
        };
        let longest = self.pairs.iter().map(|(value, _)| value.len()).max().unwrap_or_default();
        let keep = (1..longest.min(text.len() + 1)).rev().find(begins).unwrap_or_default();
        let mut out = text;
        self.held = out.split_off(out.len() - keep);
        out
    }

    /// What is still held: the text is over.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

impl fmt::Debug for Hider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hider(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "ghp_theRealValue0123456789";

    fn swaps(value: Option<&str>, headers: &[&str]) -> Swaps {
        let secret = Secret {
            name: "github".parse().unwrap(),
            source: SecretSource::Variable("GITHUB_TOKEN".to_owned()),
            agent_env: None,
            hosts: vec!["api.github.com".parse().unwrap()],
            headers: headers.iter().map(|name| (*name).to_owned()).collect(),
        };
        Swaps::new(&[secret], |_| value.map(|value| Zeroizing::new(value.to_owned())), b"key")
            .unwrap()
    }

    fn sent(swaps: &Swaps, host: &str, name: &'static str, value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        swaps.put_in(host, &mut headers).unwrap();
        headers[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn the_value_goes_into_headers_of_its_hosts_alone() {
        let all = swaps(Some(VALUE), &[]);
        let placeholder = &all.0[0].placeholder;
        assert!(placeholder.starts_with("iron-secret-github-"), "{placeholder}");
        let bearer = format!("Bearer {placeholder}");
        assert_eq!(
            sent(&all, "api.github.com", "authorization", &bearer),
            format!("Bearer {VALUE}")
        );
        assert_eq!(sent(&all, "api.github.com", "x-api-key", placeholder), VALUE);
        assert_eq!(sent(&all, "evil.example", "authorization", &bearer), bearer);
        assert_eq!(sent(&all, "evil.api.github.com", "authorization", &bearer), bearer);
        let basic = |user: &str| format!("Basic {}", STANDARD.encode(user));
        let with = basic(&format!("user:{placeholder}"));
        let expected = basic(&format!("user:{VALUE}"));
        assert_eq!(sent(&all, "api.github.com", "authorization", &with), expected);
        assert_eq!(sent(&all, "api.github.com", "authorization", "Basic *"), "Basic *");
        let one = swaps(Some(VALUE), &["authorization"]);
        assert_eq!(sent(&one, "api.github.com", "x-api-key", placeholder), *placeholder);
        assert_eq!(sent(&one, "api.github.com", "authorization", placeholder), VALUE);
    }

    #[test]
    fn a_secret_without_a_value_says_so_where_it_is_used() {
        let none = swaps(Some("  "), &[]);
        let mut headers = HeaderMap::new();
        headers.insert("accept", "*/*".parse().unwrap());
        assert!(none.put_in("api.github.com", &mut headers).unwrap().is_empty());
        headers.insert("authorization", none.0[0].placeholder.parse().unwrap());
        let refused = none.put_in("api.github.com", &mut headers).unwrap_err();
        assert!(refused.to_string().contains("set GITHUB_TOKEN"), "{refused}");
    }

    #[test]
    fn a_placeholder_is_keyed_and_a_value_is_never_shown() {
        assert_eq!(placeholder(b"key", "a"), placeholder(b"key", "a"));
        assert_ne!(placeholder(b"key", "a"), placeholder(b"other", "a"));
        let bad = swaps(None, &[]);
        assert!(!format!("{:?}", swaps(Some(VALUE), &[])).contains(VALUE));
        let config = [bad.0[0].config.clone()];
        let error = Swaps::new(&config, |_| Some(Zeroizing::new("a\nb".to_owned())), b"key");
        assert!(error.unwrap_err().to_string().contains("github"));
    }

    #[test]
    fn an_echo_is_hidden_wherever_it_is_cut() {
        let all = swaps(Some(VALUE), &[]);
        let used: Vec<_> = all.iter().collect();
        let text = format!("you sent {VALUE}, {VALUE}{VALUE} and ghp_the other");
        let expected = text.replace(VALUE, &all.0[0].placeholder);
        for size in 1..text.len() {
            let mut hider = Hider::new(&used).unwrap();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend(hider.push(piece));
            }
            out.extend(hider.finish());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}");
        }
        assert!(Hider::new(&[]).is_none());
    }
}
