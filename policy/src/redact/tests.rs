//! Stories and properties of redaction as a whole.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json::{Event, Reader, Text, escape_into};

fn vault() -> Arc<Vault> {
    Arc::new(Vault::new([42; 32], 1000))
}

fn engine() -> Engine {
    Engine::new(Modes::default())
}

/// The string values of a document, each with its key.
fn strings(document: &str) -> Vec<(Option<Text<'_>>, Text<'_>)> {
    let mut reader = Reader::over(document);
    let mut key = None;
    let mut strings = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        match event {
            Event::Key(name) => key = Some(name),
            Event::String(text) => strings.push((key.take(), text)),
            _ => key = None,
        }
    }
    strings
}

fn spans(document: &str, kind: SpanKind) -> Vec<Span<'_>> {
    strings(document)
        .into_iter()
        .map(|(key, text)| Span { text, key: key.map(|key| key.raw()), kind })
        .collect()
}

fn redacted(engine: &Engine, vault: &Vault, document: &str, kind: SpanKind) -> String {
    let redaction = engine.redact(&spans(document, kind), vault);
    let bytes = splice(document.as_bytes(), &redaction.edits);
    String::from_utf8(bytes).unwrap()
}

/// One text redacted, by way of a document that holds nothing else.
fn redacted_text(engine: &Engine, vault: &Vault, text: &str) -> String {
    let document = quoted(text);
    let out = redacted(engine, vault, &document, SpanKind::Plain);
    serde_json::from_str(&out).unwrap()
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    escape_into(&mut out, text);
    out.push('"');
    out
}

fn streamed(vault: &Arc<Vault>, depth: u8, pieces: &[&str]) -> String {
    let mut restorer = Restorer::in_json(Arc::clone(vault), depth);
    let mut out = String::new();
    for piece in pieces {
        restorer.push(piece, &mut out);
    }
    restorer.finish(&mut out);
    out
}

#[test]
fn engine_and_vault_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<Vault>();
}

#[test]
fn a_value_is_found_behind_escapes_and_replaced_in_place() {
    let document = r#"{ "a":"\ud83d\ude00 mail ann\u0040example.com\nnow" , "n":1.50,"b":"plain"}"#;
    let vault = vault();
    let redaction = engine().redact(&spans(document, SpanKind::Plain), &vault);
    let ann = vault.placeholder(Kind::Email, "ann@example.com");
    let out = splice(document.as_bytes(), &redaction.edits);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(r#"{{ "a":"\ud83d\ude00 mail {ann}\nnow" , "n":1.50,"b":"plain"}}"#)
    );
    let [finding] = &redaction.findings[..] else { panic!("{redaction:?}") };
    assert_eq!(&document[finding.range.clone()], r"ann\u0040example.com");
    assert_eq!((finding.kind, finding.action), (Kind::Email, Mode::Reversible));
    assert!(!format!("{redaction:?}").contains("example.com"));
}

#[test]
fn json_in_a_string_in_json_is_read_to_its_innermost_string() {
    let innermost = r#"{"to":"ann@example.com","ssn":"536228731"}"#;
    let arguments = format!(r#"{{"payload":{},"n":7}}"#, quoted(innermost));
    let document = format!(r#"{{"arguments":{}}}"#, quoted(&arguments));
    let vault = vault();
    let out = redacted(&engine(), &vault, &document, SpanKind::Json);
    let ann = vault.placeholder(Kind::Email, "ann@example.com");
    let ssn = vault.placeholder(Kind::Ssn, "536228731");
    let expected = document.replace("ann@example.com", &ann).replace("536228731", &ssn);
    assert_eq!(out, expected);

    let outer: Value = serde_json::from_str(&out).unwrap();
    let arguments: Value = serde_json::from_str(outer["arguments"].as_str().unwrap()).unwrap();
    let innermost: Value = serde_json::from_str(arguments["payload"].as_str().unwrap()).unwrap();
    assert_eq!(innermost["to"], ann);
}

#[test]
fn arguments_that_are_no_json_are_read_as_text() {
    let vault = vault();
    for text in
        ["{\"to\": ann@example.com", "[ann@example.com", "ann@example.com", "{}{}ann@example.com"]
    {
        let out = redacted(&engine(), &vault, &quoted(text), SpanKind::Json);
        assert!(!out.contains("example.com") && out.contains("<EMAIL_"), "{out}");
    }
}

#[test]
fn each_mode_does_what_it_says() {
    let modes = Modes::all(Mode::Mask)
        .with(Kind::Email, Mode::Detect)
        .with(Kind::Ssn, Mode::Block)
        .with(Kind::Phone, Mode::Off);
    let vault = vault();
    let document = quoted("a@b.com 536-22-8731 +14155550123 198.41.0.4");
    let redaction = Engine::new(modes).redact(&spans(&document, SpanKind::Plain), &vault);
    let out = splice(document.as_bytes(), &redaction.edits);
    assert_eq!(out, b"\"a@b.com <SSN> +14155550123 <IP>\"");
    let found: Vec<_> = redaction.findings.iter().map(|f| (f.kind, f.action)).collect();
    assert_eq!(
        found,
        [(Kind::Email, Mode::Detect), (Kind::Ssn, Mode::Block), (Kind::Ip, Mode::Mask)]
    );
    assert!(vault.is_empty());
}

#[test]
fn what_touches_a_value_is_found_once_the_value_is_gone() {
    let vault = vault();
    let key = VALUES[9];
    let text = format!("{key}{} {}", VALUES[1], VALUES[0]);
    let out = redacted_text(&engine(), &vault, &text);
    assert_eq!(out.matches('<').count(), 3, "{out}");
    assert!(!out.contains("4242") && !out.contains('@'), "{out}");
    assert_eq!(restore(&vault, &out), text);
}

#[test]
fn a_look_alike_comes_back_as_the_user_wrote_it() {
    let (engine, vault) = (engine(), vault());
    for look_alike in [
        "<EMAIL_kq7mzvt2ah>",
        "<email_KQ7MZVT2AH>",
        r"\<API\_KEY\_kq7mzvt2ah\>",
        "&lt;SSN_kq7mzvt2ah&gt;",
    ] {
        let text = format!("see {look_alike}{look_alike} or <EMAIL> and a@b.com");
        let out = redacted_text(&engine, &vault, &text);
        assert!(!out.contains(look_alike), "{out}");
        assert_eq!(restore(&vault, &out), text);
        assert_eq!(redacted_text(&engine, &vault, &out), out);
    }
}

#[test]
fn many_values_in_a_row_cost_no_more_than_their_number() {
    let (engine, vault) = (engine(), Arc::new(Vault::new([42; 32], 10)));
    for unit in [
        "a@",
        "a@b.c",
        "1.",
        "1.1.1.1 ",
        "4111 ",
        "4111-1111-",
        "+1",
        "+1 2 3 ",
        "eyJ",
        "eyJ.",
        "AKIA",
        "sk-",
        "sk-a.",
        "DE89 3704 ",
        "-----BEGIN PRIVATE KEY-----",
        "ann@example.com ",
        "2001:",
        "536-22-",
        "<EMAIL_",
        "<EMAIL_kq7mzvt2ah>",
        "\\",
        "&lt;",
        "9",
        "a",
        "é",
        "1 2 ",
        "a1",
        "0a:",
        "a@例",
        "tel 1",
        "dob 1/1/",
        "May 1, 2024 ",
        "020 7946 0958 ",
        "BIC A",
    ] {
        let text = unit.repeat(200_000 / unit.len());
        engine.redact(&spans(&quoted(&text), SpanKind::Json), &vault);
    }
}

const VALUES: [&str; 10] = [
    "ann.lee+x@example.com",
    "4242 4242 4242 4242",
    "378282246310005",
    "DE89370400440532013000",
    "536-22-8731",
    "+44 20 7946 0958",
    "198.41.0.4",
    "2001:503:ba3e::2:30",
    concat!("AKIA", "IOSFODNN7EXAMPLE"),
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----",
];

/// Text with planted values and with whatever is likely to disturb reading them.
fn planted() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        3 => r#"[a-z<>&\\_"\n .,:;é😀*`'+@0-9-]{0,6}"#,
        2 => prop::sample::select(&[" ", "\n", "\\n", "\\", "<", "<EMAIL_", "&lt;", "\\<", ">", "_"][..])
            .prop_map(str::to_owned),
        1 => prop::sample::select(&["<EMAIL_kq7mzvt2ah>", "<SSN_abcdefghij>", "\\<IP\\_kq7mzvt2ah\\>"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        planted().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner.clone(), 0..3)
                .prop_map(Value::from_iter),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// The same document with every string emptied.
fn without_strings(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::from(""),
        Value::Array(items) => items.iter().map(without_strings).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), without_strings(value))).collect()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_redacted_comes_back_under_every_split(text in planted()) {
        let (engine, vault) = (engine(), vault());
        let out = redacted_text(&engine, &vault, &text);
        prop_assert_eq!(restore(&vault, &out), text.as_str());
        for cut in (0..=out.len()).filter(|at| out.is_char_boundary(*at)) {
            let restored = streamed(&vault, 0, &[&out[..cut], &out[cut..]]);
            prop_assert_eq!(&restored, &text);
        }
        let characters: Vec<_> = out.split("").collect();
        prop_assert_eq!(streamed(&vault, 0, &characters), text);
    }

    #[test]
    fn arguments_come_back_as_the_same_document(value in document()) {
        let (engine, vault) = (engine(), vault());
        let source = Value::from(vec![value]).to_string();
        let outer = redacted(&engine, &vault, &quoted(&source), SpanKind::Json);
        let out: String = serde_json::from_str(&outer).unwrap();
        let changed: Value = serde_json::from_str(&out).unwrap();
        let original: Value = serde_json::from_str(&source).unwrap();
        prop_assert_eq!(without_strings(&changed), without_strings(&original));
        // Strings that hold JSON themselves are restored as text, one layer deep.
        let whole = streamed(&vault, 1, &[&out]);
        prop_assert!(serde_json::from_str::<Value>(&whole).is_ok(), "{}", whole);
        for cut in (0..=out.len()).filter(|at| out.is_char_boundary(*at)) {
            prop_assert_eq!(&streamed(&vault, 1, &[&out[..cut], &out[cut..]]), &whole);
        }
    }

    #[test]
    fn redacting_twice_is_redacting_once(text in planted()) {
        let (engine, vault) = (engine(), vault());
        let once = redacted_text(&engine, &vault, &text);
        prop_assert_eq!(redacted_text(&engine, &vault, &once), once);
        let mask = Engine::new(Modes::all(Mode::Mask));
        let once = redacted_text(&mask, &vault, &text);
        prop_assert_eq!(redacted_text(&mask, &vault, &once), once);
    }

    #[test]
    fn a_document_stays_one_and_only_its_strings_change(value in document()) {
        let (engine, vault) = (engine(), vault());
        let source = serde_json::to_string_pretty(&value).unwrap();
        for kind in [SpanKind::Plain, SpanKind::Json] {
            let spans = spans(&source, kind);
            let redaction = engine.redact(&spans, &vault);
            let out = splice(source.as_bytes(), &redaction.edits);
            let changed: Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(without_strings(&changed), without_strings(&value));
            if redaction.edits.is_empty() {
                prop_assert_eq!(out, source.as_bytes());
            }
            for pair in redaction.edits.windows(2) {
                prop_assert!(pair[0].range.end <= pair[1].range.start);
            }
        }
    }

    #[test]
    fn made_up_ids_and_hashes_are_left_alone(
        id in "(call|toolu|msg|resp|req|run|fc|rs|thread)_[A-Za-z0-9]{16,32}",
        completion in "chatcmpl-[A-Za-z0-9]{24,32}",
        hash in "[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|sha512-[A-Za-z0-9+/]{86}==",
        uuid in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        blob in "[A-Za-z0-9+/]{400}",
        url_blob in "[A-Za-z0-9_-]{400}",
        time in "1[5-9][0-9]{8}([0-9]{3}){0,3}",
        snowflake in "[1-9][0-9]{16,18}",
        version in "v?[0-9]{1,2}\\.[0-9]{1,3}\\.[0-9]{1,3}(-[a-z]{2,5}\\.[0-9])?",
    ) {
        // All-digit hashes aside: a card is a card.
        prop_assume!(hash.bytes().any(|byte| byte.is_ascii_alphabetic()));
        let text = format!(
            r#"{{"id":"{id}","c":"{completion}","h":"{hash}","u":"{uuid}","b":"{blob}","d":"{url_blob}","at":{time},"s":{snowflake},"v":"{version}"}}"#
        );
        prop_assert_eq!(engine().find(&text, None), []);
    }

    #[test]
    fn any_text_at_all_is_borne(text in any::<String>(), cut in any::<prop::sample::Index>()) {
        let (engine, vault) = (engine(), vault());
        vault.placeholder(Kind::Email, "a@b.com");
        let out = redacted_text(&engine, &vault, &text);
        prop_assert_eq!(restore(&vault, &out), text.as_str());
        let cut = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at));
        let (start, end) = text.split_at(cut.unwrap_or(0));
        for depth in 0..=4 {
            prop_assert_eq!(streamed(&vault, depth, &[start, end]), streamed(&vault, depth, &[&text]));
        }
    }
}
