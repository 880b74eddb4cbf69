//! Searches for a JSON member by its name, to tell whether an event is worth reading.
//!
//! A hit is a hint, not a fact: the name may be at another depth. A miss is a fact, unless a
//! provider writes the letters of its own member names as escapes, which none does.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// A member name, quotes included.
pub(super) type Needle = LazyLock<Finder<'static>>;

pub(super) static USAGE: Needle = LazyLock::new(|| Finder::new("\"usage\""));
pub(super) static FINISH_REASON: Needle = LazyLock::new(|| Finder::new("\"finish_reason\""));
pub(super) static ERROR: Needle = LazyLock::new(|| Finder::new("\"error\""));
pub(super) static RESPONSE: Needle = LazyLock::new(|| Finder::new("\"response\""));
pub(super) static MESSAGE_STOP: Needle = LazyLock::new(|| Finder::new("\"message_stop\""));

pub(super) static MESSAGE_STOP_EVENT: Needle = LazyLock::new(|| Finder::new("\"messageStop\""));

/// True where the quoted word stands anywhere, as a name or as a value.
pub(super) fn word(needle: &Needle, data: &[u8]) -> bool {
    needle.find(data).is_some()
}

/// True where a member of this name has a value that is not `null`.
pub(super) fn member(needle: &Needle, data: &[u8]) -> bool {
    needle.find_iter(data).any(|at| {
        let mut rest =
            data[at + needle.needle().len()..].iter().filter(|byte| !byte.is_ascii_whitespace());
        rest.next() == Some(&b':') && rest.next() != Some(&b'n')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_with_a_value_are_found() {
        for (found, data) in [
            (true, r#"{"usage":{}}"#),
            (true, r#"{"usage" : {}}"#),
            (true, r#"{"usage":null,"x":{"usage":{}}}"#),
            (false, r#"{"usage":null}"#),
            (false, r#"{"a":"usage"}"#),
            (false, r#"{"a":"say \"usage\":{}"}"#),
            (false, r#"{"usage""#),
        ] {
            assert_eq!(member(&USAGE, data.as_bytes()), found, "{data}");
        }
    }
}
