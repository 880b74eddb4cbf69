//! Runs one client through its scenarios by one route, each in a world of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use iron_cli::simulator::{Behaviour, When};
use iron_policy::types::Dialect;
use iron_proxy::state::{CallRow, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::alone::{self, Door};
use super::catalogue::{Client, Installed, PROXY_PORT, Route, Task};
use super::matrix::Row;
use crate::World;

/// What the user writes; the address must not reach the provider.
const ASKED: &str = "Mail ada@example.org, please.";
const SECRET: &str = "ada@example.org";
/// What a tool finds; it must not reach the provider either.
const FOUND: &str = "grace@example.org";
/// Where the provider is in the network of a client whose proxy `iron run` brings.
const PROVIDER_PORT: u16 = 4142;
/// As whom a client calls that has nothing but a proxy's address to say it in.
const AGENT: &str = "measured";
const RUN: &str = "matrix-1";
/// Nothing arrived, and in a network with no other way the client failed.
const AROUND: &str = "no: it goes around the proxy";
/// How long a client may take for an answer, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long an agent is watched from its first call on, where that is stopped.
const WATCHED: Duration = Duration::from_secs(20);
/// How long a library is. None of them waits longer between two tries unless it is told to.
const WATCHED_LIBRARY: Duration = Duration::from_secs(5);

/// What one run of a client came to.
struct Seen {
    output: String,
    /// None where it was still at it when its time was over.
    code: Option<i32>,
    calls: Vec<CallRow>,
}

/// Measures a client by a route: the row of the matrix.
pub async fn measure(client: Client, route: Route) -> Row {
    let installed = tokio::task::spawn_blocking(move || client.install()).await.unwrap();
    let trip = Trip { client, route, installed };
    let plain = trip.answered("plain").await;
    let mut cells = BTreeMap::from([("plain".to_owned(), plain.clone())]);
    if plain != AROUND {
        let mut note = |key: &str, said: String| cells.insert(key.to_owned(), said);
        // A few at a time: they wait more than they work.
        let (stream, tools) = tokio::join!(trip.answered("stream"), trip.tools());
        note("stream", stream);
        note("tools", tools);
        let (error, budget) = tokio::join!(trip.failing(400), trip.budget());
        note("bad_request", error);
        note("budget", budget);
        let (overloaded, breaker, recovery) =
            tokio::join!(trip.failing(trip.overloaded()), trip.breaker(), trip.recovery());
        note("overloaded", overloaded);
        note("breaker", breaker);
        note("recovery", recovery);
    }
    Row {
        client: client.name(),
        version: trip.installed.version(),
        route: route.name().to_owned(),
        cells,
    }
}

/// Runs a client by `iron run --simulate` on a machine without keys, and holds the receipt against
/// what `iron usage` says afterwards, to the nano-USD.
pub async fn simulated(client: Client) {
    let installed = tokio::task::spawn_blocking(move || client.install()).await.unwrap();
    let home = clean_home();
    let task = Task { scenario: "plain", text: "hi" };
    let mut launch = installed.launch(Route::IronRun, &task, home.path());
    launch.variables.retain(|(name, _)| !name.ends_with("_API_KEY"));
    let iron = crate::binary::path();
    let (state, receipt) = (home.path().join("state.db"), home.path().join("receipt.json"));
    let mut command = alone::command(&[]);
    command.arg(&iron).args(["run", "--simulate", "--budget", "5usd", "--state"]).arg(&state);
    command.arg("--receipt").arg(&receipt).arg("--").args(&launch.line);
    let mut usage = std::process::Command::new(&iron);
    usage.args(["usage", "--output", "json", "--state"]).arg(&state);
    for command in [&mut command, &mut usage] {
        command.env_clear().env("HOME", home.path()).current_dir(home.path().join("work"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    }
    command.envs(launch.variables);
    let ran = Command::from(command).kill_on_drop(true).output();
    let ran = tokio::time::timeout(PATIENCE, ran).await.expect("it did not end").unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("You said: hi"), "{said}{errors}");
    let receipt: Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    let usage = Command::from(usage).output().await.unwrap();
    let usage: Value = serde_json::from_slice(&usage.stdout).unwrap();
    let spent = receipt["nano_usd"].as_i64().unwrap();
    let total = (&usage["total"]["nano_usd"], &usage["total"]["reserved_nano_usd"]);
    assert_eq!(total, (&json!(spent), &json!(0)), "{usage}");
    assert!(spent > 0 && receipt["simulated"] == true, "{receipt}");
    assert_eq!(receipt["budget"]["left_nano_usd"], 5_000_000_000 - spent, "{receipt}");
}

struct Trip {
    client: Client,
    route: Route,
    installed: Installed,
}

impl Trip {
    /// An answer arrives, placeholders put back, streamed where that was asked, paid to the cent.
    async fn answered(&self, scenario: &str) -> String {
        let stage = Stage::set(self.route, "").await;
        let seen = self.run(&stage, &Task { scenario, text: ASKED }, None).await;
        if seen.calls.is_empty() && seen.code.is_some_and(|code| code != 0) {
            return AROUND.to_owned();
        }
        let mut wrong = seen.ended_well(ASKED);
        wrong.extend(stage.private(SECRET).await);
        let streams = seen.calls.iter().filter(|call| call.stream && call.status == 200).count();
        if scenario == "stream" && streams == 0 {
            wrong.push("nothing was streamed".to_owned());
        }
        verdict(&wrong)
    }

    /// The provider has a tool called, the client calls it and sends what it found.
    async fn tools(&self) -> String {
        let stage = Stage::set(self.route, "").await;
        let note = stage.home.path().join("work/note.txt");
        let order = match self.client {
            Client::ClaudeCode => Behaviour::call("Read", &json!({"file_path": note}).to_string()),
            Client::GeminiCli => Behaviour::call("read_file", r#"{"file_path":"note.txt"}"#),
            Client::OpenCode => Behaviour::call("read", &json!({"filePath": note}).to_string()),
            Client::Codex => Behaviour::custom_call(
                "exec",
                "const r = await tools.exec_command({cmd: \"cat note.txt\"}); text(r.output);",
            ),
            _ => Behaviour::call("look_up", r#"{"word":"platypus"}"#),
        };
        let model = When::Model(self.client.model().to_owned());
        stage.world.provider.script_when(model, [order]);
        let task = Task { scenario: "tools", text: "What is a platypus?" };
        let seen = self.run(&stage, &task, None).await;
        let mut wrong = seen.ended_well(FOUND);
        wrong.extend(stage.private(FOUND).await);
        let told = stage.world.provider.received();
        let told = told.iter().any(|call| call.text().contains("platypus means"));
        if !told {
            wrong.push("the tool's result did not reach the provider".to_owned());
        }
        verdict(&wrong)
    }

    /// The provider's own error comes through as it is.
    async fn failing(&self, status: u16) -> String {
        let stage = Stage::set(
            self.route,
            "[breaker]\nconsecutive_failures = 1000\nminimum_calls = 1000\n",
        )
        .await;
        stage.world.provider.always(Behaviour::status(status));
        let seen = self.watch(&stage).await;
        // Those that name no model ask about settings, or for a WebSocket.
        let named = |call: &&CallRow| !call.model.is_empty();
        let calls: Vec<_> = seen.calls.iter().filter(named).cloned().collect();
        let strange = calls.iter().map(|call| call.status).filter(|&other| other != status);
        let strange: Vec<_> = strange.collect();
        if !strange.is_empty() {
            return format!("no: {strange:?} in place of {status}");
        }
        seen.stopped(&calls, None)
    }

    /// Where the provider has more calls than it can take, by its own status.
    fn overloaded(&self) -> u16 {
        if self.client.dialect() == Dialect::Anthropic { 529 } else { 503 }
    }

    /// The budget is spent.
    async fn budget(&self) -> String {
        let stage = Stage::set(
            self.route,
            "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n",
        )
        .await;
        let seen = self.watch(&stage).await;
        assert_eq!(stage.world.provider.bill().total_nano_usd, 0, "{}", seen.output);
        let stopped: Vec<_> = seen.of_reason("budget_exhausted");
        seen.stopped(&stopped, Some("the budget of organisation"))
    }

    /// The breaker is open, and stays so. `iron run` brings a proxy that knows of no failure yet.
    async fn breaker(&self) -> String {
        if self.route == Route::IronRun {
            return String::new();
        }
        let stage = Stage::set(
            self.route,
            "[breaker]\nconsecutive_failures = 1\nopen_for = \"10m\"\nopen_for_max = \"10m\"\n",
        )
        .await;
        stage.world.provider.always(Behaviour::status(500));
        // Whatever the client asks first fails once by itself, and opens it.
        self.open_breakers(&stage.world).await;
        stage.world.provider.heal();
        let before = stage.calls().await.len();
        let mut seen = self.watch(&stage).await;
        seen.calls.drain(..before);
        let stopped = seen.of_reason("circuit_open");
        seen.stopped(&stopped, Some("is not called"))
    }

    async fn open_breakers(&self, world: &World) {
        let small = ["gpt-5.4-nano", "gemini-3.5-flash-lite"];
        for model in small.into_iter().chain([self.client.model()]) {
            let asked = json!([{"role": "user", "content": "hello"}]);
            let body = json!({"model": model, "max_tokens": 16, "messages": asked});
            match self.client.dialect() {
                Dialect::Anthropic => world.anthropic().post("/v1/messages", &body).await,
                Dialect::Gemini => {
                    let body = json!({
                        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
                        "generationConfig": {"maxOutputTokens": 16},
                    });
                    let path = format!("/v1beta/models/{model}:generateContent");
                    world.gemini().post(&path, &body).await
                }
                Dialect::OpenAi | Dialect::Bedrock => {
                    world.client().post("/v1/chat/completions", &body).await
                }
            };
        }
    }

    /// A provider that fails once, so that the breaker opens, and is well again after that.
    async fn recovery(&self) -> String {
        let stage = Stage::set(
            self.route,
            "[breaker]\nconsecutive_failures = 1\nopen_for = \"2s\"\nopen_for_max = \"2s\"\n",
        )
        .await;
        let model = When::Model(self.client.model().to_owned());
        stage.world.provider.script_when(model, [Behaviour::status(500)]);
        let task = Task { scenario: "plain", text: ASKED };
        let seen = self.run(&stage, &task, None).await;
        let wrong = seen.ended_well(ASKED);
        let refused = seen.of_reason("circuit_open").len();
        match (wrong.is_empty(), refused) {
            (true, _) => "yes".to_owned(),
            (false, 0) => "gives up on the provider's 500".to_owned(),
            (false, _) => format!("gives up after {refused} refused"),
        }
    }

    /// Runs the client where its calls are stopped.
    async fn watch(&self, stage: &Stage) -> Seen {
        let time = if self.client.is_agent() { WATCHED } else { WATCHED_LIBRARY };
        self.run(stage, &Task { scenario: "plain", text: ASKED }, Some(time)).await
    }

    /// Runs the client until it ends, or its time is over: `watched` from its first call on.
    async fn run(&self, stage: &Stage, task: &Task<'_>, watched: Option<Duration>) -> Seen {
        let home = stage.home.path();
        let launch = self.installed.launch(self.route, task, home);
        let log = home.join("output");
        let output = File::create(&log).unwrap();
        let mut command = alone::command(&stage.doors);
        command
            .args(stage.before(self.route))
            .args(&launch.line)
            .env_clear()
            .env("HOME", home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(launch.variables)
            .envs(stage.variables(self.route))
            .current_dir(home.join("work"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let started = Instant::now();
        let mut child = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let before = stage.calls().await.len();
        let over = async {
            let Some(watched) = watched else {
                return tokio::time::sleep(PATIENCE).await;
            };
            while stage.calls().await.len() == before && started.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(watched).await;
        };
        let code = tokio::select! {
            status = child.wait() => Some(status.unwrap().code().unwrap_or(-1)),
            () = over => None,
        };
        drop(child);
        let output = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        if std::env::var_os("IRON_SHOW_CLIENTS").is_some() {
            let name = self.client.name();
            show(&format!(
                "== {name}, {}, {}: {code:?} in {:?}\n{output}",
                self.route.name(),
                task.scenario,
                started.elapsed()
            ));
        }
        Seen { output, code, calls: stage.calls().await }
    }
}

/// Where a client is run: a world with a proxy, or with the provider alone where `iron run` brings
/// the proxy; a clean home folder; and the doors of the client's network.
struct Stage {
    world: World,
    home: TempDir,
    doors: Vec<Door>,
    /// The state of the proxy that `iron run` brings.
    own_state: Option<PathBuf>,
    /// Whether its calls say as whom they are made.
    named: bool,
}

impl Stage {
    async fn set(route: Route, lines: &str) -> Self {
        let home = clean_home();
        let folder = home.path();
        let upstreams = |provider: &str, keys: bool| -> String {
            let all = [
                ("openai", "api.openai.com", "OPENAI_API_KEY"),
                ("anthropic", "api.anthropic.com", "ANTHROPIC_API_KEY"),
                ("gemini", "generativelanguage.googleapis.com", "GEMINI_API_KEY"),
            ];
            let one = |(name, host, key): &(&str, &str, &str)| {
                let key = if keys { format!("api_key_env = \"{key}\"\n") } else { String::new() };
                format!(
                    "[[upstream]]\nname = \"{name}\"\ndialect = \"{name}\"\n\
                     base_url = \"{provider}\"\nhosts = [\"{host}\"]\n{key}"
                )
            };
            all.iter().map(one).collect()
        };
        if route == Route::IronRun {
            let world = World::plain().await;
            let doors = vec![Door::open(PROVIDER_PORT, world.provider.address(), folder)];
            let provider = format!("http://127.0.0.1:{PROVIDER_PORT}");
            std::fs::write(
                folder.join("iron.toml"),
                lines.to_owned() + &upstreams(&provider, true),
            )
            .unwrap();
            let own_state = Some(folder.join("state.db"));
            return Self { world, home, doors, own_state, named: false };
        }
        let world = World::with(&(lines.to_owned() + &upstreams("{provider}", false))).await;
        let doors = vec![Door::open(PROXY_PORT, world.address, folder)];
        Self { world, home, doors, own_state: None, named: route == Route::HttpsProxy }
    }

    /// What stands before the client's own command line.
    fn before(&self, route: Route) -> Vec<String> {
        if route != Route::IronRun {
            return Vec::new();
        }
        let in_home = |name: &str| self.home.path().join(name).display().to_string();
        let iron = crate::binary::path().display().to_string();
        let (config, state, receipt) =
            (in_home("iron.toml"), in_home("state.db"), in_home("receipt.json"));
        ["run", "--config", &config, "--state", &state, "--receipt", &receipt, "--"].iter().fold(
            vec![iron],
            |mut line, &word| {
                line.push(word.to_owned());
                line
            },
        )
    }

    /// What leads a client to an HTTP proxy, and lets it trust the proxy's CA.
    fn variables(&self, route: Route) -> Vec<(&'static str, String)> {
        if route != Route::HttpsProxy {
            return Vec::new();
        }
        let ca = self.world.state().with_file_name("ca");
        let file = |name: &str| ca.join(name).display().to_string();
        vec![
            ("HTTPS_PROXY", format!("http://{AGENT}:run%3D{RUN}@127.0.0.1:{PROXY_PORT}")),
            ("SSL_CERT_FILE", file("bundle.pem")),
            ("NODE_EXTRA_CA_CERTS", file("ca.pem")),
        ]
    }

    /// All calls on record, oldest first.
    async fn calls(&self) -> Vec<CallRow> {
        match &self.own_state {
            None => self.world.calls().await,
            // Before it is there, there are none.
            Some(state) => {
                Store::open(state).and_then(|store| store.calls(None, 10_000)).unwrap_or_default()
            }
        }
    }

    /// What speaks against privacy and money: the word reached the provider, or its bill is not
    /// what the ledger, or the receipt, says to the nano-USD.
    async fn private(&self, word: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let received = self.world.provider.received();
        if received.iter().any(|call| call.text().contains(word)) {
            wrong.push(format!("{word} reached the provider"));
        }
        let billed = self.world.provider.bill().total_nano_usd;
        let totals = match &self.own_state {
            None => Ok(self.world.totals().await),
            Some(state) => Store::open(state).and_then(|store| store.totals()),
        };
        match totals {
            Ok(totals) if totals.posted.0 == billed && billed > 0 && totals.pending.0 == 0 => {}
            Ok(totals) => {
                let posted = totals.posted.0;
                wrong.push(format!("the ledger says {posted}, the bill {billed} nano-USD"));
            }
            Err(error) => wrong.push(format!("no ledger: {error}")),
        }
        if self.named {
            let named = |call: &CallRow| call.agent == AGENT && call.run.as_deref() == Some(RUN);
            if !self.calls().await.iter().all(named) {
                wrong.push("the agent's name or its run did not arrive".to_owned());
            }
        }
        if self.own_state.is_some() {
            let receipt = std::fs::read(self.home.path().join("receipt.json")).unwrap_or_default();
            let receipt: Value = serde_json::from_slice(&receipt).unwrap_or_default();
            if receipt["nano_usd"].as_i64() != Some(billed) {
                wrong.push(format!("the receipt says {}, the bill {billed}", receipt["nano_usd"]));
            }
        }
        wrong
    }
}

/// A home folder with nothing in it but a folder to work in, and a note there.
fn clean_home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let note = format!("A platypus means: write to {FOUND}\n");
    std::fs::write(work.join("note.txt"), note).unwrap();
    home
}

#[expect(clippy::print_stderr, reason = "for the person who asked to see what clients print")]
fn show(text: &str) {
    eprintln!("{text}");
}

impl Seen {
    /// What speaks against a good end with these words.
    fn ended_well(&self, words: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.code != Some(0) {
            wrong.push(self.code.map_or("no end".to_owned(), |code| format!("exit code {code}")));
        }
        if !self.output.contains(words) {
            let said: String = self.output.chars().take(400).collect();
            wrong.push(format!("it said {said:?}"));
        }
        wrong
    }

    fn of_reason(&self, reason: &str) -> Vec<CallRow> {
        self.calls.iter().filter(|call| call.reason == reason).cloned().collect()
    }

    /// How many calls it made of each model, and whether it showed the words that tell why.
    fn stopped(&self, calls: &[CallRow], words: Option<&str>) -> String {
        let mut by_model = BTreeMap::<&str, usize>::new();
        for call in calls {
            *by_model.entry(&call.model).or_default() += 1;
        }
        let counts: Vec<_> = by_model.values().map(usize::to_string).collect();
        let counts = counts.join(" + ");
        let made = if counts == "1" { "1 call".to_owned() } else { format!("{counts} calls") };
        let shown = match words {
            Some(words) if self.output.contains(words) => ", shown",
            Some(_) if self.code.is_some() => ", not shown",
            _ => "",
        };
        match self.code {
            Some(0) => format!("{made}{shown}, exit code 0"),
            Some(_) => format!("{made}{shown}"),
            // It was told to come back in a minute, and sleeps.
            None if calls.len() == 1 => format!("{made}, then waits as told{shown}"),
            None => format!("{made} in {} s, and goes on{shown}", WATCHED.as_secs()),
        }
    }
}

fn verdict(wrong: &[String]) -> String {
    if wrong.is_empty() { "yes".to_owned() } else { format!("no: {}", wrong.join("; ")) }
}
