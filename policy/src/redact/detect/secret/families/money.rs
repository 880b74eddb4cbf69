//! Keys of payments, shops and shipping.

use super::Alphabet::{Alnum, Hex, Lower, Word};
use super::Part::{Run, Text};
use super::{Family, family};

/// Plaid's: the environment, then a UUID.
const fn plaid(prefix: &'static str) -> Family {
    family(prefix, "plaid-key", Hex, (8, 8)).then(&super::UUID)
}

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    family("sk_live_", "stripe-key", Alnum, (16, 255)),
    family("sk_test_", "stripe-key", Alnum, (16, 255)),
    family("sk_prod_", "stripe-key", Alnum, (16, 255)),
    family("rk_live_", "stripe-key", Alnum, (16, 255)),
    family("rk_test_", "stripe-key", Alnum, (16, 255)),
    family("rk_prod_", "stripe-key", Alnum, (16, 255)),
    family("sk_org_", "stripe-key", Alnum, (16, 255)),
    family("whsec_", "stripe-webhook", Alnum, (24, 64)),
    family("sk_", "elevenlabs-key", Hex, (48, 48)),
    family("shpat_", "shopify-key", Hex, (32, 32)),
    family("shpca_", "shopify-key", Hex, (32, 32)),
    family("shppa_", "shopify-key", Hex, (32, 32)),
    family("shpss_", "shopify-key", Hex, (32, 32)),
    family("shptka_", "shopify-key", Hex, (32, 32)),
    family("sq0atp-", "square-key", Word, (22, 60)),
    family("sq0csp-", "square-key", Word, (40, 60)),
    family("EAAA", "square-key", Word, (54, 64)).mixed(),
    family("$production$", "braintree-key", Lower, (16, 16))
        .after(&[Text("access_token")]).then(&[Text("$"), Run(Hex, 32, 32)]),
    family("$sandbox$", "braintree-key", Lower, (16, 16))
        .after(&[Text("access_token")]).then(&[Text("$"), Run(Hex, 32, 32)]),
    plaid("access-sandbox-"),
    plaid("access-development-"),
    plaid("access-production-"),
    family("APP_USR-", "mercadopago-key", Word, (50, 90)),
    family("FLWSECK_TEST-", "flutterwave-key", Hex, (32, 32)).then(&[Text("-X")]),
    family("FLWSECK-", "flutterwave-key", Hex, (32, 32)).then(&[Text("-X")]),
    family("FLWSECK_TEST-", "flutterwave-key", Hex, (12, 12)),
    family("FLWPUBK_TEST-", "flutterwave-key", Hex, (32, 32)).then(&[Text("-X")]),
    family("EZAK", "easypost-key", Alnum, (54, 54)),
    family("EZTK", "easypost-key", Alnum, (54, 54)),
    family("shippo_live_", "shippo-key", Hex, (40, 40)),
    family("shippo_test_", "shippo-key", Hex, (40, 40)),
    family("duffel_live_", "duffel-key", Word, (43, 43)),
    family("duffel_test_", "duffel-key", Word, (43, 43)),
];
