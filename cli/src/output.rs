//! How results are written: aligned for people, JSON for programs.
//!
//! Much of what is shown was named by callers: the models that they asked for, why they want more. None
//! of it reaches a terminal as a command to it.

use std::borrow::Cow;
use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

/// Writes a line. A reader that has gone away, as `head` does, is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", harmless(line, &['\n', '\t']));
}

/// Says something beside the result: to people, not to the program that reads it.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(line, &['\n', '\t']));
}

/// Writes JSON, indented.
pub fn say_json(value: &Value) {
    say(&format!("{value:#}"));
}

/// A text without what a terminal obeys: control characters but these, and those that turn the
/// direction of writing.
pub fn harmless<'t>(text: &'t str, but: &[char]) -> Cow<'t, str> {
    let obeyed = |c: char| {
        (c.is_control() && !but.contains(&c))
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(obeyed) { text.replace(obeyed, "\u{FFFD}").into() } else { text.into() }
}

/// A table with these headings; those that start with `>` stand to the right.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings.iter().map(|heading| heading.trim_start_matches('>')));
    for row in rows {
        // In a cell also no line of its own.
        table.add_row(row.iter().map(|cell| harmless(cell, &[]).into_owned()));
    }
    for (place, heading) in headings.iter().enumerate() {
        if let (true, Some(column)) = (heading.starts_with('>'), table.column_mut(place)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_name_gives_a_terminal_no_orders() {
        let named = "gpt\u{1b}[2J\u{1b}]52;c;ZXZpbA==\u{7}\r\nagent:poor  $0.00\u{202e}";
        let shown = table(&["model"], [vec![named.to_owned()]]);
        assert_eq!(shown.lines().count(), 2, "{shown:?}");
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{shown:?}");
        assert_eq!(harmless("two\nlines", &['\n']), "two\nlines");
    }
}
