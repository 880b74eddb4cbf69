//! Addresses of network cards.
//!
//! Six bytes in hexadecimal (IEEE 802, EUI-48): in pairs with colons or dashes, in three groups of
//! four with dots as some routers print them, or bare under a label. Not the null and the broadcast
//! address, nor the multicast ones that protocols share.

use crate::redact::detect::token::start_of_word;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Mac,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        before: &[Before::Clear, Before::Letter, Before::Joint],
    },
    after: &After::ALL,
    word: (2, 12),
    check,
    // RFC 2464, section 4; the IEEE's guidelines for EUI.
    valid: ["34:56:78:9A:BC:DE", "AC-DE-48-00-00-80"],
    // All bits set; a pair too many.
    invalid: ["ff:ff:ff:ff:ff:ff", "34:56:78:9a:bc:de:f0"],
    words: &[
        "mac",
        "mac address",
        "mac addr",
        "macaddress",
        "macaddr",
        "hwaddr",
        "hw addr",
        "ether",
        "hardware address",
        "physical address",
        "ethernet address",
        "physikalische adresse",
        "adresse mac",
        "dirección mac",
        "indirizzo mac",
        "endereço mac",
        "bssid",
        "mac地址",
        "macアドレス",
    ],
    about: "six pairs, no shared address; bare only under a label",
    ..BASE
};

/// Characters in the longest form.
const LONGEST: usize = 17;

fn check(site: &Site<'_>) -> Option<Hit> {
    if !may_be(site) {
        return None;
    }
    let start = first_of(site)?;
    let mark = site.byte(start + 2).filter(|byte| matches!(byte, b':' | b'-'));
    let (length, rule) = match mark {
        Some(mark) => {
            let text = site.text.get(start..start + LONGEST)?;
            let marked = text.iter().skip(2).step_by(3).all(|byte| *byte == mark);
            marked.then_some((LONGEST, "mac-pairs"))?
        }
        None if site.byte(start + 4) == Some(b'.') && site.byte(start + 9) == Some(b'.') => {
            (14, "mac-dotted")
        }
        None => (12, "mac-bare"),
    };
    let end = start + length;
    let address = address(site.text.get(start..end)?)?;
    // Twenty pairs with colons are a fingerprint, eight an EUI-64 or an IPv6 address.
    let is_hex = |at: usize| site.byte(at).is_some_and(|byte| byte.is_ascii_hexdigit());
    let continued = site.byte(end) == Some(b':') && is_hex(end + 1);
    let led = matches!(site.before(start), Some(b':'))
        && site.before(start - 1).is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':');
    if !site.ends(end) || !site.starts(start) || continued || led || !is_of_a_card(address) {
        return None;
    }
    match rule {
        "mac-bare" => site.if_labelled(start..end, rule, Confidence::Context),
        _ => site.unless_denied(start..end, rule, Confidence::Shape),
    }
}

/// Where an address would start whose first digit is the trigger's.
///
/// Without that rule each pair of an address would ask again.
/// True where marks stand at the distances that those of an address have, around the trigger.
fn may_be(site: &Site<'_>) -> bool {
    // A number between spaces is none.
    let joins =
        |byte: Option<u8>| matches!(byte, Some(b':' | b'-' | b'.' | b'a'..=b'f' | b'A'..=b'F'));
    let before = site.trigger.start.checked_sub(1).and_then(|at| site.byte(at));
    let alone = !joins(before) && !joins(site.byte(site.trigger.end));
    if alone && site.trigger.len() != 12 {
        return false;
    }
    let is_hex = |byte: &&u8| byte.is_ascii_hexdigit();
    let before = &site.text[site.trigger.start.saturating_sub(12)..site.trigger.start];
    let start = site.trigger.start - before.iter().rev().take_while(is_hex).count();
    let mark = |at: Option<usize>| {
        at.and_then(|at| site.byte(at)).filter(|byte| matches!(byte, b':' | b'-' | b'.'))
    };
    let same = |one: Option<usize>, other: Option<usize>| {
        mark(one).is_some_and(|first| mark(other) == Some(first))
    };
    let ahead = same(Some(start + 2), Some(start + 5)) || same(Some(start + 4), Some(start + 9));
    let behind = same(start.checked_sub(1), start.checked_sub(4))
        || same(start.checked_sub(1), start.checked_sub(6));
    let bare = || site.run(start, 13, |byte| byte.is_ascii_hexdigit()) == start + 12;
    ahead || behind || bare()
}

fn first_of(site: &Site<'_>) -> Option<usize> {
    let mut start = start_of_word(site, 12)?;
    let floor = start.saturating_sub(LONGEST);
    while start > floor
        && matches!(site.before(start), Some(b':' | b'-' | b'.'))
        && site.before(start - 1).is_some_and(|byte| byte.is_ascii_hexdigit())
    {
        let word = site.text[floor..start - 1]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric());
        if word.clone().any(u8::is_ascii_digit) {
            return None;
        }
        start -= 1 + word.count();
    }
    // The letter of a `\n` that stands in escaped text is none of the address's.
    let escaped = start < site.trigger.start && site.before(start + 1) == Some(b'\n');
    Some(start + usize::from(escaped))
}

/// The six bytes that twelve hexadecimal digits of one case write.
fn address(text: &[u8]) -> Option<[u8; 6]> {
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let upper = text.iter().any(u8::is_ascii_uppercase);
    if lower && upper {
        return None;
    }
    let mut address = [0; 6];
    let mut count = 0;
    for byte in text {
        if matches!(byte, b':' | b'-' | b'.') {
            continue;
        }
        let value = char::from(*byte).to_digit(16)? as u8;
        let slot: &mut u8 = address.get_mut(count / 2)?;
        *slot = *slot << 4 | value;
        count += 1;
    }
    (count == 12).then_some(address)
}

/// No address that is shared: null, broadcast, IPv4's and IPv6's multicast, spanning tree's;
/// nor one for documentation (RFC 7042, section 2.1.2).
const fn is_of_a_card(address: [u8; 6]) -> bool {
    !matches!(
        address,
        [0, 0, 0, 0, 0, 0]
            | [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
            | [0x01, 0x00, 0x5e, ..]
            | [0x33, 0x33, ..]
            | [0x01, 0x80, 0xc2, ..]
            | [0x00, 0x00, 0x5e, 0x00, 0x53, _]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_each_form() {
        for (text, value) in [
            ("link/ether 3c:22:fb:7a:91:0e brd ff:ff:ff:ff:ff:ff", "3c:22:fb:7a:91:0e"),
            ("aa:bb:cc:dd:ee:f1.", "aa:bb:cc:dd:ee:f1"),
            ("Physical Address: 3C-22-FB-7A-91-0E", "3C-22-FB-7A-91-0E"),
            ("cisco 3c22.fb7a.910e x", "3c22.fb7a.910e"),
            ("\"mac\": \"3c22fb7a910e\"", "3c22fb7a910e"),
            ("x\\n3c:22:fb:7a:91:0e\\n", "3c:22:fb:7a:91:0e"),
            ("mac=3c:22:fb:7a:91:0e:", "3c:22:fb:7a:91:0e"),
        ] {
            assert_eq!(found(text), [(Kind::Mac, value)], "{text}");
        }
    }

    #[test]
    fn times_ids_and_dumps_are_none() {
        for text in [
            "3c22fb7a910e",
            "12:30:45 2024-05-20 10:11:12",
            "SHA1 3c:22:fb:7a:91:0e:3c:22:fb:7a:91:0e:3c:22:fb:7a:91:0e:3c:22",
            "02:00:5e:10:00:00:00:01",
            "fe80::3c22:fb7a:910e:1",
            "550e8400-e29b-41d4-a716-446655440000",
            "3c 22 fb 7a 91 0e 11 22",
            "3c:22-fb:7a:91:0e",
            "3c:22:FB:7a:91:0e",
            "00:00:00:00:00:00",
            "00:00:5e:00:53:01",
            "01:00:5e:00:00:fb",
            "1234.5678.9012.3456",
            "1.2.3.4",
            "g1:22:fb:7a:91:0e",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
