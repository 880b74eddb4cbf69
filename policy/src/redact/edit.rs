//! Changes to a document's bytes.

use std::ops::Range;

/// One stretch of bytes and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the original document.
    pub range: Range<usize>,
    /// What stands there instead, escaped already as its place demands.
    pub with: String,
}

/// Applies edits, which must be sorted and must not overlap. Allocates once.
///
/// An edit that starts before the end of the one before it, or ends after the body, is cut to
/// what is left: the result may then be unwanted, but nothing between two edits is ever doubled.
pub fn splice(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut copied = 0;
    for edit in edits {
        let start = edit.range.start.clamp(copied, body.len());
        out.extend_from_slice(&body[copied..start]);
        out.extend_from_slice(edit.with.as_bytes());
        copied = edit.range.end.clamp(start, body.len());
    }
    out.extend_from_slice(&body[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_replace_insert_and_delete() {
        let edit = |range, with: &str| Edit { range, with: with.to_owned() };
        let edits = [edit(0..1, "A"), edit(2..2, "-"), edit(3..5, "")];
        assert_eq!(splice(b"abcdef", &edits), b"Ab-cf");
        assert_eq!(splice(b"abc", &[]), b"abc");
        assert_eq!(splice(b"abc", &[edit(2..9, "!"), edit(0..3, "?")]), b"ab!?");
    }
}
