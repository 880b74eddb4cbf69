//! The control panel: who may spend, with which keys, and what was spent.
//!
//! | module    | holds                                                                       |
//! |-----------|-----------------------------------------------------------------------------|
//! | [`store`] | the database: one set of queries on SQLite and on PostgreSQL                |
//! | [`api`]   | the REST API under `/api/v1`, who may ask what, problem documents, OpenAPI  |
//! | [`budgets`] | who may spend how much in which time                                       |
//! | [`leases`] | the slices of budgets that proxies hold                                     |
//! | [`alerts`] | what of the money somebody should hear of                                   |
//! | [`identity`] | people: passwords, sessions, the first admin                             |
//! | [`reach`] | the names that it answers to, the pages that it listens to                  |
//! | [`audit`] | who did what, in a chain                                                    |
//! | [`keys`]  | what everything secret hangs on                                             |
//! | [`events`] | what live views are told, and who is woken when something changes          |
//! | [`tokens`] | agents' tokens                                                             |
//! | [`proxies`] | proxies, and what they are told                                           |
//! | [`secrets`] | provider keys                                                             |
//! | [`policies`] | what proxies lay over their own files                                    |
//! | [`panel`] | what every request shares                                                   |
//! | [`telemetry`] | what happened: calls, sums over them, and questions about both           |
//! | [`tasks`] | what a panel does besides answering                                         |
//!
//! It knows nothing of the proxy's crate: both speak [`iron_policy::control`], and the `iron` binary
//! puts them together.

pub mod alerts;
pub mod api;
pub mod audit;
pub mod budgets;
pub mod clock;
pub mod events;
pub mod identity;
pub mod keys;
pub mod leases;
pub mod panel;
pub mod policies;
pub mod proxies;
pub mod reach;
pub mod secrets;
pub mod server;
pub mod store;
pub mod tasks;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tokens;

pub use panel::Panel;
