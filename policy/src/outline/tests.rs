//! What bodies ask for, and which are refused.

use super::*;
use crate::redact::{SpanKind, splice};

fn chat(body: &str) -> Result<Outline<'_>, BadBody> {
    Outline::read(body.as_bytes(), Endpoint::ChatCompletions)
}

fn texts<'a>(outline: &Outline<'a>) -> Vec<&'a str> {
    outline.spans.iter().map(|span| span.text.raw()).collect()
}

#[test]
fn a_chat_call_is_understood_whatever_the_order_of_its_keys() {
    let outline = chat(
        r#"{"messages":[
            {"role":"system","content":"be brief"},
            {"role":"user","content":[{"text":"look","type":"text"},
                {"image_url":{"url":"data:image/png;base64,AAAA","detail":"low"},"type":"image_url"}]},
            {"role":"assistant","tool_calls":[{"id":"call_1","type":"function",
                "function":{"name":"f","arguments":"{\"to\":\"a@b.co\"}"}}]},
            {"role":"tool","tool_call_id":"call_1","content":"done"}],
           "max_tokens":10,"max_completion_tokens":20,"n":3,"stream":true,"model":"gpt-4o"}"#,
    )
    .unwrap();
    assert_eq!(outline.model, "gpt-4o");
    assert!(outline.stream);
    assert_eq!((outline.max_output, outline.choices, outline.messages), (Some(20), 3, 4));
    assert_eq!(outline.images, [Some("low")]);
    assert_eq!(outline.media_bytes, 26);
    assert_eq!(texts(&outline), ["be brief", "look", r#"{\"to\":\"a@b.co\"}"#, "done"]);
    assert_eq!(outline.spans[2].kind, SpanKind::Json);
}

#[test]
fn an_anthropic_call_is_understood() {
    let body = br#"{"model":"claude","max_tokens":5,"system":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}],
        "tools":[{"name":"t","description":"what it does","input_schema":{"type":"object","properties":{"x":{"type":"string","description":"the x","enum":["a@b.co"],"pattern":"p"}}}},
                 {"type":"web_search_20250305","name":"web_search","max_uses":3}],
        "messages":[{"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"sig"},
            {"type":"redacted_thinking","data":"opaque"},
            {"type":"tool_use","id":"toolu_1","name":"t","input":{"id":"kept as text","n":1}}]},
          {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"result"}]},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
            {"type":"document","source":{"data":"plain words","type":"text","media_type":"text/plain"},"title":"a title"}]}]}"#;
    let outline = Outline::read(body, Endpoint::Messages).unwrap();
    assert_eq!(
        texts(&outline),
        ["sys", "what it does", "the x", "hm", "kept as text", "result", "plain words", "a title"]
    );
    assert_eq!((outline.tools, outline.hosted_tools, outline.max_tool_calls), (1, 1, Some(3)));
    assert_eq!((outline.images.len(), outline.media_bytes, outline.hidden_input), (1, 4, false));
}

#[test]
fn input_that_the_body_does_not_show_is_noticed() {
    for body in [
        r#"{"model":"m","input":"hi","previous_response_id":"resp_1"}"#,
        r#"{"model":"m","input":"hi","conversation":{"id":"conv_1"}}"#,
        r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#,
        r#"{"model":"m","input":[{"type":"message","content":[{"type":"input_file","file_id":"file-1"}]}]}"#,
        r#"{"model":"m","input":[{"type":"message","content":[{"type":"input_file","file_data":"AAAA"}]}]}"#,
        r#"{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"url","url":"https://x"}}]}]}"#,
    ] {
        let outline = Outline::read(body.as_bytes(), Endpoint::Responses).unwrap();
        assert!(outline.hidden_input, "{body}");
    }
    let plain = r#"{"model":"m","input":"hi","previous_response_id":null}"#;
    assert!(!Outline::read(plain.as_bytes(), Endpoint::Responses).unwrap().hidden_input);
}

#[test]
fn tools_that_the_provider_runs_are_noticed_by_every_name() {
    for (more, hosted) in [
        (r#""tools":[{"type":"web_search"}]"#, 1),
        (r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"mcp"}]"#, 1),
        (r#""web_search_options":{}"#, 1),
        (r#""mcp_servers":[{"url":"https://x"}]"#, 1),
        (r#""plugins":[{"id":"web"}]"#, 1),
        (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, 0),
    ] {
        let body = format!(r#"{{"model":"m",{more}}}"#);
        assert_eq!(chat(&body).unwrap().hosted_tools, hosted, "{body}");
    }
}

#[test]
fn every_prompt_of_a_list_is_answered() {
    let choices =
        |body: &str| Outline::read(body.as_bytes(), Endpoint::Completions).unwrap().choices;
    assert_eq!(choices(r#"{"model":"m","prompt":["a","b"],"n":2}"#), 4);
    assert_eq!(choices(r#"{"model":"m","prompt":[1,2,3]}"#), 1);
    assert_eq!(choices(r#"{"model":"m","prompt":[[1,2],[3]],"best_of":5}"#), 10);
    assert_eq!(choices(r#"{"model":"m","prompt":"a"}"#), 1);
}

#[test]
fn what_decides_about_money_must_be_plain() {
    use BadBody::{Duplicate, NoModel, NotAnObject};
    for (body, error) in [
        (r#"{"model":"a","model":"b"}"#, Duplicate("model")),
        (r#"{"model":"a","max_tokens":1,"max_tokens":2}"#, Duplicate("max_tokens")),
        (r#"{"model":"a","stream":true,"str\u0065am":false}"#, Duplicate("stream")),
        (r#"{"messages":[]}"#, NoModel),
        ("[]", NotAnObject),
        (r#""text""#, NotAnObject),
    ] {
        assert_eq!(chat(body).unwrap_err(), error, "{body}");
    }
    for body in [
        r#"{"model":"a","max_tokens":-1}"#,
        r#"{"model":"a","max_tokens":"10"}"#,
        r#"{"model":"a","max_tokens":1.5}"#,
        r#"{"model":"a","max_tokens":1e3}"#,
        r#"{"model":"a","n":true}"#,
        r#"{"model":"a","stream":"true"}"#,
        r#"{"model":"a","stream":1}"#,
        r#"{"model":7}"#,
        r#"{"model":["a"]}"#,
        r#"{"model":"a","stream_options":[]}"#,
        r#"{"model":"a","tools":{}}"#,
    ] {
        assert!(matches!(chat(body), Err(BadBody::Field { .. })), "{body}");
    }
}

#[test]
fn usage_is_asked_for_wherever_the_option_stands() {
    for (body, asked) in [
        (r#"{"model":"m"}"#, r#"{"stream_options":{"include_usage":true},"model":"m"}"#),
        (
            r#"{"model":"m","stream_options":{}}"#,
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream_options":{"x":1}}"#,
            r#"{"model":"m","stream_options":{"include_usage":true,"x":1}}"#,
        ),
        (
            r#"{"model":"m","stream_options":{"include_usage":false}}"#,
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream_options":null}"#,
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let outline = chat(body).unwrap();
        assert!(!outline.wants_usage());
        let edit = outline.ask_for_usage().unwrap();
        assert_eq!(splice(body.as_bytes(), &[edit]), asked.as_bytes());
    }
    let body = r#"{"model":"m","stream_options":{"include_usage":true}}"#;
    assert!(chat(body).unwrap().ask_for_usage().is_none());
}

#[test]
fn another_model_is_named_wherever_the_body_names_one() {
    let renamed = |body: &str, endpoint, named| {
        let outline = Outline::read_for(body.as_bytes(), endpoint, named).unwrap();
        let edits = outline.name_model(endpoint, "a\"b");
        String::from_utf8(splice(body.as_bytes(), &edits)).unwrap()
    };
    assert_eq!(
        renamed(
            r#"{"messages":[{"content":"model"}], "model" : "gpt\u002d5" }"#,
            Endpoint::ChatCompletions,
            None
        ),
        r#"{"messages":[{"content":"model"}], "model" : "a\"b" }"#
    );
    assert_eq!(
        renamed(
            r#"{"requests":[{"model":"models/g","content":{}},{"model":"g","content":{}}]}"#,
            Endpoint::BatchEmbedContents,
            Some("g")
        ),
        r#"{"requests":[{"model":"models/a\"b","content":{}},{"model":"models/a\"b","content":{}}]}"#
    );
    let plain = r#"{"contents":[]}"#;
    assert_eq!(renamed(plain, Endpoint::GenerateContent, Some("g")), plain);
}

#[test]
fn the_output_limit_is_lowered_in_place_or_written() {
    let limited = |body: &str, endpoint| {
        let outline = Outline::read(body.as_bytes(), endpoint).unwrap();
        let edits = outline.limit_output(endpoint, 7);
        String::from_utf8(splice(body.as_bytes(), &edits)).unwrap()
    };
    assert_eq!(
        limited(r#"{"max_tokens": 100 ,"model":"m"}"#, Endpoint::Messages),
        r#"{"max_tokens": 7 ,"model":"m"}"#
    );
    assert_eq!(
        limited(r#"{"model":"m"}"#, Endpoint::Responses),
        r#"{"max_output_tokens":7,"model":"m"}"#
    );
    assert_eq!(
        limited(r#"{"model":"m","max_tokens":null}"#, Endpoint::ChatCompletions),
        r#"{"model":"m","max_tokens":7}"#
    );
}
