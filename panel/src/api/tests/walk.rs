//! Every route, asked by everybody: role x route x ownership. A route that has no example here fails.

use iron_policy::types::CallId;
use serde_json::{Value, json};

use crate::api::access::{Door, May, Role, Whose, table};
use crate::keys::{Master, unlock};
use crate::panel::Panel;
use crate::store::id;
use crate::testing::{World, sqlite};

/// What there is of a project `web`, which is not the stranger's, and of the panel.
struct Things {
    world: World,
    project: String,
    agent: String,
    token: String,
    budget: String,
    request: String,
    lease: String,
    person: String,
    secret: String,
    session: String,
    call: String,
}

/// Somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anyone,
    /// A credential that nobody has.
    Nobody,
    /// A member of `web`, or of the other project.
    Person(Role, bool),
    Admin,
    Proxy,
    Agent,
}

const CALLERS: [Caller; 9] = [
    Caller::Anyone,
    Caller::Nobody,
    Caller::Person(Role::Viewer, true),
    Caller::Person(Role::Operator, true),
    Caller::Person(Role::Viewer, false),
    Caller::Person(Role::Operator, false),
    Caller::Admin,
    Caller::Proxy,
    Caller::Agent,
];

impl Things {
    async fn new() -> Self {
        let store = sqlite().await;
        let master = unlock(&store, Master::new([7; 32])).await.unwrap();
        let world = World::of(Panel::new(store, master));
        let admin = world.signed_in(Role::Admin).await;
        let made = async |path: &str, body: Value| {
            let answer = admin.post(path, &body).await;
            assert_eq!(answer.status, 201, "{path}: {}", answer.text);
            answer.json
        };
        let field = |json: &Value, name: &str| json[name].as_str().unwrap().to_owned();
        let project = field(&made("/api/v1/projects", json!({"name": "web"})).await, "id");
        made("/api/v1/projects", json!({"name": "ops"})).await;
        let agent = json!({"name": "researcher", "project": "web"});
        let agent = field(&made("/api/v1/agents", agent).await, "id");
        let token = json!({"agent": "researcher", "project": "web", "expires": "1d"});
        let token = field(&made("/api/v1/tokens", token).await, "id");
        let budget = json!({"scope": "agent:researcher", "limit": "5 USD", "window": "total"});
        let budget = field(&made("/api/v1/budgets", budget).await, "id");
        let request = json!({"budget": budget, "amount": "1 USD", "why": "more"});
        let request = field(&made("/api/v1/budget-requests", request).await, "id");
        let person = made("/api/v1/users", json!({"name": "ada", "role": "viewer"})).await;
        let person = person["user"]["id"].as_str().unwrap().to_owned();
        let secret = json!({"name": "openai", "upstream": "openai", "value": "sk-test-1234567890"});
        let secret = field(&made("/api/v1/secrets", secret).await, "id");
        let proxy = world.as_proxy("edge").await;
        let asks = json!({"request": id("r"), "asks": [
            {"budget": budget, "account": "agent:researcher", "start": 0, "need": 1000}]});
        let granted = proxy.post("/api/v1/leases", &asks).await;
        assert_eq!(granted.status, 200, "{}", granted.text);
        let call = CallId::first_at(world.panel.clock.now_ms());
        let record = json!({"id": call.0, "agent": "researcher", "project": "web", "model": "m",
            "endpoint": "chat", "stream": false, "status": 200, "outcome": "ok", "reason": "",
            "reserved": 1, "posted": 1, "estimated": false});
        let taken = proxy.post("/api/v1/ingest", &json!({"calls": [record]})).await;
        assert_eq!(taken.status, 200, "{}", taken.text);
        let leases = admin.get("/api/v1/leases").await;
        let lease = field(&leases.json["items"][0], "id");
        let session = field(&admin.get("/api/v1/session").await.json, "session");
        let call = call.to_string();
        Self { world, project, agent, token, budget, request, lease, person, secret, session, call }
    }

    /// The path with examples in place of its variables.
    fn path(&self, door: &Door) -> String {
        let example = match door.path {
            path if path.starts_with("/api/v1/projects/") => &self.project,
            path if path.starts_with("/api/v1/agents/") => &self.agent,
            path if path.starts_with("/api/v1/tokens/") => &self.token,
            path if path.starts_with("/api/v1/budgets/") => &self.budget,
            path if path.starts_with("/api/v1/budget-requests/") => &self.request,
            path if path.starts_with("/api/v1/leases/") => &self.lease,
            path if path.starts_with("/api/v1/users/") => &self.person,
            path if path.starts_with("/api/v1/secrets/") => &self.secret,
            path if path.starts_with("/api/v1/sessions/") => &self.session,
            path if path.starts_with("/api/v1/calls/") => &self.call,
            path if path.starts_with("/api/v1/proxies/") => "edge",
            path if path.starts_with("/api/v1/policies/") => "1",
            // What is nobody's project's need not be there: who may ask is seen all the same.
            _ if door.whose == Whose::Panel => "none",
            path => path,
        };
        let path = door.path.replace("{id}", example).replace("{person}", &self.person);
        path.replace("{name}", example).replace("{number}", example)
    }

    async fn caller(&self, caller: Caller) -> World {
        let world = &self.world;
        match caller {
            Caller::Anyone => world.clone(),
            Caller::Nobody => world.with_bearer("iron_user_nobody"),
            Caller::Admin => world.signed_in(Role::Admin).await,
            Caller::Proxy => world.as_proxy(&id("p")).await,
            Caller::Agent => {
                let order = json!({"agent": "researcher", "project": "web", "expires": "1d"});
                let admin = world.signed_in(Role::Admin).await;
                let issued = admin.post("/api/v1/tokens", &order).await;
                world.with_bearer(issued.json["token"].as_str().unwrap())
            }
            Caller::Person(role, is_member) => {
                let world = world.signed_in(role).await;
                let me = world.get("/api/v1/session").await;
                sqlx::query("INSERT INTO member (project, person) SELECT id, $1 FROM project WHERE name = $2")
                    .bind(me.json["person"]["id"].as_str().unwrap().to_owned())
                    .bind(if is_member { "web" } else { "ops" })
                    .execute(world.panel.store.pool())
                    .await
                    .unwrap();
                world
            }
        }
    }
}

/// A body that is understood, so that what is refused is refused for who asks.
fn body(door: &Door) -> Value {
    match (door.method, door.path) {
        ("POST", "/api/v1/agents") => json!({"name": "writer", "project": "web"}),
        ("POST", "/api/v1/tokens") => {
            json!({"agent": "researcher", "project": "web", "expires": "1d"})
        }
        ("POST", "/api/v1/budgets") => {
            json!({"scope": "agent:researcher", "limit": "1 USD", "window": "day"})
        }
        ("PATCH", "/api/v1/projects/{id}") => json!({"title": "Web"}),
        ("PATCH", "/api/v1/budgets/{id}") => json!({"limit": "6 USD"}),
        (_, "/api/v1/budgets/{id}/preview") => json!({"limit": "1 USD"}),
        _ => json!({}),
    }
}

/// What the table says: the status that a caller is refused with, if it is.
fn refused(door: &Door, caller: Caller) -> Option<u16> {
    let role = match caller {
        Caller::Nobody => return Some(401),
        Caller::Person(role, _) => Some(role),
        Caller::Admin => Some(Role::Admin),
        _ => None,
    };
    let allowed = match door.may {
        // Whoever is not on this machine is a person.
        May::Anyone if door.path == "/metrics" => role.is_some(),
        May::Anyone => true,
        May::Proxy => caller == Caller::Proxy,
        May::Person(least) => role.is_some_and(|role| role >= least),
        May::AgentOr(least) => caller == Caller::Agent || role.is_some_and(|role| role >= least),
    };
    match caller {
        _ if allowed => None,
        Caller::Anyone => Some(401),
        _ => Some(403),
    }
}

#[tokio::test]
async fn everybody_gets_through_the_doors_that_are_theirs_and_no_other() {
    let mut wrong = Vec::new();
    let mut things = Things::new().await;
    let (seeing, changing): (Vec<&Door>, Vec<&Door>) =
        table().partition(|door| door.method == "GET");
    for door in seeing.into_iter().chain(changing) {
        // Each door that changes things is tried on new ones.
        if door.method != "GET" {
            things = Things::new().await;
        }
        let path = things.path(door);
        assert!(!path.contains('{'), "there is no example for {}", door.path);
        for caller in CALLERS {
            let who = things.caller(caller).await.with_header("if-match", "*");
            let sent = (door.method != "GET").then(|| body(door).to_string());
            let answer = who.send(door.method, &path, sent).await;
            if let Err(why) = as_it_should(&things, door, caller, answer.status, &answer.text) {
                wrong.push(format!(
                    "{} {path} by {caller:?}: {why}: {} {}",
                    door.method, answer.status, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn as_it_should(
    things: &Things,
    door: &Door,
    caller: Caller,
    status: u16,
    text: &str,
) -> Result<(), String> {
    let must = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
    if let Some(expected) = refused(door, caller) {
        return must(status == expected, &format!("not refused with {expected}"));
    }
    must(status < 500, "failed")?;
    let (has_id, is_stranger) =
        (door.path.contains('{'), matches!(caller, Caller::Person(_, false)));
    match door.whose {
        Whose::Project if is_stranger => {
            let names_it = [&things.project, &things.agent, &things.budget, &things.lease];
            let is_told =
                names_it.iter().any(|id| text.contains(*id)) || text.contains("researcher");
            must(status >= 300 || !is_told, "a stranger is told of it")?;
            must(!has_id || status == 404, "not 404 for a stranger")?;
            must(has_id || door.method == "GET" || status >= 400, "a stranger does it")
        }
        Whose::Caller if has_id && is_stranger => must(status == 404, "not 404 for a stranger"),
        // Signing in has refusals of its own.
        _ if door.may == May::Anyone && door.method == "POST" => Ok(()),
        Whose::Caller if has_id => Ok(()),
        _ => {
            must(status != 401 && status != 403, "refused")?;
            // Where a stranger is told that there is no such thing, there is one for a member.
            let may_be_gone = door.method == "DELETE";
            must(door.whose != Whose::Project || may_be_gone || status != 404, "not found")
        }
    }
}
