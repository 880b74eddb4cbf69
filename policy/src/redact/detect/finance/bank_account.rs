//! Numbers of bank accounts in their national forms.
//!
//! Six to twenty-six digits, at most grouped, and nothing else that they have in common: which
//! lengths occur is summed up in <https://en.wikipedia.org/wiki/Bank_account#Account_numbers> and
//! the registry of ISO 13616. Only words make such a number one; for a word as plain as
//! `account` it must stand right before. Mexico's CLABE is checked as its bankers' association
//! says (<https://en.wikipedia.org/wiki/CLABE>).

use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::token::{Plain, continues, gap_after, is_bare};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::BankAccount,
    start: Start::Digits {
        lengths: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20],
        before: &[Before::Clear],
    },
    check,
    // The account numbers in the IBAN registry's examples of Germany and the United Kingdom.
    valid: ["0532013000", "31926819"],
    invalid: ["05320", "0532013000.5"],
    label: "account number",
    needs_words: true,
    wakes: &PLAIN,
    words: &WORDS,
    against: &["blz", "bankleitzahl", "bank code", "branch code", "code banque", "code guichet"],
    about: "length; CLABE's checksum",
    ..BASE
};

#[rustfmt::skip]
const WORDS: [&str; 78] = [
    "account number", "account numbers", "account no", "account num", "account nr", 
    "accountnumber", "accountno", "acct number", "acct no", "acct num", "acctno", "acc no",
    "acc number", "a c no", "a c number", "bank account", "bank account number",
    "bank acct", "checking account", "savings account", "current account",
    "deposit account", "beneficiary account", "nuban", "clabe",
    // German, Dutch, Scandinavian, Finnish.
    "kontonummer", "kontonr", "konto nr", "bankkonto", "bankverbindung", "rekeningnummer",
    "bankrekening", "bankrekeningnummer", "kontonummeret", "tilinumero", "pankkitili",
    // French, Spanish, Portuguese, Italian.
    "numéro de compte", "numero de compte", "compte bancaire", "n° de compte", "compte n",
    "número de cuenta", "numero de cuenta", "nº de cuenta", "n° de cuenta", "cuenta bancaria",
    "cuenta corriente", "cuenta de ahorros", "número da conta", "numero da conta",
    "conta corrente", "conta bancária", "conta bancaria", "conta poupança", "conto corrente",
    "numero di conto", "numero conto", "conto bancario", "n° di conto",
    // Polish, Czech, Hungarian, Turkish, Russian.
    "numer konta", "numer rachunku", "číslo účtu", "bankszámlaszám", "számlaszám",
    "hesap no", "hesap numarası", "banka hesabı", "номер счета", "номер счёта",
    "расчетный счет", "расчётный счёт", "банковский счет", "лицевой счет",
    // Chinese, Japanese, Korean.
    "银行账号", "银行账户", "銀行帳號", "口座番号", "계좌번호",
];

/// Words so plain that they count only right before the number, and in no longer label.
const PLAIN: [&str; 9] =
    ["account", "acct", "checking", "savings", "konto", "rekening", "cuenta", "compte", "conto"];

/// Digits of the shortest, under a label and elsewhere, and of the longest.
const LABELLED: usize = 6;
const SHORTEST: usize = 7;
const LONGEST: usize = 26;

const RULE: &str = "bank-account";

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let end = grouped(site)?;
    let number = Plain::<LONGEST>::read(&site.text[start..end])?;
    let digits = number.bytes();
    if digits.len() < LABELLED || is_uniform(digits) {
        return None;
    }
    let range = start..end;
    let Some(hit) = site.if_named(range.clone(), RULE, Confidence::Context) else {
        // Twelve digits after `account` are a cloud's customer.
        let fits = digits.len() > SHORTEST && digits.len() != 12 && is_after_plain(site, start);
        return fits.then(|| site.unless_denied(range, RULE, Confidence::Context)).flatten();
    };
    if hit.word == Some("clabe") {
        return is_clabe(digits).then_some(Hit { confidence: Confidence::Checksum, ..hit });
    }
    let labelled = site.if_labelled(range, RULE, Confidence::Context).is_some();
    (labelled || (digits.len() >= SHORTEST && !is_moment(digits))).then_some(hit)
}

fn is_after_plain(site: &Site<'_>, start: usize) -> bool {
    PLAIN.iter().any(|word| gap_after(site, word, start, 6).is_some_and(is_bare))
}

/// Groupings that are one account's although some groups are long: Spain's and Poland's.
const NATIONAL: [&[usize]; 2] = [&[4, 4, 2, 10], &[2, 4, 4, 4, 4, 4, 4]];

/// Where the groups of digits end that start with the trigger.
fn grouped(site: &Site<'_>) -> Option<usize> {
    let first = site.trigger.clone();
    if continues(site, first.start) {
        return None;
    }
    let mark = site.byte(first.end).filter(|mark| matches!(mark, b' ' | b'-'));
    let mut end = first.end;
    let mut sizes = [first.len(), 0, 0, 0, 0, 0, 0];
    for size in &mut sizes[1..] {
        let next = site.run(end + 1, LONGEST + 1, |byte| byte.is_ascii_digit());
        if mark.is_none() || site.byte(end) != mark || next <= end + 1 {
            break;
        }
        *size = next - end - 1;
        end = next;
    }
    let groups = sizes.iter().position(|size| *size == 0).unwrap_or(sizes.len());
    let longest = sizes.iter().max().copied().unwrap_or_default();
    // Spaces part numbers too: groups of an account are short.
    if mark == Some(b' ') && groups > 1 && longest > 4 && !NATIONAL.contains(&&sizes[..groups]) {
        let alone = first.len() >= LABELLED && site.ends(first.end);
        return alone.then_some(first.end);
    }
    let is_date = matches!(sizes, [4, 1 | 2, 1 | 2, 0, ..] | [1 | 2, 1 | 2, 4, 0, ..]);
    (site.ends(end) && !is_date).then_some(end)
}

/// A date, or a time in seconds or milliseconds.
fn is_moment(digits: &[u8]) -> bool {
    match digits.len() {
        8 => matches!(digits, [b'1', b'9', ..] | [b'2', b'0', ..]),
        10 | 13 => matches!(digits, [b'1', b'6' | b'7', ..]),
        14 => digits.starts_with(b"20"),
        _ => false,
    }
}

/// The last digit completes the others, weighted 3, 7, 1 modulo ten each, to a multiple of ten.
fn is_clabe(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 18] = [3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1];
    digits.len() == 18 && weighted(digits, &WEIGHTS).is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_named_in_many_languages() {
        for (text, value) in [
            ("Kontonummer: 1234567890", "1234567890"),
            ("n° de compte 00123456789", "00123456789"),
            ("please pay into my bank account 000-123456-7", "000-123456-7"),
            ("sort code 20-00-00, account 55779911", "55779911"),
            ("a/c no. 3200 1234 5678", "3200 1234 5678"),
            ("\"acct\": \"70872490\"", "70872490"),
            ("CLABE 032180000118359719", "032180000118359719"),
            ("銀行帳號：123456789", "123456789"),
            ("número de cuenta: 2100 0418 45 0200051332", "2100 0418 45 0200051332"),
            ("numer rachunku 61 1090 1014 0000 0712 1981 2874", "61 1090 1014 0000 0712 1981 2874"),
        ] {
            assert!(found(text).contains(&(Kind::BankAccount, value)), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "5532013001",
            "accountId: 55320130",
            "account: 123456789012",
            "the account was closed after 12345678 calls",
            "account number changed on 20240520",
            "account number changed on 2024-05-20",
            "the account number was 12345",
            "CLABE 032180000118359718",
            "Bankleitzahl 37040044",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
