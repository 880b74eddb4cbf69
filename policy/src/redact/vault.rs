//! Which placeholder stands for which value: one map per session, in memory only.
//!
//! A placeholder is a keyed hash of its value. The same value gets the same placeholder for the
//! whole session, whatever order parallel requests come in, so prompt-cache prefixes stay
//! identical; and nobody without the key can make one up or test a guess against one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::kind::Kind;
use super::placeholder;

/// The placeholders of one session and what they stand for. Shows nothing of either.
pub struct Vault {
    /// The caller's key, padded with zeros to a block of the hash as RFC 2104 does.
    key: Zeroizing<[u8; 64]>,
    capacity: usize,
    /// How many placeholders there are, to be asked without waiting.
    issued: AtomicUsize,
    values: Mutex<Values>,
}

/// A value's keyed hash; values are looked up by it and so stored once.
type Digest = [u8; 32];

#[derive(Default)]
struct Values {
    /// By placeholder in lower case: sorted, so that a stream can ask what starts like this.
    by_name: BTreeMap<Arc<str>, Entry>,
    by_value: HashMap<Digest, Arc<str>>,
    /// By when last asked for, the oldest first.
    by_use: BTreeMap<u64, Arc<str>>,
    clock: u64,
}

struct Entry {
    placeholder: String,
    value: Zeroizing<String>,
    digest: Digest,
    used: u64,
}

impl Vault {
    /// An empty vault. `capacity` is in values, at least one; when it is full, the value that was
    /// redacted longest ago is forgotten and its placeholder is no longer restored.
    pub fn new(key: [u8; 32], capacity: usize) -> Self {
        let key = Zeroizing::new(key);
        let mut block = Zeroizing::new([0; 64]);
        block[..key.len()].copy_from_slice(&*key);
        Self {
            key: block,
            capacity: capacity.max(1),
            issued: AtomicUsize::new(0),
            values: Mutex::default(),
        }
    }

    /// True where nothing has been issued, so nothing can be restored. Does not wait.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values can be restored. Does not wait.
    pub fn len(&self) -> usize {
        self.issued.load(Ordering::Acquire)
    }

    /// The placeholder of a value, issued now or earlier.
    pub fn placeholder(&self, kind: Kind, value: &str) -> String {
        let digest = self.digest(kind, value, 0);
        let mut values = self.values();
        if let Some(name) = values.by_value.get(&digest).cloned() {
            return values.touch(&name);
        }
        while values.by_name.len() >= self.capacity {
            values.forget_oldest();
        }
        // Two values meet, or a tag looks like a number: the next attempt's hash decides. There
        // are far more tags than values, so an attempt succeeds after a few.
        let mut attempt = digest;
        let mut count = 0;
        let placeholder = loop {
            let tag = placeholder::tag(&attempt);
            let placeholder = tag.map(|tag| placeholder::reversible(kind, &tag));
            match placeholder {
                Some(free) if !values.has(&free.to_ascii_lowercase()) => break free,
                _ => {
                    count += 1;
                    attempt = self.digest(kind, value, count);
                }
            }
        };
        values.insert(Entry {
            placeholder: placeholder.clone(),
            value: Zeroizing::new(value.to_owned()),
            digest,
            used: 0,
        });
        self.issued.store(values.by_name.len(), Ordering::Release);
        placeholder
    }

    /// Shows a placeholder's value to `with`. The name is in lower case.
    pub(super) fn reveal<T>(&self, name: &str, with: impl FnOnce(&str) -> T) -> Option<T> {
        self.values().by_name.get(name).map(|entry| with(&entry.value))
    }

    /// True where this session issued the placeholder. The name is in lower case.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.values().has(name)
    }

    /// True where some issued placeholder starts like this, in lower case.
    pub(super) fn may_become(&self, start: &str) -> bool {
        self.values()
            .by_name
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .next()
            .is_some_and(|(name, _)| name.starts_with(start))
    }

    fn digest(&self, kind: Kind, value: &str, attempt: u32) -> Digest {
        let mut mac = Hmac::<Sha256>::new((&*self.key).into());
        mac.update(&attempt.to_be_bytes());
        mac.update(kind.name().as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The map. A panic elsewhere leaves it whole: every change to it is complete or not begun.
    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Makes a placeholder the most recently used one.
    fn touch(&mut self, name: &Arc<str>) -> String {
        self.clock += 1;
        let Some(entry) = self.by_name.get_mut(name) else {
            return String::new();
        };
        self.by_use.remove(&entry.used);
        self.by_use.insert(self.clock, Arc::clone(name));
        entry.used = self.clock;
        entry.placeholder.clone()
    }

    fn insert(&mut self, mut entry: Entry) {
        self.clock += 1;
        entry.used = self.clock;
        let name: Arc<str> = entry.placeholder.to_ascii_lowercase().into();
        self.by_use.insert(entry.used, Arc::clone(&name));
        self.by_value.insert(entry.digest, Arc::clone(&name));
        self.by_name.insert(name, entry);
    }

    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.by_use.pop_first()
            && let Some(entry) = self.by_name.remove(&name)
        {
            self.by_value.remove(&entry.digest);
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(vault: &Vault, placeholder: &str) -> Option<String> {
        vault.reveal(&placeholder.to_ascii_lowercase(), str::to_owned)
    }

    #[test]
    fn the_same_value_has_the_same_placeholder_under_the_same_key() {
        let vault = Vault::new([1; 32], 10);
        assert!(vault.is_empty());
        let first = vault.placeholder(Kind::Email, "ann@example.com");
        assert_eq!(vault.placeholder(Kind::Email, "ann@example.com"), first);
        assert_eq!(vault.len(), 1);
        assert_ne!(vault.placeholder(Kind::Email, "bob@example.com"), first);
        assert_eq!(value(&vault, &first).as_deref(), Some("ann@example.com"));

        let twin = Vault::new([1; 32], 10);
        twin.placeholder(Kind::Email, "bob@example.com");
        assert_eq!(twin.placeholder(Kind::Email, "ann@example.com"), first);
        let other = Vault::new([2; 32], 10);
        assert_ne!(other.placeholder(Kind::Email, "ann@example.com"), first);
    }

    #[test]
    fn the_value_that_was_redacted_longest_ago_is_forgotten() {
        let vault = Vault::new([1; 32], 2);
        let ann = vault.placeholder(Kind::Email, "ann");
        let bob = vault.placeholder(Kind::Email, "bob");
        vault.placeholder(Kind::Email, "ann");
        let eve = vault.placeholder(Kind::Email, "eve");
        assert_eq!(value(&vault, &bob), None);
        assert_eq!(value(&vault, &ann).as_deref(), Some("ann"));
        assert_eq!(value(&vault, &eve).as_deref(), Some("eve"));
        assert_eq!(vault.len(), 2);
        assert_eq!(vault.placeholder(Kind::Email, "bob"), bob);
    }

    #[test]
    fn two_values_never_share_a_placeholder() {
        let vault = Vault::new([1; 32], 10);
        let ann = vault.placeholder(Kind::Email, "ann");
        // As if another value's first attempt had given this very placeholder.
        let mut values = vault.values();
        let name: Arc<str> = ann.to_ascii_lowercase().into();
        let entry = values.by_name.get_mut(&name).unwrap();
        entry.value = Zeroizing::new("zoe".to_owned());
        let digest = entry.digest;
        values.by_value.remove(&digest);
        drop(values);
        let again = vault.placeholder(Kind::Email, "ann");
        assert_ne!(again, ann);
        assert_eq!(value(&vault, &again).as_deref(), Some("ann"));
        assert_eq!(value(&vault, &ann).as_deref(), Some("zoe"));
    }

    #[test]
    fn a_stream_can_ask_what_may_still_become_a_placeholder() {
        let vault = Vault::new([1; 32], 10);
        assert!(!vault.may_become(""));
        let name = vault.placeholder(Kind::ApiKey, "x").to_ascii_lowercase();
        for end in 0..=name.len() {
            assert!(vault.may_become(&name[..end]));
        }
        assert!(!vault.may_become("<email"));
        assert!(!vault.may_become("<z"));
    }

    #[test]
    fn it_shows_no_value() {
        let vault = Vault::new([1; 32], 10);
        vault.placeholder(Kind::Email, "ann@example.com");
        assert_eq!(format!("{vault:?}"), "Vault { len: 1, capacity: 10, .. }");
    }
}
