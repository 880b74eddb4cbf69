//! What the kernel offers to confine a program, and which sandbox `iron-sandbox` makes of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Check;

/// How long making a sandbox may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The layers, where the system is Linux.
pub(super) fn checks() -> Vec<Check> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let lsm = read("/sys/kernel/security/lsm");
    let landlock = match landlock_abi(&release) {
        Some(abi) if lsm.contains("landlock") => format!("Landlock ABI {abi} by its version"),
        Some(abi) if lsm.is_empty() => {
            format!("perhaps Landlock ABI {abi} (its list cannot be read)")
        }
        _ => "no Landlock".to_owned(),
    };
    let seccomp = if read("/proc/sys/kernel/seccomp/actions_avail").contains("errno") {
        "seccomp"
    } else {
        "no seccomp"
    };
    let number = |path: &str, default: u64| read(path).trim().parse().unwrap_or(default);
    let namespaces = number("/proc/sys/user/max_user_namespaces", 0) > 0
        && number("/proc/sys/kernel/unprivileged_userns_clone", 1) > 0
        && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 0;
    let namespaces = if namespaces { "user namespaces" } else { "no user namespaces" };
    let what = format!("Linux {}: {landlock}, {seccomp}, {namespaces}", release.trim());
    vec![Check::ok("kernel", what)]
}

/// The sandbox that can really be made here, where `iron-sandbox` stands beside this program.
pub(super) async fn sandbox() -> Option<Check> {
    let own = std::env::current_exe().ok()?.canonicalize().ok()?;
    let program = own.with_file_name("iron-sandbox");
    if !program.is_file() {
        return None;
    }
    let mut command = Command::new(program);
    command.args(["check", "--output", "json"]).stdin(Stdio::null());
    let asked = tokio::task::spawn_blocking(move || command.output());
    let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?.ok()?;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Some(told["tier"].as_str().map_or_else(
        || {
            let next = "`iron-sandbox check` says which layer is missing, and why";
            Check::warn("sandbox", "none can be made here", next)
        },
        |tier| Check::ok("sandbox", format!("iron-sandbox makes it in the {tier} tier")),
    ))
}

/// The version of Landlock's interface that a release brought
/// (<https://docs.kernel.org/userspace-api/landlock.html>, "Previous limitations").
fn landlock_abi(release: &str) -> Option<u32> {
    let mut numbers = release.split(['.', '-']).map(|part| part.trim().parse::<u32>().ok());
    let version = (numbers.next()??, numbers.next()??);
    let abis = [(5, 13), (5, 19), (6, 2), (6, 7), (6, 10), (6, 12), (6, 15)];
    let abi = abis.iter().filter(|since| version >= **since).count();
    u32::try_from(abi).ok().filter(|abi| *abi > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_their_interface() {
        for (release, abi) in [
            ("5.4.0-generic", None),
            ("5.15.0", Some(1)),
            ("6.1.0-32-amd64", Some(2)),
            ("6.8.0-40-generic", Some(4)),
            ("6.12.1", Some(6)),
            ("nonsense", None),
        ] {
            assert_eq!(landlock_abi(release), abi, "{release}");
        }
    }
}
