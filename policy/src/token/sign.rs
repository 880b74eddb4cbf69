//! How a panel makes a token, and the public key that others verify it with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::{Claims, MAX_TOKEN, PREFIX, provider};

/// Why no token was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Nobody would take it.
    #[error("the token would be longer than {MAX_TOKEN} bytes: name fewer models and upstreams")]
    TooLong,
    /// Cannot happen with a key of 32 bytes.
    #[error("the token could not be signed")]
    Key,
}

/// Signs what a token says: the token as its holder gets it. `private` is an Ed25519 key as RFC 8032
/// calls it, 32 random bytes; `kid` is the name under which [`public_key`] is published.
///
/// Neither the token nor the key may be logged.
pub fn sign(claims: &Claims, kid: &str, private: &[u8; 32]) -> Result<String, SignError> {
    provider::install();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let token = encode(&header, claims, &EncodingKey::from_ed_der(private));
    let token = format!("{PREFIX}{}", token.map_err(|_| SignError::Key)?);
    if token.len() > MAX_TOKEN { Err(SignError::TooLong) } else { Ok(token) }
}

/// The public half of a key as an entry of a JSON Web Key Set (RFC 8037).
pub fn public_key(kid: &str, private: &[u8; 32]) -> serde_json::Value {
    let public = SigningKey::from_bytes(private).verifying_key();
    serde_json::json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
        "kid": kid, "x": URL_SAFE_NO_PAD.encode(public.as_bytes()),
    })
}
