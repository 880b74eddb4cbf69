//! What happens where findings overlap.

use std::ops::Range;

use super::kind::{Confidence, Kind};

/// Something found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub kind: Kind,
    /// Which bytes of the (decoded) text it takes up.
    pub range: Range<usize>,
    /// The rule that found it: stable, lower case, fit for a metric's label.
    pub rule: &'static str,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// The word around it that decided, where one did.
    pub word: Option<&'static str>,
}

/// Sorts matches and joins those that overlap.
///
/// The joined match covers all of them, so that no byte of a weaker one is left behind. It is
/// named after the strongest: one whose kind `protects` is set for, then the more confident,
/// then one that a word names, then the longer.
pub(super) fn merge(matches: &mut Vec<Match>, protects: impl Fn(Kind) -> bool) {
    if matches.len() < 2 {
        return;
    }
    let strength = |found: &Match| {
        (protects(found.kind), found.confidence, found.word.is_some(), found.range.len())
    };
    matches.sort_unstable_by_key(|found| (found.range.start, found.range.end, found.rule));
    let mut best = strength(&matches[0]);
    matches.dedup_by(|next, kept| {
        let strong = strength(next);
        if next.range.start >= kept.range.end {
            best = strong;
            return false;
        }
        let end = kept.range.end.max(next.range.end);
        if strong > best {
            best = strong;
            (kept.kind, kept.rule) = (next.kind, next.rule);
            (kept.confidence, kept.word) = (next.confidence, next.word);
        }
        kept.range.end = end;
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, range: Range<usize>, confidence: Confidence) -> Match {
        Match { kind, range, rule: "rule", confidence, word: None }
    }

    fn merged(mut matches: Vec<Match>) -> Vec<(Kind, Range<usize>)> {
        merge(&mut matches, |kind| kind != Kind::Ip);
        matches.into_iter().map(|m| (m.kind, m.range)).collect()
    }

    #[test]
    fn the_strongest_names_what_all_cover() {
        use Confidence::{Checksum, Context, Prefix, Shape};
        use Kind::{ApiKey, CreditCard, Email, Iban, Ip, Phone, Ssn};
        let all = merged(vec![
            found(Phone, 30..45, Shape),
            found(CreditCard, 5..21, Checksum),
            found(Iban, 0..22, Checksum),
            found(Ssn, 32..36, Context),
            found(ApiKey, 44..60, Prefix),
            found(Email, 60..70, Shape),
            found(Ip, 80..90, Checksum),
            found(Ssn, 85..88, Context),
        ]);
        assert_eq!(all, [(Iban, 0..22), (ApiKey, 30..60), (Email, 60..70), (Ssn, 80..90)]);
    }
}
