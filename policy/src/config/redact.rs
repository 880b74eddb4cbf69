//! `[redact]`: what is looked for, what is done about it, and the operator's own rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ConfigError, suggest};
use crate::redact::{
    Engine, KINDS, Kind, Mode, Modes, Rule as OwnRule, RuleSource, UnknownKind, Validator,
};

/// `[redact]`, checked.
#[derive(Debug, Clone)]
pub struct Redact {
    /// The mode of each kind of finding.
    pub modes: Modes,
    /// Values remembered per session, to be restored in answers.
    pub remember: usize,
    /// Rules of the operator's own.
    pub rules: Vec<OwnRule>,
}

impl Redact {
    /// The engine that finds what the section says.
    pub fn engine(&self) -> Engine {
        Engine::with_rules(self.modes.clone(), self.rules.clone())
    }

    /// Every kind that can be found: the built-in ones, then the operator's own.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut own: Vec<_> = self.rules.iter().map(OwnRule::kind).collect();
        own.sort_unstable();
        own.dedup();
        own.retain(|kind| !KINDS.contains(kind));
        KINDS.into_iter().chain(own).collect()
    }
}

/// `[redact]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    mode: Mode,
    kinds: BTreeMap<toml::Spanned<String>, Mode>,
    remember: usize,
    rule: Vec<toml::Spanned<Rule>>,
}

impl Default for Raw {
    fn default() -> Self {
        Self { mode: Mode::Reversible, kinds: BTreeMap::new(), remember: 10_000, rule: Vec::new() }
    }
}

/// `[[redact.rule]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    kind: String,
    pattern: Option<String>,
    #[serde(default)]
    words: Vec<String>,
    validator: Option<Validator>,
    #[serde(default)]
    context: Vec<String>,
    mode: Option<Mode>,
    /// Texts in which it must find something.
    #[serde(default)]
    finds: Vec<String>,
    /// Texts in which it must find nothing.
    #[serde(default)]
    leaves: Vec<String>,
}

/// Checks the section; `text` is the whole file, to name lines of it.
pub(super) fn check(raw: Raw, text: &str) -> Result<Redact, ConfigError> {
    if raw.remember == 0 {
        return Err(wrong(text, None, "redact.remember must be at least 1"));
    }
    let mut modes = Modes::all(raw.mode);
    let mut rules = Vec::new();
    for rule in raw.rule {
        let at = rule.span().start;
        let (rule, mode) = own_rule(rule.into_inner(), at, text)?;
        if let Some(mode) = mode {
            modes = modes.with(rule.kind(), mode);
        }
        rules.push(rule);
    }
    for (name, mode) in raw.kinds {
        let kind = name
            .get_ref()
            .parse::<Kind>()
            .ok()
            .filter(|kind| KINDS.contains(kind) || rules.iter().any(|rule| rule.kind() == *kind))
            .ok_or_else(|| unknown_kind(text, name.span().start, name.get_ref()))?;
        modes = modes.with(kind, mode);
    }
    Ok(Redact { modes, remember: raw.remember, rules })
}

fn own_rule(raw: Rule, at: usize, text: &str) -> Result<(OwnRule, Option<Mode>), ConfigError> {
    let kind: Kind =
        raw.kind.parse().map_err(|error: UnknownKind| wrong(text, Some(at), &error.to_string()))?;
    let bad = |what: &str| wrong(text, Some(at), &format!("[[redact.rule]] {kind}: {what}"));
    let source = RuleSource {
        pattern: raw.pattern,
        words: raw.words,
        validator: raw.validator,
        context: raw.context,
    };
    let rule = OwnRule::new(kind, &source).map_err(|error| bad(&error.to_string()))?;
    let engine =
        Engine::with_rules(Modes::all(Mode::Off).with(kind, Mode::Detect), vec![rule.clone()]);
    let is_found = |text: &String| !engine.find(text, None).is_empty();
    if let Some(missed) = raw.finds.iter().find(|text| !is_found(text)) {
        return Err(bad(&format!("nothing is found in `{missed}`, which `finds` lists")));
    }
    if let Some(alarm) = raw.leaves.iter().find(|text| is_found(text)) {
        return Err(bad(&format!("something is found in `{alarm}`, which `leaves` lists")));
    }
    Ok((rule, raw.mode))
}

fn unknown_kind(text: &str, at: usize, name: &str) -> ConfigError {
    let upper = name.to_ascii_uppercase();
    let near = suggest::nearest(&upper, KINDS.iter().map(|kind| kind.name()));
    let next = near.map_or_else(
        || "`iron policy kinds` lists those there are".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    wrong(
        text,
        Some(at),
        &format!("`{name}` is no kind of finding, and no [[redact.rule]] defines it: {next}"),
    )
}

fn wrong(text: &str, at: Option<usize>, message: &str) -> ConfigError {
    let line = at.and_then(|at| text.get(..at)).map(|before| 1 + before.matches('\n').count());
    ConfigError { line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::config::Policy;
    use crate::redact::{Kind, Mode};

    const RULE: &str = "[[redact.rule]]\nkind = \"EMPLOYEE_ID\"\npattern = 'EMP-\\d{6}'\n\
                        mode = \"mask\"\nfinds = [\"EMP-000123\"]\nleaves = [\"EMP-12\"]\n";

    #[test]
    fn a_rule_of_ones_own_finds_its_kind() {
        let policy = Policy::parse(RULE).unwrap();
        let kind: Kind = "EMPLOYEE_ID".parse().unwrap();
        assert_eq!(policy.redact.modes.of(kind), Mode::Mask);
        let found = policy.redact.engine().find("ask EMP-000123", None);
        assert_eq!((found[0].kind, found[0].range.clone()), (kind, 4..14));
        assert_eq!(policy.redact.kinds().last(), Some(&kind));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said_with_its_line() {
        for (text, line, said) in [
            ("\n[redact.kinds]\nEMIAL = \"off\"\n".to_owned(), 3, "did you mean `EMAIL`?"),
            (RULE.replace("EMP-000123", "EMP-1"), 1, "nothing is found in `EMP-1`"),
            (RULE.replace("EMP-12", "EMP-123456"), 1, "something is found in `EMP-123456`"),
            (RULE.replace("EMP-\\d{6}", "[a-z]+"), 1, "three literal characters"),
            (RULE.replace("EMPLOYEE_ID", "e-mail"), 1, "no name of a kind"),
        ] {
            let error = Policy::parse(&text).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.message.contains(said), "{error}");
        }
    }
}
