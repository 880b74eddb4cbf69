//! `iron run`, `iron env` and `iron doctor` as processes: what a program is given, how it ends, and
//! what the receipt says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iron_cli::simulator::Simulator;
use iron_proxy::state::{Filter, Store};
use iron_tests::binary::{self, Proxy};
use iron_tests::{Site, python};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Calls OpenAI's chat endpoint as often as its argument says, through what the environment names;
/// prints each status.
const CALLER: &str = r#"
import json, os, sys, urllib.error, urllib.request
body = json.dumps({"model": "gpt-4o-mini", "max_tokens": 64,
                   "messages": [{"role": "user", "content": "mail ada@example.org"}]}).encode()
for _ in range(int(sys.argv[1])):
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {
        "content-type": "application/json",
        "authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "none")})
    try:
        print(urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"#;

/// A user with nothing but a home.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("caller.py"), CALLER).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `iron` as this user, with programs to run.
    fn iron(&self, arguments: &[&str]) -> Command {
        let mut command = binary::command();
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .current_dir(self.home.path());
        command
    }

    /// `iron run -- CMD` with a simulated provider.
    fn run(&self, command: &[&str]) -> Output {
        self.iron(&[&["run", "--base-url-only", "--"], command].concat()).output().unwrap()
    }

    fn receipt(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("receipt.json")).unwrap()).unwrap()
    }
}

/// A proxy of its own process in front of a provider whose bill is known.
struct Office {
    user: User,
    provider: Simulator,
    proxy: Proxy,
}

impl Office {
    fn open(lines: &str) -> Self {
        let user = User::new();
        let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut config = lines.to_owned();
        for name in ["openai", "anthropic", "gemini"] {
            config.extend([format!(
                "[[upstream]]\nname = \"{name}\"\ndialect = \"{name}\"\nbase_url = \"{}\"\n",
                provider.url()
            )]);
        }
        fs::write(user.path("iron.toml"), config).unwrap();
        let proxy = Proxy::start(&user.path("iron.toml"), &user.path("state.db"));
        Self { user, provider, proxy }
    }

    /// `iron run` with the proxy that runs.
    async fn run(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Output {
        let mut command = self.user.iron(&["run", "--base-url-only", "--receipt", "receipt.json"]);
        command.args(arguments).env("IRON_PROXY", self.proxy.address.to_string());
        command.envs(environment.iter().copied());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_program_ends_as_it_would_without_us() {
    let user = User::new();
    for (command, code) in [
        (&["sh", "-c", "exit 0"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-program"], 127),
        (&["./caller.py"], 126),
    ] {
        let output = user.run(command);
        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "standard output is the program's alone");
    }
    let mut command = user.iron(&["run", "--receipt", "off", "--", "sh", "-c", "cat; printf end"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "typed\nend");
}

#[test]
fn a_signal_that_is_sent_to_us_reaches_the_program() {
    let user = User::new();
    for (signal, code) in [("TERM", 3), ("HUP", 3), ("INT", 3), ("USR1", 3), ("QUIT", 3)] {
        let script =
            format!("trap 'echo got; exit 3' {signal}; echo ready; while :; do sleep 0.02; done");
        let mut child = user
            .iron(&["run", "--receipt", "off", "--", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let pid = child.id().to_string();
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success()
        );
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert_eq!(
            (rest.as_str(), child.wait().unwrap().code()),
            ("got\n", Some(code)),
            "{signal}"
        );
    }
}

#[test]
fn the_terminal_is_the_programs() {
    let user = User::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("launcher/terminal.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(binary::path())
        .env("HOME", user.home.path())
        .env_remove("IRON_PROXY")
        .current_dir(user.home.path())
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("all steps passed"), "{said}");
}

#[test]
fn without_a_key_a_simulated_provider_answers_and_says_so() {
    let user = User::new();
    let output = user.run(&["python3", "caller.py", "2"]);
    assert_eq!(text(&output.stdout), "200\n200\n");
    let said = text(&output.stderr);
    for part in ["simulated provider answers", "as agent python", "2 (ok 2)", "EMAIL 2", "openai 2"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("no call of"), "{said}");
    // Simulated money is never among the real.
    let folder = user.path(".local/state/iron-cage");
    assert!(folder.join("iron_state.simulated.db").exists());
    assert!(!folder.join("iron_state.db").exists());
    let left: Vec<_> =
        fs::read_dir(folder).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("run-")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_what_the_provider_bills_and_a_budget_stops_the_run() {
    let office = Office::open("");
    let output = office.run(&["--", "python3", "caller.py", "3"], &[]).await;
    assert_eq!(text(&output.stdout), "200\n200\n200\n", "{}", text(&output.stderr));
    let receipt = office.user.receipt();
    let bill = office.provider.bill().total_nano_usd;
    assert!(bill > 0);
    assert_eq!(receipt["nano_usd"], bill);
    assert_eq!((&receipt["calls"], &receipt["exit_code"]), (&json!(3), &json!(0)));
    assert_eq!(receipt["findings"], json!({"EMAIL": 3}));
    assert_eq!(receipt["upstreams"]["openai"], json!({"calls": 3, "nano_usd": bill}));
    assert!(receipt["overhead_micros"]["p95"].as_u64().unwrap() > 0);

    // One call may cost more than this run has for two.
    let store = Store::open(&office.user.path("state.db")).unwrap();
    let bound = store.latest(1, &Filter::default()).unwrap()[0].reserved.0;
    let budget = format!("0.{:09}usd", bound * 5 / 4);
    let output = office.run(&["--budget", &budget, "--", "python3", "caller.py", "50"], &[]).await;
    let statuses = text(&output.stdout);
    assert!(statuses.starts_with("200\n") && statuses.ends_with("402\n"), "{statuses}");
    let receipt = office.user.receipt();
    assert_eq!(receipt["nano_usd"], office.provider.bill().total_nano_usd - bill);
    let budget = &receipt["budget"];
    assert_eq!(budget["posted_nano_usd"], receipt["nano_usd"]);
    let left = budget["left_nano_usd"].as_i64().unwrap();
    assert!(left >= 0 && left < bound, "{left}");
    assert!(receipt["refused"]["budget_exhausted"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_within_a_run_counts_in_both_and_says_how_deep_it_is() {
    let office = Office::open("");
    let iron = binary::path();
    let inner = ["--agent", "outer", "--", iron.to_str().unwrap(), "run", "--base-url-only"];
    let inner =
        [&inner[..], &["--receipt", "inner.json", "--", "python3", "caller.py", "1"]].concat();
    let output = office.run(&inner, &[]).await;
    assert_eq!(text(&output.stdout), "200\n", "{}", text(&output.stderr));
    let outer = office.user.receipt();
    let inner: Value =
        serde_json::from_slice(&fs::read(office.user.path("inner.json")).unwrap()).unwrap();
    let bill = office.provider.bill().total_nano_usd;
    assert_eq!((&outer["nano_usd"], &inner["nano_usd"]), (&json!(bill), &json!(bill)));
    assert_eq!(inner["parent"], outer["id"]);
    // Who is run by an agent is that agent, unless it is named otherwise.
    assert_eq!((&outer["agent"], &inner["agent"]), (&json!("outer"), &json!("outer")));
    let store = Store::open(&office.user.path("state.db")).unwrap();
    let calls = store.latest(10, &Filter::default()).unwrap();
    assert_eq!((calls.len(), calls[0].depth), (1, Some(1)));
    assert_eq!(calls[0].run.as_deref(), inner["id"].as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdks_are_led_by_what_they_are_given() {
    const SCRIPT: &str = "import anthropic, openai\n\
        openai.OpenAI().chat.completions.create(model='gpt-4o-mini', max_tokens=9,\n\
            messages=[{'role': 'user', 'content': 'hi'}])\n\
        anthropic.Anthropic().messages.create(model='claude-haiku-4-5', max_tokens=9,\n\
            messages=[{'role': 'user', 'content': 'hi'}])\n";
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let python = python.to_str().unwrap().to_owned();
    // By its base URLs, by what it is given as an HTTP proxy with a CA of its own, and by both.
    for way in ["--base-url-only", "--proxy-only", "--simulate"] {
        let python = python.clone();
        let run = move || {
            let user = User::new();
            let given = ["run", way, "--receipt", "receipt.json", "--", &python, "-c", SCRIPT];
            let output = user.iron(&given).output().unwrap();
            assert!(output.status.success(), "{way}: {}", text(&output.stderr));
            user.receipt()
        };
        let receipt = tokio::task::spawn_blocking(run).await.unwrap();
        assert_eq!(receipt["outcomes"], json!({"ok": 2}), "{way}: {receipt}");
        assert_eq!((&receipt["agent"], &receipt["simulated"]), (&json!("python"), &json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_has_placeholders_and_its_hosts_get_the_secrets() {
    const VALUE: &str = "ghp_CANARYofTheLauncher0123456789abcdef";
    // The host of this story is on this machine, which programs else reach without the proxy.
    const SCRIPT: &str = "import os, sys, urllib.request\n\
        os.environ.pop('NO_PROXY'); os.environ.pop('no_proxy')\n\
        token = os.environ['GITHUB_TOKEN']\n\
        request = urllib.request.Request(sys.argv[1], headers={'authorization': 'Bearer ' + token})\n\
        print(token)\n\
        print(urllib.request.urlopen(request).read().decode())\n";
    let site = Site::start("localhost", true).await;
    let (url, ca) = (format!("https://{}/text", site.target), site.ca());
    let user = User::new();
    let config = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n\
         [[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"localhost\"]\n\
         [connect]\nprivate = [\"{}\"]\n",
        site.target
    );
    fs::write(user.path("iron.toml"), config).unwrap();
    let office_state = user.path("state.db");
    let variables = [("GITHUB_TOKEN", VALUE.as_ref()), ("SSL_CERT_FILE", ca.as_os_str())];
    let log = user.path("log");
    let proxy = Proxy::start_logging_with(&user.path("iron.toml"), &office_state, &log, &variables);
    let address = proxy.address.to_string();
    let status = iron_tests::Client::new(proxy.address).get("/_iron/status").await.json();
    let placeholder = iron_cli::secret::placeholders(&status).remove(0).1;

    let run = [&["run", "--receipt", "off", "--", "python3", "-c", SCRIPT], &[url.as_str()][..]];
    // By the proxy that runs, which alone has the value, and by one of the run's own.
    let mut by_running = user.iron(&run.concat());
    by_running.env("IRON_PROXY", &address);
    let mut by_own = user.iron(&run.concat());
    by_own.envs(variables);
    for (mut command, placeholder) in [(by_running, Some(&placeholder)), (by_own, None)] {
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        let token = said.lines().next().unwrap();
        assert!(token.starts_with("iron-secret-github-"), "{said}");
        assert!(placeholder.is_none_or(|placeholder| token == placeholder), "{said}");
        // The host said it back.
        assert!(said.contains(&format!("Bearer {token}")) && !said.contains(VALUE), "{said}");
        let got = site.received().pop().unwrap();
        assert_eq!(got.headers["authorization"], format!("Bearer {VALUE}"));
    }
    assert_eq!(site.received().len(), 2);

    // For a shell of the user's own: of the proxy that runs, or as one will give it.
    let mut running = user.iron(&["env", "--shell", "json"]);
    running.env("IRON_PROXY", &address);
    let mut later = user.iron(&["env", "--shell", "json", "--state"]);
    later.arg(&office_state);
    for mut command in [running, later] {
        let output = command.output().unwrap();
        let told = text(&output.stdout);
        assert!(told.contains(&placeholder), "{told}{}", text(&output.stderr));
    }
    let output = user.run(&["sh", "-c", "echo $GITHUB_TOKEN"]);
    assert!(text(&output.stdout).starts_with("iron-secret-github-"));
    assert!(text(&output.stderr).contains("leave out --base-url-only"), "{output:?}");
}

#[test]
fn a_program_whose_calls_do_not_arrive_is_told_of() {
    let user = User::new();
    let output = user.run(&["python3", "-c", "pass"]);
    let said = text(&output.stderr);
    assert!(said.contains("no call of python arrived") && said.contains("base_url"), "{said}");
    assert_eq!(output.status.code(), Some(0), "the exit code stays the program's");
    let url = "https://api.deepseek.com";
    let output = user
        .iron(&["run", "--base-url-only", "--", "sh", "-c", "echo $OPENAI_BASE_URL"])
        .env("OPENAI_BASE_URL", url)
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout).trim(), url, "what the proxy does not know is left as it is");
    assert!(text(&output.stderr).contains("go past it"), "{}", text(&output.stderr));
}

#[test]
fn a_client_that_reads_no_variable_is_given_words() {
    let user = User::new();
    let codex = user.path("codex");
    fs::write(&codex, "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&codex).status().unwrap().success());
    let output = user.run(&["./codex", "exec", "hi"]);
    let words = text(&output.stdout);
    assert!(words.starts_with("-c\nmodel_provider=\"iron\"\n"), "{words}");
    assert!(words.ends_with("\nexec\nhi\n"), "{words}");
    let output = user.run(&["./codex", "-c", "model_provider=azure", "exec", "hi"]);
    assert_eq!(text(&output.stdout), "-c\nmodel_provider=azure\nexec\nhi\n");
    assert!(text(&output.stderr).contains("chooses Codex's provider"));
}

#[test]
fn the_settings_are_printed_for_a_shell_of_the_users_own() {
    let user = User::new();
    let script = format!(
        "eval \"$('{}' env --base-url-only --agent me)\"; echo $OPENAI_BASE_URL $ANTHROPIC_BASE_URL",
        binary::path().display()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("HOME", user.home.path())
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(user.home.path())
        .output()
        .unwrap();
    let base = "http://127.0.0.1:4141/agent/me";
    assert_eq!(text(&output.stdout), format!("{base}/v1 {base}\n"), "{}", text(&output.stderr));
}

#[test]
fn the_doctor_finds_what_is_wrong_and_exits_accordingly() {
    let user = User::new();
    fs::write(user.path("iron.toml"), "[proxy]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let examine = |user: &User| {
        let output = user.iron(&["doctor", "--output", "json"]).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let level = |told: &Value, check: &str| {
        let mut all = told["checks"].as_array().unwrap().iter();
        let found = all.find(|found| found["check"] == check);
        found.map(|found| found["level"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    let (code, told) = examine(&user);
    assert_eq!((code, &told["ok"]), (Some(0), &json!(true)), "{told}");
    for check in told["checks"].as_array().unwrap() {
        let needs_next = check["level"] != "ok";
        assert_eq!(check["next"].is_string(), needs_next, "{check}");
    }
    // Somebody else has the port.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    fs::write(user.path("iron.toml"), format!("[proxy]\nlisten = \"{address}\"\n")).unwrap();
    let (code, told) = examine(&user);
    assert_eq!((code, level(&told, "proxy").as_str()), (Some(1), "fail"), "{told}");
    let own = std::process::id().to_string();
    assert!(told.to_string().contains(&own), "whose it is: {told}");
    // A state file that is none.
    let folder = user.path(".local/state/iron-cage");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("iron_state.db"), "no database at all, and long enough for a header")
        .unwrap();
    assert_eq!(level(&examine(&user).1, "state"), "fail");
    fs::write(user.path("iron.toml"), "[proxi]\n").unwrap();
    let (code, told) = examine(&user);
    assert_eq!((code, level(&told, "configuration").as_str()), (Some(1), "fail"));
}
