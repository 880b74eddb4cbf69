//! What was found in texts that come again: agents resend their history with every turn.
//!
//! A text that was searched before costs a hash. Kept is the text's keyed hash, and where in it
//! what kind was found: no text and no value. Bounded: of two generations, the older is dropped
//! when the younger is full.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::document::{Span, SpanKind};
use super::kind::Kind;

/// Texts in a generation.
const TEXTS: usize = 8192;
/// Shorter texts are searched as fast as they are hashed.
const SHORTEST: usize = 192;
/// Texts with more findings are searched again.
const FINDINGS: usize = 256;

/// What an engine found in texts. Belongs to one engine: another finds other things.
pub struct Memory {
    key: Zeroizing<[u8; 32]>,
    texts: Mutex<Generations>,
}

/// A text's keyed hash, its label and the way it is read included.
pub(super) type Mark = [u8; 32];

/// Something that was found, relative to the text's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
    pub(super) rule: &'static str,
    pub(super) layers: u8,
    pub(super) number: bool,
}

type Findings = Arc<[Remembered]>;

#[derive(Default)]
struct Generations {
    young: HashMap<Mark, Findings>,
    old: HashMap<Mark, Findings>,
}

impl Memory {
    /// An empty one. The key keeps hashes from being guessed or made to meet.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key), texts: Mutex::default() }
    }

    /// The mark of a text that is worth remembering.
    pub(super) fn mark(&self, span: &Span<'_>) -> Option<Mark> {
        let raw = span.text.raw();
        if raw.len() < SHORTEST {
            return None;
        }
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        let key = span.key.unwrap_or_default();
        let kind = match span.kind {
            SpanKind::Plain => 0,
            SpanKind::Json => 1,
            SpanKind::Number => 2,
        };
        hash.update(&(key.len() as u64).to_le_bytes());
        hash.update(key.as_bytes());
        hash.update(&[kind, u8::from(span.text.is_escaped())]);
        hash.update(raw.as_bytes());
        Some(hash.finalize().into())
    }

    /// What was found in the text, if it is known.
    pub(super) fn recall(&self, mark: &Mark) -> Option<Findings> {
        let mut texts = self.texts();
        if let Some(known) = texts.young.get(mark) {
            return Some(Arc::clone(known));
        }
        let known = texts.old.remove(mark)?;
        texts.insert(*mark, Arc::clone(&known));
        Some(known)
    }

    /// Remembers what was found in a text.
    pub(super) fn remember(&self, mark: Mark, findings: Vec<Remembered>) {
        if findings.len() <= FINDINGS {
            self.texts().insert(mark, findings.into());
        }
    }

    /// How many texts are remembered.
    pub fn len(&self) -> usize {
        let texts = self.texts();
        texts.young.len() + texts.old.len()
    }

    /// True where none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A panic elsewhere leaves the maps whole.
    fn texts(&self) -> MutexGuard<'_, Generations> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, mark: Mark, findings: Findings) {
        if self.young.len() >= TEXTS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(mark, findings);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Text;
    use crate::redact::{Aids, Engine, Mode, Modes, Vault, splice};

    fn redacted(engine: &Engine, memory: Option<&Memory>, vault: &Vault, document: &str) -> String {
        let text = document.trim_matches('"');
        let spans = [Span { text: Text::literal_at(text, 1), key: None, kind: SpanKind::Json }];
        let redaction = engine.redact_with(&spans, Aids { vault, memory, recogniser: None });
        String::from_utf8(splice(document.as_bytes(), &redaction.edits)).unwrap()
    }

    #[test]
    fn a_text_that_comes_again_is_changed_as_it_was_the_first_time() {
        let engine = Engine::new(Modes::all(Mode::Reversible));
        let memory = Memory::new([3; 32]);
        let pad = "words and words ".repeat(20);
        for text in [
            format!("\"{pad} ann\\u0040example.com \\n 4242 4242 4242 4242 {pad}\""),
            format!(
                "\"{{\\\"ssn\\\":536228731,\\\"to\\\":\\\"ann@example.com\\\",\\\"p\\\":\\\"{pad}\\\"}}\""
            ),
            format!("\"{pad}\""),
        ] {
            let vault = Vault::new([1; 32], 10);
            let plain = redacted(&engine, None, &vault, &text);
            for session in [1, 1, 2] {
                let vault = Vault::new([session; 32], 10);
                let first = redacted(&engine, Some(&memory), &vault, &text);
                let again = redacted(&engine, Some(&memory), &vault, &text);
                assert_eq!(first, again);
                assert_eq!(first == plain, session == 1 || !text.contains("example"), "{first}");
                assert_eq!(vault.len(), if text.contains("example") { 2 } else { 0 });
            }
        }
        assert_eq!(memory.len(), 3);
    }

    #[test]
    fn it_is_bounded() {
        let memory = Memory::new([3; 32]);
        for n in 0..3 * TEXTS as u64 {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&n.to_le_bytes());
            memory.remember(mark, Vec::new());
        }
        assert!(memory.len() <= 2 * TEXTS);
        assert!(memory.recall(&[0; 32]).is_none());
    }
}
