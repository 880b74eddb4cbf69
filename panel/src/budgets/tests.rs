//! Budgets as callers see them, on both engines.

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::Row;

use super::*;
use crate::api::access::{Principal, Role};
use crate::testing::{Answer, World, worlds};

/// The projects `web` and `ops`, with the agents `a` and `b`; an operator of `web`.
async fn people(world: &World) -> (World, World) {
    let admin = world.signed_in(Role::Admin).await;
    let operator = world.signed_in(Role::Operator).await;
    for (project, agent) in [("web", "a"), ("ops", "b")] {
        sqlx::query("INSERT INTO project (id, name, created_at) VALUES ($1, $2, 0)")
            .bind(format!("prj_{project}"))
            .bind(project)
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        sqlx::query("INSERT INTO agent (id, name, project, created_at) VALUES ($1, $2, $3, 0)")
            .bind(format!("agt_{agent}"))
            .bind(agent)
            .bind(format!("prj_{project}"))
            .execute(world.panel.store.pool())
            .await
            .unwrap();
    }
    sqlx::query(
        "INSERT INTO member (project, person) SELECT 'prj_web', id FROM person WHERE role = 'operator'",
    )
    .execute(world.panel.store.pool())
    .await
    .unwrap();
    (admin, operator)
}

async fn set(by: &World, scope: &str, limit: &str) -> Answer {
    by.post("/api/v1/budgets", &json!({"scope": scope, "limit": limit, "window": "total"})).await
}

fn id_of(answer: &Answer) -> String {
    answer.json["id"].as_str().unwrap_or_else(|| panic!("no id: {}", answer.text)).to_owned()
}

async fn patch(by: &World, path: &str, version: &str, body: &Value) -> Answer {
    by.with_header("if-match", version).send("PATCH", path, Some(body.to_string())).await
}

/// Leases all that it can for a proxy of its own.
async fn lease(world: &World, budget: &str, account: &str, need: i64) -> Value {
    let proxy = world.as_proxy(&crate::store::id("proxy")).await;
    let asks = json!({"request": crate::store::id("r"), "asks": [
        {"budget": budget, "account": account, "start": 0, "need": need}]});
    let answer = proxy.post("/api/v1/leases", &asks).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn mark(world: &World) -> i64 {
    let row = sqlx::query("SELECT number FROM mark WHERE part = 'budgets'")
        .fetch_one(world.panel.store.pool())
        .await
        .unwrap();
    row.try_get(0).unwrap()
}

#[tokio::test]
async fn a_budget_is_set_shown_changed_and_removed() {
    for world in worlds().await {
        let (admin, _) = people(&world).await;
        let before = mark(&world).await;
        let body =
            json!({"scope": "agent:a", "limit": "5 USD", "window": "day", "zone": "Europe/Paris"});
        let made = admin.post("/api/v1/budgets", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json["limit"], json!({"nano": 5_000_000_000_i64, "text": "$5.00"}));
        assert_eq!(
            (made.json["zone"].as_str(), made.header("etag")),
            (Some("Europe/Paris"), "\"1\"")
        );
        assert_eq!(mark(&world).await, before + 1, "proxies are told");
        let again = admin.post("/api/v1/budgets", &body).await;
        assert_eq!((again.status, again.json["code"].as_str()), (409, Some("budget_exists")));
        let path = format!("/api/v1/budgets/{}", id_of(&made));
        let change = json!({"limit": 1_000_000_000, "clamp": true});
        assert_eq!(patch(&admin, &path, "\"7\"", &change).await.status, 412);
        let send = admin.send("PATCH", &path, Some(change.to_string())).await;
        assert_eq!(send.status, 428);
        let changed = patch(&admin, &path, "\"1\"", &change).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
        assert_eq!(changed.json["budget"]["limit"]["text"], "$1.00");
        assert_eq!(changed.json["budget"]["clamp"], true);
        assert_eq!(admin.get(&path).await.json["version"], 2);
        let removed = admin.with_header("if-match", "\"2\"").send("DELETE", &path, None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT.as_u16());
        assert_eq!(admin.get(&path).await.status, 404);
        assert_eq!(admin.post("/api/v1/budgets", &body).await.status, 201, "it can be set anew");
        for wrong in [
            json!({"scope": "agent", "limit": 1}),
            json!({"scope": "agent:a", "limit": 1, "window": "year"}),
            json!({"scope": "agent:a", "limit": 1, "zone": "Europe/Nowhere"}),
            json!({"scope": "agent:a", "limit": -1}),
            json!({"scope": "agent:a", "limit": i64::MAX}),
            json!({"scope": "agent:a", "limit": 1, "what": 1}),
        ] {
            assert_eq!(admin.post("/api/v1/budgets", &wrong).await.status, 400, "{wrong}");
        }
    }
}

#[tokio::test]
async fn whoever_is_no_member_sees_and_changes_nothing() {
    for world in worlds().await {
        let (admin, operator) = people(&world).await;
        let viewer = world.signed_in(Role::Viewer).await;
        let own = id_of(&set(&operator, "agent:a", "1 USD").await);
        for scope in
            ["organisation", "agent:b", "project:ops", "agent:*", "model:gpt-*", "agent:none"]
        {
            assert_eq!(set(&operator, scope, "1 USD").await.status, 403, "{scope}");
        }
        let others = id_of(&set(&admin, "agent:b", "1 USD").await);
        let all = id_of(&set(&admin, "organisation", "9 USD").await);
        let each = id_of(&set(&admin, "agent:*", "1 USD").await);
        for id in [&others, &all] {
            let path = format!("/api/v1/budgets/{id}");
            assert_eq!(operator.get(&path).await.status, 404);
            assert_eq!(patch(&operator, &path, "\"1\"", &json!({"limit": 1})).await.status, 404);
            let removed = operator.with_header("if-match", "*").send("DELETE", &path, None).await;
            assert_eq!(removed.status, 404);
            let preview = operator.post(&format!("{path}/preview"), &json!({"limit": 1})).await;
            assert_eq!(preview.status, 404);
        }
        let path = format!("/api/v1/budgets/{each}");
        assert_eq!(patch(&operator, &path, "\"1\"", &json!({"limit": 1})).await.status, 404);
        assert_eq!(set(&viewer, "agent:a", "1 USD").await.status, 403);
        // Of a budget of each agent, its own agents' accounts alone.
        lease(&world, &each, "agent:a", 1_000).await;
        lease(&world, &each, "agent:b", 1_000).await;
        let seen = operator.get(&path).await;
        assert_eq!(seen.json["accounts_total"], 1);
        assert_eq!(seen.json["accounts"][0]["account"], "agent:a");
        assert_eq!(admin.get(&path).await.json["accounts_total"], 2);
        let listed = operator.get("/api/v1/budgets").await;
        let ids: Vec<_> = listed.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].clone())
            .collect();
        assert_eq!(ids, [json!(own), json!(each)]);
        let leases = operator.get("/api/v1/leases").await;
        assert_eq!(leases.json["items"].as_array().unwrap().len(), 1);
        let leases = admin.get("/api/v1/leases?state=open").await;
        assert_eq!(leases.json["items"].as_array().unwrap().len(), 2);
        let of_b = leases.json["items"][1]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/leases/{of_b}/reclaim");
        assert_eq!(operator.post(&path, &Value::Null).await.status, 404);
        assert_eq!(viewer.post(&path, &Value::Null).await.status, 403);
        // What an admin set for every agent is not taken back by an operator of one project.
        let of_a = leases.json["items"][0]["id"].as_str().unwrap();
        let each_path = format!("/api/v1/leases/{of_a}/reclaim");
        assert_eq!(operator.post(&each_path, &Value::Null).await.status, 403);
        let taken = admin.post(&path, &Value::Null).await;
        assert_eq!((taken.status, taken.json["taken"]["nano"].as_i64()), (200, Some(500_000_000)));
        assert_eq!(admin.post(&path, &Value::Null).await.json["code"], "lease_not_open");
        // What they could have set they take back, once its proxy is silent.
        lease(&world, &own, "agent:a", 1_000).await;
        let leases = operator.get(&format!("/api/v1/leases?budget={own}")).await;
        let path =
            format!("/api/v1/leases/{}/reclaim", leases.json["items"][0]["id"].as_str().unwrap());
        let refused = operator.post(&path, &Value::Null).await;
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("lease_not_silent")));
        world.panel.clock.turn(crate::leases::TERM_MS + 1_000);
        assert_eq!(operator.post(&path, &Value::Null).await.status, 200);
    }
}

#[tokio::test]
async fn the_tree_hangs_agents_on_projects_and_warns_of_what_can_never_be_used() {
    for world in worlds().await {
        let (admin, operator) = people(&world).await;
        for (scope, limit) in
            [("organisation", "9 USD"), ("project:web", "5 USD"), ("model:gpt-*", "1 USD")]
        {
            assert_eq!(set(&admin, scope, limit).await.json["warnings"], json!([]));
        }
        let made = set(&operator, "agent:a", "6 USD").await;
        assert_eq!(made.json["warnings"].as_array().unwrap().len(), 1, "{}", made.text);
        let agent_a = made;
        let tree = admin.get("/api/v1/budgets/tree").await.json;
        let root = &tree["root"];
        assert_eq!(root["budgets"][0]["limit"]["text"], "$9.00");
        let children = root["children"].as_array().unwrap();
        assert_eq!([&children[0]["scope"], &children[1]["scope"]], ["model:gpt-*", "project:web"]);
        let agent = &children[1]["children"][0];
        assert_eq!(agent["scope"], "agent:a");
        assert_eq!(agent["budgets"][0]["warnings"].as_array().unwrap().len(), 1);
        assert!(agent["budgets"][0]["warnings"][0].as_str().unwrap().contains("project:web"));
        let own = operator.get("/api/v1/budgets/tree").await.json;
        assert_eq!(own["root"]["budgets"], json!([]));
        // What hangs above and is not theirs to see is not told of, whichever way they ask.
        let path = format!("/api/v1/budgets/{}", id_of(&agent_a));
        let more = json!({"limit": "10 USD"});
        assert_eq!(patch(&operator, &path, "*", &more).await.status, 200);
        let warned = |answer: &Answer| answer.json["warnings"].as_array().unwrap().len();
        let (seen, all) = (operator.get(&path).await, admin.get(&path).await);
        assert_eq!((warned(&seen), warned(&all)), (1, 2), "{} {}", seen.text, all.text);
        assert!(!seen.text.contains("organisation"), "{}", seen.text);
        let listed = operator.get("/api/v1/budgets").await;
        assert!(!listed.text.contains("organisation"), "{}", listed.text);
        assert_eq!(own["root"]["children"][0]["scope"], "project:web");
    }
}

#[tokio::test]
async fn a_decrease_says_first_what_can_still_be_spent_beyond_it_and_by_whom() {
    for world in worlds().await {
        let (admin, _) = people(&world).await;
        let budget = id_of(&set(&admin, "agent:a", "10 USD").await);
        lease(&world, &budget, "agent:a", 1_000).await;
        let path = format!("/api/v1/budgets/{budget}");
        let preview = admin.post(&format!("{path}/preview"), &json!({"limit": "2 USD"})).await;
        assert_eq!(preview.json["beyond"]["text"], "$3.00", "{}", preview.text);
        let account = &preview.json["accounts"][0];
        assert_eq!(account["left_new"]["nano"], 0);
        assert_eq!(account["holders"][0]["held"]["text"], "$5.00");
        assert_eq!(account["binds_at"], account["holders"][0]["expires_at"]);
        let dry =
            patch(&admin, &format!("{path}?dry_run=true"), "\"1\"", &json!({"limit": "2 USD"}))
                .await;
        assert_eq!(dry.json["applied"], false);
        assert_eq!(dry.json["effect"]["beyond"]["text"], "$3.00");
        assert_eq!(admin.get(&path).await.json["limit"]["text"], "$10.00", "nothing was changed");
        let done = patch(&admin, &path, "\"1\"", &json!({"limit": "2 USD"})).await;
        assert_eq!(done.json["applied"], true);
        // Nothing is torn back, and nothing more is granted.
        assert_eq!(done.json["budget"]["leased"]["text"], "$5.00");
        let refused = lease(&world, &budget, "agent:a", 1).await;
        assert_eq!(refused["refused"][0]["reason"], "exhausted");
        // A raise is there at once.
        patch(&admin, &path, "\"2\"", &json!({"limit": "20 USD"})).await;
        assert_eq!(lease(&world, &budget, "agent:a", 1).await["refused"], json!([]));
    }
}

#[tokio::test]
async fn who_asks_for_more_waits_and_goes_on_when_it_is_approved() {
    for world in worlds().await {
        let (admin, operator) = people(&world).await;
        let budget = id_of(&set(&operator, "agent:a", "1 USD").await);
        assert_eq!(lease(&world, &budget, "agent:a", 2_000_000_000).await["grants"], json!([]));
        let ask = json!({"budget": budget, "amount": "1 USD", "why": "the nightly run"});
        let asked = operator.post("/api/v1/budget-requests", &ask).await;
        assert_eq!(asked.status, 201, "{}", asked.text);
        let path = format!("/api/v1/budget-requests/{}", id_of(&asked));
        let before = mark(&world).await;
        let waiting = format!("{path}?wait_ms=20000");
        let begun = tokio::time::Instant::now();
        let (waited, decided) = tokio::join!(operator.get(&waiting), async {
            tokio::task::yield_now().await;
            admin.post(&format!("{path}/approve"), &json!({})).await
        });
        assert_eq!((decided.status, decided.json["state"].as_str()), (200, Some("approved")));
        assert_eq!(waited.json["state"], "approved");
        assert_eq!(waited.json["given"]["text"], "$1.00");
        assert!(begun.elapsed().as_secs() < 15, "it was told, and did not wait in vain");
        assert_eq!(mark(&world).await, before + 1, "proxies are told");
        let granted = lease(&world, &budget, "agent:a", 2_000_000_000).await;
        assert_eq!(granted["grants"][0]["limit"], 2_000_000_000_i64);
        // For this window alone: the budget stays what it was.
        let view = admin.get(&format!("/api/v1/budgets/{budget}")).await;
        assert_eq!(view.json["limit"]["text"], "$1.00");
        assert_eq!(view.json["accounts"][0]["limit"]["text"], "$2.00");
        let again = admin.post(&format!("{path}/approve"), &json!({})).await;
        assert_eq!((again.status, again.json["code"].as_str()), (409, Some("already_decided")));
        // For good.
        let asked = operator.post("/api/v1/budget-requests", &ask).await;
        let path = format!("/api/v1/budget-requests/{}", id_of(&asked));
        let body = json!({"amount": "3 USD", "lasting": true});
        let decided = operator.post(&format!("{path}/approve"), &body).await;
        assert_eq!(decided.json["given"]["text"], "$3.00", "{}", decided.text);
        let view = admin.get(&format!("/api/v1/budgets/{budget}")).await;
        assert_eq!(view.json["limit"]["text"], "$4.00");
        assert_eq!(
            view.json["accounts"][0]["limit"]["text"], "$5.00",
            "and what was allowed before"
        );
    }
}

#[tokio::test]
async fn requests_are_decided_by_whoever_could_have_set_the_budget() {
    for world in worlds().await {
        let (admin, operator) = people(&world).await;
        let viewer = world.signed_in(Role::Viewer).await;
        let each = id_of(&set(&admin, "agent:*", "1 USD").await);
        let others = id_of(&set(&admin, "agent:b", "1 USD").await);
        let ask = |budget: &str, account: &str| json!({"budget": budget, "account": account, "amount": 5});
        let path = "/api/v1/budget-requests";
        assert_eq!(operator.post(path, &ask(&others, "agent:b")).await.status, 404);
        assert_eq!(operator.post(path, &ask(&each, "agent:b")).await.status, 404);
        assert_eq!(operator.post(path, &ask(&each, "agent:*")).await.status, 400);
        assert_eq!(operator.post(path, &json!({"budget": each, "amount": 0})).await.status, 400);
        let asked = operator.post(path, &ask(&each, "agent:a")).await;
        assert_eq!(asked.status, 201, "{}", asked.text);
        let one = format!("{path}/{}", id_of(&asked));
        // An operator of one project cannot lift what an admin set for every agent.
        assert_eq!(operator.post(&format!("{one}/approve"), &json!({})).await.status, 403);
        assert_eq!(viewer.get(&one).await.status, 404);
        assert_eq!(viewer.get(path).await.json["items"], json!([]));
        assert_eq!(viewer.post(&format!("{one}/withdraw"), &Value::Null).await.status, 404);
        let denied = admin.post(&format!("{one}/deny"), &Value::Null).await;
        assert_eq!((denied.status, denied.json["state"].as_str()), (200, Some("denied")));
        let asked = operator.post(path, &ask(&each, "agent:a")).await;
        let one = format!("{path}/{}", id_of(&asked));
        let taken = operator.post(&format!("{one}/withdraw"), &Value::Null).await;
        assert_eq!(taken.json["state"], "withdrawn");
        let listed = admin.get(&format!("{path}?state=denied")).await;
        assert_eq!(listed.json["items"].as_array().unwrap().len(), 1);
        for _ in 0..20 {
            assert_eq!(operator.post(path, &ask(&each, "agent:a")).await.status, 201);
        }
        assert_eq!(operator.post(path, &ask(&each, "agent:a")).await.status, 409);
    }
}

#[tokio::test]
async fn an_agent_asks_for_itself_and_sees_its_own_budgets() {
    for world in worlds().await {
        let (admin, _) = people(&world).await;
        let each = id_of(&set(&admin, "agent:*", "1 USD").await);
        let others = id_of(&set(&admin, "agent:b", "1 USD").await);
        set(&admin, "project:web", "3 USD").await;
        let agent = Principal::Agent {
            agent: "a".to_owned(),
            project: "web".to_owned(),
            token: "tok_1".to_owned(),
        };
        let asked = |budget: &str, account: Option<&str>| Asked {
            budget: budget.to_owned(),
            account: account.map(ToOwned::to_owned),
            amount: 5,
            why: String::new(),
        };
        let panel = &world.panel;
        let request = ask(panel, &agent, &asked(&each, None)).await.unwrap();
        assert_eq!((request.account.as_str(), request.asked_by.as_str()), ("agent:a", "agent:a"));
        for wrong in [asked(&others, None), asked(&each, Some("agent:b"))] {
            assert!(matches!(ask(panel, &agent, &wrong).await, Err(BudgetError::NotFound(_))));
        }
        let mut connection = panel.store.pool().acquire().await.unwrap();
        let own = mine(&mut connection, &agent).await.unwrap();
        let accounts: Vec<_> = own.iter().map(|(_, account)| account.as_str()).collect();
        assert_eq!(accounts, ["project:web", "agent:a"]);
    }
}

#[tokio::test]
async fn a_level_is_told_again_once_the_limit_was_raised_above_it() {
    for world in worlds().await {
        let (admin, _) = people(&world).await;
        let budget = id_of(&set(&admin, "agent:a", "1 USD").await);
        lease(&world, &budget, "agent:a", 1).await;
        sqlx::query("UPDATE account SET posted = 960000000, leased = 0, alerted = 95")
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        let path = format!("/api/v1/budgets/{budget}");
        for (version, limit, alerted) in
            [(1, 1_010_526_316, 80), (2, 1_200_000_001, 50), (3, 1_920_000_001, 0)]
        {
            let tag = format!("\"{version}\"");
            let changed = patch(&admin, &path, &tag, &json!({"limit": limit})).await;
            assert_eq!(changed.json["budget"]["accounts"][0]["alerted"], alerted, "{limit}");
        }
    }
}

#[tokio::test]
async fn an_agents_token_shows_what_it_has_and_asks_for_more_and_nothing_else() {
    for world in worlds().await {
        let (admin, operator) = people(&world).await;
        let body = json!({"agent": "a", "project": "web", "budget": "1 USD/day", "expires": "1d"});
        let issued = operator.post("/api/v1/tokens", &body).await;
        assert_eq!(issued.status, 201, "{}", issued.text);
        let token = issued.json["token"].as_str().unwrap();
        let agent = world.with_bearer(token);
        let each = id_of(&set(&admin, "agent:*", "2 USD").await);
        let others = id_of(&set(&admin, "agent:b", "2 USD").await);
        let own = agent.get("/api/v1/budgets/mine").await;
        let accounts: Vec<_> = own.json.as_array().unwrap().iter().collect();
        assert_eq!(accounts.len(), 2, "{}", own.text);
        assert_eq!(
            (&accounts[0]["account"], &accounts[0]["left"]["text"]),
            (&json!("agent:a"), &json!("$2.00"))
        );
        assert_eq!(accounts[1]["budget"], issued.json["budget"]);
        let ask =
            |budget: &str| json!({"budget": budget, "amount": "1 USD", "why": "more to read"});
        let path = "/api/v1/budget-requests";
        let asked = agent.post(path, &ask(&each)).await;
        assert_eq!((asked.status, &asked.json["asked_by"]), (201, &json!("agent:a")));
        assert_eq!(agent.post(path, &ask(&others)).await.status, 404);
        let one = format!("{path}/{}", id_of(&asked));
        assert_eq!(agent.get(&one).await.json["state"], "open");
        assert_eq!(agent.get(path).await.json["items"].as_array().unwrap().len(), 1);
        // It neither decides nor looks around.
        assert_eq!(agent.post(&format!("{one}/approve"), &json!({})).await.status, 403);
        for closed in
            ["/api/v1/budgets", "/api/v1/budgets/tree", "/api/v1/leases", "/api/v1/webhooks"]
        {
            assert_eq!(agent.get(closed).await.status, 403, "{closed}");
        }
        let taken = agent.post(&format!("{one}/withdraw"), &Value::Null).await;
        assert_eq!(taken.json["state"], "withdrawn");
    }
}
