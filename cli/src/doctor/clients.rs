//! Which clients are installed, in which version, and what each does not obey.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::Check;
use super::here::Surroundings;

/// A program that does not say its version within this time is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first Node that obeys `HTTPS_PROXY`, with `NODE_USE_ENV_PROXY`.
const NODE_WITH_PROXY: u32 = 24;

/// Prints the versions of the SDKs that a Python has.
const PYTHON: &str = "import importlib.metadata as m
for n in ('openai','anthropic','google-genai','litellm'):
    try: print(n, m.version(n))
    except Exception: pass";

/// The command line clients, and what is to be known of each.
const CLIENTS: [(&str, &str); 5] = [
    ("claude", "by ANTHROPIC_BASE_URL"),
    ("codex", "by -c model_providers, which `iron run` adds: it does not read OPENAI_BASE_URL"),
    ("gemini", "by GOOGLE_GEMINI_BASE_URL and an API key; a login with Google goes past it"),
    ("opencode", "by provider.X.options.baseURL, which `iron run` gives it"),
    ("aider", "by OPENAI_API_BASE and ANTHROPIC_API_BASE"),
];

pub(super) async fn checks(own: &Surroundings) -> Vec<Check> {
    let path = own.get("PATH").unwrap_or_default();
    let ask = |name: &str, arguments: &'static [&'static str]| {
        find(name, &path).map(|file| tokio::spawn(said(file, arguments)))
    };
    // All at once: some take a second to say it.
    let clients = CLIENTS.map(|(name, how)| (name, how, ask(name, &["--version"])));
    let node = ask("node", &["--version"]);
    let python = ask("python3", &["-c", PYTHON]);
    let mut checks = Vec::new();
    for (name, how, asked) in clients {
        let Some(asked) = asked else { continue };
        checks.push(match asked.await.ok().flatten() {
            Some(version) => {
                let version = version.lines().next().unwrap_or_default().to_owned();
                Check::ok("client", format!("{name} {version}: {how}"))
            }
            None => Check::warn(
                "client",
                format!("{name} does not say its version"),
                format!("see whether `{name} --version` works"),
            ),
        });
    }
    if let Some(version) = answer(node).await {
        checks.push(node_check(version.trim(), &own.folder));
    }
    let packages = answer(python).await.unwrap_or_default();
    let packages: Vec<&str> = packages.lines().collect();
    if !packages.is_empty() {
        let packages = packages.join(", ");
        let what = format!("python3 has {packages}: by their base URLs, and by HTTPS_PROXY");
        checks.push(Check::ok("client", what));
    }
    checks
}

async fn answer(asked: Option<JoinHandle<Option<String>>>) -> Option<String> {
    asked?.await.ok().flatten()
}

/// Node and the SDKs in the working folder.
fn node_check(version: &str, folder: &Path) -> Check {
    let sdks: Vec<String> = ["openai", "@anthropic-ai/sdk", "@google/genai", "ai"]
        .iter()
        .filter_map(|name| {
            let file = folder.join("node_modules").join(name).join("package.json");
            let package: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
            Some(format!("{name} {}", package["version"].as_str()?))
        })
        .collect();
    let with = if sdks.is_empty() { String::new() } else { format!(" with {}", sdks.join(", ")) };
    let what = format!("node {version}{with}");
    let major =
        version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    if major.is_some_and(|major| major < NODE_WITH_PROXY) {
        let what = format!("{what}: npm's SDKs ignore HTTPS_PROXY here");
        return Check::warn("client", what, "rely on base URLs, or use Node 24 or later");
    }
    Check::ok("client", format!("{what}: by base URLs, and by HTTPS_PROXY"))
}

/// The first file of this name that can be executed.
fn find(name: &str, path: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| {
        fs::metadata(file)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

/// What a program prints, if it ends well and in time.
async fn said(file: PathBuf, arguments: &[&str]) -> Option<String> {
    let output = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_node_that_ignores_the_proxy_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let sdk = folder.path().join("node_modules/openai");
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join("package.json"), r#"{"version":"6.1.0"}"#).unwrap();
        let old = node_check("v20.20.2", folder.path());
        assert_eq!(old.level, Level::Warn);
        assert!(old.what.contains("openai 6.1.0"), "{}", old.what);
        assert_eq!(node_check("v24.1.0", folder.path()).level, Level::Ok);
    }
}
