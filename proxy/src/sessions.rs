//! The placeholder vaults of open sessions.
//!
//! A session is what shares one mapping of values to placeholders: an agent, or one run of it
//! where it sends `x-iron-session`. Vaults live in memory only; the oldest is forgotten when
//! there are too many. Their keys are derived from one secret and the session's name: under a
//! secret that is kept, a session's values have the placeholders after a restart that they had
//! before.
//!
//! Not here: where the secret is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
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
    /// The hash of the secret, padded with zeros to a block of the hash as RFC 2104 does.
    secret: Zeroizing<[u8; 64]>,
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

/// A secret that nobody knows.
pub fn fresh_secret() -> Result<Zeroizing<[u8; 32]>, NoRandom> {
    let mut secret = Zeroizing::new([0; 32]);
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(secret.as_mut())
        .map_err(|_| NoRandom)?;
    Ok(secret)
}

impl Sessions {
    /// Starts with a secret of this process's own: its placeholders end with it.
    pub fn new() -> Result<Self, NoRandom> {
        Ok(Self::keyed(&*fresh_secret()?))
    }

    /// Starts with a secret that is kept: whoever starts with the same one writes the same
    /// placeholders for the same values of the same session.
    pub fn keyed(secret: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&Sha256::digest(secret));
        Self { secret: block, open: Mutex::default() }
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
        let mut mac = Hmac::<Sha256>::new((&*self.secret).into());
        mac.update(b"iron session");
        for part in [name.agent.as_str(), name.run.as_ref().map_or("", Name::as_str)] {
            // With its length before it, so that no two names read the same.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
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
    fn a_kept_secret_keys_each_session_as_before_and_another_secret_does_not() {
        let key =
            |secret: &[u8], agent: &str, run| Sessions::keyed(secret).key(&session(agent, run));
        let kept = [7; 32];
        assert_eq!(key(&kept, "a", None), key(&kept, "a", None));
        assert_eq!(key(&kept, "a", Some("r")), key(&kept, "a", Some("r")));
        assert_ne!(key(&kept, "a", Some("r")), key(&kept, "ar", None));
        assert_ne!(key(&kept, "a", None), key(&[8; 32], "a", None));
        assert_ne!(key(&kept, "a", None), key(&[7; 33], "a", None));
        let fresh = || Sessions::new().unwrap().key(&session("a", None));
        assert_ne!(fresh(), fresh());
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
