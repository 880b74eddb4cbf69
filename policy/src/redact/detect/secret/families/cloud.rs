//! Keys of clouds, of data stores, and of what keeps other secrets.

use super::Alphabet::{Alnum, Base64, Digit, Dotted, Hex, Lower, Open, Upper, Word};
use super::Part::{Run, Text};
use super::{Family, family};

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    // Clouds
    family("AKIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ASIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ABIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ACCA", "aws-key", Upper, (16, 16)).without_digits(),
    family("A3T", "aws-key", Upper, (17, 17)),
    family("LTAI", "alibaba-key", Alnum, (12, 24)),
    family("AKID", "tencent-key", Alnum, (32, 32)),
    family("AIza", "google-key", Word, (35, 35)),
    family("ya29.", "google-oauth", Word, (20, 1000)),
    family("GOCSPX-", "google-oauth", Word, (28, 28)),
    family("1//0", "google-oauth", Word, (40, 200)),
    // Entra's client secrets, and the keys that carry a mark of Azure's in their midst: see
    // https://github.com/microsoft/security-utilities.
    family("7Q~", "azure-secret", Open, (31, 34)).after(&[Run(Open, 3, 3)]),
    family("8Q~", "azure-secret", Open, (31, 34)).after(&[Run(Open, 3, 3)]),
    family("9Q~", "azure-secret", Open, (31, 34)).after(&[Run(Open, 3, 3)]),
    family("JQQJ9", "azure-key", Alnum, (27, 29)).after(&[Run(Alnum, 52, 52)]),
    family("+ASt", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 76, 76)]),
    family("+ABa", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 76, 76)]),
    family("ACDb", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 76, 76)]),
    family("APIM", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 76, 76)]),
    family("+ASb", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 33, 33)]),
    family("+AEh", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 33, 33)]),
    family("AIoT", "azure-key", Base64, (6, 6)).after(&[Run(Base64, 33, 33)]),
    family("AzCa", "azure-key", Base64, (6, 6)).after(&[Run(Alnum, 33, 33)]),
    family("AzSe", "azure-key", Alnum, (6, 6)).after(&[Run(Alnum, 42, 42)]),
    family("AzFu", "azure-key", Word, (6, 6)).after(&[Run(Word, 44, 44)]),
    family("dop_v1_", "digitalocean-key", Hex, (64, 64)),
    family("doo_v1_", "digitalocean-key", Hex, (64, 64)),
    family("dor_v1_", "digitalocean-key", Hex, (64, 64)),
    family("v1.0-", "cloudflare-key", Hex, (24, 24)).then(&[Text("-"), Run(Hex, 146, 146)]),
    family("cfk_", "cloudflare-key", Word, (44, 60)),
    family("cfut_", "cloudflare-key", Word, (44, 60)),
    family("cfat_", "cloudflare-key", Word, (44, 60)),
    family("t1.9eu", "yandex-key", Word, (20, 400)).then(&[Text("."), Run(Word, 86, 86)]),
    family("AQVN", "yandex-key", Word, (35, 38)),
    family("tskey-", "tailscale-key", Word, (24, 100)),
    family("dnkey-", "defined-networking-key", Word, (79, 79)),
    family("s-s4t2ud-", "intra42-key", Hex, (64, 64)),
    family("s-s4t2af-", "intra42-key", Hex, (64, 64)),
    // Data
    family("dapi", "databricks-key", Hex, (32, 32)).then(&[Text("-"), Run(Digit, 1, 1)]),
    family("dapi", "databricks-key", Hex, (32, 32)),
    family("dose", "databricks-key", Hex, (32, 32)),
    family("sbp_", "supabase-key", Hex, (40, 40)),
    family("sb_secret_", "supabase-key", Word, (20, 60)),
    family("pscale_tkn_", "planetscale-key", Dotted, (32, 64)),
    family("pscale_oauth_", "planetscale-key", Dotted, (32, 64)),
    family("pscale_pw_", "planetscale-key", Dotted, (32, 64)),
    family("4b1d", "clickhouse-key", Alnum, (38, 38)).mixed(),
    family("mdb_sa_sk_", "mongodb-key", Word, (36, 48)),
    family("napi_", "neon-key", Alnum, (60, 68)),
    family("AVNS_", "aiven-password", Word, (16, 24)),
    family("essu_", "elastic-key", Base64, (40, 200)),
    // Secrets of others
    family("hvs.", "vault-key", Word, (24, 200)),
    family("hvb.", "vault-key", Word, (100, 400)),
    family("hvr.", "vault-key", Word, (24, 400)),
    family(".atlasv1.", "terraform-key", Word, (60, 72)).after(&[Run(Alnum, 14, 14)]),
    family("ops_eyJ", "onepassword-key", Base64, (200, 4096)),
    family("A3-", "onepassword-key", Upper, (6, 6)).then(&[
        Text("-"), Run(Upper, 6, 6), Text("-"), Run(Upper, 5, 5), Text("-"), Run(Upper, 5, 5),
        Text("-"), Run(Upper, 5, 5), Text("-"), Run(Upper, 5, 5),
    ]),
    family("A3-", "onepassword-key", Upper, (6, 6)).then(&[
        Text("-"), Run(Upper, 11, 11), Text("-"), Run(Upper, 5, 5), Text("-"), Run(Upper, 5, 5),
        Text("-"), Run(Upper, 5, 5),
    ]),
    family("dp.pt.", "doppler-key", Alnum, (40, 44)),
    family("dp.st.", "doppler-key", Dotted, (40, 80)),
    family("dp.ct.", "doppler-key", Alnum, (40, 44)),
    family("dp.sa.", "doppler-key", Alnum, (40, 44)),
    family("dp.scim.", "doppler-key", Alnum, (40, 44)),
    family("sha256~", "openshift-key", Word, (43, 43)),
    // Authress: the account stands between the key's own identifier and the key.
    family(".acc_", "authress-key", Lower, (10, 32)).after(&[
        Run(Word, 8, 40), Text("."), Run(Lower, 4, 6),
    ]).then(&[Text("."), Run(Base64, 30, 120)]),
    family(".acc-", "authress-key", Lower, (10, 32)).after(&[
        Run(Word, 8, 40), Text("."), Run(Lower, 4, 6),
    ]).then(&[Text("."), Run(Base64, 30, 120)]),
];
