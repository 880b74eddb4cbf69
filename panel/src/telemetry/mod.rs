//! What happened: records of calls, the sums over them, and questions about both.
//!
//! | module        | holds                                                                        |
//! |---------------|------------------------------------------------------------------------------|
//! | [`check`]     | what is taken from a proxy                                                   |
//! | [`ingest`]    | taking it: once, however often it comes                                      |
//! | [`calls`]     | a call as it is kept                                                         |
//! | [`corrections`] | what a call cost in the end                                                |
//! | [`deltas`], [`sums`], [`write`] | by how much sums move                                      |
//! | [`grain`]     | minutes, hours and days of the reporting time zone                           |
//! | [`query`], [`report`] | asking for sums; usage over a range                              |
//! | [`browse`]    | calls and runs, one by one                                                   |
//! | [`keep`]      | how long all of it is kept                                                   |
//! | [`csv`]       | tables for spreadsheets                                                      |
//! | [`names`]     | how many models have sums of their own                                       |

pub mod browse;
pub mod calls;
pub mod check;
pub mod corrections;
pub mod counters;
pub mod csv;
pub mod deltas;
pub mod grain;
pub mod ingest;
pub mod keep;
pub mod names;
pub mod query;
pub mod report;
pub mod setting;
pub mod sums;
pub mod write;

use counters::Counters;
use names::Names;

/// What a panel keeps in memory for this.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The models that have sums of their own.
    pub names: Names,
    /// What was taken, for `/metrics`.
    pub counters: Counters,
}

#[cfg(test)]
mod tests;
