//! Budgets: who may spend how much in which time.

mod owner;
mod terms;

pub use owner::{Project, is_own, owner, whose};
pub use terms::Terms;
