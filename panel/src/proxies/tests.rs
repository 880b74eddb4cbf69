//! Proxies and what they are told, on both engines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::access::Role;
use crate::testing::worlds;
use crate::tokens::tests::known;

#[tokio::test]
async fn a_proxys_credential_is_shown_once_and_worth_nothing_after_its_removal() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let added = admin.post("/api/v1/proxies", &json!({"name": "edge-1"})).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let credential = added.json["credential"].as_str().unwrap().to_owned();
        assert_eq!(credential.len(), "iron_proxy_".len() + 43);
        let again = admin.post("/api/v1/proxies", &json!({"name": "edge-1"})).await;
        assert_eq!((again.status, &again.json["code"]), (409, &json!("proxy_exists")));
        for name in ["local", "changes", "two words", ""] {
            assert_eq!(admin.post("/api/v1/proxies", &json!({"name": name})).await.status, 400);
        }

        let proxy = world.with_bearer(&credential);
        let mut asks = known(&json!({"marks": {}}), 0);
        asks["listens"] = json!("10.0.0.5:4141");
        let first = proxy.post("/api/v1/proxies/changes", &asks).await;
        assert_eq!(first.status, 200, "{}", first.text);
        assert!(first.json["issuer"].as_str().unwrap().starts_with("panel_"));
        for part in ["budgets", "keys", "secrets", "revocations", "stops"] {
            assert!(!first.json[part].is_null(), "{part} is there for whoever has nothing");
        }
        // It says next time how far it is, and is told nothing that it has.
        let second = proxy.post("/api/v1/proxies/changes", &known(&first.json, 0)).await;
        assert!(second.json["budgets"].is_null() && second.json["keys"].is_null());
        let shown = admin.get("/api/v1/proxies/edge-1").await;
        assert_eq!((&shown.json["up"], &shown.json["version"]), (&json!(true), &json!("0.1.0")));
        assert_eq!(shown.json["marks"], first.json["marks"]);
        assert!(!shown.text.contains(&credential));
        world.panel.clock.turn(61_000);
        assert_eq!(admin.get("/api/v1/proxies").await.json["items"][0]["up"], json!(false));

        assert_eq!(admin.send("DELETE", "/api/v1/proxies/edge-1", None).await.status, 204);
        assert_eq!(proxy.post("/api/v1/proxies/changes", &asks).await.status, 401);
        assert_eq!(admin.send("DELETE", "/api/v1/proxies/edge-1", None).await.status, 404);
        // The name may be used again, with another credential.
        let anew = admin.post("/api/v1/proxies", &json!({"name": "edge-1"})).await;
        assert_eq!(anew.status, 201);
        assert_ne!(anew.json["credential"], json!(credential));
        assert_eq!(proxy.post("/api/v1/proxies/changes", &asks).await.status, 401);
    }
}

#[tokio::test]
async fn a_proxy_that_waits_is_told_when_it_is_removed() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let proxy = world.as_proxy("edge").await;
        let asks = known(&json!({"marks": {}}), 0);
        let first = proxy.post("/api/v1/proxies/changes", &asks).await.json;
        let waiting = tokio::spawn(async move {
            proxy.post("/api/v1/proxies/changes", &known(&first, 25_000)).await
        });
        while !world.panel.wake.somebody_waits() {
            tokio::task::yield_now().await;
        }
        assert_eq!(admin.send("DELETE", "/api/v1/proxies/edge", None).await.status, 204);
        assert_eq!(waiting.await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for world in worlds().await {
        let proxy = world.as_proxy("edge").await;
        let long = "x".repeat(201);
        let with = |name: &str, value: Value| {
            let mut asks = known(&json!({"marks": {}}), 0);
            asks[name] = value;
            asks
        };
        for asks in [
            with("seal_to", json!("")),
            with("seal_to", json!("AAAA")),
            with("seal_to", json!(STANDARD.encode([1; 33]))),
            with("version", json!(long)),
            with("listens", json!(long)),
        ] {
            assert_eq!(proxy.post("/api/v1/proxies/changes", &asks).await.status, 400, "{asks}");
        }
        let admin = world.signed_in(Role::Admin).await;
        let asks = known(&json!({"marks": {}}), 0);
        assert_eq!(admin.post("/api/v1/proxies/changes", &asks).await.status, 403);
        assert_eq!(world.post("/api/v1/proxies/changes", &asks).await.status, 401);
        assert_eq!(world.as_proxy("other").await.get("/api/v1/proxies").await.status, 403);
    }
}
