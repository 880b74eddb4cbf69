//! `[redact]`: what is looked for, what is done about it, and the operator's own rules.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ConfigError, duration, suggest};
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
    /// The secret that keys placeholders; a random one per process where there is none.
    pub secret: Option<SecretSource>,
    /// Rules of the operator's own.
    pub rules: Vec<OwnRule>,
    /// A service that finds names and places.
    pub recogniser: Option<Recogniser>,
    /// The mode of each kind of finding in what providers answer. Never `reversible`.
    pub answers: Modes,
    /// What happens to uploaded parts whose text cannot be read.
    pub opaque_parts: OpaqueParts,
}

/// Where a secret is kept. What it holds is never part of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The environment variable of this name.
    Variable(String),
    /// The file at this absolute path.
    File(PathBuf),
}

/// What happens to the parts of an upload that hold no text that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpaqueParts {
    /// All of them leave as they are.
    Pass,
    /// Images, audio and video leave as they are; a document or archive is refused, since it may
    /// be full of text.
    #[default]
    Media,
    /// None leaves.
    Block,
}

/// `[redact.recogniser]`: a service that is asked about every new text, such as Presidio's analyzer.
#[derive(Debug, Clone, PartialEq)]
pub struct Recogniser {
    /// Where texts are posted.
    pub url: String,
    /// The texts' language, as the service names it.
    pub language: String,
    /// How long it may take for the texts of one call.
    pub timeout: Duration,
    /// What happens to a call whose texts it did not answer for.
    pub on_failure: OnFailure,
    /// How sure it must be, from 0 to 1.
    pub min_score: f64,
    /// Its names for what it finds, and the kinds that they become.
    pub kinds: BTreeMap<String, Kind>,
}

/// What happens to a call whose texts a recogniser did not answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Closed,
    /// It goes on with what the detectors found.
    Open,
}

impl Redact {
    /// The engine that finds what the section says.
    pub fn engine(&self) -> Engine {
        Engine::with_rules(self.modes.clone(), self.rules.clone())
    }

    /// The engine that finds in answers what the section says.
    pub fn answer_engine(&self) -> Engine {
        Engine::with_rules(self.answers.clone(), self.rules.clone())
    }

    /// Every kind that can be found: the built-in ones, then the operator's own.
    pub fn kinds(&self) -> Vec<Kind> {
        let recognised = self.recogniser.iter().flat_map(|service| service.kinds.values().copied());
        let mut own: Vec<_> = self.rules.iter().map(OwnRule::kind).chain(recognised).collect();
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
    secret_env: Option<toml::Spanned<String>>,
    secret_file: Option<toml::Spanned<PathBuf>>,
    rule: Vec<toml::Spanned<Rule>>,
    recogniser: Option<toml::Spanned<RawRecogniser>>,
    answers: AnswerMode,
    answer_kinds: BTreeMap<toml::Spanned<String>, AnswerMode>,
    opaque_parts: OpaqueParts,
}

/// A mode for findings in answers: every one but `reversible`.
#[derive(Clone, Copy)]
struct AnswerMode(Mode);

impl<'de> Deserialize<'de> for AnswerMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Mode::deserialize(deserializer)? {
            Mode::Reversible => Err(D::Error::custom(
                "findings in answers cannot be `reversible`: a placeholder is put back on the way \
                 to the agent, which is where an answer goes; use off, detect, mask or block",
            )),
            mode => Ok(Self(mode)),
        }
    }
}

/// `[redact.recogniser]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRecogniser {
    url: String,
    language: String,
    #[serde(deserialize_with = "duration")]
    timeout: Duration,
    on_failure: OnFailure,
    min_score: f64,
    kinds: BTreeMap<String, String>,
}

impl Default for RawRecogniser {
    fn default() -> Self {
        let kinds =
            [("PERSON", "PERSON"), ("LOCATION", "LOCATION"), ("ORGANIZATION", "ORGANIZATION")];
        Self {
            url: String::new(),
            language: "en".to_owned(),
            timeout: Duration::from_millis(500),
            on_failure: OnFailure::default(),
            min_score: 0.5,
            kinds: kinds.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned())).into(),
        }
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            mode: Mode::Reversible,
            kinds: BTreeMap::new(),
            remember: 10_000,
            secret_env: None,
            secret_file: None,
            rule: Vec::new(),
            recogniser: None,
            answers: AnswerMode(Mode::Off),
            answer_kinds: BTreeMap::new(),
            opaque_parts: OpaqueParts::default(),
        }
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
    let recogniser = raw
        .recogniser
        .map(|recogniser| {
            let at = recogniser.span().start;
            self::recogniser(recogniser.into_inner(), at, text)
        })
        .transpose()?;
    let recognised: Vec<_> =
        recogniser.iter().flat_map(|recogniser| recogniser.kinds.values().copied()).collect();
    for kind in &recognised {
        modes = modes.with(*kind, raw.mode);
    }
    let known = |name: &toml::Spanned<String>| {
        name.get_ref()
            .parse::<Kind>()
            .ok()
            .filter(|kind| {
                KINDS.contains(kind)
                    || recognised.contains(kind)
                    || rules.iter().any(|rule| rule.kind() == *kind)
            })
            .ok_or_else(|| unknown_kind(text, name.span().start, name.get_ref()))
    };
    for (name, mode) in raw.kinds {
        modes = modes.with(known(&name)?, mode);
    }
    let mut answers = Modes::all(raw.answers.0);
    for (name, mode) in raw.answer_kinds {
        answers = answers.with(known(&name)?, mode.0);
    }
    Ok(Redact {
        modes,
        remember: raw.remember,
        secret: secret(raw.secret_env, raw.secret_file, text)?,
        rules,
        recogniser,
        answers,
        opaque_parts: raw.opaque_parts,
    })
}

/// Where the secret is that keys placeholders.
fn secret(
    variable: Option<toml::Spanned<String>>,
    file: Option<toml::Spanned<PathBuf>>,
    text: &str,
) -> Result<Option<SecretSource>, ConfigError> {
    let said = variable.as_ref().map(toml::Spanned::span);
    let at = said.or_else(|| file.as_ref().map(toml::Spanned::span)).map(|span| span.start);
    let bad = |what: &str| Err(wrong(text, at, what));
    match (variable.map(toml::Spanned::into_inner), file.map(toml::Spanned::into_inner)) {
        (None, None) => Ok(None),
        (Some(variable), None) if variable.is_empty() || variable.contains(['=', '\0']) => {
            bad("redact.secret_env must be the name of an environment variable")
        }
        (Some(variable), None) => Ok(Some(SecretSource::Variable(variable))),
        // Not relative: another working folder would silently make another secret.
        (None, Some(file)) if !file.is_absolute() => {
            bad(&format!("redact.secret_file `{}` must be an absolute path", file.display()))
        }
        (None, Some(file)) => Ok(Some(SecretSource::File(file))),
        (Some(_), Some(_)) => {
            bad("redact.secret_env and redact.secret_file exclude each other: keep one of them")
        }
    }
}

fn recogniser(raw: RawRecogniser, at: usize, text: &str) -> Result<Recogniser, ConfigError> {
    let bad = |what: String| wrong(text, Some(at), &format!("[redact.recogniser] {what}"));
    if !raw.url.starts_with("http://") && !raw.url.starts_with("https://") {
        return Err(bad("url must start with http:// or https://".to_owned()));
    }
    if !(0.0..=1.0).contains(&raw.min_score) {
        return Err(bad("min_score must be from 0 to 1".to_owned()));
    }
    if raw.timeout.is_zero() {
        return Err(bad("timeout must be more than 0".to_owned()));
    }
    let kinds = raw
        .kinds
        .into_iter()
        .map(|(theirs, ours)| {
            let kind = ours.parse().map_err(|error: UnknownKind| bad(error.to_string()))?;
            Ok((theirs, kind))
        })
        .collect::<Result<_, ConfigError>>()?;
    Ok(Recogniser {
        url: raw.url,
        language: raw.language,
        timeout: raw.timeout,
        on_failure: raw.on_failure,
        min_score: raw.min_score,
        kinds,
    })
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
    let near = suggest::nearest(&upper, KINDS.iter().map(Kind::name));
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
    fn a_rule_of_ones_own_is_looked_for_in_answers_by_their_modes() {
        let kind: Kind = "EMPLOYEE_ID".parse().unwrap();
        let found = |text: &str| {
            let policy = Policy::parse(text).unwrap();
            let engine = policy.redact.answer_engine();
            (engine.modes().of(kind), engine.find("ask EMP-000123", None).len())
        };
        assert_eq!(found(RULE), (Mode::Off, 0));
        assert_eq!(found(&format!("[redact]\nanswers = \"detect\"\n{RULE}")), (Mode::Detect, 1));
        let named = format!("[redact.answer_kinds]\nEMPLOYEE_ID = \"block\"\n{RULE}");
        assert_eq!(found(&named), (Mode::Block, 1));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, said) in [
            ("\n[redact.kinds]\nEMIAL = \"off\"\n".to_owned(), 3, "did you mean `EMAIL`?"),
            ("[redact.answer_kinds]\nIBAM = \"mask\"\n".to_owned(), 2, "did you mean `IBAN`?"),
            (RULE.replace("EMP-000123", "EMP-1"), 1, "nothing is found in `EMP-1`"),
            (RULE.replace("EMP-12", "EMP-123456"), 1, "something is found in `EMP-123456`"),
            (RULE.replace("EMP-\\d{6}", "[a-z]+"), 1, "three literal characters"),
            (RULE.replace("EMPLOYEE_ID", "e-mail"), 1, "no name of a kind"),
            ("[redact]\nsecret_env = \"A\"\nsecret_file = \"/b\"\n".to_owned(), 2, "one of them"),
            ("[redact]\n\nsecret_file = \"b\"\n".to_owned(), 3, "absolute"),
            ("[redact]\nsecret_env = \"\"\n".to_owned(), 2, "name"),
        ] {
            let error = Policy::parse(&text).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.message.contains(said), "{error}");
        }
    }
}
