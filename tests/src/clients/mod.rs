//! Real clients, unchanged, each in a network of its own with the proxy as the only way out, and
//! the matrix of what they did.
//!
//! `catalogue` says which clients there are and how each is led to the proxy, `alone` shuts the
//! rest of the world out, `measure` runs one through its scenarios, `matrix` keeps the results in
//! `tests/clients/results.json` and makes the table in `docs/clients.md` of them.

mod alone;
mod catalogue;
mod matrix;
mod measure;

pub use catalogue::{Client, Route};
pub use matrix::{Row, check, row, table};
pub use measure::{measure, simulated};
