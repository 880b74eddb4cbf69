//! Placeholders stay what they are: over the turns of a conversation, so that the prefix which
//! the provider has cached stays the same bytes, and over a restart of the proxy where its
//! secret is kept.

use std::path::Path;

use iron_cli::simulator::Simulator;
use iron_tests::binary::{self, Proxy};
use iron_tests::client::Client;
use iron_tests::world::policy;
use iron_tests::{Answer, World};
use serde_json::{Value, json};

const TURNS: usize = 10;

/// After this turn the proxy is started anew.
const RESTART: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Chat,
    Messages,
}

const BOTH: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

/// An agent that sends its whole history each turn, values in it as it knows them.
struct Agent {
    dialect: Dialect,
    messages: Vec<Value>,
}

impl Agent {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, messages: Vec::new() }
    }

    /// One turn through this proxy. Returns what the provider received.
    async fn turn(&mut self, world: &World) -> String {
        self.speak();
        let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
        let answer = match self.dialect {
            Dialect::Chat => {
                let tool = json!({"type": "function",
                    "function": {"name": "mail", "parameters": schema}});
                let body = json!({"model": "gpt-4o-mini", "max_tokens": 500, "tools": [tool],
                    "messages": self.messages});
                world.client().post("/v1/chat/completions", &body).await
            }
            Dialect::Messages => {
                let tool = json!({"name": "mail", "input_schema": schema});
                let body = json!({"model": "claude-haiku-4-5", "max_tokens": 500, "tools": [tool],
                    "system": "Mail for root@example.net.", "messages": self.messages});
                world.anthropic().post("/v1/messages", &body).await
            }
        };
        self.listen(&answer);
        world.last_received()
    }

    /// The tool's result where a tool was called, else something new of the user.
    fn speak(&mut self) {
        let turn = self.messages.len();
        let value = format!("ann{turn}@example.org and 4242 4242 4242 4242, \"not\" 10.0.0.1");
        let last = self.messages.last().unwrap_or(&Value::Null);
        let called = match self.dialect {
            Dialect::Chat => &last["tool_calls"][0]["id"],
            Dialect::Messages => &last["content"][0]["id"],
        };
        let message = match (called.as_str(), self.dialect) {
            (Some(id), Dialect::Chat) => {
                json!({"role": "tool", "tool_call_id": id, "content": format!("sent to {value}")})
            }
            (Some(id), Dialect::Messages) => json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": format!("sent to {value}")}]}),
            (None, _) if turn.is_multiple_of(8) => {
                json!({"role": "user", "content": format!("Write to {value}")})
            }
            (None, _) => json!({"role": "user", "content": format!("call the tool: {value}")}),
        };
        self.messages.push(message);
    }

    /// Remembers the answer as it came: with the values put back.
    fn listen(&mut self, answer: &Answer) {
        let body = answer.json();
        let message = match self.dialect {
            Dialect::Chat => body["choices"][0]["message"].clone(),
            Dialect::Messages => json!({"role": "assistant", "content": body["content"]}),
        };
        let text = message.to_string();
        assert!(text.contains("@example.org") && !text.contains("<EMAIL_"), "{}", answer.text());
        self.messages.push(message);
    }
}

/// Each body but for what closes it is how the next one begins, and none holds a value.
fn grows_only_at_its_end(sent: &[String]) {
    for (turn, pair) in sent.windows(2).enumerate() {
        let prefix = pair[0].strip_suffix("]}").unwrap();
        assert!(pair[1].starts_with(prefix), "turn {turn}:\n{}\n{}", pair[0], pair[1]);
    }
    let last = sent.last().unwrap();
    assert!(!last.contains("@example") && !last.contains("4242"), "{last}");
    for part in ["<EMAIL_", "<CREDIT_CARD_", "tool_use", "sent to"] {
        let part =
            if part == "tool_use" && last.contains("tool_calls") { "tool_calls" } else { part };
        assert!(last.contains(part), "{part} in {last}");
    }
}

fn kept(folder: &Path) -> String {
    format!("[redact]\nsecret_file = \"{}\"\n", folder.join("secret").display())
}

#[tokio::test]
async fn over_ten_turns_the_prefix_stays_the_same_bytes() {
    for dialect in BOTH {
        let world = World::plain().await;
        let mut agent = Agent::new(dialect);
        let mut sent = Vec::new();
        for _ in 0..TURNS {
            sent.push(agent.turn(&world).await);
        }
        grows_only_at_its_end(&sent);
    }
}

#[tokio::test]
async fn over_a_restart_too_where_the_secret_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for dialect in BOTH {
        let mut world = World::with(&kept(folder.path())).await;
        let mut agent = Agent::new(dialect);
        let mut sent = Vec::new();
        for turn in 0..TURNS {
            if turn == RESTART {
                world.stop().await;
                world = World::with(&kept(folder.path())).await;
            }
            sent.push(agent.turn(&world).await);
        }
        grows_only_at_its_end(&sent);
    }
}

#[tokio::test]
async fn without_a_kept_secret_a_restart_changes_every_placeholder() {
    for dialect in BOTH {
        let mut agent = Agent::new(dialect);
        let before = agent.turn(&World::plain().await).await;
        let after = agent.turn(&World::plain().await).await;
        let prefix = before.strip_suffix("]}").unwrap();
        assert!(!after.starts_with(prefix), "{before}\n{after}");
        let placeholder = |body: &str| {
            let start = body.find("<EMAIL_").unwrap();
            body[start..].split_inclusive('>').next().unwrap().to_owned()
        };
        assert!(!after.contains(&placeholder(&before)), "{before}\n{after}");
    }
}

#[tokio::test]
async fn a_changed_secret_waits_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::plain().await;
    world.client().chat("ada@example.org").await;
    let first = world.last_received();
    let changed = policy(&kept(folder.path()), &world.provider.url());
    let live = world.maker.live(changed, Some(&world.shared.live())).unwrap();
    world.shared.replace(live);
    let answer = world.client().chat("ada@example.org").await;
    assert_eq!(world.last_received(), first);
    assert_eq!(answer.said(), "You said: ada@example.org");
    assert!(!folder.path().join("secret").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_starts_again_reads_the_secret_that_the_first_one_made() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("iron.toml");
    let mut bodies = Vec::new();
    for redact in [kept(folder.path()), kept(folder.path()), String::new()] {
        let text = format!(
            "{redact}[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\n",
            provider.url()
        );
        std::fs::write(&config, text).unwrap();
        let proxy = Proxy::start(&config, &folder.path().join("state.db"));
        let answer = Client::new(proxy.address).chat("ada@example.org").await;
        assert_eq!(answer.said(), "You said: ada@example.org");
        bodies.push(provider.received().last().unwrap().text());
        proxy.kill();
    }
    assert!(bodies[0].contains("<EMAIL_"), "{}", bodies[0]);
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[1], bodies[2]);
}

#[test]
fn a_secret_that_is_named_and_not_there_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("iron.toml");
    std::fs::write(&config, "[redact]\nsecret_env = \"IRON_REDACT_SECRET\"\n").unwrap();
    let state = folder.path().join("state.db");
    let output = binary::run(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--config",
        config.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("IRON_REDACT_SECRET") && said.contains("not set"), "{said}");
    assert!(!state.exists());
}
