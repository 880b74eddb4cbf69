//! `iron proxies`: which proxies may speak to a panel.

use hyper::Method;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Output, ProxiesCommand};
use crate::console::{MOST, connect, segment, text};
use crate::output::{note, say, say_json, table};

const PROXIES: &str = "/api/v1/proxies";

/// Does what is wanted.
pub(super) async fn proxies(command: ProxiesCommand) -> Result<(), Failure> {
    match command {
        ProxiesCommand::Add { name, at } => {
            let added = connect(&at).await?.post(PROXIES, &json!({"name": name})).await?;
            match at.output {
                Output::Json => say_json(&added),
                Output::Table => {
                    // Alone on standard output, so that it can be put into a file as it comes.
                    say(&text(&added["credential"]));
                    note(&format!(
                        "It is shown this once. Beside the agents: iron proxy --panel URL \
                         --credential-file FILE   (the proxy {name})"
                    ));
                }
            }
        }
        ProxiesCommand::List { at } => {
            let proxies = connect(&at).await?.list(PROXIES, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(proxies)),
                Output::Table => say(&table(
                    &["proxy", "", "last seen", "version", "listens"],
                    proxies.iter().map(|proxy| {
                        let up = proxy["up"].as_bool().unwrap_or_default();
                        vec![
                            text(&proxy["name"]),
                            if up { "up" } else { "down" }.to_owned(),
                            text(&proxy["seen_at"]),
                            text(&proxy["version"]),
                            text(&proxy["listens"]),
                        ]
                    }),
                )),
            }
        }
        ProxiesCommand::Remove { name, at } => {
            let path = format!("{PROXIES}/{}", segment(&name));
            connect(&at).await?.change(Method::DELETE, &path, None::<&Value>).await?;
            say(&format!(
                "{name} is kept out. What it holds of budgets stays held until it is reclaimed: \
                 `iron lease list`"
            ));
        }
    }
    Ok(())
}
