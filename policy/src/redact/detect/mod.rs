//! The detectors: one file each, with its shape, its validator, the words that help it, the
//! source of its rule, and examples.
//!
//! To add one: write its file in the folder of its domain, list it in [`DETECTORS`]. The examples
//! are part of the type, and one test here runs those of every detector; the table in the docs is
//! made from the same.

mod checksum;
mod contact;
mod finance;
mod national;
mod network;
mod secret;

use super::kind::Kind;
use super::site::{Hit, Site};

/// Every detector. Its place here is its bit in the prefilter's and the vocabulary's tables.
pub(super) static DETECTORS: &[&Detector] = &[
    // contact
    &contact::email::DETECTOR,
    &contact::phone::DETECTOR,
    // finance
    &finance::credit_card::DETECTOR,
    &finance::iban::DETECTOR,
    // network
    &network::ip_v4::DETECTOR,
    &network::ip_v6::DETECTOR,
    // national
    &national::us_ssn::DETECTOR,
    // secret
    &secret::jwt::DETECTOR,
    &secret::private_key::DETECTOR,
    &secret::api_key::DETECTOR,
    &secret::auth_header::DETECTOR,
    &secret::auth_header::DETECTOR,
    &secret::password::DETECTOR,
    &secret::named_secret::DETECTOR,
    &secret::url_credentials::DETECTOR,
    &secret::webhook_url::DETECTOR,
];

/// A way to find one kind of value.
pub(super) struct Detector {
    pub(super) kind: Kind,
    /// What must stand in a text before the detector is asked at all.
    pub(super) start: Start,
    /// Decides about one trigger. Looks at a bounded part of the text around it.
    pub(super) check: fn(&Site<'_>) -> Option<Hit>,
    /// Words that name the kind, for [`Site::said`]: lower case, single spaces, any language.
    pub(super) words: &'static [&'static str],
    /// Words that speak against it, besides those that speak against every shape.
    pub(super) against: &'static [&'static str],
    /// How it is validated, in half a line, for the table in the docs.
    pub(super) about: &'static str,
    /// A label under which the examples are found; empty where they are found without one. With
    /// a label, they must not be found without.
    pub(super) label: &'static str,
    /// Values that must be found, whole, in a sentence. Of one with `⟦` and `⟧` what stands
    /// between them must be; the marks are no part of the text.
    pub(super) valid: [&'static str; 2],
    /// Values of nearly the same shape that must not.
    pub(super) invalid: [&'static str; 2],
}

/// What most detectors have in common.
pub(super) const BASE: Detector = Detector {
    kind: Kind::Url,
    start: Start::AtSign,
    check: |_| None,
    words: &[],
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

    /// What is found in a text, by kind and characters.
    pub(in crate::redact) fn found(text: &str) -> Vec<(Kind, &str)> {
        let engine = Engine::new(Modes::all(Mode::Detect));
        let matches = engine.find(text, None);
        matches.into_iter().map(|found| (found.kind, &text[found.range])).collect()
    }

    #[test]
    fn every_detector_tells_its_examples_apart() {
        for detector in DETECTORS {
            assert!(!detector.about.is_empty(), "{}", detector.kind);
            let label = detector.label;
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
                    let found = found(&text);
                    assert_eq!(found, [(detector.kind, value)], "{text}");
                }
                if !label.is_empty() {
                    let text = format!("It is {value}, as agreed.");
                    let found = found(&text);
                    assert!(!found.contains(&(detector.kind, value)), "{text}");
                }
            }
            for value in detector.invalid {
                let text = format!("{label} It is {value}, as agreed.");
                let found: Vec<_> =
                    found(&text).into_iter().filter(|(kind, _)| *kind == detector.kind).collect();
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
