//! `iron budget`: who may spend how much, and requests for more.

use anyhow::anyhow;
use hyper::Method;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{BudgetCommand, Output};
use crate::console::{MOST, connect, money, segment, text};
use crate::output::{note, say, say_json, table};
use crate::remote::link::Link;

const BUDGETS: &str = "/api/v1/budgets";
const REQUESTS: &str = "/api/v1/budget-requests";

/// Does what is wanted.
pub(super) async fn budget(command: BudgetCommand) -> Result<(), Failure> {
    match command {
        BudgetCommand::Set { scope, limit, zone, clamp, dry_run, at } => {
            let link = connect(&at).await?;
            let (limit, window) = split(&limit)?;
            let wanted = Wanted { scope: &scope, limit, window, zone: &zone, clamp, dry_run };
            set(&link, &wanted, at.output).await?;
        }
        BudgetCommand::List { at } => {
            let budgets = connect(&at).await?.list(BUDGETS, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(budgets)),
                Output::Table => say(&table(
                    &[
                        "budget",
                        "scope",
                        "window",
                        ">limit",
                        ">spent",
                        ">held",
                        ">left",
                        "begins anew",
                    ],
                    budgets.iter().map(|budget| {
                        vec![
                            text(&budget["id"]),
                            text(&budget["scope"]),
                            text(&budget["window"]),
                            money(sole(budget, "limit").unwrap_or(&budget["limit"])),
                            money(&budget["posted"]),
                            money(&budget["leased"]),
                            // Of several accounts each has its own: see `iron budget show`.
                            match (sole(budget, "left"), budget["accounts_total"].as_u64()) {
                                (Some(left), _) => money(left),
                                (None, Some(0)) => money(&budget["limit"]),
                                _ => String::new(),
                            },
                            text(&budget["resets_at"]),
                        ]
                    }),
                )),
            }
        }
        BudgetCommand::Show { budget, at } => {
            let link = connect(&at).await?;
            let id = found(&link, &budget, None).await?;
            let budget = link.get(&format!("{BUDGETS}/{}", segment(&id))).await?;
            match at.output {
                Output::Json => say_json(&budget),
                Output::Table => print(&budget),
            }
        }
        BudgetCommand::Remove { budget, at } => {
            let link = connect(&at).await?;
            let id = found(&link, &budget, None).await?;
            let path = format!("{BUDGETS}/{}", segment(&id));
            link.change(Method::DELETE, &path, None::<&Value>).await?;
            say(&format!("{id} is removed: nothing of it is granted any more."));
        }
        other => requests(other).await?,
    }
    Ok(())
}

/// Requests for more.
async fn requests(command: BudgetCommand) -> Result<(), Failure> {
    match command {
        BudgetCommand::Request { budget, more, why, wait, at } => {
            let link = connect(&at).await?;
            let id = found(&link, &budget, None).await?;
            // A budget of `agent:*` is asked for one of its accounts.
            let account = (id != budget && budget.contains(':')).then_some(&budget);
            let body =
                json!({"budget": id, "account": account, "amount": more.to_string(), "why": why});
            let mut request = link.post(REQUESTS, &body).await?;
            let path = format!("{REQUESTS}/{}", segment(&text(&request["id"])));
            if wait && request["state"] == "open" {
                note("Waiting until it is decided; Ctrl-C leaves the request open.");
                while request["state"] == "open" {
                    request = link.get(&format!("{path}?wait_ms=20000")).await?;
                }
            }
            match at.output {
                Output::Json => say_json(&request),
                Output::Table => say(&format!(
                    "{} is {}. An operator decides it with `iron budget approve {}`",
                    text(&request["id"]),
                    text(&request["state"]),
                    text(&request["id"])
                )),
            }
        }
        BudgetCommand::Requests { all, at } => {
            let path = if all { REQUESTS.to_owned() } else { format!("{REQUESTS}?state=open") };
            let requests = connect(&at).await?.list(&path, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(requests)),
                Output::Table => say(&table(
                    &["request", "account", ">more", "asked by", "state", "when", "why"],
                    requests.iter().map(|request| {
                        vec![
                            text(&request["id"]),
                            text(&request["account"]),
                            money(&request["amount"]),
                            text(&request["asked_by"]),
                            text(&request["state"]),
                            text(&request["created_at"]),
                            text(&request["why"]),
                        ]
                    }),
                )),
            }
        }
        BudgetCommand::Approve { request, lasting, at } => {
            let path = format!("{REQUESTS}/{}/approve", segment(&request));
            let decided = connect(&at).await?.post(&path, &json!({"lasting": lasting})).await?;
            match at.output {
                Output::Json => say_json(&decided),
                Output::Table => say(&format!(
                    "{request} is approved: {} more for {}, at once.",
                    money(&decided["given"]),
                    text(&decided["account"])
                )),
            }
        }
        BudgetCommand::Deny { request, at } => {
            let path = format!("{REQUESTS}/{}/deny", segment(&request));
            let decided = connect(&at).await?.post(&path, &json!({})).await?;
            match at.output {
                Output::Json => say_json(&decided),
                Output::Table => say(&format!("{request} is denied.")),
            }
        }
        _ => {}
    }
    Ok(())
}

struct Wanted<'a> {
    scope: &'a str,
    limit: &'a str,
    window: &'a str,
    zone: &'a str,
    clamp: bool,
    dry_run: bool,
}

/// Sets a new budget, or changes the one that is there.
async fn set(link: &Link, wanted: &Wanted<'_>, output: Output) -> Result<(), Failure> {
    let Wanted { scope, limit, window, zone, clamp, dry_run } = *wanted;
    let there = find(link, scope, Some(window)).await?;
    let Some(id) = there else {
        if dry_run {
            say(&format!("There is no budget of {scope} per {window}: it would be made."));
            return Ok(());
        }
        let body = json!({
            "scope": scope, "limit": limit, "window": window, "zone": zone, "clamp": clamp,
        });
        let made = link.post(BUDGETS, &body).await?;
        match output {
            Output::Json => say_json(&made),
            Output::Table => print(&made),
        }
        return Ok(());
    };
    let path = format!("{BUDGETS}/{}", segment(&id));
    let now = link.call(Method::GET, &path, &[], None::<&Value>).await?;
    let tag = now.headers.get(hyper::header::ETAG).and_then(|tag| tag.to_str().ok());
    let headers = [(hyper::header::IF_MATCH, tag.unwrap_or_default().to_owned())];
    let change = json!({"limit": limit, "clamp": clamp});
    let path = if dry_run { format!("{path}?dry_run=true") } else { path };
    let changed = link.call(Method::PATCH, &path, &headers, Some(&change)).await?.json();
    match output {
        Output::Json => say_json(&changed),
        Output::Table => {
            print(&changed["budget"]);
            say(&format!("\n{}", text(&changed["effect"]["notice"])));
            if dry_run {
                say("Nothing was changed.");
            }
        }
    }
    Ok(())
}

fn print(budget: &Value) {
    say(&format!(
        "{}  {} per {} ({}): limit {}, spent {}, held by proxies {}",
        text(&budget["id"]),
        text(&budget["scope"]),
        text(&budget["window"]),
        text(&budget["zone"]),
        money(&budget["limit"]),
        money(&budget["posted"]),
        money(&budget["leased"]),
    ));
    let accounts: Vec<_> = budget["accounts"].as_array().into_iter().flatten().collect();
    if !accounts.is_empty() {
        say(&table(
            &["  account", ">limit", ">spent", ">held", ">left"],
            accounts.iter().map(|account| {
                vec![
                    format!("  {}", text(&account["account"])),
                    money(&account["limit"]),
                    money(&account["posted"]),
                    money(&account["leased"]),
                    money(&account["left"]),
                ]
            }),
        ));
    }
    for warning in budget["warnings"].as_array().into_iter().flatten() {
        say(&format!("note: {}", text(warning)));
    }
}

/// What the only account of a budget has, and may spend in this window with what was allowed on top.
fn sole<'b>(budget: &'b Value, what: &str) -> Option<&'b Value> {
    let accounts = budget["accounts"].as_array()?;
    match accounts.as_slice() {
        [one] if budget["accounts_total"] == 1 => Some(&one[what]),
        _ => None,
    }
}

/// `5 USD/day` in its two parts; a month where no window is said.
fn split(limit: &str) -> Result<(&str, &str), Failure> {
    let (amount, window) = limit.split_once('/').unwrap_or((limit, "month"));
    let windows = ["total", "day", "week", "month"];
    if !windows.contains(&window.trim()) {
        return Err(Failure::Usage(anyhow!(
            "`{window}` is no window: write the limit as in `5 USD/day`, with day, week, month or total"
        )));
    }
    Ok((amount.trim(), window.trim()))
}

/// The id of the budget that is meant by its id or its scope.
async fn found(link: &Link, budget: &str, window: Option<&str>) -> Result<String, Failure> {
    let id = find(link, budget, window).await?;
    id.ok_or_else(|| Failure::Other(anyhow!("there is no budget {budget}: see `iron budget list`")))
}

async fn find(link: &Link, budget: &str, window: Option<&str>) -> Result<Option<String>, Failure> {
    if budget.starts_with("bud_") {
        return Ok(Some(budget.to_owned()));
    }
    let all = link.list(BUDGETS, MOST).await?;
    let each = budget.split_once(':').map(|(kind, _)| format!("{kind}:*"));
    let of = |scope: &str| {
        let mut ids = all.iter().filter(|own| {
            own["scope"] == scope && window.is_none_or(|window| own["window"] == window)
        });
        match (ids.next(), ids.next()) {
            (Some(_), Some(_)) => Err(Failure::Usage(anyhow!(
                "{scope} has several budgets: name one by its id, see `iron budget list`"
            ))),
            (found, _) => Ok(found.map(|own| text(&own["id"]))),
        }
    };
    // To set one is to mean this scope and no other.
    match (of(budget)?, window) {
        (None, None) => each.map_or(Ok(None), |each| of(&each)),
        (id, _) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_an_amount_and_a_window() {
        assert_eq!(split("5 USD/day").unwrap(), ("5 USD", "day"));
        assert_eq!(split("$2 / week").unwrap(), ("$2", "week"));
        assert_eq!(split("50 cents").unwrap(), ("50 cents", "month"));
        assert!(split("5 USD/year").unwrap_err().to_string().contains("no window"));
    }
}
