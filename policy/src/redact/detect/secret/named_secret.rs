//! Secrets without a form of their own, by the name that they are given.
//!
//! A name that ends in `secret`, `token` or one of [`KEYS`], or in `key` beside one of [`ISSUERS`];
//! and a value that was drawn at random. Names after gitleaks' rules for issuers whose keys are
//! bare hexadecimal or UUIDs
//! (<https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>), AWS's, Azure's and
//! Google's documentation. Marks of a page, of a vocabulary and of a form are no secrets, whatever
//! they are called. Password hashes are none either: they let nobody in.

use std::ops::Range;

use super::named::{Form, Named, name_start, suffix_end, value_of};
use super::value::{is_placeholder, is_random};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Secret,
    start: Start::Literals(&[
        "secret",
        "SECRET",
        "Secret",
        "token",
        "TOKEN",
        "Token",
        "_key",
        "_KEY",
        "-key",
        "-Key",
        "-KEY",
        "Key",
        "apikey",
        "APIKEY",
        "api key",
        "API key",
        "PI_KEY",
        "&sig=",
        "?sig=",
        "SESSID",
        "sessionid",
        "_session",
    ]),
    check,
    by_name: true,
    label: "client secret",
    // AWS's documentation of access keys; RFC 6749's example of a client's secret.
    valid: ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "7Fjfp0ZBr1KtDRbnfVdmIw"],
    invalid: ["YOUR_CLIENT_SECRET_1234", "process.env.CLIENT_SECRET"],
    about: "the name it is given, and a random value",
    ..BASE
};

/// Characters of a value.
const LEAST: usize = 12;
const LONGEST: usize = 1024;

/// What a key's name ends with, its joints left out.
#[rustfmt::skip]
const KEYS: &[&str] = &[
    "apikey", "accesskey", "secretkey", "privatekey", "encryptionkey", "signingkey", "masterkey",
    "accountkey", "sharedkey", "authkey", "subscriptionkey", "appkey", "applicationkey", "adminkey",
    "servicekey", "serverkey", "clientkey", "licensekey", "storagekey", "deploykey", "writekey",
    "hmackey", "aeskey", "cryptokey", "sessionkey", "integrationkey", "ingestionkey", "functionkey",
    "secretkeybase", "servicerolekey", "anonkey", "webhookkey", "jwtkey", "apptoken", "usertoken",
];

/// Issuers whose name beside `key` is enough.
#[rustfmt::skip]
const ISSUERS: &[&str] = &[
    "adobe", "airtable", "algolia", "alibaba", "anthropic", "asana", "assemblyai", "atlassian",
    "aws", "azure", "bitbucket", "bittrex", "cerebras", "cloudflare", "codecov", "cohere",
    "coinbase", "confluent", "contentful", "datadog", "deepgram", "deepseek", "digitalocean",
    "discord", "droneci", "dropbox", "elevenlabs", "etsy", "exa", "facebook", "fastly", "finicity",
    "finnhub", "fireworks", "flickr", "freshbooks", "gemini", "github", "gitlab", "gitter",
    "gocardless", "google", "groq", "heroku", "hubspot", "intercom", "jfrog", "kraken", "kucoin",
    "langfuse", "langsmith", "launchdarkly", "linear", "linkedin", "looker", "mailchimp", "mailgun",
    "mapbox", "mattermost", "meraki", "messagebird", "mistral", "netlify", "newrelic", "notion",
    "nytimes", "okta", "openai", "openrouter", "pinecone", "plaid", "privateai", "rapidapi",
    "replicate", "sendbird", "sendgrid", "sentry", "serpapi", "slack", "snyk", "sonar",
    "sourcegraph", "square", "squarespace", "stability", "stripe", "sumologic", "supabase",
    "tavily", "telegram", "together", "travis", "twilio", "twitch", "twitter", "typeform", "voyage",
    "wandb", "weaviate", "yandex", "zendesk",
];

/// What makes a token something of a page's, a model's or a form's.
#[rustfmt::skip]
const MARKS: &[&str] = &[
    "csrf", "xsrf", "next", "page", "continuation", "sync", "pad", "eos", "bos", "unk", "mask",
    "cls", "sep", "stop", "special", "num", "max", "min", "total", "count", "prompt", "completion",
    "cancel", "cancellation", "resume", "pagination", "cursor", "idempotency", "trace", "cache",
    "public", "publickey", "publishable", "site", "primary", "foreign", "partition", "sort", "hash",
    "fingerprint", "image", "input", "output", "reasoning", "change", "etag", "request",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    // Asked about a whole text, by the key that stands before it.
    if site.trigger == (0..site.text.len()) {
        let key = site.scene.key()?.as_bytes();
        if memchr::memmem::find(key, b"::").is_some() {
            return None;
        }
        let named = Named { value: site.trigger.clone(), form: Form::Quoted };
        return (names_a_secret(key) && !is_id_of_a_session(key, site.text))
            .then(|| hit(site, named))?;
    }
    let name = name(site)?;
    let named = value_of(site, &name)?;
    if is_id_of_a_session(&site.text[name], &site.text[named.value.clone()]) {
        return None;
    }
    hit(site, named)
}

/// A UUID under `session_id` says which conversation this is; it lets nobody in. The coding agents
/// write one into each of their requests. Cookies of sessions are drawn from other shapes.
fn is_id_of_a_session(name: &[u8], value: &[u8]) -> bool {
    let plain: Vec<u8> = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let is_uuid = value.len() == 36
        && value.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid && (plain.ends_with(b"sessionid") || plain.ends_with(b"session"))
}

fn hit(site: &Site<'_>, named: Named) -> Option<Hit> {
    let mut range = named.value;
    // A value in a sentence ends where the next character could not be one of its own.
    if named.form != Form::Quoted && named.form != Form::Environment {
        range.end = site.run(range.start, range.len(), |byte| !b"([{}])#\\".contains(&byte));
        if matches!(site.byte(range.end), Some(b'(' | b'[' | b'{')) {
            return None;
        }
    }
    let value = &site.text[range.clone()];
    is_secret(value, named.form).then(|| Hit::sure(range, "named-secret", Confidence::Context))
}

/// The name that the trigger is the last word of.
fn name(site: &Site<'_>) -> Option<Range<usize>> {
    let trigger = &site.text[site.trigger.clone()];
    if trigger.ends_with(b"sig=") {
        return Some(site.trigger.start + 1..site.trigger.end - 1);
    }
    let end = suffix_end(site, site.trigger.end, SUFFIXES)?;
    let mut start = name_start(site, site.trigger.start);
    // `Api Key`, `secret access key`
    for _ in 0..2 {
        if start > 1 && site.text[start - 1] == b' ' {
            let before = name_start(site, start - 1);
            let word = site.text[before..start - 1].to_ascii_lowercase();
            let words: [&[u8]; 9] = [
                b"api",
                b"access",
                b"secret",
                b"account",
                b"private",
                b"encryption",
                b"signing",
                b"auth",
                b"client",
            ];
            if words.contains(&word.as_slice()) {
                start = before;
            }
        }
    }
    let full = &site.text[start..site.trigger.end];
    names_a_secret(full).then_some(start..end)
}

/// What ends such names, besides what ends all.
const SUFFIXES: &[&[u8]] = &[b"key", b"base", b"hex", b"primary", b"secondary", b"b64"];

fn names_a_secret(name: &[u8]) -> bool {
    let plain: Vec<u8> = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let ends = |end: &str| plain.ends_with(end.as_bytes());
    let holds = |part: &str| memchr::memmem::find(&plain, part.as_bytes()).is_some();
    if ends("token") {
        // `next_page_token`, `nextPageToken`: the word before is compared, not any part.
        let before = &plain[..plain.len() - 5];
        return !MARKS.iter().any(|mark| before.ends_with(mark.as_bytes()));
    }
    if ends("secret") || ends("sessid") || ends("sessionid") || ends("session") {
        return true;
    }
    KEYS.iter().any(|key| ends(key)) && !holds("public") && !holds("publishable")
        || (ends("key") && ISSUERS.iter().any(|issuer| holds(issuer)))
}

fn is_secret(value: &[u8], form: Form) -> bool {
    let is_value = |byte: &u8| byte.is_ascii_graphic() && !b"\"'`<>".contains(byte);
    let fits = (LEAST..=LONGEST).contains(&value.len()) && value.iter().all(is_value);
    if !fits || is_placeholder(value) || is_code(value, form) {
        return false;
    }
    // Frameworks draw from symbols too: `x#9$k!...`.
    let count = |wanted: fn(&u8) -> bool| value.iter().filter(|byte| wanted(byte)).count();
    let is_symbol = |byte: &u8| b"!@#$%^&*()+=~".contains(byte);
    let symbols = value.len() >= 20
        && count(is_symbol) > 2
        && count(u8::is_ascii_digit) > 1
        && count(u8::is_ascii_lowercase) > 3;
    is_random(value) || (form == Form::Quoted && symbols)
}

/// True for what is a piece of a program rather than a value.
fn is_code(value: &[u8], form: Form) -> bool {
    if matches!(form, Form::Quoted | Form::Environment | Form::Tag) {
        return false;
    }
    // `response.data.token2`, `settings.SECRET_KEY2`
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    // Vault's older tokens are `s.` and 24 characters.
    let is_vault = value.len() == 26 && value.starts_with(b"s.");
    !is_vault
        && value[0].is_ascii_alphabetic()
        && value.contains(&b'.')
        && value.iter().all(is_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    const HEX: &str = "83a6f36bb3457dfdc4e4bb3aa1c7e4eb";
    const TOKEN: &str = "q7W3e9R5t1Y8u2I4o6P0";

    #[test]
    fn secrets_are_found_under_their_names() {
        let azure = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        let mut wrong = Vec::new();
        for (text, value) in [
            (format!("client_secret = \"{TOKEN}\""), TOKEN),
            (format!("{{\"clientSecret\":\"{TOKEN}\"}}"), TOKEN),
            (format!("API_KEY={HEX}"), HEX),
            (format!("api-key: {HEX}"), HEX),
            (format!("X-Api-Key: {HEX}\r\n"), HEX),
            (format!("curl -H \"x-api-key: {HEX}\" https://example.com"), HEX),
            (format!("DATADOG_KEY={HEX}"), HEX),
            (format!("const mistralApiKey = '{TOKEN}';"), TOKEN),
            (format!("<apiKey>{HEX}</apiKey>"), HEX),
            (format!("https://example.com/x?access_token={TOKEN}&y=1"), TOKEN),
            (format!("auth_token: {TOKEN}"), TOKEN),
            (format!("\"refresh_token\":\"{TOKEN}\""), TOKEN),
            (format!("SECRET_KEY = 'x#9{TOKEN}$k!'"), &format!("x#9{TOKEN}$k!")),
            (
                format!(
                    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={azure};EndpointSuffix=x"
                ),
                azure,
            ),
            (
                format!(
                    "Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={TOKEN}{TOKEN}="
                ),
                &format!("{TOKEN}{TOKEN}="),
            ),
            (
                format!("?sv=2022-11-02&sr=b&sig={TOKEN}%2B{TOKEN}%3D&se=1"),
                &format!("{TOKEN}%2B{TOKEN}%3D"),
            ),
            (
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
            (format!("my api key is {TOKEN}."), TOKEN),
            (format!("API Key: {TOKEN}"), TOKEN),
            (format!("--token {TOKEN}"), TOKEN),
            (
                "MESSAGEBIRD_TOKEN=550e8400-e29b-41d4-a716-446655440000".to_owned(),
                "550e8400-e29b-41d4-a716-446655440000",
            ),
            (format!("- name: WEBHOOK_SECRET\n  value: \"{TOKEN}\""), TOKEN),
            (format!("token: s.{TOKEN}Zx9Q"), &format!("s.{TOKEN}Zx9Q")),
            (format!("process.env.TOKEN = '{TOKEN}'"), TOKEN),
        ] {
            let found: Vec<_> = found(&text).into_iter().map(|(k, v)| (k, v.to_owned())).collect();
            let wanted = [(Kind::Secret, value.to_owned())];
            wrong.extend((found != wanted).then_some((text, found)));
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn names_and_programs_are_none() {
        let mut wrong = Vec::new();
        for text in [
            "max_tokens: 4096, \"total_tokens\": 123456789012, token_count=1234567890123",
            "\"next_page_token\":\"q7W3e9R5t1Y8u2I4o6P0\"",
            "{\"nextPageToken\":\"CAUQAA83a6f36bb3457dfd\"}",
            "csrf_token = \"q7W3e9R5t1Y8u2I4o6P0\"",
            "api_key = os.environ[\"OPENAI_API_KEY_2024\"]",
            "apiKey: process.env.OPENAI_API_KEY_V2,",
            "api_key=settings.openai_api_key_v2",
            "token = generate_token_v2(user1, 20240520)",
            "const token = await getAccessTokenSilently2({ scope1 });",
            "SECRET_KEY=${SECRET_KEY_2024_PRODUCTION}",
            "secret: <SECRET_kq7mzvt2ah>, api_key=<API_KEY_kq7mzvt2ah>",
            "client_secret: your-client-secret-1234567890",
            "primary_key=\"83a6f36bb3457dfdc4e4bb3aa1c7e4eb\"",
            "cache_key: 83a6f36bb3457dfdc4e4bb3aa1c7e4eb",
            "secretName: db-credentials-v2-2024",
            "AWSSecretsManager arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf",
            "KeyError: 'tool_call_83a6f36bb3457dfd'",
            "Key: value, the key is 83a6f36bb3457dfd",
            "tokenizer = AutoTokenizer.from_pretrained(\"bert-base-uncased\")",
            "token: String, secret: &str, api_key: Option<String>",
            "public_key: \"q7W3e9R5t1Y8u2I4o6P0q7W3\"",
            "idempotency-key: 550e8400-e29b-41d4-a716-446655440000",
            "\"eos_token\": \"<|endoftext|>\", \"pad_token\": \"[PAD]\"",
            "secretKeyRef: { name: app-secrets-2024, key: token-1 }",
            "{\"session_id\":\"550e8400-e29b-41d4-a716-446655440000\"}",
            "session_id=550e8400-e29b-41d4-a716-446655440000",
            "Keyboard shortcuts: press 83a6f36bb3457dfd",
        ] {
            wrong.extend(found(text).into_iter().map(|found| (text, found)));
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn a_whole_text_is_judged_by_its_key() {
        use crate::redact::context::Scene;
        let ask = |key, text: &str| {
            let scene = Scene::new(text.as_bytes(), Some(key));
            let (text, trigger) = (scene.text(), 0..text.len());
            check(&Site { text, trigger, scene: &scene, detector: 0, supposing: false })
        };
        assert!(ask("api_key", HEX).is_some());
        assert!(ask("next_token", HEX).is_none());
        assert!(ask("session_id", HEX).is_some());
        assert!(ask("session_id", "550e8400-e29b-41d4-a716-446655440000").is_none());
        assert!(ask("api_key", "none given here").is_none());
    }
}
