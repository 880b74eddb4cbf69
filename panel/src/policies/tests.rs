//! Policies as admins and proxies see them, on both engines.

use serde_json::{Value, json};

use crate::api::access::Role;
use crate::testing::{World, worlds};
use crate::tokens::tests::known;

const ONE: &str = "[[budget]]\nscope = \"organisation\"\nlimit = \"5 USD\"\nwindow = \"day\"\n";
const TWO: &str = "[[budget]]\nscope = \"organisation\"\nlimit = \"9 USD\"\nwindow = \"day\"\n";

async fn held(proxy: &World, after: &Value) -> Value {
    let answer = proxy.post("/api/v1/proxies/changes", &known(after, 0)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[tokio::test]
async fn a_policy_is_checked_kept_put_in_force_and_rolled_back() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let proxy = world.as_proxy("edge").await;
        let nothing = held(&proxy, &json!({"marks": {}})).await;
        assert!(nothing["policy"].is_null(), "a panel without a policy has none to give");

        let first = admin.post("/api/v1/policies", &json!({"toml": ONE, "note": "begin"})).await;
        assert_eq!((first.status, &first.json["number"]), (201, &json!(1)), "{}", first.text);
        assert_eq!(first.json["active"], json!(false));
        assert!(held(&proxy, &nothing).await["policy"].is_null(), "kept is not in force");
        assert_eq!(admin.post("/api/v1/policies/1/activate", &json!({})).await.status, 200);
        let one = held(&proxy, &nothing).await;
        assert_eq!(one["policy"], json!({"version": 1, "toml": ONE}));
        let second = json!({"toml": TWO, "note": "more", "activate": true});
        let second = admin.post("/api/v1/policies", &second).await;
        assert_eq!((&second.json["number"], &second.json["active"]), (&json!(2), &json!(true)));
        let two = held(&proxy, &one).await;
        assert_eq!(two["policy"]["toml"], TWO);
        // Again is no change.
        assert_eq!(admin.post("/api/v1/policies/2/activate", &json!({})).await.status, 200);
        assert_eq!(held(&proxy, &two).await["marks"], two["marks"]);
        // Back.
        assert_eq!(admin.post("/api/v1/policies/1/activate", &json!({})).await.status, 200);
        assert_eq!(held(&proxy, &two).await["policy"]["version"], json!(1));

        let listed = admin.get("/api/v1/policies?limit=1").await;
        assert_eq!(listed.json["items"][0]["number"], json!(2));
        let next = listed.json["next"].as_str().unwrap();
        let listed = admin.get(&format!("/api/v1/policies?limit=1&cursor={next}")).await;
        assert_eq!(listed.json["items"][0]["note"], "begin");
        assert_eq!(
            (&listed.json["items"][0]["active"], &listed.json["next"]),
            (&json!(true), &json!(null))
        );
        assert_eq!(admin.get("/api/v1/policies/2").await.json["toml"], TWO);
        for path in ["/api/v1/policies/3", "/api/v1/policies/0"] {
            assert_eq!(admin.get(path).await.status, 404);
        }
        assert_eq!(admin.post("/api/v1/policies/3/activate", &json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn what_does_not_hold_together_is_refused_with_its_line_and_changes_nothing() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        for (toml, line) in [
            ("\n\n[[budget]]\nscope = \"nobody\"\nlimit = \"1 USD\"\n", 4),
            ("\n[proxy]\nlisten = \"0.0.0.0:1\"\n", 2),
            ("[redact]\nsecret_file = \"/etc/shadow\"\n", 2),
            ("x = [\n", 1),
        ] {
            let answer = admin.post("/api/v1/policies", &json!({"toml": toml})).await;
            assert_eq!((answer.status, &answer.json["code"]), (422, &json!("policy_invalid")));
            let checked = admin.post("/api/v1/policies/check", &json!({"toml": toml})).await;
            assert_eq!((checked.status, &checked.json["valid"]), (200, &json!(false)));
            let said = checked.json["line"].as_u64().unwrap();
            assert!(said.abs_diff(line) <= 1, "{toml}: line {said}");
            assert!(answer.text.contains(&format!("line {said}")), "{}", answer.text);
        }
        let long = format!("# {}", "x".repeat(300 << 10));
        assert_eq!(admin.post("/api/v1/policies", &json!({"toml": long})).await.status, 422);
        assert_eq!(admin.get("/api/v1/policies").await.json["items"], json!([]));
        let viewer = world.signed_in(Role::Viewer).await;
        assert_eq!(viewer.post("/api/v1/policies", &json!({"toml": ""})).await.status, 403);
        let checked = viewer.post("/api/v1/policies/check", &json!({"toml": ""})).await;
        assert_eq!(checked.json["valid"], json!(true));
    }
}

#[tokio::test]
async fn a_policy_is_tried_on_the_calls_of_all_proxies_before_it_goes_live() {
    use iron_policy::control::{Batch, CallRecord, FindingCount};
    use iron_policy::types::CallId;

    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let call = |minutes_ago: i64, cents: i64, kind: &str| CallRecord {
            id: CallId::first_at(now - minutes_ago * 60_000).0,
            agent: Some("researcher".to_owned()),
            model: "gpt-4o-mini".to_owned(),
            upstream: Some("openai".to_owned()),
            endpoint: "chat".to_owned(),
            outcome: "ok".to_owned(),
            reason: "ok".to_owned(),
            reserved: cents * 10_000_000,
            posted: cents * 10_000_000,
            findings: vec![FindingCount { kind: kind.to_owned(), count: 2 }],
            ..CallRecord::default()
        };
        for name in ["edge-1", "edge-2"] {
            let proxy = world.as_proxy(name).await;
            // The same ids at both proxies, and one from before.
            let calls = vec![call(9, 40, "EMAIL"), call(3, 40, "IBAN"), call(200, 1, "EMAIL")];
            let batch = Batch { calls, ..Batch::default() };
            let taken = proxy.post("/api/v1/ingest", &serde_json::to_value(&batch).unwrap()).await;
            assert_eq!((taken.status, &taken.json["new"]), (200, &json!(3)), "{}", taken.text);
        }
        let toml = "[[budget]]\nscope = \"agent:researcher\"\nwindow = \"total\"\nlimit = \"1 USD\"\n\
                    [redact.kinds]\nIBAN = \"block\"\n";
        let asks = json!({"toml": toml, "since_s": 3600});
        let report = admin.post("/api/v1/policies/replay", &asks).await;
        assert_eq!(report.status, 200, "{}", report.text);
        assert_eq!(
            (&report.json["calls"], &report.json["posted"]),
            (&json!(4), &json!(1_600_000_000))
        );
        assert_eq!(report.json["refused"]["finding: IBAN"]["calls"], json!(2));
        assert_eq!(report.json["redacted"]["EMAIL"], json!({"calls": 2, "found": 4}));
        assert_eq!(report.json["would_post"], json!(800_000_000));
        // What was spent before is in the budget: a cent of each proxy.
        let tight = json!({"toml": toml.replace("1 USD", "81 cents"), "since_s": 3600});
        let report = admin.post("/api/v1/policies/replay", &tight).await;
        assert_eq!(report.json["would_post"], json!(400_000_000), "{}", report.text);
        for (asks, status) in [
            (json!({"toml": "[proxy]\n", "since_s": 60}), 422),
            (json!({"toml": "", "since_s": 0}), 400),
        ] {
            assert_eq!(admin.post("/api/v1/policies/replay", &asks).await.status, status);
        }
    }
}
