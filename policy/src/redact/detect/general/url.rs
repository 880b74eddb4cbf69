//! Links. Off by default.
//!
//! `http`, `https` and `ftp`, or a host that starts with `www.`, as text has them: up to white
//! space, a quotation mark or a bracket that it did not open, without the punctuation of the
//! sentence (RFC 3986, appendix C). One that carries a password is another kind's.

use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Url,
    start: Start::Words(&["http", "ftp", "www"]),
    check,
    // RFC 9110, section 4.2.3; RFC 3986, section 1.1.2.
    valid: ["http://example.com:80/~smith/home.html", "ftp://ftp.is.co.za/rfc/rfc1808.txt"],
    invalid: ["http//example.com", "https://"],
    about: "scheme and host",
    ..BASE
};

/// Bytes of a link that are looked at.
const LONGEST: usize = 2048;

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    if site
        .before(start)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/.@-_".contains(&byte))
    {
        return None;
    }
    let rest = &site.text[site.trigger.end..];
    let host =
        [b"s://" as &[u8], b"S://", b"://", b"."].iter().find(|mark| rest.starts_with(mark))?;
    let plain = *host == b".";
    let is_www = site.text[site.trigger.clone()].eq_ignore_ascii_case(b"www");
    (plain == is_www).then_some(())?;
    let host = site.trigger.end + host.len();
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let end = trimmed(site, host, site.run(host, LONGEST, is_part));
    let authority = site.run(host, end - host, |byte| !b"/?#".contains(&byte));
    let authority = &site.text[host..authority];
    let user = memchr::memrchr(b'@', authority).map_or(&authority[..0], |at| &authority[..at]);
    let named = authority.iter().any(u8::is_ascii_alphanumeric)
        && (!plain || memchr::memchr(b'.', authority).is_some());
    let fits = named && !user.contains(&b':');
    fits.then_some(Hit::sure(start..end, "url", Confidence::Shape))
}

/// Without the sentence's punctuation, and brackets that were opened before it.
fn trimmed(site: &Site<'_>, start: usize, mut end: usize) -> usize {
    let depth = |open: u8, close: u8| {
        let text = &site.text[start..end];
        memchr::memchr_iter(close, text)
            .count()
            .saturating_sub(memchr::memchr_iter(open, text).count())
    };
    let mut round = depth(b'(', b')');
    let mut square = depth(b'[', b']');
    while end > start {
        let unopened = match site.text[end - 1] {
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b'_' => {
                end -= 1;
                continue;
            }
            b')' => &mut round,
            b']' => &mut square,
            _ => break,
        };
        if *unopened == 0 {
            break;
        }
        *unopened -= 1;
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::{found, found_with};

    #[test]
    fn it_ends_where_the_sentence_goes_on() {
        for (text, value) in [
            ("see (https://example.com/a_(b)).", "https://example.com/a_(b)"),
            ("[x](http://example.com/y)", "http://example.com/y"),
            ("请看https://example.com/x。", "https://example.com/x"),
            ("go to www.example.com, now", "www.example.com"),
            ("HTTPS://EXAMPLE.COM:8080/X?", "HTTPS://EXAMPLE.COM:8080/X"),
        ] {
            assert_eq!(found_with(Kind::Url, text), [(Kind::Url, value)], "{text}");
            assert_eq!(found(text), [], "{text}");
        }
        for text in ["http.client", "xhttp://a.b", "www.", "https:///x"] {
            assert_eq!(found_with(Kind::Url, text), [], "{text}");
        }
    }

    #[test]
    fn one_with_a_password_is_left_to_another_kind() {
        let found = found_with(Kind::Url, "https://ann:x@example.com/");
        assert!(!found.iter().any(|(kind, _)| *kind == Kind::Url), "{found:?}");
    }
}
