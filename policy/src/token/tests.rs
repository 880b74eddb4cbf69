//! What must not pass for a token, and what must.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://panel.example";
const KEY: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "researcher".parse().unwrap(),
        jti: "tok_1".parse().unwrap(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 3600,
        project: Some("web".parse().unwrap()),
        models: vec![Glob::new("gpt-5*"), Glob::new("claude-*")],
        upstreams: vec!["openai".parse().unwrap()],
        budget: None,
        policy: None,
    }
}

fn keys() -> TokenKeys {
    TokenKeys::parse(&json!({"keys": [public_key("k1", &KEY)]})).unwrap()
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    keys().verify(token, ISSUER, NOW + 1)
}

fn invalid(token: &str) -> &'static str {
    match verify(token) {
        Err(TokenError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// A token with this header and these claims, signed with our key whatever they say.
fn forged(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = ed25519_dalek::SigningKey::from_bytes(&KEY);
    let signature = ed25519_dalek::Signer::sign(&key, message.as_bytes());
    format!("iron_{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn header() -> Value {
    json!({"typ": "JWT", "alg": "EdDSA", "kid": "k1"})
}

fn said() -> Value {
    serde_json::to_value(claims()).unwrap()
}

fn with(mut value: Value, name: &str, what: Value) -> Value {
    value[name] = what;
    value
}

#[test]
fn what_is_signed_is_what_is_read() {
    let token = sign(&claims(), "k1", &KEY).unwrap();
    assert!(token.starts_with("iron_ey"), "{token}");
    assert_eq!(verify(&token).unwrap(), claims());
    // The harness forges what passes, so that what it forges below fails for what it changes.
    assert_eq!(verify(&forged(&header(), &said())).unwrap(), claims());
}

#[test]
fn what_a_token_may_ask_for() {
    let claims = claims();
    assert!(claims.allows_model("gpt-5-mini") && claims.allows_model("claude-opus-5"));
    assert!(!claims.allows_model("gpt-4o") && !claims.allows_model(""));
    assert!(claims.allows_upstream("openai") && !claims.allows_upstream("openai2"));
    let all = Claims { models: vec![], upstreams: vec![], ..claims };
    assert!(all.allows_model("gpt-4o") && all.allows_upstream("groq"));
}

#[test]
fn no_other_algorithm_is_spoken() {
    let token = sign(&claims(), "k1", &KEY).unwrap();
    for algorithm in ["none", "None", "NONE", "", "eddsa", "Ed25519", "HS512", "RS256", "ES256"] {
        let header = with(header(), "alg", json!(algorithm));
        invalid(&forged(&header, &said()));
        // Without a signature, too.
        let forged = forged(&header, &said());
        let (unsigned, _) = forged.rsplit_once('.').unwrap();
        invalid(&format!("{unsigned}."));
        invalid(unsigned);
    }
    // HMAC with the public key, which everybody has, in each form that it is published in.
    let public = public_key("k1", &KEY);
    let x = public["x"].as_str().unwrap();
    for secret in [URL_SAFE_NO_PAD.decode(x).unwrap(), x.into(), public.to_string().into_bytes()] {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&with(header(), "alg", json!("HS256"))), part(&said()));
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(message.as_bytes());
        let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        assert_eq!(invalid(&format!("iron_{message}.{mac}")), "it is not signed with EdDSA");
    }
    assert!(verify(&token).is_ok());
}

#[test]
fn a_key_is_only_looked_up_in_the_set() {
    for kid in ["../../../../dev/null", "k1\0", "K1", "", " k1", "' or 1=1 --", "k2"] {
        let why = invalid(&forged(&with(header(), "kid", json!(kid)), &said()));
        assert_eq!(why, "it was signed with a key that is not, or no longer, in use", "{kid}");
    }
    for kid in [json!(null), json!(1), json!(["k1"]), json!({"k1": 1})] {
        invalid(&forged(&with(header(), "kid", kid), &said()));
    }
    // Signed by somebody who names our key.
    invalid(&sign(&claims(), "k1", &OTHER).unwrap());
    let own = public_key("k1", &OTHER);
    for (name, value) in [
        ("jku", json!("https://attacker.example/keys")),
        ("jwk", own),
        ("x5u", json!("https://attacker.example/cert")),
        ("x5c", json!(["MA=="])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("url", json!("https://attacker.example")),
        ("typ", json!("at+jwt")),
        ("typ", json!(null)),
    ] {
        invalid(&forged(&with(header(), name, value), &said()));
    }
}

#[test]
fn another_times_another_panels_and_another_uses_token_is_refused() {
    let at = |claims: &Claims, now| keys().verify(&sign(claims, "k1", &KEY).unwrap(), ISSUER, now);
    let claims = claims();
    assert!(at(&claims, NOW - LEEWAY_S).is_ok());
    let early = at(&claims, NOW - LEEWAY_S - 1).unwrap_err();
    assert_eq!(early, TokenError::Invalid("it is not good yet"));
    assert!(at(&claims, claims.exp + LEEWAY_S - 1).is_ok());
    let late = at(&claims, claims.exp + LEEWAY_S).unwrap_err();
    assert_eq!(late, TokenError::Expired { since_s: claims.exp });
    assert_eq!(late.reason(), "token_expired");
    assert!(late.to_string().contains("2026-09-21T"), "{late}");
    for times in [[i64::MAX, i64::MAX], [i64::MIN, i64::MIN]] {
        let [nbf, exp] = times;
        assert!(at(&Claims { nbf, exp, ..claims.clone() }, NOW).is_err());
    }

    for issuer in ["https://panel.example/", "https://other.example", ""] {
        let forged = sign(&Claims { iss: issuer.into(), ..claims.clone() }, "k1", &KEY).unwrap();
        assert_eq!(invalid(&forged), "it is another panel's");
    }
    for audience in [json!("iron-panel"), json!(""), json!(["iron-proxy"]), json!(null)] {
        invalid(&forged(&header(), &with(said(), "aud", audience)));
    }
}

#[test]
fn what_is_missing_or_of_another_type_is_refused() {
    for name in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"] {
        let mut said = said();
        said.as_object_mut().unwrap().remove(name);
        invalid(&forged(&header(), &said));
    }
    for (name, value) in [
        ("exp", json!("1790003600")),
        ("exp", json!(1e300_f64)),
        ("exp", json!(1.5)),
        ("sub", json!("../admin")),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("jti", json!(7)),
        ("project", json!("a b")),
        ("models", json!("gpt-*")),
        ("upstreams", json!([1])),
    ] {
        invalid(&forged(&header(), &with(said(), name, value)));
    }
    // A name that stands twice: which one was meant is anybody's guess.
    let text = said().to_string().replacen('{', "{\"sub\":\"admin\",", 1);
    let token = forged(&header(), &said());
    let parts: Vec<_> = token["iron_".len()..].split('.').collect();
    let message = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(text));
    let key = ed25519_dalek::SigningKey::from_bytes(&KEY);
    let signature = ed25519_dalek::Signer::sign(&key, message.as_bytes());
    invalid(&format!("iron_{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())));
}

#[test]
fn a_token_is_taken_whole_or_not_at_all() {
    let token = sign(&claims(), "k1", &KEY).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for cut in 1..signature.len() {
        invalid(&format!("{message}.{}", &signature[..cut]));
    }
    for wrong in [
        format!("{token}="),
        format!("{token}."),
        format!("{token}.x"),
        format!(" {token}"),
        format!("{token}\n"),
        token.replacen("iron_", "", 1),
        token.replacen("iron_", "IRON_", 1),
        token.replacen("iron_", "iron_iron_", 1),
        format!("{message}.{}", "A".repeat(86)),
        format!("iron_proxy_{}", "A".repeat(43)),
        "iron_".into(),
        "iron_..".into(),
        String::new(),
    ] {
        invalid(&wrong);
    }
}

#[test]
fn a_token_of_16_kb_is_not_even_looked_at() {
    let long = format!("iron_{}", "A".repeat(16 * 1024 - 5));
    assert_eq!(invalid(&long), "it is longer than any that is issued");
    let models = (0..2_000).map(|n| Glob::new(&format!("model-{n}"))).collect();
    let claims = Claims { models, ..claims() };
    assert_eq!(sign(&claims, "k1", &KEY), Err(SignError::TooLong));
}

#[test]
fn tokens_that_share_a_long_prefix_are_separate_identities() {
    let models: Vec<_> = (0..400).map(|n| Glob::new(&format!("model-{n}"))).collect();
    // What differs stands last in the token's text but for the signature.
    let of = |policy: &str| Claims {
        models: models.clone(),
        policy: Some(policy.parse().unwrap()),
        ..claims()
    };
    let (a, b) = (of("a"), of("b"));
    let (of_a, of_b) = (sign(&a, "k1", &KEY).unwrap(), sign(&b, "k1", &KEY).unwrap());
    let shared = of_a.bytes().zip(of_b.bytes()).take_while(|(a, b)| a == b).count();
    assert!(shared > 6_000, "{shared}");
    assert_eq!((verify(&of_a).unwrap(), verify(&of_b).unwrap()), (a, b));
    // The signature of one does not hold for the other.
    let (message, _) = of_a.rsplit_once('.').unwrap();
    let (_, signature) = of_b.rsplit_once('.').unwrap();
    invalid(&format!("{message}.{signature}"));
}

#[test]
fn a_set_gives_its_ed25519_keys_and_bounds_their_number() {
    let good = public_key("k1", &KEY);
    let set = json!({"keys": [
        good,
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        with(public_key("x", &KEY), "crv", json!("X25519")),
        with(public_key("e", &KEY), "use", json!("enc")),
        with(public_key("h", &KEY), "alg", json!("HS256")),
        with(public_key("", &KEY), "x", json!("AAAA")),
        // The neutral element: every signature of a certain form would hold.
        with(public_key("w", &KEY), "x", json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        {"kty": "OKP"}, 7,
    ]});
    let keys = TokenKeys::parse(&set).unwrap();
    assert_eq!(format!("{keys:?}"), "[\"k1\"]");
    let twice = json!({"keys": [public_key("k1", &KEY), public_key("k1", &OTHER)]});
    assert!(TokenKeys::parse(&twice).is_err());
    let many: Vec<_> = (0..=MAX_KEYS).map(|n| public_key(&n.to_string(), &KEY)).collect();
    assert!(TokenKeys::parse(&json!({"keys": many})).is_err());
    for wrong in [json!(null), json!({}), json!({"keys": {}}), json!([])] {
        assert!(TokenKeys::parse(&wrong).is_err(), "{wrong}");
    }
    assert!(
        TokenKeys::default().verify(&sign(&claims(), "k1", &KEY).unwrap(), ISSUER, NOW).is_err()
    );
}

#[test]
fn a_rotation_takes_the_old_keys_tokens_until_it_is_over() {
    let (old, new) = (sign(&claims(), "k1", &KEY), sign(&claims(), "k2", &OTHER));
    let (old, new) = (old.unwrap(), new.unwrap());
    let both = json!({"keys": [public_key("k1", &KEY), public_key("k2", &OTHER)]});
    let both = TokenKeys::parse(&both).unwrap();
    assert!(both.verify(&old, ISSUER, NOW).is_ok() && both.verify(&new, ISSUER, NOW).is_ok());
    let after = TokenKeys::parse(&json!({"keys": [public_key("k2", &OTHER)]})).unwrap();
    assert!(after.verify(&old, ISSUER, NOW).is_err() && after.verify(&new, ISSUER, NOW).is_ok());
}

proptest! {
    /// Whatever byte of a token is changed, it is not that token any more, nor another.
    #[test]
    fn no_changed_byte_passes(at in 0_usize..600, with in any::<char>()) {
        let token = sign(&claims(), "k1", &KEY).unwrap();
        let at = at % token.len();
        let changed = format!("{}{with}{}", &token[..at], &token[at + 1..]);
        prop_assert!(changed == token || verify(&changed).is_err());
    }

    /// Nothing that anybody makes up panics, or passes.
    #[test]
    fn no_text_passes(text in ".{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
        prop_assert!(verify(&text).is_err());
        let token = format!("iron_{}", parts.join("."));
        prop_assert!(verify(&token).is_err());
    }
}
