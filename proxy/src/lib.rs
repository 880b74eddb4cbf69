//! The data path of Iron Cage: what happens to a call between an agent and its provider.

pub mod state;
pub mod stream;
