//! Which variables an agent is given.
//!
//! It begins with none. What profiles name, what the run set for its client and what flags name is
//! added; what makes programs load foreign code, and providers' keys, only by a flag with their name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// What there is to choose from, and what chooses.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// The launcher's own variables.
    pub own: &'a [(OsString, OsString)],
    /// Names that profiles hand on; a `*` at the end stands for any rest.
    pub allowed: &'a [String],
    /// What profiles set.
    pub set: &'a [(String, OsString)],
    /// Names that `iron run` set for this client.
    pub of_run: &'a [String],
    /// Whether providers can be reached at all: without that nobody misses a key.
    pub proxied: bool,
    /// What flags hand on, or set.
    pub flags: &'a [(String, Option<String>)],
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// All variables, sorted by their names.
    pub variables: Vec<(OsString, OsString)>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Variables that make a program load or run what they name, by their beginning.
const LOADING_PREFIXES: [&str; 5] =
    ["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "npm_config_node_opt"];

/// Variables that make a program load or run what they name.
const LOADING: [&str; 38] = [
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PS4",
    "SHELLOPTS",
    "BASHOPTS",
    "ZDOTDIR",
    "FPATH",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONUSERBASE",
    "PYTHONBREAKPOINT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "PERL5OPT",
    "PERL5LIB",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "LOCPATH",
    "OPENSSL_CONF",
    "RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
];

/// Variables in which the keys of providers stand.
const KEYS: [&str; 32] = [
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "OPENROUTER_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "COHERE_API_KEY",
    "CO_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
    "PERPLEXITY_API_KEY",
    "HF_TOKEN",
    "HUGGINGFACE_API_KEY",
    "REPLICATE_API_TOKEN",
    "CEREBRAS_API_KEY",
    "NVIDIA_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "IRON_PROXY_TOKEN",
    "IRON_STATE",
    "GITHUB_TOKEN",
    "GH_TOKEN",
];

/// Keys without which a client does not start, the variable that stands for their provider's address,
/// and what may stand in their place.
const NEEDED: [(&str, &str, &[&str]); 3] = [
    ("OPENAI_API_KEY", "OPENAI_BASE_URL", &["OPENAI_API_KEY", "CODEX_API_KEY"]),
    ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]),
    ("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", &["GEMINI_API_KEY", "GOOGLE_API_KEY"]),
];

/// How the keys of providers and forges begin.
const LOOKS: [&str; 20] = [
    "sk-",
    "sk_live_",
    "rk_live_",
    "AIza",
    "xai-",
    "gsk_",
    "hf_",
    "r8_",
    "pplx-",
    "fw_",
    "nvapi-",
    "csk-",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
];

/// Whether a variable makes programs load what it names.
pub fn loads(name: &str) -> bool {
    LOADING.contains(&name) || LOADING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a variable is where a key stands, by its name.
pub fn is_key(name: &str) -> bool {
    KEYS.contains(&name)
}

/// Whether a value looks like a provider's key. Agents' own tokens begin with `iron_` and do not.
pub fn looks_like_key(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    // Shorter ones are words.
    value.len() >= 16
        && value.iter().all(u8::is_ascii_graphic)
        && LOOKS.iter().any(|beginning| value.starts_with(beginning.as_bytes()))
}

/// Whether a value stands in a key's place: the proxy's placeholder, or an agent's own token.
fn is_stand_in(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    value == b"held-by-iron-cage" || value.starts_with(b"iron_")
}

/// Chooses.
pub fn choose(choice: &Choice<'_>) -> Chosen {
    let mut chosen = BTreeMap::<OsString, OsString>::new();
    let mut notes = Vec::new();
    let mut kept_out = Vec::new();
    for (name, value) in choice.own {
        let Some(text) = name.to_str() else { continue };
        // What `iron run` set are placeholders and addresses of the proxy, also where a key's name is
        // theirs; a key that the user set is not among them.
        let of_run = choice.of_run.iter().any(|set| set == text) && !is_ours(text);
        let allowed = choice.allowed.iter().any(|pattern| matches(pattern, text));
        let key = looks_like_key(value) || (is_key(text) && !of_run && !is_stand_in(value));
        if key && !value.is_empty() {
            kept_out.push(text);
        } else if of_run || (allowed && !loads(text)) {
            chosen.insert(name.clone(), value.clone());
        }
    }
    for (name, value) in choice.set {
        // What the run set for its client says where the proxy is, and comes first.
        if !choice.of_run.contains(name) {
            chosen.insert(name.into(), value.into());
        }
    }
    for (name, value) in choice.flags {
        let value = match value {
            Some(value) => Some(OsString::from(value)),
            None => choice
                .own
                .iter()
                .find(|(own, _)| own == name.as_str())
                .map(|(_, value)| value.clone()),
        };
        let Some(value) = value else {
            notes.push(format!("--env {name}: it is not set here, so it is not handed on"));
            continue;
        };
        kept_out.retain(|kept| kept != name);
        if (is_key(name) && !is_stand_in(&value)) || looks_like_key(&value) {
            notes.push(format!(
                "--env {name}: the agent can read this key, and use it past its budget"
            ));
        } else if loads(name) {
            notes.push(format!("--env {name}: programs in the sandbox load what it names"));
        }
        chosen.insert(name.into(), value);
    }
    if choice.proxied {
        notes.extend(missing_keys(&kept_out, &chosen));
    }
    Chosen { variables: chosen.into_iter().collect(), notes }
}

/// What a sandbox is told of its run, but not where the proxy keeps its state.
fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "IRON_STATE" | "IRON_CONFIG" | "IRON_RUN_VARIABLES" | "IRON_RUN_READ" | "IRON_RUN_WRITE"
    )
}

/// Notes for keys that were kept out and in whose place nothing stands.
fn missing_keys(kept_out: &[&str], chosen: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let has = |name: &str| chosen.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
    NEEDED
        .into_iter()
        .filter(|(_, _, places)| {
            places.iter().any(|place| kept_out.contains(place)) && !places.iter().any(|place| has(place))
        })
        .map(|(key, _, places)| {
            let name = places.iter().find(|place| kept_out.contains(place)).unwrap_or(&key);
            format!(
                "{name} is kept out of the sandbox, and nothing stands in its place: give the key to the \
                 proxy (api_key_env or a secret of its [[upstream]]), or, so that the agent can read it, \
                 add --env {name}"
            )
        })
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn shown(chosen: &Chosen) -> Vec<String> {
        let line = |(name, value): &(OsString, OsString)| {
            format!("{}={}", name.to_string_lossy(), value.to_string_lossy())
        };
        chosen.variables.iter().map(line).collect()
    }

    const KEY: &str = "sk-proj-0123456789abcdef";

    #[test]
    fn nothing_is_handed_on_that_nobody_named() {
        let own = own(&[
            ("PATH", "/usr/bin"),
            ("LC_ALL", "C"),
            ("SECRET", "x"),
            ("LD_PRELOAD", "/x.so"),
            ("NODE_OPTIONS", "--require x"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:4141/v1"),
            ("OPENAI_API_KEY", "held-by-iron-cage"),
            ("IRON_STATE", "/state"),
            ("IRON_RUN_ID", "run-1"),
        ]);
        let chosen = choose(&Choice {
            own: &own,
            // Also where a profile names what is never handed on.
            allowed: &names(&["PATH", "LC_*", "IRON_RUN_ID", "IRON_STATE", "LD_*", "NODE_OPTIONS"]),
            set: &[("TMPDIR".to_owned(), "/tmp".into())],
            of_run: &names(&["OPENAI_BASE_URL", "OPENAI_API_KEY", "IRON_STATE"]),
            proxied: true,
            flags: &[],
        });
        assert_eq!(
            shown(&chosen),
            [
                "IRON_RUN_ID=run-1",
                "LC_ALL=C",
                "OPENAI_API_KEY=held-by-iron-cage",
                "OPENAI_BASE_URL=http://127.0.0.1:4141/v1",
                "PATH=/usr/bin",
                "TMPDIR=/tmp"
            ]
        );
        assert!(chosen.notes.is_empty(), "{:?}", chosen.notes);
    }

    #[test]
    fn a_key_is_kept_out_whatever_its_variable_is_called() {
        let own = own(&[
            ("OPENAI_API_KEY", KEY),
            ("LANG", KEY),
            ("MY", KEY),
            ("TOKEN", "iron_0123456789abcdef"),
        ]);
        let choice = Choice {
            own: &own,
            allowed: &names(&["LANG", "MY", "TOKEN", "OPENAI_API_KEY"]),
            set: &[],
            of_run: &[],
            proxied: true,
            flags: &[],
        };
        let chosen = choose(&choice);
        assert_eq!(shown(&chosen), ["TOKEN=iron_0123456789abcdef"]);
        assert_eq!(chosen.notes.len(), 1);
        assert!(chosen.notes[0].starts_with("OPENAI_API_KEY is kept out"), "{:?}", chosen.notes);

        assert!(choose(&Choice { proxied: false, ..choice }).notes.is_empty());

        let flags = [("OPENAI_API_KEY".to_owned(), None), ("NONE".to_owned(), None)];
        let chosen = choose(&Choice { flags: &flags, ..choice });
        assert!(shown(&chosen).contains(&format!("OPENAI_API_KEY={KEY}")));
        assert_eq!(
            chosen.notes,
            [
                "--env OPENAI_API_KEY: the agent can read this key, and use it past its budget",
                "--env NONE: it is not set here, so it is not handed on"
            ]
        );
    }

    #[test]
    fn a_placeholder_stands_for_a_key_that_was_kept_out() {
        let own = own(&[("ANTHROPIC_API_KEY", KEY), ("ANTHROPIC_AUTH_TOKEN", "held-by-iron-cage")]);
        let chosen = choose(&Choice {
            own: &own,
            allowed: &[],
            set: &[],
            of_run: &names(&["ANTHROPIC_AUTH_TOKEN"]),
            proxied: true,
            flags: &[],
        });
        assert_eq!(shown(&chosen), ["ANTHROPIC_AUTH_TOKEN=held-by-iron-cage"]);
        assert!(chosen.notes.is_empty(), "{:?}", chosen.notes);
    }
}
