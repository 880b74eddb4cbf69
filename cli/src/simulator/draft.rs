//! The answer before it is written in a dialect: who says what, and what it uses.
//!
//! Tokens are runs of at most four bytes that end at a character's border: simple enough to count
//! by hand, never more than there are bytes, and short enough that a placeholder in a streamed
//! answer always arrives in several events.

use serde_json::json;

use super::behaviour::{Behaviour, Report, Text};
use super::bill::Usage;
use super::request::{self, Asked, Turn};

/// A generated answer.
#[derive(Debug)]
pub(super) struct Draft {
    /// Unique in this simulator, for the ids that dialects want.
    pub(super) number: u64,
    pub(super) model: String,
    /// In Unix seconds.
    pub(super) created: u64,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Usage,
    pub(super) report: Report,
}

/// One of the answers that a call may ask for.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) content: Content,
    pub(super) finish: Finish,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    /// A call of the tool `name`, with its arguments as JSON text, or as a custom tool takes them.
    ToolCall {
        name: String,
        arguments: String,
        custom: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    ToolCall,
    /// The limit of output tokens was reached.
    Length,
}

impl Content {
    /// What is generated token by token.
    pub(super) fn generated(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::ToolCall { arguments, .. } => arguments,
        }
    }
}

impl Draft {
    /// Generates what is asked in the manner ordered.
    pub(super) fn new(asked: &Asked, behaviour: &Behaviour, number: u64, created: u64) -> Self {
        let content = match (&behaviour.text, &asked.turn, &asked.tool) {
            (Text::Say(text), ..) => Content::Text(text.clone()),
            (Text::Bytes(size), ..) => Content::Text(filler(*size)),
            (Text::Call { name, arguments, custom }, ..) => Content::ToolCall {
                name: name.clone(),
                arguments: arguments.clone(),
                custom: *custom,
            },
            (Text::Echo, Turn::Said(text), Some(tool)) if wants_tool(text) => Content::ToolCall {
                name: tool.name.clone(),
                arguments: json!({ tool.argument.as_str(): text }).to_string(),
                custom: false,
            },
            (Text::Echo, ..) if asked.schema.is_some() => {
                let schema = asked.schema.as_ref();
                Content::Text(schema.map(request::instance).unwrap_or_default().to_string())
            }
            (Text::Echo, Turn::Said(text), _) => Content::Text(format!("You said: {text}")),
            (Text::Echo, Turn::ToolResult(text), _) => {
                Content::Text(format!("The tool said: {text}"))
            }
        };
        let choice = limited(content, asked.max_tokens.filter(|_| !behaviour.beyond_limit));
        let counted = Usage {
            input: asked.input_tokens,
            output: count(choice.content.generated()) * asked.choices,
            ..Usage::default()
        };
        Self {
            number,
            model: asked.model.clone(),
            created,
            choices: vec![choice; asked.choices as usize],
            usage: behaviour.usage.unwrap_or(counted),
            report: behaviour.report,
        }
    }
}

fn wants_tool(text: &str) -> bool {
    const WISH: &str = "call the tool";
    text.get(..WISH.len()).is_some_and(|start| start.eq_ignore_ascii_case(WISH))
}

fn filler(size: usize) -> String {
    "All work and no play makes a dull answer. ".chars().cycle().take(size).collect()
}

fn limited(content: Content, max_tokens: Option<u64>) -> Choice {
    let limit = max_tokens.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let kept: usize = tokens(content.generated()).take(limit).map(str::len).sum();
    let finish = match &content {
        _ if kept < content.generated().len() => Finish::Length,
        Content::Text(_) => Finish::Stop,
        Content::ToolCall { .. } => Finish::ToolCall,
    };
    let mut content = content;
    match &mut content {
        Content::Text(text) | Content::ToolCall { arguments: text, .. } => text.truncate(kept),
    }
    Choice { content, finish }
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, after) = rest.split_at(rest.floor_char_boundary(4));
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

/// How many tokens a text has.
pub(super) fn count(text: &str) -> u64 {
    tokens(text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_four_bytes_but_whole_characters() {
        let split = |text| tokens(text).collect::<Vec<_>>();
        assert_eq!(split("You said"), ["You ", "said"]);
        assert_eq!(split("aé漢🦀b"), ["aé", "漢", "🦀", "b"]);
        assert_eq!(count(""), 0);
    }

    #[test]
    fn the_limit_cuts_at_a_token() {
        let choice = limited(Content::Text("12345678".into()), Some(1));
        assert_eq!((choice.content.generated(), choice.finish), ("1234", Finish::Length));
        let choice = limited(Content::Text("12345678".into()), Some(2));
        assert_eq!((choice.content.generated(), choice.finish), ("12345678", Finish::Stop));
    }
}
