//! The master key: 32 bytes that are never in the database.
//!
//! It wraps data keys ([`super::envelope`]) and nothing else. What must outlive its rotation, such as the
//! key of the audit chain, is derived from a *root*: random bytes that the database holds in an
//! envelope ([`super::unlock()`]). Where a key is being rotated the one before is held as well, to read.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The length of a master key's public name, in bytes.
pub(super) const ID: usize = 8;

/// The master key, and those that it takes the place of. Clones are handles to the same one.
#[derive(Clone)]
pub struct Master {
    keys: Arc<[Key]>,
    root: Arc<Zeroizing<[u8; 32]>>,
}

/// One key with its public name.
struct Key {
    id: [u8; ID],
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let named = one_way(&bytes, "iron-cage master key's name");
        let mut id = [0; ID];
        id.copy_from_slice(&named[..ID]);
        Self { id, bytes }
    }
}

impl Master {
    /// With these bytes. Its root is the key itself until [`super::unlock()`] has read the database's.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { keys: Arc::new([Key::new(bytes)]), root: Arc::new(Zeroizing::new(bytes)) }
    }

    /// A new one, from the system's randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self::new(*random()?))
    }

    /// The same, and besides keys that wrapped what is still to be wrapped anew.
    #[must_use]
    pub fn and_older(self, older: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let copies = self.keys.iter().map(|key| Key::new(*key.bytes));
        let keys = copies.chain(older.into_iter().map(Key::new)).collect();
        Self { keys, root: self.root }
    }

    /// The same keys over this root.
    pub(super) fn over(self, root: [u8; 32]) -> Self {
        Self { root: Arc::new(Zeroizing::new(root)), ..self }
    }

    /// The public name of the key that wraps: 16 hexadecimal digits that say nothing of the key.
    pub fn name(&self) -> String {
        hex(&self.id())
    }

    /// Whether it holds older keys besides.
    pub fn has_older(&self) -> bool {
        self.keys.len() > 1
    }

    /// The key for one use that outlives rotations: HMAC-SHA256 of its name under the root.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        one_way(&self.root, purpose)
    }

    /// The name of the key that wraps, as bytes.
    pub(super) fn id(&self) -> [u8; ID] {
        self.keys.first().map(|key| key.id).unwrap_or_default()
    }

    /// Whether it holds the key of this name.
    pub(super) fn holds(&self, id: &[u8]) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// The key that wraps data keys, of the master key of this name.
    pub(super) fn wrapping(&self, id: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let key = self.keys.iter().find(|key| key.id == id)?;
        Some(one_way(&key.bytes, "iron-cage wraps data keys"))
    }
}

/// 32 bytes of the system's randomness.
pub(super) fn random() -> Result<Zeroizing<[u8; 32]>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(bytes)
}

fn one_way(key: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = hmac(key);
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 with this key.
pub fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads keys with zeros to the length of a block.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new((&*block).into())
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Master({})", self.name())
    }
}
