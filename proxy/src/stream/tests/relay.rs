//! What the relay holds, hides, releases and refuses.

use bytes::Bytes;
use iron_policy::types::TokenClass;
use serde_json::json;

use super::double::{Double, PLACEHOLDER, VALUE, restored};
use super::fixtures::{SHAPES, USAGE_CHUNK, chat, events, run};
use crate::stream::{StreamError, StreamRelay, WireKind};

fn restoring(kind: WireKind) -> StreamRelay<Double> {
    StreamRelay::new(kind, false, Some(Double))
}

#[test]
fn untouched_chunks_are_passed_on_at_once() {
    let stream = chat(&["a", "b"]);
    let mut relay: StreamRelay = StreamRelay::new(WireKind::Chat, false, None);
    for byte in stream.as_bytes() {
        let mut out = Vec::new();
        relay.push(Bytes::copy_from_slice(&[*byte]), &mut out).unwrap();
        assert_eq!(out.concat(), [*byte]);
    }
}

#[test]
fn events_that_pass_leave_as_one_slice() {
    let stream = Bytes::from(chat(&["a", "b"]));
    let mut out = Vec::new();
    restoring(WireKind::Chat).push(stream.clone(), &mut out).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].as_ptr(), out[0].len()), (stream.as_ptr(), stream.len()));
}

#[test]
fn every_event_is_out_as_soon_as_it_is_whole() {
    let stream = chat(&["a", "b"]);
    let mut relay = restoring(WireKind::Chat);
    let mut seen = 0;
    for event in stream.split_inclusive("\n\n") {
        let mut out = Vec::new();
        relay.push(event.to_owned().into(), &mut out).unwrap();
        seen += out.concat().len();
    }
    assert_eq!(seen, stream.len());
}

#[test]
fn the_usage_event_that_was_asked_for_is_hidden_and_metered() {
    let stream = chat(&["a"]);
    for size in [1, 10, stream.len()] {
        let relay: StreamRelay = StreamRelay::new(WireKind::Chat, true, None);
        let (out, metered) = run(relay, stream.as_bytes().chunks(size));
        assert_eq!(out, stream.replace(USAGE_CHUNK, ""));
        assert_eq!(metered.usage.map(|usage| usage.of(TokenClass::Output)), Some(7));
        let relay = StreamRelay::new(WireKind::Chat, true, Some(Double));
        assert_eq!(run(relay, stream.as_bytes().chunks(size)).0, out);
    }
    let empty = "data: {\"model\":\"m\",\"choices\":[],\"usage\":{}}\n\n";
    let relay: StreamRelay = StreamRelay::new(WireKind::Chat, true, None);
    assert_eq!(run(relay, [empty.as_bytes()]).0, "");
    // Azure's first chunk has no choices either, and Groq's last one has usage: neither is ours.
    let azure = "data: {\"choices\":[],\"model\":\"\",\"prompt_filter_results\":[]}\n\n";
    let groq = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}}\n\n";
    let relay: StreamRelay = StreamRelay::new(WireKind::Chat, true, None);
    let stream = [azure, groq].concat();
    assert_eq!(run(relay, [stream.as_bytes()]).0, stream);
}

#[test]
fn interleaved_choices_and_tool_calls_are_apart() {
    let (left, right) = PLACEHOLDER.split_at(5);
    let chunk = |choices: serde_json::Value| {
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": choices}))
    };
    let tool = |index: u64, arguments: &str| {
        json!({"index": 0, "delta": {"tool_calls": [
            {"index": index, "function": {"arguments": arguments}}]}})
    };
    let content = |index: u64, text: &str| json!({"delta": {"content": text}, "index": index});
    let stream = [
        chunk(json!([content(0, left), content(1, "x<")])),
        chunk(json!([tool(0, left)])),
        chunk(json!([tool(1, "{\"<EMA")])),
        chunk(json!([content(1, "y<E"), content(0, right)])),
        chunk(json!([tool(0, right)])),
        chunk(json!([{"index": 1, "delta": {}, "finish_reason": "stop"}])),
        chunk(json!([{"index": 0, "delta": {"content": "<"}, "finish_reason": "stop"}])),
    ]
    .concat();
    let (out, _) = run(restoring(WireKind::Chat), [stream.as_bytes()]);
    let events = events(&out);
    let mut texts = [String::new(), String::new()];
    let mut tools = [String::new(), String::new()];
    for event in &events {
        for choice in event["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap() as usize;
            texts[index] += choice["delta"]["content"].as_str().unwrap_or_default();
            for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let index = call["index"].as_u64().unwrap() as usize;
                tools[index] += call["function"]["arguments"].as_str().unwrap();
            }
        }
    }
    assert_eq!(texts, [format!("{VALUE}<"), "x<y<E".to_owned()]);
    assert_eq!(tools, [restored(PLACEHOLDER, true), "{\"<EMA".to_owned()]);
    // One made for choice 1 and one for tool call 1; the last piece of choice 0 had room.
    assert_eq!(events.len(), 7 + 2);
    assert_eq!(events[5]["choices"][0]["delta"]["content"], "<E");
    assert_eq!(events[5]["choices"][0]["finish_reason"], json!(null));
    assert_eq!(events[5]["id"], "c");
    assert_eq!(events[6]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn anthropic_blocks_are_apart_and_signatures_stay() {
    let (left, right) = PLACEHOLDER.split_at(3);
    let event = |value: serde_json::Value| {
        format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
    };
    let delta = |index: u64, delta: serde_json::Value| {
        event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
    };
    let signature = delta(0, json!({"type": "signature_delta", "signature": PLACEHOLDER}));
    let cited = json!({"type": "citations_delta", "citation": {"type": "page_location",
        "cited_text": PLACEHOLDER, "document_title": "t", "file_id": PLACEHOLDER}});
    let stream = [
        event(json!({"type": "content_block_start", "index": 0, "content_block":
            {"type": "thinking", "thinking": "", "signature": ""}})),
        delta(0, json!({"type": "thinking_delta", "thinking": left})),
        event(json!({"type": "content_block_start", "index": 1, "content_block":
            {"type": "text", "text": left}})),
        delta(0, json!({"type": "thinking_delta", "thinking": format!("{right}<")})),
        signature.clone(),
        delta(1, json!({"type": "text_delta", "text": right})),
        delta(1, cited),
        event(json!({"type": "content_block_stop", "index": 0})),
    ]
    .concat();
    let (out, _) = run(restoring(WireKind::Messages), [stream.as_bytes()]);
    assert!(out.contains(&signature));
    let events = events(&out);
    assert_eq!(events[3]["delta"]["thinking"], VALUE);
    assert_eq!(events[4]["delta"]["thinking"], "<", "made before the signature");
    assert_eq!(events[6]["delta"]["text"], VALUE);
    assert_eq!(events[7]["delta"]["citation"]["cited_text"], VALUE);
    assert_eq!(events[7]["delta"]["citation"]["file_id"], PLACEHOLDER);
    assert_eq!(events.len(), 9);
}

#[test]
fn responses_snapshots_agree_with_the_pieces() {
    for shape in SHAPES.iter().filter(|shape| shape.kind == WireKind::Responses) {
        let whole = format!("{{\"a\":\"{PLACEHOLDER}\"}}");
        let stream = (shape.stream)(&[&whole[..9], &whole[9..]]);
        let (out, _) = run(restoring(shape.kind), [stream.as_bytes()]);
        let expected = restored(&whole, shape.json);
        let texts: Vec<_> = events(&out)
            .iter()
            .filter(|event| event["delta"].is_null())
            .filter_map(|event| {
                let places = [
                    "/text",
                    "/arguments",
                    "/part/text",
                    "/item/arguments",
                    "/item/content/0/text",
                ];
                places
                    .iter()
                    .find_map(|place| event.pointer(place))
                    .filter(|text| **text != "")
                    .cloned()
            })
            .collect();
        assert!(texts.len() >= 2);
        assert!(texts.iter().all(|text| *text == expected), "{texts:?}");
        assert!(!out.contains(PLACEHOLDER));
    }
}

#[test]
fn events_of_several_data_lines_are_spliced_in_place() {
    let stream = format!(
        ": comment\r\ndata: {{\"choices\":[\r\ndata:  {{\"index\":0,\"delta\":\r\ndata: {{\"content\":\"a {PLACEHOLDER}\"}}}}]}}\r\n\r\n"
    );
    let (out, _) = run(restoring(WireKind::Chat), [stream.as_bytes()]);
    let escaped = serde_json::to_string(VALUE).unwrap();
    assert_eq!(out, stream.replace(PLACEHOLDER, &escaped[1..escaped.len() - 1]));
}

#[test]
fn what_is_held_at_a_broken_end_is_released() {
    let open =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a<EM\"}}]}\n\n";
    let (out, metered) = run(restoring(WireKind::Chat), [open.trim_end().as_bytes()]);
    let pieces: Vec<_> =
        events(&out).iter().map(|event| event["choices"][0]["delta"]["content"].clone()).collect();
    assert_eq!(pieces, ["a", "<EM"]);
    assert!(!metered.complete);

    let mut relay = restoring(WireKind::Chat);
    let mut out = Vec::new();
    relay.push(open.into(), &mut out).unwrap();
    relay.push("data: {\"half".into(), &mut out).unwrap();
    relay.fail("upstream_reset", "broke off", "call_1", &mut out);
    let events = events(std::str::from_utf8(&out.concat()).unwrap());
    assert_eq!(events[1]["choices"][0]["delta"]["content"], "<EM");
    assert_eq!(events[2]["error"]["code"], "upstream_reset");
    assert_eq!(events.len(), 3);
}

#[test]
fn an_error_after_half_an_event_stands_in_an_event_of_its_own() {
    let mut relay: StreamRelay = StreamRelay::new(WireKind::Messages, false, None);
    let mut out = Vec::new();
    relay.push("event: content_bl".into(), &mut out).unwrap();
    relay.fail("upstream_reset", "broke off", "call_1", &mut out);
    let text = String::from_utf8(out.concat()).unwrap();
    assert!(text.starts_with("event: content_bl\n\nevent: error\ndata: {"));
}

#[test]
fn an_endless_event_is_refused_where_it_would_be_held_and_passed_where_not() {
    let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
    let mut relay = restoring(WireKind::Chat);
    let mut out = Vec::new();
    let error = (0..50).find_map(|_| relay.push(megabyte.clone(), &mut out).err());
    assert!(matches!(error, Some(StreamError::TooLong { .. })));
    assert!(out.is_empty());
    let mut relay: StreamRelay = StreamRelay::new(WireKind::Chat, false, None);
    for _ in 0..50 {
        relay.push(megabyte.clone(), &mut out).unwrap();
    }
    assert_eq!(out.len(), 50);
    assert_eq!(relay.finish(&mut out).unwrap().usage, None);
}

#[test]
fn too_many_open_texts_are_refused() {
    let mut relay = restoring(WireKind::Chat);
    let refused = (0..2000).any(|index| {
        let event = format!(
            "data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"<\"}}}}]}}\n\n"
        );
        relay.push(event.into(), &mut Vec::new()).is_err()
    });
    assert!(refused);
}

#[test]
fn what_is_not_json_passes() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"<EMAIL_7f3k2>\"\n\ndata: hello\n\nretry: 3\n\n";
    let (out, _) = run(restoring(WireKind::Chat), [stream.as_bytes()]);
    assert_eq!(out, stream);
}
