//! The placeholder vaults of open sessions.
//!
//! A session is what shares one mapping of values to placeholders: an agent, or one run of it
//! where it sends `x-iron-session`. Vaults live in memory only; the oldest is forgotten when
//! there are too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iron_policy::redact::{Memory, Vault};
use iron_policy::types::Name;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// More sessions than this are not remembered at once: their names come from callers.
const MAX_SESSIONS: usize = 1_000;

/// Who shares a vault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionName {
    /// The agent.
    pub agent: Name,
    /// The run, where the agent names it.
    pub run: Option<Name>,
}

/// All vaults of this process.
pub struct Sessions {
    secret: Zeroizing<[u8; 32]>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    vaults: HashMap<SessionName, (Arc<Vault>, u64)>,
    /// Counts uses, to know which vault was used longest ago.
    uses: u64,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions(****)")
    }
}

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no randomness to key placeholders with")]
pub struct NoRandom;

impl Sessions {
    /// Starts with a secret of this process's own.
    pub fn new() -> Result<Self, NoRandom> {
        let mut secret = Zeroizing::new([0; 32]);
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(secret.as_mut())
            .map_err(|_| NoRandom)?;
        Ok(Self { secret, open: Mutex::default() })
    }

    /// The vault of a session, made on first use to hold up to `remember` values.
    pub fn vault(&self, name: &SessionName, remember: usize) -> Arc<Vault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let now = open.uses;
        if let Some((vault, used)) = open.vaults.get_mut(name) {
            *used = now;
            return Arc::clone(vault);
        }
        if open.vaults.len() >= MAX_SESSIONS {
            let oldest =
                open.vaults.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                open.vaults.remove(&oldest);
            }
        }
        let vault = Arc::new(Vault::new(self.key(name), remember));
        open.vaults.insert(name.clone(), (Arc::clone(&vault), now));
        vault
    }

    /// A memory of searched texts, keyed like the sessions and apart from them.
    pub fn memory(&self) -> Memory {
        let mut hash = Sha256::new();
        hash.update(*self.secret);
        hash.update(b"memory of searched texts");
        Memory::new(hash.finalize().into())
    }

    /// Each session has a key of its own, so that placeholders do not link sessions.
    fn key(&self, name: &SessionName) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(*self.secret);
        for part in [name.agent.as_str(), "/", name.run.as_ref().map_or("", Name::as_str)] {
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(agent: &str, run: Option<&str>) -> SessionName {
        SessionName { agent: agent.parse().unwrap(), run: run.map(|run| run.parse().unwrap()) }
    }

    #[test]
    fn a_session_keeps_its_vault_and_shares_it_with_nobody() {
        let sessions = Sessions::new().unwrap();
        let first = sessions.vault(&session("a", None), 10);
        assert!(Arc::ptr_eq(&first, &sessions.vault(&session("a", None), 10)));
        assert!(!Arc::ptr_eq(&first, &sessions.vault(&session("a", Some("r")), 10)));
        assert!(!Arc::ptr_eq(&first, &sessions.vault(&session("b", None), 10)));
        assert_ne!(sessions.key(&session("a", None)), sessions.key(&session("b", None)));
    }

    #[test]
    fn the_session_used_longest_ago_is_forgotten_first() {
        let sessions = Sessions::new().unwrap();
        let kept = sessions.vault(&session("kept", None), 10);
        let lost = sessions.vault(&session("lost", None), 10);
        for n in 0..MAX_SESSIONS - 1 {
            sessions.vault(&session("kept", None), 10);
            sessions.vault(&session(&format!("s{n}"), None), 10);
        }
        assert!(Arc::ptr_eq(&kept, &sessions.vault(&session("kept", None), 10)));
        assert!(!Arc::ptr_eq(&lost, &sessions.vault(&session("lost", None), 10)));
    }
}
