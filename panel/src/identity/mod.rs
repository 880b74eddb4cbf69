//! Who people are: passwords, sessions, the first admin, logins from a terminal.
//!
//! | module        | holds                                                        |
//! |---------------|--------------------------------------------------------------|
//! | [`password`]  | hashing and rules of passwords                               |
//! | [`attempts`]  | how often a name and an address may fail                     |
//! | [`sessions`]  | sessions of browsers and terminals                           |
//! | [`bootstrap`] | the token that makes the first admin                         |
//! | [`device`]    | logins that wait in a terminal until a person approves them  |
//! | [`people`]    | finding and making people                                    |
//!
//! It knows no HTTP beyond the problem documents that refusals are: the routes are in [`crate::api`].

pub mod attempts;
pub mod bootstrap;
pub mod device;
pub mod names;
pub mod password;
pub mod people;
pub mod sessions;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::api::problem::Problem;

/// A new credential: this prefix, and 256 random bits in base64url.
pub fn credential(prefix: &str) -> Result<Zeroizing<String>, Problem> {
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*random()?));
    Ok(Zeroizing::new(format!("{prefix}{}", *text)))
}

/// Random bytes of the system.
fn random() -> Result<Zeroizing<[u8; 32]>, Problem> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| {
        tracing::error!(%error, "the system has no randomness");
        let detail = "the system has no randomness now: try again, and look at the panel's log";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_randomness", detail)
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
