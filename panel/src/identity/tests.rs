//! Who people are, as their callers see it.

use iron_policy::config;
use serde_json::{Value, json};

use super::bootstrap::PREFIX;
use super::{attempts, device};
use crate::api::access::Role;
use crate::keys::Master;
use crate::panel::Panel;
use crate::testing::{Answer, World, sqlite, worlds};

const PASSWORD: &str = "correct horse battery";

/// A panel whose first admin is `ada`; asked as her.
async fn begun(world: &World) -> World {
    // At the beginning of a minute, so that what is counted by the minute is counted once.
    world.panel.clock.stop();
    world.panel.clock.turn(60_000 - world.panel.clock.now_ms() % 60_000);
    let token = world.panel.bootstrap().await.unwrap().unwrap();
    let body = json!({"token": *token, "name": "ada", "password": PASSWORD, "carrier": "machine"});
    let answer = world.post("/api/v1/session/bootstrap", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    world.with_bearer(answer.json["token"].as_str().unwrap())
}

async fn sign_in(world: &World, name: &str, password: &str) -> Answer {
    let body = json!({"name": name, "password": password, "carrier": "machine"});
    world.post("/api/v1/session", &body).await
}

async fn audited(world: &World, action: &str) -> i64 {
    let row = sqlx::query("SELECT COUNT(*) FROM audit WHERE action = $1")
        .bind(action.to_owned())
        .fetch_one(world.panel.store.pool())
        .await
        .unwrap();
    sqlx::Row::try_get(&row, 0).unwrap()
}

#[tokio::test]
async fn the_first_admin_is_made_with_a_token_that_works_once() {
    for world in worlds().await {
        world.panel.clock.stop();
        assert_eq!(sign_in(&world, "admin", "admin").await.status, 401, "no default password");
        let old = world.panel.bootstrap().await.unwrap().unwrap();
        let token = world.panel.bootstrap().await.unwrap().unwrap();
        assert!(token.starts_with(PREFIX));
        let body = |token: &str, password: &str| json!({"token": token, "name": "ada", "password": password, "carrier": "machine"});
        let path = "/api/v1/session/bootstrap";
        for (token, password, status, code) in [
            (old.as_str(), PASSWORD, 401, "unauthenticated"),
            ("iron_bootstrap_none", PASSWORD, 401, "unauthenticated"),
            (token.as_str(), "short", 400, "password_unfit"),
        ] {
            let answer = world.post(path, &body(token, password)).await;
            assert_eq!((answer.status, answer.json["code"].as_str()), (status, Some(code)));
        }
        // Two at once: one of them makes the admin.
        let (one, other) = (body(&token, PASSWORD), body(&token, PASSWORD));
        let (one, other) = tokio::join!(world.post(path, &one), world.post(path, &other));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401], "{} {}", one.text, other.text);
        assert_eq!(world.post(path, &body(&token, PASSWORD)).await.status, 401);
        assert!(world.panel.bootstrap().await.unwrap().is_none(), "there is an admin");
        let answer = if one.status == 201 { one } else { other };
        let ada = world.with_bearer(answer.json["token"].as_str().unwrap());
        let me = ada.get("/api/v1/session").await;
        assert_eq!(
            (&me.json["person"]["name"], &me.json["person"]["role"]),
            (&json!("ada"), &json!("admin"))
        );
        assert_eq!(sign_in(&world, "ada", PASSWORD).await.status, 201);
        // Neither the token nor the password is anywhere in the database's audit log.
        let row = sqlx::query("SELECT COUNT(*) FROM audit WHERE detail LIKE $1 OR detail LIKE $2")
            .bind(format!("%{}%", *token))
            .bind(format!("%{PASSWORD}%"))
            .fetch_one(world.panel.store.pool())
            .await
            .unwrap();
        assert_eq!(sqlx::Row::try_get::<i64, _>(&row, 0).unwrap(), 0);
        assert_eq!(audited(&world, "bootstrap.refused").await, 4);
    }
}

#[tokio::test]
async fn a_bootstrap_token_ends_after_a_day() {
    let world = World::over(sqlite().await);
    let token = world.panel.bootstrap().await.unwrap().unwrap();
    world.panel.clock.turn(25 * 3_600_000);
    let body = json!({"token": *token, "name": "ada", "password": PASSWORD});
    assert_eq!(world.post("/api/v1/session/bootstrap", &body).await.status, 401);
}

#[tokio::test]
async fn who_guesses_waits_and_learns_nothing() {
    for world in worlds().await {
        begun(&world).await;
        let seen = |answer: &Answer| {
            let mut json = answer.json.clone();
            json["request_id"] = Value::Null;
            (answer.status, json, answer.header("retry-after").to_owned())
        };
        // An unknown name and a wrong password look alike, also when they have to wait, and cost the
        // panel the same work.
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let mut work = Vec::new();
        for (name, answers) in [("ada", &mut known), ("nobody", &mut unknown)] {
            let before = world.panel.hashing.checked();
            for _ in 0..8 {
                answers.push(seen(&sign_in(&world, name, "wrong password").await));
            }
            work.push(world.panel.hashing.checked() - before);
        }
        assert_eq!(known, unknown);
        assert_eq!(work[0], work[1]);
        let statuses: Vec<_> = known.iter().map(|(status, ..)| *status).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
        assert_eq!(known[7].2, "1");
        // Now the right one has to wait, too; then it is let in, and the name is free again.
        assert_eq!(sign_in(&world, "ADA", PASSWORD).await.status, 429);
        world.panel.clock.turn(1100);
        assert_eq!(sign_in(&world, "ada", PASSWORD).await.status, 201);
        assert_eq!(sign_in(&world, "ada", "wrong password").await.status, 401);
        // Each failure doubles the wait.
        let mut waits = Vec::new();
        for _ in 0..3 {
            while sign_in(&world, "nobody", "wrong password").await.status != 429 {}
            let answer = sign_in(&world, "nobody", "wrong password").await;
            let seconds: i64 = answer.header("retry-after").parse().unwrap();
            waits.push(seconds);
            world.panel.clock.turn(seconds * 1000 + 1);
        }
        assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] * 2), "{waits:?}");
        assert!(audited(&world, "session.refused").await > 5);
        assert!(audited(&world, "session.refused").await <= 20, "a flood does not fill the disk");
    }
}

#[tokio::test]
async fn many_guesses_at_once_count_as_many() {
    for world in worlds().await {
        begun(&world).await;
        let guesses = (0..30).map(|number| {
            let world = world.clone();
            async move { sign_in(&world, "ada", &format!("guess number {number}")).await.status }
        });
        let statuses = futures_util::future::join_all(guesses).await;
        let looked_at = statuses.iter().filter(|status| **status == 401).count();
        assert_eq!(looked_at, 5, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_terminal_is_signed_in_by_somebody_who_is() {
    for world in worlds().await {
        let ada = begun(&world).await;
        let begun = world.post("/api/v1/session/device", &json!({"label": "laptop"})).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let question = json!({"device_token": begun.json["device_token"]});
        let ask = async || world.post("/api/v1/session/device/token", &question).await;
        assert_eq!(
            (ask().await.status, ask().await.json["state"].as_str()),
            (202, Some("waiting"))
        );
        let code = begun.json["code"].as_str().unwrap();
        let typed = code.to_lowercase().replace('-', " ");
        let approve = "/api/v1/session/device/approve";
        assert_eq!(world.post(approve, &json!({"code": code})).await.status, 401);
        assert_eq!(ada.post(approve, &json!({"code": "BBBB-BBBB"})).await.status, 404);
        let approved = ada.post(approve, &json!({"code": typed})).await;
        assert_eq!((approved.status, approved.json["label"].as_str()), (200, Some("laptop")));
        assert_eq!(ada.post(approve, &json!({"code": code})).await.status, 404, "once");
        let (one, other) = tokio::join!(ask(), ask());
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 410], "the session is given out once");
        let signed_in = if one.status == 201 { one } else { other };
        let terminal = world.with_bearer(signed_in.json["token"].as_str().unwrap());
        assert_eq!(terminal.get("/api/v1/session").await.json["person"]["name"], "ada");
        assert_eq!(ask().await.status, 410);
        // Guesses at codes are counted.
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(ada.post(approve, &json!({"code": "CCCC-CCCC"})).await.status);
        }
        assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
        // A code ends.
        let begun = world.post("/api/v1/session/device", &json!({})).await;
        world.panel.clock.turn(601_000);
        let question = json!({"device_token": begun.json["device_token"]});
        assert_eq!(world.post("/api/v1/session/device/token", &question).await.status, 410);
    }
}

#[tokio::test]
async fn strangers_who_send_wrong_tokens_or_begin_logins_keep_nobody_else_out() {
    for world in worlds().await {
        world.panel.clock.stop();
        let token = world.panel.bootstrap().await.unwrap().unwrap();
        let count = async |address: &str| attempts::begin_with_token(&world.panel, address).await;
        let mut waits = 0;
        for _ in 0..30 {
            waits += i32::from(count("192.0.2.1").await.is_err());
        }
        assert!(waits > 5, "whoever sends wrong ones waits: {waits}");
        let body =
            json!({"token": *token, "name": "ada", "password": PASSWORD, "carrier": "machine"});
        let answer = world.post("/api/v1/session/bootstrap", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        for _ in 0..50 {
            device::begin(&world.panel, "flood", "192.0.2.1").await.unwrap();
        }
        let refused = device::begin(&world.panel, "flood", "192.0.2.1").await.err().unwrap();
        assert_eq!((refused.status, refused.code), (429, "too_many_logins"));
        assert_eq!(world.post("/api/v1/session/device", &json!({})).await.status, 201);
    }
}

#[tokio::test]
async fn sessions_end_when_they_should() {
    for world in worlds().await {
        let ada = begun(&world).await;
        let other = sign_in(&world, "ada", PASSWORD).await;
        let second = world.with_bearer(other.json["token"].as_str().unwrap());
        let listed = ada.get("/api/v1/sessions").await;
        assert_eq!(listed.json["items"].as_array().unwrap().len(), 2);
        let path = format!("/api/v1/sessions/{}", other.json["id"].as_str().unwrap());
        // Nobody ends a session of somebody else.
        let stranger = world.signed_in(Role::Admin).await;
        assert_eq!(stranger.send("DELETE", &path, None).await.status, 404);
        assert_eq!(ada.send("DELETE", &path, None).await.status, 204);
        assert_eq!(second.get("/api/v1/session").await.status, 401);
        // A new password ends all others, and what they approved and nobody came for yet.
        let waiting = world.post("/api/v1/session/device", &json!({})).await;
        let code = json!({"code": waiting.json["code"]});
        assert_eq!(ada.post("/api/v1/session/device/approve", &code).await.status, 200);
        let other = sign_in(&world, "ada", PASSWORD).await;
        let second = world.with_bearer(other.json["token"].as_str().unwrap());
        let change = |old: &str| json!({"old": old, "new": "another horse battery"}).to_string();
        let path = "/api/v1/session/password";
        assert_eq!(ada.send("PUT", path, Some(change("wrong"))).await.status, 403);
        assert_eq!(ada.send("PUT", path, Some(change(PASSWORD))).await.status, 204);
        assert_eq!(second.get("/api/v1/session").await.status, 401);
        let question = json!({"device_token": waiting.json["device_token"]});
        assert_eq!(world.post("/api/v1/session/device/token", &question).await.status, 410);
        assert_eq!(ada.get("/api/v1/session").await.status, 200);
        assert_eq!(sign_in(&world, "ada", PASSWORD).await.status, 401);
        assert_eq!(ada.send("DELETE", "/api/v1/session", None).await.status, 204);
        assert_eq!(ada.get("/api/v1/session").await.status, 401);
        // Time ends them.
        let answer = sign_in(&world, "ada", "another horse battery").await;
        let ada = world.with_bearer(answer.json["token"].as_str().unwrap());
        world.panel.clock.turn(31 * 86_400_000);
        assert_eq!(ada.get("/api/v1/session").await.status, 401);
    }
}

#[tokio::test]
async fn a_browser_is_kept_apart_from_other_pages() {
    let settings =
        config::Panel { url: Some("https://panel.example.org".to_owned()), ..Default::default() };
    let panel = Panel::configured(sqlite().await, Master::new([7; 32]), settings);
    let world = World::of(panel);
    begun(&world).await;
    let body = json!({"name": "ada", "password": PASSWORD});
    let answer = world.post("/api/v1/session", &body).await;
    assert!(answer.json["token"].is_null(), "a browser's pages never see what the cookie holds");
    let line = answer.header("set-cookie");
    let (cookie, rest) = line.split_once(';').unwrap();
    assert!(cookie.starts_with("__Host-iron="), "{line}");
    assert_eq!(rest, " Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure");
    let csrf = answer.json["csrf"].as_str().unwrap();
    let browser = world.with_header("cookie", &format!("a=b; {cookie}"));
    let me = browser.get("/api/v1/session").await;
    assert_eq!((me.status, me.json["csrf"].as_str()), (200, Some(csrf)));
    // A change needs the CSRF token, and the right one.
    let change = json!({"code": "BBBB-BBBB"});
    let path = "/api/v1/session/device/approve";
    let answer = browser.post(path, &change).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (403, Some("csrf_token_wrong")));
    let wrong = browser.with_header("x-csrf-token", "AAAA");
    assert_eq!(wrong.post(path, &change).await.status, 403);
    let right = browser.with_header("x-csrf-token", csrf);
    assert_eq!(right.post(path, &change).await.status, 404);
    // Foreign pages and foreign names.
    let own = right.with_header("origin", "https://panel.example.org");
    assert_eq!(own.post(path, &change).await.status, 404);
    for origin in ["https://evil.example", "null", "http://localhost:1234"] {
        let answer = right.with_header("origin", origin).post(path, &change).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (403, Some("foreign_origin")));
        let preflight = world.with_header("origin", origin).send("OPTIONS", path, None).await;
        assert_eq!(preflight.status, 403);
        assert!(preflight.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
    let answer = world.with_header("host", "evil.example").get("/api/v1/health").await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (421, Some("foreign_host")));
    let plain = right.with_header("content-type", "text/plain").post(path, &change).await;
    assert_eq!((plain.status, plain.json["code"].as_str()), (415, Some("unsupported_media_type")));
    // What every answer carries.
    for answer in [&me, &answer, &plain, &world.get("/").await, &world.get("/none").await] {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.header(name), value);
        }
        let csp = answer.header("content-security-policy");
        assert!(csp.starts_with("default-src 'none'") && csp.contains("frame-ancestors 'none'"));
        assert!(answer.header("x-request-id").starts_with("req_"));
    }
    // A cookie of nobody is nobody's.
    let nobody = world.with_header("cookie", "__Host-iron=AAAA");
    assert_eq!(nobody.get("/api/v1/session").await.status, 401);
    assert_eq!(nobody.get("/api/v1/health").await.status, 200);
    // After half a day without a request it ends.
    world.panel.clock.turn(13 * 3_600_000);
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
}

#[tokio::test]
async fn the_pilots_browser_is_signed_in_with_one_click() {
    let store = sqlite().await;
    let world = World::of(Panel::pilot(store, Master::new([7; 32]), config::Panel::default()));
    let token = world.panel.bootstrap().await.unwrap().unwrap();
    let url = Panel::bootstrap_url("http://127.0.0.1:8080/", &token);
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let page = world.get(path).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains(token.as_str()) && !page.text.contains("<script"));
    assert!(world.panel.bootstrap().await.unwrap().is_some(), "reading it changes nothing");
    let token = world.panel.bootstrap().await.unwrap().unwrap();
    let form = world.with_header("content-type", "application/x-www-form-urlencoded");
    let foreign = form.with_header("origin", "https://evil.example");
    let fields = Some(format!("token={}", *token));
    assert_eq!(foreign.send("POST", "/bootstrap", fields.clone()).await.status, 403);
    let wrong = form.send("POST", "/bootstrap", Some("token=iron_bootstrap_x".to_owned())).await;
    assert_eq!((wrong.status, wrong.header("content-type")), (401, "text/html; charset=utf-8"));
    let answer = form.send("POST", "/bootstrap", fields.clone()).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    let line = answer.header("set-cookie");
    assert!(line.starts_with("iron=") && !line.contains("Secure"), "{line}");
    let browser = world.with_header("cookie", line.split(';').next().unwrap());
    assert!(browser.get("/").await.text.contains("signed in as admin"));
    assert_eq!(form.send("POST", "/bootstrap", fields).await.status, 401);

    // The same browser approves a terminal by the form.
    let begun = world.post("/api/v1/session/device", &json!({"label": "<b>x</b>"})).await;
    let page = browser.get(begun.json["path"].as_str().unwrap()).await;
    let csrf = page.text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = browser.with_header("content-type", "application/x-www-form-urlencoded");
    let code = begun.json["code"].as_str().unwrap();
    let without = form.send("POST", "/device", Some(format!("code={code}"))).await;
    assert_eq!(without.status, 403);
    let approved = form.send("POST", "/device", Some(format!("code={code}&csrf={csrf}"))).await;
    assert_eq!(approved.status, 200);
    assert!(approved.text.contains("&lt;b&gt;x&lt;/b&gt;") && !approved.text.contains("<b>"));
    // Somebody without a password can set one.
    let me = browser.get("/api/v1/session").await;
    let own = browser.with_header("x-csrf-token", me.json["csrf"].as_str().unwrap());
    let body = json!({"new": PASSWORD}).to_string();
    assert_eq!(own.send("PUT", "/api/v1/session/password", Some(body)).await.status, 204);
    assert_eq!(sign_in(&world, "admin", PASSWORD).await.status, 201);

    // Over the network nobody is signed in with one click.
    let listen = Some("0.0.0.0:8080".parse().unwrap());
    let settings = config::Panel { listen, ..Default::default() };
    let world = World::of(Panel::pilot(sqlite().await, Master::new([7; 32]), settings));
    let token = world.panel.bootstrap().await.unwrap().unwrap();
    assert!(world.get(&format!("/?bootstrap={}", *token)).await.text.contains("type=\"password\""));
    let form = world.with_header("content-type", "application/x-www-form-urlencoded");
    let answer = form.send("POST", "/bootstrap", Some(format!("token={}&name=ada", *token))).await;
    assert_eq!(answer.status, 400);
}
