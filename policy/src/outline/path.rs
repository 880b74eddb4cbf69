//! Names the place of a value, for messages: `messages[2].content[0].text`.

use std::fmt::Write;

use crate::json::{Event, Reader};

/// The path of the value that holds the byte at `offset`; empty where there is none.
///
/// Reads the body again: only refusals need a path, and they can afford it.
pub fn path_at(body: &[u8], offset: usize) -> String {
    let Ok(mut reader) = Reader::new(body) else {
        return String::new();
    };
    // One entry per open container: its key or the index of its current item.
    let mut steps: Vec<Step> = Vec::new();
    loop {
        let Ok(Some(event)) = reader.next() else { return String::new() };
        if let Event::Key(name) = event {
            if let Some(Step::Member(key)) = steps.last_mut() {
                *key = name.decode().into_owned();
            }
            continue;
        }
        if matches!(event, Event::EndObject | Event::EndArray) {
            steps.pop();
        } else if let Some(Step::Item(next)) = steps.last_mut() {
            *next += 1;
        }
        if reader.position() > offset {
            return written(&steps);
        }
        match event {
            Event::BeginObject => steps.push(Step::Member(String::new())),
            Event::BeginArray => steps.push(Step::Item(0)),
            _ => {}
        }
    }
}

enum Step {
    Member(String),
    /// How many items have begun.
    Item(usize),
}

fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Member(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                if key.is_empty() {
                    path.push_str("\"\"");
                }
                // A key is the caller's own text: keep it short and on one line.
                path.extend(key.chars().take(40).map(|c| if c.is_control() { '?' } else { c }));
            }
            Step::Item(begun) => {
                let _ = write!(path, "[{}]", begun.saturating_sub(1));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_keys_and_indices() {
        let body = br#"{"model":"m","messages":[{"role":"user"},{"content":[1,{"text":"here"}]}]}"#;
        let at = body.windows(4).position(|w| w == b"here").unwrap();
        assert_eq!(path_at(body, at), "messages[1].content[1].text");
        assert_eq!(path_at(body, 10), "model");
        assert_eq!(path_at(body, 10_000), "");
        assert_eq!(path_at(br#"{"a":{"":1}}"#, 9), "a.\"\"");
        assert_eq!(path_at(b"nonsense", 3), "");
    }
}
