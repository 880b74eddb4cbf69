//! `iron up`: the proxy in the foreground, and the panel of this machine beside it.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use iron_policy::config::Policy;
use iron_proxy::server::raise_descriptors;

use super::Failure;
use super::panel::offer;
use crate::args::{Files, Simulate};
use crate::embedded;
use crate::files::{self, Config};
use crate::house::{House, Maker};
use crate::otel::Telemetry;
use crate::output::say;
use crate::reload::{self, Enforcer};
use crate::simulator::Simulator;

/// Runs the proxy until it is told to stop.
pub(super) async fn up(
    files: &Files,
    simulate: Simulate,
    listen: Option<SocketAddr>,
) -> Result<(), Failure> {
    log_to_stderr();
    raise_descriptors();
    let mut config = Config::read(files)?;
    if let Some(listen) = listen {
        config.policy.proxy.listen = listen;
    }
    let simulator = if simulated(simulate, &config.policy) {
        Some(
            Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0)))
                .context("the simulated provider did not start")?,
        )
    } else {
        None
    };
    let state = files::state_to_run(files, simulator.is_some())?;
    let maker = Maker::new(simulator.as_ref().map(Simulator::url))?;
    let house = House::start(&config.policy, &state, &maker).await?;
    let address = house.server.address().context("the port is gone")?;
    let telemetry = Telemetry::of_environment(&house.shared);
    // Before anybody is told that it runs: who then stops it at once must find it listening.
    let stop = stop_signal()?;
    let panel = if config.policy.panel.enabled {
        Some(embedded::Served::start(&state, &config.policy.panel).await?)
    } else {
        None
    };
    let enforcer = Enforcer::new(&house.shared, maker, config.text.clone(), listen);
    let spending = match &panel {
        Some(panel) => Some(panel.lead(&house, Arc::clone(&enforcer), address).await?),
        None => None,
    };
    greet(&config, address, &state, simulator.is_some());
    if let Some(panel) = &panel {
        let base = panel.base();
        say(&format!("  panel      {base} (API {base}/api/v1/openapi.json)"));
        offer(&panel.panel, &base).await?;
    }
    if let Some(path) = config.path {
        tokio::spawn(reload::watch(path, enforcer));
    }
    house.server.run(stop).await;
    if let Some(spending) = spending {
        spending.close().await;
    }
    house.shared.ledger.close().await;
    if let Some(panel) = panel {
        panel.stop().await;
    }
    if let Some(telemetry) = telemetry {
        telemetry.finish().await;
    }
    Ok(())
}

fn simulated(simulate: Simulate, policy: &Policy) -> bool {
    let has_key = |variable: &String| std::env::var(variable).is_ok_and(|key| !key.is_empty());
    match simulate {
        Simulate::Always => true,
        Simulate::Never => false,
        Simulate::Auto => {
            !policy.upstreams.iter().filter_map(|up| up.api_key_env.as_ref()).any(has_key)
        }
    }
}

/// The lines that a user needs, and a command that works at once.
fn greet(config: &Config, address: SocketAddr, state: &Path, simulated: bool) {
    let base = format!("http://{address}");
    let from = config.path.as_ref().map_or_else(
        || "the defaults, since there is no iron.toml".to_owned(),
        |path| path.display().to_string(),
    );
    let key = if simulated { "" } else { " -H \"authorization: Bearer $OPENAI_API_KEY\"" };
    let version = env!("CARGO_PKG_VERSION");
    say(&format!("Iron Cage {version} listens for agents at {base}"));
    say(&format!(
        "  base URLs  OpenAI {base}/v1, Anthropic and Gemini {base}, by name {base}/UPSTREAM/v1"
    ));
    say(&format!(
        "  agents     export OPENAI_BASE_URL={base}/v1 ANTHROPIC_BASE_URL={base} \\\n             \
         GOOGLE_GEMINI_BASE_URL={base}"
    ));
    say("             or `iron run -- CMD`, which sets all that a program needs");
    say(&format!("  https      the same port, also as HTTPS_PROXY={base}; its CA: `iron ca path`"));
    say(&format!("  state      {} (configuration: {from})", state.display()));
    if simulated {
        say("\nNo provider is called: a simulated one answers, and its money is not real.");
    }
    say(&format!(
        "\nTry it:\n  curl {base}/v1/chat/completions{key} -H 'content-type: application/json' \\\n    \
         -d '{{\"model\":\"gpt-4o-mini\",\"max_tokens\":100,\"messages\":[{{\"role\":\"user\",\
         \"content\":\"Write to ada@example.org\"}}]}}'\n"
    ));
}

pub(super) fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("IRON_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call finds a logger in place: as good.
    let _ = if std::env::var("IRON_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().try_init()
    } else {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
}

/// Ready at the first Ctrl-C or SIGTERM after this was called.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be caught")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
