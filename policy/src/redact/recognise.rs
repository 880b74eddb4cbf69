//! The interface for what has no form: names, places, organisations.

use super::merge::Match;

/// Finds in a text what no shape and no checksum can tell.
///
/// An implementation may be a word list, a model in process, or the answers of a service that
/// was asked before. It must give the same answer for the same text.
pub trait Recognise: Send + Sync {
    /// What is in the text. `key` is the label that stands before it.
    fn find(&self, text: &str, key: Option<&str>) -> Vec<Match>;
}
