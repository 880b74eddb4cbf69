//! Dates as people and programs write them, for the detectors that look for some of them.
//!
//! Whether a date exists is looked at only as far as its month has that many days. Which of two
//! numbers is the month is not decided: it is enough that one can be.

use std::ops::Range;

use super::checksum::{is_date, number};
use crate::redact::site::Site;

/// A date that was read.
pub(super) struct Date {
    pub(super) range: Range<usize>,
    pub(super) form: Form,
}

/// How sure its form makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With all four digits of its year, or with its month's name.
    Full,
    /// Numbers with a year of two digits: `12/03/85`.
    Short,
    /// Eight digits in one piece.
    Bare,
}

/// Years that dates are of, in what is written today.
const YEARS: std::ops::RangeInclusive<u32> = 1880..=2099;

/// The date whose first digits are the trigger.
pub(super) fn date_at(site: &Site<'_>) -> Option<Date> {
    let start = site.trigger.start;
    let digits = &site.text[site.trigger.clone()];
    let (range, form) = match digits.len() {
        8 => {
            let (month, day) = (number(&digits[4..6]), number(&digits[6..]));
            (is_year(&digits[..4]) && is_date(month, day)).then_some(())?;
            (start..site.trigger.end, Form::Bare)
        }
        4 if is_year(digits) => (start..year_first(site)?, Form::Full),
        1 | 2 => {
            let named = month_first(site).or_else(|| Some(start..day_first(site)?));
            if let Some(range) = named {
                (range, Form::Full)
            } else {
                let (end, form) = numeric(site)?;
                (start..end, form)
            }
        }
        _ => return None,
    };
    let timed = matches!(site.byte(range.end), Some(b'T'))
        && site.byte(range.end + 1).is_some_and(|byte| byte.is_ascii_digit());
    let alone = site.starts(range.start) && (site.ends(range.end) || timed);
    alone.then_some(Date { range, form })
}

fn is_year(digits: &[u8]) -> bool {
    digits.len() == 4 && YEARS.contains(&number(digits))
}

/// The digits at `at`, at most four.
fn digits<'a>(site: &Site<'a>, at: usize) -> Option<&'a [u8]> {
    if at >= site.text.len() {
        return None;
    }
    let end = site.run(at, 5, |byte| byte.is_ascii_digit());
    (at..at + 5).contains(&end).then(|| &site.text[at..end]).filter(|digits| !digits.is_empty())
}

/// `1985-03-12`, `1985年3月12日`, `1985 March 12`. Where it ends.
fn year_first(site: &Site<'_>) -> Option<usize> {
    let at = site.trigger.end;
    let rest = site.text.get(at..)?;
    for marks in [["年", "月", "日"], ["년 ", "월 ", "일"]] {
        if !rest.starts_with(marks[0].as_bytes()) {
            continue;
        }
        let month = digits(site, at + marks[0].len())?;
        let next = at + marks[0].len() + month.len();
        site.text[next..].starts_with(marks[1].as_bytes()).then_some(())?;
        let day = digits(site, next + marks[1].len())?;
        let end = next + marks[1].len() + day.len();
        let fits = month.len() < 3 && day.len() < 3 && is_date(number(month), number(day));
        let last = site.text[end..].starts_with(marks[2].as_bytes());
        return (fits && last).then_some(end + marks[2].len());
    }
    let mark = *rest.first().filter(|mark| b"-/. ".contains(mark))?;
    if let Some(length) = month_at(site, at + 1) {
        let next = at + 1 + length;
        (site.byte(next)? == mark).then_some(())?;
        let day = digits(site, next + 1).filter(|day| day.len() < 3)?;
        return is_date(1, number(day)).then_some(next + 1 + day.len());
    }
    let month = digits(site, at + 1).filter(|month| month.len() < 3 && mark != b' ')?;
    let next = at + 1 + month.len();
    (site.byte(next)? == mark).then_some(())?;
    let day = digits(site, next + 1).filter(|day| day.len() < 3)?;
    is_date(number(month), number(day)).then_some(next + 1 + day.len())
}

/// `12/03/1985`, `12. 3. 1985`, `12.03.85`. Where it ends.
fn numeric(site: &Site<'_>) -> Option<(usize, Form)> {
    let first = &site.text[site.trigger.clone()];
    let mark = site.byte(site.trigger.end).filter(|mark| b"-/.".contains(mark))?;
    let spaced = usize::from(mark == b'.' && site.byte(site.trigger.end + 1) == Some(b' '));
    let at = site.trigger.end + 1 + spaced;
    let second = digits(site, at).filter(|second| second.len() < 3)?;
    let next = at + second.len();
    (site.byte(next)? == mark && (spaced == 0 || site.byte(next + 1)? == b' ')).then_some(())?;
    let year = digits(site, next + 1 + spaced)?;
    let (a, b) = (number(first), number(second));
    if !is_date(a, b) && !is_date(b, a) {
        return None;
    }
    let end = next + 1 + spaced + year.len();
    match year.len() {
        4 => is_year(year).then_some((end, Form::Full)),
        2 => Some((end, Form::Short)),
        _ => None,
    }
}

/// `12 March 1985`, `12. März 1985`, `12 de marzo de 1985`, `12-Mar-85`. Where it ends.
fn day_first(site: &Site<'_>) -> Option<usize> {
    let at = after_day(site, site.trigger.end);
    let at = skip(site, at, &[" de ", " of ", ". ", " ", "-", "/", "."])?;
    let at = at + month_at(site, at)?;
    let at = skip(site, at, &[" de ", " del ", ", ", ". ", " ", "-", "/", "."])?;
    year(site, at)
}

/// `March 12, 1985`, `Mar 12th 1985`.
fn month_first(site: &Site<'_>) -> Option<Range<usize>> {
    let day = site.trigger.start;
    let mut end = day.checked_sub(1).filter(|at| matches!(site.text[*at], b' ' | b'-'))?;
    end -= usize::from(site.before(end) == Some(b'.'));
    let window = &site.text[end.saturating_sub(24)..end];
    // `这是May 20`: the name may follow letters that are none of its own.
    let ascii: fn(&u8) -> bool = u8::is_ascii_alphabetic;
    let any: fn(&u8) -> bool = |byte| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let start = [ascii, any].into_iter().find_map(|is_letter| {
        let length = window.iter().rev().take_while(|byte| is_letter(byte)).count();
        let escaped = length > 0 && site.before(end - length + 1) == Some(b'\n');
        let start = end - length + usize::from(escaped);
        (month_at(site, start)? == end - start).then_some(start)
    })?;
    let at = after_day(site, site.trigger.end);
    let at = skip(site, at, &[", ", " de ", " of ", " ", "-", ","])?;
    Some(start..year(site, at)?)
}

/// After `12`, `12th`, `1er`.
fn after_day(site: &Site<'_>, at: usize) -> usize {
    let rest = &site.text[at..];
    let ordinal = ["st", "nd", "rd", "th", "er", "º", "ª"]
        .into_iter()
        .find(|ordinal| rest.starts_with(ordinal.as_bytes()));
    at + ordinal.map_or(0, str::len)
}

fn skip(site: &Site<'_>, at: usize, marks: &[&str]) -> Option<usize> {
    let rest = site.text.get(at..)?;
    let mark = marks.iter().find(|mark| rest.starts_with(mark.as_bytes()))?;
    Some(at + mark.len())
}

/// A year at `at`: where it ends.
fn year(site: &Site<'_>, at: usize) -> Option<usize> {
    let at = at + usize::from(site.byte(at) == Some(b'\''));
    let year = digits(site, at)?;
    (is_year(year) || year.len() == 2).then_some(at + year.len())
}

/// The length of the month's name at `at`.
fn month_at(site: &Site<'_>, at: usize) -> Option<usize> {
    let end = site.run(at, 24, |byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    let word = site.text.get(at..end).filter(|word| word.len() > 2)?;
    let known = MONTHS.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word));
    known.then_some(word.len())
}

/// Names of months and their short forms, in the case in which dates have them.
#[rustfmt::skip]
const MONTHS: &[&str] = &[
    // English.
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep",
    "sept", "oct", "nov", "dec",
    // German, Dutch, Scandinavian.
    "januar", "jänner", "februar", "märz", "mai", "juni", "juli", "oktober", "dezember", "mär",
    "okt", "dez", "januari", "februari", "maart", "mei", "augustus", "mrt", "mars", "maj",
    "augusti", "marts", "desember",
    // French, Spanish, Italian, Portuguese, Romanian.
    "janvier", "février", "fevrier", "avril", "juin", "juillet", "août", "aout", "septembre",
    "octobre", "novembre", "décembre", "decembre", "janv", "févr", "avr", "juil", "déc",
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "setiembre", "octubre", "noviembre", "diciembre", "ene", "abr", "ago", "dic",
    "gennaio", "febbraio", "aprile", "maggio", "giugno", "luglio", "settembre", "ottobre",
    "dicembre", "gen", "mag", "giu", "lug", "set", "ott",
    "janeiro", "fevereiro", "março", "maio", "junho", "julho", "setembro", "outubro", "novembro",
    "dezembro", "fev", "out", "ianuarie", "februarie", "martie", "aprilie", "iunie", "iulie",
    "septembrie", "octombrie", "noiembrie", "decembrie",
    // Polish, Czech, Turkish, Finnish.
    "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września",
    "października", "listopada", "grudnia", "ledna", "února", "března", "dubna", "května",
    "června", "července", "srpna", "září", "října", "listopadu", "prosince", "ocak", "şubat",
    "mart", "nisan", "mayıs", "haziran", "temmuz", "ağustos", "eylül", "ekim", "kasım", "aralık",
    "tammikuuta", "helmikuuta", "maaliskuuta", "huhtikuuta", "toukokuuta", "kesäkuuta",
    "heinäkuuta", "elokuuta", "syyskuuta", "lokakuuta", "marraskuuta", "joulukuuta",
    // Russian, Ukrainian.
    "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября",
    "октября", "ноября", "декабря", "січня", "лютого", "березня", "квітня", "травня", "червня",
    "липня", "серпня", "вересня", "жовтня", "листопада", "грудня",
];
