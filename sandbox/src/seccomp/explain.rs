//! Says of a system call by name what becomes of it, for `iron-sandbox explain`.

use crate::confinement::Watch;
use crate::layer::Tier;

use super::bpf::Verdict;
use super::rules::{self, Duty};
use super::{Machine, calls};

/// What becomes of a system call, in words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Explained {
    /// The call.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Why, in words; empty where it is simply allowed.
    pub why: &'static str,
}

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is carried out as anywhere else; what it does may be refused by another layer.
    Allowed,
    /// It depends on its arguments.
    Depends,
    /// The launcher carries it out, or refuses to.
    Performed,
    /// It is refused.
    Refused,
    /// It is answered as if this kernel did not have it.
    Missing,
}

/// What becomes of a call in a tier; none if no machine we know has a call of this name.
pub fn explain(name: &str, tier: Tier) -> Option<Explained> {
    if !calls::is_known(name) {
        return None;
    }
    let explained = |fate, why| Explained { name: name.to_owned(), fate, why };
    if calls::number(name, Machine::HERE).is_none() {
        return Some(explained(Fate::Missing, "this machine has no such call"));
    }
    // As if nothing were told: a refusal that is notified is a refusal all the same.
    let entries = rules::entries(tier, Watch::Nothing);
    let Some(entry) = entries.iter().find(|entry| entry.names.contains(&name)) else {
        return Some(explained(Fate::Allowed, ""));
    };
    let fate = match (entry.rule.otherwise, entry.duty) {
        (Verdict::Errno(errno), _) if i32::from(errno) == libc::ENOSYS => Fate::Missing,
        (Verdict::Notify, Duty::Connect | Duty::Metadata) => Fate::Performed,
        _ if !entry.rule.clauses.is_empty() => Fate::Depends,
        (Verdict::Allow, _) => return Some(explained(Fate::Allowed, "")),
        _ => Fate::Refused,
    };
    Some(explained(fate, entry.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_explained_for_its_tier() {
        let fate = |name, tier| explain(name, tier).map(|explained| explained.fate);
        for tier in [Tier::Namespace, Tier::Fallback] {
            assert_eq!(fate("read", tier), Some(Fate::Allowed));
            assert_eq!(fate("mkdirat", tier), Some(Fate::Allowed));
            assert_eq!(fate("ptrace", tier), Some(Fate::Refused));
            assert_eq!(fate("clone3", tier), Some(Fate::Missing));
            assert_eq!(fate("socket", tier), Some(Fate::Depends));
            assert_eq!(fate("no_such_call", tier), None);
        }
        assert_eq!(fate("shmget", Tier::Namespace), Some(Fate::Allowed));
        assert_eq!(fate("shmget", Tier::Fallback), Some(Fate::Refused));
        assert_eq!(fate("connect", Tier::Fallback), Some(Fate::Performed));
        assert_eq!(fate("fchown", Tier::Fallback), Some(Fate::Performed));
        assert_eq!(fate("bind", Tier::Fallback), Some(Fate::Refused));
    }
}
