//! A text is redacted: doing it twice is doing it once, and what was taken out comes back.
//!
//! The first byte chooses the label before the text.

use std::sync::LazyLock;

use iron_policy::json::Text;
use iron_policy::redact::{Engine, Mode, Modes, Redaction, Span, SpanKind, Vault, restore, splice};

use crate::cuts::Random;

static REVERSIBLE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Modes::all(Mode::Reversible)));
static MASK: LazyLock<Engine> = LazyLock::new(|| Engine::new(Modes::all(Mode::Mask)));

const LABELS: [Option<&str>; 6] =
    [None, Some("ssn"), Some("phone"), Some("password"), Some("card"), Some("trace_id")];

/// Redacts, restores, and redacts again.
pub fn check(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let label = LABELS[usize::from(*first) % LABELS.len()];
    let text = &*String::from_utf8_lossy(data);

    let vault = Vault::new(Random::from(data).key(), 10_000);
    let once = redacted(&REVERSIBLE, &vault, text, label);
    assert_eq!(restore(&vault, &once), text, "{once:?} is not restored");
    let twice = redacted(&REVERSIBLE, &vault, &once, label);
    assert_eq!(twice, once, "{text:?} redacted twice");

    let once = redacted(&MASK, &vault, text, label);
    let twice = redacted(&MASK, &vault, &once, label);
    assert_eq!(twice, once, "{text:?} masked twice");
}

fn redacted(engine: &Engine, vault: &Vault, text: &str, key: Option<&str>) -> String {
    let span = Span { text: Text::plain(text, 0), key, kind: SpanKind::Plain };
    let redaction = engine.redact(&[span], vault);
    well_placed(text, &redaction);
    String::from_utf8(splice(text.as_bytes(), &redaction.edits)).unwrap()
}

/// Edits are sorted, apart, and on the borders of characters; so are findings.
pub(crate) fn well_placed(text: &str, redaction: &Redaction) {
    let mut last = 0;
    for edit in &redaction.edits {
        assert!(last <= edit.range.start, "edits overlap: {redaction:?}");
        assert!(text.get(edit.range.clone()).is_some(), "{:?} cuts {text:?}", edit.range);
        last = edit.range.end;
    }
    for finding in &redaction.findings {
        assert!(text.get(finding.range.clone()).is_some(), "{:?} cuts {text:?}", finding.range);
    }
}
