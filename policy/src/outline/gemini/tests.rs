//! What bodies of the Gemini API ask for, and which of their strings are text.

use super::*;
use crate::redact::splice;

const MODEL: &str = "gemini-2.5-flash";

fn read(body: &str) -> Result<Outline<'_>, BadBody> {
    Outline::read_for(body.as_bytes(), Endpoint::GenerateContent, Some(MODEL))
}

fn texts<'a>(outline: &Outline<'a>) -> Vec<&'a str> {
    outline.spans.iter().map(|span| span.text.raw()).collect()
}

/// A body with every position of text there is (`t1` ...) and every one that is none (`no`).
const EVERYTHING: &str = r#"{
 "systemInstruction":{"role":"no","parts":[{"text":"t1"}]},
 "contents":[
  {"role":"no","parts":[{"text":"t2"},
    {"inlineData":{"mimeType":"image/png","data":"no","displayName":"t3"}},
    {"fileData":{"fileUri":"no","mimeType":"video/mp4"}}]},
  {"role":"no","parts":[
    {"text":"t4","thought":true,"thoughtSignature":"no"},
    {"functionCall":{"id":"no","name":"no","args":{"to":"t5","deep":[{"id":"t6"}]}},"thoughtSignature":"no"},
    {"executableCode":{"language":"no","code":"t7"}},
    {"codeExecutionResult":{"outcome":"no","output":"t8"}}]},
  {"role":"no","parts":[{"functionResponse":{"id":"no","name":"no","response":{"result":"t9"},
    "parts":[{"inlineData":{"mimeType":"audio/wav","data":"no"}}]}}]}],
 "tools":[{"functionDeclarations":[{"name":"no","description":"t10",
    "parameters":{"type":"no","description":"t11","required":["no"],"properties":{
       "to":{"type":"no","description":"t12","enum":["no"],"pattern":"no","default":"t13"}}},
    "response":{"type":"no","description":"t14"}},
   {"name":"no","parametersJsonSchema":{"type":"no","title":"t15","$defs":{"x":{"const":"no","description":"t16"}}}}]}],
 "toolConfig":{"functionCallingConfig":{"mode":"no","allowedFunctionNames":["no"]}},
 "safetySettings":[{"category":"no","threshold":"no"}],
 "generationConfig":{"responseMimeType":"no","responseModalities":["no"],"mediaResolution":"no",
   "stopSequences":["t17"],"thinkingConfig":{"thinkingLevel":"no"},
   "responseSchema":{"type":"no","description":"t18","enum":["no"]},
   "responseJsonSchema":{"properties":{"description":{"type":"no","description":"t19","pattern":"no"}}}},
 "cachedContent":"no",
 "a_member_of_tomorrow":"t20"}"#;

fn snake(body: &str) -> String {
    let names = [
        "systemInstruction",
        "inlineData",
        "mimeType",
        "displayName",
        "fileData",
        "fileUri",
        "thoughtSignature",
        "functionCall",
        "executableCode",
        "codeExecutionResult",
        "functionResponse",
        "functionDeclarations",
        "parametersJsonSchema",
        "toolConfig",
        "functionCallingConfig",
        "allowedFunctionNames",
        "safetySettings",
        "generationConfig",
        "responseMimeType",
        "responseModalities",
        "mediaResolution",
        "stopSequences",
        "thinkingConfig",
        "thinkingLevel",
        "responseSchema",
        "responseJsonSchema",
        "cachedContent",
    ];
    names.iter().fold(body.to_owned(), |body, name| {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        body.replace(&format!("\"{name}\""), &format!("\"{snake}\""))
    })
}

#[test]
fn every_text_is_a_span_and_nothing_else_is_under_either_name() {
    let wanted: Vec<String> = (1..=20).map(|number| format!("t{number}")).collect();
    for body in [EVERYTHING.to_owned(), snake(EVERYTHING)] {
        let outline = read(&body).unwrap();
        assert_eq!(texts(&outline), wanted, "{body}");
        assert_eq!((outline.messages, outline.tools, outline.images.len()), (3, 2, 1));
        assert_eq!((outline.media_bytes, outline.audio_bytes), (4, 2));
        assert!(outline.hidden_input);
        assert_eq!(outline.hosted_tools + outline.unbilled_tools, 0);
    }
}

#[test]
fn batches_and_counts_hold_requests_of_the_same_model() {
    let read = |body: &'static str, endpoint| {
        Outline::read_for(body.as_bytes(), endpoint, Some("gemini-embedding-001"))
    };
    let batch = r#"{"requests":[
        {"model":"models/gemini-embedding-001","content":{"parts":[{"text":"t1"}]},"taskType":"no","title":"t2"},
        {"model":"models/gemini-embedding-001","content":{"parts":{"text":"t3"}}}]}"#;
    let outline = read(batch, Endpoint::BatchEmbedContents).unwrap();
    assert_eq!(texts(&outline), ["t1", "t2", "t3"]);
    assert_eq!((outline.model.as_ref(), outline.messages), ("gemini-embedding-001", 2));
    let counted = r#"{"generateContentRequest":{"model":"models/gemini-embedding-001",
        "contents":[{"parts":[{"text":"t1"}]}],"generationConfig":{"maxOutputTokens":5}}}"#;
    assert_eq!(texts(&read(counted, Endpoint::GeminiCountTokens).unwrap()), ["t1"]);
    let other = r#"{"requests":[{"model":"models/another","content":{"parts":[]}}]}"#;
    let error = read(other, Endpoint::BatchEmbedContents).unwrap_err();
    assert_eq!(error, BadBody::Field { field: "model", wanted: "the model of the path" });
    let twice = r#"{"requests":[{"model":"models/gemini-embedding-001","model":"models/other"}]}"#;
    let error = read(twice, Endpoint::BatchEmbedContents).unwrap_err();
    assert_eq!(error, BadBody::Duplicate("model"));
}

#[test]
fn what_decides_about_money_is_read_and_stands_once() {
    let outline = read(
        r#"{"generation_config":{"max_output_tokens": 20,"candidateCount":3},"service_tier":"SERVICE_TIER_FLEX"}"#,
    )
    .unwrap();
    assert_eq!((outline.max_output, outline.choices), (Some(20), 3));
    assert_eq!((outline.service_tier, outline.stream), (Some("flex"), false));
    let body = br#"{"contents":[]}"#;
    let stream = Outline::read_for(body, Endpoint::StreamGenerateContent, Some(MODEL)).unwrap();
    assert!(stream.stream);
    for (body, field) in [
        (r#"{"generationConfig":{},"generation_config":{}}"#, "generationConfig"),
        (r#"{"generationConfig":{},"generationConfi\u0067":{}}"#, "generationConfig"),
        (r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#, "maxOutputTokens"),
        (r#"{"generationConfig":{"candidateCount":1,"candidate\u0043ount":9}}"#, "candidateCount"),
        (r#"{"serviceTier":"flex","service_tier":"priority"}"#, "serviceTier"),
        (
            r#"{"contents":{"parts":{"inlineData":{"mimeType":"image/png","mime_type":"video/mp4"}}}}"#,
            "mimeType",
        ),
    ] {
        assert_eq!(read(body).unwrap_err(), BadBody::Duplicate(field), "{body}");
    }
    for body in [
        r#"{"generationConfig":{"maxOutputTokens":"10"}}"#,
        r#"{"generationConfig":{"maxOutputTokens":1e3}}"#,
        r#"{"generationConfig":{"maxOutputTokens":-1}}"#,
        r#"{"generationConfig":{"candidateCount":[2]}}"#,
        r#"{"generationConfig":{"candidateCount":true}}"#,
        r#"{"generationConfig":[{"maxOutputTokens":1}]}"#,
        r#"{"generationConfig":"{}"}"#,
        r#"{"serviceTier":3}"#,
        r#"{"serviceTier":"fastest"}"#,
        r#"{"cachedContent":1}"#,
        r#"{"model":"models/gemini-2.5-pro"}"#,
        r#"{"model":7}"#,
    ] {
        assert!(matches!(read(body), Err(BadBody::Field { .. })), "{body}");
    }
    assert_eq!(read("[]").unwrap_err(), BadBody::NotAnObject);
}

#[test]
fn input_that_the_body_does_not_show_is_noticed() {
    let blob = |mime: &str| {
        format!(
            r#"{{"contents":[{{"parts":[{{"inline\u0044ata":{{"data":"AAAA","mimeType":"{mime}"}}}}]}}]}}"#
        )
    };
    for (mime, images, audio, hidden) in [
        ("image/png", 1, 0, false),
        ("IMAGE\\/webp", 1, 0, false),
        ("audio/mp3", 0, 4, false),
        ("audio/flac", 0, 0, true),
        ("video/mp4", 0, 0, true),
        ("application/pdf", 0, 0, true),
        ("", 0, 0, true),
    ] {
        let body = blob(mime);
        let outline = read(&body).unwrap();
        let found = (outline.images.len(), outline.audio_bytes, outline.hidden_input);
        assert_eq!(found, (images, audio, hidden), "{mime}");
        assert_eq!(outline.media_bytes, 4);
    }
    for body in [
        r#"{"cachedContent":"cachedContents/x"}"#,
        r#"{"contents":{"parts":{"fileData":{"fileUri":"x","mimeType":"image/png"}}}}"#,
    ] {
        assert!(read(body).unwrap().hidden_input, "{body}");
    }
}

#[test]
fn tools_of_the_provider_are_told_by_what_they_cost() {
    for (tools, hosted, unbilled) in [
        (r#"[{"googleSearch":{}}]"#, 1, 0),
        (r#"{"google_search_retrieval":{}}"#, 1, 0),
        (r#"[{"codeExecution":{},"urlContext":{}}]"#, 0, 2),
        (r#"[{"a_tool_of_tomorrow":{}}]"#, 1, 0),
        (r#"[{"functionDeclarations":[{"name":"f"}]},{"computerUse":{}}]"#, 0, 0),
    ] {
        let body = format!(r#"{{"tools":{tools}}}"#);
        let outline = read(&body).unwrap();
        assert_eq!((outline.hosted_tools, outline.unbilled_tools), (hosted, unbilled), "{tools}");
    }
}

#[test]
fn the_output_limit_is_lowered_in_place_or_written() {
    for (body, limited) in [
        (r#"{"contents":[]}"#, r#"{"generationConfig":{"maxOutputTokens":7},"contents":[]}"#),
        ("{}", r#"{"generationConfig":{"maxOutputTokens":7}}"#),
        (r#"{"generationConfig":{ }}"#, r#"{"generationConfig":{"maxOutputTokens":7 }}"#),
        (
            r#"{"generation_config":{"topK":1}}"#,
            r#"{"generation_config":{"maxOutputTokens":7,"topK":1}}"#,
        ),
        (r#"{"generationConfig":null}"#, r#"{"generationConfig":{"maxOutputTokens":7}}"#),
        (
            r#"{"generationConfig":{"max_output_tokens": 100 }}"#,
            r#"{"generationConfig":{"max_output_tokens": 7 }}"#,
        ),
        (
            r#"{"generationConfig":{"maxOutputTokens":null}}"#,
            r#"{"generationConfig":{"maxOutputTokens":7}}"#,
        ),
    ] {
        let outline = read(body).unwrap();
        let edits = outline.limit_output(Endpoint::GenerateContent, 7);
        let spliced = String::from_utf8(splice(body.as_bytes(), &edits)).unwrap();
        assert_eq!(spliced, limited, "{body}");
        assert_eq!(read(&spliced).unwrap().max_output, Some(7));
    }
}

#[test]
fn names_behind_escapes_hide_no_text() {
    let body = r#"{"contents":[{"p\u0061rts":[
        {"function\u0043all":{"name":"no","\u0061rgs":{"id":"t1","name":"t2"}}},
        {"function_\u0072esponse":{"name":"no","r\u0065sponse":{"role":"t3"}}},
        {"te\u0078t":"t4"}]}]}"#;
    assert_eq!(texts(&read(body).unwrap()), ["t1", "t2", "t3", "t4"]);
}

#[test]
fn a_blob_keeps_its_kind_whatever_the_order_of_its_members() {
    let body = r#"{"contents":[{"parts":[{"inlineData":{"data":"AAAA","mimeType":"image/png"}},
        {"text":"x"}]}]}"#;
    let outline = read(body).unwrap();
    assert_eq!((outline.images.len(), texts(&outline)), (1, vec!["x"]));
}
