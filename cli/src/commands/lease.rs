//! `iron lease`: slices of budgets that proxies hold.

use serde_json::{Value, json};

use super::Failure;
use crate::args::{LeaseCommand, Output};
use crate::console::{MOST, connect, money, segment, text};
use crate::output::{say, say_json, table};

const LEASES: &str = "/api/v1/leases";

/// Does what is wanted.
pub(super) async fn lease(command: LeaseCommand) -> Result<(), Failure> {
    match command {
        LeaseCommand::List { at } => {
            let path = format!("{LEASES}?state=open");
            let leases = connect(&at).await?.list(&path, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(leases)),
                Output::Table => say(&table(
                    &["lease", "account", "proxy", ">granted", ">spent", ">held", "until", ""],
                    leases.iter().map(|lease| {
                        let silent = lease["silent"].as_bool().unwrap_or_default();
                        vec![
                            text(&lease["id"]),
                            text(&lease["account"]),
                            text(&lease["proxy"]),
                            money(&lease["granted"]),
                            money(&lease["spent"]),
                            money(&lease["held"]),
                            text(&lease["expires_at"]),
                            if silent { "silent" } else { "" }.to_owned(),
                        ]
                    }),
                )),
            }
        }
        LeaseCommand::Reclaim { id, at } => {
            let path = format!("{LEASES}/{}/reclaim", segment(&id));
            let lease = connect(&at).await?.post(&path, &json!({})).await?;
            match at.output {
                Output::Json => say_json(&lease),
                Output::Table => say(&format!(
                    "{id} is reclaimed: what was left of it may be spent by others. Should its proxy \
                     have spent more than it reported, the budget is overspent by as much, and says so."
                )),
            }
        }
    }
    Ok(())
}
