//! Private keys in textual armour: PEM (RFC 7468), OpenSSH's, OpenPGP's, SSH2's (RFC 4716), PuTTY's
//! files, and the one word that is a key of age's (<https://age-encryption.org/v1>).
//!
//! The whole block is found, and also one whose end is missing, as in a text that was cut. In
//! source code and JSON the line breaks may be written `\n`, or each line may be quoted.

use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::PrivateKey,
    start: Start::Literals(&["-----BEGIN ", "---- BEGIN ", "PuTTY-User-Key-File-"]),
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
/// Bytes of a file of PuTTY's.
const FILE: usize = 16 * 1024;

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    match site.text[start] {
        b'P' => putty(site).map(|end| Hit::sure(start..end, "putty-key", Confidence::Prefix)),
        _ => armour(site),
    }
}

fn armour(site: &Site<'_>) -> Option<Hit> {
    let body = label_end(site, site.trigger.end)?;
    // The body ends at the next `--`, so blocks that are read do not overlap.
    let mut end = body;
    let mut base64 = 0;
    let limit = site.text.len().min(body + BODY);
    while end < limit && is_body(site.text[end]) && !is_end(&site.text[end..]) {
        base64 += usize::from(site.text[end].is_ascii_alphanumeric());
        end += 1;
    }
    if base64 < LEAST {
        return None;
    }
    let closed = site.text[end..]
        .strip_prefix(b"-----END ")
        .or_else(|| site.text[end..].strip_prefix(b"---- END "))
        .and_then(|rest| label_end(site, site.text.len() - rest.len()));
    let end = closed.unwrap_or_else(|| {
        let cut = &site.text[..end];
        body + cut[body..].iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1)
    });
    Some(Hit::sure(site.trigger.start..end, "private-key", Confidence::Prefix))
}

/// The next armour, or a placeholder: its letters are none of the key's.
fn is_end(rest: &[u8]) -> bool {
    let placeholder = matches!(rest, [b'<', first, ..] if first.is_ascii_uppercase());
    rest.starts_with(b"--") || placeholder && !rest.starts_with(b"<BR")
}

/// Where the dashes after a private key's label end.
fn label_end(site: &Site<'_>, start: usize) -> Option<usize> {
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    let end = site.run(start, LABEL, is_label);
    let label = site.text[start..end].trim_ascii_end();
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    let dashes = site.run(end, 5, |byte| byte == b'-');
    (private && dashes - end >= 4).then_some(dashes)
}

/// Where a file of PuTTY's ends: after its code of authentication.
fn putty(site: &Site<'_>) -> Option<usize> {
    let rest = &site.text[site.trigger.end..site.text.len().min(site.trigger.end + FILE)];
    let rest = memchr::memmem::find(rest, b"PuTTY-User-Key-File-").map_or(rest, |at| &rest[..at]);
    let secret = memchr::memmem::find(rest, b"Private-Lines: ")?;
    let code = [b"Private-MAC: " as &[u8], b"Private-Hash: "]
        .into_iter()
        .find_map(|name| Some(memchr::memmem::find(&rest[secret..], name)? + name.len()))?;
    let code = site.trigger.end + secret + code;
    let end = site.run(code, 64, |byte| byte.is_ascii_hexdigit());
    (end > code).then_some(end)
}

/// Base64, white space, headers, and the marks of strings in source code, of quoted mail (`> `) and
/// of HTML's line breaks.
fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte.is_ascii_whitespace()
        || b"+/=\\\"',:.-()<>".contains(&byte)
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
    fn keys_of_every_program_are_found_whole() {
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp\n+K06/nwoy/HU";
        for key in [
            format!("-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----"),
            format!("-----BEGIN DSA PRIVATE KEY-----\r\n{body}\r\n-----END DSA PRIVATE KEY-----"),
            format!(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----"
            ),
            format!(
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2 (test)\n\n{body}\n=ab1c\n\
                 -----END PGP PRIVATE KEY BLOCK-----"
            ),
            format!(
                "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"a, b\"\n{body}\n\
                 ---- END SSH2 ENCRYPTED PRIVATE KEY ----"
            ),
            format!(
                "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: a\nPublic-Lines: 1\n\
                 {body}\nPrivate-Lines: 1\n{body}\nPrivate-MAC: 0f1e2d3c4b5a69780f1e2d3c4b5a6978"
            ),
        ] {
            for text in [format!("{key}\nmore"), format!("\"{}\"", key.replace('\n', "\\n"))] {
                let found = found(&text);
                assert_eq!(found.len(), 1, "{text}");
                assert!(found[0].0 == Kind::PrivateKey && found[0].1.len() >= key.len(), "{text}");
                assert!(text.len() - found[0].1.len() <= 5, "{text}");
            }
        }
        let prose = "PuTTY-User-Key-File-2 is what the file starts with, Private-Lines: come later";
        assert_eq!(found(prose), []);
    }

    #[test]
    fn a_placeholder_is_no_part_of_a_key() {
        let cut = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK";
        for rest in ["<PRIVATE_KEY>", " <EMAIL_kq7mzvt2ah> and more"] {
            assert_eq!(found(&format!("{cut}{rest}")), [], "{rest}");
        }
    }

    #[test]
    fn many_beginnings_are_read_once_each() {
        let text = "-----BEGIN PRIVATE KEY-----\n".repeat(5_000);
        assert_eq!(found(&text), []);
    }
}
