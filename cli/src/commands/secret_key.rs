//! `iron secret`: provider keys at a panel. A key comes from standard input or is typed unseen, never
//! from the command line, and no command shows one.

use anyhow::anyhow;
use hyper::Method;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Failure;
use super::login::secret as typed;
use crate::args::{Output, SecretCommand};
use crate::console::{MOST, connect, segment, text};
use crate::output::{say, say_json, table};
use crate::remote::link::Link;

const SECRETS: &str = "/api/v1/secrets";

/// Does what is wanted.
pub(super) async fn secret(command: SecretCommand) -> Result<(), Failure> {
    match command {
        SecretCommand::Set { name, upstream, at } => {
            let link = connect(&at).await?;
            let value = value(upstream.as_str())?;
            let body = json!({"name": name, "upstream": upstream, "value": value.as_str()});
            told(&link.post(SECRETS, &body).await?, at.output, "kept");
        }
        SecretCommand::List { at } => {
            let secrets = connect(&at).await?.list(SECRETS, MOST).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(secrets)),
                Output::Table => say(&table(
                    &["name", "upstream", "ends in", ">version", "set"],
                    secrets.iter().map(|secret| {
                        vec![
                            text(&secret["name"]),
                            text(&secret["upstream"]),
                            text(&secret["last4"]),
                            text(&secret["number"]),
                            text(&secret["rotated_at"]),
                        ]
                    }),
                )),
            }
        }
        SecretCommand::Rotate { name, at } => {
            let link = connect(&at).await?;
            let id = find(&link, &name).await?;
            let value = value(&name)?;
            let path = format!("{SECRETS}/{}/rotate", segment(&id));
            told(
                &link.post(&path, &json!({"value": value.as_str()})).await?,
                at.output,
                "replaced",
            );
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
            "{} is {what} for upstream {} (version {}); proxies that are connected use it at once.",
            text(&secret["name"]),
            text(&secret["upstream"]),
            text(&secret["number"])
        )),
    }
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
