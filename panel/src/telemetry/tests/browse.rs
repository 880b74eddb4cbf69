//! Calls, runs, findings and breakers, as the API lists them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::api::access::Role;
use crate::testing::World;

/// All items of a list, page by page.
async fn pages(world: &World, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = world.get(&format!("{path}{cursor}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        items.extend(answer.json["items"].as_array().unwrap().iter().cloned());
        let Some(next) = answer.json["next"].as_str() else { return items };
        cursor = format!("&cursor={}", next.replace('\n', "%0A").replace(':', "%3A"));
    }
}

fn ids(items: &[Value]) -> Vec<CallId> {
    items.iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn calls_are_listed_by_page_from_the_newest_on() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let calls = calls(90, world.panel.clock.now_ms());
        take(&world.panel, "p1", batch(&calls)).await.unwrap();
        take(&world.panel, "p2", batch(&calls[..10])).await.unwrap();
        let all = pages(&admin, "/api/v1/calls?limit=7").await;
        assert_eq!(all.len(), 100);
        let own: BTreeSet<_> =
            all.iter().map(|c| (c["id"].to_string(), c["proxy"].to_string())).collect();
        assert_eq!(own.len(), 100, "each once");
        assert!(ids(&all).windows(2).all(|pair| pair[0] >= pair[1]));
        let agent = pages(&admin, "/api/v1/calls?limit=50&agent=agent-1&proxy=p1&outcome=ok").await;
        let truth =
            calls.iter().filter(|c| c.agent.as_deref() == Some("agent-1") && c.outcome == "ok");
        assert_eq!(agent.len(), truth.count());
        assert_eq!(pages(&admin, "/api/v1/calls?limit=50&found=true&proxy=p1").await.len(), 90);
        assert_eq!(
            pages(&admin, "/api/v1/calls?limit=50&to=2020-01-01T00:00:00Z").await,
            [Value::Null; 0]
        );
        for wrong in ["limit=0", "cursor=x", "cursor=1", "from=x"] {
            assert_eq!(admin.get(&format!("/api/v1/calls?{wrong}")).await.status, 400, "{wrong}");
        }
        let table = admin.get("/api/v1/calls?format=csv&proxy=p1").await;
        assert_eq!(table.text.lines().count(), 91);
    }
}

#[tokio::test]
async fn one_call_has_its_way_and_its_price() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let mut call = call(0, now);
        call.usage = [("input".to_owned(), 10), ("output".to_owned(), 3)].into();
        call.cost = [("input".to_owned(), 1_500)].into();
        call.project = Some("project-1".to_owned());
        take(&world.panel, "p1", batch(std::slice::from_ref(&call))).await.unwrap();
        take(&world.panel, "p1", correction("c", &call, 77, now)).await.unwrap();
        let path = format!("/api/v1/calls/{}", CallId(call.id));
        let one = admin.get(&path).await;
        assert_eq!(one.status, 200, "{}", one.text);
        let json = &one.json;
        assert_eq!((&json["posted"]["nano"], &json["estimated"]), (&77.into(), &false.into()));
        assert_eq!(json["timeline"][1], serde_json::json!({"step": "upstream", "micros": 250_000}));
        assert_eq!(json["first_byte_us"], 250_500);
        assert_eq!(json["classes"][0]["cost"]["nano"], 2);
        assert_eq!(json["classes"][1]["cost"], Value::Null);
        assert_eq!(json["found"][0], serde_json::json!({"kind": "email", "count": 2}));
        assert_eq!(json["later"][0]["posted"]["nano"], 77);
        // Nobody else's to see, and no such call: the same answer.
        let viewer = world.signed_in(Role::Viewer).await;
        assert_eq!(viewer.get(&path).await.status, 404);
        assert_eq!(admin.get("/api/v1/calls/call_0000000000000").await.status, 404);
        assert_eq!(admin.get("/api/v1/calls/nonsense").await.status, 404);
        assert_eq!(pages(&viewer, "/api/v1/calls?limit=5").await.len(), 0);
    }
}

#[tokio::test]
async fn runs_are_what_their_calls_come_to() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let mut calls = calls(60, now);
        for (n, call) in calls.iter_mut().enumerate() {
            call.run = Some(format!("run-{}", n % 6));
            call.project = Some("p".to_owned());
            call.agent = Some("a".to_owned());
        }
        for part in calls.chunks(25) {
            take(&world.panel, "p1", batch(part)).await.unwrap();
            take(&world.panel, "p1", batch(part)).await.unwrap();
        }
        take(&world.panel, "p1", correction("c", &calls[0], 5_000, now)).await.unwrap();
        (calls[0].posted, calls[0].estimated) = (5_000, false);
        let runs = pages(&admin, "/api/v1/runs?limit=4").await;
        assert_eq!(runs.len(), 6);
        for run in &runs {
            let own: Vec<_> =
                calls.iter().filter(|call| call.run.as_deref() == run["run"].as_str()).collect();
            assert_eq!(run["calls"], own.len());
            assert_eq!(run["spent"]["nano"], own.iter().map(|call| call.posted).sum::<i64>());
            let estimated = own.iter().filter(|call| call.estimated).map(|call| call.posted);
            assert_eq!(run["estimated"]["nano"], estimated.sum::<i64>());
        }
        // A run of the same name and time in other projects is another one.
        let mut same = call(0, now);
        same.run = Some("7:same\nrun".to_owned());
        for n in 0..5 {
            same.id += 1;
            same.project = (n > 0).then(|| format!("p{n}"));
            take(&world.panel, "p1", batch(std::slice::from_ref(&same))).await.unwrap();
        }
        for limit in [1, 2, 3] {
            let runs = pages(&admin, &format!("/api/v1/runs?limit={limit}")).await;
            let own: BTreeSet<_> = runs
                .iter()
                .map(|run| (run["run"].to_string(), run["project"].to_string()))
                .collect();
            assert_eq!((runs.len(), own.len()), (11, 11), "{runs:?}");
        }
        for wrong in ["x", "1:run", "1:9:run", "1:x:run"] {
            let answer = admin.get(&format!("/api/v1/runs?cursor={wrong}")).await;
            assert_eq!(answer.status, 400, "{wrong}");
        }
        assert_eq!(pages(&admin, "/api/v1/runs?limit=9&agent=b").await.len(), 0);
        let viewer = world.signed_in(Role::Viewer).await;
        assert_eq!(pages(&viewer, "/api/v1/runs?limit=4").await.len(), 0);
    }
}

#[tokio::test]
async fn findings_and_breakers_are_listed() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        take(&world.panel, "p1", batch(&calls(30, now))).await.unwrap();
        let when = format!("from={}", crate::api::time::text(now - 86_400_000));
        let found = admin.get(&format!("/api/v1/findings?{when}")).await;
        assert_eq!(
            found.json["items"][0],
            serde_json::json!({"name": "email", "found": 60, "calls": 30})
        );
        let found = admin.get(&format!("/api/v1/findings?{when}&group=agent")).await;
        assert_eq!(found.json["items"].as_array().unwrap().len(), 3);
        let found =
            admin.get(&format!("/api/v1/findings?{when}&group=project&agent=agent-1")).await;
        let sum =
            found.json["items"].as_array().unwrap().iter().map(|i| i["found"].as_i64().unwrap());
        assert_eq!(sum.sum::<i64>(), 20, "{}", found.text);
        let breakers: Vec<Value> = (0..5)
            .map(|n| serde_json::json!({"upstream": format!("u{n}"), "lane": "", "state": "closed", "at": now}))
            .collect();
        let breakers = serde_json::from_value(serde_json::json!({ "breakers": breakers })).unwrap();
        take(&world.panel, "p1", breakers).await.unwrap();
        assert_eq!(pages(&admin, "/api/v1/breakers?limit=2").await.len(), 5);
    }
}

#[tokio::test]
async fn beside_a_proxy_its_own_calls_are_listed() {
    let (proxy, path) = state_file(FIRST).await;
    sqlx::raw_sql(TODAY).execute(proxy.pool()).await.unwrap();
    let own = sqlite().await;
    let store = Store::open_beside(own.url(), &path).await.unwrap();
    let admin = World::over(store).signed_in(Role::Admin).await;
    let all = pages(&admin, "/api/v1/calls?limit=1&from=1970-01-01T00:00:00Z").await;
    assert_eq!((all.len(), &all[0]["posted"]["nano"]), (1, &33.into()));
    let one = admin.get(&format!("/api/v1/calls/{}", all[0]["id"].as_str().unwrap())).await;
    assert_eq!(one.json["timeline"][0]["step"], "identify", "{}", one.text);
    assert_eq!(one.json["classes"][0]["units"], 7);
}

#[tokio::test]
async fn what_sandboxes_refused_is_listed_and_counts_among_findings() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let denial = |n: i64| ExtraRecord {
            id: format!("denial:{n}"),
            kind: if n == 0 { "limit" } else { "denial" }.to_owned(),
            at: now - 1_000 * (n / 2),
            detail: format!(
                r#"{{"target":"10.0.0.{n}:443","layer":"network","remedy":"--connect"}}"#
            ),
            agent: Some(format!("agent-{}", n % 2)),
            project: Some("p".to_owned()),
            run: Some("run-1".to_owned()),
            finding: Some(
                if n == 0 { "sandbox/limit/memory" } else { "sandbox/connect" }.to_owned(),
            ),
            ..ExtraRecord::default()
        };
        let extra: Vec<_> = (0..9).map(denial).collect();
        let told = Batch { extra, ..batch(&calls(3, now)) };
        let before = summed(&world.panel.store, 60, "all").await;
        assert_eq!(take(&world.panel, "p1", told.clone()).await.unwrap().new, 12);
        assert_eq!(take(&world.panel, "p1", told).await.unwrap().new, 0, "each once");
        let after = summed(&world.panel.store, 60, "all").await;
        assert_eq!(after[0] - before[0], 3, "they are no calls");

        let all = pages(&admin, "/api/v1/denials?limit=4").await;
        assert_eq!(all.len(), 9);
        let ids: BTreeSet<_> = all.iter().map(|denial| denial["id"].to_string()).collect();
        assert_eq!(ids.len(), 9, "each once");
        let newest = all.iter().find(|denial| denial["id"] == "denial:0").unwrap();
        assert_eq!(
            (&newest["kind"], &newest["target"], &newest["layer"], &newest["program"]),
            (&"limit".into(), &"10.0.0.0:443".into(), &"network".into(), &Value::Null)
        );
        let some = pages(&admin, "/api/v1/denials?limit=50&agent=agent-1&finding=sandbox/connect");
        assert_eq!(some.await.len(), 4);
        assert!(pages(&admin, "/api/v1/denials?limit=50&run=run-2").await.is_empty());

        let kinds = admin.get("/api/v1/findings").await.json;
        let of = |kind: &str| {
            let mut items = kinds["items"].as_array().unwrap().iter();
            let item = items.find(|item| item["name"] == kind);
            item.map(|item| (item["found"].as_i64(), item["calls"].as_i64()))
        };
        assert_eq!(of("sandbox/connect"), Some((Some(8), Some(0))));
        assert_eq!(of("sandbox/limit/memory"), Some((Some(1), Some(0))));
        assert_eq!(of("email"), Some((Some(6), Some(3))));
        // Nobody else's to see.
        let viewer = world.signed_in(Role::Viewer).await;
        assert!(pages(&viewer, "/api/v1/denials?limit=50").await.is_empty());
    }
}
