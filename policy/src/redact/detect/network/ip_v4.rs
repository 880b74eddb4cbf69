//! Public IPv4 addresses.
//!
//! Four octets, none of them in a block that IANA's special-purpose registry
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>) says is not globally reachable,
//! so no loopback, private, link-local, documentation or multicast address and no netmask. A
//! version looks the same: words such as `version` before it suppress the finding, and an address
//! of four single digits needs words in its favour.

use std::net::Ipv4Addr;

use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ip,
    start: Start::Digits { lengths: &[1, 2, 3], before: &[Before::Clear] },
    after: &[After::Dot],
    check,
    // A root name server's (IANA), and Google's public resolver.
    valid: ["198.41.0.4", "8.8.4.40"],
    invalid: ["192.168.0.1", "256.41.0.4"],
    words: &[
        "ip",
        "ips",
        "ipv4",
        "ip address",
        "ip addr",
        "ipaddress",
        "ipaddr",
        "remote addr",
        "client ip",
        "source ip",
        "src ip",
        "dst ip",
        "dns",
        "nameserver",
        "resolver",
        "ping",
        "forwarded for",
        "adresse ip",
        "dirección ip",
        "indirizzo ip",
        "endereço ip",
        "ip адрес",
        "ip地址",
        "ipアドレス",
    ],
    against: &[
        "chrome",
        "chromium",
        "firefox",
        "safari",
        "edge",
        "opera",
        "webkit",
        "brave",
        "android",
        "version",
        "versions",
        "ver",
        "v",
        "release",
        "build",
        "rev",
        "revision",
        "firmware",
        "driver",
        "section",
        "chapter",
        "clause",
        "figure",
        "table",
        "appendix",
        "oid",
        "sdk",
        "assembly",
        "upgrade to",
        "upgraded to",
        "updated to",
        "downgraded to",
        "kernel",
        "jdk",
        "plugin",
        "package",
        "patch",
    ],
    about: "public ranges only; no versions",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let (octets, end) = parse(site)?;
    if !site.ends(end) || !is_public(octets) || is_pinned(site.text, start) {
        return None;
    }
    let range = start - mapped(site, start)..end;
    // The arcs of X.500, ISO's members and companies, and versions in general.
    let is_oid = matches!(octets, [1, 0..=3, ..] | [2, 5 | 16 | 23, ..]);
    if is_oid || octets.iter().all(|octet| *octet < 10) {
        return site.if_named(range, "ipv4-public", Confidence::Shape);
    }
    site.unless_denied(range, "ipv4-public", Confidence::Shape)
}

/// Four octets in decimal, without leading zeros.
fn parse(site: &Site<'_>) -> Option<([u8; 4], usize)> {
    let mut octets = [0; 4];
    let mut at = site.trigger.start;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            (site.byte(at)? == b'.').then_some(())?;
            at += 1;
        }
        let end = site.run(at, 4, |byte| byte.is_ascii_digit());
        let digits = &site.text[at..end];
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        *octet = std::str::from_utf8(digits).ok()?.parse().ok()?;
        at = end;
    }
    Some((octets, at))
}

fn is_public(octets: [u8; 4]) -> bool {
    let address = Ipv4Addr::from(octets);
    let special = matches!(
        octets,
        // This network; multicast, reserved, broadcast and netmasks; shared address space;
        // protocol assignments; 6to4 relays; benchmarking.
        [0 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [192, 0, 0, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
    );
    !special
        && !address.is_loopback()
        && !address.is_private()
        && !address.is_link_local()
        && !address.is_documentation()
}

/// The length of the `::ffff:` that makes it IPv6 (RFC 4291, section 2.5.5.2).
fn mapped(site: &Site<'_>, start: usize) -> usize {
    const PREFIX: &[u8] = b"::ffff:";
    let place = start.checked_sub(PREFIX.len());
    let is_mapped = place
        .is_some_and(|at| site.text[at..start].eq_ignore_ascii_case(PREFIX) && site.starts(at));
    if is_mapped { PREFIX.len() } else { 0 }
}

/// True after `==1.2.3.4`, `>=`, `~=`, `^1.2.3.4` and `Chrome/1.2.3.4`: a pinned version.
fn is_pinned(text: &[u8], start: usize) -> bool {
    match text[..start] {
        [.., b'=' | b'<' | b'>' | b'~' | b'!' | b'^', b'='] | [.., b'^' | b'~'] => true,
        [.., before, b'/'] => before.is_ascii_alphanumeric(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_logs_and_urls() {
        for (text, value) in [
            ("GET http://198.41.0.4:8080/x", "198.41.0.4"),
            ("from 170.247.170.2 port 22", "170.247.170.2"),
            ("[192.33.4.12]", "192.33.4.12"),
            ("dns server 8.8.8.8", "8.8.8.8"),
            ("ip=199.7.91.13&x", "199.7.91.13"),
            ("from ::ffff:199.7.91.13 port", "::ffff:199.7.91.13"),
            ("allow 199.7.91.0/24", "199.7.91.0"),
        ] {
            assert_eq!(found(text), [(Kind::Ip, value)], "{text}");
        }
    }

    #[test]
    fn versions_are_no_addresses() {
        for text in [
            "8.8.8.8",
            "version 98.41.0.4",
            "firmware: 98.41.0.4",
            "pip install x==98.41.0.4",
            "Safari/98.41.0.4",
            "1.98.41.0.4",
            "98.41.0.4.1",
            "98.41.0.4-rc1",
            "098.41.0.4",
            "98.41.0",
            "2.5.29.15",
            "1.3.132.1",
            "upgraded to 98.41.0.4",
            "::ffff:10.1.2.3",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
