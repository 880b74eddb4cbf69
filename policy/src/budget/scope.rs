//! Whose calls a budget covers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Subject;
use crate::types::Name;

/// Whose calls a budget covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Scope {
    /// Every call.
    Organisation,
    /// The calls of a project; of each project by itself for `project:*`.
    Project(Which),
    /// The calls of an agent; of each agent by itself for `agent:*`.
    Agent(Which),
    /// The calls with a token; with each token by itself for `token:*`.
    Token(Which),
    /// The calls of a run; of each run by itself for `run:*`.
    Run(Which),
    /// The calls for all models that match, together.
    Model(Glob),
}

/// One name, or each name by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Which {
    /// Each name has an account of its own.
    Each,
    /// Only this one.
    One(Name),
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope: write organisation, project:NAME, agent:NAME, token:ID, run:ID or model:GLOB"
)]
pub struct ScopeError(String);

impl Scope {
    /// The account that a call touches; none where the scope does not cover it.
    pub fn account(&self, call: &Subject<'_>) -> Option<String> {
        let named = |kind: &str, which: &Which, name: Option<&str>| {
            name.filter(|name| which.covers(name)).map(|name| format!("{kind}:{name}"))
        };
        match self {
            Self::Organisation => Some("organisation".to_owned()),
            Self::Project(which) => named("project", which, call.project),
            Self::Agent(which) => named("agent", which, Some(call.agent)),
            Self::Token(which) => named("token", which, call.token),
            Self::Run(which) => named("run", which, call.run),
            Self::Model(glob) => glob.matches(call.model).then(|| self.to_string()),
        }
    }

    /// Whether [`Scope::account`] can ever be this: `agent:a` for `agent:a` and for `agent:*`.
    pub fn opens(&self, account: &str) -> bool {
        let one = |which: &Which, other: &Which| match other {
            Which::Each => false,
            Which::One(name) => which.covers(name.as_str()),
        };
        match (self, account.parse()) {
            (Self::Organisation, Ok(Self::Organisation)) => true,
            (Self::Project(which), Ok(Self::Project(other)))
            | (Self::Agent(which), Ok(Self::Agent(other)))
            | (Self::Token(which), Ok(Self::Token(other)))
            | (Self::Run(which), Ok(Self::Run(other))) => one(which, &other),
            (Self::Model(glob), Ok(Self::Model(other))) => *glob == other,
            _ => false,
        }
    }
}

impl Which {
    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Each => true,
            Self::One(own) => own.as_str() == name,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError(text.to_owned());
        if text == "organisation" {
            return Ok(Self::Organisation);
        }
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        let which = || match name {
            "*" => Ok(Which::Each),
            name => name.parse().map(Which::One).map_err(|_| wrong()),
        };
        match kind {
            "project" => Ok(Self::Project(which()?)),
            "agent" => Ok(Self::Agent(which()?)),
            "token" => Ok(Self::Token(which()?)),
            "run" => Ok(Self::Run(which()?)),
            "model" if !name.is_empty() => Ok(Self::Model(Glob::new(name))),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation => f.write_str("organisation"),
            Self::Project(which) => write!(f, "project:{which}"),
            Self::Agent(which) => write!(f, "agent:{which}"),
            Self::Token(which) => write!(f, "token:{which}"),
            Self::Run(which) => write!(f, "run:{which}"),
            Self::Model(glob) => write!(f, "model:{glob}"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each => f.write_str("*"),
            Self::One(name) => write!(f, "{name}"),
        }
    }
}

/// A pattern over model names: `*` stands for any characters, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub struct Glob(String);

impl Glob {
    /// A pattern.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        // Each part at its first place leaves the most for those behind it; the last ends the text.
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

impl From<String> for Glob {
    fn from(pattern: String) -> Self {
        Self(pattern)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_name() {
        for (pattern, text, matches) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o*", "gpt-4o-mini", true),
            ("*mini", "gpt-4o-mini", true),
            ("*-mini", "mini", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in
            ["organisation", "agent:a", "agent:*", "project:x.y", "token:t", "run:*", "model:gpt-*"]
        {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for (scope, account, opens) in [
            ("organisation", "organisation", true),
            ("agent:*", "agent:a", true),
            ("agent:a", "agent:a", true),
            ("agent:a", "agent:b", false),
            ("agent:*", "agent:*", false),
            ("agent:*", "project:a", false),
            ("model:gpt-*", "model:gpt-*", true),
            ("model:gpt-*", "model:gpt-5", false),
            ("run:*", "run:r", true),
            ("token:*", "", false),
        ] {
            assert_eq!(scope.parse::<Scope>().unwrap().opens(account), opens, "{scope} {account}");
        }
        for text in ["", "organization", "agent:", "agent:a b", "model:", "team:x", "agent"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
