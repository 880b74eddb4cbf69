//! `iron stop` and `iron start`: the kill switch, with a proxy that runs and without one.
//!
//! The state file says who is stopped, so that a stop outlives the proxy. A proxy that runs is told
//! as well, so that nothing waits for its next look at the file; where the file cannot be written,
//! that alone stops, and says that it will not last.

use anyhow::anyhow;
use iron_proxy::shared::unix_ms;
use iron_proxy::state::Store;
use iron_proxy::stops::Whom;

use super::Failure;
use crate::args::{Files, Stopping};
use crate::files::{self, Config};
use crate::launch::proxy::Proxy;
use crate::output::say;

/// Stops somebody, or lifts the stop.
pub(super) async fn stop(files: &Files, who: Stopping, lift: bool) -> Result<(), Failure> {
    if lift && std::env::var_os("IRON_RUN_ID").is_some() {
        return Err(Failure::Other(anyhow!(
            "a stop is lifted by the operator, not from within `iron run`: use another terminal"
        )));
    }
    let whom = match (who.agent, who.all) {
        (Some(agent), false) => Whom::Agent(agent),
        (None, true) => Whom::All,
        _ => return Err(Failure::Usage(anyhow!("name one agent, or say --all"))),
    };
    let policy = Config::read(files)?.policy;
    let path = files::state_to_read(files, &policy).await?;
    let written =
        if lift { Store::lift(&path, &whom) } else { Store::stop(&path, &whom, unix_ms()) };
    // Read before it is told: a proxy of another state file is not meant.
    let running = match Proxy::running(files::proxy_address(&policy)).await {
        Ok(Some(proxy)) if proxy.is_of(&path) => Some(proxy),
        Ok(_) => None,
        Err(failure) if written.is_ok() => {
            say(&format!("The proxy that runs takes it over within a second ({failure})."));
            None
        }
        Err(failure) => return Err(failure),
    };
    let told = match &running {
        Some(proxy) => Some(proxy.stop(&whom, lift).await),
        None => None,
    };
    let changed = match (written, told) {
        (Ok(changed), Some(Ok(told))) => changed || told,
        (Ok(changed), None) => changed,
        (Ok(changed), Some(Err(error))) => {
            say(&format!("The proxy that runs takes it over within a second ({error:#})."));
            changed
        }
        (Err(error), Some(Ok(told))) => {
            say(&format!("This holds until the proxy stops: {error}."));
            told
        }
        (Err(error), _) => {
            return Err(Failure::Other(
                anyhow::Error::from(error)
                    .context(format!("nothing was changed in {}", path.display())),
            ));
        }
    };
    say(&said(&whom, lift, changed));
    Ok(())
}

fn said(whom: &Whom, lift: bool, changed: bool) -> String {
    let (who, is, back) = match whom {
        Whom::All => ("all agents".to_owned(), "are", "--all".to_owned()),
        Whom::Agent(name) => (format!("agent `{name}`"), "is", name.to_string()),
    };
    match (lift, changed) {
        (false, true) => format!(
            "{who} {is} stopped: new calls are refused and open streams end. Lift it with \
             `iron start {back}`"
        ),
        (false, false) => format!("{who} {is} stopped already"),
        (true, true) => format!("{who} may call again"),
        (true, false) => format!("no stop of {who} was in force"),
    }
}
