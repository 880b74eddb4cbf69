//! `[[fallback]]`: which upstreams a call can go to in place of its own.
//!
//! Calls are translated for no fallback: their bodies stay what they are, but for the model's name.
//! So a fallback is another upstream of the same dialect at the same paths, or Azure OpenAI, which
//! has OpenAI's operations below `/openai/v1`. What can never be followed is refused here, with its
//! line; what depends on the call (a price, a key that is set, what a provider keeps) is looked at
//! when one fails.

use std::sync::Arc;

use super::raw;
use super::{ConfigError, Upstream};
use crate::retry::{Fallback, Target};
use crate::types::{Dialect, Platform};

/// Checks each entry; `text` is the whole file, to name lines of it.
pub(super) fn check(
    raw: Vec<raw::Fallback>,
    upstreams: &[Arc<Upstream>],
    text: &str,
) -> Result<Vec<Fallback>, ConfigError> {
    for target in raw.iter().flat_map(|fallback| &fallback.to) {
        works(target.get_ref(), upstreams).map_err(|message| {
            let before = text.get(..target.span().start);
            let line = before.map(|before| 1 + before.matches('\n').count());
            ConfigError { line, message }
        })?;
    }
    let made = |raw: raw::Fallback| Fallback {
        model: raw.model,
        to: raw.to.into_iter().map(toml::Spanned::into_inner).collect(),
        on_budget: raw.on_budget,
    };
    Ok(raw.into_iter().map(made).collect())
}

/// Whether some call could go there; what to change, where none could.
fn works(target: &Target, upstreams: &[Arc<Upstream>]) -> Result<(), String> {
    if target.model.as_ref().is_some_and(|model| model.is_empty() || model.len() > 200) {
        return Err("the model of a [[fallback]] has 1 to 200 bytes".to_owned());
    }
    let Some(name) = &target.upstream else {
        if target.model.is_none() {
            return Err("a [[fallback]] goes nowhere: write `to = [{ upstream = \"NAME\" }]`, \
                        `to = [{ model = \"NAME\" }]`, or both in one"
                .to_owned());
        }
        return if upstreams.iter().any(|upstream| upstream.can_fall_back()) {
            Ok(())
        } else {
            Err("a [[fallback]] serves no calls to platforms, and every [[upstream]] has a \
                 `platform`: remove it"
                .to_owned())
        };
    };
    let Some(to) = upstreams.iter().find(|upstream| upstream.name == *name) else {
        return Err(format!(
            "[[fallback]] names the upstream `{name}`, which no [[upstream]] defines"
        ));
    };
    match to.platform {
        Some(platform @ (Platform::Bedrock | Platform::Vertex)) => {
            return Err(format!(
                "a [[fallback]] cannot go to `{name}`: the paths of the platform `{}` are its \
                 own. Name an upstream without a platform, or one on `azure` for calls to OpenAI",
                platform.name()
            ));
        }
        Some(Platform::Azure) if to.api_key_env.is_none() => {
            return Err(format!(
                "a [[fallback]] to `{name}` needs a key of its own, for callers' keys do not go \
                 there: add `api_key_env` to this [[upstream]]"
            ));
        }
        _ => {}
    }
    let from = |upstream: &&Arc<Upstream>| {
        upstream.falls_back_to(to) && (upstream.name != *name || target.model.is_some())
    };
    if upstreams.iter().any(|upstream| from(&upstream)) {
        return Ok(());
    }
    Err(format!(
        "a [[fallback]] to `{name}` serves nobody: no other [[upstream]] without a `platform` has \
         the dialect `{}`. Calls are not translated",
        to.dialect.name()
    ))
}

impl Upstream {
    /// Whether calls to this upstream can go elsewhere at all: a platform's paths are its own.
    pub const fn can_fall_back(&self) -> bool {
        self.platform.is_none()
    }

    /// Whether calls to this upstream can go to another one without being translated.
    pub fn falls_back_to(&self, other: &Self) -> bool {
        let takes = match other.platform {
            None => self.dialect == other.dialect,
            Some(Platform::Azure) => self.dialect == Dialect::OpenAi,
            Some(Platform::Bedrock | Platform::Vertex) => false,
        };
        self.can_fall_back() && takes
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Policy;

    const UPSTREAMS: &str = r#"
[[upstream]]
name = "openai"
dialect = "openai"
base_url = "https://api.openai.com"
[[upstream]]
name = "anthropic"
dialect = "anthropic"
base_url = "https://api.anthropic.com"
[[upstream]]
name = "azure"
platform = "azure"
base_url = "https://team.openai.azure.com"
api_key_env = "AZURE_OPENAI_API_KEY"
models = { first = "gpt-4o", second = "gpt-4o", gpt-4o-mini = "gpt-4.1-mini", same = "x", x = "x" }
[[upstream]]
name = "keyless"
platform = "azure"
base_url = "https://other.openai.azure.com"
[[upstream]]
name = "vertex"
platform = "vertex"
base_url = "https://us-central1-aiplatform.googleapis.com"
[[upstream]]
name = "bedrock"
platform = "bedrock"
base_url = "https://bedrock-runtime.us-east-1.amazonaws.com"
"#;

    #[test]
    fn what_can_never_be_followed_is_refused_with_its_line() {
        for (to, said) in [
            ("upstream = \"azure\"", ""),
            ("upstream = \"azure\", model = \"first\"", ""),
            ("upstream = \"anthropic\", model = \"m\"", ""),
            ("model = \"m\"", ""),
            ("", "goes nowhere"),
            ("model = \"\"", "1 to 200"),
            ("upstream = \"nowhere\"", "`nowhere`, which no [[upstream]] defines"),
            ("upstream = \"vertex\"", "the paths of the platform `vertex` are its own"),
            ("upstream = \"bedrock\", model = \"m\"", "`bedrock` are its own"),
            ("upstream = \"keyless\"", "add `api_key_env`"),
            ("upstream = \"anthropic\"", "has the dialect `anthropic`"),
        ] {
            let text = format!(
                "{UPSTREAMS}[[fallback]]\nmodel = \"*\"\nto = [\n  {{ upstream = \"azure\" }},\n  \
                 {{ {to} }},\n]\n"
            );
            let line = text.lines().position(|line| line == format!("  {{ {to} }},"));
            let read = Policy::parse(&text);
            if said.is_empty() {
                assert!(read.is_ok(), "{to}: {read:?}");
                continue;
            }
            let error = read.unwrap_err();
            assert!(error.message.contains(said), "{error}");
            let first = text.lines().position(|line| line.contains("{ upstream = \"azure\" }"));
            assert!(first < line);
            assert_eq!(error.line, line.map(|line| line + 1), "{error}");
        }
        let azure = "[[upstream]]\nname = \"azure\"\nplatform = \"azure\"\nbase_url = \"https://x\"\n\
             api_key_env = \"K\"\n[[fallback]]\nmodel = \"*\"\n";
        for to in ["{ model = \"m\" }", "{ upstream = \"azure\", model = \"m\" }"] {
            assert!(Policy::parse(&format!("{azure}to = [{to}]\n")).is_err(), "{to}");
        }
    }

    #[test]
    fn a_model_is_called_by_what_stands_for_it_and_never_by_a_name_for_another() {
        let policy = Policy::parse(UPSTREAMS).unwrap();
        let azure = policy.upstreams.iter().find(|one| one.name.as_str() == "azure").unwrap();
        for (model, called) in [
            ("gpt-4o", Some("first")),
            ("gpt-4.1-mini", Some("gpt-4o-mini")),
            ("gpt-4o-mini", None),
            ("x", Some("x")),
            ("o3", Some("o3")),
        ] {
            assert_eq!(azure.called(model), called, "{model}");
        }
    }
}
