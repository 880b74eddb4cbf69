//! Which names mean a model.

use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;

/// A rule over a model's name, in lower case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Clause {
    Is(String),
    Starts(String),
    Ends(String),
    Has(String),
    Re(Pattern),
    Or(Vec<Clause>),
    And(Vec<Clause>),
    Not(Box<Clause>),
}

/// A regular expression that is compiled when it is first needed: most never are.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// One that does not compile matches nothing; a test makes sure that all of them do.
    fn is_match(&self, name: &str) -> bool {
        self.compiled
            .get_or_init(|| Regex::new(&self.text).ok())
            .as_ref()
            .is_some_and(|regex| regex.is_match(name))
    }
}

impl Clause {
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Is(text) => name == text,
            Self::Starts(text) => name.starts_with(text.as_str()),
            Self::Ends(text) => name.ends_with(text.as_str()),
            Self::Has(text) => name.contains(text.as_str()),
            Self::Re(pattern) => pattern.is_match(name),
            Self::Or(clauses) => clauses.iter().any(|clause| clause.matches(name)),
            Self::And(clauses) => clauses.iter().all(|clause| clause.matches(name)),
            Self::Not(clause) => !clause.matches(name),
        }
    }

    /// How much of a name the longest rule that matches pins down.
    pub(super) fn precision(&self, name: &str) -> usize {
        match self {
            Self::Is(text) if name == text => usize::MAX,
            Self::Starts(text) | Self::Ends(text) | Self::Has(text) if self.matches(name) => {
                text.len()
            }
            Self::Re(pattern) if pattern.is_match(name) => pattern.text.len(),
            Self::Or(clauses) | Self::And(clauses) => {
                clauses.iter().map(|clause| clause.precision(name)).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    #[cfg(test)]
    pub(super) fn patterns(&self) -> Vec<&str> {
        match self {
            Self::Re(pattern) => vec![&pattern.text],
            Self::Or(clauses) | Self::And(clauses) => {
                clauses.iter().flat_map(Self::patterns).collect()
            }
            Self::Not(clause) => clause.patterns(),
            _ => Vec::new(),
        }
    }
}
