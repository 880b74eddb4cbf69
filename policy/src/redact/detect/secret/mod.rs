//! What opens doors: keys, tokens, passwords.

pub(super) mod api_key;
mod api_key_families;
pub(super) mod jwt;
pub(super) mod private_key;
