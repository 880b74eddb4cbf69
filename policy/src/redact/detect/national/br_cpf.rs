//! Brazilian tax numbers of persons (cadastro de pessoas físicas).
//!
//! Nine digits and two that check them modulo 11
//! (<https://pt.wikipedia.org/wiki/Cadastro_de_Pessoas_F%C3%ADsicas>). Written `390.533.447-05` it is
//! found as it stands, otherwise only where named.

use super::layout;
use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Cpf,
    start: Start::Digits { lengths: &[3, 9, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    // python-stdnum's example, and one of Brazilian textbooks.
    valid: ["390.533.447-05", "111.444.777-35"],
    // A wrong check digit; one digit over and over, which passes.
    invalid: ["390.533.447-06", "111.111.111-11"],
    words: &[
        "cpf",
        "cpf no",
        "cpf number",
        "cadastro de pessoas físicas",
        "cadastro de pessoas fisicas",
        "cadastro de pessoa física",
        "cadastro de pessoa fisica",
        "pessoa física",
        "pessoa fisica",
    ],
    about: "two check digits; without its marks only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = [
        "999.999.999-99",
        "999 999 999 99",
        "999-999-999-99",
        "999.999.999.99",
        "999 999 999-99",
        "999999999-99",
        "99999999999",
    ];
    let laid = layout::read::<11>(site, site.trigger.start, &layouts)?;
    if is_uniform(&laid.chars) || !is_checked(&laid.chars) {
        return None;
    }
    if laid.layout == 0 {
        return Some(Hit::sure(laid.range, "br-cpf", Confidence::Checksum));
    }
    site.if_named(laid.range, "br-cpf", Confidence::Checksum)
}

fn is_checked(digits: &[u8; 11]) -> bool {
    let fits = |count: usize, weights: &[u32]| {
        let rest = weighted(&digits[..count], weights) * 10 % 11 % 10;
        rest == u32::from(digits[count] - b'0')
    };
    fits(9, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) && fits(10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_its_marks_words_must_say_what_it_is() {
        assert_eq!(found("39053344705, 390533447-05"), []);
        for value in ["39053344705", "390533447-05", "390 533 447 05"] {
            assert_eq!(found(&format!("Meu CPF é {value}.")), [(Kind::Cpf, value)]);
        }
        assert_eq!(found("{\"cpf\":\"39053344705\"}"), [(Kind::Cpf, "39053344705")]);
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in ["1.390.533.447-05", "390.533.447-05-1", "390.533.447-051", "390.533.447-05.1"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
