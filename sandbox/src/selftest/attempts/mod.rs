//! The table: every attempt to get out, part by part.

pub mod network;
pub mod processes;

use crate::selftest::attempt::Attempt;

/// All attempts, part by part.
pub fn all() -> impl Iterator<Item = &'static Attempt> {
    [network::ATTEMPTS, processes::ATTEMPTS].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names = HashSet::from(["victim", "launcher", "terminal"]);
        for attempt in all() {
            assert!(names.insert(attempt.name), "{} is given twice", attempt.name);
        }
    }
}
