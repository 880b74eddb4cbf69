//! The values of HTTP's authorization: what follows `Basic` (RFC 7617) and `Bearer` (RFC 6750),
//! and other schemes of an `Authorization` header.
//!
//! What is found is the value without its scheme, so that the text still says which it is. A JSON
//! web token stays one, and a key with a prefix stays a key: both are surer than this.

use std::ops::Range;

use super::value::{base64, is_placeholder, is_random};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::AuthHeader,
    // Without their first letters, which are written in either case.
    start: Start::Literals(&[
        "earer ",
        "BEARER ",
        "asic ",
        "BASIC ",
        "uthorization",
        "UTHORIZATION",
    ]),
    check,
    // RFC 7617, section 2; RFC 6750, section 2.1.
    valid: [
        "Authorization: Basic ⟦QWxhZGRpbjpvcGVuIHNlc2FtZQ==⟧",
        "Bearer ⟦mF_9.B5f-4.1JqM7q2Xw8Rt⟧",
    ],
    invalid: ["Basic understanding of things", "Authorization: Bearer <token>"],
    about: "what `Basic` says decodes to a pair; what `Bearer` says is random",
    ..BASE
};

/// Bytes of a value.
const LONGEST: usize = 4096;

fn check(site: &Site<'_>) -> Option<Hit> {
    let after = site.trigger.end;
    let (range, confidence) = match &site.text[site.trigger.clone()] {
        b"asic " | b"BASIC " => (basic(site, after)?, Confidence::Prefix),
        b"earer " | b"BEARER " => (bearer(site, after)?, Confidence::Context),
        _ => (header(site, after)?, Confidence::Context),
    };
    Some(Hit::sure(range, "auth-header", confidence))
}

const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// True where the scheme whose first letter stands before the trigger is a word of its own.
fn is_word(site: &Site<'_>, first: u8) -> bool {
    let at = site.trigger.start;
    if site.text[at].is_ascii_uppercase() {
        return !site.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
    }
    at > 0
        && site.text[at - 1].eq_ignore_ascii_case(&first)
        && !site.before(at - 1).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn basic(site: &Site<'_>, start: usize) -> Option<Range<usize>> {
    let end = site.run(start, LONGEST, is_token68);
    if end - start < 8 || !is_word(site, b'b') {
        return None;
    }
    let value = &site.text[start..end];
    let value = value.strip_suffix(b".").unwrap_or(value);
    let pair = base64(value)?;
    let colon = memchr::memchr(b':', &pair)?;
    let is_text = std::str::from_utf8(&pair).is_ok_and(|text| !text.contains(char::is_control));
    let password = &pair[colon + 1..];
    (is_text && !is_placeholder(password)).then_some(start..start + value.len())
}

fn bearer(site: &Site<'_>, start: usize) -> Option<Range<usize>> {
    let range = token(site, start)?;
    is_word(site, b'b').then_some(range)
}

/// A value that was drawn at random and is no JSON web token.
fn token(site: &Site<'_>, start: usize) -> Option<Range<usize>> {
    let mut end = site.run(start, LONGEST, is_token68);
    end -= site.text[start..end].iter().rev().take_while(|byte| **byte == b'.').count();
    let value = &site.text[start..end];
    let is_jwt = value.starts_with(b"ey") && value.contains(&b'.');
    let fits = value.len() >= 16 && !is_jwt && is_random(value) && !is_placeholder(value);
    // `Bearer abc(` and `Bearer ${...}` are code.
    let is_whole = !matches!(site.byte(end), Some(b'(' | b'{' | b'$' | b'[' | b'%'));
    (fits && is_whole).then_some(start..end)
}

/// The value of a header whose scheme is none of the two, or that names none.
fn header(site: &Site<'_>, name: usize) -> Option<Range<usize>> {
    // `EndpointAuthorization` is another name.
    let first = site.trigger.start.checked_sub(1)?;
    let begins = site.text[first].eq_ignore_ascii_case(&b'a')
        && !site.before(first).is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !begins {
        return None;
    }
    let is_sign = |byte: u8| b" \t\"'`\\:=,>]".contains(&byte);
    let start = site.run(name, 12, is_sign);
    if !site.text[name..start].iter().any(|byte| b":=,".contains(byte)) {
        return None;
    }
    let word = site.run(start, 12, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let scheme = &site.text[start..word];
    if site.byte(word) != Some(b' ') {
        return token(site, start);
    }
    let schemes = ["token", "apikey", "api-key", "key", "ssws", "genie", "genieKey", "oauth"];
    let known = schemes.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(scheme));
    if known { token(site, word + 1) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    const TOKEN: &str = "q7W3e9R5t1Y8u2I4o6P0";

    #[test]
    fn headers_are_found_as_they_are_written() {
        for text in [
            format!("Authorization: Bearer {TOKEN}"),
            format!("authorization: bearer {TOKEN}\r\n"),
            format!("curl -H 'Authorization: Bearer {TOKEN}' https://example.com"),
            format!("{{\"Authorization\":\"Bearer {TOKEN}\"}}"),
            format!("{{\\\"Authorization\\\":\\\"Bearer {TOKEN}\\\"}}"),
            format!("Proxy-Authorization: Bearer {TOKEN}"),
            format!("HTTP_AUTHORIZATION=Bearer {TOKEN}"),
            format!("AUTHORIZATION: SSWS {TOKEN}"),
            format!("headers.set(\"Authorization\", \"token {TOKEN}\")"),
            format!("Authorization: SSWS {TOKEN}"),
            format!("Authorization: {TOKEN}"),
        ] {
            assert_eq!(found(&text), [(Kind::AuthHeader, TOKEN)], "{text}");
        }
        let (text, value) = ("Proxy-Authorization: basic dGVzdDoxMjPCow==", "dGVzdDoxMjPCow==");
        assert_eq!(found(text), [(Kind::AuthHeader, value)]);
    }

    #[test]
    fn what_is_surer_keeps_its_kind() {
        let key = concat!("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a");
        assert_eq!(found(&format!("Authorization: Bearer {key}")), [(Kind::ApiKey, key)]);
    }

    #[test]
    fn prose_and_code_are_left_alone() {
        for text in [
            "Bearer authentication is required; a bearer token grants access to whoever bears it",
            "basic authentication, Basic programming",
            "Authorization: Bearer ${TOKEN}",
            "Authorization: Bearer $(gcloud auth print-access-token)",
            "f\"Bearer {settings.api_token_v2}\"",
            "\"Authorization\": \"Bearer \" + accessToken2Provider",
            "Authorization: Bearer YOUR_ACCESS_TOKEN_1234",
            "Authorization: Bearer <AUTH_HEADER_kq7mzvt2ah>",
            "WWW-Authenticate: Basic realm=\"simple\"",
            "authorization: AuthorizationServiceProvider",
            "docker run -u 1000:1000 image",
            "\"AWS::Redshift::EndpointAuthorization\": \"e72be424d109da1d\"",
            "curl -u user:password https://example.com",
            "curl -u \"$USER:$PASSWORD\" https://example.com",
            // `username:password`.
            "Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
