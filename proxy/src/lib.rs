//! The data path of Iron Cage: what happens to a call between an agent and its provider.
//!
//! [`server`] accepts, [`connect`] takes agents through that use it as their HTTP proxy, [`pipeline`] takes a call through its steps, [`upstream`] dials,
//! [`stream`] meters and restores what comes back, [`state`] keeps money and records. What all
//! calls share is in [`shared`]; the policy in force, with what is built from it, in [`live`].

pub mod authority;
pub mod body;
pub mod connect;
pub mod control;
pub mod control_plane;
pub mod dialect;
pub mod lease;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod observer;
pub mod pinned;
pub mod pipeline;
pub mod recogniser;
pub mod report;
pub mod rescue;
pub mod runaways;
pub mod runs;
pub mod server;
pub mod sessions;
pub mod shared;
pub mod state;
pub mod stops;
pub mod stream;
pub mod tokens;
pub mod upstream;
