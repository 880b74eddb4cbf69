//! Whether a proxy answers, whose the port is, and for which upstreams there are keys.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use iron_policy::config::Policy;
use serde_json::Value;

use super::Check;

/// What the proxy says of itself, or why none answers.
pub(super) fn checks(policy: &Policy, address: SocketAddr, status: Option<&Value>) -> Vec<Check> {
    let Some(status) = status else {
        let mut checks = vec![port(address)];
        checks.extend(policy.upstreams.iter().map(|upstream| {
            let variable = upstream.api_key_env.as_deref();
            let set =
                variable.is_some_and(|name| std::env::var(name).is_ok_and(|key| !key.is_empty()));
            key(upstream.name.as_str(), variable, set, policy.proxy.passthrough)
        }));
        return checks;
    };
    let version = status["version"].as_str().unwrap_or("of an unknown version");
    let own = env!("CARGO_PKG_VERSION");
    let mut checks = vec![if version == own {
        Check::ok("proxy", format!("{version} runs at {address}"))
    } else {
        let what = format!("{version} runs at {address}, and this is {own}");
        Check::warn("proxy", what, "start the proxy anew")
    }];
    if status["ledger"] != "ok" {
        let next = "free disk space, or unlock the state file; its log says more";
        checks.push(Check::fail("ledger", "the proxy cannot write its state", next));
    }
    if status["simulated"] == true {
        let what = "a simulated one answers for all of them, and its money is not real";
        checks.push(Check::ok("provider", what));
    }
    for upstream in status["upstreams"].as_array().into_iter().flatten() {
        let name = upstream["name"].as_str().unwrap_or_default();
        if upstream["breaker"].as_str().is_some_and(|breaker| breaker != "closed") {
            let what = format!("{name} failed repeatedly and is not called for now");
            checks.push(Check::warn("upstream", what, "`iron logs` says how it failed"));
        }
        let configured = policy.upstream(name);
        let variable = configured.and_then(|upstream| upstream.api_key_env.as_deref());
        let set = upstream["own_key"] == true;
        checks.push(key(name, variable, set, policy.proxy.passthrough));
    }
    checks
}

/// Whether there is a key; never the key.
fn key(upstream: &str, variable: Option<&str>, set: bool, passthrough: bool) -> Check {
    match (variable, set) {
        (_, true) => Check::ok("key", format!("{upstream}: the proxy has one")),
        (None, false) => Check::ok("key", format!("{upstream}: none is configured")),
        (Some(variable), false) if passthrough => {
            let what =
                format!("{upstream}: {variable} is not set, so callers need keys of their own");
            Check::warn("key", what, format!("set {variable} where the proxy starts"))
        }
        (Some(variable), false) => {
            let what =
                format!("{upstream}: {variable} is not set, and callers' keys are not passed on");
            Check::fail("key", what, format!("set {variable} where the proxy starts"))
        }
    }
}

/// Nobody answers: is the port free, and if not, whose is it?
fn port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::warn(
            "proxy",
            format!("none runs; {address} is free"),
            "start it with `iron up`; `iron run` starts one for a run by itself",
        ),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let whose = owner(address.port()).unwrap_or_else(|| "another program".to_owned());
            Check::fail(
                "proxy",
                format!("none answers, and {address} is in use by {whose}"),
                "end that, or choose another port under proxy.listen in iron.toml",
            )
        }
        Err(error) => Check::fail(
            "proxy",
            format!("none runs, and {address} cannot be listened on: {error}"),
            "choose another address under proxy.listen in iron.toml",
        ),
    }
}

/// The program that listens on a port, where the system lets this user see it.
fn owner(port: u16) -> Option<String> {
    let wanted = format!(":{port:04X}");
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 0A is LISTEN.
            let listens = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == "0A";
            listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
    })?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = |file: &fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == socket)
        };
        if files.flatten().any(|file| holds(&file)) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!(
                "{} (process {})",
                name.trim(),
                process.file_name().to_string_lossy()
            ));
        }
    }
    None
}
