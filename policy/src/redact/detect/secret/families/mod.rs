//! The forms that issuers give their keys: a prefix, then what it is followed by.
//!
//! Lengths after the issuers' documentation and gitleaks' rules
//! (<https://github.com/gitleaks/gitleaks/tree/master/cmd/generate/config/rules>), a little wider
//! where issuers have changed them before. Publishable keys and identifiers are left out, and so
//! are keys without a form of their own: those are known by their names.

mod cloud;
mod code;
mod model;
mod money;
mod work;

use Alphabet::{Alnum, Base64, Digit, Dotted, Hex, Lower, Open, Upper, Word};
use Part::{Run, Text};

/// The families by domain; where several prefixes fit, the first whose body fits too decides.
pub(super) const FAMILIES: [&[Family]; 5] =
    [model::FAMILIES, code::FAMILIES, cloud::FAMILIES, work::FAMILIES, money::FAMILIES];

/// One issuer's kind of key.
pub(super) struct Family {
    /// What stands before the prefix; most keys start with it.
    pub(super) lead: &'static [Part],
    pub(super) prefix: &'static str,
    /// What follows it.
    pub(super) body: Part,
    /// What follows that.
    pub(super) tail: &'static [Part],
    pub(super) rule: &'static str,
    pub(super) needs: Needs,
}

/// A stretch of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Exactly this.
    Text(&'static str),
    /// Least and most characters of an alphabet.
    Run(Alphabet, usize, usize),
}

/// What a key must hold, besides many different characters, to be drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: letters alone may be a key.
    Nothing,
    /// A digit.
    Digit,
    /// Lower case, upper case and two digits, where the prefix is one of ordinary words.
    Mixed,
}

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `0-9`
    Digit,
    /// `0-9 a-f A-F`
    Hex,
    /// `0-9 a-z`
    Lower,
    /// `0-9 A-Z`
    Upper,
    /// `0-9 A-Z a-z`
    Alnum,
    /// `0-9 A-Z a-z _ -`
    Word,
    /// `0-9 A-Z a-z _ - .`
    Dotted,
    /// `0-9 A-Z a-z _ - . ~`
    Open,
    /// `0-9 A-Z a-z + /`; at a key's end with its padding.
    Base64,
}

impl Alphabet {
    pub(super) const fn holds(self, byte: u8) -> bool {
        match self {
            Digit => byte.is_ascii_digit(),
            Hex => byte.is_ascii_hexdigit(),
            Lower => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Alnum => byte.is_ascii_alphanumeric(),
            Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Open => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~'),
            Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
        }
    }
}

/// The five groups of a UUID, behind whatever prefix.
const UUID: [Part; 8] = [
    Text("-"),
    Run(Hex, 4, 4),
    Text("-"),
    Run(Hex, 4, 4),
    Text("-"),
    Run(Hex, 4, 4),
    Text("-"),
    Run(Hex, 12, 12),
];

const fn family(
    prefix: &'static str,
    rule: &'static str,
    alphabet: Alphabet,
    length: (usize, usize),
) -> Family {
    Family {
        lead: &[],
        prefix,
        body: Run(alphabet, length.0, length.1),
        tail: &[],
        rule,
        needs: Needs::Digit,
    }
}

impl Family {
    /// For bodies of letters alone.
    const fn without_digits(mut self) -> Self {
        self.needs = Needs::Nothing;
        self
    }

    /// For prefixes that are common otherwise.
    const fn mixed(mut self) -> Self {
        self.needs = Needs::Mixed;
        self
    }

    /// With what follows the body.
    const fn then(mut self, tail: &'static [Part]) -> Self {
        self.tail = tail;
        self
    }

    /// With what stands before the prefix.
    const fn after(mut self, lead: &'static [Part]) -> Self {
        self.lead = lead;
        self
    }
}

/// Literals that every prefix starts with, or that start with it: few, and rare in ordinary text,
/// for the packed search. The shortest first: the search compares as many bytes as the shortest
/// of a group has.
#[rustfmt::skip]
pub(super) const TRIGGERS: &[&str] = &[
    "sk-", "sk_", "rk_", "pk_", "r8_", "hf_", "fw_", "fc-", "AQ.", "pa-", "ak-", "m0-", "BSA",
    "oy2", "A3-", "A3T", "SG.", "shp", ":AA", "-us", "EAA", "sl.", "7Q~", "8Q~", "9Q~", "re_", "xox",
    "dp.", "sq0", "MTA", "MTE", "MTI", "MTM", "MTQ",
    // Twilio's prefix is too short for the packed search, so its first digit belongs to it here.
    "SK0", "SK1", "SK2", "SK3", "SK4", "SK5", "SK6", "SK7", "SK8", "SK9", "SKa", "SKb", "SKc",
    "SKd", "SKe", "SKf",
    // Four bytes and more
    "csk-", "gsk_", "xai-", "ls__", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "ATBB", "sgp_", "AZDO",
    "npm_", "AKCp", "bkua_", "API-", "pat.", "sat.", "pul-", "ico-", "pnu_", "pnb_", "dbtu_",
    "dbtc_", "sdk-", "vcp_", "vci_", "vca_", "vcr_", "vck_", "nfp_", "rnd_", "fo1_", "fm1a_",
    "fm1r_", "fm2_", "squ_", "sqp_", "sqa_", "CCIP", "AKIA", "ASIA", "ABIA", "ACCA", "LTAI", "AKID",
    "AIza", "1//0", "+ASt", "+ABa", "ACDb", "APIM", "+ASb", "+AEh", "AIoT", "AzCa", "AzSe", "AzFu",
    "cfk_", "AQVN", "dapi", "dose", "sbp_", "4b1d", "hvs.", "hvb.", "hvr.", "lip_", "sk.e", "pk.e",
    "IGQV", "IGAA", "ATTA", "lin_", "ntn_", "tfp_", "secret_", "AGE-SECRET-KEY-1", "aio_", "p8e-", "pat-", "key-", "_mmk", "glc_",
    "NRAL", "phx_", "phs_", "EZAK", "EZTK", "FLWS", "FLWP", "rpa_", "flp_", "llx-", "e2b_", "ABSK",
    ".acc_", ".acc-", "rIjoi", "JQQJ9", "sess-", "pplx-", "tvly-", "jina_", "pcsk_", "lsv2_",
    "cfut_", "cfat_", "essu_", "napi_", "AVNS_", "dnkey-", "tskey-", "tk-us-", "xapp-", "figd_",
    "fio-u-", "glsa_", "NRAK-", "NRJS-", "NRII-", "NRRA-", "xaat-", "xapt-", "ya29.", "PMAK-",
    "rdme_", "cmVmd", "glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glffct-", "glft-", "glimt-",
    "glagent-", "gloas-", "glsoat-", "GR1348941", "ATCTT3", "ATATT3", "github_pat_", "pypi-",
    "dckr_", "CLOJARS_", "rubygems_", "vercel_blob_rw_", "HRKU-AA", "snyk_uat.", "GOCSPX-",
    "dop_v1_", "doo_v1_", "dor_v1_", "v1.0-", "t1.9eu", "s-s4t2", "sb_secret_", "pscale_",
    "mdb_sa_sk_", ".atlasv1.", "ops_eyJ", "sha256~", "xkeysib-", "xsmtpsib-", "os_v2_", ":APA91b",
    "AAAAAAAAAAAAAAAAAAAAAA", "vk1.a.", "dG9rO", "CFPAT-", "nyk_v0_", "WPL_AP", "pina_", "sm_aat_",
    "sm_pat_", "sm_sat_", "sntry", "dt0c01.", "dt0s0", "hcaik_", "hcxik_", "whsec_", "$production$",
    "$sandbox$", "access-sandbox-", "access-development-", "access-production-", "APP_USR-",
    "shippo_", "duffel_", "api_org_", "nvapi-", "tgp_v1_", "esecret_", "bce-v3/", "apify_api_",
    "scp-live-", "bb_live_", "wandb_v1_", "pylf_v", "bedrock-api-key-Ym",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(family: &Family, trigger: &str) -> bool {
        family.prefix.starts_with(trigger) || trigger.starts_with(family.prefix)
    }

    #[test]
    fn every_family_has_a_trigger_and_every_trigger_a_family() {
        for family in FAMILIES.into_iter().flatten() {
            let triggered: Vec<_> =
                TRIGGERS.iter().filter(|trigger| family.prefix.starts_with(**trigger)).collect();
            let expected = usize::from(family.prefix != "SK");
            assert_eq!(triggered.len(), expected, "{} {triggered:?}", family.prefix);
        }
        for trigger in TRIGGERS {
            let used = FAMILIES.into_iter().flatten().any(|family| fits(family, trigger));
            assert!(used, "{trigger}");
            assert!(trigger.len() >= 3, "{trigger}");
        }
    }

    #[test]
    fn every_family_is_long_enough_to_be_told_from_words() {
        let least = |part: &Part| match part {
            Text(text) => text.len(),
            Run(_, least, most) => {
                assert!(least <= most);
                *least
            }
        };
        for family in FAMILIES.into_iter().flatten() {
            let parts = family.lead.iter().chain([&family.body]).chain(family.tail);
            let length: usize = parts.map(least).sum();
            assert!(length >= 12, "{}", family.prefix);
        }
    }
}
