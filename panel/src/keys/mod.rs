//! Keys: the master key that everything secret in the database hangs on.

mod master;

pub use master::{Master, hmac};
