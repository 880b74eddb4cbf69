//! A stand-in for the real restorer, small enough to be right at a glance.

use iron_policy::json::escape_into;

use crate::stream::{Restore, Restorers};

pub(super) const PLACEHOLDER: &str = "<EMAIL_7f3k2>";
/// Needs escaping in JSON at every level.
pub(super) const VALUE: &str = "\"Zoë\"\n<zoe@ex\\ample.org>";

/// Replaces [`PLACEHOLDER`] by [`VALUE`].
#[derive(Clone, Copy)]
pub(super) struct Double;

pub(super) struct DoubleRestore {
    held: String,
    value: String,
}

/// What a whole text becomes.
pub(super) fn restored(text: &str, json: bool) -> String {
    text.replace(PLACEHOLDER, &value(json))
}

fn value(json: bool) -> String {
    let mut value = String::new();
    if json {
        escape_into(&mut value, VALUE);
    } else {
        value.push_str(VALUE);
    }
    value
}

impl Restorers for Double {
    type R = DoubleRestore;

    fn plain(&self) -> DoubleRestore {
        DoubleRestore { held: String::new(), value: value(false) }
    }

    fn json(&self) -> DoubleRestore {
        DoubleRestore { held: String::new(), value: value(true) }
    }
}

impl Restore for DoubleRestore {
    fn push(&mut self, text: &str, out: &mut String) {
        self.held.push_str(text);
        let text = self.held.replace(PLACEHOLDER, &self.value);
        // The value ends in no prefix of the placeholder, so that what is put in is never held.
        let kept = (1..PLACEHOLDER.len())
            .rev()
            .find(|length| text.ends_with(&PLACEHOLDER[..*length]))
            .unwrap_or(0);
        let (done, kept) = text.split_at(text.len() - kept);
        out.push_str(done);
        self.held = kept.to_owned();
    }

    fn finish(&mut self, out: &mut String) {
        out.push_str(&std::mem::take(&mut self.held));
    }
}
