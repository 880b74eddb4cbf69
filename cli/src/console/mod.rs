//! Which panel a command speaks to, and as whom.
//!
//! Named files (`--config`, `--state`) mean the panel of that proxy; `--panel` one on a server; else
//! the one that `iron login` signed in to; else the one of this machine's proxy.

pub mod login;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use iron_panel::api::access::Trusted;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::At;
use crate::commands::Failure;
use crate::embedded;
use crate::files::{self, Config};
use crate::remote::https::Https;
use crate::remote::link::Link;
use login::Login;

/// Rows of a list that a command shows at most.
pub const MOST: usize = 10_000;

/// A value as it is shown; nothing for null.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Money as it is shown.
pub fn money(value: &Value) -> String {
    text(&value["text"])
}

/// A text as one segment of a path, or one value of a query.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The variable that holds a token for a panel, where nobody can sign in.
const TOKEN: &str = "IRON_PANEL_TOKEN";

/// A way to the panel that is meant.
pub async fn connect(at: &At) -> Result<Link, Failure> {
    if at.files.config.is_none() && at.files.state.is_none() {
        let saved = Login::read()?;
        let here = |url: &str| saved.clone().filter(|login| login.url == url.trim_end_matches('/'));
        let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).map(Zeroizing::new);
        if let Some(url) = &at.panel {
            Https::new(url, None, None).map_err(Failure::Usage)?;
        }
        match (&at.panel, given) {
            (Some(url), Some(token)) => {
                let ca = here(url).and_then(|login| login.ca);
                return remote(url, ca.as_deref(), token);
            }
            (Some(url), None) => {
                let login = here(url).ok_or_else(|| {
                    anyhow!("nobody is signed in to {url}: run `iron login {url}`, or set {TOKEN}")
                })?;
                return remote(&login.url, login.ca.as_deref(), login.token);
            }
            (None, _) => {}
        }
        if let Some(login) = saved {
            return remote(&login.url, login.ca.as_deref(), login.token);
        }
    }
    let policy = Config::read(&at.files)?.policy;
    let state = files::state_to_read(&at.files, &policy).await.map_err(|failure| {
        Failure::Other(anyhow!(
            "{failure}; or sign in to a panel on a server with `iron login URL`"
        ))
    })?;
    let panel = embedded::Files::beside(&state).open(&state, policy.panel.clone()).await?;
    Ok(Link::here(&panel, Trusted::operator()))
}

fn remote(url: &str, ca: Option<&Path>, token: Zeroizing<String>) -> Result<Link, Failure> {
    let https = Https::new(url, ca, Some(token)).map_err(Failure::Usage)?;
    Ok(Link::Remote(Arc::new(https)))
}
