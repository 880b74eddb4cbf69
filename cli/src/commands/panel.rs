//! `iron panel`: the control panel on a server.

use std::io::IsTerminal;

use anyhow::Context;
use iron_panel::Panel;
use iron_panel::keys::source::Source;
use iron_panel::keys::{Master, rewrap, unlock};
use iron_panel::server::Server;
use iron_panel::store::{Engine, Store};
use iron_policy::config::PanelTls;

use super::Failure;
use super::up::{log_to_stderr, stop_signal};
use crate::args::{Files, PanelArgs};
use crate::files::Config;
use crate::output::say;

/// The variable that may hold the master key itself.
const MASTER_KEY: &str = "IRON_MASTER_KEY";
/// The variable that may hold the one before it.
const OLD_MASTER_KEY: &str = "IRON_OLD_MASTER_KEY";

/// Runs the panel until it is told to stop.
pub(super) async fn panel(given: PanelArgs) -> Result<(), Failure> {
    log_to_stderr();
    let config = Config::read(&Files { config: given.config.clone(), state: None })?;
    let mut settings = config.policy.panel;
    settings.listen = given.listen.or(settings.listen);
    if let (Some(certificate), Some(key)) = (given.tls_certificate, given.tls_key) {
        settings.tls = Some(PanelTls { certificate, key });
    }
    let source = source(given.master_key, given.master_key_command.as_deref())?;
    let key = tokio::task::spawn_blocking(move || source.read()).await;
    let key = key.context("the master key was not read")?.map_err(anyhow::Error::from);
    let key = key.map_err(Failure::Config)?;
    let older = older(given.old_master_key)?.map(|source| source.read()).transpose();
    let older = older.map_err(anyhow::Error::from).map_err(Failure::Config)?;
    let store = Store::open(&given.database).await.map_err(anyhow::Error::from)?;
    let engine = store.engine();
    let master = Master::new(*key).and_older(older.as_ref().map(|key| **key));
    let master = unlock(&store, master).await.map_err(anyhow::Error::from)?;
    drop((key, older));
    let panel = Panel::configured(store, master, settings.clone());
    if given.rewrap {
        return wrap_anew(&panel).await;
    }
    let server = Server::bind(&panel, settings.listen, settings.tls.as_ref());
    let server = server.map_err(|error| Failure::Config(error.into()))?;
    let address = server.address().context("the port is gone")?;
    // Before anybody is told that it runs.
    let stop = stop_signal()?;
    let _tasks = iron_panel::tasks::start(&panel);
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let mut here = address;
    if here.ip().is_unspecified() {
        // An address to reach it at, rather than one that says where it listens.
        here.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let base = settings.url.clone().unwrap_or_else(|| format!("{scheme}://{here}"));
    let kind = if engine == Engine::Postgres { "PostgreSQL" } else { "SQLite" };
    say(&format!("Iron Cage {} panel at {base} on {kind}", env!("CARGO_PKG_VERSION")));
    say(&format!("  API        {base}/api/v1/openapi.json"));
    if settings.tls.is_none() && !address.ip().is_loopback() && !settings.behind_proxy {
        say(
            "  WARNING    passwords and keys cross the network in plain: give it --tls-certificate and \
             --tls-key,\n             or put it behind something that speaks TLS and say so ([panel] url, \
             behind_proxy)",
        );
    }
    offer(&panel, &base).await?;
    server.run(stop).await.context("the panel's port failed")?;
    panel.store.close().await;
    Ok(())
}

/// Says how to make the first admin, where there is none.
pub(super) async fn offer(panel: &Panel, base: &str) -> Result<(), Failure> {
    let token = panel.bootstrap().await;
    let token = token.map_err(|problem| anyhow::anyhow!("{}", problem.detail))?;
    if let Some(token) = token {
        // To the terminal or the journal of whoever starts it, once, and to no log of ours.
        say("\nNobody can sign in yet. Make the first admin within a day:");
        say(&format!("  iron login {base} --bootstrap"));
        say(&format!("  with this token: {}", token.as_str()));
        say(&format!("  or open {}", Panel::bootstrap_url(base, &token).as_str()));
    }
    Ok(())
}

fn source(file: Option<std::path::PathBuf>, command: Option<&str>) -> Result<Source, Failure> {
    match (file, command) {
        (Some(file), _) => Ok(Source::File(file)),
        (None, Some(command)) => {
            Ok(Source::Program(command.split_whitespace().map(str::to_owned).collect()))
        }
        (None, None) if std::env::var_os(MASTER_KEY).is_some() => {
            Ok(Source::Variable(MASTER_KEY.to_owned()))
        }
        (None, None) => Err(Failure::Usage(anyhow::anyhow!(
            "the panel needs a master key, which its database's secrets hang on: make one with \
             `(umask 077; head -c 32 /dev/urandom | base64 > master.key)`, keep a copy of it, and name it \
             with --master-key"
        ))),
    }
}

/// Where the master key is that was used before, where one is still needed.
fn older(file: Option<std::path::PathBuf>) -> Result<Option<Source>, Failure> {
    let set = std::env::var_os(OLD_MASTER_KEY).is_some_and(|value| !value.is_empty());
    match (file, set) {
        (Some(_), true) => Err(Failure::Usage(anyhow::anyhow!(
            "--old-master-key and {OLD_MASTER_KEY} exclude each other: keep one of them"
        ))),
        (Some(file), false) => Ok(Some(Source::File(file))),
        (None, true) => Ok(Some(Source::Variable(OLD_MASTER_KEY.to_owned()))),
        (None, false) => Ok(None),
    }
}

/// Makes every secret hang on the master key that was given.
async fn wrap_anew(panel: &Panel) -> Result<(), Failure> {
    let done = rewrap(panel, "system", |_| ()).await.map_err(anyhow::Error::from)?;
    panel.store.close().await;
    for row in &done.damaged {
        say(&format!("no key opens {row}: it was damaged; set it anew or remove it"));
    }
    if !done.damaged.is_empty() {
        return Err(Failure::Other(anyhow::anyhow!(
            "{} rows were wrapped anew, and the old master key is still needed: mend the rows above, then \
             run this again",
            done.rows
        )));
    }
    say(&format!(
        "{} rows were wrapped anew; everything hangs on the key {} now, and the old one is not needed",
        done.rows,
        panel.master.name()
    ));
    Ok(())
}

/// Reads a line from the terminal, or from what stands in for it.
pub(super) fn ask(what: &str) -> Result<String, Failure> {
    use std::io::Write;
    if std::io::stdin().is_terminal() {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{what}: ");
        let _ = err.flush();
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.with_context(|| format!("{what} cannot be read from standard input"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
