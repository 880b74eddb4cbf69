//! E-mail addresses.
//!
//! The ASCII dot-atom of RFC 5322 without the characters that are only ever found in test suites,
//! and a host name of RFC 1123 with an alphabetic top-level domain. Quoted local parts, address
//! literals and internationalised addresses (RFC 6531) are not found. The user part of a URL is, unless a password
//! stands between it and the host.

use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Email,
    start: Start::AtSign,
    check,
    // RFC 5322, appendix A.1; RFC 5233, section 4 (sub-addressing).
    valid: ["john.q.public@example.com", "ken+sieve@example.org"],
    invalid: ["lodash@4.17.21", "icon@2x.png"],
    about: "shape of the address and its domain",
    ..BASE
};

/// RFC 5321, section 4.5.3.1: octets in a local part, and in a domain.
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

/// Local parts that are syntax or a service, never a person.
const NOBODY: [&str; 4] = ["git", "this", "super", "return"];

/// File extensions that are no top-level domains and stand after an `@` in file names and code.
const FILES: [&str; 22] = [
    "avif", "bmp", "cjs", "css", "csv", "dll", "exe", "gif", "html", "ico", "jpeg", "jpg", "js",
    "json", "mjs", "pdf", "png", "svg", "toml", "tsx", "txt", "webp",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let at = site.trigger.start;
    if is_password(&site.text[at.saturating_sub(4 * LOCAL)..at]) {
        return None;
    }
    let start = local_start(site, at)?;
    let end = domain_end(site, at + 1)?;
    let local = &site.text[start..at];
    if NOBODY.iter().any(|word| word.as_bytes() == local) {
        return None;
    }
    Some(Hit::sure(start..end, "email", Confidence::Shape))
}

fn local_start(site: &Site<'_>, at: usize) -> Option<usize> {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-'&~".contains(byte);
    let floor = at.saturating_sub(LOCAL + 1);
    let window = &site.text[floor..at];
    let length = window.iter().rev().take_while(|byte| is_local(byte)).count();
    if length > LOCAL || window.ends_with(b".") {
        return None;
    }
    let mut start = at - length;
    // `\nann@...` in escaped text: the letter belongs to the escape.
    if start > 0 && site.text[start - 1] == b'\\' && site.before(start + 1) == Some(b'\n') {
        start += 1;
    }
    let local = &site.text[start..at];
    // After the last `..`, which no address holds; then from the first letter or digit.
    let dots = local.windows(2).rposition(|two| two == b"..").map_or(0, |dots| dots + 2);
    let first = local[dots..].iter().position(u8::is_ascii_alphanumeric)?;
    Some(start + dots + first)
}

/// True before the `@` of `scheme://user:password@host`, which is no address of anybody's.
fn is_password(before: &[u8]) -> bool {
    let is_url = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\".contains(&byte);
    let url = before.iter().rposition(|byte| !is_url(*byte)).map_or(before, |at| &before[at + 1..]);
    let Some(scheme) = memchr::memmem::rfind(url, b"://") else { return false };
    let user = &url[scheme + 3..];
    user.contains(&b':') && !user.iter().any(|byte| b"/?#".contains(byte))
}

fn domain_end(site: &Site<'_>, start: usize) -> Option<usize> {
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let end = site.run(start, DOMAIN + 1, is_domain);
    let domain = std::str::from_utf8(&site.text[start..end]).ok()?;
    if domain.len() > DOMAIN {
        return None;
    }
    let valid = labels(domain)?;
    let domain = &domain[..valid];
    (!is_version(domain)).then_some(start + valid)
}

/// The length of the longest start of `domain` that is a host name with a top-level domain.
fn labels(domain: &str) -> Option<usize> {
    let mut end = 0;
    let mut best = None;
    for (place, label) in domain.split('.').enumerate() {
        if label.is_empty() || label.len() > 63 || label.starts_with('-') {
            break;
        }
        let whole = label.trim_end_matches('-');
        end += usize::from(place > 0) + whole.len();
        if place > 0 && is_top_level(whole) {
            best = Some(end);
        }
        if whole.len() < label.len() {
            break;
        }
    }
    best
}

fn is_top_level(label: &str) -> bool {
    let bytes = label.as_bytes();
    let alphabetic = bytes.len() >= 2 && bytes.iter().all(u8::is_ascii_alphabetic);
    let camel =
        bytes.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    let file = FILES.iter().any(|file| file.eq_ignore_ascii_case(label));
    (alphabetic && !camel && !file) || (label.starts_with("xn--") && label.len() > 5)
}

/// `18.2.0-beta.next`, as in `react@18.2.0-beta.next`.
fn is_version(domain: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut labels = domain.split('.');
    let first = labels.next().unwrap_or_default();
    let second = labels.next().unwrap_or_default();
    is_number(first.strip_prefix('v').unwrap_or(first)) && is_number(second)
}

#[cfg(test)]
mod tests {
    use crate::redact::detect::tests::found;

    #[test]
    fn borders_are_exact() {
        for (text, value) in [
            ("邮箱是a@b.com", "a@b.com"),
            ("<Ann.Lee@Example.COM>", "Ann.Lee@Example.COM"),
            ("mailto:ann@example.com?subject=x", "ann@example.com"),
            ("'ann@example.com'", "ann@example.com"),
            ("_ann@example.com_", "ann@example.com"),
            ("write to ann@example.com.", "ann@example.com"),
            ("ann@example.com-", "ann@example.com"),
            ("...ann@mail.example.co.uk...", "ann@mail.example.co.uk"),
            ("x\\nann@example.com\\n", "ann@example.com"),
            ("wang@163.com", "wang@163.com"),
            ("o'neil@example.ie", "o'neil@example.ie"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ] {
            let values: Vec<_> = found(text).into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, [value], "{text}");
        }
    }

    #[test]
    fn code_is_no_address() {
        for text in [
            "this@MainActivity.context",
            "view@Foo.findViewById",
            "@app.route",
            "user@localhost",
            "a.@b.com",
            "react@18.2.0-beta.next",
            "x@y",
            "@@@@@@@@",
            "a@.com",
            "a@-b.com",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        assert_eq!(found(&long), []);
    }
}
