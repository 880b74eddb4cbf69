//! Brazilian tax numbers of companies (cadastro nacional da pessoa jurídica).
//!
//! Twelve characters and two digits that check them modulo 11. Since July 2026 new numbers hold
//! capital letters, too, each of which counts what its ASCII code is above that of `0`
//! (<https://www.gov.br/receitafederal/pt-br/acesso-a-informacao/acoes-e-programas/programas-e-atividades/cnpj-alfanumerico>).
//! Written `16.727.230/0001-97` it is found as it stands; digits alone only where named, and with
//! letters only in that form.

use super::layout;
use crate::redact::detect::checksum::is_uniform;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Cnpj,
    start: Start::Digits { lengths: &[2, 14], before: &[Before::Clear, Before::Joint] },
    after: &After::ALL,
    check,
    // python-stdnum's example, and the tax authority's of the new form.
    valid: ["16.727.230/0001-97", "12.ABC.345/01DE-35"],
    // Wrong check digits.
    invalid: ["16.727.230/0001-98", "12.ABC.345/01DE-36"],
    words: &[
        "cnpj",
        "cnpj no",
        "cnpj number",
        "cadastro nacional da pessoa jurídica",
        "cadastro nacional da pessoa juridica",
        "pessoa jurídica",
        "pessoa juridica",
        "cgc",
    ],
    about: "two check digits; without its marks only where named",
    ..BASE
};

/// The length before the two digits that it ends with, and where the slash is.
const BEFORE: usize = 16;
const SLASH: usize = 10;

fn check(site: &Site<'_>) -> Option<Hit> {
    let is_bare = site.trigger.len() == 14;
    let start = if is_bare {
        site.trigger.start
    } else {
        // The end is looked for, since the start may be letters.
        let start = site.trigger.start.checked_sub(BEFORE)?;
        (site.byte(start + SLASH)? == b'/').then_some(start)?
    };
    let layouts = ["XX.XXX.XXX/XXXX-99", "99999999999999"];
    if !site.starts(start) {
        return None;
    }
    let laid = layout::read::<14>(site, start, &layouts)?;
    if is_uniform(&laid.chars) || !is_checked(&laid.chars) {
        return None;
    }
    if is_bare {
        site.if_named(laid.range, "br-cnpj", Confidence::Checksum)
    } else {
        Some(Hit::sure(laid.range, "br-cnpj", Confidence::Checksum))
    }
}

fn is_checked(chars: &[u8; 14]) -> bool {
    // From the right, the weights are 2 to 9 over and over.
    let fits = |count: usize| {
        let weights = (2..=9).cycle();
        let sum: u32 =
            chars[..count].iter().rev().zip(weights).map(|(c, w)| u32::from(c - b'0') * w).sum();
        (11 - sum % 11) % 11 % 10 == u32::from(chars[count] - b'0')
    };
    fits(12) && fits(13)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_its_marks_words_must_say_what_it_is() {
        assert_eq!(found("16727230000197 12ABC34501DE35"), []);
        assert_eq!(found("CNPJ: 16727230000197"), [(Kind::Cnpj, "16727230000197")]);
        assert_eq!(found("{\"cnpj\":\"16727230000197\"}"), [(Kind::Cnpj, "16727230000197")]);
    }

    #[test]
    fn it_is_no_part_of_something_longer() {
        for text in [
            "116.727.230/0001-97",
            "x.16.727.230/0001-97",
            "16.727.230/0001-971",
            "16.727.230/0001-97-1",
            "16.727.230-0001-97",
            "00.000.000/0000-00",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("日本16.727.230/0001-97"), [(Kind::Cnpj, "16.727.230/0001-97")]);
    }
}
