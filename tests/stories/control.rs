//! What a program of the same user may ask of a running proxy: runs with budgets of their own.

use iron_policy::types::NanoUsd;
use iron_proxy::control::{published, token_file};
use iron_proxy::runs::Runs;
use iron_tests::client::chat;
use iron_tests::{Answer, Client, Through, World};
use serde_json::{Value, json};

/// A client that carries the proxy's control token.
fn controller(world: &World) -> Client {
    let token = published(&world.state()).unwrap().token;
    world.client().without("authorization").header("authorization", &format!("Bearer {}", *token))
}

async fn announce(world: &World, run: &Value) -> Answer {
    controller(world).post("/_iron/control/runs", run).await
}

async fn receipt(world: &World, run: &str) -> Value {
    let answer = controller(world).get(&format!("/_iron/control/runs/{run}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn only_who_can_read_the_token_may_steer() {
    let world = World::plain().await;
    let run = json!({"id": "r", "agent": "a", "budget": "$1"});
    for client in [world.client(), world.client().without("authorization")] {
        let answer = client.post("/_iron/control/runs", &run).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(answer.text().contains("token"), "{}", answer.text());
    }
    let page = controller(&world).header("origin", "https://evil.example");
    assert_eq!(page.post("/_iron/control/runs", &run).await.status, 403);
    assert_eq!(announce(&world, &run).await.status, 201);
    // A second run under the same id would change what the first one may spend.
    assert_eq!(announce(&world, &run).await.status, 409);
    for wrong in [
        json!({"id": "r2"}),
        json!({"id": "a b", "agent": "a"}),
        json!({"id": "r2", "agent": "a", "budget": "much"}),
        json!({"id": "r2", "agent": "a", "budget": "0 USD"}),
        json!({"id": "r2", "agent": "a", "parent": "unknown"}),
        json!({"id": "r2", "agent": "a", "limit": 5}),
    ] {
        assert_eq!(announce(&world, &wrong).await.status, 400, "{wrong}");
    }
    let controller = controller(&world);
    assert_eq!(controller.get("/_iron/control/runs/r2").await.status, 404);
    assert_eq!(controller.get("/_iron/control/agents").await.status, 404);
    assert_eq!(controller.get("/_iron/control/runs").await.status, 405);
    let state = world.state();
    let _folder = world.stop().await;
    assert!(!token_file(&state).exists(), "the token outlived its proxy");
    // A proxy that starts again on this state holds the run to its budget as before.
    assert_eq!(Runs::of(&state).unwrap().holds(&"r".parse().unwrap())[0].limit, NanoUsd::usd(1));
}

#[tokio::test]
async fn a_run_is_held_to_its_own_budget_and_to_those_of_the_runs_it_stands_in() {
    let world = World::plain().await;
    let client = world.client();
    client.chat("what does it cost?").await;
    let bound = world.calls().await[0].reserved;
    let outer = format!("0.{:09} USD", bound.0 * 3 / 2);
    let run = json!({"id": "outer", "agent": "a", "budget": outer});
    assert_eq!(announce(&world, &run).await.status, 201);
    let run = json!({"id": "inner", "agent": "a", "parent": "outer", "budget": "5usd"});
    assert_eq!(announce(&world, &run).await.status, 201);
    let path = "/agent/a/run/inner/depth/1/v1/chat/completions";
    let mut served = 1;
    let refused = loop {
        let answer = client.post(path, &chat("what does it cost?")).await;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        assert!(served < 1_000, "the budget never refused");
    };
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (402, "insufficient_quota"));
    assert!(refused.text().contains("run:outer"), "{}", refused.text());
    assert!(refused.text().contains("--budget"), "{}", refused.text());

    let bill = world.provider.bill();
    let first = bill.by_call[0].nano_usd;
    let (inner, outer) = (receipt(&world, "inner").await, receipt(&world, "outer").await);
    for told in [&inner, &outer] {
        assert_eq!(told["nano_usd"], bill.total_nano_usd - first);
        assert_eq!(told["calls"], served);
        assert_eq!(told["outcomes"], json!({"ok": served - 1, "refused": 1}));
        assert_eq!(told["refused"], json!({"budget_exhausted": 1}));
        assert_eq!(told["budget"]["posted_nano_usd"], told["nano_usd"]);
        assert_eq!(told["upstreams"]["openai"]["calls"], served - 1);
        assert!(told["overhead_micros"]["p95"].as_u64().unwrap() > 0);
    }
    let left = NanoUsd(outer["budget"]["left_nano_usd"].as_i64().unwrap());
    assert!(left < bound, "{left} were left, and a call may cost {bound}");
    // Calls of others are not held to it.
    assert_eq!(client.chat("what does it cost?").await.status, 200);
}

#[tokio::test]
async fn a_receipt_counts_what_was_found_and_what_was_cached() {
    let world = World::with("[redact]\nanswers = \"detect\"\n").await;
    announce(&world, &json!({"id": "r", "agent": "a"})).await;
    let client = world.client().header("x-iron-session", "r");
    let client = client.header("x-simulate", "input=100; cache-read=900; output=20");
    client.chat("mail ada@example.org and bob@example.org").await;
    client.post("/v1/chat/completions", &json!({"model": "nobody-knows"})).await;
    let told = receipt(&world, "r").await;
    assert_eq!(told["findings"], json!({"EMAIL": 2}));
    assert_eq!(
        (&told["input_tokens"], &told["cached_tokens"], &told["output_tokens"]),
        (&json!(1000), &json!(900), &json!(20))
    );
    assert_eq!(told["refused"].as_object().unwrap().len(), 1);
    assert_eq!(told["nano_usd"], world.provider.bill().total_nano_usd);
    assert_eq!(told["budget"], Value::Null);
}

#[tokio::test]
async fn tunnels_of_a_run_are_counted_and_a_strict_run_has_none() {
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = host.local_addr().unwrap().port();
    let world = World::with(&format!("[connect]\nprivate = [\"127.0.0.1:{port}\"]\n")).await;
    announce(&world, &json!({"id": "open", "agent": "a"})).await;
    announce(&world, &json!({"id": "strict", "agent": "a", "strict": true})).await;
    announce(&world, &json!({"id": "within", "agent": "a", "parent": "strict"})).await;
    let place = format!("127.0.0.1:{port}");
    let as_run = |run: &str| Through::new(&world).named(&format!("a:run={run}"));
    let _open = as_run("open").connect(&place).await.unwrap();
    assert_eq!(receipt(&world, "open").await["tunnels"], json!({"127.0.0.1": 1}));
    // Whatever its program says of itself: it was announced so, or stands in a run that was.
    for run in ["strict", "within"] {
        assert!(as_run(run).connect(&place).await.is_err(), "{run}");
        assert_eq!(receipt(&world, run).await["tunnels"], json!({}));
    }
}
