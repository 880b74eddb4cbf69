//! How results are written: aligned for people, JSON for programs.

use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

/// Writes a line. A reader that has gone away, as `head` does, is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Says something beside the result: to people, not to the program that reads it.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes JSON, indented.
pub fn say_json(value: &Value) {
    say(&format!("{value:#}"));
}

/// A table with these headings; those that start with `>` stand to the right.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings.iter().map(|heading| heading.trim_start_matches('>')));
    for row in rows {
        table.add_row(row);
    }
    for (place, heading) in headings.iter().enumerate() {
        if let (true, Some(column)) = (heading.starts_with('>'), table.column_mut(place)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}
