//! Tables in the docs that are made from the code, and must be what the code says.
//!
//! `IRON_WRITE_DOCS=1 cargo test -p iron_tests docs` writes them anew.

use std::fmt::Write;
use std::path::PathBuf;

use iron_policy::redact::{Entry, Mode, catalogue};
use iron_proxy::dialect;

#[test]
fn the_table_of_kinds_is_what_is_found() {
    let mut table = String::from("| kind | how it is validated | by default |\n|---|---|---|\n");
    for Entry { kind, validated, needs_words, default } in catalogue() {
        let words = if needs_words { "; **where it is named**" } else { "" };
        let default = if default == Mode::Off { "off" } else { "on" };
        writeln!(table, "| `{kind}` | {}{words} | {default} |", validated.join("; ")).unwrap();
    }
    between("redaction.md", "kinds", &table);
}

#[test]
fn the_table_of_endpoints_is_what_the_proxy_does() {
    let mut table =
        String::from("| API | call | priced by | redacted | streamed |\n|---|---|---|---|---|\n");
    for dialect::Row { api, method, path, operation, .. } in dialect::catalogue() {
        let priced = dialect::priced(operation);
        let redacted = dialect::redacted(operation);
        let streamed = dialect::streamed(operation);
        writeln!(table, "| {api} | `{method} {path}` | {priced} | {redacted} | {streamed} |")
            .unwrap();
    }
    between("endpoints.md", "endpoints", &table);
}

/// Checks, or writes, what stands between two marks in a page of the docs.
pub(crate) fn between(page: &str, mark: &str, wanted: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let start = text.find(&begin).unwrap() + begin.len();
    let stop = text.find(&end).unwrap();
    if std::env::var_os("IRON_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{wanted}{}", &text[..start], &text[stop..])).unwrap();
    } else {
        let hint = "run IRON_WRITE_DOCS=1 cargo test -p iron_tests docs";
        assert_eq!(&text[start..stop], wanted, "docs/{page} is not what the code says: {hint}");
    }
}
