//! Budgets: who may spend how much in which time.
//!
//! | module      | holds                                                                     |
//! |-------------|---------------------------------------------------------------------------|
//! | [`Terms`]   | a budget as its row says it                                               |
//! | `owner`     | whose it is                                                               |
//! | `change`    | setting, changing and removing one, and what that does to open accounts   |
//! | `balance`   | what is posted, held and left in the window of now                        |
//! | `preview`   | what a new limit would do, before it is set                               |
//! | `tree`      | all of them, each below what it is a part of                              |
//! | `request`   | asking for more, and deciding it                                          |
//!
//! What a change costs proxies: they are told of every one (`mark` budgets), and top up by the new
//! limit. A lease that is out is given back by its proxy, once that has heard.

mod balance;
mod change;
mod mine;
mod owner;
mod preview;
mod request;
mod terms;
mod tree;

pub use balance::{Balance, MOST_SHOWN, balances};
pub(crate) use balance::{account, accounts};
pub use change::{Change, New, change, insert, set, withdraw as remove};
pub use mine::mine;
pub(crate) use owner::own;
pub use owner::{Project, is_own, owner, whose};
pub use preview::{Holder, Preview, Previewed, preview};
pub use request::{
    Asked, Decision, Request, RequestFilter, ask, decide, find as find_request, requests, withdraw,
};
pub use terms::Terms;
pub use tree::{Node, above, tree};

use crate::leases::LARGEST;
use crate::store::StoreError;

/// The part of `mark` that counts changes of budgets.
pub const MARK: &str = "budgets";

/// Why nothing was done about budgets.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// It makes no sense; it never will.
    #[error("{0}")]
    Invalid(String),
    /// There is none, or it is not the caller's to see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// There is one of this scope and window already.
    #[error("there is a budget of {scope} for this window already")]
    Exists {
        /// Its scope.
        scope: String,
    },
    /// The caller's rights do not cover it.
    #[error("{0}")]
    Forbidden(String),
    /// It changed meanwhile: this is its version now.
    #[error("it was changed meanwhile")]
    Changed(i64),
    /// The request for more was decided, or withdrawn.
    #[error("the request is {0} already")]
    Decided(String),
    /// The caller has too many requests for more open.
    #[error("too many requests are open")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BudgetError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// An amount that a caller may set as a limit.
fn limit(amount: i64) -> Result<i64, BudgetError> {
    if (0..=LARGEST).contains(&amount) {
        return Ok(amount);
    }
    Err(BudgetError::Invalid(format!(
        "the amount is {amount} nano-USD: choose from 0 to {LARGEST} (a billion dollars)"
    )))
}

#[cfg(test)]
mod tests;
