//! What opens doors: keys, tokens, passwords.

pub(super) mod api_key;
pub(super) mod auth_header;
mod families;
pub(super) mod jwt;
mod named;
pub(super) mod named_secret;
pub(super) mod password;
pub(super) mod private_key;
pub(super) mod url_credentials;
mod value;
pub(super) mod webhook_url;
