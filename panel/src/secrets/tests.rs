//! Provider keys: nobody reads one but the proxy that needs it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, Serializable};
use iron_policy::control::SealedSecret;
use serde_json::{Value, json};

use crate::api::access::Role;
use crate::testing::{Answer, World, worlds};
use crate::tokens::tests::everything;

const CANARY: &str = "sk-canary-7Jw2pQ9xL4";
const SECOND: &str = "sk-second-canary-Zt81";

/// A proxy's end of the sealing.
struct Opener {
    private: <X25519HkdfSha256 as Kem>::PrivateKey,
    public: String,
}

impl Opener {
    fn new() -> Self {
        let (private, public) = X25519HkdfSha256::gen_keypair();
        Self { private, public: STANDARD.encode(public.to_bytes()) }
    }

    async fn held(&self, proxy: &World) -> Answer {
        let asks = json!({"version": "1", "seal_to": self.public, "marks": {}});
        proxy.post("/api/v1/proxies/changes", &asks).await
    }

    fn open(&self, sealed: &SealedSecret) -> Option<String> {
        let decode = |text: &str| STANDARD.decode(text).unwrap();
        let encapsulated = decode(&sealed.encapsulated);
        let bound =
            SealedSecret::bound_to(&sealed.id, sealed.version, &sealed.upstream, &sealed.base_url);
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&encapsulated).unwrap(),
            SealedSecret::INFO,
            &decode(&sealed.sealed),
            bound.as_bytes(),
        );
        opened.ok().map(|plain| String::from_utf8(plain).unwrap())
    }
}

fn sealed(answer: &Answer) -> Vec<SealedSecret> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_value(answer.json["secrets"].clone()).unwrap()
}

async fn add(admin: &World, name: &str, upstream: &str, value: &str) -> Value {
    let order = json!({"name": name, "upstream": upstream, "value": value});
    let answer = admin.post("/api/v1/secrets", &order).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_provider_key_is_in_no_table_log_error_audit_entry_or_answer() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let keyed = admin.with_header("idempotency-key", "k-1");
        let mut answers = Vec::new();
        let order = json!({"name": "main", "upstream": "openai", "value": CANARY});
        let made = keyed.post("/api/v1/secrets", &order).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json["last4"], &CANARY[CANARY.len() - 4..]);
        let path = format!("/api/v1/secrets/{}", made.json["id"].as_str().unwrap());
        answers.push(made);
        answers.push(keyed.post("/api/v1/secrets", &order).await);
        // In the wrong place, twice, as something else: the refusal does not quote it.
        for wrong in [
            json!(CANARY),
            json!([CANARY]),
            json!({"name": CANARY.to_owned() + " ", "upstream": "a", "value": "x"}),
            json!({"name": "a", "upstream": CANARY.to_owned() + "/", "value": "x"}),
            json!({"name": "a", "upstream": "b", "value": {"value": CANARY}}),
            json!({"name": "a", "upstream": "b", "value": format!("{CANARY} ")}),
            json!({"name": "a", "upstream": "b", "value": "x", CANARY: CANARY}),
        ] {
            let answer = admin.post("/api/v1/secrets", &wrong).await;
            assert_eq!(answer.status, 400, "{}", answer.text);
            answers.push(answer);
        }
        let twice = admin.post("/api/v1/secrets", &order).await;
        assert_eq!((twice.status, &twice.json["code"]), (409, &json!("secret_exists")));
        answers.push(twice);
        let rotated = admin.post(&format!("{path}/rotate"), &json!({"value": SECOND})).await;
        assert_eq!((rotated.status, &rotated.json["number"]), (200, &json!(2)));
        answers.push(rotated);
        for path in [path.as_str(), "/api/v1/secrets", "/api/v1/proxies"] {
            answers.push(admin.get(path).await);
        }
        let opener = Opener::new();
        let held = opener.held(&world.as_proxy("edge").await).await;
        assert_eq!(opener.open(&sealed(&held)[0]).as_deref(), Some(SECOND));
        answers.push(held);
        // A row that was changed: the failure is logged, and names no value.
        sqlx::query("UPDATE secret_version SET sealed = wrapped")
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        answers.push(opener.held(&world.as_proxy("other").await).await);

        let stored = everything(&world.panel.store).await;
        for (value, half) in [(CANARY, "canary-7Jw2"), (SECOND, "second-canary")] {
            for form in [value.to_owned(), half.to_owned(), STANDARD.encode(value)] {
                for answer in &answers {
                    let headers = format!("{:?}", answer.headers);
                    assert!(
                        !answer.text.contains(&form) && !headers.contains(&form),
                        "{}",
                        answer.text
                    );
                }
                assert!(!stored.contains(&form), "{form} is in the database");
                let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
                assert!(!logged.contains(&form), "{form} is in the log");
            }
        }
        let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
        assert!(logged.contains("is kept from proxies"), "the log was not looked at: {logged}");
    }
}

#[tokio::test]
async fn a_proxy_gets_the_keys_of_its_upstreams_sealed_to_itself() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        add(&admin, "a", "openai", "sk-openai-1").await;
        add(&admin, "b", "anthropic", "sk-anthropic-1").await;
        let order = json!({"name": "edge", "upstreams": ["anthropic"]});
        let added = admin.post("/api/v1/proxies", &order).await;
        let some = world.with_bearer(added.json["credential"].as_str().unwrap());
        let all = world.as_proxy("all").await;
        let (one, other) = (Opener::new(), Opener::new());
        let held = sealed(&one.held(&some).await);
        assert_eq!(held.len(), 1);
        assert_eq!(one.open(&held[0]).as_deref(), Some("sk-anthropic-1"));
        assert_eq!(other.open(&held[0]), None, "another proxy reads nothing");
        let mut moved = held[0].clone();
        moved.upstream = "openai".to_owned();
        assert_eq!(one.open(&moved), None, "a key cannot pass for another upstream's");
        assert_eq!(sealed(&one.held(&all).await).len(), 2);
        // Nobody else is given any.
        let asks = json!({"version": "1", "seal_to": one.public, "marks": {}});
        for world in [&admin, &world] {
            let answer = world.post("/api/v1/proxies/changes", &asks).await;
            assert!([401, 403].contains(&answer.status));
        }
    }
}

#[tokio::test]
async fn rows_that_were_swapped_or_changed_are_left_out_and_the_others_are_handed_out() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let proxy = world.as_proxy("edge").await;
        let mut ids = Vec::new();
        for upstream in ["openai", "anthropic", "gemini"] {
            let made = add(&admin, upstream, upstream, &format!("sk-{upstream}")).await;
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        // The envelopes of the first two change places.
        for (from, to) in [(&ids[0], "x"), (&ids[1], &ids[0]), (&"x".to_owned(), &ids[1])] {
            let move_to = "UPDATE secret_version SET secret = $1 WHERE secret = $2";
            let mut connection = world.panel.store.pool().acquire().await.unwrap();
            sqlx::query(
                "INSERT INTO secret (id, name, upstream, last4, number, created_at, rotated_at, base_url)
                 VALUES ('x', 'x', 'x', '', 9, 0, 0, '') ON CONFLICT DO NOTHING",
            )
            .execute(&mut *connection)
            .await
            .unwrap();
            sqlx::query(move_to)
                .bind(to.to_owned())
                .bind(from.clone())
                .execute(&mut *connection)
                .await
                .unwrap();
        }
        let opener = Opener::new();
        let held = sealed(&opener.held(&proxy).await);
        assert_eq!(held.len(), 1);
        assert_eq!(opener.open(&held[0]).as_deref(), Some("sk-gemini"));
    }
}

#[tokio::test]
async fn a_panel_with_the_wrong_master_key_answers_503_and_hands_nothing_out() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        add(&admin, "a", "openai", CANARY).await;
        let proxy = world.as_proxy("edge").await;
        let wrong =
            crate::panel::Panel::new(world.panel.store.clone(), crate::keys::Master::new([9; 32]));
        let wrong = proxy.at(&wrong);
        let answer = Opener::new().held(&wrong).await;
        assert_eq!((answer.status, &answer.json["code"]), (503, &json!("wrong_master_key")));
        assert!(!answer.text.contains("canary"));
    }
}

#[tokio::test]
async fn a_removal_needs_the_version_that_was_seen() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let made = add(&admin, "a", "openai", CANARY).await;
        let path = format!("/api/v1/secrets/{}", made["id"].as_str().unwrap());
        let seen = admin.get(&path).await;
        assert_eq!(admin.send("DELETE", &path, None).await.status, 428);
        admin.post(&format!("{path}/rotate"), &json!({"value": SECOND})).await;
        let stale = admin.with_header("if-match", seen.header("etag"));
        assert_eq!(stale.send("DELETE", &path, None).await.status, 412);
        let tag = admin.get(&path).await;
        let fresh = admin.with_header("if-match", tag.header("etag"));
        assert_eq!(fresh.send("DELETE", &path, None).await.status, 204);
        assert_eq!(admin.get(&path).await.status, 404);
        let opener = Opener::new();
        assert!(sealed(&opener.held(&world.as_proxy("edge").await).await).is_empty());
        let operator = world.signed_in(Role::Operator).await;
        let order = json!({"name": "b", "upstream": "b", "base_url": "https://b", "value": "x"});
        assert_eq!(operator.post("/api/v1/secrets", &order).await.status, 403);
    }
}

#[tokio::test]
async fn a_key_is_for_one_address_which_only_a_new_value_changes() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let made = add(&admin, "a", "openai", CANARY).await;
        assert_eq!(made["base_url"], "https://api.openai.com");
        let own = json!({"name": "b", "upstream": "own", "value": SECOND});
        let answer = admin.post("/api/v1/secrets", &own).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        for wrong in ["", "ftp://x", "https://", "https://me:pw@x", "https://x?y", "https://x y"] {
            let mut own = own.clone();
            own["base_url"] = json!(wrong);
            let answer = admin.post("/api/v1/secrets", &own).await;
            assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
        }
        let mut own = own.clone();
        own["base_url"] = json!("https://llm.example/v1/");
        let answer = admin.post("/api/v1/secrets", &own).await;
        assert_eq!(answer.json["base_url"], "https://llm.example/v1", "{}", answer.text);

        let opener = Opener::new();
        let proxy = world.as_proxy("edge").await;
        let held = sealed(&opener.held(&proxy).await);
        assert_eq!(held[0].base_url, "https://api.openai.com");
        let mut moved = held[0].clone();
        moved.base_url = "https://evil.example".to_owned();
        assert_eq!(opener.open(&moved), None, "a key cannot pass for one of another address");

        let rotate = format!("/api/v1/secrets/{}/rotate", made["id"].as_str().unwrap());
        let there = json!({"base_url": "https://other.example"});
        assert_eq!(admin.post(&rotate, &there).await.status, 400, "not the value that is there");
        let mut with_value = there.clone();
        with_value["value"] = json!(SECOND);
        let answer = admin.post(&rotate, &with_value).await;
        assert_eq!(answer.json["base_url"], "https://other.example", "{}", answer.text);
        // It stays where none is said.
        let answer = admin.post(&rotate, &json!({"value": SECOND})).await;
        assert_eq!(answer.json["base_url"], "https://other.example", "{}", answer.text);
        let held = sealed(&opener.held(&proxy).await);
        assert_eq!(opener.open(&held[0]).as_deref(), Some(SECOND));
        assert_eq!(
            admin.get("/api/v1/secrets").await.json["items"][0]["base_url"],
            "https://other.example"
        );
    }
}
