//! Batches: held for when they are made, charged to the nano-USD when their results are fetched,
//! and nothing is lost or charged twice on the way.

use std::path::Path;

use iron_cli::simulator::{At, BatchEnd, Behaviour, Gate, Mishap, Simulator};
use iron_policy::types::NanoUsd;
use iron_proxy::state::{Ledger, Options, Store};
use iron_tests::World;
use iron_tests::binary::{self, Proxy};
use iron_tests::client::{Answer, Client, message};
use serde_json::{Value, json};

const BUDGET: &str = "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n";

fn line(id: &str, model: &str, text: &str) -> String {
    let body =
        json!({"model": model, "max_tokens": 32, "messages": [{"role": "user", "content": text}]});
    json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body})
        .to_string()
}

async fn upload(client: &Client, lines: &[String]) -> String {
    let client = client.clone().header("content-type", "multipart/form-data; boundary=b");
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"b.jsonl\"\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\n")
    );
    let answer = client.post_bytes("/v1/files", body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn make(client: &Client, file: &str) -> Answer {
    let body = json!({"input_file_id": file, "endpoint": "/v1/chat/completions",
        "completion_window": "24h"});
    client.post("/v1/batches", &body).await
}

async fn made(client: &Client, file: &str) -> String {
    let answer = make(client, file).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn results(client: &Client, batch: &str) -> Answer {
    let shown = client.get(&format!("/v1/batches/{batch}")).await.json();
    let output = shown["output_file_id"].as_str().unwrap().to_owned();
    client.get(&format!("/v1/files/{output}/content")).await
}

fn two() -> Vec<String> {
    vec![
        line("1", "gpt-4o-mini", "mail ada@example.org"),
        line("2", "gpt-4o-mini", "a second, longer one"),
    ]
}

#[tokio::test]
async fn a_batch_is_held_when_it_is_made_and_charged_when_its_results_are_fetched() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO, "a file costs nothing");
    let batch = made(&client, &file).await;
    let held = world.totals().await;
    let bill = world.provider.bill().total_nano_usd;
    assert!(held.pending.0 >= bill && bill > 0, "{held:?} does not cover {bill}");
    assert_eq!((held.posted.0, held.calls), (0, 1));
    let waiting = Store::open(&world.state()).unwrap().batches().unwrap();
    assert_eq!((waiting[0].batch.as_str(), waiting[0].requests), (batch.as_str(), 2));

    let first = results(&client, &batch).await;
    assert_eq!(first.status.as_u16(), 200);
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0, totals.estimated.0), (bill, 0, 0));
    // What the provider was given and what it keeps are placeholders; what comes back is not.
    assert!(!world.last_received().contains("ada@"));
    assert!(first.text().contains("You said: mail ada@example.org"), "{}", first.text());
    assert_eq!(first.text().lines().count(), 2);

    let again = client.get(&format!("/v1/batches/{batch}")).await.json();
    let output = again["output_file_id"].as_str().unwrap();
    let second = client.get(&format!("/v1/files/{output}/content")).await;
    assert_eq!(second.text(), first.text());
    assert_eq!(world.totals().await.posted.0, bill, "fetched twice, charged once");
    let calls = world.calls().await;
    let call = calls.iter().find(|call| call.endpoint == "batches").unwrap();
    assert_eq!((call.model.as_str(), call.posted.0, call.estimated), ("gpt-4o-mini", bill, false));
    assert!(call.usage["output"].as_u64().unwrap() > 0, "{call:?}");
    assert!(Store::open(&world.state()).unwrap().batches().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_did_not_pass_here_or_has_no_bound_makes_no_batch() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let unpriced = upload(&client, &[line("1", "unheard-of", "x")]).await;
    let odd = upload(&client, &["{\"custom_id\":\"1\"}".to_owned()]).await;
    let sent = world.provider.counts().received;
    for (file, said) in [
        ("file-elsewhere", "was not uploaded through this proxy"),
        (&unpriced, "line 1: no price is known for the model `unheard-of`"),
        (&odd, "line 1: it is no request whose cost can be known"),
    ] {
        let answer = make(&client, file).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_batch"));
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    let file = upload(&client, &two()).await;
    let other = json!({"input_file_id": file, "endpoint": "/v1/embeddings"});
    let answer = client.post("/v1/batches", &other).await;
    assert!(answer.text().contains("are for /v1/chat/completions"), "{}", answer.text());
    assert_eq!(world.provider.counts().received, sent + 1, "only the upload was sent");
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_batch_beyond_the_budget_is_refused_and_holds_nothing() {
    let world = World::with(
        "[[budget]]\nscope = \"model:gpt-4o\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n",
    )
    .await;
    let client = world.client();
    // The first model has no budget, the second one has too little: neither is held.
    let lines = [line("1", "gpt-4o-mini", "x"), line("2", "gpt-4o", "y")];
    let file = upload(&client, &lines).await;
    let answer = make(&client, &file).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (402, "insufficient_quota"));
    let totals = world.totals().await;
    assert_eq!((totals.pending.0, totals.posted.0), (0, 0));
    assert_eq!(world.provider.bill().total_nano_usd, 0);
}

#[tokio::test]
async fn each_model_of_a_batch_is_charged_in_its_own_budget() {
    let world = World::with(
        "[[budget]]\nscope = \"model:gpt-4o\"\nwindow = \"day\"\nlimit = \"1 USD\"\n\
         [[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n",
    )
    .await;
    let client = world.client();
    let mut lines = two();
    lines.push(line("3", "gpt-4o", "the dear one"));
    // This one the provider refuses: it costs nothing.
    lines.push(
        json!({"custom_id": "4", "url": "/v1/chat/completions", "body": {"model": "gpt-4o"}})
            .to_string(),
    );
    let file = upload(&client, &lines).await;
    let batch = made(&client, &file).await;
    results(&client, &batch).await;
    let bill = world.provider.bill();
    let of = |model: &str| {
        let of = bill.by_call.iter().filter(|billed| billed.model == model);
        of.map(|billed| billed.nano_usd).sum::<i64>()
    };
    assert_eq!(world.totals().await.posted.0, bill.total_nano_usd);
    let accounts = Store::open(&world.state()).unwrap().accounts().unwrap();
    let posted = |scope: &str| accounts.iter().find(|a| a.scope == scope).unwrap().posted.0;
    assert_eq!(posted("model:gpt-4o"), of("gpt-4o"));
    assert_eq!(posted("organisation"), of("gpt-4o") + of("gpt-4o-mini"));
}

#[tokio::test]
async fn a_batch_that_came_to_nothing_costs_nothing() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    for end in ["failed", "expired"] {
        world.provider.batches_end(BatchEnd::Nothing(end));
        let batch = made(&client, &file).await;
        assert!(world.totals().await.pending.0 > 0);
        client.get(&format!("/v1/batches/{batch}")).await;
        assert_eq!(world.totals().await.pending, NanoUsd::ZERO, "{end}");
    }
    world.provider.batches_end(BatchEnd::Running);
    let batch = made(&client, &file).await;
    client.get("/v1/batches").await;
    assert!(world.totals().await.pending.0 > 0, "it may still cost something");
    client.post_bytes(&format!("/v1/batches/{batch}/cancel"), "").await;
    let totals = world.totals().await;
    assert_eq!((totals.pending.0, totals.posted.0), (0, 0));

    // A batch that the provider refuses was none.
    let refused = client.clone().header("x-simulate", "status=400");
    assert_eq!(make(&refused, &file).await.status.as_u16(), 400);
    let totals = world.totals().await;
    assert_eq!((totals.pending.0, totals.posted.0), (0, 0));
}

#[tokio::test]
async fn results_that_nobody_fetches_are_charged_whole() {
    let world = World::with(&format!("{BUDGET}[batches]\nsettle_after = \"0s\"\n")).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let batch = made(&client, &file).await;
    let held = world.totals().await.pending;
    let folder = world.stop().await;
    let state = folder.path().join("state.db");
    // At the next start the time is over.
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = folder.path().join("iron.toml");
    let upstream = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         [batches]\nsettle_after = \"0s\"\n",
        provider.url()
    );
    std::fs::write(&config, upstream).unwrap();
    let started = tokio::task::spawn_blocking({
        let (config, state) = (config.clone(), state.clone());
        move || Proxy::start(&config, &state)
    });
    let proxy = started.await.unwrap();
    let store = Store::open(&state).unwrap();
    for _ in 0..500 {
        if store.batches().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let totals = store.totals().unwrap();
    assert_eq!((totals.posted, totals.pending, totals.estimated), (held, NanoUsd::ZERO, held));
    let call = store.calls(None, 10).unwrap().into_iter().find(|c| c.endpoint == "batches");
    let call = call.unwrap();
    assert_eq!(call.reason, "batch_unclaimed", "{batch}");
    // As any estimate it can be corrected once.
    let correct = correct(&config, &state, &call.id.to_string());
    assert!(correct.status.success(), "{}", String::from_utf8_lossy(&correct.stderr));
    assert_eq!(store.totals().unwrap().posted, NanoUsd(1_000));
    drop(proxy);
}

fn correct(config: &Path, state: &Path, id: &str) -> std::process::Output {
    let files = ["--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let words = ["usage", "correct", id, "0.000001 USD", "--reason", "invoice"];
    binary::run(&[&words, &files[..]].concat())
}

#[tokio::test]
async fn a_batch_outlives_the_proxy_that_made_it() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let batch = made(&client, &file).await;
    let held = world.totals().await.pending;
    // The file as a kill would leave it, and another proxy on it.
    let copy = world.folder().join("copy.db");
    for end in ["", "-wal"] {
        let from = format!("{}{end}", world.state().display());
        std::fs::copy(from, format!("{}{end}", copy.display())).unwrap();
    }
    let config = world.folder().join("iron.toml");
    let upstream = format!(
        "{BUDGET}[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\n",
        world.provider.url()
    );
    std::fs::write(&config, upstream).unwrap();
    let started = tokio::task::spawn_blocking({
        let (config, copy) = (config.clone(), copy.clone());
        move || Proxy::start(&config, &copy)
    });
    let proxy = started.await.unwrap();
    let totals = Store::open(&copy).unwrap().totals().unwrap();
    assert_eq!((totals.pending, totals.posted), (held, NanoUsd::ZERO));
    let files = ["--config", config.to_str().unwrap(), "--state", copy.to_str().unwrap()];
    let status = binary::run(&[&["status", "--output", "json"], &files[..]].concat());
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["batches"][0]["batch"], batch.as_str(), "{status}");
    assert_eq!(status["batches"][0]["reserved_nano_usd"], held.0);

    let client = Client::new(proxy.address);
    // The file is still known, and so is the batch.
    assert_eq!(results(&client, &batch).await.text().lines().count(), 2);
    let again = made(&client, &file).await;
    results(&client, &again).await;
    assert!(tokio::task::spawn_blocking(move || proxy.terminate()).await.unwrap());
    let totals = Store::open(&copy).unwrap().totals().unwrap();
    let bill = world.provider.bill().total_nano_usd;
    assert_eq!((totals.posted.0, totals.pending.0, totals.estimated.0), (bill, 0, 0));
    // The journal and the balances agree, also about a call that is older than the last start.
    let (_ledger, recovery) = Ledger::open(&copy, &Options::default()).unwrap();
    assert_eq!((recovery.recovered, recovery.repaired), (0, 0));
}

#[tokio::test]
async fn results_that_are_not_all_there_settle_nothing() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let batch = made(&client, &file).await;
    let held = world.totals().await.pending;
    let shown = client.get(&format!("/v1/batches/{batch}")).await.json();
    let path = format!("/v1/files/{}/content", shown["output_file_id"].as_str().unwrap());
    let whole = client.get(&path).await.text();
    let bill = world.provider.bill().total_nano_usd;
    assert_eq!(world.totals().await.posted.0, bill);

    // Another one, of which only a line comes.
    let batch = made(&client, &file).await;
    let shown = client.get(&format!("/v1/batches/{batch}")).await.json();
    let path = format!("/v1/files/{}/content", shown["output_file_id"].as_str().unwrap());
    let first = whole.lines().next().unwrap().to_owned();
    world.provider.script([
        Behaviour::literal(200, "application/octet-stream", first.clone()),
        Behaviour::literal(206, "application/octet-stream", first),
    ]);
    for _ in 0..2 {
        client.get(&path).await;
        assert_eq!(world.totals().await.pending, held);
    }
    client.get(&path).await;
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (world.provider.bill().total_nano_usd, 0));
}

#[tokio::test]
async fn results_are_asked_for_whole_whatever_part_the_client_wants() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let batch = made(&client, &file).await;
    let part = client.clone().header("range", "bytes=5-").header("if-range", "\"tag\"");
    let answer = results(&part, &batch).await;
    assert_eq!((answer.status.as_u16(), answer.text().lines().count()), (200, 2));
    assert!(answer.text().contains("ada@example.org"), "{}", answer.text());
    let asked = world.provider.received().pop().unwrap();
    assert!(asked.path.ends_with("/content"), "{asked:?}");
    assert!(!asked.headers.contains_key("range") && !asked.headers.contains_key("if-range"));
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (world.provider.bill().total_nano_usd, 0));
}

#[tokio::test]
async fn results_that_the_client_leaves_settle_nothing() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let batch = made(&client, &file).await;
    let shown = client.get(&format!("/v1/batches/{batch}")).await.json();
    let path = format!("/v1/files/{}/content", shown["output_file_id"].as_str().unwrap());
    let held = world.totals().await.pending;
    let gate = Gate::new();
    world.provider.script([Behaviour::default().at(At::Byte(100), Mishap::Hold(gate))]);
    let leaving = tokio::spawn({
        let (client, path) = (client.clone(), path.clone());
        async move { client.get(&path).await }
    });
    world.provider.until(|counts| counts.received > counts.answered).await;
    leaving.abort();
    world.provider.until(|counts| counts.cancelled == 1).await;
    assert_eq!(world.totals().await.pending, held);
    client.get(&path).await;
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (world.provider.bill().total_nano_usd, 0));
}

#[tokio::test]
async fn a_batch_whose_maker_is_killed_before_its_id_came_is_charged_whole() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let file = upload(&client, &two()).await;
    let (slow, _gate) = Behaviour::hold();
    world.provider.script([slow]);
    let making = tokio::spawn(async move { make(&client, &file).await });
    world.provider.until(|counts| counts.received == 2).await;
    let held = world.totals().await.pending;
    assert!(held.0 > 0);
    // The file as a kill would leave it at this moment.
    let copy = world.folder().join("copy.db");
    for end in ["", "-wal"] {
        let from = format!("{}{end}", world.state().display());
        std::fs::copy(from, format!("{}{end}", copy.display())).unwrap();
    }
    let (_ledger, recovery) = Ledger::open(&copy, &Options::default()).unwrap();
    assert_eq!((recovery.recovered, recovery.repaired), (1, 0));
    let totals = Store::open(&copy).unwrap().totals().unwrap();
    assert_eq!((totals.posted, totals.pending, totals.estimated), (held, NanoUsd::ZERO, held));
    making.abort();
}

#[tokio::test]
async fn anthropics_batches_are_bounded_redacted_and_settled() {
    let world = World::with(BUDGET).await;
    let client = world.anthropic();
    let mut second = message("nothing to hide");
    second["model"] = json!("claude-sonnet-4-5");
    let refused = json!({"model": "claude-haiku-4-5", "max_tokens": 5});
    let body = json!({"requests": [
        {"custom_id": "a", "params": message("mail ada@example.org")},
        {"custom_id": "b", "params": second},
        {"custom_id": "c", "params": refused},
    ]});
    let answer = client.post("/v1/messages/batches", &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert!(!world.last_received().contains("ada@"), "{}", world.last_received());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let bill = world.provider.bill().total_nano_usd;
    assert!(world.totals().await.pending.0 >= bill && bill > 0);

    let shown = client.get(&format!("/v1/messages/batches/{id}")).await.json();
    let url = shown["results_url"].as_str().unwrap();
    // SDKs fetch the results from there: it must lead here.
    let here = format!("http://{}/v1/messages/batches/{id}/results", world.address);
    assert_eq!(url, here);
    let results = client.get(&format!("/v1/messages/batches/{id}/results")).await;
    assert_eq!(results.text().lines().count(), 3);
    assert!(results.text().contains("You said: mail ada@example.org"), "{}", results.text());
    client.get(&format!("/v1/messages/batches/{id}/results")).await;
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0, totals.estimated.0), (bill, 0, 0));

    world.provider.batches_end(BatchEnd::Running);
    let answer = client.post("/v1/messages/batches", &body).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert!(world.totals().await.pending.0 > 0);
    client.post_bytes(&format!("/v1/messages/batches/{id}/cancel"), "").await;
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (bill, 0));
}
