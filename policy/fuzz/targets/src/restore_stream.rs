//! Placeholders in a stream are restored, and it does not matter how the stream is cut.
//!
//! The first byte chooses how many layers of JSON the stream is: 0 to 2.

use std::sync::Arc;

use iron_policy::json::Reader;
use iron_policy::redact::{Restorer, Vault, restore};

use crate::cuts::{Random, cuts};
use crate::issued::{planted, session};

/// Texts up to this length, in bytes, are cut in two at every place.
const EVERY_CUT: usize = 100;

/// Restores the stream in one piece and in many.
pub fn check(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let depth = first % 3;
    let (vault, placeholders) = session();
    let bytes = planted(rest, &placeholders);
    let text = &*String::from_utf8_lossy(&bytes);

    let whole = streamed(&vault, depth, [text], None);
    if depth == 0 {
        assert_eq!(restore(&vault, text), whole);
    }
    if depth > 0 && is_document(text) {
        assert!(is_document(&whole), "{text}\nbecame {whole}");
    }
    let mut random = Random::from(data);
    for way in cuts(text.len(), &mut random, |at| text.is_char_boundary(at)) {
        let pieces = way.into_iter().map(|range| &text[range]);
        streamed(&vault, depth, pieces, Some(&whole));
    }
    if text.len() <= EVERY_CUT {
        for cut in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            streamed(&vault, depth, [&text[..cut], &text[cut..]], Some(&whole));
        }
    }
}

/// What comes out; where it is known what will, each step must be a part of it.
fn streamed<'t>(
    vault: &Arc<Vault>,
    depth: u8,
    pieces: impl IntoIterator<Item = &'t str>,
    expected: Option<&str>,
) -> String {
    let mut restorer = Restorer::in_json(Arc::clone(vault), depth);
    let mut out = String::new();
    for piece in pieces {
        restorer.push(piece, &mut out);
        if let Some(whole) = expected {
            assert!(whole.starts_with(&out), "after {piece:?}:\n{out}\n{whole}");
        }
    }
    restorer.finish(&mut out);
    if let Some(whole) = expected {
        assert_eq!(out, whole);
    }
    out
}

fn is_document(text: &str) -> bool {
    let mut reader = Reader::over(text);
    reader.skip().is_ok() && reader.next() == Ok(None)
}
