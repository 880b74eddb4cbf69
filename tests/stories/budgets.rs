//! Money: exact, in every scope, under any concurrency.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use iron_cli::simulator::Behaviour;
use iron_policy::types::NanoUsd;
use iron_proxy::state::Store;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream, message};
use serde_json::json;

fn organisation(limit: NanoUsd) -> String {
    let limit = limit.to_string();
    format!("[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"{limit}\"\n")
}

#[tokio::test]
async fn of_five_hundred_parallel_calls_exactly_the_sound_number_is_served() {
    let measured = World::plain().await;
    measured.client().chat("x").await;
    let bound = measured.calls().await[0].reserved;
    // The provider answers nobody until as many calls came as bounds fit into the limit, so
    // nothing is settled while the rest is refused.
    let fits = 40;
    let limit = NanoUsd(bound.0 * fits + bound.0 / 2);
    let world = World::with(&organisation(limit)).await;
    let (held, gate) = Behaviour::hold();
    world.provider.always(held);
    let client = world.client();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let client = client.clone();
        calls.spawn(async move { client.chat("x").await.status.as_u16() });
    }
    let mut refused = 0;
    while refused < 500 - fits {
        assert_eq!(calls.join_next().await.unwrap().unwrap(), 402);
        refused += 1;
    }
    let open = Store::open(&world.state()).unwrap().totals().unwrap();
    assert_eq!(open.pending.0, bound.0 * fits);
    gate.open();
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap(), 200);
    }
    let totals = world.totals().await;
    assert!(totals.posted <= limit && totals.pending == NanoUsd::ZERO);
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(world.provider.counts().received, fits as u64);
}

#[tokio::test]
async fn checking_first_and_adding_afterwards_overspends() {
    // The control of the story above: the same kind of load under a guard that looks at what was
    // spent before a call and adds its cost after it.
    let world = World::plain().await;
    world.client().chat("x").await;
    let cost = world.provider.bill().total_nano_usd;
    let limit = 20 * cost;
    let (held, gate) = Behaviour::hold();
    world.provider.always(held);
    let spent = Arc::new(AtomicI64::new(cost));
    let client = world.client();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (client, spent) = (client.clone(), Arc::clone(&spent));
        calls.spawn(async move {
            if spent.load(Ordering::SeqCst) + cost <= limit {
                client.chat("x").await;
                spent.fetch_add(cost, Ordering::SeqCst);
            }
        });
    }
    world.provider.until(|counts| counts.received == 101).await;
    gate.open();
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert!(world.provider.bill().total_nano_usd > limit, "the control did not overspend");
}

#[tokio::test]
async fn a_refusal_says_what_is_left_and_what_to_do() {
    let world = World::with(
        "[[budget]]\nscope = \"agent:small\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n",
    )
    .await;
    let answer = world.client().header("x-iron-agent", "small").chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (402, "insufficient_quota"));
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(answer.header("x-iron-refused-by"), "proxy");
    let said = answer.text();
    for part in ["agent:small", "$0.000001", "day", "iron.toml", "max_tokens"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(world.client().header("x-iron-agent", "large").chat("hello").await.status, 200);
    assert_eq!(world.provider.received().len(), 1);
}

#[tokio::test]
async fn every_scope_is_charged() {
    let world = World::with(
        "[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"100 USD\"\n\
         [[budget]]\nscope = \"project:web\"\nwindow = \"month\"\nlimit = \"50 USD\"\n\
         [[budget]]\nscope = \"agent:*\"\nwindow = \"day\"\nlimit = \"10 USD\"\n\
         [[budget]]\nscope = \"model:gpt-4o*\"\nwindow = \"week\"\nlimit = \"1 USD\"\n",
    )
    .await;
    let client = world.client().header("x-iron-agent", "a").header("x-iron-project", "web");
    assert_eq!(client.chat("hello").await.status, 200);
    let bill = world.provider.bill().total_nano_usd;
    world.shared.ledger.flush().await;
    let accounts = Store::open(&world.state()).unwrap().accounts().unwrap();
    let mut scopes: Vec<_> = accounts.iter().map(|account| account.scope.as_str()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["agent:a", "model:gpt-4o*", "organisation", "project:web"]);
    assert!(accounts.iter().all(|account| account.posted.0 == bill && account.pending.0 == 0));
}

#[tokio::test]
async fn a_call_is_charged_what_the_provider_bills_class_by_class() {
    let world = World::plain().await;
    for directive in [
        "input=1000; output=10",
        "input=500; cache-read=500; output=7",
        "input=10; output=5; reasoning=30",
        "usage=zero",
        "usage=twice",
        "crlf",
        "unterminated",
    ] {
        let client = world.client().header("x-simulate", directive);
        assert_eq!(client.chat("hello").await.status, 200, "{directive}");
        client.stream("/v1/chat/completions", &chat_stream("hello")).await.rest().await;
        let totals = world.totals().await;
        assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd, "{directive}");
    }
    let directive = "input=100; cache-read=2000; cache-write=300; output=40";
    let anthropic = world.anthropic().header("x-simulate", directive);
    assert_eq!(anthropic.post("/v1/messages", &message("hello")).await.status, 200);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.estimated.0, 0);
}

#[tokio::test]
async fn an_answer_without_usage_is_charged_whole_and_marked() {
    let world = World::plain().await;
    let answer = world.client().header("x-simulate", "usage=none").chat("hello").await;
    assert_eq!(answer.status, 200);
    let call = &world.calls().await[0];
    assert!(call.estimated);
    assert_eq!(call.posted, call.reserved);
    assert!(call.posted.0 >= world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn what_has_no_price_is_refused() {
    let world = World::plain().await;
    let mut body = chat("hello");
    body["model"] = json!("a-model-nobody-knows");
    let answer = world.client().post("/v1/chat/completions", &body).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_model"));
    assert!(answer.text().contains("[[price]]"), "{}", answer.text());
    let answer = world.client().post("/v1/vector_stores", &json!({"name": "x"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_endpoint"));
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn a_price_of_the_operators_is_used() {
    let world = World::with(
        "[[price]]\nmodel = \"gpt-4o-mini\"\ninput = \"1000 USD\"\noutput = \"1000 USD\"\n\
         max_output_tokens = 100\n",
    )
    .await;
    world.client().header("x-simulate", "input=3; output=2").chat("hello").await;
    assert_eq!(world.totals().await.posted, NanoUsd(5_000_000));
}

#[tokio::test]
async fn a_clamped_call_is_shortened_instead_of_refused() {
    let limit = NanoUsd(1_000_000);
    let world = World::with(&format!("{}[reserve]\nclamp = true\n", organisation(limit))).await;
    let mut body = chat("hello");
    body["max_tokens"] = json!(16_000);
    let answer = world.client().post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: serde_json::Value = serde_json::from_str(&world.last_received()).unwrap();
    let clamped = sent["max_tokens"].as_u64().unwrap();
    assert!(clamped > 100 && clamped < 2_000, "{clamped}");
    let reserved = world.calls().await[0].reserved;
    assert!(reserved <= limit && reserved > NanoUsd(990_000), "{reserved}");
}

#[tokio::test]
async fn a_limit_that_the_proxy_writes_stands_once_also_when_it_is_lowered() {
    let limit = NanoUsd(1_000_000);
    let reserve = "[reserve]\nclamp = true\ndefault_max_output = 16000\n";
    let world = World::with(&format!("{}{reserve}", organisation(limit))).await;
    let mut body = chat("hello");
    body.as_object_mut().unwrap().remove("max_tokens");
    let answer = world.client().post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = world.last_received();
    assert_eq!(sent.matches("max_completion_tokens").count(), 1, "{sent}");
    let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
    assert!(sent["max_completion_tokens"].as_u64().unwrap() < 2_000, "{sent}");
    assert!(world.calls().await[0].reserved <= limit);
}

#[tokio::test]
async fn what_was_spent_is_there_after_a_restart() {
    let world = World::with(&organisation(NanoUsd::usd(1))).await;
    world.client().chat("hello").await;
    let before = world.totals().await;
    let folder = world.stop().await;
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    assert!(before.posted > NanoUsd::ZERO);
    assert_eq!(store.totals().unwrap().posted, before.posted);
}

#[tokio::test]
async fn nothing_is_sent_while_a_reservation_cannot_be_committed() {
    let world = World::with(&organisation(NanoUsd::usd(1))).await;
    assert_eq!(world.client().chat("hello").await.status, 200);
    world.shared.ledger.flush().await;
    let other = rusqlite::Connection::open(world.state()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = world.client().chat("hello").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "ledger_unavailable"));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(world.provider.counts().received, 1);
    assert_eq!(world.client().get("/_iron/ready").await.status, 503);
    other.execute_batch("ROLLBACK").unwrap();
    // The ledger finds out by itself that it can write again.
    for _ in 0..500 {
        if world.client().get("/_iron/ready").await.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.client().chat("hello").await.status, 200);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
}
