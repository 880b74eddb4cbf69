//! The keys that tokens may be signed with, and the check of a token by them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::Value;

use super::{AUDIENCE, Claims, LEEWAY_S, MAX_TOKEN, PREFIX, TokenError, provider};

/// More keys than this in a set are an error; a rotation needs two.
pub const MAX_KEYS: usize = 32;
/// The longest name of a key, in bytes.
const MAX_KID: usize = 128;

/// The keys that tokens may be signed with.
#[derive(Clone, Default)]
pub struct TokenKeys(Vec<(String, DecodingKey)>);

/// A JSON Web Key Set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key set is not usable: {0}")]
pub struct KeySetError(&'static str);

impl TokenKeys {
    /// Takes the Ed25519 keys of a JSON Web Key Set; keys of other kinds, for other uses or without
    /// a name are left out, as RFC 7517 wants it.
    pub fn parse(set: &Value) -> Result<Self, KeySetError> {
        provider::install();
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(KeySetError("it has no list `keys`"))?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError("it has more than 32 keys"));
        }
        let mut taken: Vec<(String, DecodingKey)> = Vec::new();
        for key in keys {
            let Some((kid, public)) = ed25519(key) else { continue };
            if taken.iter().any(|(other, _)| other == kid) {
                return Err(KeySetError("two of its keys have one kid"));
            }
            taken.push((kid.to_owned(), DecodingKey::from_ed_der(&public)));
        }
        Ok(Self(taken))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a token as its holder sent it: its form, its signature, for whom and by whom it was
    /// made, and its times. `now_s` is the wall clock in Unix seconds.
    pub fn verify(&self, token: &str, issuer: &str, now_s: i64) -> Result<Claims, TokenError> {
        use TokenError::Invalid;
        if token.len() > MAX_TOKEN {
            return Err(Invalid("it is longer than any that is issued"));
        }
        let token = token.strip_prefix(PREFIX).ok_or(Invalid("it does not begin with iron_"))?;
        let header = decode_header(token).map_err(|_| Invalid("it is not a signed token"))?;
        let kid = named_key(&header)?;
        let (_, key) = self
            .0
            .iter()
            .find(|(own, _)| own == kid)
            .ok_or(Invalid("it was signed with a key that is not, or no longer, in use"))?;
        let claims = decode::<Claims>(token, key, &signature_alone())
            .map_err(|_| Invalid("its signature or what it says does not hold"))?
            .claims;
        if claims.aud != AUDIENCE {
            return Err(Invalid("it is not for a proxy"));
        }
        if claims.iss != issuer {
            return Err(Invalid("it is another panel's"));
        }
        if claims.nbf > now_s.saturating_add(LEEWAY_S) {
            return Err(Invalid("it is not good yet"));
        }
        if claims.exp.saturating_add(LEEWAY_S) <= now_s {
            return Err(TokenError::Expired { since_s: claims.exp });
        }
        Ok(claims)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kid, _)| kid)).finish()
    }
}

/// The name and the bytes of a key, where it is one that tokens are signed with.
fn ed25519(key: &Value) -> Option<(&str, [u8; 32])> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let is = |name: &str, wanted: &str| text(name).is_none_or(|said| said == wanted);
    if text("kty") != Some("OKP") || text("crv") != Some("Ed25519") {
        return None;
    }
    if !is("use", "sig") || !is("alg", "EdDSA") {
        return None;
    }
    let kid = text("kid").filter(|kid| (1..=MAX_KID).contains(&kid.len()))?;
    let public = URL_SAFE_NO_PAD.decode(text("x")?).ok()?;
    provider::public(&public).map(|key| (kid, key.to_bytes()))
}

/// The key that a header names. A header that says more than a token's needs is refused: what else
/// can stand there says where to get a key from, or how the token is to be read.
fn named_key(header: &Header) -> Result<&str, TokenError> {
    if header.alg != Algorithm::EdDSA {
        return Err(TokenError::Invalid("it is not signed with EdDSA"));
    }
    let kid = header.kid.as_deref().ok_or(TokenError::Invalid("it names no key"))?;
    let mut plain = Header::new(Algorithm::EdDSA);
    plain.kid = Some(kid.to_owned());
    if *header == plain {
        Ok(kid)
    } else {
        Err(TokenError::Invalid("its header says more than alg, typ and kid"))
    }
}

/// The library checks the signature; what is said we check, with the caller's clock.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
