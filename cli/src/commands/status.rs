//! `iron status`: does it work, and what is left.

use std::time::Duration;

use iron_policy::types::NanoUsd;
use iron_proxy::lease::{BootClock, SystemClock};
use iron_proxy::shared::unix_ms;
use iron_proxy::state::{AccountRow, BatchRow, LeaseRow, LeaseState, Store};
use iron_proxy::stops::Whom;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Files, Output};
use crate::files::{self, Config};
use crate::local_http;
use crate::output::{say, say_json, table};

/// Connections through the proxy that are shown; `--output json` has more.
const CONNECTIONS: usize = 10;

/// Shows the proxy, its upstreams, and what is left of each budget.
pub(super) async fn status(files: &Files, output: Output) -> Result<(), Failure> {
    let policy = Config::read(files)?.policy;
    let listen = files::proxy_address(&policy);
    let proxy = local_http::get_json(listen, "/_iron/status", Duration::from_secs(1)).await.ok();
    let path = files::state_to_read(files, &policy).await?;
    let read = Store::open(&path).and_then(|store| {
        Ok((store.accounts()?, store.batches()?, store.stopped()?, store.leases()?))
    });
    let (accounts, batches, stopped, leases) = read.map_err(anyhow::Error::from)?;
    let now = unix_ms();
    let leases: Vec<Lease> = leases.into_iter().map(|row| Lease::read(row, now)).collect();
    let current: Vec<_> = accounts
        .into_iter()
        .filter(|account| account.resets_at.is_none_or(|ends| ends > now))
        .collect();
    match output {
        Output::Json => say_json(&json!({
            "running": proxy.is_some(),
            "listen": listen.to_string(),
            "state": path.display().to_string(),
            "proxy": proxy,
            "budgets": current.iter().map(object).collect::<Vec<_>>(),
            "leases": leases.iter().map(Lease::object).collect::<Vec<_>>(),
            "batches": batches.iter().map(batch).collect::<Vec<_>>(),
            "stopped": stopped
                .iter()
                .map(|(whom, at)| json!({"agent": whom.name(), "since": time(Some(*at))}))
                .collect::<Vec<_>>(),
        })),
        Output::Table => {
            print_proxy(proxy.as_ref(), listen);
            say(&format!("state     {}", path.display()));
            print_stopped(&stopped);
            print_budgets(&current);
            print_leases(&leases);
            print_batches(&batches);
        }
    }
    Ok(())
}

fn print_proxy(proxy: Option<&Value>, listen: std::net::SocketAddr) {
    let Some(proxy) = proxy else {
        say(&format!("proxy     not running at {listen}: start it with `iron up`"));
        return;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ledger, prices) = (text(&proxy["ledger"]), text(&proxy["prices"]));
    say(&format!("proxy     running at {listen}, ledger {ledger}, prices of {prices}"));
    for upstream in proxy["upstreams"].as_array().into_iter().flatten() {
        say(&format!(
            "upstream  {} {} (breaker {})",
            text(&upstream["name"]),
            text(&upstream["base_url"]),
            text(&upstream["breaker"])
        ));
    }
    print_panel(&proxy["panel"]);
    let connections = &proxy["connections"];
    let latest = connections["latest"].as_array();
    for connection in latest.into_iter().flatten().take(CONNECTIONS) {
        say(&format!(
            "{:<9} {}:{} for {}: {}, {} bytes from it, {} to it",
            text(&connection["handling"]),
            text(&connection["host"]),
            connection["port"],
            text(&connection["agent"]),
            text(&connection["outcome"]),
            connection["bytes_from_agent"],
            connection["bytes_to_agent"],
        ));
    }
}

/// How the link to the panel is; nothing without one.
fn print_panel(panel: &Value) {
    let Some(address) = panel["panel"].as_str() else { return };
    let text = |name: &str| panel[name].as_str().unwrap_or_default().to_owned();
    let state = if panel["up"] == true {
        "answers".to_owned()
    } else {
        let since = text("heard_at");
        let last = if since.is_empty() { "never".to_owned() } else { since };
        format!("does not answer, last heard {last}: {}", text("error"))
    };
    say(&format!("panel     {address} {state}"));
    if !text("policy_error").is_empty() {
        say(&format!("          policy: {}", text("policy_error")));
    }
    let ahead = panel["clock_ahead_ms"].as_i64().unwrap_or_default();
    if ahead.abs() > 5_000 {
        say(&format!("          its clock is {ahead} ms ahead of this one: correct the clocks"));
    }
}

fn print_stopped(stopped: &[(Whom, i64)]) {
    for (whom, at) in stopped {
        let (who, back) = match whom {
            Whom::All => ("all agents", "--all"),
            Whom::Agent(name) => (name.as_str(), name.as_str()),
        };
        let since = time(Some(*at)).unwrap_or_default();
        say(&format!("stopped   {who}, since {since}: lift it with `iron start {back}`"));
    }
}

fn print_budgets(accounts: &[AccountRow]) {
    if accounts.is_empty() {
        say("budgets   none touched yet: write [[budget]] entries into iron.toml");
        return;
    }
    let rows = accounts.iter().map(|account| {
        vec![
            account.scope.clone(),
            account.window.name().to_owned(),
            account.posted.to_string(),
            account.pending.to_string(),
            left(account).to_string(),
            account.limit.to_string(),
            time(account.resets_at).unwrap_or_else(|| "never".to_owned()),
        ]
    });
    say("");
    say(&table(
        &["budget", "window", ">spent", ">reserved", ">left", ">limit", "begins anew"],
        rows,
    ));
}

/// A slice of one of the panel's budgets that this proxy holds.
struct Lease {
    row: LeaseRow,
    /// Until when it may be spent, in Unix milliseconds; none where it may not.
    until: Option<i64>,
}

impl Lease {
    /// Leases expire by the clock of the machine's run: what another run left has expired.
    fn read(row: LeaseRow, unix_ms: i64) -> Self {
        let clock = SystemClock::new();
        let left = row.expires.saturating_sub(clock.now_ms());
        let may_be_spent = row.state == LeaseState::Open && row.boot == clock.boot() && left > 0;
        let until = may_be_spent.then(|| unix_ms.saturating_add(left));
        Self { row, until }
    }

    fn amount(&self) -> NanoUsd {
        self.row.amount.less(self.row.returned)
    }

    /// Until when it may be spent, in words.
    fn spendable(&self) -> String {
        match (self.row.state, time(self.until)) {
            (LeaseState::Open, Some(until)) => until,
            (LeaseState::Open, None) => "expired: the panel is asked first".to_owned(),
            (state, _) => state.name().to_owned(),
        }
    }

    fn object(&self) -> Value {
        let row = &self.row;
        json!({
            "id": row.id,
            "budget": row.key.budget,
            "account": row.key.account,
            "state": row.state.name(),
            "amount_nano_usd": self.amount().0,
            "spent_nano_usd": row.posted.0,
            "reserved_nano_usd": row.pending.0,
            "left_nano_usd": row.room().0,
            "may_be_spent_until": time(self.until),
            "resets_at": time(row.resets_at),
        })
    }
}

/// What this proxy holds of the panel's budgets.
fn print_leases(leases: &[Lease]) {
    if leases.is_empty() {
        return;
    }
    let rows = leases.iter().map(|lease| {
        vec![
            lease.row.key.account.clone(),
            lease.row.key.budget.clone(),
            lease.amount().to_string(),
            lease.row.posted.to_string(),
            lease.row.pending.to_string(),
            lease.row.room().to_string(),
            lease.spendable(),
        ]
    });
    say("");
    let head =
        ["lease of", "budget", ">amount", ">spent", ">reserved", ">left", "may be spent until"];
    say(&table(&head, rows));
}

/// What is held until the results of batches are fetched.
fn print_batches(batches: &[BatchRow]) {
    if batches.is_empty() {
        return;
    }
    let rows = batches.iter().map(|batch| {
        vec![
            batch.batch.clone(),
            batch.upstream.clone(),
            batch.agent.clone(),
            batch.model.clone(),
            batch.requests.to_string(),
            batch.reserved.to_string(),
            time(Some(batch.at)).unwrap_or_default(),
        ]
    });
    say("");
    say(&table(&["batch", "upstream", "agent", "model", ">requests", ">reserved", "made"], rows));
}

fn batch(batch: &BatchRow) -> Value {
    json!({
        "id": batch.id.to_string(),
        "batch": batch.batch,
        "upstream": batch.upstream,
        "agent": batch.agent,
        "model": batch.model,
        "requests": batch.requests,
        "reserved_nano_usd": batch.reserved.0,
        "made_at": time(Some(batch.at)),
    })
}

fn left(account: &AccountRow) -> NanoUsd {
    account.limit.less(account.posted + account.pending)
}

fn time(at: Option<i64>) -> Option<String> {
    Timestamp::from_millisecond(at?).ok().map(|at| at.to_string())
}

fn object(account: &AccountRow) -> Value {
    json!({
        "scope": account.scope,
        "window": account.window.name(),
        "resets_at": time(account.resets_at),
        "limit_nano_usd": account.limit.0,
        "posted_nano_usd": account.posted.0,
        "reserved_nano_usd": account.pending.0,
        "left_nano_usd": left(account).0,
        "overrun_nano_usd": account.overrun.0,
    })
}
