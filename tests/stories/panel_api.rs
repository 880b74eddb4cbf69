//! The panel's API against its own document: the document is valid OpenAPI, and schemathesis asks every
//! operation, sensibly and not, and sees no failure of the server and no answer that is not documented.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use iron_panel::Panel;
use iron_panel::api::access::Role;
use iron_panel::keys::{Master, unlock};
use iron_panel::server::Server;
use iron_panel::testing::{World, sqlite};
use iron_tests::python;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// What is checked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// What ends the session that all the rest is asked with.
const OF_SESSIONS: &str = "^/api/v1/session(s/.*)?$";
/// What proxies ask, with a credential of their own.
const OF_PROXIES: &str = "^/api/v1/(ingest|leases|leases/report|proxies/changes)$";
/// What agents may ask with their token.
const OF_AGENTS: &str =
    "^/api/v1/(budgets/mine|budget-requests|budget-requests/[^/]*(/withdraw)?)$";

/// A panel on a port, and what it is asked with.
struct Asked {
    address: SocketAddr,
    python: PathBuf,
    folder: TempDir,
}

impl Asked {
    /// Asks with this bearer token; only the operations that the flags choose.
    async fn ask(&self, bearer: &str, flags: &[&str]) {
        let base = format!("http://{}", self.address);
        let output = self
            .run(
                Command::new(&self.python)
                    .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"])
                    .arg("openapi.json")
                    .args(["--url", &base, "--checks", CHECKS, "--seed", "1"])
                    .args(["--max-examples", "10", "--phases", "examples,coverage,fuzzing"])
                    .args(["--no-shrink", "--continue-on-failure", "--request-timeout", "30"])
                    .args(["--suppress-health-check", "all"])
                    .args(["--header", &format!("Authorization: Bearer {bearer}")])
                    .args(flags),
            )
            .await;
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{complained}");
        assert!(!said.contains("returned only 401/403"), "asked without a right to:\n{said}");
    }

    /// Whether the document is what OpenAPI says that one is.
    async fn validate(&self) {
        let output = self
            .run(Command::new(&self.python).args(["-m", "openapi_spec_validator", "openapi.json"]))
            .await;
        // It shows the whole document with what it finds.
        let said: String = String::from_utf8_lossy(&output.stdout).chars().take(600).collect();
        assert!(output.status.success(), "{said}");
    }

    async fn run(&self, command: &mut Command) -> Output {
        command
            .current_dir(self.folder.path())
            .env("HYPOTHESIS_STORAGE_DIRECTORY", self.folder.path().join("hypothesis"))
            .output()
            .await
            .unwrap()
    }
}

/// Makes something, as somebody does.
async fn made(admin: &World, path: &str, body: Value) -> Value {
    let answer = admin.post(path, &body).await;
    assert_eq!(answer.status, 201, "{path}: {}", answer.text);
    answer.json
}

/// Makes one of each, and says to schemathesis by which ids they are found, and that changes are meant
/// for whatever version there is. What it deletes it must find, or guess, itself.
async fn fill(admin: &World, folder: &Path) {
    let project = made(admin, "/api/v1/projects", json!({"name": "shop"})).await;
    let user = made(admin, "/api/v1/users", json!({"name": "grace", "role": "operator"})).await;
    let token = made(admin, "/api/v1/tokens", json!({"agent": "coder", "project": "shop"})).await;
    let budget = json!({"scope": "project:shop", "limit": "5 USD", "window": "day"});
    let budget = made(admin, "/api/v1/budgets", budget).await;
    let request = json!({"budget": budget["id"], "amount": "1 USD", "why": "more"});
    let request = made(admin, "/api/v1/budget-requests", request).await;
    let webhook = json!({"url": "https://example.org/hook"});
    let webhook = made(admin, "/api/v1/webhooks", webhook).await;
    let secret =
        json!({"name": "openai", "upstream": "openai", "value": "sk-0123456789abcdef0123"});
    let secret = made(admin, "/api/v1/secrets", secret).await;
    made(admin, "/api/v1/policies", json!({"toml": ""})).await;
    let user = &user["user"]["id"];
    let mut lines = "parameters = { \"If-Match\" = \"*\" }\n".to_owned();
    for (kind, id) in [
        ("agents", &json!("coder")),
        ("budgets", &budget["id"]),
        ("budget-requests", &request["id"]),
        ("projects", &project["id"]),
        ("secrets", &secret["id"]),
        ("tokens", &token["id"]),
        ("users", user),
        ("webhooks", &webhook["id"]),
    ] {
        let _ = write!(
            lines,
            "[[operations]]\ninclude-path-regex = \"^/api/v1/{kind}/[{{]\"\n\
             exclude-method = \"DELETE\"\nparameters = {{ id = {id}, person = {user} }}\n"
        );
    }
    lines += "[[operations]]\ninclude-path-regex = \"^/api/v1/policies/[{]\"\n\
              parameters = { number = 1 }\n";
    std::fs::write(folder.join("schemathesis.toml"), lines).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panel_answers_as_its_document_says() {
    let python =
        tokio::task::spawn_blocking(|| python::with_requirements_of("panel_api")).await.unwrap();
    let store = sqlite().await;
    let master = unlock(&store, Master::new([7; 32])).await.unwrap();
    let world = World::of(Panel::new(store, master));
    let bearer = world.bearer_of(Role::Admin).await;
    let admin = world.with_bearer(&bearer);
    let server = Server::bind(&world.panel, Some("127.0.0.1:0".parse().unwrap()), None).unwrap();
    let address = server.address().unwrap();
    let serving = tokio::spawn(server.run(std::future::pending()));
    let asked = Asked { address, python, folder: TempDir::new().unwrap() };
    let document = world.get("/api/v1/openapi.json").await;
    std::fs::write(asked.folder.path().join("openapi.json"), &document.text).unwrap();
    asked.validate().await;
    fill(&admin, asked.folder.path()).await;
    // One expression: of two flags the last would hold.
    let others = format!("{OF_SESSIONS}|{OF_PROXIES}");
    asked.ask(&bearer, &["--exclude-path-regex", &others]).await;
    assert_eq!(admin.get("/api/v1/session").await.status, 200, "asked as an admin to the end");

    // Those of before were removed, revoked and stopped.
    let proxy = world.bearer_of_proxy("another").await;
    // By name, which has the method in it: of two flags either would do.
    let of_proxies = OF_PROXIES.replace('^', "^POST ");
    asked.ask(&proxy, &["--include-name-regex", &of_proxies]).await;
    let agent = made(&admin, "/api/v1/tokens", json!({"agent": "reader", "project": "shop"}));
    let agent = agent.await["token"].as_str().unwrap().to_owned();
    asked.ask(&agent, &["--include-path-regex", OF_AGENTS]).await;

    // Last, since it is over with a session that is ended.
    for operation in [
        "GET /api/v1/leases",
        "GET /api/v1/session",
        "POST /api/v1/session",
        "DELETE /api/v1/sessions/{id}",
        "DELETE /api/v1/session",
    ] {
        asked.ask(&bearer, &["--include-name", operation]).await;
    }
    assert_eq!(admin.get("/api/v1/session").await.status, 401, "signed out");
    serving.abort();
}
