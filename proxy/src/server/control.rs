//! `/_iron/control/`: what a program of this user may ask of a running proxy.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /_iron/control/runs` | announces a run: `{"id", "agent", "parent"?, "budget"?, "strict"?}` |
//! | `GET /_iron/control/runs/ID` | what the run did until now |
//! | `POST /_iron/control/runs/ID/denials` | keeps what the run's sandbox refused ([`super::denials`]) |
//! | `POST /_iron/control/attach` | makes the connection that run's ([`super::attach`]) |
//! | `POST /_iron/control/stops` | stops `{"agent"}` at once; `*` is everybody |
//! | `POST /_iron/control/starts` | lifts the stop of `{"agent"}` |
//!
//! Opened by the token beside the state file ([`crate::control`]); a web page is refused like
//! everywhere. Answers are JSON with whole nano-USD.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use iron_policy::types::{Name, NanoUsd};
use serde::Deserialize;
use serde_json::{Value, json};

use super::denials;
use super::own::{answer_json, problem};
use crate::body::{self, Body};
use crate::pipeline::come_by_right_way;
use crate::runs;
use crate::shared::{Shared, unix_ms};
use crate::state::{AccountRow, Figures, RunRecord, Store, StoreError};
use crate::stops::{self, Whom};

/// Where everything here begins.
pub(super) const PREFIX: &str = "/_iron/control/";

/// More than any request here needs.
const MAX_BODY: usize = 64 * 1024;

/// What announces a run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    id: Name,
    agent: Name,
    parent: Option<Name>,
    /// As in `iron.toml`: `"5 USD"`.
    budget: Option<String>,
    #[serde(default)]
    strict: bool,
}

/// Answers a request below [`PREFIX`].
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = may_steer(shared, &head) {
        return *refusal;
    }
    let path: Vec<&str> = head.uri.path()[PREFIX.len()..].split('/').collect();
    match (&head.method, path.as_slice()) {
        (&Method::POST, ["runs"]) => {
            let limit = shared.live().policy.proxy.read_timeout;
            match body::collect(body, MAX_BODY, limit).await {
                Ok(bytes) => announce(shared, &bytes).await,
                Err(_) => bad("the body did not come whole, or is too large"),
            }
        }
        (&Method::GET, ["runs", id]) => match id.parse() {
            Ok(id) => receipt(shared, id).await,
            Err(error) => bad(&format!("{error}")),
        },
        (&Method::POST, ["runs", id, "denials"]) => {
            let limit = shared.live().policy.proxy.read_timeout;
            match (id.parse(), body::collect(body, denials::MAX_BODY, limit).await) {
                (Ok(id), Ok(bytes)) => denials::keep(shared, &id, &bytes).await,
                (Err(error), _) => bad(&error.to_string()),
                (_, Err(_)) => bad("the body did not come whole, or is too large"),
            }
        }
        (&Method::POST, ["stops" | "starts"]) => {
            let limit = shared.live().policy.proxy.read_timeout;
            match body::collect(body, MAX_BODY, limit).await {
                Ok(bytes) => stop(shared, &bytes, path[0] == "starts").await,
                Err(_) => bad("the body did not come whole, or is too large"),
            }
        }
        (_, ["runs"] | ["runs", _] | ["runs", _, "denials"]) => problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "POST runs, GET runs/ID, POST runs/ID/denials",
        ),
        _ => problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "there are POST runs, GET runs/ID, POST runs/ID/denials and POST attach",
        ),
    }
}

/// Refuses web pages, and who does not have the token.
pub(super) fn may_steer(shared: &Shared, head: &Parts) -> Result<(), Box<Response<Body>>> {
    if let Err(why) = come_by_right_way(head, &shared.live().policy.proxy.names) {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, why.reason(), &why.to_string())));
    }
    if !shared.control.opens(&head.headers) {
        return Err(Box::new(problem(
            StatusCode::UNAUTHORIZED,
            "no_control_token",
            "send the token of the file beside the state file, as `authorization: Bearer TOKEN`",
        )));
    }
    Ok(())
}

/// Stops somebody whatever the state file says, or lifts the stop; then reads the file, which is
/// written by who asks.
async fn stop(shared: &Arc<Shared>, body: &[u8], lift: bool) -> Response<Body> {
    let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(whom) = wanted["agent"].as_str().and_then(Whom::named) else {
        return bad("`agent` is the name of an agent, or `*`");
    };
    let before = shared.stops.is_stopped(&whom);
    if lift {
        shared.stops.lift(&whom);
        shared.runaways.forget(match &whom {
            Whom::All => None,
            Whom::Agent(agent) => Some(agent),
        });
    } else {
        shared.stops.stop(whom.clone(), unix_ms());
    }
    if let Err(error) = stops::refresh(shared).await {
        tracing::warn!(%error, "who is stopped could not be read from the state file");
    }
    if !lift {
        shared.stops.written(&whom);
    }
    let now = shared.stops.is_stopped(&whom);
    answer_json(StatusCode::OK, &json!({"stopped": now, "changed": now != before}))
}

async fn announce(shared: &Arc<Shared>, body: &[u8]) -> Response<Body> {
    let wanted: Announcement = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(&error.to_string()),
    };
    let limit = match wanted.budget.as_deref().map(str::parse::<NanoUsd>).transpose() {
        Ok(Some(limit)) if limit <= NanoUsd::ZERO => return bad("a budget is more than nothing"),
        Ok(limit) => limit,
        Err(error) => return bad(&error.to_string()),
    };
    if wanted.parent.as_ref().is_some_and(|parent| shared.runs.get(parent).is_none()) {
        return bad("the run that it is started in is not known here");
    }
    let record = RunRecord {
        id: wanted.id,
        parent: wanted.parent,
        agent: wanted.agent,
        limit,
        strict: wanted.strict,
        begun_ms: unix_ms(),
    };
    match shared.ledger.announce(record.clone()).await {
        Ok(true) => {
            let answer = answer_json(StatusCode::CREATED, &described(&record));
            shared.runs.add(record);
            answer
        }
        Ok(false) => problem(StatusCode::CONFLICT, "run_exists", "a run of this id was announced"),
        Err(error) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable", &error.to_string())
        }
    }
}

async fn receipt(shared: &Arc<Shared>, id: Name) -> Response<Body> {
    // Calls that have ended are in it.
    shared.ledger.flush().await;
    let path = shared.ledger.path().to_owned();
    let wanted = id.clone();
    let read = move || -> Result<_, StoreError> {
        let store = Store::open(&path)?;
        let Some(run) = store.run(&wanted)? else { return Ok(None) };
        let figures = store.figures(&wanted)?;
        let account = runs::account(&wanted);
        let account = store.accounts()?.into_iter().find(|row| {
            row.scope == account.scope && row.window == account.window && row.start == account.start
        });
        Ok(Some((run, figures, account)))
    };
    let told = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some((run, figures, account)))) => {
            let mut told = described(&run);
            tell_figures(&mut told, &figures);
            told["budget"] = run.limit.map_or(Value::Null, |limit| budget(limit, account.as_ref()));
            told["tunnels"] =
                json!(shared.runs.get(&id).map(|run| run.tunnels()).unwrap_or_default());
            told
        }
        Ok(Ok(None)) => {
            return problem(
                StatusCode::NOT_FOUND,
                "unknown_run",
                "no run of this id was announced",
            );
        }
        Ok(Err(error)) => {
            return problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "state_unreadable",
                &error.to_string(),
            );
        }
        Err(_) => {
            let what = "the state file was not read";
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "state_unreadable", what);
        }
    };
    answer_json(StatusCode::OK, &told)
}

fn described(run: &RunRecord) -> Value {
    json!({
        "id": run.id,
        "agent": run.agent,
        "parent": run.parent,
        "strict": run.strict,
        "begun_ms": run.begun_ms,
    })
}

fn budget(limit: NanoUsd, account: Option<&AccountRow>) -> Value {
    let (posted, pending) =
        account.map_or((NanoUsd::ZERO, NanoUsd::ZERO), |account| (account.posted, account.pending));
    json!({
        "limit_nano_usd": limit.0,
        "posted_nano_usd": posted.0,
        "reserved_nano_usd": pending.0,
        "left_nano_usd": limit.less(posted + pending).0,
    })
}

fn tell_figures(told: &mut Value, figures: &Figures) {
    let upstreams: serde_json::Map<String, Value> = figures
        .upstreams
        .iter()
        .map(|(name, (calls, posted))| {
            (name.clone(), json!({"calls": calls, "nano_usd": posted.0}))
        })
        .collect();
    told["calls"] = json!(figures.calls);
    told["open_calls"] = json!(figures.open);
    told["nano_usd"] = json!(figures.posted.0);
    told["estimated_nano_usd"] = json!(figures.estimated.0);
    told["reserved_nano_usd"] = json!(figures.pending.0);
    told["input_tokens"] = json!(figures.input_tokens);
    told["cached_tokens"] = json!(figures.cached_tokens);
    told["output_tokens"] = json!(figures.output_tokens);
    told["other_hosts"] = json!(figures.others);
    told["outcomes"] = json!(figures.outcomes);
    told["refused"] = json!(figures.refused);
    told["denials"] = json!(figures.denials);
    told["findings"] = json!(figures.findings);
    told["answer_findings"] = json!(figures.answer_findings);
    told["upstreams"] = upstreams.into();
    told["overhead_micros"] = json!({
        "p50": figures.overhead(50), "p95": figures.overhead(95), "max": figures.overhead(100),
    });
}

pub(super) fn bad(what: &str) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, "invalid_request", what)
}
