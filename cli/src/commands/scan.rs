//! `iron scan`: what is personal or secret in a text, as the policy would find it.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use iron_policy::redact::{Confidence, Engine, Kind, Match, Mode, Modes};
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Files, Output};
use crate::files::Config;
use crate::output::{say, say_json, table};

/// The engine of a configuration; with `kinds`, for these alone.
pub(super) fn engine(config: Option<PathBuf>, kinds: &[Kind]) -> Result<Engine, Failure> {
    let mut redact = Config::read(&Files { config, state: None })?.policy.redact;
    let known = redact.kinds();
    if let Some(unknown) = kinds.iter().find(|kind| !known.contains(kind)) {
        return Err(Failure::Usage(anyhow!(
            "`{unknown}` is no kind of finding: `iron policy kinds` lists those there are"
        )));
    }
    if !kinds.is_empty() {
        let all_off = known.iter().fold(Modes::all(Mode::Off), |m, kind| m.with(*kind, Mode::Off));
        redact.modes = kinds.iter().fold(all_off, |modes, kind| modes.with(*kind, Mode::Detect));
    }
    Ok(redact.engine())
}

/// Scans one text and shows what is found; says how much that is.
pub(super) fn text(
    engine: &Engine,
    file: Option<&Path>,
    show: bool,
    output: Output,
) -> Result<usize, Failure> {
    let mut bytes = Vec::new();
    open(file)?
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} cannot be read", name(file)))?;
    let text = String::from_utf8_lossy(&bytes);
    let found = engine.find(&text, None);
    let mut places = Places::new(&text);
    let rows: Vec<_> = found
        .iter()
        .map(|found| {
            let (line, column) = places.place(found.range.start);
            let value = &text[found.range.clone()];
            let shown = if show { value.escape_debug().to_string() } else { masked(value) };
            (found, line, column, shown)
        })
        .collect();
    match output {
        Output::Json => say_json(&json!({
            "findings": rows.iter().map(|(found, line, column, shown)| json!({
                "kind": found.kind,
                "rule": found.rule,
                "confidence": found.confidence,
                "word": found.word,
                "range": [found.range.start, found.range.end],
                "line": line,
                "column": column,
                "value": show.then_some(shown),
            })).collect::<Vec<_>>(),
        })),
        Output::Table if rows.is_empty() => say("Nothing found."),
        Output::Table => {
            let count = rows.len();
            say(&table(
                &[">line", ">column", "kind", "rule", "confidence", "value"],
                rows.into_iter().map(|(found, line, column, shown)| {
                    let confidence = confidence(found);
                    let (kind, rule) = (found.kind.to_string(), found.rule.to_owned());
                    vec![line.to_string(), column.to_string(), kind, rule, confidence, shown]
                }),
            ));
            let hint = if show { "" } else { "; --show shows the values" };
            say(&format!("\n{count} findings{hint}"));
        }
    }
    Ok(found.len())
}

/// Scans lines of `{"id","text"}`; says how much was found.
pub(super) fn lines(engine: &Engine, file: Option<&Path>) -> Result<usize, Failure> {
    let input = BufReader::new(open(file)?);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut count = 0;
    for (place, line) in input.lines().enumerate() {
        let wrong = |what: &str| {
            let line = place + 1;
            anyhow!("{}, line {line}: {what}: write one {{\"id\",\"text\"}} a line", name(file))
        };
        let line = line.map_err(|error| wrong(&error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_str(&line).map_err(|error| wrong(&error.to_string()))?;
        let text = value.get("text").and_then(Value::as_str);
        let text = text.ok_or_else(|| wrong("it has no `text` that is a string"))?;
        let found = engine.find(text, None);
        count += found.len();
        let mut places = Characters::new(text);
        let spans: Vec<Value> = found
            .iter()
            .map(|found| {
                json!({
                    "start": places.before(found.range.start),
                    "end": places.before(found.range.end),
                    "type": found.kind,
                    "rule": found.rule,
                })
            })
            .collect();
        let answer = json!({ "id": value.get("id").unwrap_or(&Value::Null), "spans": spans });
        if writeln!(out, "{answer}").is_err() {
            // Whoever read it has gone away.
            return Ok(count);
        }
    }
    let _ = out.flush();
    Ok(count)
}

fn open(file: Option<&Path>) -> Result<Box<dyn Read>, Failure> {
    match file {
        Some(path) if path != Path::new("-") => {
            let file =
                File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
            Ok(Box::new(file))
        }
        _ => Ok(Box::new(std::io::stdin().lock())),
    }
}

fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
}

/// How sure a rule is, and the word that made it so.
pub(super) fn confidence(found: &Match) -> String {
    let how = match found.confidence {
        Confidence::Checksum => "checksum",
        Confidence::Prefix => "prefix",
        Confidence::Context => "context",
        Confidence::Shape => "shape",
    };
    match found.word {
        Some(word) => format!("{how}, near `{word}`"),
        None => how.to_owned(),
    }
}

/// Says no more of a value than how long it is.
pub(super) fn masked(value: &str) -> String {
    format!("({} characters)", value.chars().count())
}

/// The line and column, from 1, of rising offsets.
struct Places<'a> {
    text: &'a str,
    seen: usize,
    line: usize,
    start: usize,
}

impl<'a> Places<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, seen: 0, line: 1, start: 0 }
    }

    fn place(&mut self, offset: usize) -> (usize, usize) {
        for (at, _) in self.text[self.seen..offset].match_indices('\n') {
            self.line += 1;
            self.start = self.seen + at + 1;
        }
        self.seen = offset;
        (self.line, 1 + self.text[self.start..offset].chars().count())
    }
}

/// How many characters stand before rising byte offsets.
struct Characters<'a> {
    text: &'a str,
    seen: usize,
    count: usize,
}

impl<'a> Characters<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, seen: 0, count: 0 }
    }

    fn before(&mut self, offset: usize) -> usize {
        self.count += self.text[self.seen..offset].chars().count();
        self.seen = offset;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        let text = "é\nüb 😀x";
        let mut places = Places::new(text);
        assert_eq!(places.place(text.find('b').unwrap()), (2, 2));
        assert_eq!(places.place(text.find('x').unwrap()), (2, 5));
        let mut characters = Characters::new(text);
        assert_eq!(characters.before(text.find('x').unwrap()), 6);
    }

    #[test]
    fn asked_for_kinds_alone_are_looked_for() {
        let engine = engine(None, &[Kind::Email]).unwrap();
        let found = engine.find("a@b.com 4242 4242 4242 4242", None);
        assert_eq!((found.len(), found[0].kind), (1, Kind::Email));
    }
}
