//! Rules of the operator's own: words, or a regular expression, for a kind that they name.
//!
//! No expression is run over a whole text. Every match of one must hold a literal of three bytes,
//! or a digit, or an `@`; that is searched for first, and the expression is run over a window of
//! [`AROUND`] bytes around each hit. What has no such part is refused when the rule is made.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::context::says;
use super::detect::checksum;
use super::kind::{Confidence, Kind};
use super::merge::Match;

/// Bytes before and after a hit that an expression is run over.
const AROUND: usize = 256;
/// Bytes before and after a match in which its context words may stand.
const CONTEXT: usize = 64;
/// The rule's name in findings.
const NAME: &str = "own-rule";

/// A rule as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSource {
    /// A regular expression; or
    pub pattern: Option<String>,
    /// words, in any case.
    pub words: Vec<String>,
    /// What must hold of the digits of a match.
    pub validator: Option<Validator>,
    /// Words of which one must stand near a match.
    pub context: Vec<String>,
}

/// A check of a match's digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validator {
    /// Luhn's check digit.
    Luhn,
    /// Verhoeff's check digit.
    Verhoeff,
    /// The whole is 1 modulo 97 (ISO/IEC 7064).
    Mod97,
}

/// Why a rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// Neither or both.
    #[error("a rule has either `pattern` or `words`")]
    OneOf,
    /// The expression is none.
    #[error("`pattern` is no regular expression: {0}")]
    Pattern(String),
    /// The expression would have to be run over every byte.
    #[error(
        "every match of `pattern` must hold three literal characters in a row, a digit or an `@`, \
         so that texts without them cost nothing"
    )]
    NoAnchor,
    /// The expression matches nothing at all.
    #[error("`pattern` matches the empty text")]
    Empty,
    /// A word of no letters.
    #[error("a word must not be empty")]
    Word,
}

/// A rule that can be used.
#[derive(Clone, Debug)]
pub struct Rule {
    kind: Kind,
    how: How,
    validator: Option<Validator>,
    context: Vec<String>,
}

#[derive(Clone, Debug)]
enum How {
    Words(AhoCorasick),
    Pattern { regex: Regex, anchor: Anchor },
}

/// What every match holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Anchor {
    literals: Vec<Vec<u8>>,
    digit: bool,
    at_sign: bool,
}

impl Rule {
    /// Makes a rule that finds `kind`.
    pub fn new(kind: Kind, source: &RuleSource) -> Result<Self, BadRule> {
        let how = match (&source.pattern, source.words.as_slice()) {
            (Some(pattern), []) => pattern_of(pattern)?,
            (None, words @ [_, ..]) => words_of(words)?,
            _ => return Err(BadRule::OneOf),
        };
        let lower = |word: &String| word.to_lowercase();
        Ok(Self {
            kind,
            how,
            validator: source.validator,
            context: source.context.iter().map(lower).collect(),
        })
    }

    /// What it finds.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    fn find(&self, text: &str, key: Option<&str>, matches: &mut Vec<Match>) {
        let mut push = |start: usize, end: usize| {
            if let Some(found) = self.judge(text, key, start, end) {
                matches.push(found);
            }
        };
        match &self.how {
            How::Words(words) => {
                for found in words.find_iter(text) {
                    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                    let bytes = text.as_bytes();
                    let before = found.start().checked_sub(1).and_then(|at| bytes.get(at));
                    if !joins(before) && !joins(bytes.get(found.end())) {
                        push(found.start(), found.end());
                    }
                }
            }
            How::Pattern { regex, anchor } => {
                let mut done = 0;
                for window in anchor.windows(text) {
                    let mut input = Input::new(text).range(window.start.max(done)..window.end);
                    while let Some(found) = regex.search(&input) {
                        if !found.is_empty() {
                            push(found.start(), found.end());
                        }
                        done = found.end().max(found.start() + 1);
                        if done >= window.end {
                            break;
                        }
                        while !text.is_char_boundary(done) {
                            done += 1;
                        }
                        input.set_range(done..window.end);
                    }
                }
            }
        }
    }

    fn judge(&self, text: &str, key: Option<&str>, start: usize, end: usize) -> Option<Match> {
        let value = &text.as_bytes()[start..end];
        if let Some(validator) = self.validator {
            let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
            validator.holds(&digits).then_some(())?;
        }
        if !self.context.is_empty() {
            let bytes = text.as_bytes();
            let near = &bytes[start.saturating_sub(CONTEXT)..bytes.len().min(end + CONTEXT)];
            let named = key.is_some_and(|key| says(key.as_bytes(), &self.context))
                || says(near, &self.context);
            named.then_some(())?;
        }
        let confidence = match (self.validator, self.context.is_empty()) {
            (Some(_), _) => Confidence::Checksum,
            (None, true) => Confidence::Prefix,
            (None, false) => Confidence::Context,
        };
        Some(Match { kind: self.kind, range: start..end, rule: NAME, confidence, word: None })
    }
}

impl Validator {
    fn holds(self, digits: &[u8]) -> bool {
        !digits.is_empty()
            && match self {
                Self::Luhn => checksum::luhn(digits),
                Self::Verhoeff => checksum::verhoeff(digits),
                Self::Mod97 => checksum::remainder(digits, 97) == 1,
            }
    }
}

/// All rules of a policy.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) const fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    pub(super) fn find(&self, text: &str, key: Option<&str>, matches: &mut Vec<Match>) {
        for rule in &self.0 {
            rule.find(text, key, matches);
        }
    }
}

impl Anchor {
    /// The stretches of the text that may hold a match, in order, apart from one another.
    fn windows(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let bytes = text.as_bytes();
        let mut windows: Vec<std::ops::Range<usize>> = Vec::new();
        let mut hits: Vec<usize> = Vec::new();
        for literal in &self.literals {
            hits.extend(memchr::memmem::find_iter(bytes, literal));
        }
        if self.digit || self.at_sign {
            let wanted = |byte: &u8| {
                (self.digit && byte.is_ascii_digit()) || (self.at_sign && *byte == b'@')
            };
            hits.extend(bytes.iter().enumerate().filter(|(_, b)| wanted(b)).map(|(at, _)| at));
        }
        hits.sort_unstable();
        for hit in hits {
            let mut start = hit.saturating_sub(AROUND);
            let mut end = bytes.len().min(hit + AROUND);
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            match windows.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => windows.push(start..end),
            }
        }
        windows
    }

    /// What every match of an expression holds, if that can be told.
    fn of(hir: &Hir) -> Option<Self> {
        match hir.kind() {
            HirKind::Literal(literal) if literal.0.len() >= 3 => {
                Some(Self { literals: vec![literal.0.to_vec()], ..Self::default() })
            }
            HirKind::Literal(literal) if literal.0.iter().any(u8::is_ascii_digit) => {
                Some(Self { digit: true, ..Self::default() })
            }
            HirKind::Literal(literal) if literal.0.contains(&b'@') => {
                Some(Self { at_sign: true, ..Self::default() })
            }
            HirKind::Class(Class::Unicode(class)) => {
                let digits = |range: &regex_syntax::hir::ClassUnicodeRange| {
                    range.start().is_ascii_digit() && range.end().is_ascii_digit()
                };
                let is_digit = !class.ranges().is_empty() && class.iter().all(digits);
                is_digit.then(|| Self { digit: true, ..Self::default() })
            }
            HirKind::Repetition(repetition) if repetition.min > 0 => Self::of(&repetition.sub),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => {
                let longest =
                    |anchor: &Self| anchor.literals.iter().map(Vec::len).min().unwrap_or_default();
                parts.iter().filter_map(Self::of).max_by_key(longest)
            }
            HirKind::Alternation(parts) => parts.iter().try_fold(Self::default(), |all, part| {
                let mut part = Self::of(part)?;
                part.literals.extend(all.literals);
                part.digit |= all.digit;
                part.at_sign |= all.at_sign;
                Some(part)
            }),
            _ => None,
        }
    }
}

fn pattern_of(pattern: &str) -> Result<How, BadRule> {
    let bad = |error: &dyn std::fmt::Display| BadRule::Pattern(error.to_string());
    // `\d` is an ASCII digit: the numbers of identifiers are.
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(true)
        .build()
        .parse(&with_ascii_digits(pattern))
        .map_err(|error| bad(&error))?;
    if hir.properties().minimum_len() == Some(0) {
        return Err(BadRule::Empty);
    }
    let anchor = Anchor::of(&hir).ok_or(BadRule::NoAnchor)?;
    let regex = Regex::builder().build_from_hir(&hir).map_err(|error| bad(&error))?;
    Ok(How::Pattern { regex, anchor })
}

/// The pattern with each `\d` as `[0-9]`.
fn with_ascii_digits(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('d') => out.push_str("[0-9]"),
                other => {
                    out.push('\\');
                    out.extend(other);
                }
            },
            (plain, false) => out.push(plain),
        }
    }
    out
}

fn words_of(words: &[String]) -> Result<How, BadRule> {
    if words.iter().any(|word| word.trim().is_empty()) {
        return Err(BadRule::Word);
    }
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(words.iter().map(|word| word.trim()))
        .map(How::Words)
        .map_err(|error| BadRule::Pattern(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Engine, Mode, Modes};

    fn rule(source: &RuleSource) -> Result<Rule, BadRule> {
        Rule::new("EMPLOYEE_ID".parse().unwrap(), source)
    }

    fn pattern(pattern: &str) -> RuleSource {
        RuleSource { pattern: Some(pattern.to_owned()), ..RuleSource::default() }
    }

    fn found<'t>(source: &RuleSource, text: &'t str) -> Vec<&'t str> {
        let rules = vec![rule(source).unwrap()];
        let engine = Engine::with_rules(
            Modes::all(Mode::Off).with("EMPLOYEE_ID".parse().unwrap(), Mode::Mask),
            rules,
        );
        engine.find(text, None).into_iter().map(|found| &text[found.range]).collect()
    }

    #[test]
    fn an_expression_finds_what_it_says() {
        let text = "EMP-000123, emp-000123, xEMP-0001234 and EMP-000124";
        assert_eq!(found(&pattern(r"\bEMP-\d{6}\b"), text), ["EMP-000123", "EMP-000124"]);
        let far = format!("{}7{}A-17{}", "x ".repeat(400), "é ".repeat(400), " y".repeat(400));
        assert_eq!(found(&pattern(r"[A-Z]-\d\d"), &far), ["A-17"]);
        assert_eq!(found(&pattern("a@|bcd"), "a@ bcd"), ["a@", "bcd"]);
        assert_eq!(found(&pattern(r"ID\\\d"), r"ID\7 ID\d"), [r"ID\7"]);
    }

    #[test]
    fn words_are_found_in_any_case_and_apart() {
        let words =
            RuleSource { words: vec!["Project Falcon".to_owned()], ..RuleSource::default() };
        assert_eq!(found(&words, "PROJECT FALCON, project falcons"), ["PROJECT FALCON"]);
    }

    #[test]
    fn validator_and_context_must_hold() {
        let mut source = pattern(r"\d{10}");
        source.validator = Some(Validator::Luhn);
        source.context = vec!["Member".to_owned()];
        assert_eq!(found(&source, "member 4992739871, member 1234567897"), ["1234567897"]);
        assert_eq!(found(&source, "number 1234567897"), [""; 0]);
    }

    #[test]
    fn what_would_cost_every_byte_is_refused() {
        for (source, error) in [
            (pattern("[a-z]+"), BadRule::NoAnchor),
            (pattern("ab|cde"), BadRule::NoAnchor),
            (pattern("x*"), BadRule::Empty),
            (RuleSource::default(), BadRule::OneOf),
            (RuleSource { words: vec![" ".to_owned()], ..RuleSource::default() }, BadRule::Word),
        ] {
            assert_eq!(rule(&source).unwrap_err(), error);
        }
        assert!(matches!(rule(&pattern("(")), Err(BadRule::Pattern(_))));
    }
}
