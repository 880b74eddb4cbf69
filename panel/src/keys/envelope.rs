//! Envelopes: what the database holds of a secret.
//!
//! ```text
//! 1 | name of the master key (8) | nonce (24) | wrapped data key (32 + 16) ‖ nonce (24) | sealed (n + 16)
//! └──────────────── the wrapper: WRAPPER bytes ─────────────────────────┘
//! ```
//!
//! Each envelope has a data key of its own. XChaCha20-Poly1305 seals with it, bound to the row that
//! the envelope stands in ([`Place`]), and wraps it with a key that is derived from the master key.
//! A wrapper can be made anew for another master key without knowing what is sealed. An envelope that
//! was changed, or moved to another row, does not open: the error names the row.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::master::{ID, Master, hex, random};
use crate::store::StoreError;

/// The length of the part that the master key makes, in bytes.
pub const WRAPPER: usize = 1 + ID + NONCE + 32 + TAG;
/// The first byte: which layout it is.
const LAYOUT: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// The largest value that is sealed, in bytes.
const LARGEST: usize = 1 << 20;

/// Where an envelope stands. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub kind: &'static str,
    /// The row's id.
    pub row: &'a str,
    /// The version of what is sealed; 0 where there is only one.
    pub version: i64,
}

impl Place<'_> {
    /// As bytes of which no two places have the same.
    fn bound(&self) -> Vec<u8> {
        let mut bytes = b"iron-cage envelope 1".to_vec();
        for text in [self.kind, self.row] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes
    }

    fn damaged(&self) -> StoreError {
        StoreError::Damaged(self.to_string())
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.row)?;
        if self.version == 0 { Ok(()) } else { write!(f, " version {}", self.version) }
    }
}

impl Master {
    /// Seals a value for its place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        if plain.len() > LARGEST {
            return Err(place.damaged());
        }
        let data_key = random()?;
        let mut envelope = self.wrap(&data_key)?;
        envelope.extend(lock(&data_key, plain, &place.bound())?);
        Ok(envelope)
    }

    /// Opens an envelope at its place.
    pub fn open(
        &self,
        place: Place<'_>,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (wrapper, sealed) =
            envelope.split_at_checked(WRAPPER).ok_or_else(|| place.damaged())?;
        let data_key = self.unwrap_key(wrapper)?.ok_or_else(|| place.damaged())?;
        unlock(&data_key, sealed, &place.bound()).ok_or_else(|| place.damaged())
    }

    /// The same envelope, wrapped with the newest key. None where it is already.
    /// `row` is for the error alone.
    pub fn rewrap(&self, row: &str, envelope: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let damaged = || StoreError::Damaged(row.to_owned());
        let (wrapper, sealed) = envelope.split_at_checked(WRAPPER).ok_or_else(damaged)?;
        if wrapped_by(wrapper) == Some(&self.id()) {
            return Ok(None);
        }
        let data_key = self.unwrap_key(wrapper)?.ok_or_else(damaged)?;
        let mut anew = self.wrap(&data_key)?;
        anew.extend_from_slice(sealed);
        Ok(Some(anew))
    }

    fn wrap(&self, data_key: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
        let id = self.id();
        let mut wrapper = vec![LAYOUT];
        wrapper.extend_from_slice(&id);
        let key = self.wrapping(&id).ok_or_else(|| StoreError::WrongMasterKey(hex(&id)))?;
        let locked = lock(&key, data_key, &wrapper)?;
        wrapper.extend(locked);
        Ok(wrapper)
    }

    /// The data key; none where the wrapper was changed.
    fn unwrap_key(&self, wrapper: &[u8]) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
        let Some(id) = wrapped_by(wrapper) else { return Ok(None) };
        let key = self.wrapping(id).ok_or_else(|| StoreError::WrongMasterKey(hex(id)))?;
        let (head, locked) = wrapper.split_at(1 + ID);
        let Some(bytes) = unlock(&key, locked, head) else { return Ok(None) };
        let mut data_key = Zeroizing::new([0; 32]);
        if bytes.len() != data_key.len() {
            return Ok(None);
        }
        data_key.copy_from_slice(&bytes);
        Ok(Some(data_key))
    }
}

/// The name of the master key that a wrapper says it needs.
fn wrapped_by(wrapper: &[u8]) -> Option<&[u8]> {
    (wrapper.len() >= WRAPPER && wrapper[0] == LAYOUT).then(|| &wrapper[1..=ID])
}

/// Nonce and sealed bytes.
fn lock(key: &[u8; 32], plain: &[u8], bound: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)?;
    let sealed = XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bound })
        // It fails for plain texts of more than 256 GiB alone.
        .map_err(|_| StoreError::Damaged("a value too large to seal".to_owned()))?;
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed);
    Ok(bytes)
}

fn unlock(key: &[u8; 32], bytes: &[u8], bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: bound })
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { kind: "secret", row: "sec_1", version: 3 };

    fn refused(master: &Master, place: Place<'_>, envelope: &[u8]) -> String {
        master.open(place, envelope).expect_err("it must not open").to_string()
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_and_nowhere_else() {
        let master = Master::new([1; 32]);
        let envelope = master.seal(PLACE, b"sk-canary").unwrap();
        assert_eq!(&**master.open(PLACE, &envelope).unwrap(), b"sk-canary");
        assert!(!envelope.windows(4).any(|four| four == b"cana"));
        for place in [
            Place { kind: "webhook", ..PLACE },
            Place { row: "sec_2", ..PLACE },
            Place { version: 2, ..PLACE },
        ] {
            let error = refused(&master, place, &envelope);
            assert!(error.contains(&place.to_string()), "{error}");
            assert!(!error.contains("canary"));
        }
    }

    #[test]
    fn no_bit_of_an_envelope_can_be_changed() {
        let master = Master::new([1; 32]);
        let envelope = master.seal(PLACE, b"sk-canary").unwrap();
        for bit in 0..envelope.len() * 8 {
            let mut changed = envelope.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let error = refused(&master, PLACE, &changed);
            let named = error.contains("secret sec_1 version 3");
            // A changed name of the master key is another master key.
            assert!(named || (8..72).contains(&bit), "bit {bit}: {error}");
        }
        for length in 0..envelope.len() {
            assert!(master.open(PLACE, &envelope[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn another_master_key_opens_nothing_and_is_named() {
        let envelope = Master::new([1; 32]).seal(PLACE, b"sk-canary").unwrap();
        let error = Master::new([2; 32]).open(PLACE, &envelope).unwrap_err();
        assert!(matches!(&error, StoreError::WrongMasterKey(_)), "{error}");
        assert!(error.to_string().contains(&Master::new([1; 32]).name()));
    }

    #[test]
    fn wrappers_are_not_exchanged() {
        let master = Master::new([1; 32]);
        let one = master.seal(PLACE, b"one").unwrap();
        let other = master.seal(PLACE, b"other").unwrap();
        let mixed = [&one[..WRAPPER], &other[WRAPPER..]].concat();
        assert!(refused(&master, PLACE, &mixed).contains("sec_1"));
    }

    #[test]
    fn a_new_master_key_takes_over_without_what_is_sealed_being_opened() {
        let (old, new) = ([1; 32], [2; 32]);
        let envelope = Master::new(old).seal(PLACE, b"sk-canary").unwrap();
        let both = Master::new(new).and_older([old]);
        assert_eq!(&**both.open(PLACE, &envelope).unwrap(), b"sk-canary");
        let anew = both.rewrap("secret sec_1", &envelope).unwrap().unwrap();
        assert_eq!(anew[WRAPPER..], envelope[WRAPPER..]);
        assert_eq!(&**Master::new(new).open(PLACE, &anew).unwrap(), b"sk-canary");
        assert!(Master::new(old).open(PLACE, &anew).is_err());
        assert!(both.rewrap("secret sec_1", &anew).unwrap().is_none());
    }

    #[test]
    fn keys_for_other_uses_hang_on_the_root_and_not_on_the_master_key() {
        let one = Master::new([1; 32]).over([9; 32]);
        let other = Master::new([2; 32]).over([9; 32]);
        assert_eq!(one.derive("audit"), other.derive("audit"));
        assert_ne!(one.derive("audit"), one.derive("idempotency"));
        assert_eq!(format!("{one:?}"), format!("Master({})", one.name()));
    }
}
