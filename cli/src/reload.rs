//! A changed `iron.toml` takes effect without a restart; a bad one changes nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iron_policy::config::Policy;
use iron_proxy::authority::Permitted;
use iron_proxy::shared::Shared;

use crate::house::Maker;

/// How often the file is looked at. Looking works on every file system and survives editors
/// that replace the file, which notifications do not.
const INTERVAL: Duration = Duration::from_millis(500);

/// Watches the file for as long as the proxy runs.
pub async fn watch(path: PathBuf, shared: Arc<Shared>, maker: Maker, listen: Option<SocketAddr>) {
    let mut last = tokio::fs::read_to_string(&path).await.ok();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let Ok(text) = tokio::fs::read_to_string(&path).await else { continue };
        if last.as_ref() == Some(&text) {
            continue;
        }
        match apply(&text, &shared, &maker, listen) {
            Ok(()) => tracing::info!(file = %path.display(), "the new configuration is in force"),
            Err(error) => tracing::error!(
                file = %path.display(),
                "the new configuration is refused, the old one stays in force: {error}"
            ),
        }
        last = Some(text);
    }
}

fn apply(
    text: &str,
    shared: &Shared,
    maker: &Maker,
    listen: Option<SocketAddr>,
) -> Result<(), String> {
    let mut policy = Policy::parse(text).map_err(|error| error.to_string())?;
    let before = shared.live();
    if let Some(listen) = listen {
        policy.proxy.listen = listen;
    }
    for (changed, what) in [
        (policy.proxy.listen != before.policy.proxy.listen, "proxy.listen"),
        (policy.proxy.read_timeout != before.policy.proxy.read_timeout, "proxy.read_timeout"),
        (policy.proxy.write_timeout != before.policy.proxy.write_timeout, "proxy.write_timeout"),
        (
            policy.proxy.max_connections != before.policy.proxy.max_connections,
            "proxy.max_connections",
        ),
        (policy.proxy.durability != before.policy.proxy.durability, "proxy.durability"),
        (policy.redact.secret != before.policy.redact.secret, "the secret of placeholders"),
    ] {
        if changed {
            tracing::warn!("{what} takes effect at the next start");
        }
    }
    let permitted = Permitted::of(&policy);
    let live = maker.live(policy, Some(&before)).map_err(|failure| failure.to_string())?;
    shared.replace(live);
    shared.authority.permit(permitted).map_err(|error| format!("the local CA: {error}"))
}
