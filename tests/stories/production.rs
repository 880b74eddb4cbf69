//! A panel on a server and a proxy beside an agent, as an operator sets them up: the binary's own
//! commands, PostgreSQL, TLS, and the official SDKs with nothing but a token.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use iron_cli::simulator::Simulator;
use iron_panel::testing::{cluster, new_database};
use iron_tests::tls::{Issuer, Leaf};
use iron_tests::{binary, python};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command as AsyncCommand;

/// The provider's key, which only panel and proxy may have.
const PROVIDER_KEY: &str = "sk-provider-canary-0123456789abcdef";

/// A process of ours; killed when dropped.
struct Running(Child, BufReader<ChildStdout>);

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self(child, lines)
    }

    /// The next line that holds this.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended without {text:?}");
            if line.contains(text) {
                return line.trim().to_owned();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An operator's home, in which everything happens.
struct Home(TempDir);

impl Home {
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        path
    }

    fn command(&self) -> Command {
        let mut command = binary::command();
        command.env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    /// Runs a command of ours with this on its standard input; what it prints.
    fn iron(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.iron(&[arguments, &["--output", "json"]].concat(), "")).unwrap()
    }
}

/// Runs the SDKs with a token as their key.
async fn sdks(python: &Path, proxy: &str, token: &str, story: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/agent_story.py");
    let output = AsyncCommand::new(python)
        .arg(script)
        .arg(story)
        .env("OPENAI_BASE_URL", format!("{proxy}/v1"))
        .env("OPENAI_API_KEY", token)
        .env("ANTHROPIC_BASE_URL", proxy)
        .env("ANTHROPIC_API_KEY", token)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all steps passed"), "{said}");
}

/// Waits for something that must come to pass within a time.
async fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

/// What an operator sets up: a panel on PostgreSQL, over TLS, and a proxy beside the agent, which has no
/// key in its environment or its file. Returns both, where the panel is, and where agents reach the proxy.
async fn set_up(home: &Home, provider: &Simulator) -> (Running, Running, String, String) {
    let database = new_database(&cluster()).await;

    // The panel, with a certificate of an authority of the house.
    let issuer = Issuer::default();
    let (certificate, key) = issuer.files(&Leaf::default());
    let (certificate, key) = (home.write("tls.pem", &certificate), home.write("tls.key", &key));
    let ca = home.write("ca.pem", &issuer.pem());
    home.write("master.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    let mut panel = Running::start(
        home.command()
            .env("DATABASE_URL", &database)
            .args(["panel", "--master-key", "master.key", "--listen", "127.0.0.1:0"])
            .arg("--tls-certificate")
            .arg(&certificate)
            .arg("--tls-key")
            .arg(&key),
    );
    let line = panel.line_with("https://");
    let base =
        line.split_whitespace().find(|word| word.starts_with("https://")).unwrap().to_owned();
    let bootstrap = panel.line_with("iron_bootstrap_");
    let bootstrap = bootstrap.rsplit(' ').next().unwrap();

    // The operator.
    let ca = ca.to_str().unwrap();
    let answers = format!("{bootstrap}\nada\ncorrect horse battery staple\n");
    home.iron(&["login", &base, "--ca", ca, "--bootstrap"], &answers);
    let url = provider.url();
    for upstream in ["openai", "anthropic"] {
        let set = ["secret", "set", upstream, "--upstream", upstream, "--base-url", &url];
        home.iron(&set, PROVIDER_KEY);
    }
    home.iron(&["project", "add", "research"], "");
    home.iron(&["budget", "set", "project:research", "50 USD/week"], "");
    let credential = home.iron(&["proxies", "add", "laptop"], "");
    home.write("laptop.credential", credential.trim());

    // The proxy.
    let upstreams = ["openai", "anthropic"].map(|name| {
        format!("[[upstream]]\nname = \"{name}\"\ndialect = \"{name}\"\nbase_url = \"{url}\"\n")
    });
    home.write("proxy.toml", &upstreams.concat());
    let mut proxy = Running::start(home.command().args([
        "proxy",
        "--panel",
        &base,
        "--ca",
        ca,
        "--credential-file",
        "laptop.credential",
        "--config",
        "proxy.toml",
        "--state",
        "proxy.db",
        "--listen",
        "127.0.0.1:0",
    ]));
    let line = proxy.line_with("http://");
    let agents =
        line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    (panel, proxy, base, agents)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleague_gets_a_token_and_the_money_is_seen_to_move() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let home = Home(tempfile::tempdir().unwrap());
    let (panel, proxy, base, agents) = set_up(&home, &provider).await;

    // The colleague's agent.
    let issued = home.json(&[
        "token",
        "issue",
        "--agent",
        "researcher",
        "--project",
        "research",
        "--budget",
        "5 USD/day",
        "--models",
        "gpt-4o*,claude-*",
        "--expires",
        "30d",
        "--base-url",
        &agents,
    ]);
    let (id, token) = (issued["id"].as_str().unwrap(), issued["token"].as_str().unwrap());
    assert!(issued["snippets"]["curl"].as_str().unwrap().contains(&agents));
    sdks(&python, &agents, token, "allowed").await;
    sdks(&python, &agents, token, "other_model").await;
    let calls = provider.received();
    assert_eq!(calls.len(), 3);
    for call in &calls {
        let headers = format!("{:?}", call.headers);
        assert!(!headers.contains(token), "the token is nothing for a provider");
        let keys = ["authorization", "x-api-key"].map(|name| call.headers.get(name).cloned());
        let sent = keys.into_iter().flatten().any(|value| {
            value.to_str().is_ok_and(|text| text.trim_start_matches("Bearer ") == PROVIDER_KEY)
        });
        assert!(sent, "the provider's key is put in by the proxy");
    }

    // The money moves: to the nano, in every budget, and in the sums.
    let bill = provider.bill().total_nano_usd;
    within(Duration::from_secs(20), "the spend reaches the panel", || {
        let budgets = home.json(&["budget", "list"]);
        let budgets = budgets.as_array().unwrap();
        let spent = |scope: &str| {
            let of =
                budgets.iter().find(|budget| budget["scope"].as_str().unwrap().starts_with(scope));
            of.unwrap()["posted"]["nano"].as_i64().unwrap()
        };
        let usage = home.json(&["usage", "--panel"]);
        spent("token:") == bill
            && spent("project:research") == bill
            && usage["all"]["total"]["spent"]["nano"] == bill
            && usage["all"]["total"]["calls"] == 4
    })
    .await;

    // A policy reaches the proxy, and goes again.
    let block = "[redact.kinds]\nEMAIL = \"block\"\n";
    home.write("new.toml", block);
    let replayed = home.json(&["policy", "replay", "new.toml", "--panel", &base]);
    assert_eq!(replayed["calls"], 4, "{replayed}");
    home.iron(&["policy", "publish", "proxy.toml"], "");
    home.write(
        "new.toml",
        &format!("{}{block}", std::fs::read_to_string(home.file("proxy.toml")).unwrap()),
    );
    home.iron(&["policy", "publish", "new.toml", "--note", "no addresses"], "");
    let client = iron_tests::Client::new(agents.trim_start_matches("http://").parse().unwrap())
        .without("authorization")
        .header("authorization", &format!("Bearer {token}"));
    let status_is = async |wanted: u16| {
        let began = Instant::now();
        while client.chat("ada@example.org").await.status != wanted {
            assert!(began.elapsed() < Duration::from_secs(2), "a policy takes two seconds at most");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    status_is(403).await;
    home.iron(&["policy", "activate", "1"], "");
    status_is(200).await;

    // Revoked: within two seconds, at the proxy, for both SDKs.
    home.iron(&["token", "revoke", id], "");
    let began = Instant::now();
    while client.chat("hello").await.status != 401 {
        assert!(began.elapsed() < Duration::from_secs(2), "a revocation takes two seconds at most");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sdks(&python, &agents, token, "revoked").await;
    home.iron(&["audit", "verify"], "");

    // No file that the agent could read holds the provider's key.
    drop((proxy, panel));
    for entry in std::fs::read_dir(home.0.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let canary = memchr::memmem::find(&bytes, PROVIDER_KEY.as_bytes());
            assert!(canary.is_none(), "{} holds the provider's key", path.display());
        }
    }
}
