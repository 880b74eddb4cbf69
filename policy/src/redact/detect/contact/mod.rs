//! How people are reached.

pub(super) mod email;
pub(super) mod phone;
