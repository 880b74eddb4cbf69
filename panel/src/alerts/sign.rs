//! Signatures of webhooks, as the Standard Webhooks specification has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>):
//! HMAC-SHA256 over `id.timestamp.body`, with a secret that is written `whsec_` and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use zeroize::Zeroizing;

use crate::keys::hmac;
use crate::store::StoreError;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The secret of a webhook.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new one, from the system's randomness.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)
            .map_err(|_| StoreError::Damaged("the system's randomness".to_owned()))?;
        Ok(Self(bytes))
    }

    /// The secret of these bytes; none where there are not 32.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// As it is shown, once.
    pub fn shown(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(*self.0)))
    }

    /// The header `webhook-signature` of a message; `timestamp` is in Unix seconds.
    pub fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = hmac(&self.0);
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_another_implementation() {
        // Made with Python's hmac and base64 modules.
        let secret = Secret::of(b"0123456789abcdef0123456789abcdef").unwrap();
        let signature = secret.signature("msg_1", 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(signature, "v1,rkwp5YuvdrMkcu0ZhuMsXoTg44mHAr1Q0+FFgFpXsjY=");
        assert_eq!(&*secret.shown(), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        assert!(Secret::of(b"short").is_none());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
