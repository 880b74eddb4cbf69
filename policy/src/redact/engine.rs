//! The detectors at work over one text: as it stands, and as a decoder would see it.
//!
//! What a document's texts are, and what is done about what is found in them, is decided in
//! [`document`](super::document).

use std::fmt;
use std::ops::Range;

use super::context::Scene;
use super::detect::DETECTORS;
use super::encoded;
use super::kind::{Kind, Mode, Modes};
use super::merge::{Match, merge};
use super::prefilter::Prefilter;
use super::recognise::Recognise;
use super::rule::{Rule, Rules};
use super::site::{Hit, Site};
use super::view;

/// A longer text, in bytes, is no secret that its key names.
const NAMED: usize = 4096;

/// The detectors of one policy. Immutable, to be shared.
pub struct Engine {
    modes: Modes,
    prefilter: Prefilter,
    /// The same for secrets alone, which are looked for inside base64 too.
    secrets: Prefilter,
    rules: Rules,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("modes", &self.modes).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that looks for every kind whose mode is not [`Mode::Off`].
    pub fn new(modes: Modes) -> Self {
        Self::with_rules(modes, Vec::new())
    }

    /// The same with rules of the operator's own.
    pub fn with_rules(modes: Modes, rules: Vec<Rule>) -> Self {
        let is_on = |kind: Kind| modes.of(kind) != Mode::Off;
        Self {
            prefilter: Prefilter::new(|place| is_on(DETECTORS[place].kind)),
            secrets: Prefilter::new(|place| {
                let kind = DETECTORS[place].kind;
                kind.is_secret() && is_on(kind)
            }),
            rules: Rules::new(rules.into_iter().filter(|rule| is_on(rule.kind())).collect()),
            modes,
        }
    }

    /// The modes it was made with.
    pub const fn modes(&self) -> &Modes {
        &self.modes
    }

    /// What is in a text: sorted, not overlapping. `key` is what stands before the whole text.
    pub fn find(&self, text: &str, key: Option<&str>) -> Vec<Match> {
        self.find_with(text, key, None)
    }

    /// The same, with what a recogniser finds in it.
    pub fn find_with(
        &self,
        text: &str,
        key: Option<&str>,
        recogniser: Option<&dyn Recognise>,
    ) -> Vec<Match> {
        let mut matches = Vec::new();
        sweep(&self.prefilter, text, key, false, &mut |found| matches.push(found));
        view::each(text, &mut |view| {
            sweep(&self.prefilter, view.text(), key, false, &mut |found| {
                matches.extend(view.original(&found.range).map(|range| Match { range, ..found }));
            });
        });
        encoded::each(text, &mut |range, inner| {
            let mut best: Option<Match> = None;
            sweep(&self.secrets, inner, key, false, &mut |found| {
                if best.as_ref().is_none_or(|kept| kept.confidence < found.confidence) {
                    best = Some(found);
                }
            });
            matches.extend(best.map(|found| Match { range, ..found }));
        });
        self.rules.find(text, key, &mut matches);
        if let Some(recogniser) = recogniser {
            let fits = |found: &Match| {
                self.modes.of(found.kind) != Mode::Off && text.get(found.range.clone()).is_some()
            };
            matches.extend(recogniser.find(text, key).into_iter().filter(fits));
        }
        merge(&mut matches, |kind| self.modes.of(kind).protects());
        matches
    }

    /// What would be found besides, were every candidate named by the words that it needs: to
    /// tell what the context decided.
    pub fn suppose(&self, text: &str, key: Option<&str>) -> Vec<Match> {
        let known = self.find(text, key);
        let mut matches = Vec::new();
        sweep(&self.prefilter, text, key, true, &mut |found| {
            let overlaps = |known: &Match| {
                known.range.start < found.range.end && found.range.start < known.range.end
            };
            if !known.iter().any(overlaps) {
                matches.push(found);
            }
        });
        matches.sort_by_key(|found| (found.range.start, found.range.end, found.kind));
        matches.dedup_by(|next, kept| next.range == kept.range && next.kind == kept.kind);
        matches
    }
}

/// Asks the detectors about each of their triggers in a text.
fn sweep(
    prefilter: &Prefilter,
    text: &str,
    key: Option<&str>,
    supposing: bool,
    found: &mut impl FnMut(Match),
) {
    let scene = Scene::new(text.as_bytes(), key);
    let mut site =
        Site { text: scene.text(), trigger: 0..0, scene: &scene, detector: 0, supposing };
    let mut names_stand = false;
    let awake = |at| if supposing { u128::MAX } else { scene.awake(at) };
    prefilter.sweep(scene.text(), awake, |place, trigger| {
        let detector = DETECTORS[place];
        if detector.by_name {
            names_stand = true;
        }
        (site.trigger, site.detector) = (trigger, place);
        let mut hit = (detector.check)(&site)?;
        widen(text, &mut hit.range);
        let end = hit.range.end;
        found(match_of(place, &hit, 0));
        Some(end)
    });
    if let Some(key) = key {
        whole(prefilter, text, key, 0, found);
    }
    if names_stand {
        let is_name = |header: &[u8]| prefilter.holds_name(header);
        scene.cells(is_name, &mut |header, cell| {
            if let Some(value) = text.get(cell.clone()) {
                whole(prefilter, value, header, cell.start, found);
            }
        });
    }
}

/// Asks about a whole value those detectors that go by the name before it: its key, or the header
/// of its column.
fn whole(
    prefilter: &Prefilter,
    value: &str,
    key: &str,
    offset: usize,
    found: &mut impl FnMut(Match),
) {
    if value.is_empty() || value.len() > NAMED {
        return;
    }
    let scene = Scene::new(value.as_bytes(), Some(key));
    for place in prefilter.by_name() {
        let site = Site {
            text: scene.text(),
            trigger: 0..value.len(),
            scene: &scene,
            detector: place,
            supposing: false,
        };
        if let Some(hit) = (DETECTORS[place].check)(&site) {
            found(match_of(place, &hit, offset));
        }
    }
}

/// Both ends onto borders of characters: a detector that cut one must not stop a call.
fn widen(text: &str, range: &mut Range<usize>) {
    range.end = range.end.min(text.len());
    while !text.is_char_boundary(range.start) {
        range.start -= 1;
    }
    while !text.is_char_boundary(range.end) {
        range.end += 1;
    }
}

fn match_of(place: usize, hit: &Hit, offset: usize) -> Match {
    Match {
        kind: DETECTORS[place].kind,
        range: hit.range.start + offset..hit.range.end + offset,
        rule: hit.rule,
        confidence: hit.confidence,
        word: hit.word,
    }
}
