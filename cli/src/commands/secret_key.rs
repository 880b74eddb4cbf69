//! `iron secret`: provider keys at a panel. A key comes from standard input or is typed unseen, never
//! from the command line, and no command shows one.

use anyhow::anyhow;
use hyper::Method;
use iron_policy::types::Name;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Failure;
use super::login::secret as typed;
use crate::args::{At, Output, SecretCommand};
use crate::console::{MOST, connect, segment, text};
use crate::files::Config;
use crate::output::{say, say_json, table};
use crate::remote::link::Link;

const SECRETS: &str = "/api/v1/secrets";

/// Does what is wanted.
pub(super) async fn secret(command: SecretCommand) -> Result<(), Failure> {
    match command {
        SecretCommand::Set { name, upstream, base_url, at } => {
            let link = connect(&at).await?;
            let base_url = match base_url {
                None if matches!(link, Link::Here(..)) => own_address(&at, &upstream)?,
                said => said,
            };
            let value = value(upstream.as_str())?;
            let body = json!({"name": name, "upstream": upstream, "base_url": base_url, "value": value.as_str()});
            told(&link.post(SECRETS, &body).await?, at.output, "kept");
        }
        SecretCommand::List { at } => {
            let secrets = connect(&at).await?.list(SECRETS, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(secrets)),
                Output::Table => say(&table(
                    &["name", "upstream", "goes to", "ends in", ">version", "set"],
                    secrets.iter().map(|secret| {
                        vec![
                            text(&secret["name"]),
                            text(&secret["upstream"]),
                            text(&secret["base_url"]),
                            text(&secret["last4"]),
                            text(&secret["number"]),
                            text(&secret["rotated_at"]),
                        ]
                    }),
                )),
            }
        }
        SecretCommand::Rotate { name, base_url, at } => {
            let link = connect(&at).await?;
            let id = find(&link, &name).await?;
            let value = value(&name)?;
            let path = format!("{SECRETS}/{}/rotate", segment(&id));
            let body = json!({"value": value.as_str(), "base_url": base_url});
            told(&link.post(&path, &body).await?, at.output, "replaced");
        }
        SecretCommand::Remove { name, at } => {
            let link = connect(&at).await?;
            let id = find(&link, &name).await?;
            let path = format!("{SECRETS}/{}", segment(&id));
            link.change(Method::DELETE, &path, None::<&Value>).await?;
            say(&format!("{name} is removed; proxies that are connected forget it at once."));
        }
    }
    Ok(())
}

fn told(secret: &Value, output: Output, what: &str) {
    match output {
        Output::Json => say_json(secret),
        Output::Table => say(&format!(
            "{} is {what} for upstream {} at {} (version {}); proxies that are connected use it at once.",
            text(&secret["name"]),
            text(&secret["upstream"]),
            text(&secret["base_url"]),
            text(&secret["number"])
        )),
    }
}

/// Where the file of this machine has this upstream.
fn own_address(at: &At, upstream: &Name) -> Result<Option<String>, Failure> {
    let policy = Config::read(&at.files)?.policy;
    let own = policy.upstreams.iter().find(|own| own.name == *upstream);
    Ok(own.map(|own| own.base_url.clone()))
}

fn value(whose: &str) -> Result<Zeroizing<String>, Failure> {
    let value = typed(&format!("Key of {whose}"))?;
    if value.trim().is_empty() {
        return Err(Failure::Usage(anyhow!(
            "the key is empty: type it, or send it in, as in `iron secret set NAME --upstream NAME < FILE`"
        )));
    }
    Ok(Zeroizing::new(value.trim().to_owned()))
}

async fn find(link: &Link, name: &str) -> Result<String, Failure> {
    let all = link.list(SECRETS, MOST).await?;
    let own = all.iter().find(|own| own["name"] == name || own["id"] == name);
    let own = own.ok_or_else(|| anyhow!("there is no secret {name}: see `iron secret list`"))?;
    Ok(text(&own["id"]))
}
