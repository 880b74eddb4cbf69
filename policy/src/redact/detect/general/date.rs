//! Dates of any kind, with the month in digits or by its name. Off by default.
//!
//! Eight digits in one piece are none: too much else has them.

use crate::redact::detect::dates::{Form, date_at};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Date,
    start: Start::Digits { lengths: &[1, 2, 4], before: &[Before::Clear] },
    after: &After::ALL,
    check,
    // ISO 8601's order, and the Unicode CLDR's for English.
    valid: ["2024-05-20", "May 20, 2024"],
    invalid: ["2024-05-32", "20 Mayor 2024"],
    about: "month and day exist",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let date = date_at(site)?;
    let slash = |byte: Option<u8>| byte == Some(b'/');
    let in_path = slash(site.before(date.range.start)) || slash(site.byte(date.range.end));
    let short = date.form == Form::Short && !site.text[date.range.clone()].contains(&b'/');
    if in_path || short || date.form == Form::Bare {
        return None;
    }
    Some(Hit::sure(date.range, "date", Confidence::Shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::{found, found_with};

    #[test]
    fn it_is_found_where_it_is_asked_for() {
        for (text, value) in [
            ("on 20/05/2024 at 12:30", "20/05/2024"),
            ("5/20/24", "5/20/24"),
            ("2024-05-20T21:03:42Z", "2024-05-20"),
            ("le 1er août 1985", "1er août 1985"),
            ("2024年5月20日", "2024年5月20日"),
        ] {
            assert_eq!(found_with(Kind::Date, text), [(Kind::Date, value)], "{text}");
            assert_eq!(found(text), [], "{text}");
        }
        for text in ["v2.10.24", "2024.13.40", "/2024/05/20/x", "20240520", "1-2-3", "12.3.85"] {
            assert_eq!(found_with(Kind::Date, text), [], "{text}");
        }
    }
}
