//! Provider keys on their way to one proxy: sealed to its public key (HPKE, RFC 9180).
//!
//! TLS ends at load balancers, and answers pass through logs of others. What is sealed here is read by
//! the process that made the key pair, and by nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable};
use iron_policy::control::SealedSecret;

/// The public key of a proxy.
pub struct SealTo(<X25519HkdfSha256 as Kem>::PublicKey);

impl SealTo {
    /// Reads base64 of an X25519 public key.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&bytes).ok().map(Self)
    }

    /// Seals a provider key. None where the public key is one that nothing can be sealed to.
    pub fn seal(
        &self,
        id: &str,
        version: i64,
        upstream: &str,
        base_url: &str,
        value: &[u8],
    ) -> Option<SealedSecret> {
        let bound = SealedSecret::bound_to(id, version, upstream, base_url);
        let (encapsulated, sealed) =
            hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.0,
                SealedSecret::INFO,
                value,
                bound.as_bytes(),
            )
            .ok()?;
        Some(SealedSecret {
            id: id.to_owned(),
            version,
            upstream: upstream.to_owned(),
            base_url: base_url.to_owned(),
            encapsulated: BASE64.encode(encapsulated.to_bytes()),
            sealed: BASE64.encode(sealed),
        })
    }
}

impl std::fmt::Debug for SealTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealTo(…)")
    }
}
