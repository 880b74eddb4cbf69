//! A provider's key: usable as a header, never shown.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use iron_policy::types::Dialect;

/// The operator's key for an upstream.
pub struct ProviderKey {
    header: http::HeaderName,
    value: HeaderValue,
}

/// A key that cannot be a header's value.
#[derive(Debug, thiserror::Error)]
#[error("the provider key holds characters that no header can carry")]
pub struct BadKey;

impl ProviderKey {
    /// Takes a key as the provider of this dialect gave it out.
    pub fn new(dialect: Dialect, key: &str) -> Result<Self, BadKey> {
        let (header, text) = match dialect {
            Dialect::OpenAi => (header::AUTHORIZATION, format!("Bearer {}", key.trim())),
            Dialect::Anthropic => {
                (http::HeaderName::from_static("x-api-key"), key.trim().to_owned())
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| BadKey)?;
        value.set_sensitive(true);
        Ok(Self { header, value })
    }

    /// Puts the key in the place of whatever credential the caller sent.
    pub fn replace(&self, headers: &mut HeaderMap) {
        strip_credentials(headers);
        headers.insert(self.header.clone(), self.value.clone());
    }
}

/// Takes off everything that a caller can authenticate itself with.
pub fn strip_credentials(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove("x-api-key");
    headers.remove("api-key");
    headers.remove("x-goog-api-key");
    headers.remove(header::COOKIE);
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(****)")
    }
}
