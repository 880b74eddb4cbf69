//! `iron-sandbox explain`: what would happen to an access, by which layer, and what would allow it.
//!
//! It asks the rules that the launcher and its supervisor follow, for the same flags and profiles as
//! `exec`, in each tier that may be chosen. Nothing is run. Not here: what a host's own answer would be.

use std::ffi::OsStr;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{ExplainArgs, NetworkArg, Output};
use super::plan::{self, List, Planned};
use super::surroundings::Surroundings;
use super::{Failure, say};
use crate::confinement::{Access, Watch};
use crate::event::Remedy;
use crate::layer::{Layer, Tier};
use crate::profile::expand::{Expand, places_to_be};
use crate::seccomp::{self, Fate};
use crate::supervise::verdict::{self, Answer, Wanted};

/// What was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    File(PathBuf),
    Address(SocketAddr),
    Host(String),
    Call(String),
}

/// What would happen.
#[derive(Debug, Serialize)]
struct Explanation {
    /// What was asked about: a path is resolved.
    target: String,
    kind: &'static str,
    profiles: Vec<String>,
    workspace: PathBuf,
    outcomes: Vec<Outcome>,
}

/// What would happen to one access in one tier.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Outcome {
    tier: Tier,
    action: &'static str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<Layer>,
    /// Why, or by whom it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<Remedy>,
}

/// Explains.
pub(super) fn explain(args: &ExplainArgs, here: &Surroundings) -> Result<(), Failure> {
    let planned = plan::plan(&args.confine, &args.command, Watch::Nothing, here)?;
    let variable = |name: &str| here.variable(name).map(std::ffi::OsString::from);
    let expand =
        Expand { home: here.home.as_deref(), workspace: &here.current_folder, variable: &variable };
    let target = target(&args.target, &expand)?;
    let tiers = match planned.confinement.tier {
        Some(tier) => vec![tier],
        None => vec![Tier::Namespace, Tier::Fallback],
    };
    let to_proxy = args.confine.network == NetworkArg::Proxy;
    let mut outcomes = Vec::new();
    for tier in tiers {
        outcomes.extend(match &target {
            Target::File(path) => of_file(&planned, tier, path),
            Target::Address(address) => vec![of_address(&planned, tier, *address, to_proxy)],
            Target::Host(_) => vec![of_host(tier, to_proxy)],
            Target::Call(name) => of_call(name, tier).into_iter().collect(),
        });
    }
    let explanation = Explanation {
        target: match &target {
            Target::File(path) => path.display().to_string(),
            Target::Address(address) => address.to_string(),
            Target::Host(name) | Target::Call(name) => name.clone(),
        },
        kind: match target {
            Target::File(_) => "file",
            Target::Address(_) => "address",
            Target::Host(_) => "host",
            Target::Call(_) => "call",
        },
        profiles: planned.profiles,
        workspace: planned.confinement.files.workspace,
        outcomes,
    };
    match args.output {
        Output::Text => say(text(&explanation).trim_end()),
        Output::Json => {
            let json = serde_json::to_string_pretty(&explanation)
                .map_err(|error| Failure::Other(error.to_string()))?;
            say(&json);
        }
    }
    Ok(())
}

/// What a word means. A system call's name comes before a host's, and a path is one that looks so or is
/// there.
fn target(word: &OsStr, expand: &Expand<'_>) -> Result<Target, Failure> {
    let bytes = word.as_bytes();
    let looks_like_path =
        bytes.contains(&b'/') || matches!(bytes.first(), Some(b'~' | b'.' | b'$'));
    let Some(text) = word.to_str() else {
        return Ok(Target::File(expand.workspace.join(word)));
    };
    if looks_like_path && !text.contains("://") {
        let path = expand.paths(text).into_iter().next().ok_or_else(|| {
            Failure::Usage(format!(
                "{text}: the variable in it is not set, or there is no such file"
            ))
        })?;
        return Ok(Target::File(resolved(&path)));
    }
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    if let Ok(address) = host.parse::<SocketAddr>() {
        return Ok(Target::Address(address));
    }
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Target::Address(SocketAddr::new(ip, 443)));
    }
    if seccomp::explain(host, Tier::Namespace).is_some() {
        return Ok(Target::Call(host.to_owned()));
    }
    if expand.workspace.join(text).exists() {
        return Ok(Target::File(resolved(&expand.workspace.join(text))));
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, port.parse::<u16>().ok()),
        None => (host, None),
    };
    if name == "localhost" {
        let port = port.ok_or_else(|| {
            Failure::Usage("which port of this machine? As in localhost:5432".to_owned())
        })?;
        return Ok(Target::Address(SocketAddr::from(([127, 0, 0, 1], port))));
    }
    if name.contains('.') || port.is_some() {
        return Ok(Target::Host(host.to_owned()));
    }
    Err(Failure::Usage(format!(
        "`{text}` is no file here, no system call, and no host with a dot in its name: write a path with a \
         `/`, or a host with its port"
    )))
}

/// Where a path leads: that is what is asked about.
fn resolved(path: &Path) -> PathBuf {
    places_to_be(path).pop().unwrap_or_else(|| path.to_owned())
}

fn of_file(planned: &Planned, tier: Tier, path: &Path) -> Vec<Outcome> {
    use std::os::unix::fs::PermissionsExt;
    let is_program = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let all = [(Wanted::Read, "read"), (Wanted::Write, "write"), (Wanted::Execute, "execute")];
    let all = all.into_iter().filter(|(wanted, _)| *wanted != Wanted::Execute || is_program);
    all.map(|(wanted, action)| {
        let answer = verdict::file(&planned.confinement.files, tier, path, wanted);
        let mut outcome = outcome(tier, action, answer);
        if outcome.allowed {
            outcome.why = Some(allowed_by(planned, path, wanted));
        } else if let Some(why) = not_held(planned, tier, path, wanted) {
            outcome =
                Outcome { allowed: true, layer: None, remedy: None, why: Some(why), ..outcome };
        }
        outcome
    })
    .collect()
}

/// Who asked for what allows it.
fn allowed_by(planned: &Planned, path: &Path, wanted: Wanted) -> String {
    let lists: &[List] =
        if wanted == Wanted::Write { &[List::Write] } else { &[List::Read, List::Write] };
    let asked = planned.origins.iter().filter(|origin| lists.contains(&origin.list));
    let asked = asked
        .filter(|origin| path.starts_with(&origin.path))
        .max_by_key(|origin| origin.path.as_os_str().len());
    if let Some(origin) = asked {
        return format!("{} ({})", origin.from, origin.path.display());
    }
    let workspace = &planned.confinement.files.workspace;
    if path.starts_with(workspace) {
        format!("the workspace ({})", workspace.display())
    } else {
        "a sandbox has its own".to_owned()
    }
}

/// Landlock cannot take something out of a folder that it gives: what is kept there in the fallback tier
/// is kept by other means, or not at all.
fn not_held(planned: &Planned, tier: Tier, path: &Path, wanted: Wanted) -> Option<String> {
    let files = &planned.confinement.files;
    if tier == Tier::Namespace {
        return None;
    }
    let within = |paths: &[PathBuf]| paths.iter().any(|folder| path.starts_with(folder));
    let workspace = path.starts_with(&files.workspace);
    let written = within(&files.write) || (workspace && files.workspace_access == Access::Write);
    if within(&files.hide) {
        let given = written || (wanted != Wanted::Write && (workspace || within(&files.read)));
        return given.then(|| "it is hidden, which this tier cannot hold".to_owned());
    }
    let kept = wanted == Wanted::Write && within(&files.protect) && written;
    kept.then(|| "it is protected, and is as it was again at the end".to_owned())
}

fn of_address(planned: &Planned, tier: Tier, address: SocketAddr, to_proxy: bool) -> Outcome {
    let gates: Vec<SocketAddr> =
        planned.confinement.network.gates.iter().map(|gate| gate.inside).collect();
    let mut outcome = outcome(tier, "connect", verdict::address(&gates, tier, address));
    if outcome.allowed {
        outcome.why = Some("a gate of the launcher's".to_owned());
    } else if !to_proxy && !address.ip().is_loopback() {
        outcome.remedy = Some(no_network());
    }
    outcome
}

fn of_host(tier: Tier, to_proxy: bool) -> Outcome {
    let mut outcome = outcome(tier, "connect", verdict::host());
    if !to_proxy {
        outcome.remedy = Some(no_network());
    }
    outcome
}

fn no_network() -> Remedy {
    Remedy::Allow { flag: "--network proxy".to_owned(), profile: String::new() }
}

fn of_call(name: &str, tier: Tier) -> Option<Outcome> {
    let explained = seccomp::explain(name, tier)?;
    let why = Some(explained.why.to_owned()).filter(|why| !why.is_empty());
    let (action, allowed, layer) = match explained.fate {
        Fate::Allowed => ("call", true, None),
        Fate::Depends => ("call, by its arguments", true, Some(Layer::Seccomp)),
        Fate::Performed => ("call, made by the launcher", true, Some(Layer::Notify)),
        Fate::Refused => ("call", false, Some(Layer::Seccomp)),
        Fate::Missing => ("call, as if the kernel had none such", false, Some(Layer::Seccomp)),
    };
    Some(Outcome { tier, action, allowed, layer, why, remedy: None })
}

fn outcome(tier: Tier, action: &'static str, answer: Answer) -> Outcome {
    match answer {
        Answer::Allowed => {
            Outcome { tier, action, allowed: true, layer: None, why: None, remedy: None }
        }
        Answer::Refused { layer, remedy } => Outcome {
            tier,
            action,
            allowed: false,
            layer: Some(layer),
            why: None,
            remedy: Some(remedy),
        },
    }
}

fn text(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.target);
    let mut told: Vec<&Outcome> = Vec::new();
    for outcome in &explanation.outcomes {
        // The same in both tiers is said once.
        let same = |other: &Outcome| {
            let Outcome { tier: _, action, allowed, layer, why, remedy } = other;
            (action, allowed, layer, why, remedy)
                == (
                    &outcome.action,
                    &outcome.allowed,
                    &outcome.layer,
                    &outcome.why,
                    &outcome.remedy,
                )
        };
        if told.iter().any(|other| same(other)) {
            continue;
        }
        told.push(outcome);
        let twin = explanation.outcomes.iter().filter(|other| same(other)).count() > 1;
        let tiers: Vec<Tier> = explanation.outcomes.iter().map(|other| other.tier).collect();
        let alone = tiers.iter().all(|tier| *tier == outcome.tier);
        let place = if twin || alone { String::new() } else { format!(" ({} tier)", outcome.tier) };
        // Writing to a string does not fail.
        let _ = write!(text, "  {}{place}: ", outcome.action);
        let what = if outcome.allowed { "allowed" } else { "refused" };
        let _ = match (outcome.layer, &outcome.why) {
            (Some(layer), Some(why)) => writeln!(text, "{what} by {layer}: {why}"),
            (Some(layer), None) => writeln!(text, "{what} by {layer}"),
            (None, Some(why)) => writeln!(text, "{what}: {why}"),
            (None, None) => writeln!(text, "{what}"),
        };
        let _ = match &outcome.remedy {
            None => Ok(()),
            Some(Remedy::Never(why)) => writeln!(text, "    {why}"),
            Some(Remedy::Allow { flag, profile }) if profile.is_empty() => {
                writeln!(text, "    allow it with {flag}")
            }
            Some(Remedy::Allow { flag, profile }) => {
                writeln!(text, "    allow it with {flag}, or in a profile: {profile}")
            }
        };
    }
    let _ = writeln!(
        text,
        "profiles: {}; workspace: {}",
        explanation.profiles.join(", "),
        explanation.workspace.display()
    );
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::command::args::ConfineArgs;

    /// A user's machine in a folder, and what is said of a word there without the folder's own name.
    fn told(word: &str, confine: &ConfineArgs) -> String {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let home = root.join("ada");
        fs::create_dir_all(home.join("work/.git")).unwrap();
        fs::write(home.join("work/secret"), "").unwrap();
        let here = Surroundings {
            variables: vec![("PATH".into(), "/usr/bin".into())],
            home: Some(home.clone()),
            current_folder: home.join("work"),
        };
        let planned = plan::plan(confine, &[], Watch::Nothing, &here).unwrap();
        let variable = |_: &str| None;
        // The folder stands in one for temporary files, of which a sandbox has its own.
        let home = Path::new("/home/ada");
        let expand =
            Expand { home: Some(home), workspace: &here.current_folder, variable: &variable };
        let target = target(OsStr::new(word), &expand).unwrap();
        let mut outcomes = Vec::new();
        for tier in [Tier::Namespace, Tier::Fallback] {
            outcomes.extend(match &target {
                Target::File(path) => of_file(&planned, tier, path),
                Target::Address(address) => vec![of_address(&planned, tier, *address, true)],
                Target::Host(_) => vec![of_host(tier, true)],
                Target::Call(name) => of_call(name, tier).into_iter().collect(),
            });
        }
        let explanation = Explanation {
            target: word.to_owned(),
            kind: "",
            profiles: planned.profiles,
            workspace: planned.confinement.files.workspace,
            outcomes,
        };
        text(&explanation).replace(&root.display().to_string(), "/home")
    }

    #[test]
    fn what_would_happen_is_said_with_the_layer_and_the_flag() {
        let words = [
            "~/.ssh/id_rsa",
            "src/main.rs",
            ".git/hooks/pre-commit",
            "secret",
            "/usr/bin/env",
            "/tmp/x",
            "203.0.113.5:443",
            "localhost:5432",
            "https://pypi.org/simple",
            "ptrace",
            "connect",
            "read",
        ];
        let args = ConfineArgs { hide: vec!["secret".into()], ..ConfineArgs::default() };
        let all: Vec<String> = words.into_iter().map(|word| told(word, &args)).collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn a_word_that_means_nothing_is_refused() {
        let variable = |_: &str| None;
        let expand = Expand { home: None, workspace: Path::new("/usr"), variable: &variable };
        for word in ["nonsense", "localhost", "$NONE/x", "~/x"] {
            assert_eq!(target(OsStr::new(word), &expand).unwrap_err().code(), 2, "{word}");
        }
        assert_eq!(
            target(OsStr::new("bin"), &expand).unwrap(),
            Target::File(Path::new("/usr/bin").canonicalize().unwrap())
        );
    }
}
