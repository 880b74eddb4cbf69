//! `iron token`: agents' tokens, at a panel.

use hyper::Method;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Output, TokenCommand};
use crate::console::{MOST, connect, segment, text};
use crate::files::{self, Config};
use crate::output::{say, say_json, table};
use crate::remote::link::Link;

const TOKENS: &str = "/api/v1/tokens";

/// Does what is wanted.
pub(super) async fn token(command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Issue {
            agent,
            project,
            budget,
            models,
            upstreams,
            expires,
            label,
            base_url,
            at,
        } => {
            let link = connect(&at).await?;
            let base_url = match (base_url, &link) {
                (None, Link::Here(_)) => {
                    let policy = Config::read(&at.files)?.policy;
                    Some(format!("http://{}", files::proxy_address(&policy)))
                }
                (given, _) => given,
            };
            let body = json!({
                "agent": agent, "project": project, "budget": budget, "models": models,
                "upstreams": upstreams, "expires": expires, "label": label, "base_url": base_url,
            });
            let issued = link.post(TOKENS, &body).await?;
            show_once(&issued, at.output);
        }
        TokenCommand::List { agent, at } => {
            let path = agent.map_or_else(
                || TOKENS.to_owned(),
                |agent| format!("{TOKENS}?agent={}", segment(&agent)),
            );
            let tokens = connect(&at).await?.list(&path, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(tokens)),
                Output::Table => say(&table(
                    &["token", "agent", "project", "state", "ends", "models", "label"],
                    tokens.iter().map(|token| {
                        vec![
                            text(&token["id"]),
                            text(&token["agent"]),
                            text(&token["project"]),
                            text(&token["state"]),
                            text(&token["expires_at"]),
                            listed(&token["models"]),
                            text(&token["label"]),
                        ]
                    }),
                )),
            }
        }
        TokenCommand::Show { id, at } => {
            let token = connect(&at).await?.get(&format!("{TOKENS}/{}", segment(&id))).await?;
            match at.output {
                Output::Json => say_json(&token),
                Output::Table => print(&token),
            }
        }
        TokenCommand::Revoke { id, cut_streams, at } => {
            let path = format!("{TOKENS}/{}/revoke", segment(&id));
            let body = json!({"cut_streams": cut_streams});
            let link = connect(&at).await?;
            let token = link.call(Method::POST, &path, &[], Some(&body)).await?.json();
            match at.output {
                Output::Json => say_json(&token),
                Output::Table => say(&format!(
                    "{id} is revoked: proxies that are connected refuse it within two seconds{}.",
                    if cut_streams { ", and end its open streams" } else { "" }
                )),
            }
        }
        TokenCommand::Rotate { id, overlap, at } => {
            let path = format!("{TOKENS}/{}/rotate", segment(&id));
            let issued = connect(&at).await?.post(&path, &json!({"overlap": overlap})).await?;
            show_once(&issued, at.output);
            if at.output == Output::Table {
                say(&format!("\nThe old one, {id}, is valid for {overlap} longer."));
            }
        }
    }
    Ok(())
}

fn show_once(issued: &Value, output: Output) {
    if output == Output::Json {
        return say_json(issued);
    }
    say(&format!("{}\n", text(&issued["token"])));
    print(issued);
    say("\nIt is shown this once. For your agent:");
    for (client, lines) in issued["snippets"].as_object().into_iter().flatten() {
        say(&format!("\n# {client}\n{}", text(lines)));
    }
}

fn print(token: &Value) {
    for (name, key) in [
        ("token", "id"),
        ("agent", "agent"),
        ("project", "project"),
        ("state", "state"),
        ("budget", "budget"),
        ("ends", "expires_at"),
        ("label", "label"),
    ] {
        let value = text(&token[key]);
        if !value.is_empty() {
            say(&format!("{name:<10}{value}"));
        }
    }
    say(&format!("models    {}", listed(&token["models"])));
    say(&format!("upstreams {}", listed(&token["upstreams"])));
}

fn listed(values: &Value) -> String {
    let all: Vec<_> = values.as_array().into_iter().flatten().map(text).collect();
    if all.is_empty() { "all".to_owned() } else { all.join(",") }
}
