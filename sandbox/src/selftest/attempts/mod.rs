//! The table: every attempt to get out, part by part.

pub mod detours;
pub mod devices;
pub mod files;
pub mod inherited;
pub mod ipc;
pub mod kernel;
pub mod launcher;
pub mod metadata;
pub mod namespaces;
pub mod network;
pub mod processes;
pub mod protected;
pub mod resources;
pub mod sockets;
pub mod unix;

use crate::selftest::attempt::Attempt;

/// All attempts, part by part.
pub fn all() -> impl Iterator<Item = &'static Attempt> {
    [
        network::ATTEMPTS,
        sockets::ATTEMPTS,
        unix::ATTEMPTS,
        files::ATTEMPTS,
        detours::ATTEMPTS,
        metadata::ATTEMPTS,
        protected::ATTEMPTS,
        processes::ATTEMPTS,
        launcher::ATTEMPTS,
        kernel::ATTEMPTS,
        namespaces::ATTEMPTS,
        ipc::ATTEMPTS,
        devices::ATTEMPTS,
        inherited::ATTEMPTS,
        resources::ATTEMPTS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names = HashSet::from(["victim", "launcher", "terminal", "user"]);
        for attempt in all() {
            assert!(names.insert(attempt.name), "{} is given twice", attempt.name);
        }
    }
}
