//! Keys: the master key that everything secret in the database hangs on, and what hangs on it.
//!
//! | module         | holds                                                                  |
//! |----------------|------------------------------------------------------------------------|
//! | [`master`]     | the master key in memory, and the keys that are derived from it         |
//! | [`envelope`]   | how a secret stands in a row                                            |
//! | [`mod@rewrap`] | the rotation of the master key                                         |
//! | [`source`]     | where the master key comes from: a file, a variable, a program          |
//! | [`mod@unlock`] | the first thing a panel does: is this the right key for this database?  |
//! | [`signing`]    | the keys that sign tokens, and the key set that verifies them           |

pub mod envelope;
pub mod master;
pub mod rewrap;
pub mod signing;
pub mod source;
pub mod unlock;

pub use envelope::Place;
pub use master::{Master, hmac};
pub use rewrap::{Rewrapped, rewrap};
pub use unlock::unlock;
