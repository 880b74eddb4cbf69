//! Keys of what people write to one another with, plan with, and watch their systems with.

use super::Alphabet::{Alnum, Base64, Digit, Dotted, Hex, Lower, Upper, Word};
use super::Part::{Run, Text};
use super::{Family, UUID, family};

/// Discord's: the account's identifier, the time and a signature, all in base64url. The first
/// begins as that of a number does; only those of 19 digits are known here, issued since 2022.
const fn discord(prefix: &'static str) -> Family {
    family(prefix, "discord-key", Alnum, (21, 23)).then(&[
        Text("."),
        Run(Word, 6, 6),
        Text("."),
        Run(Word, 27, 38),
    ])
}

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    // Messages
    family("xoxb-", "slack-key", Word, (20, 200)),
    family("xoxp-", "slack-key", Word, (20, 200)),
    family("xoxa-", "slack-key", Word, (20, 200)),
    family("xoxr-", "slack-key", Word, (20, 200)),
    family("xoxs-", "slack-key", Word, (20, 200)),
    family("xoxo-", "slack-key", Word, (20, 200)),
    family("xoxc-", "slack-key", Word, (20, 200)),
    family("xoxd-", "slack-key", Word, (20, 400)),
    family("xoxe-", "slack-key", Word, (20, 400)),
    family("xoxe.xoxp-", "slack-key", Word, (20, 400)),
    family("xoxe.xoxb-", "slack-key", Word, (20, 400)),
    family("xapp-", "slack-key", Word, (20, 200)),
    discord("MTA"),
    discord("MTE"),
    discord("MTI"),
    discord("MTM"),
    discord("MTQ"),
    family(":AA", "telegram-key", Word, (32, 34)).after(&[Run(Digit, 8, 10)]),
    family("SK", "twilio-key", Hex, (32, 32)),
    family("SG.", "sendgrid-key", Dotted, (66, 66)),
    family("key-", "mailgun-key", Hex, (32, 32)),
    family("-us", "mailchimp-key", Digit, (1, 2)).after(&[Run(Hex, 32, 32)]),
    family("xkeysib-", "brevo-key", Hex, (64, 64)).then(&[Text("-"), Run(Alnum, 16, 16)]),
    family("xsmtpsib-", "brevo-key", Hex, (64, 64)).then(&[Text("-"), Run(Alnum, 16, 16)]),
    family("re_", "resend-key", Alnum, (8, 8)).then(&[Text("_"), Run(Alnum, 20, 28)]).mixed(),
    family("os_v2_", "onesignal-key", Word, (60, 120)),
    family(":APA91b", "firebase-key", Word, (120, 180)).after(&[Run(Word, 11, 22)]),
    family("EAA", "facebook-key", Alnum, (100, 500)).mixed(),
    family("IGQV", "instagram-key", Word, (100, 500)).mixed(),
    family("IGAA", "instagram-key", Word, (100, 500)).mixed(),
    family("AAAAAAAAAAAAAAAAAAAAAA", "twitter-key", Alnum, (76, 110)).mixed(),
    family("AAAAAAAAAAAAAAAAAAAAAA", "twitter-key", Alnum, (8, 90))
        .then(&[Text("%"), Run(Alnum, 8, 90)]).mixed(),
    family("vk1.a.", "vk-key", Word, (100, 300)),
    // Work
    family("lin_api_", "linear-key", Alnum, (40, 40)),
    family("lin_oauth_", "linear-key", Alnum, (40, 80)),
    family("ntn_", "notion-key", Alnum, (43, 50)),
    family("figd_", "figma-key", Word, (38, 60)),
    family("secret_", "notion-key", Alnum, (43, 43)),
    // 58 characters of Bech32.
    family("AGE-SECRET-KEY-1", "age-key", Upper, (58, 58)),
    family("fio-u-", "frameio-key", Word, (64, 64)),
    family("tfp_", "typeform-key", Dotted, (40, 64)),
    family("aio_", "adafruit-key", Alnum, (28, 28)),
    family("p8e-", "adobe-key", Lower, (32, 32)),
    family("dG9rO", "intercom-key", Base64, (52, 60)),
    family("pat-", "hubspot-key", Lower, (3, 4)).then(&[
        Text("-"), Run(Hex, 8, 8),
        Text("-"), Run(Hex, 4, 4), Text("-"), Run(Hex, 4, 4), Text("-"), Run(Hex, 4, 4),
        Text("-"), Run(Hex, 12, 12),
    ]),
    family("CFPAT-", "contentful-key", Word, (43, 43)),
    family("sl.", "dropbox-key", Word, (120, 1500)),
    family("pk_", "clickup-key", Digit, (6, 9)).then(&[Text("_"), Run(Upper, 32, 32)]),
    family("pk_", "klaviyo-key", Hex, (34, 34)),
    family("ATTA", "trello-key", Hex, (64, 76)),
    family("nyk_v0_", "nylas-key", Alnum, (60, 68)),
    family("WPL_AP", "linkedin-key", Dotted, (16, 48)),
    family("pina_", "pinterest-key", Alnum, (32, 120)),
    family("lip_", "lichess-key", Alnum, (20, 24)),
    family("sk.eyJ1", "mapbox-key", Word, (40, 120)).then(&[Text("."), Run(Word, 20, 24)]),
    family("pk.eyJ1", "mapbox-key", Word, (40, 120)).then(&[Text("."), Run(Word, 20, 24)]),
    family("_mmk", "maxmind-key", Alnum, (0, 0)).after(&[
        Run(Alnum, 6, 6), Text("_"), Run(Alnum, 29, 29),
    ]),
    family("sm_aat_", "settlemint-key", Alnum, (16, 16)),
    family("sm_pat_", "settlemint-key", Alnum, (16, 16)),
    family("sm_sat_", "settlemint-key", Alnum, (16, 16)),
    // Watching
    family("glsa_", "grafana-key", Word, (41, 41)),
    family("glc_", "grafana-key", Base64, (32, 400)),
    // Its first letters are those of a JSON web token, and another's to find.
    family("rIjoi", "grafana-key", Base64, (70, 400)).after(&[Text("eyJ")]),
    family("NRAK-", "newrelic-key", Upper, (27, 27)),
    family("NRJS-", "newrelic-key", Hex, (19, 19)),
    family("NRII-", "newrelic-key", Word, (32, 32)),
    family("NRRA-", "newrelic-key", Hex, (42, 42)),
    family("NRAL", "newrelic-key", Alnum, (0, 0)).after(&[Run(Lower, 36, 36)]),
    family("sntrys_", "sentry-key", Base64, (40, 400)).then(&[Text("_"), Run(Base64, 43, 43)]),
    family("sntryu_", "sentry-key", Hex, (64, 64)),
    family("dt0c01.", "dynatrace-key", Alnum, (24, 24)).then(&[Text("."), Run(Alnum, 64, 64)]),
    family("dt0s0", "dynatrace-key", Digit, (1, 1))
        .then(&[Text("."), Run(Alnum, 8, 24), Text("."), Run(Alnum, 64, 64)]),
    family("hcaik_", "honeycomb-key", Alnum, (58, 58)),
    family("hcxik_", "honeycomb-key", Alnum, (58, 58)),
    family("xaat-", "axiom-key", Hex, (8, 8)).then(&UUID),
    family("xapt-", "axiom-key", Hex, (8, 8)).then(&UUID),
    family("phx_", "posthog-key", Alnum, (40, 60)),
    family("phs_", "posthog-key", Alnum, (40, 60)),
];
