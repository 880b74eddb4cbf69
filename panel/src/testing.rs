//! For tests: databases of both engines, and a panel that is asked without a socket.
//!
//! PostgreSQL is real: a throw-away cluster that `tests/tools/postgres.sh` starts for whoever asks
//! first, and that ends by itself. Each store is a database of its own in it.

#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests end where this fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::api::access::Role;
use crate::api::{authenticate, router};
use crate::keys::Master;
use crate::panel::Panel;
use crate::store::{Store, id};

/// A store on each engine, both empty.
pub async fn stores() -> [Store; 2] {
    [sqlite().await, postgres().await]
}

/// A panel on each engine.
pub async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for store in stores().await {
        worlds.push(World::over(store));
    }
    worlds
}

/// A new SQLite file, in a folder that is removed by the system's own rules.
pub async fn sqlite() -> Store {
    let file = scratch().join(format!("{}.db", id("store")));
    Store::open(&format!("sqlite:{}", file.display())).await.expect("a new SQLite file")
}

/// A new database in the cluster that tests share.
pub async fn postgres() -> Store {
    Store::open(&new_database(&cluster()).await).await.expect("a new PostgreSQL database")
}

/// The address of a new database in this cluster.
pub async fn new_database(cluster: &str) -> String {
    let name = id("db");
    sqlx::any::install_default_drivers();
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(cluster)
        .await
        .expect("the cluster answers");
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .expect("a new database");
    cluster.replace("/postgres?", &format!("/{name}?"))
}

/// The address of the cluster that tests share; started where it does not run.
pub fn cluster() -> String {
    cluster_in(&std::env::temp_dir().join(format!("iron-cage-postgres-{}", user())))
}

/// The address of the cluster in this folder; started where it does not run.
pub fn cluster_in(folder: &Path) -> String {
    let output = postgres_tool("start", folder);
    String::from_utf8(output).expect("an address").trim().to_owned()
}

/// Runs `tests/tools/postgres.sh`.
pub fn postgres_tool(command: &str, folder: &Path) -> Vec<u8> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tools/postgres.sh");
    let output = Command::new(tool).arg(command).arg(folder).output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "nobody".to_owned())
}

fn scratch() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("iron-cage-stores-{}", user()));
    std::fs::create_dir_all(&folder).expect("a folder for databases");
    folder
}

/// A panel, asked without a socket.
#[derive(Debug, Clone)]
pub struct World {
    /// The panel.
    pub panel: Panel,
    router: Router,
    headers: HeaderMap,
}

/// What a panel answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where it is no JSON.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// A header's value; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl World {
    /// A panel over this store.
    pub fn over(store: Store) -> Self {
        Self::of(Panel::new(store, Master::new([7; 32])))
    }

    /// This panel.
    pub fn of(panel: Panel) -> Self {
        Self { router: router(&panel), panel, headers: HeaderMap::new() }
    }

    /// The same panel, asked by somebody new with this role.
    pub async fn signed_in(&self, role: Role) -> Self {
        self.with_bearer(&self.bearer_of(role).await)
    }

    /// The bearer token of somebody new with this role.
    pub async fn bearer_of(&self, role: Role) -> String {
        let (person, now) = (id("usr"), self.panel.clock.now_ms());
        sqlx::query("INSERT INTO person (id, name, role, created_at) VALUES ($1, $1, $2, $3)")
            .bind(person.clone())
            .bind(role.name())
            .bind(now)
            .execute(self.panel.store.pool())
            .await
            .expect("a person");
        let token = format!("{}{}", authenticate::PERSON, id("t"));
        sqlx::query(
            "INSERT INTO session (hash, id, person, kind, label, created_at, expires_at, used_at)
             VALUES ($1, $2, $3, 'machine', 'test', $4, $5, $4)",
        )
        .bind(authenticate::hash(&token))
        .bind(id("ses"))
        .bind(person)
        .bind(now)
        .bind(now + 3_600_000)
        .execute(self.panel.store.pool())
        .await
        .expect("a session");
        token
    }

    /// The same panel, asked by a new proxy of this name.
    pub async fn as_proxy(&self, name: &str) -> Self {
        self.with_bearer(&self.bearer_of_proxy(name).await)
    }

    /// The bearer token of a new proxy of this name.
    pub async fn bearer_of_proxy(&self, name: &str) -> String {
        let token = format!("{}{}", authenticate::PROXY, id("t"));
        sqlx::query("INSERT INTO proxy (name, hash, last4, created_at) VALUES ($1, $2, '', $3)")
            .bind(name.to_owned())
            .bind(authenticate::hash(&token))
            .bind(self.panel.clock.now_ms())
            .execute(self.panel.store.pool())
            .await
            .expect("a proxy");
        token
    }

    /// The same panel, asked with this bearer token.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// The same panel, asked with this header besides.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut world = self.clone();
        world.headers.insert(name, value.parse().expect("a header's value"));
        world
    }

    /// Another panel, asked by the same one.
    #[must_use]
    pub fn at(&self, panel: &Panel) -> Self {
        Self { router: router(panel), panel: panel.clone(), headers: self.headers.clone() }
    }

    /// The value of a header that it is asked with.
    pub fn sent(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// Asks for something.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Sends something.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body.to_string())).await
    }

    /// Sends any request.
    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.contains_key("host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() && !self.headers.contains_key("content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.unwrap_or_default())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        let status = StatusCode::as_u16(&parts.status);
        Answer { status, headers: parts.headers, json, text }
    }
}
