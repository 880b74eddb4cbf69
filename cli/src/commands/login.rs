//! `iron login` and `iron logout`: a session at a panel, for the commands that come after.
//!
//! A password is typed where nobody sees it, or comes from standard input; never from the command line.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Failure;
use super::panel::ask;
use crate::args::{At, Files, LoginArgs, Output};
use crate::console::connect;
use crate::console::login::Login;
use crate::output::say;
use crate::remote::https::Https;
use crate::remote::link::Link;

/// Signs in, and keeps the session.
pub(super) async fn login(given: LoginArgs) -> Result<(), Failure> {
    if let Some(code) = given.approve {
        return approve(given.url, &code).await;
    }
    let before = Login::read()?;
    let url = given.url.or_else(|| before.as_ref().map(|login| login.url.clone()));
    let url = url.ok_or_else(|| {
        Failure::Usage(anyhow!("which panel? Write `iron login https://panel.example.org`"))
    })?;
    let ca = given.ca.map(std::path::absolute).transpose().context("--ca")?;
    let ca = ca.or_else(|| before.filter(|login| login.url == url).and_then(|login| login.ca));
    let https = Https::new(&url, ca.as_deref(), None).map_err(Failure::Usage)?;
    let url = https.base().to_owned();
    let link = Link::Remote(Arc::new(https));
    let answer = if given.device {
        by_device(&link).await?
    } else if given.bootstrap {
        let token = secret("Bootstrap token")?;
        let name = name(given.name)?;
        let password = new_password()?;
        let body = json!({
            "token": token.as_str(), "name": name, "password": password.as_str(), "carrier": "machine",
        });
        link.post("/api/v1/session/bootstrap", &body).await?
    } else if given.invitation {
        let token = secret("Invitation")?;
        let password = new_password()?;
        let body = json!({
            "token": token.as_str(), "password": password.as_str(), "carrier": "machine",
        });
        link.post("/api/v1/session/setup", &body).await?
    } else {
        let name = name(given.name)?;
        let password = secret("Password")?;
        let body = json!({
            "name": name, "password": password.as_str(), "carrier": "machine", "label": label(),
        });
        link.post("/api/v1/session", &body).await?
    };
    keep(&url, ca.as_deref(), &answer)
}

/// Ends the session, and forgets it.
pub(super) async fn logout() -> Result<(), Failure> {
    let Some(login) = Login::read()? else {
        say("Nobody is signed in.");
        return Ok(());
    };
    let https = Https::new(&login.url, login.ca.as_deref(), Some(login.token));
    let link = Link::Remote(Arc::new(https.map_err(Failure::Usage)?));
    let ended = link.call(Method::DELETE, "/api/v1/session", &[], None::<&Value>).await;
    Login::forget()?;
    match ended {
        Ok(_) => say(&format!("Signed out of {}.", login.url)),
        Err(error) => say(&format!(
            "Forgotten here; the session at {} could not be ended and ends by itself ({error}).",
            login.url
        )),
    }
    Ok(())
}

async fn approve(url: Option<String>, code: &str) -> Result<(), Failure> {
    let files = Files { config: None, state: None };
    let link = connect(&At { files, panel: url, output: Output::Table }).await?;
    let answer = link.post("/api/v1/session/device/approve", &json!({"code": code})).await?;
    say(&format!("Approved: {} is signed in as you.", answer["label"].as_str().unwrap_or("it")));
    Ok(())
}

/// Shows a code, and waits until somebody approves it elsewhere.
async fn by_device(link: &Link) -> Result<Value, Failure> {
    let begun = link.post("/api/v1/session/device", &json!({"label": label()})).await?;
    let text = |key: &str| begun[key].as_str().unwrap_or_default().to_owned();
    let code = text("code");
    say(&format!("Code: {code}"));
    say(&format!("Approve it where you are signed in: `iron login --approve {code}`"));
    if let Some(url) = begun["url"].as_str() {
        say(&format!("or at {url}"));
    }
    let interval = Duration::from_secs(begun["interval"].as_u64().unwrap_or(2).clamp(1, 60));
    let body = Zeroizing::new(json!({"device_token": begun["device_token"]}).to_string());
    loop {
        tokio::time::sleep(interval).await;
        let value: Value = serde_json::from_str(&body).map_err(anyhow::Error::from)?;
        let path = "/api/v1/session/device/token";
        let reply = link.call(Method::POST, path, &[], Some(&value)).await?;
        if reply.status == StatusCode::CREATED {
            return Ok(reply.json());
        }
    }
}

fn keep(url: &str, ca: Option<&Path>, answer: &Value) -> Result<(), Failure> {
    let token = answer["token"].as_str().ok_or_else(|| anyhow!("{url} gave no token"))?;
    let login = Login {
        url: url.to_owned(),
        ca: ca.map(Path::to_owned),
        token: Zeroizing::new(token.to_owned()),
    };
    let path = login.keep()?;
    let person = &answer["person"];
    say(&format!(
        "Signed in to {url} as {} ({}), until {}; kept in {}.",
        person["name"].as_str().unwrap_or_default(),
        person["role"].as_str().unwrap_or_default(),
        answer["expires_at"].as_str().unwrap_or_default(),
        path.display()
    ));
    Ok(())
}

fn name(given: Option<String>) -> Result<String, Failure> {
    given.map_or_else(|| ask("Name"), Ok)
}

fn new_password() -> Result<Zeroizing<String>, Failure> {
    let password = secret("New password, 12 characters at least")?;
    if std::io::stdin().is_terminal() && *secret("Again")? != *password {
        return Err(Failure::Other(anyhow!("the two passwords differ: nothing was sent")));
    }
    Ok(password)
}

/// What is typed and not shown; a line of standard input where that is no terminal.
pub(super) fn secret(what: &str) -> Result<Zeroizing<String>, Failure> {
    if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password(format!("{what}: "));
        return Ok(Zeroizing::new(typed.context("nothing can be typed here")?));
    }
    Ok(Zeroizing::new(ask(what)?))
}

/// What the session is called in lists: where it is.
fn label() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = std::env::var("USER").unwrap_or_default();
    format!("{user}@{host}").chars().take(100).collect()
}
