//! Indian permanent account numbers.
//!
//! Five letters, four digits, a letter; the fourth letter says what kind of holder it is, and the
//! digits start at 0001 (<https://en.wikipedia.org/wiki/Permanent_account_number>). What the last letter
//! checks is not published. In capitals it is found as it stands, but not in code or paths.

use super::layout;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Pan,
    start: Start::Digits { lengths: &[4], before: &[Before::Letter] },
    after: &[After::Letter],
    check,
    // python-stdnum's example, and Presidio's.
    valid: ["ACUPA7085R", "ABBPM4567S"],
    // No such holder; no such serial.
    invalid: ["ABMXA3211G", "ACUPA0000R"],
    words: &[
        "pan",
        "pan card",
        "pan number",
        "pan no",
        "permanent account number",
        "permanent account",
        "income tax id",
        "पैन",
    ],
    against: &[
        "model",
        "model no",
        "part",
        "error",
        "error code",
        "coupon",
        "promo code",
        "voucher",
        "flight",
        "product code",
        "item",
        "item code",
        "asset",
        "device",
        "activation",
        "firmware",
        "license key",
        "product key",
        "gift card",
        "discount code",
    ],
    about: "fourth letter; in small letters only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start.checked_sub(5)?;
    let laid = layout::read::<10>(site, start, &["AAAAA9999A", "aaaaa9999a"])?;
    if !site.starts(start) || !is_given_out(&laid.chars) {
        return None;
    }
    if laid.layout == 0 && !is_code(site, &laid) {
        site.unless_denied(laid.range, "in-pan", Confidence::Shape)
    } else {
        site.if_named(laid.range, "in-pan", Confidence::Context)
    }
}

fn is_given_out(chars: &[u8; 10]) -> bool {
    b"ABCFGHJLPT".contains(&chars[3]) && chars[5..9] != *b"0000"
}

/// True where it is more likely hexadecimal, a name in a program, or part of a path.
fn is_code(site: &Site<'_>, laid: &layout::Laid<10>) -> bool {
    let stands = |byte: Option<u8>, marks: &[u8]| byte.is_some_and(|byte| marks.contains(&byte));
    laid.chars.iter().all(u8::is_ascii_hexdigit)
        || stands(site.before(laid.range.start), b"/\\#$@%&~^")
        || stands(site.byte(laid.range.end), b"/#$@%~^(=[{")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn in_small_letters_words_must_say_what_it_is() {
        assert_eq!(found("acupa7085r"), []);
        assert_eq!(found("PAN card: acupa7085r"), [(Kind::Pan, "acupa7085r")]);
        assert_eq!(found("PAN:ACUPA7085R, Delhi"), [(Kind::Pan, "ACUPA7085R")]);
        assert_eq!(found("pan=ACUPA7085R&x=1"), [(Kind::Pan, "ACUPA7085R")]);
    }

    #[test]
    fn what_looks_like_code_is_none() {
        for text in [
            "XACUPA7085R",
            "ACUPA7085RX",
            "ACUPA7085R-1",
            "ACU_ACUPA7085R",
            "part ACUPA7085R",
            "model: ACUPA7085R",
            "https://example.com/p/ACUPA7085R/x",
            "ACUPA7085R()",
            "ABCAE1234F",
            "#ACUPA7085R",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
