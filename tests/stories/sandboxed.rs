//! Sandboxes: connections that are their run's whatever is said on them, what is told of refusals, and
//! agents in real ones.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use iron_proxy::control::published;
use iron_proxy::state::Told;
use iron_sandbox::confinement::{Behind, Introduction};
use iron_sandbox::event::{Action, Denial, Event, Remedy};
use iron_sandbox::gate::{self, Gate};
use iron_sandbox::layer::{Layer, Tier};
use iron_sandbox::proxy;
use iron_tests::client::{CALLER_KEY, chat, chat_stream};
use iron_tests::socket::Socket;
use iron_tests::{Answer, Client, Scripted, Site, Through, World};
use iron_tests::{binary, python};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::websocket::{ENDS, create};

/// A sandbox's way to a proxy, without the sandbox.
struct Way {
    /// Where its agent connects.
    address: SocketAddr,
    _gate: Gate,
}

impl Way {
    /// Announces a run of the agent `boxed` and opens a gate for it.
    async fn open(world: &World, run: &str, more: &Value) -> Self {
        let mut announcement = json!({"id": run, "agent": "boxed"});
        for (name, value) in more.as_object().unwrap() {
            announcement[name] = value.clone();
        }
        let answer = controller(world).post("/_iron/control/runs", &announcement).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Self::of(world, run)
    }

    fn of(world: &World, run: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let introduction =
            Introduction { address: world.address, state: world.state(), run: run.to_owned() };
        let gate = gate::serve(listener, Behind::Proxy(introduction)).unwrap();
        Self { address, _gate: gate }
    }

    fn client(&self) -> Client {
        Client::new(self.address)
    }
}

/// A client that carries the proxy's control token.
fn controller(world: &World) -> Client {
    let token = published(&world.state()).unwrap().token;
    world.client().without("authorization").header("authorization", &format!("Bearer {}", *token))
}

async fn receipt(world: &World, run: &str) -> Value {
    controller(world).get(&format!("/_iron/control/runs/{run}")).await.json()
}

#[track_caller]
fn is_pinned(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    assert!(answer.text().contains("identity_pinned"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
}

#[tokio::test]
async fn calls_count_to_the_run_whatever_they_say_or_do_not_say() {
    let world = World::plain().await;
    let way = Way::open(&world, "run-1", &json!({})).await;
    assert_eq!(way.client().chat("hello").await.said(), "You said: hello");
    let own = "/agent/boxed/run/run-1/v1/chat/completions";
    assert_eq!(way.client().post(own, &chat("hello")).await.status, 200);
    let stream =
        way.client().post("/v1/chat/completions", &chat_stream("mail ada@example.org")).await;
    assert!(stream.text().ends_with("data: [DONE]\n\n"), "{}", stream.text());
    for path in ["/agent/other", "/run/run-2", "/agent/boxed/run/run-2", "/agent/other/run/run-1"] {
        let answer =
            way.client().post(&format!("{path}/v1/chat/completions"), &chat("hello")).await;
        is_pinned(&answer);
        assert!(answer.text().contains("the path"), "{}", answer.text());
    }
    for (name, value) in
        [("x-iron-agent", "other"), ("x-iron-session", "run-2"), ("x-iron-project", "web")]
    {
        let answer = way.client().header(name, value).chat("hello").await;
        is_pinned(&answer);
        assert!(answer.text().contains(name), "{}", answer.text());
    }
    // In the caller's words.
    let message = way.client().header("anthropic-version", "2023-06-01");
    let answer = message.post("/agent/other/v1/messages", &json!({})).await;
    assert_eq!(answer.json()["error"]["type"], "permission_error", "{}", answer.text());

    let calls = world.calls().await;
    assert_eq!(calls.len(), 11);
    assert!(calls.iter().all(|call| call.agent == "boxed"), "{calls:?}");
    let told = receipt(&world, "run-1").await;
    assert_eq!(told["refused"], json!({"identity_pinned": 8}));
    assert_eq!(told["nano_usd"], world.provider.bill().total_nano_usd);
    assert!(!world.last_received().contains("ada@example.org"));
}

#[tokio::test]
async fn a_runs_budget_cannot_be_left_and_its_depth_not_be_denied() {
    let lines = "[runaway]\nmax_depth = 1\n";
    let world = World::with(lines).await;
    let way = Way::open(&world, "poor", &json!({"budget": "0.000001 USD"})).await;
    for path in ["/v1/chat/completions", "/agent/boxed/run/poor/v1/chat/completions"] {
        let answer = way.client().post(path, &chat("hello")).await;
        assert_eq!(answer.status, 402, "{}", answer.text());
    }
    Way::open(&world, "outer", &json!({})).await;
    Way::open(&world, "middle", &json!({"parent": "outer"})).await;
    let deep = Way::open(&world, "inner", &json!({"parent": "middle"})).await;
    for client in [deep.client(), deep.client().header("x-iron-depth", "0")] {
        assert_eq!(client.chat("hello").await.code(), "depth_exceeded");
    }
    assert_eq!(Way::of(&world, "middle").client().chat("hello").await.status, 200);
}

#[tokio::test]
async fn nothing_of_the_proxys_own_is_told_to_a_sandbox() {
    let world = World::plain().await;
    let way = Way::open(&world, "run-1", &json!({})).await;
    for path in ["/_iron/health", "/_iron/ready"] {
        assert_eq!(way.client().get(path).await.status, 200, "{path}");
    }
    // Not even with the token, which a sandbox does not see.
    let token = published(&world.state()).unwrap().token;
    let bearer = format!("Bearer {}", *token);
    let client = way.client().header("authorization", &bearer).header("x-iron-run", "run-1");
    for path in [
        "/_iron/status",
        "/_iron/metrics",
        "/_iron/control/runs/run-1",
        "/_iron/control/",
        "/_iron/",
    ] {
        let answer = client.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "not_from_a_sandbox"));
    }
    let upgrade = client.header("connection", "upgrade").header("upgrade", "iron-attach");
    for path in ["attach", "stops", "runs", "runs/run-1/denials"] {
        let answer = upgrade.post(&format!("/_iron/control/{path}"), &json!({"agent": "*"})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "not_from_a_sandbox"));
    }
    // Nor where the address has the host in it, as a program sends that takes this for its proxy.
    let through = TcpStream::connect(way.address).await.unwrap();
    let mut inside = iron_tests::through::Inside::new(through, &world.address.to_string()).await;
    let answer = inside.get(&format!("http://{}/_iron/status", world.address)).await;
    assert_eq!(answer.code(), "not_from_a_sandbox", "{}", answer.text());
}

#[tokio::test]
async fn only_who_has_the_token_is_attached_and_only_for_a_run_that_is_known() {
    let world = World::plain().await;
    Way::open(&world, "run-1", &json!({})).await;
    let asks =
        |client: Client| client.header("connection", "upgrade").header("upgrade", "iron-attach");
    let path = "/_iron/control/attach";
    let answer = asks(world.client()).header("x-iron-run", "run-1").post(path, &json!({})).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let steering = controller(&world);
    let answer = asks(steering.clone()).header("x-iron-run", "run-2").post(path, &json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "unknown_run"));
    assert_eq!(asks(steering.clone()).post(path, &json!({})).await.status, 400);
    let plain = steering.clone().header("x-iron-run", "run-1");
    assert_eq!(plain.post(path, &json!({})).await.status, 400, "it asks for no upgrade");
    assert_eq!(asks(plain.clone()).get(path).await.status, 405);
    let page = asks(plain).header("origin", "https://evil.example").post(path, &json!({})).await;
    assert_eq!(page.status, 403);
    // A gate says so to its agent.
    let answer = Way::of(&world, "run-2").client().chat("hello").await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(world.calls().await.is_empty());
}

#[tokio::test]
async fn http_2_and_websockets_pass_as_everywhere() {
    let world = World::plain().await;
    let way = Way::open(&world, "run-1", &json!({})).await;
    let stream = TcpStream::connect(way.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for (path, status) in [("/v1", 200), ("/agent/other/v1", 403)] {
        let request = Request::post(format!("http://{}{path}/chat/completions", world.address))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {CALLER_KEY}"))
            .body(Full::new(Bytes::from(chat("hello").to_string())))
            .unwrap();
        sender.ready().await.unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status);
    }
    let mut socket = Socket::open(way.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
    let refused = Socket::try_open(way.address, "/agent/other/v1/responses", &[]).await;
    assert_eq!(refused.err().unwrap().status(), 403);
    let calls = world.calls().await;
    assert!(calls.iter().all(|call| call.agent == "boxed"), "{calls:?}");
    assert_eq!(receipt(&world, "run-1").await["nano_usd"], world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_sandbox_that_takes_the_proxy_for_its_proxy_is_itself_there_too() {
    let site = Site::start("site.example", true).await;
    let lines = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         hosts = [\"api.openai.com\"]\n\
         [connect]\nintercept = [\"site.example\"]\nprivate = [\"{}\"]\n",
        site.target
    );
    let world = World::within(&lines, &[], |network| site.join(network)).await;
    let way = Way::open(&world, "run-1", &json!({})).await;
    let ca = world.folder().join("ca/ca.pem");
    let through = Through::at(way.address, &ca);
    for named in [through.clone(), through.clone().named("boxed:run=run-1")] {
        let mut inside = named.open("api.openai.com:443").await;
        assert_eq!(inside.post("/v1/chat/completions", &chat("hello")).await.status, 200);
        let claims = [("x-iron-agent", "other"), ("content-type", "application/json")];
        let body = chat("hello").to_string();
        is_pinned(&inside.send(hyper::Method::POST, "/v1/chat/completions", &claims, body).await);
        let mut inside = named.open(&site.target).await;
        assert_eq!(inside.get("/").await.status, 200);
        is_pinned(&inside.send(hyper::Method::GET, "/", &claims, "").await);
    }
    for other in ["other", "boxed:run=run-2"] {
        let refused = through.clone().named(other).connect("api.openai.com:443").await.unwrap_err();
        assert_eq!(refused.status, 403);
        assert!(refused.body.to_string().contains("identity_pinned"), "{}", refused.body);
        assert!(refused.reason.contains("HTTPS_PROXY"), "{}", refused.reason);
    }
    let refused = through.connect(&world.address.to_string()).await.unwrap_err();
    assert_eq!(refused.status, 508, "the proxy itself is reached by no detour");
    let calls = world.calls().await;
    assert_eq!(calls.len(), 8);
    assert!(calls.iter().all(|call| call.agent == "boxed"), "{calls:?}");
    assert_eq!(site.received().len(), 2);

    // What no list of the policy names is not reached from a sandbox, as from anywhere else.
    let refused = through.connect("elsewhere.example:443").await.unwrap_err();
    assert_eq!(refused.status, 403);
    assert!(refused.reason.contains("denied by the sandbox"), "{}", refused.reason);
    let refused = Through::new(&world).connect("elsewhere.example:443").await.unwrap_err();
    assert_ne!(refused.status, 403, "{}", refused.body);
}

#[tokio::test]
async fn an_agents_token_goes_on_restricting_and_is_nobody_elses() {
    let (world, plane) = (World::with(crate::tokens::KEYED).await, Scripted::default());
    world.linked(&plane, true).await;
    let run = json!({"agent": "researcher"});
    let way = Way::open(&world, "run-1", &run).await;
    let bare = way.client().without("authorization");
    let with = |token: &str| bare.clone().header("authorization", &format!("Bearer {token}"));
    assert_eq!(bare.chat("hello").await.code(), "token_missing");
    let narrow = Scripted::token_for("tok_1", &["gpt-4o-mini"]);
    assert_eq!(with(&narrow).chat("hello").await.status, 200);
    let mut other = chat("hello");
    other["model"] = json!("gpt-4o");
    let answer = with(&narrow).post("/v1/chat/completions", &other).await;
    assert_eq!(answer.code(), "model_not_allowed");
    let foreign = Scripted::token("tok_2", |claims| claims.sub = "boxed".parse().unwrap());
    let answer = with(&foreign).chat("hello").await;
    is_pinned(&answer);
    assert!(answer.text().contains("its token"), "{}", answer.text());
    let ca = world.folder().join("ca/ca.pem");
    let through = Through::at(way.address, &ca).named(&format!("researcher:{foreign}"));
    assert_eq!(through.connect("site.example:443").await.unwrap_err().status, 403);
    assert!(world.calls().await.iter().all(|call| call.agent == "researcher"));
}

#[tokio::test]
async fn a_proxy_that_stops_waits_for_what_a_sandbox_has_begun() {
    use iron_cli::simulator::{At, Behaviour, Gate as Held, Mishap};
    let world = World::plain().await;
    let way = Way::open(&world, "run-1", &json!({})).await;
    let held = Held::new();
    world.provider.script([Behaviour::default().at(At::Event(2), Mishap::Hold(held.clone()))]);
    let events = way.client().stream("/v1/chat/completions", &chat_stream("hello")).await;
    let address = world.address;
    let stopping = tokio::spawn(world.stop());
    let is_gone = || std::net::TcpStream::connect(address).is_err();
    iron_tests::world::until("the port is closed", is_gone).await;
    held.open();
    let rest = events.rest().await;
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    let _folder = stopping.await.unwrap();
    // There is no proxy any more, and its agent is told so.
    let answer = way.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "proxy_unreachable"));
}

/// What a launcher tells of its sandbox.
fn denial(action: Action, target: &str) -> Event {
    Event::Denial(Denial {
        action,
        target: target.to_owned(),
        layer: Layer::Network,
        program: Some("curl".to_owned()),
        remedy: Remedy::Allow {
            flag: "--connect 127.0.0.1:5432".to_owned(),
            profile: "[network] connect = [\"127.0.0.1:5432\"]".to_owned(),
        },
    })
}

#[tokio::test]
async fn what_a_sandbox_refused_is_on_the_receipt_and_told_to_the_panel() {
    let world = World::with("[[agent]]\nname = \"boxed\"\nproject = \"web\"\n").await;
    world.shared.ledger.tell_panel(true).await.unwrap();
    Way::open(&world, "run-1", &json!({})).await;
    let introduction =
        Introduction { address: world.address, state: world.state(), run: "run-1".to_owned() };
    let tell = move |events: Vec<Event>| {
        let introduction = introduction.clone();
        tokio::task::spawn_blocking(move || proxy::tell(&introduction, &events))
    };
    let events = vec![
        Event::Started { tier: Tier::Namespace, why: None },
        denial(Action::Connect, "127.0.0.1:5432"),
        denial(Action::Connect, "10.0.0.1:443"),
        denial(Action::Read, "/home/u/.ssh/\u{1b}[2Jid"),
        Event::Limit {
            limit: "memory",
            value: "512 MiB".to_owned(),
            effect: "the program was ended",
        },
    ];
    tell(events).await.unwrap().unwrap();
    let told = receipt(&world, "run-1").await["denials"].clone();
    assert_eq!(told, json!({"connect": 2, "limit/memory": 1, "read": 1}));
    let outbox = world.shared.ledger.outbox(100).await.unwrap();
    let extra: Vec<_> = outbox
        .records
        .into_iter()
        .map(|(_, told)| match told {
            Told::Extra(extra) => extra,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(extra.len(), 4);
    assert_eq!(extra[0].finding.as_deref(), Some("sandbox/connect"));
    for record in &extra {
        let whose = [&record.agent, &record.project, &record.run];
        assert_eq!(whose.map(|name| name.as_deref()), [Some("boxed"), Some("web"), Some("run-1")]);
        assert!(!record.detail.contains('\u{1b}') && record.detail.len() < 2_000);
    }
    let detail: Value = serde_json::from_str(&extra[0].detail).unwrap();
    assert_eq!(
        detail,
        json!({"target": "127.0.0.1:5432", "layer": "network", "program": "curl",
               "remedy": "--connect 127.0.0.1:5432",
               "profile": "[network] connect = [\"127.0.0.1:5432\"]"})
    );
    assert_eq!(
        (extra[3].kind.as_str(), extra[3].finding.as_deref()),
        ("limit", Some("sandbox/limit/memory"))
    );

    // An agent that tries and tries fills no disk.
    let many: Vec<_> =
        (0..1_200).map(|n| denial(Action::Connect, &format!("10.0.0.1:{n}"))).collect();
    tell(many).await.unwrap().unwrap();
    assert_eq!(receipt(&world, "run-1").await["denials"]["connect"], 998);
    let path = "/_iron/control/runs/run-1/denials";
    for (wrong, status) in [
        (json!([{"event": "denial", "action": "no word", "target": "x", "layer": "y"}]), 400),
        (json!({"event": "denial"}), 400),
        (json!(vec![json!({"event": "started"}); 101]), 400),
    ] {
        assert_eq!(controller(&world).post(path, &wrong).await.status, status, "{wrong}");
    }
    let unknown = path.replace("run-1", "run-2");
    assert_eq!(controller(&world).post(&unknown, &json!([])).await.status, 404);
    assert_eq!(world.client().post(path, &json!([])).await.status, 401);
}

/// Calls a model as a stream and then tries what its sandbox does not allow: another port, a key.
const AGENT: &str = r#"
import socket, sys
from openai import OpenAI
said = ""
for chunk in OpenAI().chat.completions.create(
        model="gpt-4o-mini", max_tokens=64, stream=True,
        messages=[{"role": "user", "content": "mail ada@example.org"}]):
    if chunk.choices:
        said += chunk.choices[0].delta.content or ""
print(said)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    print("connected")
except OSError as error:
    print("refused")
try:
    print(open(sys.argv[2]).read())
except OSError as error:
    print("unread")
"#;

/// The same with what any Python has.
const BARE: &str = r#"
import json, os, urllib.request
class OpenAI:
    class Part:
        def __init__(self, choices):
            self.choices = [OpenAI.Part(0) for _ in choices] if choices else []
            self.delta = self
            self.content = choices
    def __init__(self):
        self.chat = self.completions = self
    def create(self, **body):
        request = urllib.request.Request(
            os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
            {"content-type": "application/json",
             "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
        for line in urllib.request.urlopen(request):
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    part = OpenAI.Part([1])
                    part.choices[0].content = choice["delta"].get("content")
                    yield part
"#;

/// Somebody who runs an agent in a folder of theirs.
struct Person {
    folder: tempfile::TempDir,
    /// Where the programs are.
    programs: PathBuf,
    /// Another user's id, where it is one.
    user: Option<u32>,
}

impl Person {
    /// Who runs the tests.
    fn own() -> Self {
        let programs = binary::sandbox().parent().unwrap().to_owned();
        let person = Self { folder: tempfile::tempdir().unwrap(), programs, user: None };
        person.make_folders();
        person
    }

    /// Somebody without any rights; none where the tests have none to give away.
    fn nobody() -> Option<Self> {
        const NOBODY: u32 = 65_534;
        if !is_root() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Where the build stands others need not come.
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        for program in [binary::path(), binary::sandbox()] {
            fs::copy(&program, programs.join(program.file_name().unwrap())).unwrap();
        }
        let person = Self { folder, programs, user: Some(NOBODY) };
        person.make_folders();
        Some(person)
    }

    fn make_folders(&self) {
        for name in ["", "home", "home/.ssh", "work"] {
            let folder = self.folder.path().join(name);
            if !folder.exists() {
                fs::create_dir(&folder).unwrap();
            }
            std::os::unix::fs::chown(&folder, self.user, self.user).unwrap();
        }
        fs::write(self.secret(), "the key of the story").unwrap();
        std::os::unix::fs::chown(self.secret(), self.user, self.user).unwrap();
        let agent = if self.user.is_some() {
            AGENT.replace("from openai import OpenAI\n", BARE)
        } else {
            AGENT.to_owned()
        };
        fs::write(self.folder.path().join("work/agent.py"), agent).unwrap();
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("home/.ssh/id")
    }

    /// `iron-sandbox exec --simulate ... -- COMMAND` in the folder; with the receipt.
    fn exec(&self, tier: &str, command: &[&OsStr]) -> (Output, Value) {
        let receipt = self.folder.path().join("receipt.json");
        let mut exec = Command::new(self.programs.join("iron-sandbox"));
        exec.args(["exec", "--simulate", "--tier", tier, "--receipt"]).arg(&receipt).arg("--");
        exec.args(command).current_dir(self.folder.path().join("work")).env_clear();
        exec.env("HOME", self.folder.path().join("home"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        if let Some(user) = self.user {
            exec.uid(user).gid(user);
        }
        let output = exec.output().unwrap();
        let receipt = fs::read(&receipt).unwrap_or_default();
        (output, serde_json::from_slice(&receipt).unwrap_or_default())
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// An agent comes to its model and nowhere else, and what it tried besides is told.
fn an_agent_is_held(person: &Person, tier: &str, python: &Path) {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (script, secret) = (OsStr::new("agent.py"), person.secret());
    let command = [python.as_os_str(), script, OsStr::new(&port), secret.as_os_str()];
    let (output, receipt) = person.exec(tier, &command);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{tier}: {said}{told}");
    assert_eq!(said, "You said: mail ada@example.org\nrefused\nunread\n", "{tier}: {told}");
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "{tier}: it came to another port");
    assert!(told.contains(&format!("--connect 127.0.0.1:{port}")), "{tier}: {told}");
    assert_eq!(receipt["agent"], "python", "{tier}: {receipt}");
    assert_eq!(receipt["outcomes"], json!({"ok": 1}), "{tier}: {receipt}");
    assert_eq!(receipt["findings"], json!({"EMAIL": 1}), "{tier}: {receipt}");
    assert!(receipt["denials"]["connect"].as_u64() >= Some(1), "{tier}: {receipt}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_official_sdk_streams_in_a_sandbox_which_is_its_agents_in_the_records() {
    let python = python::with_requirements_of("sdk");
    for tier in ["namespace", "fallback"] {
        an_agent_is_held(&Person::own(), tier, &python);
    }
}

#[test]
fn somebody_without_rights_holds_an_agent_as_well() {
    // Where the tests have no rights to give away, the story above has shown it.
    let Some(person) = Person::nobody() else { return };
    for tier in ["namespace", "fallback"] {
        an_agent_is_held(&person, tier, Path::new("python3"));
    }
}

#[test]
fn an_agents_own_name_and_end_are_those_of_its_program() {
    let person = Person::own();
    for (command, code) in [("exit 7", 7), ("kill -TERM $$", 143)] {
        let words = ["sh", "-c", command].map(OsStr::new);
        let (output, receipt) = person.exec("auto", &words);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!((&receipt["agent"], &receipt["exit_code"]), (&json!("sh"), &json!(code)));
    }
    let (output, _) = person.exec("auto", &[OsStr::new("no-such-program")]);
    assert_eq!(output.status.code(), Some(127), "{}", text(&output.stderr));
}
