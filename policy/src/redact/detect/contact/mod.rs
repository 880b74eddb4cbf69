//! How people are reached.

pub(super) mod date_of_birth;
pub(super) mod email;
pub(super) mod phone;
mod phone_digits;
pub(super) mod phone_national;
pub(super) mod phone_us;
mod phone_words;
