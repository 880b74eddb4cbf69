//! Private keys in textual armour: PEM (RFC 7468), OpenSSH's and OpenPGP's.
//!
//! The whole block is found, and also one whose end is missing, as in a text that was cut. In
//! source code and JSON the line breaks may be written `\n`, or each line may be quoted.

use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::PrivateKey,
    start: Start::Literals(&["-----BEGIN "]),
    check,
    valid: [
        // RFC 8410, section 10.3.
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
         -----END PRIVATE KEY-----",
        // The same octets behind another label, with a header and escaped line breaks.
        "-----BEGIN RSA PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\n\\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK\
         1bbY8fdp\\n-----END RSA PRIVATE KEY-----",
    ],
    invalid: [
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----",
    ],
    about: "PEM armour, the whole body",
    ..BASE
};

/// Bytes of a label, of a body, and the least of base64 that makes one.
const LABEL: usize = 40;
const BODY: usize = 64 * 1024;
const LEAST: usize = 40;

fn check(site: &Site<'_>) -> Option<Hit> {
    let body = label_end(site, site.trigger.end)?;
    // The body ends at the next `--`, so blocks that are read do not overlap.
    let mut end = body;
    let mut base64 = 0;
    let limit = site.text.len().min(body + BODY);
    while end < limit && !site.text[end..].starts_with(b"--") && is_body(site.text[end]) {
        base64 += usize::from(site.text[end].is_ascii_alphanumeric());
        end += 1;
    }
    if base64 < LEAST {
        return None;
    }
    let closed = site.text[end..]
        .strip_prefix(b"-----END ")
        .and_then(|_| label_end(site, end + b"-----END ".len()));
    let end = closed.unwrap_or_else(|| {
        let cut = &site.text[..end];
        body + cut[body..].iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1)
    });
    Some(Hit::sure(site.trigger.start..end, "private-key", Confidence::Prefix))
}

/// Where the dashes after a private key's label end.
fn label_end(site: &Site<'_>, start: usize) -> Option<usize> {
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    let end = site.run(start, LABEL, is_label);
    let label = &site.text[start..end];
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    (private && site.text[end..].starts_with(b"-----")).then_some(end + 5)
}

/// Base64, white space, headers, and the marks of strings in source code.
fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=\\\"',:.-()".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn a_block_that_was_cut_is_found_as_far_as_it_goes() {
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU";
        let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}");
        for rest in ["", "\n[cut]", "\n", "\"}"] {
            let text = format!("key: {key}{rest}");
            assert_eq!(found(&text), [(Kind::PrivateKey, key.as_str())], "{rest:?}");
        }
    }

    #[test]
    fn many_beginnings_are_read_once_each() {
        let text = "-----BEGIN PRIVATE KEY-----\n".repeat(5_000);
        assert_eq!(found(&text), []);
    }
}
