//! People, projects and agents, and what is sent twice.

use serde_json::{Value, json};

use crate::api::access::Role;
use crate::testing::{Answer, World, worlds};

async fn made(world: &World, path: &str, body: Value) -> Answer {
    let answer = world.post(path, &body).await;
    assert_eq!(answer.status, 201, "{path}: {}", answer.text);
    answer
}

async fn patch(world: &World, path: &str, etag: &str, body: Value) -> Answer {
    world.with_header("if-match", etag).send("PATCH", path, Some(body.to_string())).await
}

#[tokio::test]
async fn an_invitation_works_once_and_a_role_is_anothers_to_give() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let invited = made(&admin, "/api/v1/users", json!({"name": "ada", "role": "admin"})).await;
        let path = format!("/api/v1/users/{}", invited.json["user"]["id"].as_str().unwrap());
        assert_eq!(
            admin.post("/api/v1/users", &json!({"name": "ada", "role": "viewer"})).await.status,
            409
        );
        let body = json!({"token": invited.json["invitation"], "password": "correct horse battery",
            "carrier": "machine"});
        let signed_in = made(&world, "/api/v1/session/setup", body.clone()).await;
        assert_eq!(world.post("/api/v1/session/setup", &body).await.status, 401, "once");
        let ada = world.with_bearer(signed_in.json["token"].as_str().unwrap());
        // Nobody changes their own role.
        let seen = ada.get(&path).await;
        assert_eq!(
            (seen.header("etag"), seen.json["has_password"].as_bool()),
            ("\"2\"", Some(true))
        );
        let answer = patch(&ada, &path, "*", json!({"role": "viewer"})).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (403, Some("own_role")));
        // A change is meant for a version.
        let change = json!({"role": "operator"});
        let without = admin.send("PATCH", &path, Some(change.to_string())).await;
        assert_eq!(
            (without.status, without.json["code"].as_str()),
            (428, Some("precondition_required"))
        );
        for old in ["\"1\"", "W/\"2\"", "nonsense"] {
            let answer = patch(&admin, &path, old, change.clone()).await;
            assert_eq!(
                (answer.status, answer.json["code"].as_str()),
                (412, Some("precondition_failed"))
            );
        }
        let answer = patch(&admin, &path, "\"2\"", change).await;
        assert_eq!((answer.status, answer.header("etag")), (200, "\"3\""));
        assert_eq!(ada.get("/api/v1/users").await.status, 403, "at once");
        // Whoever is disabled is signed out.
        assert_eq!(patch(&admin, &path, "\"3\"", json!({"disabled": true})).await.status, 200);
        assert_eq!(ada.get("/api/v1/session").await.status, 401);
    }
}

#[tokio::test]
async fn two_admins_cannot_disable_each_other_at_once() {
    for world in worlds().await {
        let (one, other) = (world.signed_in(Role::Admin).await, world.signed_in(Role::Admin).await);
        let id = async |of: &World| {
            let me = of.get("/api/v1/session").await;
            format!("/api/v1/users/{}", me.json["person"]["id"].as_str().unwrap())
        };
        let (first, second) = (id(&one).await, id(&other).await);
        let off = json!({"disabled": true});
        let (a, b) =
            tokio::join!(patch(&one, &second, "*", off.clone()), patch(&other, &first, "*", off));
        let done = [a.status, b.status].iter().filter(|status| **status == 200).count();
        assert_eq!(done, 1, "{} {}", a.text, b.text);
    }
}

#[tokio::test]
async fn a_project_is_its_members() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let viewer = world.signed_in(Role::Viewer).await;
        let me = viewer.get("/api/v1/session").await;
        let person = me.json["person"]["id"].as_str().unwrap().to_owned();
        made(&admin, "/api/v1/projects", json!({"name": "web", "title": "Web"})).await;
        let named = "/api/v1/projects/web";
        assert_eq!(viewer.get(named).await.status, 404);
        assert_eq!(viewer.get("/api/v1/projects").await.json["items"], json!([]));
        let member = format!("{named}/members/{person}");
        assert_eq!(admin.send("PUT", &member, None).await.status, 204);
        assert_eq!(admin.send("PUT", &member, None).await.status, 204, "again");
        assert_eq!(viewer.get(named).await.json["title"], "Web");
        let members = viewer.get(&format!("{named}/members")).await;
        assert_eq!(members.json["items"][0]["id"], person.as_str());
        assert_eq!(patch(&viewer, named, "*", json!({"title": "x"})).await.status, 403);
        assert_eq!(patch(&admin, named, "\"1\"", json!({"title": "Website"})).await.status, 200);
        assert_eq!(admin.send("DELETE", &member, None).await.status, 204);
        assert_eq!(viewer.get(named).await.status, 404);
        for bad in ["", "a b", "prj_1", &"x".repeat(65)] {
            let answer = admin.post("/api/v1/projects", &json!({"name": bad})).await;
            assert_eq!(answer.status, 400, "{bad}");
        }
    }
}

#[tokio::test]
async fn an_agent_is_stopped_and_proxies_are_told() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        made(&admin, "/api/v1/projects", json!({"name": "web"})).await;
        made(&admin, "/api/v1/agents", json!({"name": "a", "project": "web"})).await;
        let mark = async || {
            let row = sqlx::query("SELECT number FROM mark WHERE part = 'stops'")
                .fetch_one(world.panel.store.pool())
                .await
                .unwrap();
            sqlx::Row::try_get::<i64, _>(&row, 0).unwrap()
        };
        let before = mark().await;
        let stopped = admin.send("POST", "/api/v1/agents/a/stop", None).await;
        assert!(stopped.json["stopped_at"].is_string(), "{}", stopped.text);
        admin.send("POST", "/api/v1/agents/a/stop", None).await;
        assert_eq!(mark().await, before + 1, "the same again changes nothing");
        assert!(
            admin.send("POST", "/api/v1/agents/a/start", None).await.json["stopped_at"].is_null()
        );
        assert!(admin.get("/api/v1/stop").await.json["stopped_at"].is_null());
        assert!(admin.send("PUT", "/api/v1/stop", None).await.json["stopped_at"].is_string());
        assert!(admin.send("DELETE", "/api/v1/stop", None).await.json["stopped_at"].is_null());
        assert_eq!(mark().await, before + 4);
    }
}

#[tokio::test]
async fn what_is_sent_twice_is_done_once() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let keyed = admin.with_header("idempotency-key", "key-1");
        let body = json!({"name": "ada", "role": "viewer"});
        let first = made(&keyed, "/api/v1/users", body.clone()).await;
        let again = made(&keyed, "/api/v1/users", body.clone()).await;
        assert_eq!(first.text, again.text, "with the invitation that is shown once");
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("content-type"), "application/json");
        // The same key for something else.
        for (path, body) in [
            ("/api/v1/users", json!({"name": "eve", "role": "viewer"})),
            ("/api/v1/projects", body.clone()),
        ] {
            let answer = keyed.post(path, &body).await;
            assert_eq!(
                (answer.status, answer.json["code"].as_str()),
                (422, Some("idempotency_key_reused"))
            );
        }
        // Another person's key is another key.
        let other = world.signed_in(Role::Admin).await.with_header("idempotency-key", "key-1");
        assert_eq!(other.post("/api/v1/users", &body).await.status, 409);
        // What is kept shows nothing to whoever reads the database.
        let row = sqlx::query("SELECT answer FROM idempotency WHERE status = 201")
            .fetch_one(world.panel.store.pool())
            .await
            .unwrap();
        let kept: Vec<u8> = sqlx::Row::try_get(&row, 0).unwrap();
        let secret = first.json["invitation"].as_str().unwrap().as_bytes();
        assert!(!kept.windows(12).any(|part| part == &secret[..12]));
        // What was refused may be sent again.
        let keyed = admin.with_header("idempotency-key", "key-2");
        let agent = json!({"name": "a", "project": "web"});
        assert_eq!(keyed.post("/api/v1/agents", &agent).await.status, 404);
        made(&admin, "/api/v1/projects", json!({"name": "web"})).await;
        made(&keyed, "/api/v1/agents", agent).await;
        // Many at once.
        let keyed = admin.with_header("idempotency-key", "key-3");
        let sending = (0..8).map(|_| {
            let keyed = keyed.clone();
            async move { keyed.post("/api/v1/projects", &json!({"name": "once"})).await }
        });
        for answer in futures_util::future::join_all(sending).await {
            let code = answer.json["code"].as_str();
            let fine = answer.status == 201
                || (answer.status == 409 && code == Some("idempotency_key_in_use"));
            assert!(fine, "{}", answer.text);
        }
        assert_eq!(
            made(&keyed, "/api/v1/projects", json!({"name": "once"})).await.json["name"],
            "once"
        );
        // One that was stopped over it says so.
        sqlx::query("UPDATE idempotency SET status = 0 WHERE key = 'key-1'")
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        world.panel.clock.turn(61_000);
        let keyed = admin.with_header("idempotency-key", "key-1");
        let answer = keyed.post("/api/v1/users", &body).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (409, Some("idempotency_outcome_unknown"))
        );
        // After a day the key is free.
        let later = admin.with_header("idempotency-key", "key-3");
        world.panel.clock.turn(25 * 3_600_000);
        let admin = world.signed_in(Role::Admin).await;
        drop(later);
        let keyed = admin.with_header("idempotency-key", "key-3");
        assert_eq!(keyed.post("/api/v1/projects", &json!({"name": "once"})).await.status, 409);
        for bad in ["", &"x".repeat(256)] {
            let keyed = admin.with_header("idempotency-key", bad);
            assert_eq!(keyed.post("/api/v1/projects", &json!({"name": "x"})).await.status, 400);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_said_with_its_place() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let send = async |kind: &str, body: &str| {
            let typed = admin.with_header("content-type", kind);
            typed.send("POST", "/api/v1/users", Some(body.to_owned())).await
        };
        let json = "application/json";
        for (kind, body, status, code) in [
            ("text/plain", "{}", 415, "unsupported_media_type"),
            ("application/x-www-form-urlencoded", "name=a", 415, "unsupported_media_type"),
            (json, "{\"name\":", 400, "invalid_request"),
            (json, "{\"name\":\"a\",\"role\":\"god\"}", 400, "invalid_request"),
            (json, "{\"name\":\"a\\u0000\",\"role\":\"viewer\"}", 400, "invalid_request"),
            ("application/json; charset=utf-8", "[]", 400, "invalid_request"),
        ] {
            let answer = send(kind, body).await;
            assert_eq!(
                (answer.status, answer.json["code"].as_str()),
                (status, Some(code)),
                "{body}"
            );
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        let answer = send(json, "{\"name\":\"a\",\"role\":\"god\"}").await;
        assert!(answer.json["detail"].as_str().unwrap().contains("role"), "{}", answer.text);
        let answer = send(json, &format!("\"{}\"", "x".repeat(9 << 20))).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (413, Some("body_too_large")));
        for query in ["limit=0", "limit=201", "limit=x", "cursor=%20"] {
            assert_eq!(admin.get(&format!("/api/v1/users?{query}")).await.status, 400, "{query}");
        }
    }
}
