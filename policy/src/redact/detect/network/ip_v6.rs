//! Public IPv6 addresses.
//!
//! Global unicast is 2000::/3 (RFC 4291, section 2.4), so the first group of a public address has
//! four digits and starts with 2 or 3. Not the documentation blocks 2001:db8::/32 (RFC 3849) and
//! 3fff::/20 (RFC 9637), nor the protocol assignments in 2001::/23 (RFC 2928).

use std::net::Ipv6Addr;

use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ip,
    start: Start::Digits { lengths: &[1, 2, 3, 4], before: &[Before::Clear] },
    after: &[After::Colon, After::Letter],
    check,
    // Root name servers' (IANA).
    valid: ["2001:503:ba3e::2:30", "2801:1b8:10::b"],
    invalid: ["2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"],
    about: "global unicast only",
    ..BASE
};

/// Characters in the longest form.
const LONGEST: usize = 39;

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    if !matches!(site.text[start], b'2' | b'3') || site.byte(start + 4) != Some(b':') {
        return None;
    }
    // The middle of another address is none.
    if site.before(start) == Some(b':')
        && site.before(start - 1).is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':')
    {
        return None;
    }
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let mut end = site.run(start, LONGEST + 1, is_part);
    // A colon after the address is the sentence's, unless it is the `::` of a prefix.
    if site.text[..end].ends_with(b":") && !site.text[..end].ends_with(b"::") {
        end -= 1;
    }
    let address: Ipv6Addr = std::str::from_utf8(&site.text[start..end]).ok()?.parse().ok()?;
    (is_public(address) && site.ends(end)).then_some(Hit::sure(
        start..end,
        "ipv6-public",
        Confidence::Shape,
    ))
}

fn is_public(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0x0db8 | 0..=0x01ff, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_every_form() {
        for (text, value) in [
            ("[2606:4700:4700::1111]:443", "2606:4700:4700::1111"),
            ("2a00:1450:4001:0802:0000:0000:0000:200e", "2a00:1450:4001:0802:0000:0000:0000:200e"),
            ("from 2620:fe::fe: timeout", "2620:fe::fe"),
            ("2A00:1450:4001::/48", "2A00:1450:4001::"),
            ("2620:fe::fe%eth0", "2620:fe::fe"),
        ] {
            assert_eq!(found(text), [(Kind::Ip, value)], "{text}");
        }
    }

    #[test]
    fn times_paths_and_fingerprints_are_no_addresses() {
        for text in [
            "20:30:40",
            "2000:30",
            "std::2001::x",
            "2a:b3:c4:d5:e6:f7:08:19",
            "2606:4700:4700::1111::1",
            "2606:4700:4700::1111g",
            "3fff:0fff::1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
