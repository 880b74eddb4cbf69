//! Keys: the master key that everything secret in the database hangs on, and what hangs on it.
//!
//! | module         | holds                                                                  |
//! |----------------|------------------------------------------------------------------------|
//! | [`master`]     | the master key in memory, and the keys that are derived from it         |
//! | [`envelope`]   | how a secret stands in a row                                            |
//! | [`mod@unlock`] | the first thing a panel does: is this the right key for this database? |

pub mod envelope;
pub mod master;
pub mod unlock;

pub use envelope::Place;
pub use master::{Master, hmac};
pub use unlock::unlock;
