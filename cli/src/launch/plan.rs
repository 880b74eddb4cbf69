//! What a client is given so that its calls come by the proxy: variables, and words on its command.
//!
//! Which client obeys what was measured; `docs/running.md` lists it. Variables that belong to no
//! client in particular are given to every program, since one program starts another.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use iron_policy::types::Dialect;

use super::client::Client;
use super::route::{Known, Route};
use super::settings::{self, GeminiHome};

/// One variable, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// What it is set to.
    pub value: String,
    /// What it does, for people.
    pub why: &'static str,
}

/// Everything that a program is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Variables, in the order of their importance.
    pub settings: Vec<Setting>,
    /// Variables of the user's that would say something else.
    pub unset: Vec<&'static str>,
    /// Words that come right after the program's own name.
    pub arguments: Vec<String>,
    /// What the user should know: what goes past the proxy, and how to mend it.
    pub notes: Vec<String>,
    /// What was made for Gemini CLI.
    pub gemini_home: Option<GeminiHome>,
    /// Files that variables name, which the program has to read.
    pub reads: BTreeSet<PathBuf>,
}

/// By which ways a program is brought to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// By base URLs and as an HTTP proxy.
    Both,
    /// By base URLs alone.
    BaseUrl,
    /// As an HTTP proxy alone.
    Proxy,
}

/// What the user's environment holds.
pub struct Own<'a> {
    /// Looks up a variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The user's folder.
    pub home: Option<PathBuf>,
}

/// Stands where a key is expected by a client and held by the proxy.
pub const PLACEHOLDER: &str = "held-by-iron-cage";

/// Variables that hold a provider's key, of those that a client may have its own in.
pub const KEYS: [&str; 7] = [
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
];

/// Variables that take a base URL: the dialect, and what follows the proxy's address.
const BASE_URLS: [(&str, Dialect, &str, &str); 5] = [
    ("OPENAI_BASE_URL", Dialect::OpenAi, "/v1", "the OpenAI SDKs, and what is built on them"),
    ("OPENAI_API_BASE", Dialect::OpenAi, "/v1", "aider, LiteLLM, LlamaIndex, LangChain"),
    ("ANTHROPIC_BASE_URL", Dialect::Anthropic, "", "Claude Code, the Anthropic SDKs"),
    ("ANTHROPIC_API_BASE", Dialect::Anthropic, "", "aider, LiteLLM"),
    ("GOOGLE_GEMINI_BASE_URL", Dialect::Gemini, "", "Gemini CLI, google-genai"),
];

/// Variables with certificates that come to the system's own.
const ADDING: [(&str, &str); 2] = [
    ("NODE_EXTRA_CA_CERTS", "Node: the local CA, besides those it has"),
    ("DENO_CERT", "Deno: the local CA, besides those it has"),
];

/// Variables with certificates that stand for the system's own.
const REPLACING: [(&str, &str); 8] = [
    ("SSL_CERT_FILE", "OpenSSL, rustls, httpx: the system's roots and the local CA"),
    ("REQUESTS_CA_BUNDLE", "requests: the same"),
    ("CURL_CA_BUNDLE", "curl: the same"),
    ("CODEX_CA_CERTIFICATE", "Codex: the same"),
    ("GIT_SSL_CAINFO", "git: the same"),
    ("PIP_CERT", "pip: the same"),
    ("AWS_CA_BUNDLE", "AWS CLI and SDKs: the same"),
    ("CARGO_HTTP_CAINFO", "cargo: the same"),
];

/// The variables that take a base URL.
pub const BASE_URL_NAMES: [&str; 5] =
    [BASE_URLS[0].0, BASE_URLS[1].0, BASE_URLS[2].0, BASE_URLS[3].0, BASE_URLS[4].0];

/// The variables that name certificates.
pub fn replaced_certificates() -> impl Iterator<Item = &'static str> {
    ADDING.iter().chain(&REPLACING).map(|(name, _)| *name)
}

/// Hosts that no program reaches by a proxy.
const LOCAL: &str = "localhost,127.0.0.1,::1";

impl Plan {
    /// What a client is given. `arguments` are its own; files that it needs are made in `folder`.
    pub fn of(
        route: &Route,
        client: Option<Client>,
        arguments: &[OsString],
        ways: Ways,
        own: &Own<'_>,
        folder: &Path,
    ) -> io::Result<Self> {
        let mut plan = Self::default();
        if ways == Ways::Proxy {
            plan.unset = own_base_urls(route, own);
        } else {
            plan.base_urls(route, own);
        }
        plan.keys(route, client, own);
        match client {
            Some(Client::Codex) if ways != Ways::Proxy => plan.codex(route, arguments, own),
            Some(Client::Gemini) if ways != Ways::Proxy => plan.gemini(own, folder)?,
            Some(Client::Opencode) if ways != Ways::Proxy => {
                let config = (own.variable)("OPENCODE_CONFIG_CONTENT");
                let config = settings::opencode(route, config.as_deref());
                plan.set(
                    "OPENCODE_CONFIG_CONTENT",
                    config,
                    "opencode: a base URL for each provider",
                );
            }
            _ => {}
        }
        if ways == Ways::BaseUrl {
            plan.notes.extend(route.secrets.iter().map(|(name, _)| {
                format!(
                    "{name} holds a placeholder, whose value the proxy puts in only on what comes by \
                     HTTPS_PROXY: leave out --base-url-only where it is needed"
                )
            }));
        } else {
            plan.proxies(route, own, folder)?;
        }
        Ok(plan)
    }

    fn set(&mut self, name: &str, value: String, why: &'static str) {
        self.settings.push(Setting { name: name.to_owned(), value, why });
    }

    /// Whether a variable is set by this plan.
    pub fn sets(&self, name: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == name)
    }

    fn base_urls(&mut self, route: &Route, own: &Own<'_>) {
        let base = route.base();
        for (name, dialect, version, why) in BASE_URLS {
            let set = (own.variable)(name).filter(|value| !value.is_empty());
            let upstream = match set.as_deref().map(|url| (url, route.recognise(url))) {
                Some((_, Known::Upstream(upstream))) => format!("/{upstream}"),
                Some((url, Known::No)) => {
                    self.notes.push(format!(
                        "{name} is {url}, which is no [[upstream]] of the proxy: calls there go past \
                         it. Add it to iron.toml, or unset {name}"
                    ));
                    continue;
                }
                _ if route.default_upstream(dialect).is_none() => continue,
                _ => String::new(),
            };
            self.set(name, format!("{base}{upstream}{version}"), why);
        }
    }

    /// A client that is given no key does not start, although the proxy has one.
    fn keys(&mut self, route: &Route, client: Option<Client>, own: &Own<'_>) {
        let has = |name: &&str| (own.variable)(name).is_some_and(|key| !key.is_empty());
        // Claude Code asks before it uses an ANTHROPIC_API_KEY, and never about the other.
        let anthropic = if client == Some(Client::Claude) {
            "ANTHROPIC_AUTH_TOKEN"
        } else {
            "ANTHROPIC_API_KEY"
        };
        for (dialect, name, others) in [
            (Dialect::OpenAi, "OPENAI_API_KEY", ["OPENAI_API_KEY", "CODEX_API_KEY"]),
            (Dialect::Anthropic, anthropic, ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]),
            (Dialect::Gemini, "GEMINI_API_KEY", ["GEMINI_API_KEY", "GOOGLE_API_KEY"]),
        ] {
            let held = route.default_upstream(dialect).is_some_and(|upstream| upstream.own_key);
            let login = client == Some(Client::Claude)
                && dialect == Dialect::Anthropic
                && has_login(Client::Claude, own);
            if held && !login && !others.iter().any(has) {
                self.set(name, PLACEHOLDER.to_owned(), "no key: the proxy puts its own in");
            }
        }
        for (name, placeholder) in &route.secrets {
            self.set(name, placeholder.clone(), "a placeholder: the proxy puts the value in");
        }
    }

    /// Gemini CLI takes a base URL only where its settings choose the API key.
    fn gemini(&mut self, own: &Own<'_>, folder: &Path) -> io::Result<()> {
        let home =
            (own.variable)("GEMINI_CLI_HOME").map(PathBuf::from).or_else(|| own.home.clone());
        let made = home.map(|home| GeminiHome::make(folder, &home)).transpose()?.flatten();
        if let Some(made) = made {
            self.set(
                "GEMINI_CLI_HOME",
                made.home.display().to_string(),
                "Gemini CLI: your own folder, with the API key chosen as the way to log in",
            );
            self.gemini_home = Some(made);
        }
        Ok(())
    }

    /// Codex takes a provider from its command line; a base URL in a variable it no longer reads.
    fn codex(&mut self, route: &Route, arguments: &[OsString], own: &Own<'_>) {
        if let Some(chosen) = chosen_provider(arguments) {
            self.notes.push(format!(
                "`{chosen}` chooses Codex's provider: its calls go where that says, and past the \
                 proxy unless that is the proxy"
            ));
            return;
        }
        if route.default_upstream(Dialect::OpenAi).is_none() {
            self.notes.push("no upstream speaks openai, which is all that Codex speaks".to_owned());
            return;
        }
        let has = |name: &str| (own.variable)(name).is_some_and(|key| !key.is_empty());
        let key = if self.sets("OPENAI_API_KEY") || has("OPENAI_API_KEY") {
            "model_providers.iron.env_key=\"OPENAI_API_KEY\""
        } else if has("CODEX_API_KEY") {
            "model_providers.iron.env_key=\"CODEX_API_KEY\""
        } else {
            // What `codex login` stored.
            "model_providers.iron.requires_openai_auth=true"
        };
        for setting in [
            "model_provider=\"iron\"".to_owned(),
            "model_providers.iron.name=\"Iron Cage\"".to_owned(),
            format!("model_providers.iron.base_url=\"{}/v1\"", route.base()),
            "model_providers.iron.wire_api=\"responses\"".to_owned(),
            key.to_owned(),
        ] {
            self.arguments.extend(["-c".to_owned(), setting]);
        }
    }

    /// What makes a program speak through the proxy to every host, and trust its certificates.
    fn proxies(&mut self, route: &Route, own: &Own<'_>, folder: &Path) -> io::Result<()> {
        let Some(ca) = &route.ca else { return Ok(()) };
        let proxy = route.proxy_with_credentials();
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            self.set(name, proxy.clone(), "every other host is reached through the proxy");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            let kept = (own.variable)(name).unwrap_or_default();
            let kept = kept.split(',').map(str::trim).filter(|entry| {
                !entry.is_empty()
                    && !LOCAL.split(',').any(|local| local == *entry)
                    && !covers(entry, route)
            });
            let all: Vec<&str> = LOCAL.split(',').chain(kept).collect();
            self.set(name, all.join(","), "but what is on this machine");
        }
        self.set("NODE_USE_ENV_PROXY", "1".to_owned(), "Node 24 and later: obey HTTPS_PROXY");
        let adding = ADDING.iter().map(|(name, why)| (*name, *why, &ca.certificate));
        let replacing = REPLACING.iter().map(|(name, why)| (*name, *why, &ca.bundle));
        for (name, why, file) in adding.chain(replacing) {
            let own = (own.variable)(name).filter(|own| !own.is_empty()).map(PathBuf::from);
            let value = match own {
                // Certificates of the user's own, such as an employer's, stay trusted.
                Some(own) if own != *file && own.is_file() => {
                    let mut both = fs::read(own)?;
                    both.push(b'\n');
                    both.extend(fs::read(&ca.certificate)?);
                    let file = folder.join(format!("{}.pem", name.to_ascii_lowercase()));
                    fs::write(&file, both)?;
                    file
                }
                _ => file.clone(),
            };
            self.set(name, value.display().to_string(), why);
            self.reads.insert(value);
        }
        Ok(())
    }
}

/// Base URLs in the user's shell that lead to the proxy as somebody else, not as this run.
fn own_base_urls(route: &Route, own: &Own<'_>) -> Vec<&'static str> {
    let to_proxy = |name: &&str| {
        let url = (own.variable)(name).unwrap_or_default();
        route.leads_here(&url)
    };
    BASE_URL_NAMES.into_iter().filter(to_proxy).collect()
}

/// Whether an entry of `NO_PROXY` keeps an upstream's host from the proxy.
pub fn covers(entry: &str, route: &Route) -> bool {
    let entry = entry.trim_start_matches(['*', '.']).to_ascii_lowercase();
    entry.is_empty()
        || route.upstreams.iter().any(|upstream| {
            upstream
                .host
                .strip_suffix(&entry)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
}

/// The argument by which a user chooses Codex's provider himself.
fn chosen_provider(arguments: &[OsString]) -> Option<String> {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let chooses = |setting: &str| {
        setting.starts_with("model_provider=") || setting.starts_with("model_providers.iron")
    };
    for (at, word) in words.iter().enumerate() {
        if *word == "--" {
            return None;
        }
        if *word == "--oss" || word.starts_with("--local-provider") {
            return Some(word.to_string());
        }
        let joined = ["--config=", "-c="].iter().find_map(|option| word.strip_prefix(option));
        let joined = joined.or_else(|| word.strip_prefix("-c").filter(|rest| !rest.is_empty()));
        let next = matches!(&**word, "-c" | "--config").then(|| words.get(at + 1)).flatten();
        if let Some(setting) =
            joined.or(next.map(|next| &**next)).filter(|setting| chooses(setting))
        {
            return Some(format!("-c {setting}"));
        }
    }
    None
}

/// Whether a client has a login of its own, so that it needs no key from anybody.
pub fn has_login(client: Client, own: &Own<'_>) -> bool {
    let Some(home) = &own.home else { return false };
    let folder = |variable: &str, name: &str| {
        (own.variable)(variable).map_or_else(|| home.join(name), PathBuf::from)
    };
    match client {
        Client::Claude => {
            let settings = fs::read_to_string(home.join(".claude.json")).unwrap_or_default();
            folder("CLAUDE_CONFIG_DIR", ".claude").join(".credentials.json").exists()
                || settings.contains("\"oauthAccount\"")
        }
        Client::Codex => folder("CODEX_HOME", ".codex").join("auth.json").exists(),
        Client::Gemini => home.join(".gemini/oauth_creds.json").exists(),
        Client::Opencode => {
            folder("XDG_DATA_HOME", ".local/share").join("opencode/auth.json").exists()
        }
        Client::Aider | Client::Python | Client::Node => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::route::tests::route;

    fn plan(client: Client, arguments: &str, own: &[(&str, &str)]) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
        let variable = |name: &str| {
            own.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        };
        let own = Own { variable: &variable, home: None };
        Plan::of(&route(), Some(client), &arguments, Ways::BaseUrl, &own, folder.path()).unwrap()
    }

    fn value<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
        plan.settings.iter().find(|setting| setting.name == name).map(|setting| &*setting.value)
    }

    #[test]
    fn codex_gets_a_provider_on_its_command_unless_the_user_chose_one() {
        let given = plan(Client::Codex, "exec hi", &[]);
        assert!(given.arguments.contains(&"model_provider=\"iron\"".to_owned()), "{given:?}");
        assert!(given.arguments.iter().any(|word| word.contains("/run/run-1/v1")), "{given:?}");
        assert!(given.arguments.iter().any(|word| word.contains("OPENAI_API_KEY")), "{given:?}");
        for own in [
            "-c model_provider=azure exec hi",
            "-cmodel_provider=azure",
            "exec --config model_provider=azure hi",
            "--config=model_provider=azure",
            "--oss",
        ] {
            let given = plan(Client::Codex, own, &[]);
            assert!(given.arguments.is_empty(), "{own}");
            assert_eq!(given.notes.len(), 1, "{own}");
        }
        // What stands behind `--` is a prompt.
        assert_eq!(plan(Client::Codex, "exec -- --oss", &[]).notes, Vec::<String>::new());
        assert_eq!(plan(Client::Codex, "-c model=\"x\"", &[]).notes, Vec::<String>::new());
    }

    #[test]
    fn only_a_key_that_the_proxy_holds_is_stood_in_for() {
        // The proxy of these tests has a key for OpenAI alone.
        let given = plan(Client::Python, "", &[]);
        assert_eq!(value(&given, "OPENAI_API_KEY"), Some(PLACEHOLDER));
        assert_eq!(value(&given, "ANTHROPIC_API_KEY"), None);
        let given = plan(Client::Python, "", &[("OPENAI_API_KEY", "sk-own")]);
        assert_eq!(value(&given, "OPENAI_API_KEY"), None);
    }

    #[test]
    fn a_base_url_of_the_users_keeps_its_upstream_and_an_unknown_one_is_told() {
        let given =
            plan(Client::Python, "", &[("OPENAI_BASE_URL", "https://api.groq.com/openai/v1")]);
        assert_eq!(
            value(&given, "OPENAI_BASE_URL"),
            Some("http://127.0.0.1:4141/agent/claude/run/run-1/groq/v1")
        );
        let given = plan(Client::Python, "", &[("OPENAI_BASE_URL", "https://api.deepseek.com")]);
        assert_eq!(value(&given, "OPENAI_BASE_URL"), None);
        assert!(given.notes[0].contains("api.deepseek.com"), "{given:?}");
    }

    #[test]
    fn a_base_url_that_is_the_proxys_does_not_lead_around_the_run() {
        let variable = |name: &str| match name {
            "OPENAI_BASE_URL" => Some("http://localhost:4141/v1".to_owned()),
            "ANTHROPIC_BASE_URL" => Some("https://api.anthropic.com".to_owned()),
            _ => None,
        };
        let own = Own { variable: &variable, home: None };
        assert_eq!(own_base_urls(&route(), &own), ["OPENAI_BASE_URL"]);
    }

    #[test]
    fn no_proxy_loses_what_would_hide_a_provider() {
        let route = route();
        for entry in ["*", "openai.com", ".openai.com", "*.googleapis.com", "api.anthropic.com"] {
            assert!(covers(entry, &route), "{entry}");
        }
        for entry in ["corp.example", "enai.com", "10.0.0.0/8"] {
            assert!(!covers(entry, &route), "{entry}");
        }
    }
}
