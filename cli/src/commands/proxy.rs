//! `iron proxy`: a proxy whose panel is on a server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use iron_proxy::control_plane::Spending;
use iron_proxy::lease::Terms;
use iron_proxy::report::Pace;
use iron_proxy::server::raise_descriptors;
use zeroize::Zeroizing;

use super::Failure;
use super::up::{log_to_stderr, stop_signal};
use crate::args::{Files, LinkArgs};
use crate::files::{self, Config};
use crate::house::{House, Maker};
use crate::otel::Telemetry;
use crate::output::say;
use crate::reload::{self, Enforcer};
use crate::remote::https::Https;
use crate::remote::link::Link;
use crate::remote::plane::{self, Plane};
use crate::secret;

/// What the credential of a proxy begins with.
const CREDENTIAL: &str = "iron_proxy_";

/// Runs the proxy until it is told to stop. It starts whether the panel answers or not.
pub(super) async fn proxy(
    files: &Files,
    panel: &LinkArgs,
    listen: Option<SocketAddr>,
) -> Result<(), Failure> {
    log_to_stderr();
    raise_descriptors();
    let credential = credential(panel.credential_file.as_deref()).map_err(Failure::Config)?;
    let https = Https::new(&panel.panel, panel.ca.as_deref(), Some(credential));
    let https = https.map_err(Failure::Config)?;
    let base = https.base().to_owned();
    let mut config = Config::read(files)?;
    if let Some(listen) = listen {
        config.policy.proxy.listen = listen;
    }
    let state = files::state_to_run(files, false)?;
    let maker = Maker::new(None)?;
    let house = House::start(&config.policy, &state, &maker).await?;
    let address = house.server.address().context("the port is gone")?;
    let telemetry = Telemetry::of_environment(&house.shared);
    let enforcer = Enforcer::new(&house.shared, maker, config.text, listen);
    let plane = Arc::new(Plane::over(Link::Remote(Arc::new(https))));
    let spending = Spending::begin(&house.shared, plane.clone(), Terms::default(), Pace::default());
    let spending = spending.await.map_err(anyhow::Error::from)?;
    // What the panel said last is in force before the port is served.
    let listens = Some(format!("http://{address}"));
    plane::follow(&house.shared, plane, enforcer.clone(), &base, listens, true).await;
    let stop = stop_signal()?;
    say(&format!("Iron Cage {} listens for agents at http://{address}", env!("CARGO_PKG_VERSION")));
    say(&format!("  panel      {base}: `iron status` says how the link is"));
    say("  agents     need a token: `iron token issue --agent NAME` where the panel is");
    say(&format!("  state      {}", state.display()));
    if let Some(path) = config.path {
        tokio::spawn(reload::watch(path, enforcer));
    }
    house.server.run(stop).await;
    spending.close().await;
    house.shared.ledger.close().await;
    if let Some(telemetry) = telemetry {
        telemetry.finish().await;
    }
    Ok(())
}

/// The proxy's credential: from a file that only its owner can read, else from `IRON_PROXY_TOKEN`.
/// Never from the command line, which everybody on a machine can see.
fn credential(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    let text = if let Some(path) = file {
        secret::open(path)
            .with_context(|| format!("the credential in {} cannot be used", path.display()))?
    } else {
        std::env::var("IRON_PROXY_TOKEN").map(Zeroizing::new).map_err(|_| {
            anyhow!(
                "the proxy has no credential: name its file with --credential-file, or set \
                 IRON_PROXY_TOKEN. An admin of the panel makes one for each proxy"
            )
        })?
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if !text.starts_with(CREDENTIAL) {
        bail!("this is no credential of a proxy: it begins with {CREDENTIAL}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_credential_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credential");
        let with = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            credential(Some(&file)).map(|text| text.to_string()).map_err(|why| format!("{why:#}"))
        };
        assert_eq!(with("iron_proxy_abc\n", 0o600).as_deref(), Ok("iron_proxy_abc"));
        assert!(with("iron_proxy_abc", 0o640).unwrap_err().contains("chmod 600"));
        let other = with("iron_user_abc", 0o600).unwrap_err();
        assert!(other.contains("no credential") && !other.contains("abc"), "{other}");
        assert!(credential(Some(&folder.path().join("none"))).is_err());
    }
}
