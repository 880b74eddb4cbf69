//! Shows changes: a line each, a unified diff of text, or JSON. What an agent wrote can do nothing to a
//! terminal: control characters are escaped, and so are those that turn the direction of text.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::changes::{Change, Changes, State, What};
use super::folder::Kind;
use super::{Ephemeral, Note};

/// The largest file that is shown as text, in bytes.
pub const TEXT: u64 = 1 << 20;

/// How long the shortest difference of one file is looked for; after that a longer one will do.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines around a change.
const CONTEXT: usize = 3;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A path or a name, fit for a terminal and on one line.
pub fn printable(text: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in text.as_bytes().utf8_chunks() {
        escape(chunk.valid(), false, &mut shown);
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Control characters as escapes; tabs stay where text is shown line by line.
fn escape(text: &str, tabs: bool, shown: &mut String) {
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
        if (letter.is_control() && !(tabs && letter == '\t')) || turns {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
}

/// What a file's difference looks like.
enum Difference {
    /// A unified diff without its header, one line each, line ends cut off.
    Text(Vec<(ChangeTag, String)>, Vec<usize>),
    /// No text, or too much of it.
    Binary,
}

impl Changes {
    /// A line for each change: `modified  src/main.py (+3 -1)`.
    pub fn list(&self, out: &mut dyn Write) -> io::Result<()> {
        for change in &self.changes {
            writeln!(out, "  {}", change.line())?;
        }
        notes(out, &self.notes)
    }

    /// `2 added, 1 modified`.
    pub fn summary(&self) -> String {
        let count = |what: &[What]| {
            self.changes.iter().filter(|change| what.contains(&change.what)).count()
        };
        let parts = [
            (count(&[What::Added]), "added"),
            (count(&[What::Modified]), "modified"),
            (count(&[What::Removed]), "removed"),
            (count(&[What::Mode, What::Kind, What::Target]), "changed otherwise"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
    }
}

/// What is told besides.
pub(crate) fn notes(out: &mut dyn Write, notes: &[Note]) -> io::Result<()> {
    for note in notes {
        writeln!(out, "  note      {}: {}", note.path, note.text)?;
    }
    Ok(())
}

impl Change {
    /// `modified  src/main.py`, and what else there is to say.
    pub fn line(&self) -> String {
        let path = printable(self.path.as_os_str());
        let folder = matches!(&self.after, Some(state) if state.kind == Kind::Folder)
            || matches!((&self.before, &self.after), (Some(state), None) if state.kind == Kind::Folder);
        let path = if folder { format!("{path}/") } else { path };
        let mut line = format!("{:<9} {path}", self.what.name());
        if let (Some(before), Some(after)) = (&self.before, &self.after) {
            if before.kind != after.kind {
                let (was, is) = (before.kind.name(), after.kind.name());
                let _ = write!(line, " (was a {was}, is a {is})");
            } else if super::changes::other_mode(before.mode, after.mode) {
                let _ = write!(line, " (mode {:04o}, was {:04o})", after.mode, before.mode);
            }
        }
        match &self.after {
            Some(State { target: Some(target), .. }) => {
                let _ = write!(line, " -> {}", printable(target));
            }
            Some(State { kind: Kind::File, mode, size, .. }) if self.what == What::Added => {
                let runs = if mode & 0o111 == 0 { "" } else { ", can be executed" };
                let _ = write!(line, " ({size} bytes{runs})");
            }
            _ => {}
        }
        line
    }
}

impl What {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
            Self::Mode => "mode",
            Self::Kind => "kind",
            Self::Target => "target",
        }
    }
}

impl Kind {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "symbolic link",
            Self::Other => "socket, pipe or device",
        }
    }
}

impl Ephemeral {
    /// Prints a unified diff of all changes. Colours are for a terminal.
    pub fn print_diff(
        &self,
        changes: &Changes,
        colour: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (bold, plain) = (paint(BOLD), paint(PLAIN));
        for change in &changes.changes {
            writeln!(out, "{bold}{}{plain}", change.line())?;
            match self.difference(change)? {
                None => {}
                Some(Difference::Binary) => writeln!(out, "  binary, or more than 1 MiB")?,
                Some(Difference::Text(lines, hunks)) => {
                    let path = printable(change.path.as_os_str());
                    let name = |side: &str, there: bool| {
                        if there { format!("{side}/{path}") } else { "/dev/null".to_owned() }
                    };
                    writeln!(out, "{bold}--- {}{plain}", name("a", change.before.is_some()))?;
                    writeln!(out, "{bold}+++ {}{plain}", name("b", change.after.is_some()))?;
                    for (at, (tag, line)) in lines.iter().enumerate() {
                        let start = match tag {
                            _ if hunks.contains(&at) => paint(CYAN),
                            ChangeTag::Delete => paint(RED),
                            ChangeTag::Insert => paint(GREEN),
                            ChangeTag::Equal => "",
                        };
                        let end = if start.is_empty() { "" } else { plain };
                        writeln!(out, "{start}{line}{end}")?;
                    }
                }
            }
        }
        notes(out, &changes.notes)
    }

    /// Prints all changes as one JSON document.
    pub fn print_json(&self, changes: &Changes, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            path: String,
            change: What,
            #[serde(skip_serializing_if = "Option::is_none")]
            before: Option<ShownState>,
            #[serde(skip_serializing_if = "Option::is_none")]
            after: Option<ShownState>,
            #[serde(skip_serializing_if = "Option::is_none")]
            diff: Option<&'a str>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            binary: bool,
        }
        #[derive(Serialize)]
        struct ShownState {
            kind: Kind,
            mode: String,
            size: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            target: Option<String>,
        }
        let shown = |state: &State| ShownState {
            kind: state.kind,
            mode: format!("{:04o}", state.mode),
            size: state.size,
            target: state.target.as_deref().map(printable),
        };
        // One at a time: all diffs together may be more than there is memory for.
        write!(
            out,
            "{{\"workspace\":{}",
            serde_json::to_string(&printable(self.path.as_os_str()))?
        )?;
        write!(out, ",\"changes\":[")?;
        for (at, change) in changes.changes.iter().enumerate() {
            let difference = self.difference(change)?;
            let text = match &difference {
                Some(Difference::Text(lines, _)) => {
                    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
                    Some(lines.join("\n"))
                }
                _ => None,
            };
            let shown = Shown {
                path: printable(change.path.as_os_str()),
                change: change.what,
                before: change.before.as_ref().map(shown),
                after: change.after.as_ref().map(shown),
                diff: text.as_deref(),
                binary: matches!(difference, Some(Difference::Binary)),
            };
            write!(out, "{}\n{}", if at == 0 { "" } else { "," }, serde_json::to_string(&shown)?)?;
        }
        writeln!(out, "],\"notes\":{}}}", serde_json::to_string(&changes.notes)?)
    }

    /// How the content of a path differs; none where content did not change or is none.
    fn difference(&self, change: &Change) -> io::Result<Option<Difference>> {
        let is_file =
            |state: &Option<State>| state.as_ref().is_some_and(|state| state.kind == Kind::File);
        let (was, is) = (is_file(&change.before), is_file(&change.after));
        if !(was || is) || change.what == What::Mode {
            return Ok(None);
        }
        let before = if was { text(self.file_before(&change.path))? } else { Some(String::new()) };
        let after = if is { text(self.file_after(&change.path))? } else { Some(String::new()) };
        let (Some(before), Some(after)) = (before, after) else {
            return Ok(Some(Difference::Binary));
        };
        Ok(Some(unified(&before, &after)))
    }
}

/// A file's text; none where it is no text, or too much. What is gone meanwhile is empty.
fn text(file: io::Result<File>) -> io::Result<Option<String>> {
    let file = match file {
        Ok(file) => file,
        Err(error) if super::folder::is_absent(&error) => return Ok(Some(String::new())),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT || bytes.contains(&0) {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}

fn unified(before: &str, after: &str) -> Difference {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let (mut lines, mut hunks) = (Vec::new(), Vec::new());
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        hunks.push(lines.len());
        lines.push((ChangeTag::Equal, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let mut line = change.tag().to_string();
            let value = change.value();
            escape(value.strip_suffix('\n').unwrap_or(value), true, &mut line);
            lines.push((change.tag(), line));
            if change.missing_newline() {
                lines.push((ChangeTag::Equal, "\\ No newline at end of file".to_owned()));
            }
        }
    }
    Difference::Text(lines, hunks)
}
