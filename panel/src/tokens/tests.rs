//! Tokens as their issuers, their holders and proxies see them, on both engines.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hpke::kem::X25519HkdfSha256;
use hpke::{Kem, Serializable};
use iron_policy::token::{Claims, TokenKeys};
use serde_json::{Value, json};
use sqlx::Row;

use crate::api::access::Role;
use crate::store::{Store, id};
use crate::testing::{Answer, World, worlds};

const DAY_MS: i64 = 86_400_000;

/// Issues a token and gives the whole answer.
async fn issue(world: &World, order: Value) -> Answer {
    let answer = world.post("/api/v1/tokens", &order).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer
}

fn text<'a>(answer: &'a Answer, field: &str) -> &'a str {
    answer.json[field].as_str().unwrap_or_else(|| panic!("{field} in {}", answer.text))
}

/// What somebody reads in a token who has nothing but the published keys.
async fn offline(world: &World, token: &str, now_s: i64) -> Option<Claims> {
    let set = world.get("/api/v1/keys").await.json;
    let keys = TokenKeys::parse(&set).unwrap();
    keys.verify(token, set["issuer"].as_str().unwrap(), now_s).ok()
}

fn now_s(world: &World) -> i64 {
    world.panel.clock.now_ms() / 1000
}

async fn project(world: &World, name: &str) -> String {
    let new = id("prj");
    sqlx::query("INSERT INTO project (id, name, created_at) VALUES ($1, $2, 0)")
        .bind(new.clone())
        .bind(name.to_owned())
        .execute(world.panel.store.pool())
        .await
        .unwrap();
    new
}

/// Somebody new with this role who is a member of these projects.
async fn member(world: &World, role: Role, projects: &[&str]) -> World {
    let signed_in = world.signed_in(role).await;
    for project in projects {
        sqlx::query(
            "INSERT INTO member (project, person) SELECT $1, MAX(id) FROM person WHERE role = $2",
        )
        .bind((*project).to_owned())
        .bind(role.name())
        .execute(world.panel.store.pool())
        .await
        .unwrap();
    }
    signed_in
}

/// What a proxy asks with that holds what an answer said, and waits.
pub(crate) fn known(after: &Value, wait_ms: u64) -> Value {
    let (_, public) = X25519HkdfSha256::gen_keypair();
    json!({
        "version": "0.1.0", "seal_to": STANDARD.encode(public.to_bytes()),
        "marks": after["marks"], "wait_ms": wait_ms,
    })
}

async fn held(proxy: &World) -> Value {
    let answer = proxy.post("/api/v1/proxies/changes", &known(&json!({"marks": {}}), 0)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[tokio::test]
async fn a_token_is_shown_once_and_verified_by_whoever_has_the_published_keys() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let answer = issue(
            &admin,
            json!({
                "agent": "researcher", "label": "laptop", "models": ["gpt-5*", "claude-*"],
                "upstreams": ["openai"], "expires": "30d", "budget": "5 USD/day",
                "base_url": "http://127.0.0.1:4242",
            }),
        )
        .await;
        let token = text(&answer, "token").to_owned();
        let claims = offline(&world, &token, now_s(&world)).await.expect("it verifies");
        assert_eq!(claims.jti.as_str(), text(&answer, "id"));
        assert_eq!((claims.sub.as_str(), claims.exp - claims.iat), ("researcher", 30 * 86_400));
        assert_eq!(claims.project.as_ref().unwrap().as_str(), "default");
        assert_eq!(claims.budget.as_ref().unwrap().as_str(), text(&answer, "budget"));
        assert!(claims.allows_model("gpt-5-mini") && !claims.allows_model("o3"));
        for snippet in ["curl", "python", "node", "claude_code", "codex"] {
            let snippet = answer.json["snippets"][snippet].as_str().unwrap();
            assert!(snippet.contains(&token) && snippet.contains("http://127.0.0.1:4242"));
        }
        // Nothing that is asked later, and nothing that is stored, holds it.
        let path = format!("/api/v1/tokens/{}", text(&answer, "id"));
        let shown = admin.get(&path).await;
        assert_eq!((shown.status, text(&shown, "state")), (200, "active"));
        assert_eq!(text(&shown, "last4"), &token[token.len() - 4..]);
        let signature = &token[token.rfind('.').unwrap()..];
        assert!(!shown.text.contains(signature));
        assert!(!everything(&world.panel.store).await.contains(signature));
        // The budget was made with it, and proxies are told of it.
        let proxy = world.as_proxy("edge").await;
        let budgets = held(&proxy).await["budgets"].clone();
        assert_eq!(budgets[0]["scope"], format!("token:{}", text(&answer, "id")));
        assert_eq!(
            (&budgets[0]["limit"], &budgets[0]["window"]),
            (&json!(5_000_000_000_i64), &json!("day"))
        );
    }
}

/// Every text and every blob that the database holds.
pub(crate) async fn everything(store: &Store) -> String {
    let mut all = String::new();
    for (table, columns) in [
        ("setting", "name, value"),
        ("token", "id, last4, label, models, upstreams, issued_by, hash"),
        ("signing_key", "id, public, wrapped"),
        ("secret", "id, name, upstream, last4"),
        ("secret_version", "secret, wrapped, sealed"),
        ("audit", "actor, action, target, detail, mac"),
        ("event", "kind, body"),
        ("idempotency", "principal, key, request, answer"),
        ("policy", "toml, note, author"),
        ("proxy", "name, last4, marks, hash"),
        ("agent", "id, name, project"),
        ("budget", "id, scope, span, zone"),
    ] {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table}")))
            .fetch_all(store.pool())
            .await
            .unwrap();
        for row in rows {
            for column in 0..row.len() {
                match row.try_get::<String, _>(column) {
                    Ok(text) => all.push_str(&text),
                    Err(_) => all.push_str(&String::from_utf8_lossy(
                        &row.try_get::<Vec<u8>, _>(column).unwrap(),
                    )),
                }
                all.push('\n');
            }
        }
    }
    all
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_makes_nothing() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let long = "x".repeat(201);
        let many = vec!["gpt-5"; 101];
        for order in [
            json!({"agent": ""}),
            json!({"agent": "two words"}),
            json!({"agent": "agt_researcher"}),
            json!({"agent": "a", "expires": "59s"}),
            json!({"agent": "a", "expires": "367d"}),
            json!({"agent": "a", "expires": "-1d"}),
            json!({"agent": "a", "expires": "2020-01-01T00:00:00Z"}),
            json!({"agent": "a", "expires": "soon"}),
            json!({"agent": "a", "label": long}),
            json!({"agent": "a", "label": "two\nlines"}),
            json!({"agent": "a", "models": many}),
            json!({"agent": "a", "models": [""]}),
            json!({"agent": "a", "models": ["gpt'; rm -rf /"]}),
            json!({"agent": "a", "upstreams": ["../etc"]}),
            json!({"agent": "a", "budget": "five"}),
            json!({"agent": "a", "budget": "-5 USD/day"}),
            json!({"agent": "a", "base_url": "javascript:alert(1)"}),
            json!({"agent": "a", "base_url": "http://x/$(id)"}),
            json!({"agent": "a", "surprise": 1}),
        ] {
            let answer = admin.post("/api/v1/tokens", &order).await;
            assert_eq!(answer.status, 400, "{order}: {}", answer.text);
        }
        let answer = admin.post("/api/v1/tokens", &json!({"agent": "a", "project": "none"})).await;
        assert_eq!(answer.status, 404);
        assert_eq!(admin.get("/api/v1/tokens").await.json["items"], json!([]));
        let agents = sqlx::query("SELECT COUNT(*) FROM agent")
            .fetch_one(world.panel.store.pool())
            .await
            .unwrap();
        assert_eq!(agents.try_get::<i64, _>(0).unwrap(), 0);
    }
}

#[tokio::test]
async fn people_see_and_touch_the_tokens_of_their_projects_alone() {
    for world in worlds().await {
        let (red, blue) = (project(&world, "red").await, project(&world, "blue").await);
        let admin = world.signed_in(Role::Admin).await;
        let theirs = member(&world, Role::Operator, &[&red]).await;
        let viewer = member(&world, Role::Viewer, &[&red]).await;
        let own = issue(&theirs, json!({"agent": "painter"})).await;
        assert_eq!(text(&own, "project"), "red", "the only project of whoever asks");
        let foreign = issue(&admin, json!({"agent": "sailor", "project": "blue"})).await;
        let ids = |answer: &Answer| -> Vec<String> {
            let items = answer.json["items"].as_array().unwrap();
            items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        for person in [&theirs, &viewer] {
            let listed = person.get("/api/v1/tokens").await;
            assert_eq!(ids(&listed), [text(&own, "id")]);
            let path = format!("/api/v1/tokens/{}", text(&foreign, "id"));
            assert_eq!(person.get(&path).await.status, 404);
        }
        let listed = admin.get("/api/v1/tokens").await;
        assert_eq!(ids(&listed), [text(&foreign, "id"), text(&own, "id")], "newest first");
        let first = admin.get("/api/v1/tokens?limit=1").await;
        let next = format!("/api/v1/tokens?limit=1&cursor={}", text(&first, "next"));
        assert_eq!(ids(&admin.get(&next).await), [text(&own, "id")]);
        for (query, count) in
            [("agent=painter", 1), ("project=blue", 1), ("state=active", 2), ("state=revoked", 0)]
        {
            let answer = admin.get(&format!("/api/v1/tokens?{query}")).await;
            assert_eq!(ids(&answer).len(), count, "{query}");
        }
        // Neither revoked nor rotated, nor another agent's name taken over.
        for action in ["revoke", "rotate"] {
            let path = format!("/api/v1/tokens/{}/{action}", text(&foreign, "id"));
            assert_eq!(theirs.post(&path, &json!({})).await.status, 404);
            let path = format!("/api/v1/tokens/{}/{action}", text(&own, "id"));
            assert_eq!(viewer.post(&path, &json!({})).await.status, 403);
        }
        for order in [json!({"agent": "sailor"}), json!({"agent": "sailor", "project": "red"})] {
            let answer = theirs.post("/api/v1/tokens", &order).await;
            assert_eq!((answer.status, text(&answer, "code")), (409, "agent_of_another_project"));
        }
        let answer = theirs.post("/api/v1/tokens", &json!({"agent": "x", "project": "blue"})).await;
        assert_eq!(answer.status, 404);
        // The name of calls that name nobody is an admin's to give.
        let unnamed = json!({"name": "default", "project": "red"});
        assert_eq!(theirs.post("/api/v1/agents", &unnamed).await.status, 400);
        assert_eq!(theirs.post("/api/v1/tokens", &json!({"agent": "default"})).await.status, 400);
        assert_eq!(admin.post("/api/v1/agents", &unnamed).await.status, 201);
        // An id is asked for before a name that looks like it.
        sqlx::query(
            "INSERT INTO agent (id, name, project, created_at) VALUES ('agt_0', $1, $2, 0)",
        )
        .bind(text(&admin.get("/api/v1/agents/sailor").await, "id").to_owned())
        .bind(red.clone())
        .execute(world.panel.store.pool())
        .await
        .unwrap();
        let sailor = text(&admin.get("/api/v1/agents/sailor").await, "id").to_owned();
        assert_eq!(text(&admin.get(&format!("/api/v1/agents/{sailor}")).await, "name"), "sailor");
        let both = member(&world, Role::Operator, &[&blue]).await;
        assert_eq!(both.get("/api/v1/tokens").await.json["items"][0]["agent"], "sailor");
    }
}

#[tokio::test]
async fn a_revocation_reaches_a_proxy_that_waits_at_another_replica_within_two_seconds() {
    for world in worlds().await {
        let other = World::over(Store::open(world.panel.store.url()).await.unwrap());
        let admin = world.signed_in(Role::Admin).await;
        let token = issue(&admin, json!({"agent": "researcher"})).await;
        let proxy = world.as_proxy("edge").await;
        let credential = proxy.sent("authorization");
        for (replica, cut) in [(&world, false), (&other, true)] {
            let proxy = replica.with_header("authorization", &credential);
            let before = held(&proxy).await;
            let waiting = tokio::spawn(async move {
                proxy.post("/api/v1/proxies/changes", &known(&before, 25_000)).await
            });
            while !replica.panel.wake.somebody_waits() {
                tokio::task::yield_now().await;
            }
            let begun = Instant::now();
            let path = format!("/api/v1/tokens/{}/revoke", text(&token, "id"));
            let revoked = admin.post(&path, &json!({"cut_streams": cut})).await;
            assert_eq!((revoked.status, text(&revoked, "state")), (200, "revoked"));
            let changes = waiting.await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            assert_eq!(
                changes.json["revocations"],
                json!([{"token": text(&token, "id"), "cut_streams": cut}])
            );
            assert!(changes.json["budgets"].is_null(), "what did not change is left out");
        }
        // Again changes nothing, and wakes nobody.
        let before = held(&proxy).await;
        let path = format!("/api/v1/tokens/{}/revoke", text(&token, "id"));
        assert_eq!(admin.post(&path, &json!({})).await.status, 200);
        assert_eq!(held(&proxy).await["marks"], before["marks"]);
        // One that is expired is not told of any more.
        world.panel.clock.turn(31 * DAY_MS);
        assert_eq!(held(&proxy).await["revocations"], json!([]));
    }
}

#[tokio::test]
async fn a_token_that_is_rotated_is_good_for_its_overlap_and_revoked_then() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let old = issue(&admin, json!({
            "agent": "researcher", "models": ["gpt-5*"], "expires": "40d", "budget": "7 USD/week",
        }))
        .await;
        let path = format!("/api/v1/tokens/{}", text(&old, "id"));
        let new = admin.post(&format!("{path}/rotate"), &json!({"overlap": "2h"})).await;
        assert_eq!(new.status, 201, "{}", new.text);
        let claims = offline(&world, text(&new, "token"), now_s(&world)).await.unwrap();
        assert!(claims.allows_model("gpt-5") && !claims.allows_model("o3"));
        assert_eq!(claims.exp - claims.iat, 40 * 86_400);
        assert_ne!(text(&new, "budget"), text(&old, "budget"));
        let shown = admin.get(&path).await;
        assert_eq!(text(&shown, "state"), "retiring");
        assert_eq!(text(&shown, "rotated_to"), text(&new, "id"));
        let again = admin.post(&format!("{path}/rotate"), &json!({})).await;
        assert_eq!((again.status, text(&again, "code")), (409, "token_not_active"));

        let proxy = world.as_proxy("edge").await;
        assert_eq!(held(&proxy).await["revocations"], json!([]));
        world.panel.clock.turn(2 * 3_600_000);
        let admin = world.signed_in(Role::Admin).await;
        assert_eq!(text(&admin.get(&path).await, "state"), "revoked", "also before a proxy asks");
        assert_eq!(held(&proxy).await["revocations"][0]["token"], text(&old, "id"));
        assert_eq!(
            admin.get("/api/v1/tokens?state=active").await.json["items"][0]["id"],
            text(&new, "id")
        );
        // Without an overlap the old one is revoked at once.
        let path = format!("/api/v1/tokens/{}", text(&new, "id"));
        assert_eq!(
            admin.post(&format!("{path}/rotate"), &json!({"overlap": "0s"})).await.status,
            201
        );
        assert_eq!(text(&admin.get(&path).await, "state"), "revoked");
        assert_eq!(held(&proxy).await["revocations"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_tokens_own_budget_ends_with_it() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let proxy = world.as_proxy("edge").await;
        let order =
            |expires: &str| json!({"agent": "a", "budget": "1 USD/day", "expires": expires});
        let (one, two) = (issue(&admin, order("1d")).await, issue(&admin, order("10m")).await);
        let three = issue(&admin, order("1d")).await;
        let ids = async || -> Vec<Value> {
            let budgets = held(&proxy).await["budgets"].clone();
            budgets.as_array().unwrap().iter().map(|budget| budget["id"].clone()).collect()
        };
        let of = |token: &Answer| token.json["budget"].clone();
        assert_eq!(ids().await, [of(&one), of(&two), of(&three)]);
        let path = format!("/api/v1/tokens/{}", text(&one, "id"));
        assert_eq!(admin.post(&format!("{path}/revoke"), &json!({})).await.status, 200);
        assert_eq!(ids().await, [of(&two), of(&three)]);
        let path = format!("/api/v1/tokens/{}", text(&three, "id"));
        let new = admin.post(&format!("{path}/rotate"), &json!({"overlap": "0s"})).await;
        assert_eq!(ids().await, [of(&two), of(&new)]);
        super::prune(&world.panel).await.unwrap();
        assert_eq!(ids().await, [of(&two), of(&new)], "neither has expired");
        world.panel.clock.turn(600_000 + super::BEHIND_MS + 1_000);
        super::prune(&world.panel).await.unwrap();
        assert_eq!(ids().await, [of(&new)]);
    }
}

#[tokio::test]
async fn revocations_of_a_project_never_outgrow_what_proxies_are_told() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let first = issue(&admin, json!({"agent": "a", "expires": "30d"})).await;
        sqlx::query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO token (id, agent, key, hash, last4, models, upstreams, issued_by, issued_at,
                                expires_at, revoked_at)
             SELECT 'tok_' || CAST(n.i AS TEXT), agent, key, hash, last4, models, upstreams,
                    issued_by, issued_at, expires_at, issued_at FROM token, n",
        )
        .execute(world.panel.store.pool())
        .await
        .unwrap();
        let full = admin.post("/api/v1/tokens", &json!({"agent": "b", "expires": "1d"})).await;
        assert_eq!((full.status, text(&full, "code")), (409, "too_many_tokens"), "{}", full.text);
        let path = format!("/api/v1/tokens/{}/rotate", text(&first, "id"));
        assert_eq!(admin.post(&path, &json!({})).await.status, 409);
        project(&world, "other").await;
        let order = json!({"agent": "c", "project": "other"});
        assert_eq!(admin.post("/api/v1/tokens", &order).await.status, 201);
    }
}

#[tokio::test]
async fn a_signing_key_that_is_rotated_stays_published_until_its_last_token_expires() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let proxy = world.as_proxy("edge").await;
        let old = issue(&admin, json!({"agent": "researcher", "expires": "3d"})).await;
        let before = held(&proxy).await;
        let rotated = admin.post("/api/v1/keys/rotate", &json!({})).await;
        assert_eq!(rotated.status, 201, "{}", rotated.text);
        let new = issue(&admin, json!({"agent": "researcher", "expires": "9d"})).await;
        let after = held(&proxy).await;
        assert_ne!(after["marks"]["keys"], before["marks"]["keys"]);
        assert_eq!(after["keys"]["keys"].as_array().unwrap().len(), 2);
        for token in [&old, &new] {
            assert!(offline(&world, text(token, "token"), now_s(&world)).await.is_some());
        }
        let kid = |token: &Answer| {
            let token = text(token, "token").trim_start_matches("iron_").split('.').next().unwrap();
            let header = URL_SAFE_NO_PAD.decode(token).unwrap();
            serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
        };
        assert_eq!(kid(&new), text(&rotated, "id"));
        assert_ne!(kid(&old), kid(&new));
        world.panel.clock.turn(3 * DAY_MS + 60_000);
        let set = world.get("/api/v1/keys").await.json;
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
        assert_eq!(set["keys"][0]["kid"], kid(&new));
        assert_eq!(
            world
                .signed_in(Role::Operator)
                .await
                .post("/api/v1/keys/rotate", &json!({}))
                .await
                .status,
            403
        );
        // No more keys than proxies take.
        let admin = world.signed_in(Role::Admin).await;
        for _ in 1..iron_policy::token::MAX_KEYS {
            assert_eq!(admin.post("/api/v1/keys/rotate", &json!({})).await.status, 201);
        }
        let answer = admin.post("/api/v1/keys/rotate", &json!({})).await;
        assert_eq!((answer.status, text(&answer, "code")), (409, "too_many_keys"));
    }
}

#[tokio::test]
async fn an_agent_is_known_to_the_panel_by_its_token_and_nothing_else_passes_for_one() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let issued = issue(&admin, json!({"agent": "researcher", "expires": "1h"})).await;
        let token = text(&issued, "token").to_owned();
        let status =
            async |token: &str| world.with_bearer(token).get("/api/v1/health").await.status;
        assert_eq!(status(&token).await, 200);
        assert_eq!(world.with_bearer(&token).get("/api/v1/tokens").await.status, 403);

        let set = world.get("/api/v1/keys").await.json;
        let [head, body, _] = token[5..].split('.').collect::<Vec<_>>()[..] else { panic!() };
        let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let kid = set["keys"][0]["kid"].clone();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let hmac = |message: &str| {
            use ::hmac::Mac as _;
            let public = URL_SAFE_NO_PAD.decode(set["keys"][0]["x"].as_str().unwrap()).unwrap();
            let mut mac = crate::keys::hmac(&public.try_into().unwrap());
            mac.update(message.as_bytes());
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        };
        let other = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
        let signed = |header: &Value, claims: &Value| {
            let message = format!("{}.{}", part(header), part(claims));
            let signature = ed25519_dalek::Signer::sign(&other, message.as_bytes());
            format!("iron_{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
        };
        let hs = format!("{}.{body}", part(&json!({"alg": "HS256", "typ": "JWT", "kid": kid})));
        let head_with = |name: &str, value: &str| json!({"alg": "EdDSA", "typ": "JWT", "kid": kid, name: value});
        let mut longer = said.clone();
        longer["exp"] = json!(said["exp"].as_i64().unwrap() + 1);
        let bad = [
            format!("iron_{}.{body}.", part(&json!({"alg": "none", "typ": "JWT", "kid": kid}))),
            format!("iron_{hs}.{}", hmac(&hs)),
            signed(&head_with("kid", "../../etc/passwd"), &said),
            signed(&head_with("jku", "https://evil.example/keys"), &said),
            signed(&head_with("typ", "JWT"), &said),
            format!("iron_{head}.{}.{}", part(&longer), token.rsplit('.').next().unwrap()),
            token[..token.len() - 8].to_owned(),
            format!("iron_{}", "a".repeat(16 * 1024)),
            "iron_".to_owned(),
        ];
        for bad in bad {
            assert_eq!(status(&bad).await, 401, "{bad}");
        }
        // Revoked, another panel's, or over: it is nobody's.
        let path = format!("/api/v1/tokens/{}/revoke", text(&issued, "id"));
        assert_eq!(admin.post(&path, &json!({})).await.status, 200);
        assert_eq!(status(&token).await, 401);
        let late = issue(&admin, json!({"agent": "researcher", "expires": "10m"})).await;
        world.panel.clock.turn(11 * 60_000);
        assert_eq!(status(text(&late, "token")).await, 401);
    }
}

#[tokio::test]
async fn what_is_sent_twice_with_one_key_is_issued_once() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await.with_header("idempotency-key", "k-1");
        let order = json!({"agent": "researcher", "budget": "1 USD/day"});
        let (one, two) = (issue(&admin, order.clone()).await, issue(&admin, order).await);
        assert_eq!(text(&one, "token"), text(&two, "token"));
        let kept = everything(&world.panel.store).await;
        let token = text(&one, "token");
        assert!(!kept.contains(&token[token.rfind('.').unwrap()..]), "the kept answer is sealed");
    }
}
