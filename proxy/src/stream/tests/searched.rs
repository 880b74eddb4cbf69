//! Answers that are searched: the same however they are cut, and nothing guarded gets out.

use std::sync::Arc;

use bytes::Bytes;
use iron_policy::redact::{Engine, KINDS, Kind, Mode, Modes, Vault};
use serde_json::{Value, json};

use super::fixtures::{SHAPES, Shape, events, run, text};
use crate::stream::answers::{AnswerRestorers, Answers, Findings};
use crate::stream::plain::{self, RestoreError};
use crate::stream::{StreamError, StreamRelay, WireKind};

fn modes() -> Modes {
    Modes::all(Mode::Mask).with(Kind::Ip, Mode::Detect).with(Kind::Iban, Mode::Block)
}

/// A vault in which the user's own address has a placeholder.
fn vault() -> (Arc<Vault>, String) {
    let vault = Vault::new([3; 32], 10);
    let placeholder = vault.placeholder(Kind::Email, "user@example.org");
    (Arc::new(vault), placeholder)
}

fn relay(
    kind: WireKind,
    modes: Modes,
    vault: &Arc<Vault>,
) -> (StreamRelay<AnswerRestorers>, Findings) {
    let policy = Answers::of(Engine::new(modes), &KINDS);
    let restorers = AnswerRestorers::new(policy.as_ref(), Arc::clone(vault));
    let findings = restorers.findings();
    (StreamRelay::new(kind, false, Some(restorers)), findings)
}

/// What a provider writes, and what the client gets.
fn sample(shape: &Shape, placeholder: &str) -> (String, String) {
    if shape.json {
        let text = |own: &str, ssn: &str, mail: &str| {
            format!(r#"{{"to":"{own}","é":["{mail}"],"ssn":"{ssn}","ip":"198.41.0.4"}}"#)
        };
        let said = text(placeholder, "536228731", r"mallory\u0040example.com");
        (said, text("user@example.org", "<SSN>", "<EMAIL>"))
    } else {
        let text = |own: &str, card: &str, mail: &str| {
            format!("é \"{own}\"\n{mail},\n 😀 198.41.0.4 {card}.\n")
        };
        let said = text(placeholder, "4242 4242 4242 4242", "mallory@example.com");
        (said, text("user@example.org", "<CREDIT_CARD>", "<EMAIL>"))
    }
}

fn sorted(findings: &Findings) -> Vec<(String, u32)> {
    let counts = findings.counts().into_iter();
    let mut counts: Vec<_> = counts.map(|(kind, count)| (kind.to_string(), count)).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_text_cut_anywhere_is_masked_and_restored_the_same() {
    let (vault, placeholder) = vault();
    for shape in &SHAPES {
        let (said, expected) = sample(shape, &placeholder);
        let borders: Vec<_> = (0..=said.len()).filter(|at| said.is_char_boundary(*at)).collect();
        let kinds = if shape.json { "SSN" } else { "CREDIT_CARD" };
        let mut counts = ["EMAIL", "IP", kinds].map(|kind| (kind.to_owned(), 1));
        counts.sort_unstable();
        for (place, &first) in borders.iter().enumerate() {
            for &second in borders[place..].iter().step_by(11) {
                let pieces = [&said[..first], &said[first..second], &said[second..]];
                let stream = (shape.stream)(&pieces);
                let (relay, findings) = relay(shape.kind, modes(), &vault);
                let (out, metered) = run(relay, [stream.as_bytes()]);
                let place = (shape.name, first, second);
                assert_eq!(text(shape, &out), expected, "{place:?}");
                assert!(!out.contains("mallory") && !out.contains("4242 4242"), "{place:?} {out}");
                assert_eq!(sorted(&findings), counts, "{place:?}");
                assert!(metered.complete, "{place:?}");
                // Every event of the provider's is there, in its order.
                let types = |stream: &str| -> Vec<Value> {
                    let events = events(stream).into_iter();
                    events.filter(|event| (shape.piece)(event).is_none()).collect()
                };
                if shape.kind != WireKind::Responses {
                    assert_eq!(types(&out), types(&stream), "{place:?}");
                }
            }
        }
    }
}

#[test]
fn bytes_cut_anywhere_come_out_the_same() {
    let (vault, placeholder) = vault();
    for shape in &SHAPES {
        let (said, expected) = sample(shape, &placeholder);
        let (left, right) = said.split_at(said.find("xample.").unwrap());
        let stream = (shape.stream)(&[left, right]);
        let reference = run(relay(shape.kind, modes(), &vault).0, [stream.as_bytes()]);
        assert_eq!(text(shape, &reference.0), expected);
        for cut in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(cut);
            let out = run(relay(shape.kind, modes(), &vault).0, [left, right]);
            assert_eq!(out, reference, "{} at {cut}", shape.name);
        }
        assert_eq!(
            run(relay(shape.kind, modes(), &vault).0, stream.as_bytes().chunks(1)),
            reference
        );
    }
}

#[test]
fn the_tokens_beside_a_text_do_not_tell_what_is_kept_back() {
    let (vault, _) = vault();
    let chat = r#"{"choices":[{"index":0,"logprobs":{"content":[{"token":"DE89","bytes":[68]}]},"delta":{"content":"x"}}]}"#;
    let more = r#"{"type":"response.output_text.delta","logprobs":[{"token":"DE89"}],"delta":"x"}"#;
    let done = r#"{"type":"response.output_text.done","text":"x","logprobs":[{"token":"DE89"}]}"#;
    let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"logprobsResult":{"chosenCandidates":[{"token":"DE89"}]}}]}"#;
    for (kind, event) in [
        (WireKind::Chat, chat),
        (WireKind::Responses, more),
        (WireKind::Responses, done),
        (WireKind::Gemini, gemini),
    ] {
        for (mode, told) in [(Mode::Mask, false), (Mode::Detect, true)] {
            // One event of two lines of data: the value may be on both.
            let event = event.replace("[{", "[\ndata: {");
            let stream = format!("data: {event}\n\n");
            let (out, _) = run(relay(kind, Modes::all(mode), &vault).0, [stream.as_bytes()]);
            assert_eq!(out.contains("DE89"), told, "{out}");
            assert!(!events(&out).is_empty(), "{out}");
        }
    }
    let restorers = AnswerRestorers::new(Answers::of(Engine::new(modes()), &KINDS).as_ref(), vault);
    let body =
        Bytes::from(r#"{"choices":[{"message":{"content":"x"},"logprobs":{"content":[]}}]}"#);
    let out = plain::restore(&body, &restorers).unwrap();
    assert_eq!(out, &br#"{"choices":[{"message":{"content":"x"},"logprobs":null}]}"#[..]);
    let out = plain::restore_gemini(&Bytes::from(gemini), &restorers).unwrap();
    let expected = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"logprobsResult":null}]}"#;
    assert_eq!(out, expected.as_bytes());
}

#[test]
fn what_is_only_detected_is_counted_and_not_delayed() {
    let empty = Arc::new(Vault::new([3; 32], 10));
    for shape in &SHAPES {
        let (said, _) = sample(shape, "");
        for at in (0..=said.len()).filter(|at| said.is_char_boundary(*at)) {
            let stream = (shape.stream)(&[&said[..at], &said[at..]]);
            let (mut relay, findings) = relay(shape.kind, Modes::all(Mode::Detect), &empty);
            for byte in stream.as_bytes() {
                let mut out = Vec::new();
                relay.push(Bytes::copy_from_slice(&[*byte]), &mut out).unwrap();
                assert_eq!(out.concat(), [*byte]);
            }
            relay.finish(&mut Vec::new()).unwrap();
            assert_eq!(findings.counts().len(), 3, "{} at {at}: {findings:?}", shape.name);
            assert!(findings.counts().iter().all(|(_, count)| *count == 1), "{findings:?}");
        }
    }
}

#[test]
fn with_placeholders_about_detected_text_is_restored_at_once() {
    let (vault, placeholder) = vault();
    let (mut relay, findings) = relay(WireKind::Chat, Modes::all(Mode::Detect), &vault);
    let chunk = |text: &str| {
        let event = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        Bytes::from(format!("data: {event}\n\n"))
    };
    let mut out = Vec::new();
    relay.push(chunk(&format!("{placeholder} and mallory@exam")), &mut out).unwrap();
    let seen = String::from_utf8(out.concat()).unwrap();
    assert!(seen.contains("user@example.org and mallory@exam"), "{seen}");
    relay.push(chunk("ple.com"), &mut out).unwrap();
    relay.finish(&mut out).unwrap();
    assert_eq!(findings.counts(), [(Kind::Email, 1)]);
}

#[test]
fn a_blocked_kind_ends_the_stream_before_it_wherever_it_is_cut() {
    let (vault, _) = vault();
    let iban = "DE89370400440532013000";
    for shape in &SHAPES {
        let said =
            if shape.json { format!(r#"{{"to":"{iban}"}}"#) } else { format!("to\n{iban}\nnow") };
        for at in 0..=said.len() {
            let stream = (shape.stream)(&[&said[..at], &said[at..]]);
            let (mut relay, findings) = relay(shape.kind, modes(), &vault);
            let mut out = Vec::new();
            let pushed = relay.push(stream.into(), &mut out);
            assert_eq!(pushed, Err(StreamError::Blocked), "{} at {at}", shape.name);
            let metered = relay.metered();
            assert!(metered.complete || metered.usage_is_final, "the rest of the chunk is metered");
            relay.fail("policy_violation", "IBAN", "call_1", &mut out);
            let out = String::from_utf8(out.concat()).unwrap();
            assert!(!out.contains("DE89") && !out.contains("[DONE]"), "{out}");
            let last = events(&out).pop().unwrap();
            let said = match shape.kind {
                WireKind::Gemini => (&last["error"]["status"], "PERMISSION_DENIED"),
                _ => (&last["error"]["type"], "permission_error"),
            };
            assert_eq!(said.0, said.1, "{last}");
            assert_eq!(findings.blocked(), "IBAN");
        }
    }
}

#[test]
fn what_is_blocked_at_an_unmarked_end_does_not_get_out() {
    let (vault, _) = vault();
    let open = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"DE89370400440532013000\"}}]}\n\n";
    let (mut relay, _) = relay(WireKind::Chat, modes(), &vault);
    let mut out = Vec::new();
    relay.push(open.into(), &mut out).unwrap();
    assert_eq!(relay.finish(&mut out), Err(StreamError::Blocked));
    relay.fail("policy_violation", "IBAN", "call_1", &mut out);
    let out = String::from_utf8(out.concat()).unwrap();
    assert!(!out.contains("DE89"), "{out}");
    assert_eq!(events(&out).len(), 2);
}

#[test]
fn whole_answers_are_masked_by_the_names_around_a_value_too() {
    let (vault, placeholder) = vault();
    let restorers = AnswerRestorers::new(
        Answers::of(Engine::new(modes()), &KINDS).as_ref(),
        Arc::clone(&vault),
    );
    let body = json!({"id": "msg_1", "content": [
        {"type": "text", "text": format!("{placeholder} mallory@example.com")},
        {"type": "tool_use", "id": "toolu_1", "input": {"ssn": "536228731", "n": 536_228_731}}]});
    let out = plain::restore(&Bytes::from(body.to_string()), &restorers).unwrap();
    let out: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(out["content"][0]["text"], "user@example.org <EMAIL>");
    assert_eq!(out["content"][1]["input"], json!({"ssn": "<SSN>", "n": 536_228_731}));
    let blocked = Bytes::from(r#"{"text":"DE89370400440532013000"}"#);
    let refused = plain::restore(&blocked, &restorers);
    assert_eq!(refused, Err(RestoreError::Forbidden(StreamError::Blocked)));
}

#[test]
fn geminis_answers_are_searched_over_parts_and_arguments_whole_and_in_a_list() {
    let (vault, placeholder) = vault();
    let searched = |body: &Value| {
        let policy = Answers::of(Engine::new(modes()), &KINDS);
        let restorers = AnswerRestorers::new(policy.as_ref(), Arc::clone(&vault));
        let out = plain::restore_gemini(&Bytes::from(body.to_string()), &restorers);
        let value = out.map(|out| serde_json::from_slice::<Value>(&out).unwrap());
        (value, restorers.findings().counts())
    };
    let chunk = |parts: Value| json!({"candidates": [{"content": {"parts": parts}}]});
    let parts = |chunk: &Value| chunk["candidates"][0]["content"]["parts"].clone();

    let (out, found) = searched(&chunk(json!([
        {"text": format!("{placeholder} mallory@exam")}, {"text": "ple.com"},
        {"functionCall": {"name": "f", "args": {"ssn": "536228731", "n": 536_228_731}}}])));
    let out = parts(&out.unwrap());
    let said = [&out[0], &out[1]].map(|part| part["text"].as_str().unwrap()).concat();
    assert_eq!(said, "user@example.org <EMAIL>");
    assert_eq!(out[2]["functionCall"]["args"], json!({"ssn": "<SSN>", "n": 536_228_731}));
    assert_eq!(found, [(Kind::Ssn, 1), (Kind::Email, 1)]);

    let list = json!([
        chunk(json!([{"text": "a card: 4242 4242"}])),
        chunk(json!([{"text": " 4242 4242"}]))
    ]);
    let (out, found) = searched(&list);
    let out = out.unwrap();
    let said: String =
        (0..2).map(|place| parts(&out[place])[0]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!((said.as_str(), found), ("a card: <CREDIT_CARD>", vec![(Kind::CreditCard, 1)]));

    let halves = json!([{"text": "DE893704"}, {"text": "00440532013000"}]);
    for blocked in [chunk(halves.clone()), json!([chunk(halves)])] {
        let (refused, _) = searched(&blocked);
        assert_eq!(refused, Err(RestoreError::Forbidden(StreamError::Blocked)));
    }
}
