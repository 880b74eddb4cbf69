//! E-mail addresses.
//!
//! The ASCII dot-atom of RFC 5322 without the characters that are only ever found in test suites,
//! and a host name of RFC 1123 with an alphabetic top-level domain; a local part in quotes; letters beyond ASCII on
//! both sides (RFC 6531). Address literals and obfuscated forms (`ann at example dot com`) are not
//! found. The user part of a URL is, unless it carries a password: `user:password@host` is no
//! address.

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
/// Bytes of a URL's user part that are looked at.
const USER: usize = 160;

/// Local parts that are syntax or a service, never a person.
const NOBODY: [&str; 4] = ["git", "this", "super", "return"];

/// File extensions that are no top-level domains and stand after an `@` in file names and code.
const FILES: [&str; 22] = [
    "avif", "bmp", "cjs", "css", "csv", "dll", "exe", "gif", "html", "ico", "jpeg", "jpg", "js",
    "json", "mjs", "pdf", "png", "svg", "toml", "tsx", "txt", "webp",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let at = site.trigger.start;
    let start = quoted_start(site, at).or_else(|| local_start(site, at))?;
    let end = domain_end(site, at + 1).or_else(|| international_end(site, at + 1))?;
    let local = &site.text[start..at];
    if NOBODY.iter().any(|word| word.as_bytes() == local) || is_password(site, start) {
        return None;
    }
    Some(Hit::sure(start..end, "email", Confidence::Shape))
}

/// `"ann lee"@...` (RFC 5321, section 4.1.2), where the quotation mark opens.
fn quoted_start(site: &Site<'_>, at: usize) -> Option<usize> {
    let close = at.checked_sub(1).filter(|close| site.text[*close] == b'"')?;
    let floor = close.saturating_sub(LOCAL);
    let open = floor + memchr::memrchr(b'"', &site.text[floor..close])?;
    let inside = &site.text[open + 1..close];
    let edges = [inside.first()?, inside.last()?];
    let fits = edges.iter().all(|edge| edge.is_ascii_alphanumeric())
        && !inside.contains(&b'\n')
        && !site.before(open).is_some_and(|byte| byte.is_ascii_alphanumeric());
    fits.then_some(open)
}

/// True inside `scheme://user:password@host`: that is no address.
fn is_password(site: &Site<'_>, start: usize) -> bool {
    let window = &site.text[start.saturating_sub(USER)..start];
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>".contains(byte);
    let user = window.iter().rposition(ends).map_or(window, |end| &window[end + 1..]);
    user.contains(&b':') && window[..window.len() - user.len()].ends_with(b"://")
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
    if let Some(start) = international_start(site, start, at) {
        return Some(start);
    }
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

/// Where a local part with letters beyond ASCII starts (RFC 6531), whose ASCII end is at `ascii`.
///
/// Letters of scripts that part words by spaces go on a word; others only where nothing of ASCII
/// stands between them and the `@`, for `邮箱是a@b.com` holds `a@b.com`.
fn international_start(site: &Site<'_>, ascii: usize, at: usize) -> Option<usize> {
    if site.text[..ascii].last()?.is_ascii() {
        return None;
    }
    let mut floor = at.saturating_sub(LOCAL);
    while floor < at && site.text[floor] & 0xc0 == 0x80 {
        floor += 1;
    }
    let window = std::str::from_utf8(&site.text[floor..at]).ok()?;
    let spaced = |letter: char| letter.is_alphabetic() && letter < '\u{600}';
    let is_local = |letter: char| {
        letter.is_ascii_alphanumeric()
            || "._%+-'".contains(letter)
            || spaced(letter)
            || (ascii == at && letter.is_alphabetic())
    };
    let start = window
        .rfind(|letter| !is_local(letter))
        .map_or(0, |place| place + window[place..].chars().next().map_or(0, char::len_utf8));
    let local = window[start..].trim_start_matches(['.', '_', '%', '+', '-', '\'']);
    (!local.is_ascii()).then_some(at - local.len())
}

/// Top-level domains of scripts that do not part words, so that a sentence may go on after them.
/// From IANA's root zone database.
const UNPARTED: [&str; 22] = [
    "中国",
    "中國",
    "公司",
    "网络",
    "網絡",
    "网址",
    "网站",
    "公益",
    "政务",
    "政府",
    "机构",
    "商城",
    "商店",
    "在线",
    "集团",
    "香港",
    "台湾",
    "台灣",
    "新加坡",
    "みんな",
    "コム",
    "한국",
];

/// Where a domain with letters beyond ASCII ends (RFC 5890).
fn international_end(site: &Site<'_>, start: usize) -> Option<usize> {
    let mut end = site.text.len().min(start + DOMAIN);
    while end > start && site.text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    let window = std::str::from_utf8(&site.text[start..end]).ok()?;
    let is_domain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-');
    let domain = &window[..window.find(|letter| !is_domain(letter)).unwrap_or(window.len())];
    if domain.is_ascii() {
        return None;
    }
    let mut end = 0;
    let mut best = None;
    for (place, label) in domain.split('.').enumerate() {
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            break;
        }
        end += usize::from(place > 0);
        if place > 0 {
            let known = UNPARTED.iter().find(|known| label.starts_with(**known));
            let ascii = label.bytes().take_while(u8::is_ascii_alphabetic).count();
            let length = match known {
                Some(known) => known.len(),
                None if ascii > 1 => ascii,
                None => label.len(),
            };
            let alphabetic = label[..length].chars().all(char::is_alphabetic);
            if alphabetic && label[..length].chars().count() > 1 {
                best = Some(end + length);
            }
        }
        end += label.len();
    }
    best.map(|end| start + end)
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
    use super::*;
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
            ("用户@例子.公司，", "用户@例子.公司"),
            ("почта: иван.петров@пример.рф.", "иван.петров@пример.рф"),
            ("mail user@пример.рф, now", "user@пример.рф"),
            ("邮箱ann@例子.中国是我的", "ann@例子.中国"),
            ("邮箱是a@b.com是我的", "a@b.com"),
            ("jörg.müller@bücher.example", "jörg.müller@bücher.example"),
            ("an müller@example.de.", "müller@example.de"),
            ("<\"john doe\"@example.com>", "\"john doe\"@example.com"),
            ("https://ann@example.com/x", "ann@example.com"),
            ("user:ann@example.com", "ann@example.com"),
            ("http://h:80?x=ann@example.com", "ann@example.com"),
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
            "[\"a\", \"@b.com\"]",
            "https://ann:secret@db.example.com/x",
            "postgres://ann:se%40cret@db.example.com:5432/x",
            "https://ann:se@cret@db.example.com/x",
            "用户@例子",
        ] {
            assert!(found(text).iter().all(|(kind, _)| *kind != Kind::Email), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        assert_eq!(found(&long), []);
    }
}
