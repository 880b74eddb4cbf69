//! What the kernel offers to confine a program. Nothing of it is used yet.

use std::fs;

use super::Check;

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
