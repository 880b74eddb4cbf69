//! The cryptography under [`jsonwebtoken`]: Ed25519 and nothing else.
//!
//! The library calls whatever provider the process installed. Ours refuses every other algorithm, so
//! that a token that names one cannot even be tried.

use std::sync::Once;

use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

static INSTALLED: Once = Once::new();

/// Makes the library use this provider, for the rest of the process.
pub(super) fn install() {
    // Whoever installed another one before has chosen; nobody in this workspace does.
    INSTALLED.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

struct Signer(SigningKey);

struct Verifier(VerifyingKey);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's signature")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let bytes = key.as_bytes().try_into();
    match (algorithm, key.family(), bytes) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, Ok(seed)) => {
            Ok(Box::new(Signer(SigningKey::from_bytes(seed))))
        }
        _ => Err(new_error(ErrorKind::InvalidAlgorithm)),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let bytes = key.try_get_as_bytes()?;
    match (algorithm, key.family(), public(bytes)) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, Some(key)) => Ok(Box::new(Verifier(key))),
        _ => Err(new_error(ErrorKind::InvalidAlgorithm)),
    }
}

/// A public key that signatures can be checked with: none of small order, for which many signatures
/// hold.
pub(super) fn public(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    (!key.is_weak()).then_some(key)
}

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(ed25519_dalek::Signer::sign(&self.0, message).to_vec())
    }
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let signature = Signature::from_slice(signature).map_err(|_| signature::Error::new())?;
        self.0.verify_strict(message, &signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
