//! The detectors: one file each, with its shape, its validator, the words that help it, the
//! source of its rule, and examples.
//!
//! To add one: write its file in the folder of its domain, list it in [`DETECTORS`]. The examples
//! are part of the type, and one test here runs those of every detector; the table in the docs is
//! made from the same.

pub(super) mod checksum;
mod contact;
mod dates;
mod finance;
mod general;
mod national;
mod network;
mod secret;
mod token;

use super::kind::Kind;
use super::site::{Hit, Site};

/// Every detector. Its place here is its bit in the prefilter's and the vocabulary's tables.
pub(super) static DETECTORS: &[&Detector] = &[
    // contact
    &contact::email::DETECTOR,
    &contact::phone::DETECTOR,
    &contact::phone_us::DETECTOR,
    &contact::phone_national::DETECTOR,
    &contact::date_of_birth::DETECTOR,
    // finance
    &finance::credit_card::DETECTOR,
    &finance::iban::DETECTOR,
    &finance::crypto_wallet::DETECTOR,
    &finance::bank_account::DETECTOR,
    &finance::sort_code::DETECTOR,
    &finance::aba_routing::DETECTOR,
    &finance::swift_bic::DETECTOR,
    // network
    &network::ip_v4::DETECTOR,
    &network::ip_v6::DETECTOR,
    &network::mac::DETECTOR,
    &network::imei::DETECTOR,
    &network::vin::DETECTOR,
    // national
    &national::us_ssn::DETECTOR,
    &national::uk_nino::DETECTOR,
    &national::uk_driving_licence::DETECTOR,
    &national::uk_nhs::DETECTOR,
    &national::ie_ppsn::DETECTOR,
    &national::it_codice_fiscale::DETECTOR,
    &national::fr_nir::DETECTOR,
    &national::fi_hetu::DETECTOR,
    &national::se_personnummer::DETECTOR,
    &national::dk_cpr::DETECTOR,
    &national::no_fodselsnummer::DETECTOR,
    &national::de_steuer_id::DETECTOR,
    &national::nl_bsn::DETECTOR,
    &national::be_national_number::DETECTOR,
    &national::ch_ahv::DETECTOR,
    &national::es_dni::DETECTOR,
    &national::pt_nif::DETECTOR,
    &national::pl_pesel::DETECTOR,
    &national::cz_rodne_cislo::DETECTOR,
    &national::ro_cnp::DETECTOR,
    &national::bg_egn::DETECTOR,
    &national::hr_oib::DETECTOR,
    &national::tr_tckn::DETECTOR,
    &national::us_itin::DETECTOR,
    &national::us_ein::DETECTOR,
    &national::us_npi::DETECTOR,
    &national::us_mbi::DETECTOR,
    &national::us_dea::DETECTOR,
    &national::ca_sin::DETECTOR,
    &national::in_pan::DETECTOR,
    &national::in_aadhaar::DETECTOR,
    &national::in_gstin::DETECTOR,
    &national::in_voter_id::DETECTOR,
    &national::br_cpf::DETECTOR,
    &national::br_cnpj::DETECTOR,
    &national::mx_curp::DETECTOR,
    &national::ar_cuit::DETECTOR,
    &national::cl_rut::DETECTOR,
    &national::au_tfn::DETECTOR,
    &national::au_abn::DETECTOR,
    &national::au_medicare::DETECTOR,
    &national::sg_nric::DETECTOR,
    &national::hk_hkid::DETECTOR,
    &national::jp_my_number::DETECTOR,
    &national::kr_rrn::DETECTOR,
    &national::cn_id::DETECTOR,
    &national::th_id::DETECTOR,
    &national::za_id::DETECTOR,
    &national::il_id::DETECTOR,
    &national::passport::DETECTOR,
    &national::driving_licence::DETECTOR,
    // secret
    &secret::jwt::DETECTOR,
    &secret::private_key::DETECTOR,
    &secret::api_key::DETECTOR,
    &secret::auth_header::DETECTOR,
    &secret::password::DETECTOR,
    &secret::named_secret::DETECTOR,
    &secret::url_credentials::DETECTOR,
    &secret::webhook_url::DETECTOR,
    // general
    &general::url::DETECTOR,
    &general::date::DETECTOR,
    &general::uuid::DETECTOR,
    &general::hash::DETECTOR,
    &general::zip::DETECTOR,
];

/// A way to find one kind of value.
pub(super) struct Detector {
    pub(super) kind: Kind,
    /// What must stand in a text before the detector is asked at all.
    pub(super) start: Start,
    /// What must come after a run of digits, where that is its trigger.
    pub(super) after: &'static [After],
    /// Least and most characters of the word that a run of digits must be the first in, where it is
    /// its trigger.
    pub(super) word: (u8, u8),
    /// Decides about one trigger. Looks at a bounded part of the text around it.
    pub(super) check: fn(&Site<'_>) -> Option<Hit>,
    /// True for one that is asked about whole values too, by the name before them: the key of a
    /// JSON string, the header of a column. The value is then its text and its trigger.
    pub(super) by_name: bool,
    /// Words that name the kind, for [`Site::said`]: lower case, single spaces, any language.
    pub(super) words: &'static [&'static str],
    /// True for one that finds nothing without a word: it is asked only where one stands.
    pub(super) needs_words: bool,
    /// Words that are not among `words` and yet let it find something.
    pub(super) wakes: &'static [&'static str],
    /// Words that speak against it, besides those that speak against every shape.
    pub(super) against: &'static [&'static str],
    /// How it is validated, in half a line, for the table in the docs.
    pub(super) about: &'static str,
    /// A label under which the examples are found; empty where they are found without one. With
    /// a label, they must not be found without.
    pub(super) label: &'static str,
    /// Values that must be found, whole, in a sentence. Of one with `⟦` and `⟧` what stands
    /// between them must be; the marks are no part of the text.
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are what the tests run"))]
    pub(super) valid: [&'static str; 2],
    /// Values of nearly the same shape that must not.
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are what the tests run"))]
    pub(super) invalid: [&'static str; 2],
}

/// A word of any length, or none.
pub(super) const ANY_WORD: (u8, u8) = (0, u8::MAX);

/// What most detectors have in common.
pub(super) const BASE: Detector = Detector {
    kind: Kind::Url,
    start: Start::AtSign,
    after: &After::MOST,
    word: ANY_WORD,
    check: |_| None,
    by_name: false,
    words: &[],
    needs_words: false,
    wakes: &[],
    against: &[],
    about: "",
    label: "",
    valid: [""; 2],
    invalid: [""; 2],
};

/// What makes a detector look.
pub(super) enum Start {
    /// An `@`.
    AtSign,
    /// One of these literals, of at least three bytes each.
    Literals(&'static [&'static str]),
    /// One of these words of ASCII letters, of at least three, in lower, upper or title case.
    Words(&'static [&'static str]),
    /// A whole run of ASCII digits.
    Digits {
        /// How many digits; 20 stands for 20 and more.
        lengths: &'static [u8],
        /// What stands before the first.
        before: &'static [Before],
    },
}

/// What stands before a run of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing that the number could be a part of.
    Clear,
    /// A plus sign.
    Plus,
    /// An ASCII letter.
    Letter,
    /// `.`, `-` or `_`, which join numbers and words.
    Joint,
}

/// What comes after a run of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing that goes on with the number.
    Clear,
    /// A space of any kind or a line end, then a digit or a bracket.
    Space,
    /// A space, then a letter.
    Word,
    /// A hyphen of any kind, then a letter or digit.
    Dash,
    /// A full stop, then a letter or digit.
    Dot,
    /// Another sign that may join groups: `/ ( ) +`.
    Sign,
    /// An ASCII letter.
    Letter,
    /// A colon, as in times and hardware addresses.
    Colon,
}

impl After {
    /// How many there are.
    pub(super) const COUNT: usize = 8;
    /// Any: for values that go on in ways of their own, or whose end is the trigger.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Clear,
        Self::Space,
        Self::Word,
        Self::Dash,
        Self::Dot,
        Self::Sign,
        Self::Letter,
        Self::Colon,
    ];
    /// All but the colon, after which few numbers go on.
    pub(super) const MOST: [Self; 7] =
        [Self::Clear, Self::Space, Self::Word, Self::Dash, Self::Dot, Self::Sign, Self::Letter];
    /// After a number in one piece.
    pub(super) const BARE: [Self; 4] = [Self::Clear, Self::Space, Self::Word, Self::Sign];

    /// Of the text after a run.
    pub(super) const fn of(rest: &[u8]) -> Self {
        match rest {
            [b'A'..=b'Z' | b'a'..=b'z', ..] => Self::Letter,
            [b' ' | b'\n' | b'\r' | b'\t', next, ..] => match next {
                b'A'..=b'Z' | b'a'..=b'z' => Self::Word,
                b'0'..=b'9' | b'(' | b' ' | b'\n' | b'-' | b'\t' => Self::Space,
                _ => Self::Clear,
            },
            [0xC2, 0xA0, ..] | [0xE2, 0x80, 0xAF, ..] => Self::Space,
            [b'-', next, ..] if next.is_ascii_alphanumeric() => Self::Dash,
            [0xE2, 0x80, 0x90..=0x95, ..] => Self::Dash,
            [b'.', next, ..] if next.is_ascii_alphanumeric() => Self::Dot,
            [b':', ..] => Self::Colon,
            [b'/' | b'(' | b')' | b'+', ..] => Self::Sign,
            _ => Self::Clear,
        }
    }
}

impl Before {
    pub(super) const fn of(byte: Option<u8>) -> Self {
        match byte {
            Some(b'+') => Self::Plus,
            Some(b'.' | b'-' | b'_') => Self::Joint,
            Some(b'A'..=b'Z' | b'a'..=b'z') => Self::Letter,
            _ => Self::Clear,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::redact::{Engine, Mode, Modes};

    /// What is found in a text by default, by kind and characters.
    pub(in crate::redact) fn found(text: &str) -> Vec<(Kind, &str)> {
        found_by(&Engine::new(Modes::all(Mode::Detect)), text)
    }

    /// The same with one more kind looked for, which by default is not.
    pub(in crate::redact) fn found_with(kind: Kind, text: &str) -> Vec<(Kind, &str)> {
        found_by(&Engine::new(Modes::all(Mode::Detect).with(kind, Mode::Detect)), text)
    }

    fn found_by<'a>(engine: &Engine, text: &'a str) -> Vec<(Kind, &'a str)> {
        let matches = engine.find(text, None);
        matches.into_iter().map(|found| (found.kind, &text[found.range])).collect()
    }

    #[test]
    fn every_detector_tells_its_examples_apart() {
        for detector in DETECTORS {
            assert!(!detector.about.is_empty(), "{}", detector.kind);
            let label = detector.label;
            let engine = Engine::new(Modes::all(Mode::Detect).with(detector.kind, Mode::Detect));
            for value in detector.valid {
                let texts = if label.is_empty() {
                    vec![
                        value.to_owned(),
                        format!("It is {value}, as agreed."),
                        format!("It is {value}. As agreed."),
                        format!("这是{value}。"),
                        format!("{{\"x\":\"{value}\"}}"),
                        format!("line\\n{value}\\nline"),
                    ]
                } else {
                    vec![
                        format!("{label}: {value}"),
                        format!("My {label} is {value}, as agreed."),
                        format!("{{\"{}\":\"{value}\"}}", label.replace(' ', "_")),
                        format!("name,{label},city\nAnn,{value},Rome"),
                        format!("{value} ({label})"),
                    ]
                };
                let marked = value.split_once('⟦').and_then(|(_, rest)| rest.split_once('⟧'));
                let value = marked.map_or(value, |(inside, _)| inside);
                for text in texts {
                    let text = text.replace(['⟦', '⟧'], "");
                    let found = found_by(&engine, &text);
                    assert_eq!(found, [(detector.kind, value)], "{text}");
                }
                if !label.is_empty() {
                    let text = format!("It is {value}, as agreed.");
                    let found = found_by(&engine, &text);
                    assert!(!found.contains(&(detector.kind, value)), "{text}");
                }
            }
            for value in detector.invalid {
                let text = format!("{label} It is {value}, as agreed.");
                let found: Vec<_> = found_by(&engine, &text)
                    .into_iter()
                    .filter(|(kind, _)| *kind == detector.kind)
                    .collect();
                assert_eq!(found, [], "{text}");
            }
        }
    }

    #[test]
    fn what_agents_send_all_day_is_not_personal() {
        for text in [
            "call_4111111111111111 call_Wc4YkTz0rDfQ2bXn9sVhLmEa",
            "toolu_01A09q90qw90lq917835lq9 msg_01XFDUDYJgAACzvnptvVoYEL",
            "chatcmpl-9mQ4rT7yU1iO3pA5sD8fG0hJ resp_68af4030592c81938ec0a5fbab4a3e9f",
            "req_011CSHoEeqs5C35K2UUqR7Fy asst_abc123abc123 thread_4111111111111111",
            "550e8400-e29b-41d4-a716-446655440000 4111f8e2-4111-4111-8111-411111111111",
            "commit 83a6f36bb3457dfdc4e4bb3aa1c7e4eb6e6a2f5d (abc1234, 4111111)",
            "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "1716239022 1716239022123 1716239022123456 1716239022123456789",
            "1793456789012345678 611111111111111111 412345678901234567",
            "2024-05-20T21:03:42.123456+02:00 20240520210342",
            "v1.2.3.4 version 10.2.3.4 Chrome/120.0.6099.71 pkg==1.2.3.4 lodash@4.17.21",
            "firmware version: 5.8.12.3, driver release 31.0.15.3623",
            "127.0.0.1 10.1.2.3 192.168.1.1 172.16.9.9 255.255.255.0 0.0.0.255 ::1 fe80::1",
            "192.0.2.7 198.51.100.7 203.0.113.7 2001:db8::7 169.254.169.254 224.0.0.251",
            "1.3.6.1.4.1.311 12:30:45 3.14159265358979 1,234,567,890",
            "git@github.com:rust-lang/rust.git @types/node@18.2.0 icon@2x.png actions/checkout@v4",
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
            "task-1234567890123456789012 risk-management disk-usage sk-your-api-key-goes-here",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx hf_hub_download npm_config_registry",
            "if text.startswith(\"-----BEGIN PRIVATE KEY-----\"): return",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----",
            "eyJub3QiOiJhIGp3dCJ9 eyJhIjoxfQ.eyJiIjoyfQ.c2ln",
            "2019 2020 2021 2022 4000 4100 4200 4300 1000 2000",
            "+0100 +1.5 a+12345678901 +1234 ++1415555 x=+42",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
