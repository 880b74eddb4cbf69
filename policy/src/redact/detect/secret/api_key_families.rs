//! The prefixes that issuers give their keys, with alphabet and length of what follows.
//!
//! Lengths after the issuers' documentation and gitleaks' rules
//! (<https://github.com/gitleaks/gitleaks/tree/master/cmd/generate/config/rules>), a little wider
//! where issuers have changed them before. Publishable keys and identifiers are left out.

use Alphabet::{Alnum, Dotted, Hex, Upper, Word};

/// One issuer's kind of key.
pub(super) struct Family {
    pub(super) prefix: &'static str,
    pub(super) rule: &'static str,
    pub(super) alphabet: Alphabet,
    /// Least and most characters after the prefix.
    pub(super) length: (usize, usize),
    /// Whether a body without a digit is not one of theirs.
    pub(super) digits: bool,
}

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `0-9 a-f A-F`
    Hex,
    /// `0-9 A-Z`
    Upper,
    /// `0-9 A-Z a-z`
    Alnum,
    /// `0-9 A-Z a-z _ -`
    Word,
    /// `0-9 A-Z a-z _ - .`
    Dotted,
}

impl Alphabet {
    pub(super) const fn holds(self, byte: u8) -> bool {
        match self {
            Hex => byte.is_ascii_hexdigit(),
            Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Alnum => byte.is_ascii_alphanumeric(),
            Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
        }
    }
}

const fn family(
    prefix: &'static str,
    rule: &'static str,
    alphabet: Alphabet,
    length: (usize, usize),
) -> Family {
    Family { prefix, rule, alphabet, length, digits: true }
}

impl Family {
    /// For bodies of letters alone.
    const fn without_digits(mut self) -> Self {
        self.digits = false;
        self
    }
}

/// Literals that every prefix below starts with: few and short, for the packed search.
pub(super) const TRIGGERS: [&str; 77] = [
    "sk-",
    "sk_",
    "rk_",
    "whsec_",
    "csk-",
    "gsk_",
    "xai-",
    "pplx-",
    "r8_",
    "hf_",
    "api_org_",
    "nvapi-",
    "tvly-",
    "pcsk_",
    "lsv2_",
    "jina_",
    "tgp_v1_",
    "fw_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glptt-",
    "glrt-",
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "xoxa-",
    "xoxb-",
    "xoxc-",
    "xoxd-",
    "xoxe",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AIza",
    "ya29.",
    "GOCSPX-",
    "npm_",
    "pypi-",
    "rubygems_",
    "dckr_",
    "SG.",
    "dop_v1_",
    "doo_v1_",
    "shp",
    "hvs.",
    "glsa_",
    "lin_api_",
    "ntn_",
    "figd_",
    "sbp_",
    "PMAK-",
    "NRAK-",
    "pul-",
    // Twilio's prefix is too short for the packed search, so its first digit belongs to it here.
    "SK0",
    "SK1",
    "SK2",
    "SK3",
    "SK4",
    "SK5",
    "SK6",
    "SK7",
    "SK8",
    "SK9",
    "SKa",
    "SKb",
    "SKc",
    "SKd",
    "SKe",
    "SKf",
];

/// The families; where several prefixes fit, the first whose body fits too decides.
#[rustfmt::skip]
pub(super) const FAMILIES: [Family; 80] = [
    // Model providers
    family("sk-ant-", "anthropic-key", Word, (24, 200)),
    family("sk-or-v1-", "openrouter-key", Hex, (64, 64)),
    family("sk-proj-", "openai-key", Word, (20, 300)),
    family("sk-svcacct-", "openai-key", Word, (20, 300)),
    family("sk-admin-", "openai-key", Word, (20, 300)),
    family("sk-lf-", "langfuse-key", Word, (36, 36)),
    family("sk-", "sk-key", Alnum, (20, 128)),
    family("gsk_", "groq-key", Alnum, (48, 64)),
    family("xai-", "xai-key", Alnum, (70, 100)),
    family("pplx-", "perplexity-key", Alnum, (40, 64)),
    family("r8_", "replicate-key", Alnum, (37, 40)),
    family("hf_", "huggingface-key", Alnum, (34, 40)).without_digits(),
    family("api_org_", "huggingface-key", Alnum, (34, 40)).without_digits(),
    family("csk-", "cerebras-key", Alnum, (40, 64)),
    family("nvapi-", "nvidia-key", Word, (60, 80)),
    family("tvly-", "tavily-key", Word, (24, 64)),
    family("pcsk_", "pinecone-key", Word, (40, 100)),
    family("lsv2_pt_", "langsmith-key", Word, (32, 60)),
    family("lsv2_sk_", "langsmith-key", Word, (32, 60)),
    family("jina_", "jina-key", Word, (40, 80)),
    family("tgp_v1_", "together-key", Word, (40, 60)),
    family("fw_", "fireworks-key", Alnum, (20, 40)),
    // Source code and packages
    family("github_pat_", "github-key", Word, (60, 255)),
    family("ghp_", "github-key", Alnum, (36, 255)),
    family("gho_", "github-key", Alnum, (36, 255)),
    family("ghu_", "github-key", Alnum, (36, 255)),
    family("ghs_", "github-key", Alnum, (36, 255)),
    family("ghr_", "github-key", Alnum, (36, 255)),
    family("glpat-", "gitlab-key", Dotted, (20, 300)),
    family("gldt-", "gitlab-key", Word, (20, 64)),
    family("glptt-", "gitlab-key", Hex, (40, 40)),
    family("glrt-", "gitlab-key", Dotted, (20, 64)),
    family("npm_", "npm-key", Alnum, (36, 36)),
    family("pypi-AgE", "pypi-key", Word, (50, 1000)),
    family("rubygems_", "rubygems-key", Hex, (48, 48)),
    family("dckr_pat_", "docker-key", Word, (27, 64)),
    family("dckr_oat_", "docker-key", Word, (27, 64)),
    family("PMAK-", "postman-key", Word, (59, 59)),
    family("pul-", "pulumi-key", Hex, (40, 40)),
    // Clouds
    family("AKIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ASIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ABIA", "aws-key", Upper, (16, 16)).without_digits(),
    family("ACCA", "aws-key", Upper, (16, 16)).without_digits(),
    family("AIza", "google-key", Word, (35, 35)),
    family("ya29.", "google-oauth", Word, (20, 1000)),
    family("GOCSPX-", "google-oauth", Word, (28, 28)),
    family("dop_v1_", "digitalocean-key", Hex, (64, 64)),
    family("doo_v1_", "digitalocean-key", Hex, (64, 64)),
    family("hvs.", "vault-key", Word, (24, 200)),
    family("sbp_", "supabase-key", Hex, (40, 40)),
    family("NRAK-", "newrelic-key", Upper, (27, 27)),
    family("glsa_", "grafana-key", Word, (41, 41)),
    // Messages and work
    family("xoxb-", "slack-key", Word, (20, 200)),
    family("xoxp-", "slack-key", Word, (20, 200)),
    family("xoxa-", "slack-key", Word, (20, 200)),
    family("xoxr-", "slack-key", Word, (20, 200)),
    family("xoxs-", "slack-key", Word, (20, 200)),
    family("xoxc-", "slack-key", Word, (20, 200)),
    family("xoxd-", "slack-key", Word, (20, 400)),
    family("xoxe-", "slack-key", Word, (20, 400)),
    family("xoxe.xoxp-", "slack-key", Word, (20, 400)),
    family("xoxe.xoxb-", "slack-key", Word, (20, 400)),
    family("xapp-", "slack-key", Word, (20, 200)),
    family("SK", "twilio-key", Hex, (32, 32)),
    family("SG.", "sendgrid-key", Dotted, (66, 66)),
    family("lin_api_", "linear-key", Alnum, (40, 40)),
    family("ntn_", "notion-key", Alnum, (43, 50)),
    family("figd_", "figma-key", Word, (38, 60)),
    // Money and shops
    family("sk_live_", "stripe-key", Alnum, (16, 255)),
    family("sk_test_", "stripe-key", Alnum, (16, 255)),
    family("rk_live_", "stripe-key", Alnum, (16, 255)),
    family("rk_test_", "stripe-key", Alnum, (16, 255)),
    family("sk_org_", "stripe-key", Alnum, (16, 255)),
    family("whsec_", "stripe-webhook", Alnum, (24, 64)),
    family("sk_", "elevenlabs-key", Hex, (48, 48)),
    family("shpat_", "shopify-key", Hex, (32, 32)),
    family("shpca_", "shopify-key", Hex, (32, 32)),
    family("shppa_", "shopify-key", Hex, (32, 32)),
    family("shpss_", "shopify-key", Hex, (32, 32)),
    family("lsv2_", "langsmith-key", Word, (40, 60)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(family: &Family, trigger: &str) -> bool {
        family.prefix.starts_with(trigger) || trigger.starts_with(family.prefix)
    }

    #[test]
    fn every_family_has_a_trigger_and_every_trigger_a_family() {
        for family in &FAMILIES {
            let triggered = TRIGGERS.iter().any(|trigger| fits(family, trigger));
            assert!(triggered, "{}", family.prefix);
            assert!(family.length.0 >= 16 && family.length.0 <= family.length.1);
        }
        for trigger in TRIGGERS {
            let used = FAMILIES.iter().any(|family| fits(family, trigger));
            assert!(used, "{trigger}");
            assert!(trigger.len() >= 3, "{trigger}");
        }
    }
}
