//! What is Gemini's own: runs of parts, functions' arguments, and streams that are one document.

use bytes::Bytes;
use serde_json::{Value, json};

use super::double::{Double, PLACEHOLDER, VALUE, restored};
use super::fixtures::{events, gemini_chunk, run};
use crate::stream::{StreamRelay, WireKind, plain};

fn streamed(stream: &str) -> Vec<Value> {
    let relay = StreamRelay::new(WireKind::Gemini, false, Some(Double));
    events(&run(relay, [stream.as_bytes()]).0)
}

fn content(parts: &Value) -> Value {
    json!({"content": {"parts": parts, "role": "model"}, "index": 0})
}

fn whole(body: &Value) -> Value {
    let body = Bytes::from(serde_json::to_string_pretty(body).unwrap());
    serde_json::from_slice(&plain::restore_gemini(&body, &Double).unwrap()).unwrap()
}

/// A part of every kind, with a placeholder wherever a string can stand.
fn every_part() -> Value {
    let p = PLACEHOLDER;
    json!([
        {"text": format!("to {p}"), "thoughtSignature": p},
        {"functionCall": {"id": p, "name": "send", "args": {"id": p, "data": [{"type": p}]}}},
        {"executableCode": {"language": p, "code": format!("mail('{p}')")}},
        {"codeExecutionResult": {"outcome": p, "output": p}},
        {"inlineData": {"mimeType": p, "data": p}},
        {"fileData": {"mimeType": p, "fileUri": p}},
        {"a_part_of_tomorrow": {"words": p}},
    ])
}

fn check(parts: &Value) {
    let (p, v) = (PLACEHOLDER, VALUE);
    assert_eq!(parts[0], json!({"text": format!("to {v}"), "thoughtSignature": p}));
    let call = json!({"id": p, "name": "send", "args": {"id": v, "data": [{"type": v}]}});
    assert_eq!(parts[1]["functionCall"], call);
    assert_eq!(
        parts[2]["executableCode"],
        json!({"language": p, "code": restored(&format!("mail('{p}')"), false)})
    );
    assert_eq!(parts[3]["codeExecutionResult"], json!({"outcome": p, "output": v}));
    assert_eq!(parts[4]["inlineData"], json!({"mimeType": p, "data": p}));
    assert_eq!(parts[5]["fileData"], json!({"mimeType": p, "fileUri": p}));
    assert_eq!(parts[6]["a_part_of_tomorrow"]["words"], v);
}

#[test]
fn every_text_of_a_part_is_restored_and_the_rest_is_left() {
    let answer = json!({"candidates": [content(&every_part())], "responseId": PLACEHOLDER});
    let restored = whole(&answer);
    check(&restored["candidates"][0]["content"]["parts"]);
    assert_eq!(restored["responseId"], PLACEHOLDER);
    let events = streamed(&gemini_chunk(&content(&every_part()), 1));
    check(&events[0]["candidates"][0]["content"]["parts"]);
}

#[test]
fn a_run_goes_on_over_chunks_and_candidates_are_apart() {
    let (left, right) = PLACEHOLDER.split_at(5);
    let both = |a: &str, b: &str| {
        let candidate = |index: u64, text: &str| json!({"content": {"parts": [{"text": text}]}, "index": index});
        format!("data: {}\n\n", json!({"candidates": [candidate(1, a), candidate(0, b)]}))
    };
    let stream = both(left, "x") + &both("", left) + &both(right, right);
    let mut said = [String::new(), String::new()];
    for event in streamed(&stream) {
        for candidate in event["candidates"].as_array().unwrap() {
            let index = usize::try_from(candidate["index"].as_u64().unwrap()).unwrap();
            said[index] += candidate["content"]["parts"][0]["text"].as_str().unwrap();
        }
    }
    assert_eq!(said, [format!("x{VALUE}"), VALUE.to_owned()]);
}

#[test]
fn what_is_held_comes_out_before_a_part_of_another_kind() {
    // What was thought, what is said, and a call: no placeholder spans their borders.
    let (left, right) = PLACEHOLDER.split_at(5);
    let stream = [
        json!([{"text": left, "thought": true}]),
        json!([{"text": left}]),
        json!([{"functionCall": {"name": "f", "args": {}}}, {"text": left}]),
        json!([{"text": right}]),
    ];
    let stream: String = stream.iter().map(|parts| gemini_chunk(&content(parts), 1)).collect();
    let mut said = Vec::new();
    for event in streamed(&stream) {
        for part in event["candidates"][0]["content"]["parts"].as_array().unwrap() {
            let thought = part["thought"] == true;
            match part["text"].as_str() {
                Some("") => {}
                Some(text) => said.push((thought, text.to_owned())),
                None => said.push((thought, "call".to_owned())),
            }
        }
    }
    let expected = [(true, left), (false, left), (false, "call"), (false, VALUE)]
        .map(|(t, s)| (t, s.to_owned()));
    assert_eq!(said, expected);
}

#[test]
fn a_stream_that_is_one_list_is_restored_wherever_it_is_cut() {
    let text = format!("é \"{PLACEHOLDER}\"\n<{PLACEHOLDER} <EMA");
    let chunk = |text: &str| json!({"candidates": [content(&json!([{"text": text}]))]});
    for cut in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (left, right) = text.split_at(cut);
        let list = whole(&json!([chunk(left), chunk(right)]));
        let said: String = list
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str())
            .collect();
        assert_eq!(said, restored(&text, false), "at {cut}");
    }
}

#[test]
fn nothing_to_restore_is_the_very_same_bytes() {
    for body in [
        "[{\"candidates\" : [{\"content\":{\"parts\":[{\"text\":\"caf\\u00e9 <EMAIL\"}]}}]}\n,\r\n{}]\n",
        "{\"embedding\":{\"values\":[1.0e0,-2]}}",
        "[]",
    ] {
        let body = Bytes::from(body);
        let out = plain::restore_gemini(&body, &Double).unwrap();
        assert_eq!((out.as_ptr(), out.len()), (body.as_ptr(), body.len()));
    }
    for bad in ["[{}", "[{}] {}", "{} []", "["] {
        assert!(plain::restore_gemini(&Bytes::from(bad), &Double).is_err(), "{bad}");
    }
}
