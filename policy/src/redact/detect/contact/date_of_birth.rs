//! Dates of birth.
//!
//! A date in any common form ([`dates`](crate::redact::detect::dates)); its label, or words
//! close to it in the same sentence, say that somebody was born then.

use std::ops::Range;

use crate::redact::detect::dates::{Form, date_at};
use crate::redact::detect::token::gap_after;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::DateOfBirth,
    start: Start::Digits { lengths: &[1, 2, 4, 8], before: &[Before::Clear] },
    after: &After::ALL,
    check,
    // ISO 8601's and the Unicode CLDR's orders of year, month and day.
    valid: ["1985-03-12", "12 March 1985"],
    invalid: ["1985-13-12", "12 Marsh 1985"],
    label: "date of birth",
    needs_words: true,
    words: WORDS,
    about: "a date",
    ..BASE
};

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "dob", "d o b", "date of birth", "dates of birth", "birth date", "birthdate", "birthday",
    "birth day", "bday", "born", "born on", "dateofbirth", "birth",
    // German, Dutch, Scandinavian, Finnish.
    "geburtsdatum", "geburtstag", "geboren", "geboren am", "geb", "geb datum", "geb am", "geburt",
    "geboortedatum", "geboren op", "verjaardag", "födelsedatum", "född", "fødselsdato", "født",
    "syntymäaika", "syntynyt", "syntymäpäivä",
    // French, Spanish, Portuguese, Italian, Romanian.
    "date de naissance", "naissance", "né le", "née le", "né e le", "nés le", "anniversaire",
    "fecha de nacimiento", "fecha nacimiento", "nacimiento", "nacido", "nacida", "nació",
    "cumpleaños", "data de nascimento", "nascimento", "nascido", "nascida", "nasceu", "aniversário",
    "data di nascita", "nascita", "nato il", "nata il", "nato", "nata", "data nașterii", "născut",
    "născută",
    // Polish, Czech, Slovak, Hungarian, Turkish, Greek, Russian, Ukrainian.
    "data urodzenia", "urodzenia", "urodzony", "urodzona", "urodził", "urodziła",
    "datum narození", "narozen", "narozena", "dátum narodenia", "születési dátum", "született",
    "születési idő", "doğum tarihi", "doğum günü", "doğdu", "ημερομηνία γέννησης", "γεννήθηκε",
    "дата рождения", "родился", "родилась", "день рождения", "дата народження",
    // Chinese, Japanese, Korean, Hindi, Arabic, Hebrew.
    "出生日期", "出生于", "出生年月", "出生", "生日", "生年月日", "誕生日", "生まれ", "생년월일", "생일",
    "출생", "जन्म तिथि", "जन्मतिथि", "जन्म", "تاريخ الميلاد", "תאריך לידה",
];

/// Bytes between the word and the date.
const BEFORE: usize = 40;
const AFTER: usize = 12;

fn check(site: &Site<'_>) -> Option<Hit> {
    let date = date_at(site)?;
    let rule = "date-of-birth";
    let hit = site.if_named(date.range.clone(), rule, Confidence::Context)?;
    let labelled = site.if_labelled(date.range.clone(), rule, Confidence::Context).is_some();
    let near = date.form != Form::Bare && is_said_of(site, hit.word?, &date.range);
    (labelled || near).then_some(hit)
}

/// True where the word stands in the same sentence, with no other number between.
fn is_said_of(site: &Site<'_>, word: &str, range: &Range<usize>) -> bool {
    if let Some(gap) = gap_after(site, word, range.start, BEFORE) {
        let parted = gap.windows(2).any(|two| matches!(two, [b'.' | b';' | b'!' | b'?', b' ']));
        // `d.o.b. 12/03/1985`, `geb. 12.03.1985`: that stop is the word's.
        let stop = gap.starts_with(b". ");
        return !gap.iter().any(u8::is_ascii_digit) && (stop || !parted);
    }
    let end = site.text.len().min(range.end + AFTER + word.len());
    let after = &site.text[range.end..end];
    after.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
        || word.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_many_forms_and_languages() {
        for (text, value) in [
            ("DOB: 03/12/1985", "03/12/1985"),
            ("D.O.B. 12.03.85,", "12.03.85"),
            ("She was born on March 12, 1985 in Rome", "March 12, 1985"),
            ("born in Paris on the 12th of March 1985", "12th of March 1985"),
            ("Geburtsdatum: 12. März 1985", "12. März 1985"),
            ("geb. am 12. 3. 1985", "12. 3. 1985"),
            ("née le 1er août 1985 à Lyon", "1er août 1985"),
            ("fecha de nacimiento: 12 de marzo de 1985", "12 de marzo de 1985"),
            ("nato il 12 marzo 1985", "12 marzo 1985"),
            ("родился 12 марта 1985", "12 марта 1985"),
            ("生年月日：1985年3月12日", "1985年3月12日"),
            ("1985年3月12日生まれ", "1985年3月12日"),
            ("생년월일 1985년 3월 12일", "1985년 3월 12일"),
            ("\"birthDate\": \"1985-03-12T00:00:00Z\"", "1985-03-12"),
            ("\"dob\":\"19850312\"", "19850312"),
            ("born 12-Mar-1985.", "12-Mar-1985"),
            ("x\\nMar. 12, 1985 (birthday)", "Mar. 12, 1985"),
        ] {
            assert_eq!(found(text), [(Kind::DateOfBirth, value)], "{text}");
        }
    }

    #[test]
    fn other_dates_are_none() {
        for text in [
            "1985-03-12",
            "He was born in Rome. On 12 March 1985 he left",
            "the birthday party was moved; meet 12 March 2025",
            "joined on 03/12/2019",
            "born 31/02/19855",
            "dob: 45/67/1985",
            "born in 1985",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        let first = found("born 12 March 1985, died 3 May 2010");
        assert_eq!(first, [(Kind::DateOfBirth, "12 March 1985")]);
    }
}
