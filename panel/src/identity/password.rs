//! Passwords: argon2id with the parameters that OWASP recommends, few at a time.
//!
//! A hash takes 19 MiB and some 20 ms of one core, so that guesses are dear; [`Hashing`] lets only so
//! many be made at once, so that logins cannot take the panel's memory and cores.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use http::StatusCode;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::api::problem::Problem;

/// Characters that a password has at least.
const SHORTEST: usize = 12;
/// Bytes that a password has at most.
const LONGEST: usize = 1024;
/// Memory of one hash in KiB, passes, lanes: OWASP's first choice for argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Hashes at a time.
const AT_ONCE: usize = 4;
/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A password as a caller sent it. It shows itself to nobody.
#[derive(Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(from = "String")]
#[schema(value_type = String, format = Password, max_length = 1024)]
pub struct Password(Zeroizing<String>);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// The text, for those that make a hash of it at once.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it may be the password of somebody of this name.
    pub fn check(&self, name: &str) -> Result<(), Problem> {
        let wrong =
            |detail: String| Err(Problem::new(StatusCode::BAD_REQUEST, "password_unfit", detail));
        if self.0.chars().count() < SHORTEST {
            return wrong(format!("the password is too short: use {SHORTEST} characters or more"));
        }
        if self.0.len() > LONGEST {
            return wrong(format!("the password is too long: use {LONGEST} bytes or less"));
        }
        let (lower, name) = (self.0.to_lowercase(), name.to_lowercase());
        let rest = lower.replace(&name, "");
        if !name.is_empty() && rest.chars().count() < SHORTEST / 2 {
            return wrong("the password is little more than the name: choose another".to_owned());
        }
        let mut characters: Vec<char> = lower.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        if characters.len() < 4 {
            return wrong("the password repeats few characters: choose another".to_owned());
        }
        Ok(())
    }
}

/// Makes and checks hashes, few at a time.
#[derive(Debug)]
pub struct Hashing {
    turns: Semaphore,
    checked: AtomicU64,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), checked: AtomicU64::new(0) }
    }
}

impl Hashing {
    /// What is kept of a password.
    pub async fn hash(&self, password: Password) -> Result<String, Problem> {
        self.run(move || {
            let hash = argon2()?.hash_password(password.0.as_bytes()).ok()?;
            Some(hash.to_string())
        })
        .await
    }

    /// Whether a password is the one that this was kept of. Where nothing was, another hash is
    /// checked, and the answer is no: nobody can tell from the time who has an account.
    pub async fn verify(&self, password: Password, kept: Option<String>) -> Result<bool, Problem> {
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.run(move || {
            let known = kept.is_some();
            let hash = match kept {
                Some(hash) => hash,
                None => nobodys()?,
            };
            let hash = PasswordHash::new(&hash).ok()?;
            let fits = password.0.len() <= LONGEST;
            let same = argon2()?.verify_password(password.0.as_bytes(), &hash).is_ok();
            Some(same && known && fits)
        })
        .await
    }

    /// How many passwords were checked.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let detail = "too many people sign in right now: try again";
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(Problem::new(status, "too_many_logins", detail).after(5));
        };
        let done = tokio::task::spawn_blocking(work).await.ok().flatten();
        done.ok_or_else(|| {
            tracing::error!("a password could not be hashed");
            let detail = "the password could not be checked: look at the panel's log";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        })
    }
}

fn argon2() -> Option<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of a password that nobody has.
fn nobodys() -> Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| Some(argon2()?.hash_password(b"nobody's password").ok()?.to_string()))
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    #[test]
    fn a_password_is_long_and_not_the_name() {
        for bad in ["short", "aaaaaaaaaaaa", "abababababab", "adalovelace1", "Ada.Lovelace", ""] {
            let problem = password(bad).check("adalovelace").map_err(|problem| problem.code);
            let expected = if bad == "Ada.Lovelace" { Ok(()) } else { Err("password_unfit") };
            assert_eq!(problem, expected, "{bad}");
        }
        assert!(password("correct horse battery").check("ada").is_ok());
        assert!(password(&"long".repeat(300)).check("ada").is_err());
        assert!(password("pässwörtlich!").check("ada").is_ok());
        assert_eq!(format!("{:?}", password("correct horse battery")), "Password(…)");
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let hashing = Hashing::default();
        let hash = hashing.hash(password("correct horse battery")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let again = hashing.hash(password("correct horse battery")).await.unwrap();
        assert_ne!(hash, again, "salted");
        let right = hashing.verify(password("correct horse battery"), Some(hash.clone()));
        assert!(right.await.unwrap());
        assert!(!hashing.verify(password("correct horse"), Some(hash)).await.unwrap());
        assert!(!hashing.verify(password("nobody's password"), None).await.unwrap());
        assert_eq!(hashing.checked(), 3);
    }
}
