//! The state file, its lock and its folder; the local CA; the clock, by what the files say of it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iron_policy::config::Policy;
use iron_proxy::authority::{Folder, Permitted};
use iron_proxy::control::token_file;
use iron_proxy::shared::unix_ms;
use iron_proxy::state::{Filter, Store};

use super::Check;

/// Whether the state can be read, who holds it, and whether others can write beside it.
pub(super) fn checks(path: Option<&Path>, runs: bool) -> Vec<Check> {
    let Some(path) = path else {
        return vec![Check::ok("state", "none yet: the proxy makes one at its first start")];
    };
    let shown = path.display();
    let mut checks = Vec::new();
    let held = lock_is_held(path);
    checks.push(match Store::open(path).and_then(|store| store.totals()) {
        Ok(totals) => {
            let what = format!("{shown}: {} spent on {} calls", totals.posted, totals.calls);
            match (runs, held) {
                (false, true) => Check::fail(
                    "state",
                    format!(
                        "{what}; a proxy that does not answer at the configured address holds it"
                    ),
                    "end that proxy, or point proxy.listen at it",
                ),
                (true, false) => Check::warn(
                    "state",
                    format!("{what}; no proxy holds it"),
                    "the proxy that runs uses another file: name it with --state",
                ),
                _ => Check::ok("state", what),
            }
        }
        Err(error) => {
            Check::fail("state", format!("{shown}: {error}"), "name another file with --state")
        }
    });
    if let Some(folder) = path.parent() {
        let mode = fs::metadata(folder).map_or(0, |folder| folder.permissions().mode());
        if mode & 0o022 != 0 {
            let what =
                format!("others can write in {} (mode {:o})", folder.display(), mode & 0o777);
            checks.push(Check::warn("folder", what, format!("chmod go-w {}", folder.display())));
        }
    }
    let token = token_file(path);
    if let Ok(file) = fs::metadata(&token) {
        let mode = file.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("others can read {} (mode {mode:o})", token.display());
            checks.push(Check::fail("token", what, "start the proxy anew: it makes a new one"));
        } else if !held {
            let what = format!("{} was left by a proxy that was killed", token.display());
            checks.push(Check::ok("token", what));
        }
    }
    checks
}

/// Whether a proxy has the file; a lock of ours is let go at once.
fn lock_is_held(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    File::open(PathBuf::from(name)).is_ok_and(|file| file.try_lock().is_err())
}

/// Whether the local CA can do what the configuration wants of it.
pub(super) fn authority(policy: &Policy, folder: &Folder) -> Check {
    let name = "ca";
    let shown = folder.path().display();
    match folder.facts() {
        Ok(None) => Check::ok(name, "none yet: the proxy makes one at its first start"),
        Err(error) => Check::fail(name, error.to_string(), "`iron ca rotate` makes a new one"),
        Ok(Some(facts)) => {
            let left = facts.not_after.duration_since(SystemTime::now()).unwrap_or_default();
            let days = left.as_secs() / 86_400;
            let next = "start the proxy: it issues it anew, with the same key";
            if left.is_zero() {
                Check::fail(name, format!("the certificate in {shown} has ended"), next)
            } else if facts.is_due(SystemTime::now()) {
                Check::warn(name, format!("the certificate in {shown} ends in {days} days"), next)
            } else if !facts.permitted.covers(&Permitted::of(policy)) {
                let what = format!("the certificate in {shown} may not sign for every upstream");
                Check::warn(name, what, next)
            } else {
                Check::ok(name, format!("{shown}: valid for {days} days, for the upstreams' hosts"))
            }
        }
    }
}

/// No clock is asked over the network: it must only not contradict what is on disk.
pub(super) fn clock(state: Option<&Path>) -> Check {
    // Nothing here is older than the year in which this was written.
    const BUILT: u64 = 1_767_225_600;
    let next = "set the clock: budgets by day, certificates and the order of calls go by it";
    let now = SystemTime::now();
    if now < UNIX_EPOCH + Duration::from_secs(BUILT) {
        return Check::fail("clock", "it is before 2026", next);
    }
    let last = state.and_then(|path| {
        let calls = Store::open(path).ok()?.latest(1, &Filter::default()).ok()?;
        calls.first().map(|call| call.id.unix_ms())
    });
    let ahead = last.map_or(0, |last| last - unix_ms());
    if ahead > 60_000 {
        let what = format!("the last call was {} s later than now", ahead / 1_000);
        return Check::warn("clock", what, next);
    }
    Check::ok("clock", "agrees with the last call")
}
