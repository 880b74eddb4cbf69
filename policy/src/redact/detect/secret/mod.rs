//! What opens doors: keys, tokens, passwords.

pub(super) mod api_key;
mod families;
pub(super) mod jwt;
pub(super) mod private_key;
