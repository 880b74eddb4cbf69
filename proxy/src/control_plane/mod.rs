//! What a proxy needs of a control plane, whoever answers: a panel over HTTPS, or the one in the
//! same process.
//!
//! A proxy goes on without it: with the keys, budgets and revocations that it last heard of, and
//! with the money that it holds leases of. Nothing here is asked per call.

mod copy;
mod follow;
mod seal;
mod spending;
mod standing;

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use iron_policy::control::{Acknowledged, Asks, Batch, Changes, Grants, Known, Reports, Taken};

pub use follow::{Enforce, Follower};
pub use seal::{Bound, KeyPair, ProviderKeys};
pub use spending::Spending;
pub use standing::Standing;

/// An answer that is on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// A control plane. Every question may be asked again: the same one changes nothing twice.
///
/// A future that is dropped may have been heard all the same.
pub trait ControlPlane: Debug + Send + Sync {
    /// What is newer than what the proxy holds; waits for it as long as [`Known::wait_ms`] says.
    fn changes<'a>(&'a self, known: &'a Known) -> Answer<'a, Changes>;

    /// Asks for money to spend.
    fn leases<'a>(&'a self, asks: &'a Asks) -> Answer<'a, Grants>;

    /// Says what was spent.
    fn report<'a>(&'a self, reports: &'a Reports) -> Answer<'a, Acknowledged>;

    /// Hands over records of calls.
    fn ingest<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Taken>;
}

/// Why a control plane gave no answer. The texts are for the operator, and hold no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It cannot be reached, broke off, or answered what nobody can read: later it may.
    #[error("the panel cannot be reached: {0}")]
    Unreachable(String),
    /// It heard the question and refuses it: asking again helps only once somebody changed something.
    #[error("the panel refuses ({code}): {detail}")]
    Refused {
        /// The problem's stable code; `unauthorized` where the proxy's credential is not taken.
        code: String,
        /// What it says of it.
        detail: String,
    },
    /// It has too much to do.
    #[error("the panel is busy")]
    Busy {
        /// When it wants to be asked again.
        retry_after: Duration,
    },
}
