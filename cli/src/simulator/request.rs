//! What a call asks for: the few fields that the simulator acts on, found in any dialect.

use serde_json::Value;

use super::draft;

/// A generating call, understood.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) turn: Turn,
    /// Counted by the simulator's own rule, see [`input_tokens`].
    pub(super) input_tokens: u64,
    pub(super) max_tokens: Option<u64>,
    /// How many answers are wanted.
    pub(super) choices: u64,
    pub(super) stream: bool,
    /// OpenAI's `stream_options.include_usage`.
    pub(super) include_usage: bool,
    /// The first tool offered.
    pub(super) tool: Option<Tool>,
    /// What the answer shall look like, where it shall be JSON.
    pub(super) schema: Option<Value>,
}

/// What the conversation ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Said(String),
    ToolResult(String),
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) name: String,
    /// The argument that takes the text.
    pub(super) argument: String,
}

/// The fields that hold what the model reads.
const PROMPT: [&str; 6] = ["system", "instructions", "messages", "input", "prompt", "tools"];

impl Asked {
    /// Reads a body in which `turn` was found.
    pub(super) fn read(body: &Value, turn: Turn) -> Self {
        let number = |name: &str| body[name].as_u64();
        Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            turn,
            input_tokens: input_tokens(body),
            max_tokens: number("max_completion_tokens")
                .or_else(|| number("max_output_tokens"))
                .or_else(|| number("max_tokens")),
            choices: number("n").unwrap_or(1).clamp(1, 128),
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
            tool: tool(body),
            schema: schema(body),
        }
    }
}

/// One token per four bytes of each string that the model reads, and one per number. Never more
/// than the body has bytes; at least one.
pub(super) fn input_tokens(body: &Value) -> u64 {
    let read = PROMPT.iter().map(|field| leaf_tokens(&body[*field]));
    read.sum::<u64>().max(1)
}

pub(super) fn leaf_tokens(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(_) => 1,
        Value::String(text) => draft::count(text),
        Value::Array(items) => items.iter().map(leaf_tokens).sum(),
        Value::Object(fields) => fields.values().map(leaf_tokens).sum(),
    }
}

fn tool(body: &Value) -> Option<Tool> {
    body["tools"].as_array()?.iter().find_map(|tool| {
        let tool = tool.get("function").unwrap_or(tool);
        let name = tool["name"].as_str()?.to_owned();
        let schema = tool.get("parameters").or_else(|| tool.get("input_schema"));
        let first = schema
            .and_then(|schema| schema["properties"].as_object())
            .and_then(|properties| properties.keys().next());
        Some(Tool { name, argument: first.map_or("text", String::as_str).to_owned() })
    })
}

/// The schema of a structured answer, wherever a dialect has it.
fn schema(body: &Value) -> Option<Value> {
    let places = [
        "/response_format/json_schema/schema",
        "/text/format/schema",
        "/output_config/format/schema",
        "/output_format/schema",
    ];
    places.iter().find_map(|place| body.pointer(place)).cloned()
}

/// The shortest value that a schema allows, as far as its types go.
pub(super) fn instance(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = schema["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "object" => {
            let members = schema["properties"].as_object().into_iter().flatten();
            members.map(|(name, member)| (name.clone(), instance(member))).collect()
        }
        "array" => Value::Array(Vec::new()),
        "number" | "integer" => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        "boolean" => Value::Bool(false),
        _ => Value::String("simulated".to_owned()),
    }
}

/// The turn at the end of `messages` (chat completions, messages) or of `input` (responses).
pub(super) fn last_turn(items: &Value) -> Turn {
    if let Some(text) = items.as_str() {
        return Turn::Said(text.to_owned());
    }
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = items.iter().rev().find_map(|item| {
        if item["type"] == "function_call_output" || item["type"] == "custom_tool_call_output" {
            return Some(Turn::ToolResult(last_text(&item["output"])));
        }
        match item["role"].as_str() {
            Some("tool") => Some(Turn::ToolResult(last_text(&item["content"]))),
            Some("user") => Some(user_turn(&item["content"])),
            _ => None,
        }
    });
    turn.unwrap_or(Turn::Said(String::new()))
}

/// A user message speaks unless it ends with a tool's result, as Anthropic's can.
fn user_turn(content: &Value) -> Turn {
    let last = content.as_array().and_then(|blocks| blocks.last());
    match last {
        Some(block) if block["type"] == "tool_result" => {
            Turn::ToolResult(last_text(&block["content"]))
        }
        _ => Turn::Said(last_text(content)),
    }
}

/// A string, or the last text among a list of parts.
fn last_text(content: &Value) -> String {
    let of_parts = || {
        let mut parts = content.as_array()?.iter().rev();
        parts.find_map(|part| part["text"].as_str())
    };
    content.as_str().or_else(of_parts).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_text_counts_and_so_does_a_tools_result() {
        let chat = json!([
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ]);
        assert_eq!(last_turn(&chat), Turn::Said("b".into()));
        let chat = json!([{"role": "user", "content": "x"}, {"role": "tool", "content": "42"}]);
        assert_eq!(last_turn(&chat), Turn::ToolResult("42".into()));
        let messages = json!([{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "42"}]}
        ]}]);
        assert_eq!(last_turn(&messages), Turn::ToolResult("42".into()));
        let responses = json!([{"type": "function_call_output", "call_id": "c", "output": "42"}]);
        assert_eq!(last_turn(&responses), Turn::ToolResult("42".into()));
        assert_eq!(last_turn(&json!("hi")), Turn::Said("hi".into()));
        assert_eq!(last_turn(&json!(null)), Turn::Said(String::new()));
    }

    #[test]
    fn the_shortest_value_has_the_types_of_its_schema() {
        let schema = json!({"type": "OBJECT", "properties": {
            "why": {"type": "string"}, "score": {"type": "integer", "minimum": 3},
            "choice": {"type": "string", "enum": ["flash", "pro"]},
            "list": {"type": "array", "items": {"type": "string"}}, "sure": {"type": "BOOLEAN"},
        }});
        assert_eq!(
            instance(&schema),
            json!({"why": "simulated", "score": 3, "choice": "flash", "list": [], "sure": false})
        );
    }

    #[test]
    fn only_what_the_model_reads_is_counted() {
        // "user" is one token, 11 bytes are three.
        let body = json!({
            "model": "gpt-4o-mini-with-a-very-long-name",
            "messages": [{"role": "user", "content": "hello there"}],
            "metadata": {"ignored": "entirely"},
        });
        assert_eq!(input_tokens(&body), 4);
        assert_eq!(input_tokens(&json!({"input": [[1, 2, 3], [4]]})), 4);
        assert_eq!(input_tokens(&json!({})), 1);
    }
}
