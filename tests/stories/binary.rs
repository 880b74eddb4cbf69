//! The binary as its users start, stop and kill it.

use std::path::Path;

use iron_cli::simulator::{Behaviour, Simulator};
use iron_policy::types::NanoUsd;
use iron_proxy::state::Store;
use iron_tests::binary::{self, Proxy};
use iron_tests::client::{Client, chat, chat_stream};
use serde_json::Value;

/// A folder with an `iron.toml` that sends both dialects to a provider.
fn folder(provider: &Simulator, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url = provider.url();
    let mut text = String::from(more);
    for name in ["openai", "anthropic"] {
        text.extend([format!(
            "\n[[upstream]]\nname = \"{name}\"\ndialect = \"{name}\"\nbase_url = \"{url}\"\n"
        )]);
    }
    std::fs::write(folder.path().join("iron.toml"), text).unwrap();
    folder
}

fn start(folder: &Path) -> Proxy {
    Proxy::start(&folder.join("iron.toml"), &folder.join("state.db"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_fifty_kills_under_load_nothing_that_was_billed_is_missing() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = folder(
        &provider,
        "[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"1000 USD\"\n",
    );
    for round in 0_u64..50 {
        let proxy = start(folder.path());
        let client = Client::new(proxy.address);
        let enough = provider.counts().received + 4 + round % 9;
        let mut load = tokio::task::JoinSet::new();
        for agent in 0..6 {
            let client = client.clone();
            let body = if agent % 2 == 0 { chat("hello") } else { chat_stream("hello") };
            load.spawn(async move {
                while client.try_post("/v1/chat/completions", &body).await.is_ok() {}
            });
        }
        provider.until(|counts| counts.received >= enough).await;
        proxy.kill();
        while load.join_next().await.is_some() {}
    }
    // One more start recovers what the last kill left open.
    assert!(start(folder.path()).terminate());
    let totals = Store::open(&folder.path().join("state.db")).unwrap().totals().unwrap();
    let bill = provider.bill();
    assert_eq!(totals.pending, NanoUsd::ZERO);
    assert!(
        totals.posted.0 >= bill.total_nano_usd,
        "posted {} < billed {}",
        totals.posted.0,
        bill.total_nano_usd
    );
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    let calls = store.calls(None, 100_000).unwrap();
    assert!(calls.len() as u64 >= provider.counts().received);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_an_open_call_end() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = folder(&provider, "");
    let proxy = start(folder.path());
    let (held, gate) = Behaviour::hold();
    provider.always(held);
    let client = Client::new(proxy.address);
    let call = tokio::spawn(async move { client.chat("hello").await.status });
    provider.until(|counts| counts.received == 1).await;
    let stopping = tokio::task::spawn_blocking(move || proxy.terminate());
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    gate.open();
    assert_eq!(call.await.unwrap(), 200);
    assert!(stopping.await.unwrap());
    let totals = Store::open(&folder.path().join("state.db")).unwrap().totals().unwrap();
    assert_eq!(totals.posted.0, provider.bill().total_nano_usd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_logs_and_status_tell_what_happened_while_it_runs_and_after() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = folder(
        &provider,
        "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n\
         [redact]\nanswers = \"detect\"\n",
    );
    let config = folder.path().join("iron.toml");
    let state = folder.path().join("state.db");
    let files = ["--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let proxy = start(folder.path());
    let client = Client::new(proxy.address);
    for agent in ["a", "b"] {
        let client = client.clone().header("x-iron-agent", agent);
        assert_eq!(client.chat("mail ada@example.org").await.status, 200);
    }
    let json = |words: &[&str]| -> Value {
        let output = binary::run(&[words, &files].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let bill = provider.bill().total_nano_usd;
    // What `iron usage` does by itself where the configuration says where the proxy listens.
    assert_eq!(client.get("/_iron/status").await.status, 200);
    let mut proxy = Some(proxy);
    for running in [true, false] {
        if !running {
            assert!(proxy.take().is_some_and(Proxy::terminate));
        }
        let usage = json(&["usage", "--output", "json"]);
        assert_eq!(usage["total"]["nano_usd"], bill, "{usage}");
        assert_eq!(usage["total"]["calls"], 2);
        assert_eq!(usage["by_agent"].as_array().unwrap().len(), 2);
        for breakdown in ["by_agent", "by_model", "by_upstream", "by_day"] {
            let rows = usage[breakdown].as_array().unwrap();
            let sum: i64 = rows.iter().map(|row| row["nano_usd"].as_i64().unwrap()).sum();
            assert_eq!(sum, bill, "{breakdown}: {usage}");
        }
    }
    let status = json(&["status", "--output", "json"]);
    assert_eq!(status["budgets"][0]["posted_nano_usd"], bill, "{status}");
    let logs = binary::run(&[&["logs", "--output", "json"], &files[..]].concat());
    let lines = String::from_utf8(logs.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let call: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(call["findings"]["EMAIL"], 1, "{call}");
    assert_eq!(call["answer_findings"], serde_json::json!({}), "its own value is no finding");
    assert!(call["timeline"]["upstream"].as_u64().is_some(), "{call}");
    let table = binary::run(&[&["logs"], &files[..]].concat());
    assert!(String::from_utf8_lossy(&table.stdout).contains("gpt-4o-mini"));
}

#[test]
fn a_second_proxy_on_the_same_state_is_told_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = folder(&provider, "");
    let _first = start(folder.path());
    let config = folder.path().join("iron.toml");
    let state = folder.path().join("state.db");
    let second = binary::run(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--config",
        config.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
    ]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another"), "{said}");
}

#[test]
fn the_demo_tells_its_story() {
    let output = binary::run(&["demo"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["<EMAIL_", "ada@example.org", "402", "503", "well again"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn wrong_words_and_wrong_files_have_their_exit_codes() {
    assert_eq!(binary::run(&["fly"]).status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("iron.toml");
    std::fs::write(&config, "[proxy]\nlisten = \"127.0.0.1:0\"\nlimt = 3\n").unwrap();
    let output = binary::run(&["policy", "check", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("line 3") && said.contains("limt"), "{said}");
    let absent = folder.path().join("absent.db");
    let output = binary::run(&["usage", "--state", absent.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("iron up"));
}

#[test]
fn prices_can_be_looked_up() {
    let output = binary::run(&["policy", "prices", "gpt-4o-mini", "--output", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let models = list["models"].as_array().unwrap();
    assert!(models.iter().any(|model| model["model"] == "gpt-4o-mini"), "{list}");
    assert!(list["date"].as_str().unwrap().starts_with("20"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estimate_is_corrected_once() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = folder(
        &provider,
        "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n",
    );
    let proxy = start(folder.path());
    let client = Client::new(proxy.address).header("x-simulate", "usage=none");
    let answer = client.chat("hello").await;
    let id = answer.header("x-iron-request-id").to_owned();
    assert_eq!(client.get("/_iron/status").await.status, 200);
    let config = folder.path().join("iron.toml");
    let state = folder.path().join("state.db");
    let correct = |amount: &str| {
        binary::run(&[
            "usage",
            "correct",
            &id,
            amount,
            "--reason",
            "invoice",
            "--config",
            config.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ])
    };
    let output = correct("0.00001 USD");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = Store::open(&state).unwrap();
    let totals = store.totals().unwrap();
    assert_eq!((totals.posted, totals.estimated), (NanoUsd(10_000), NanoUsd::ZERO));
    assert_eq!(store.accounts().unwrap()[0].posted, NanoUsd(10_000));
    let again = correct("0.5 USD");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("final"));
    // The journal and the balances still agree at the next start.
    drop(proxy);
    assert!(start(folder.path()).terminate());
    assert_eq!(Store::open(&state).unwrap().accounts().unwrap()[0].posted, NanoUsd(10_000));
}
