//! Which files and addresses a sandbox lets an agent have: the rules as a pure function.
//!
//! Landlock, mounts and the gates hold them; this says beforehand what they will do, for telling of
//! refusals and for `iron-sandbox explain`. It looks at names alone: where a name leads to is the
//! caller's to find out. Except for changes of modes, owners and times in the fallback tier, nothing
//! is allowed or refused because of what it says.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::confinement::{Access, Files};
use crate::event::Remedy;
use crate::layer::{Layer, Tier};

/// What is wanted of a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To read it or list it.
    Read,
    /// To write, make, remove or rename it.
    Write,
    /// To execute it.
    Execute,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is allowed.
    Allowed,
    /// It is refused.
    Refused {
        /// By what.
        layer: Layer,
        /// What would allow it.
        remedy: Remedy,
    },
}

/// Of which a sandbox has its own, or its own rules, in every profile.
const OWN: [&str; 2] = ["/dev/shm", "/proc"];
const OWN_IN_NAMESPACES: [&str; 3] = ["/tmp", "/var/tmp", "/run"];
const DEVICES: [&str; 9] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts",
    "/dev/ptmx",
    "/dev/fd",
];

/// Folders of people and of other file systems: covered in the namespace tier, but for what is allowed.
const COVERED: [&str; 5] = ["/home", "/root", "/mnt", "/media", "/srv"];

/// What becomes of wanting a file: `path` is absolute and has no links and no `..` in it.
pub fn file(files: &Files, tier: Tier, path: &Path, wanted: Wanted) -> Answer {
    if let Some(hidden) = within(&files.hide, path) {
        let why = format!("`{}` is hidden from agents by the profile (`hide`)", show(hidden));
        return refused(by_path(tier), Remedy::Never(why));
    }
    if wanted == Wanted::Write {
        if let Some(protected) = within(&files.protect, path) {
            if tier == Tier::Fallback && writing(files, tier, path) == Answer::Allowed {
                let why = format!(
                    "`{}` is protected by the profile (`protect`): it can be written while the sandbox \
                     is there, and is put back at the end",
                    show(protected)
                );
                return refused(Layer::Guard, Remedy::Never(why));
            }
            let why = format!(
                "`{}` is protected by the profile (`protect`): what runs outside the sandbox, or \
                 steers it, is not an agent's to change",
                show(protected)
            );
            return refused(by_path(tier), Remedy::Never(why));
        }
        return writing(files, tier, path);
    }
    let own = OWN.iter().chain(&DEVICES).chain(own_in(tier));
    if path.starts_with(&files.workspace)
        || own.into_iter().any(|own| path.starts_with(own))
        || within(&files.read, path).or_else(|| within(&files.write, path)).is_some()
    {
        return Answer::Allowed;
    }
    let covered = tier == Tier::Namespace && COVERED.iter().any(|cover| path.starts_with(cover));
    refused(if covered { Layer::Mount } else { Layer::Landlock }, allow("read", path))
}

fn writing(files: &Files, tier: Tier, path: &Path) -> Answer {
    let own = OWN.iter().take(1).chain(&DEVICES).chain(own_in(tier));
    if within(&files.write, path).is_some() || own.into_iter().any(|own| path.starts_with(own)) {
        return Answer::Allowed;
    }
    if path.starts_with(&files.workspace) {
        if files.workspace_access == Access::Write {
            return Answer::Allowed;
        }
        return refused(
            by_path(tier),
            Remedy::Allow {
                flag: "--workspace-access write".to_owned(),
                profile: "[files] workspace = \"write\"".to_owned(),
            },
        );
    }
    if path.starts_with("/proc") || path.starts_with("/sys") {
        let why = "the kernel is not an agent's to steer".to_owned();
        return refused(by_path(tier), Remedy::Never(why));
    }
    refused(by_path(tier), allow("write", path))
}

/// What becomes of connecting to an address: `gates` are the addresses inside.
pub fn address(gates: &[SocketAddr], tier: Tier, address: SocketAddr) -> Answer {
    let layer = match tier {
        Tier::Namespace => Layer::Network,
        Tier::Fallback => Layer::Notify,
    };
    if gates.contains(&address) {
        return Answer::Allowed;
    }
    let ip = address.ip().to_canonical();
    if !ip.is_loopback() && !ip.is_unspecified() {
        return Answer::Refused { layer, remedy: by_proxy() };
    }
    let inside = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port());
    let remedy = if gates.contains(&inside) {
        Remedy::Never(format!("connect to {inside}: that is where it is inside the sandbox"))
    } else {
        Remedy::Allow {
            flag: format!("--connect {inside}"),
            profile: format!("[network] connect = [\"{inside}\"]"),
        }
    };
    Answer::Refused { layer, remedy }
}

/// What becomes of reaching a host by its name.
pub fn host() -> Answer {
    Answer::Refused {
        layer: Layer::Seccomp,
        remedy: Remedy::Never(
            "names are looked up by the proxy: use HTTPS_PROXY, and the proxy decides what may be \
             reached"
                .to_owned(),
        ),
    }
}

/// What to do instead of connecting to a host.
fn by_proxy() -> Remedy {
    Remedy::Never(
        "hosts are reached through the proxy: use HTTPS_PROXY, and the proxy decides what may be \
         reached"
            .to_owned(),
    )
}

/// Whether a sandbox has something of its own there, whatever stands there outside.
pub(crate) fn is_own(tier: Tier, path: &Path) -> bool {
    own_in(tier).iter().any(|own| path.starts_with(own))
}

fn own_in(tier: Tier) -> &'static [&'static str] {
    match tier {
        Tier::Namespace => &OWN_IN_NAMESPACES,
        Tier::Fallback => &[],
    }
}

/// Mounts are asked before Landlock is, where there are any.
const fn by_path(tier: Tier) -> Layer {
    match tier {
        Tier::Namespace => Layer::Mount,
        Tier::Fallback => Layer::Landlock,
    }
}

fn within<'a>(paths: &'a [PathBuf], path: &Path) -> Option<&'a Path> {
    paths.iter().map(PathBuf::as_path).find(|allowed| path.starts_with(allowed))
}

fn refused(layer: Layer, remedy: Remedy) -> Answer {
    Answer::Refused { layer, remedy }
}

fn allow(what: &str, path: &Path) -> Remedy {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=%~".contains(c);
    if path.to_str().is_none() || text.chars().any(char::is_control) {
        return Remedy::Never(
            "a name like this cannot be written in a flag: allow its folder".to_owned(),
        );
    }
    let quoted = if text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    };
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    Remedy::Allow {
        flag: format!("--{what} {quoted}"),
        profile: format!("[files] {what} = [\"{escaped}\"]"),
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            workspace: "/home/ada/work".into(),
            read: vec!["/usr".into(), "/opt/models".into()],
            write: vec!["/home/ada/.cache/pip".into()],
            protect: vec!["/home/ada/work/.git/hooks".into()],
            hide: vec!["/home/ada/work/.env".into()],
            ..Files::default()
        }
    }

    fn remedy(path: &str, wanted: Wanted) -> Option<Remedy> {
        match file(&files(), Tier::Namespace, Path::new(path), wanted) {
            Answer::Allowed => None,
            Answer::Refused { remedy, .. } => Some(remedy),
        }
    }

    fn flag(path: &str, wanted: Wanted) -> String {
        match remedy(path, wanted) {
            Some(Remedy::Allow { flag, profile }) => format!("{flag} | {profile}"),
            Some(Remedy::Never(why)) => why,
            None => String::new(),
        }
    }

    #[test]
    fn a_file_is_allowed_by_the_folder_it_is_in() {
        for path in
            ["/home/ada/work", "/home/ada/work/src/a.py", "/usr/lib/x.so", "/proc/self/maps"]
        {
            assert_eq!(remedy(path, Wanted::Read), None, "{path}");
        }
        for path in ["/home/ada/work/a", "/home/ada/.cache/pip/x", "/tmp/x", "/dev/null"] {
            assert_eq!(remedy(path, Wanted::Write), None, "{path}");
        }
        assert_eq!(
            flag("/home/ada/workshop/a", Wanted::Read),
            "--read /home/ada/workshop/a | [files] read = [\"/home/ada/workshop/a\"]"
        );
        assert_eq!(
            flag("/opt/models/it's", Wanted::Write),
            "--write '/opt/models/it'\\''s' | [files] write = [\"/opt/models/it's\"]"
        );
        assert_eq!(
            flag("/usr/bin/x", Wanted::Write),
            "--write /usr/bin/x | [files] write = [\"/usr/bin/x\"]"
        );
    }

    #[test]
    fn what_is_hidden_or_protected_has_no_flag() {
        assert_eq!(remedy("/home/ada/work/.git/hooks/pre-commit", Wanted::Read), None);
        assert!(flag("/home/ada/work/.git/hooks/pre-commit", Wanted::Write).contains("protected"));
        assert!(flag("/home/ada/work/.env", Wanted::Read).contains("hidden"));
        assert!(flag("/proc/sys/kernel/x", Wanted::Write).contains("steer"));
    }

    #[test]
    fn a_home_is_not_there_in_namespaces_and_closed_elsewhere() {
        for (tier, expected) in [(Tier::Namespace, Layer::Mount), (Tier::Fallback, Layer::Landlock)]
        {
            let path = Path::new("/home/ada/.ssh/id_ed25519");
            let answer = file(&files(), tier, path, Wanted::Read);
            assert!(matches!(answer, Answer::Refused { layer, .. } if layer == expected));
        }
    }

    #[test]
    fn temporary_files_are_a_sandboxes_own_in_namespaces_alone() {
        let answer = file(&files(), Tier::Fallback, Path::new("/tmp/x"), Wanted::Write);
        assert!(matches!(answer, Answer::Refused { layer: Layer::Landlock, .. }));
    }

    #[test]
    fn gates_are_all_that_can_be_connected_to() {
        let gates = ["127.0.0.1:8787".parse().expect("an address")];
        let ask = |text: &str| address(&gates, Tier::Fallback, text.parse().expect("an address"));
        assert_eq!(ask("127.0.0.1:8787"), Answer::Allowed);
        for elsewhere in ["127.0.0.2:8787", "[::1]:8787", "[::ffff:127.0.0.1]:8787", "0.0.0.0:8787"]
        {
            let Answer::Refused { remedy: Remedy::Never(why), .. } = ask(elsewhere) else {
                panic!("{elsewhere}")
            };
            assert!(why.starts_with("connect to 127.0.0.1:8787"), "{why}");
        }
        let Answer::Refused { layer, remedy: Remedy::Allow { flag, .. } } = ask("127.0.0.1:5432")
        else {
            panic!("a port of this machine")
        };
        assert_eq!((layer, flag.as_str()), (Layer::Notify, "--connect 127.0.0.1:5432"));
        for host in ["203.0.113.5:443", "[2001:db8::1]:443", "[::ffff:203.0.113.5]:8787"] {
            assert!(
                matches!(ask(host), Answer::Refused { remedy: Remedy::Never(_), .. }),
                "{host}"
            );
        }
    }
}
