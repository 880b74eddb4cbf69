//! A provider's key: usable as a header, never shown.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use iron_policy::types::{Dialect, Platform};

/// The header of Google's keys.
pub const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The operator's key for an upstream.
pub struct ProviderKey {
    header: HeaderName,
    value: HeaderValue,
    /// The same for paths that speak OpenAI's dialect.
    bearer: HeaderValue,
}

/// A key that cannot be a header's value.
#[derive(Debug, thiserror::Error)]
#[error("the provider key holds characters that no header can carry")]
pub struct BadKey;

impl ProviderKey {
    /// Takes a key as the provider of this dialect, on this platform, gave it out.
    pub fn new(dialect: Dialect, platform: Option<Platform>, key: &str) -> Result<Self, BadKey> {
        let key = key.trim();
        // Tokens of Entra ID are JWTs (RFC 7519), Azure's keys are letters and digits alone.
        let token = key.starts_with("eyJ") && key.contains('.');
        // Google's API keys have these beginnings, its access tokens another.
        let google = ["AIza", "AQ."].iter().any(|start| key.starts_with(start));
        let header = match (platform, dialect) {
            (Some(Platform::Azure), _) if !token => HeaderName::from_static("api-key"),
            (Some(Platform::Vertex), _) if google => GOOGLE_KEY,
            (Some(_), _) | (None, Dialect::OpenAi | Dialect::Bedrock) => header::AUTHORIZATION,
            (None, Dialect::Anthropic) => HeaderName::from_static("x-api-key"),
            (None, Dialect::Gemini) => GOOGLE_KEY,
        };
        let bearer = sensitive(&format!("Bearer {key}"))?;
        let value = if header == header::AUTHORIZATION { bearer.clone() } else { sensitive(key)? };
        Ok(Self { header, value, bearer })
    }

    /// Puts the key in the place of whatever credential the caller sent, as a call in this dialect
    /// carries it: Gemini's compatible path takes its key as OpenAI's does.
    pub fn replace(&self, headers: &mut HeaderMap, spoken: Dialect) {
        strip_credentials(headers);
        if self.header == GOOGLE_KEY && spoken == Dialect::OpenAi {
            headers.insert(header::AUTHORIZATION, self.bearer.clone());
        } else {
            headers.insert(self.header.clone(), self.value.clone());
        }
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, BadKey> {
    let mut value = HeaderValue::from_str(text).map_err(|_| BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Takes off everything that a caller can authenticate itself with.
pub fn strip_credentials(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove("x-api-key");
    headers.remove("api-key");
    headers.remove(GOOGLE_KEY);
    headers.remove(header::COOKIE);
    for name in AMAZON_SIGNED {
        headers.remove(name);
    }
}

/// Takes off what says who the caller is at the provider that it addressed, for a call that goes to
/// another one: its credentials, and the accounts that they are for.
pub fn strip_caller(headers: &mut HeaderMap) {
    strip_credentials(headers);
    headers.remove("openai-organization");
    headers.remove("openai-project");
}

/// What goes with a signature of Amazon's, and means nothing without it.
const AMAZON_SIGNED: [&str; 3] = ["x-amz-security-token", "x-amz-date", "x-amz-content-sha256"];

/// Whether a call carries a signature of Amazon's over all that it says
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>).
pub fn is_signed(query: Option<&str>, headers: &HeaderMap) -> bool {
    let by_header = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .any(|value| value.as_bytes().starts_with(b"AWS4-"));
    by_header || is_presigned(query)
}

/// Whether the signature is in the query, which the operator's key does not replace.
pub fn is_presigned(query: Option<&str>) -> bool {
    query.is_some_and(|query| {
        query.split('&').any(|pair| {
            let name = decoded(pair.split('=').next().unwrap_or_default());
            name.to_ascii_lowercase().starts_with(b"x-amz-")
        })
    })
}

/// Whether a query carries a key, as Google's older clients send it.
pub fn query_has_key(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| credential(pair).is_some()))
}

/// Whether a value in a query begins with this.
pub fn query_holds(query: Option<&str>, beginning: &str) -> bool {
    query.is_some_and(|query| {
        query.split('&').any(|pair| {
            let value = pair.split_once('=').map_or(pair, |(_, value)| value);
            decoded(value).starts_with(beginning.as_bytes())
        })
    })
}

/// Moves the credentials of a query to the headers, where every rule on credentials finds them
/// and no log does. What else the query says stays as it is. A header that is there already wins.
pub fn take_query_key(query: &str, headers: &mut HeaderMap) -> Option<String> {
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let Some((header, prefix)) = credential(pair) else {
            rest.push(pair);
            continue;
        };
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        let value = [prefix.as_bytes(), &decoded(value)].concat();
        if let (Ok(mut value), false) =
            (HeaderValue::from_bytes(&value), headers.contains_key(&header))
        {
            value.set_sensitive(true);
            headers.insert(header, value);
        }
    }
    (!rest.is_empty()).then(|| rest.join("&"))
}

/// The header that says the same as a parameter of a query that authenticates the caller, and
/// what stands before its value there
/// (<https://cloud.google.com/apis/docs/system-parameters>).
fn credential(pair: &str) -> Option<(HeaderName, &'static str)> {
    let name = decoded(pair.split('=').next().unwrap_or_default());
    match name.as_slice() {
        b"key" | b"$key" => Some((GOOGLE_KEY, "")),
        b"access_token" | b"$access_token" | b"oauth_token" => {
            Some((header::AUTHORIZATION, "Bearer "))
        }
        _ => None,
    }
}

/// Undoes a query's percent-encoding.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = after;
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*first),
        }
    }
    out
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_querys_credentials_become_headers_and_the_rest_stays() {
        for (query, rest, key, authorization) in [
            ("alt=sse", Some("alt=sse"), None, None),
            ("key=k1", None, Some("k1"), None),
            ("alt=sse&key=k%31&x=%2F", Some("alt=sse&x=%2F"), Some("k1"), None),
            ("%6bey=k1&key=k2", None, Some("k1"), None),
            ("access_token=t&alt=sse", Some("alt=sse"), None, Some("Bearer t")),
            ("keys=1&monkey=2", Some("keys=1&monkey=2"), None, None),
        ] {
            let mut headers = HeaderMap::new();
            let left = take_query_key(query, &mut headers);
            assert_eq!(left.as_deref(), rest, "{query}");
            let header = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(GOOGLE_KEY), key, "{query}");
            assert_eq!(header(header::AUTHORIZATION), authorization, "{query}");
            assert!(headers.values().all(HeaderValue::is_sensitive));
            assert_eq!(query_has_key(Some(query)), rest != Some(query));
        }
        let mut headers = HeaderMap::new();
        headers.insert(GOOGLE_KEY, HeaderValue::from_static("own"));
        assert_eq!(take_query_key("key=other", &mut headers), None);
        assert_eq!(headers[GOOGLE_KEY], "own");
    }
}
