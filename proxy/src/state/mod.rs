//! The proxy's own state: one SQLite file with the money and the records of every call.
//!
//! One thread writes (`writer`); whatever waits while a transaction is committed goes into the
//! next one together (group commit). [`Ledger`] is the handle that calls use; [`Store`] reads the
//! same file for people, beside a running proxy or without one.
//!
//! What is where: `account` caches the balance of a scope in a window; `reservation` holds the
//! calls that are open; `call` every call that ended, with its money — together the journal whose
//! fold the balances must equal; `correction` the one later correction of an estimate; `batch` the
//! reservations that wait for results, and `batch_file` what those can be made for; `lease` the slices of a
//! panel's budgets, each with an account; `outbox` what a panel is still to be told; `denial` what sandboxes refused.
//!
//! No prompt, no answer and no key ever comes here.

mod batches;
mod checkpoint;
mod denials;
mod error;
mod leases;
mod ledger;
mod open;
mod outbox;
mod record;
mod run;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use batches::{BatchFile, BatchHold, Batches, Key, OpenBatch, Share, TooMany, is_id};
pub use denials::{DenialRecord, SANDBOX_FINDING};
pub use error::{Exhausted, OpenError, ReserveError, Source, StoreError};
pub use leases::{
    Granted, Held, Learned, LeaseHold, LeaseKey, LeaseRow, LeaseState, Low, Prepare, Room, Short,
};
pub use ledger::{Ledger, Options, Recovery};
pub use outbox::{Outbox, Told};
pub use record::{CallRecord, End, Hold, Settlement};
pub use run::{Figures, RunRecord};
pub use store::{AccountRow, BatchRow, CallRow, Filter, Group, GroupBy, Store, Totals};
