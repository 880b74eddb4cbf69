//! The key pair that provider keys are sealed to: made at the start, in memory only.
//!
//! Whoever reads along, or reads the panel's answers in a log, has nothing to open them with. After a
//! restart there is another pair, and the panel seals anew.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, Serializable};
use iron_policy::control::SealedSecret;
use zeroize::Zeroizing;

type X25519 = X25519HkdfSha256;

/// Provider keys by the names of their upstreams.
pub type ProviderKeys = HashMap<String, Bound>;

/// A provider key and the one address that it may be sent to. No `Debug`: it would show it.
#[derive(Clone)]
pub struct Bound {
    /// The address, as an upstream's `base_url` is written.
    pub base_url: String,
    /// The key.
    pub key: Zeroizing<String>,
}

/// A key pair for HPKE (RFC 9180). The private half is overwritten when it is dropped.
pub struct KeyPair {
    private: <X25519 as Kem>::PrivateKey,
    public: String,
}

impl KeyPair {
    /// A new one.
    pub fn new() -> Self {
        let (private, public) = X25519::gen_keypair();
        Self { private, public: BASE64.encode(public.to_bytes()) }
    }

    /// The public half, as the panel is told it.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Opens a key that was sealed to this pair. None where it was not, or was sealed as another one.
    pub fn open(&self, sealed: &SealedSecret) -> Option<Zeroizing<String>> {
        let encapsulated = BASE64.decode(&sealed.encapsulated).ok()?;
        let encapsulated = <X25519 as Kem>::EncappedKey::from_bytes(&encapsulated).ok()?;
        let bound =
            SealedSecret::bound_to(&sealed.id, sealed.version, &sealed.upstream, &sealed.base_url);
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            SealedSecret::INFO,
            &BASE64.decode(&sealed.sealed).ok()?,
            bound.as_bytes(),
        );
        let opened = Zeroizing::new(opened.ok()?);
        std::str::from_utf8(&opened).ok().map(|key| Zeroizing::new(key.to_owned()))
    }

    /// Opens all, and says how many could not be.
    pub fn open_all(&self, sealed: &[SealedSecret]) -> (ProviderKeys, usize) {
        let mut keys = ProviderKeys::new();
        let mut broken = 0;
        for secret in sealed {
            if let Some(key) = self.open(secret) {
                let base_url = secret.base_url.clone();
                keys.insert(secret.upstream.clone(), Bound { base_url, key });
            } else {
                broken += 1;
                tracing::error!(?secret, "a provider key cannot be opened: it is not used");
            }
        }
        (keys, broken)
    }
}

impl Default for KeyPair {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(****)")
    }
}

#[cfg(test)]
mod tests {
    use hpke::OpModeS;

    use super::*;

    fn sealed(to: &KeyPair, value: &[u8]) -> SealedSecret {
        let public = BASE64.decode(to.public()).unwrap();
        let bound = SealedSecret::bound_to("sec_1", 2, "openai", "https://a");
        let (encapsulated, sealed) =
            hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519>(
                &OpModeS::Base,
                &<X25519 as Kem>::PublicKey::from_bytes(&public).unwrap(),
                SealedSecret::INFO,
                value,
                bound.as_bytes(),
            )
            .unwrap();
        SealedSecret {
            id: "sec_1".into(),
            version: 2,
            upstream: "openai".into(),
            base_url: "https://a".into(),
            encapsulated: BASE64.encode(encapsulated.to_bytes()),
            sealed: BASE64.encode(sealed),
        }
    }

    #[test]
    fn a_key_is_opened_by_whom_it_was_sealed_to_and_as_what_it_was_sealed() {
        let (own, other) = (KeyPair::new(), KeyPair::new());
        let secret = sealed(&own, b"sk-value");
        assert_eq!(own.open(&secret).unwrap().as_str(), "sk-value");
        assert!(other.open(&secret).is_none());
        for change in [
            |secret: &mut SealedSecret| secret.upstream = "groq".into(),
            |secret: &mut SealedSecret| secret.base_url = "https://evil".into(),
            |secret: &mut SealedSecret| secret.version = 1,
            |secret: &mut SealedSecret| secret.id = "sec_2".into(),
            |secret: &mut SealedSecret| secret.sealed.insert(0, 'A'),
            |secret: &mut SealedSecret| secret.encapsulated = BASE64.encode([0; 32]),
        ] {
            let mut secret = secret.clone();
            change(&mut secret);
            assert!(own.open(&secret).is_none(), "{secret:?}");
        }
        let (keys, broken) = own.open_all(&[secret.clone(), sealed(&other, b"x")]);
        assert_eq!((keys["openai"].key.as_str(), broken), ("sk-value", 1));
        assert!(own.open(&sealed(&own, &[0xff])).is_none());
        assert!(!format!("{own:?} {secret:?}").contains("sk-value"));
    }
}
