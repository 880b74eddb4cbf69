//! What in the user's environment and files leads clients past the proxy.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use iron_policy::config::Policy;
use serde_json::Value;

use super::Check;
use crate::launch::plan::{BASE_URL_NAMES, covers, replaced_certificates};
use crate::launch::route::{Known, Route};

/// The user's environment, folder and working folder.
pub(super) struct Surroundings {
    pub(super) variable: fn(&str) -> Option<String>,
    pub(super) home: PathBuf,
    pub(super) folder: PathBuf,
}

impl Surroundings {
    pub(super) fn of_process() -> Self {
        Self {
            variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            home: std::env::home_dir().unwrap_or_default(),
            folder: std::env::current_dir().unwrap_or_default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }
}

pub(super) fn checks(policy: &Policy, address: SocketAddr, own: &Surroundings) -> Vec<Check> {
    let route = Route::to(policy, address, &Value::Null);
    let mut checks = variables(&route, own);
    checks.extend(files(&route, own));
    if checks.is_empty() {
        checks.push(Check::ok("environment", "nothing in it leads past the proxy"));
    }
    checks
}

fn variables(route: &Route, own: &Surroundings) -> Vec<Check> {
    let name = "environment";
    let mut checks = Vec::new();
    for variable in BASE_URL_NAMES {
        let Some(url) = own.get(variable) else { continue };
        if route.recognise(&url) == Known::No {
            let what = format!("{variable} is {url}, which is no upstream of the proxy");
            let next = format!("add it as an [[upstream]], or unset {variable}");
            checks.push(Check::warn(name, what, next));
        }
    }
    for variable in ["NO_PROXY", "no_proxy"] {
        let entries = own.get(variable).unwrap_or_default();
        let hidden: Vec<&str> = entries
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty() && covers(entry, route))
            .collect();
        if !hidden.is_empty() {
            let what =
                format!("{variable} keeps providers from every proxy: {}", hidden.join(", "));
            let next = "take it out; `iron run` leaves it out by itself";
            checks.push(Check::warn(name, what, next));
        }
    }
    for (variable, whose) in [
        ("CLAUDE_CODE_USE_BEDROCK", "Claude Code calls Amazon Bedrock"),
        ("CLAUDE_CODE_USE_VERTEX", "Claude Code calls Vertex AI"),
        ("GOOGLE_GENAI_USE_VERTEXAI", "Gemini CLI and google-genai call Vertex AI"),
        ("GOOGLE_GENAI_USE_GCA", "Gemini CLI logs in with Google, which takes no base URL"),
    ] {
        if own.get(variable).is_some_and(|value| !matches!(&*value, "0" | "false")) {
            let what = format!(
                "{variable} is set: {whose}, not what ANTHROPIC_BASE_URL and its like name"
            );
            let next = format!("unset {variable}, or reach it through the proxy by HTTPS_PROXY");
            checks.push(Check::warn(name, what, next));
        }
    }
    for variable in replaced_certificates() {
        if let Some(file) = own.get(variable) {
            let what = format!("{variable} is {file}");
            checks.push(if PathBuf::from(&file).is_file() {
                Check::ok(name, format!("{what}; `iron run` adds the local CA to it"))
            } else {
                Check::warn(name, format!("{what}, which is no file"), format!("unset {variable}"))
            });
        }
    }
    checks
}

/// Settings of clients that come before the environment. They are read as text where that does: a
/// finding is a hint, and what it says is what the file says.
fn files(route: &Route, own: &Surroundings) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut hint = |file: PathBuf, what: String, next: &str| {
        checks.push(Check::warn("clients", format!("{}: {what}", file.display()), next));
    };
    for file in [
        own.home.join(".claude/settings.json"),
        own.folder.join(".claude/settings.json"),
        own.folder.join(".claude/settings.local.json"),
    ] {
        let settings = json(&file);
        for variable in ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"]
        {
            if let Some(value) = settings["env"][variable].as_str()
                && route.recognise(value) == Known::No
            {
                let what =
                    format!("its env sets {variable} to {value}, before what the shell sets");
                hint(file.clone(), what, "take it out");
            }
        }
    }
    let codex = own.get("CODEX_HOME").map_or_else(|| own.home.join(".codex"), PathBuf::from);
    let file = codex.join("config.toml");
    let text = fs::read_to_string(&file).unwrap_or_default();
    for key in ["model_provider", "openai_base_url"] {
        if let Some(value) = assigned(&text, key) {
            let what = format!("{key} is {value}");
            hint(file.clone(), what, "`iron run -- codex` chooses its own provider before it");
        }
    }
    let file = own.home.join(".gemini/settings.json");
    if let Some(chosen) = json(&file)["security"]["auth"]["selectedType"].as_str()
        && chosen != "gemini-api-key"
    {
        let what = format!("it logs in by {chosen}, which takes no base URL");
        hint(file, what, "`iron run -- gemini` chooses the API key for the run");
    }
    for file in [own.home.join(".config/opencode/opencode.json"), own.folder.join("opencode.json")]
    {
        for (provider, options) in json(&file)["provider"].as_object().into_iter().flatten() {
            if let Some(url) = options["options"]["baseURL"].as_str()
                && route.recognise(url) == Known::No
            {
                let what = format!("provider {provider} has its baseURL at {url}");
                hint(file.clone(), what, "take it out, or add it as an [[upstream]]");
            }
        }
    }
    for file in [own.home.join(".aider.conf.yml"), own.folder.join(".aider.conf.yml")] {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if let Some(value) = assigned(&text, "openai-api-base") {
            hint(
                file,
                format!("openai-api-base is {value}, before the environment"),
                "take it out",
            );
        }
    }
    let file = own.folder.join(".env");
    let text = fs::read_to_string(&file).unwrap_or_default();
    for variable in BASE_URL_NAMES {
        if let Some(value) =
            assigned(&text, variable).filter(|url| route.recognise(url) == Known::No)
        {
            let what = format!("it sets {variable} to {value}, for programs that read it");
            hint(file.clone(), what, "take it out, or add it as an [[upstream]]");
        }
    }
    checks
}

fn json(file: &PathBuf) -> Value {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// What a line of a simple file gives a key: `key = "value"`, `key: value`, `KEY=value`.
fn assigned(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("export ");
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix(['=', ':'])?;
        Some(rest.trim().trim_matches(['"', '\'']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_past_the_proxy_is_found_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let (home, work) = (folder.path().join("home"), folder.path().join("work"));
        for path in [home.join(".claude"), home.join(".codex"), home.join(".gemini"), work.clone()]
        {
            fs::create_dir_all(path).unwrap();
        }
        let own = Surroundings { variable: |_| None, home: home.clone(), folder: work.clone() };
        let policy = Policy::parse("").unwrap();
        let find = || checks(&policy, "127.0.0.1:4141".parse().unwrap(), &own);
        assert_eq!(find().len(), 1);
        fs::write(
            home.join(".claude/settings.json"),
            r#"{"env":{"ANTHROPIC_BASE_URL":"https://x.example"}}"#,
        )
        .unwrap();
        fs::write(home.join(".codex/config.toml"), "model = \"x\"\nmodel_provider = \"azure\"\n")
            .unwrap();
        fs::write(
            home.join(".gemini/settings.json"),
            r#"{"security":{"auth":{"selectedType":"oauth-personal"}}}"#,
        )
        .unwrap();
        fs::write(
            work.join("opencode.json"),
            r#"{"provider":{"openai":{"options":{"baseURL":"http://127.0.0.1:4141/v1"}}}}"#,
        )
        .unwrap();
        fs::write(work.join(".env"), "export OPENAI_BASE_URL='https://y.example/v1'\n").unwrap();
        let found: Vec<_> = find().into_iter().map(|check| check.what).collect();
        let all = found.join("\n");
        for part in ["https://x.example", "azure", "oauth-personal", "https://y.example/v1"] {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert_eq!(found.len(), 4, "{all}");
    }

    #[test]
    fn what_leads_past_the_proxy_is_found_in_variables() {
        let variable = |name: &str| {
            let value = match name {
                "OPENAI_BASE_URL" => "https://api.deepseek.com",
                "ANTHROPIC_BASE_URL" => "http://127.0.0.1:4141",
                "NO_PROXY" => "corp.example,.openai.com",
                "CLAUDE_CODE_USE_BEDROCK" => "1",
                "SSL_CERT_FILE" => "/nonexistent.pem",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let own =
            Surroundings { variable, home: "/nonexistent".into(), folder: "/nonexistent".into() };
        let policy = Policy::parse("").unwrap();
        let found = checks(&policy, "127.0.0.1:4141".parse().unwrap(), &own);
        let told: Vec<_> = found.iter().map(|check| check.what.as_str()).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[1].ends_with(": .openai.com"), "{told:?}");
    }
}
