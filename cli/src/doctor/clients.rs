//! Which clients are installed, in which version, and what each does not obey.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

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

pub(super) fn checks(own: &Surroundings) -> Vec<Check> {
    let path = own.get("PATH").unwrap_or_default();
    let asked: Vec<_> = CLIENTS
        .iter()
        .filter_map(|(name, how)| Some((*name, *how, find(name, &path)?)))
        .map(|(name, how, file)| (name, how, thread::spawn(move || said(&file, &["--version"]))))
        .collect();
    let node = find("node", &path).map(|file| thread::spawn(move || said(&file, &["--version"])));
    let python =
        find("python3", &path).map(|file| thread::spawn(move || said(&file, &["-c", PYTHON])));
    let mut checks: Vec<Check> = asked
        .into_iter()
        .map(|(name, how, asked)| match asked.join().ok().flatten() {
            Some(version) => {
                let version = version.lines().next().unwrap_or_default().to_owned();
                Check::ok("client", format!("{name} {version}: {how}"))
            }
            None => Check::warn(
                "client",
                format!("{name} does not say its version"),
                format!("see whether `{name} --version` works"),
            ),
        })
        .collect();
    let version = node.and_then(|asked| asked.join().ok().flatten());
    checks.extend(version.map(|version| node_check(version.trim(), &own.folder)));
    let packages = python.and_then(|asked| asked.join().ok().flatten());
    let packages: Vec<_> =
        packages.iter().flat_map(|said| said.lines()).map(str::to_owned).collect();
    if !packages.is_empty() {
        let what =
            format!("python3 has {}: by their base URLs, and by HTTPS_PROXY", packages.join(", "));
        checks.push(Check::ok("client", what));
    }
    checks
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
fn said(file: &Path, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let until = Instant::now() + PATIENCE;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            _ => {
                // It may have ended meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    let mut text = String::new();
    child.stdout.take()?.take(4096).read_to_string(&mut text).ok()?;
    ended.then_some(text)
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
