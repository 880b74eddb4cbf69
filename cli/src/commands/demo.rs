//! `iron demo`: the whole story on a simulated provider, each step with what both sides saw.
//!
//! Everything runs for real — the proxy, its ledger, its breaker — on a free port and a state file
//! that is removed at the end. Only the provider is simulated.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use iron_policy::config::Policy;
use iron_policy::types::NanoUsd;
use serde_json::{Value, json};

use super::Failure;
use crate::house::{House, Maker};
use crate::local_http::{self, Answer};
use crate::output::say;
use crate::simulator::{Behaviour, Simulator};

/// The demo's policy: a small budget for one agent, a breaker that is quick to open and to try.
const POLICY: &str = r#"
[proxy]
listen = "127.0.0.1:0"
[[budget]]
scope = "agent:spender"
window = "day"
limit = "0.0002 USD"
[breaker]
consecutive_failures = 3
open_for = "400ms"
"#;

/// Tells the story; fails if a step does not do what it tells.
pub(super) async fn demo() -> Result<(), Failure> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let simulator = Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0)))
        .context("the simulated provider did not start")?;
    let maker = Maker::new(Some(simulator.url()))?;
    let policy = Policy::parse(POLICY).map_err(|error| Failure::Config(anyhow!("{error}")))?;
    let house = House::start(&policy, &folder.path().join("demo.db"), &maker).await?;
    let address = house.server.address().context("the port is gone")?;
    let shared = std::sync::Arc::clone(&house.shared);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(house.server.run(async {
        let _ = stopped.await;
    }));

    let story = Story { address, simulator };
    story.redaction().await?;
    story.budget().await?;
    story.breaker().await?;

    drop(stop);
    let _ = serving.await;
    shared.ledger.close().await;
    say("\nThat was real: the same proxy, ledger and breaker that `iron up` runs.");
    say("Start it with `iron up --simulate`, or with your own provider key set: `iron up`.");
    Ok(())
}

struct Story {
    address: SocketAddr,
    simulator: Simulator,
}

impl Story {
    async fn redaction(&self) -> anyhow::Result<()> {
        say("1. A call passes; personal data stays here\n");
        let text = "Mail the receipt for card 4242 4242 4242 4242 to ada@example.org, please.";
        let answer = self.call("assistant", text).await?;
        ensure!(answer.status() == 200, "the call was answered {}", answer.status());
        let seen = self.last_seen()?;
        let got = said(&answer)?;
        ensure!(!seen.contains("ada@example.org"), "the address reached the provider");
        ensure!(got.contains("ada@example.org"), "the address did not come back");
        say(&format!("   the caller sent    {text}"));
        say(&format!("   the provider saw   {seen}"));
        say(&format!("   the caller got     {got}"));
        say(&format!("   the provider bills {}\n", NanoUsd(self.simulator.bill().total_nano_usd)));
        Ok(())
    }

    async fn budget(&self) -> anyhow::Result<()> {
        say("2. A budget holds: the agent `spender` may spend $0.0002 a day\n");
        let mut served = 0;
        let refused = loop {
            let answer = self.call("spender", "Tell me a story.").await?;
            if answer.status() != 200 {
                break answer;
            }
            served += 1;
            ensure!(served < 100, "the budget never refused");
        };
        ensure!(refused.status() == 402, "the refusal was a {}", refused.status());
        say(&format!("   {served} calls were served, then: 402 {}\n", message(&refused)?));
        Ok(())
    }

    async fn breaker(&self) -> anyhow::Result<()> {
        say("3. A failing upstream is left alone, then tried again\n");
        self.simulator.always(Behaviour::status(500));
        let mut statuses = String::new();
        let opened = loop {
            let answer = self.call("assistant", "Are you there?").await?;
            let _ = write!(statuses, " {}", answer.status().as_u16());
            if answer.status() == 503 {
                break answer;
            }
            ensure!(statuses.len() < 100, "the breaker never opened");
        };
        say(&format!("   the upstream fails:{statuses} — {}", message(&opened)?));
        self.simulator.heal();
        let before = self.simulator.counts().received;
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.call("assistant", "Are you there?").await?;
            if answer.status() == 200 {
                break;
            }
            ensure!(waited < Duration::from_secs(10), "the breaker never closed");
            tokio::time::sleep(Duration::from_millis(100)).await;
            waited += Duration::from_millis(100);
        }
        let probes = self.simulator.counts().received - before;
        say(&format!(
            "   it is well again: after {waited:?}, {probes} probe was let through and answered"
        ));
        Ok(())
    }

    async fn call(&self, agent: &str, text: &str) -> anyhow::Result<Answer> {
        let body = json!({
            "model": "gpt-4o-mini",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": text}],
        });
        let request = Request::post("/v1/chat/completions")
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("x-iron-agent", agent)
            .body(Full::new(Bytes::from(body.to_string())))?;
        local_http::send(self.address, request).await
    }

    /// The last user text as it reached the provider.
    fn last_seen(&self) -> anyhow::Result<String> {
        let received = self.simulator.received();
        let last = received.last().context("the provider saw no call")?;
        let body: Value = serde_json::from_slice(&last.body)?;
        Ok(body["messages"][0]["content"].as_str().unwrap_or_default().to_owned())
    }
}

fn said(answer: &Answer) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(answer.body())?;
    Ok(body["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned())
}

fn message(answer: &Answer) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(answer.body())?;
    Ok(body["error"]["message"].as_str().unwrap_or_default().to_owned())
}
