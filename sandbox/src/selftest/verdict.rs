//! What a try in the sandbox and its control together mean.
//!
//! Nothing is held that was not shown to work outside, or to be refused by seccomp where the machine
//! has no such thing; and nothing is held by another layer than the table says.

use serde::Serialize;

use crate::selftest::attempt::{By, Expectation, Outcome};

/// A run of an attempt's code, and whether anything outside showed its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Try {
    /// What the attempt says.
    pub outcome: Outcome,
    /// Whether its effect was seen outside.
    pub seen: bool,
    /// Whether the attempt's own word is enough where nothing was seen.
    #[serde(skip)]
    pub word_counts: bool,
}

/// What an attempt and its control together mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The sandbox refused it.
    Held,
    /// It worked, and is known to.
    Gap,
    /// It worked, and should not have.
    Open,
    /// It cannot be tried on this machine.
    NotTested,
    /// The table is wrong: a gap that is held, or another layer that held.
    Wrong,
}

/// A verdict and what to say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<&'static str>,
    /// In words.
    pub told: String,
    /// What its control came to.
    pub control: String,
}

impl Try {
    /// Whether it did what it set out to.
    pub fn worked(&self) -> bool {
        self.seen || (self.word_counts && matches!(self.outcome, Outcome::Worked { .. }))
    }

    /// The refusal: one of a step, or that nothing came of it outside.
    fn refusal(&self) -> Outcome {
        match &self.outcome {
            Outcome::Worked { evidence } => Outcome::Refused {
                step: "no effect outside".to_owned(),
                errno: 0,
                detail: evidence.clone(),
            },
            other => other.clone(),
        }
    }
}

/// Judges a try in a sandbox by its control outside and by what the table expects.
pub fn judge(confined: &Try, control: &Try, expected: Expectation) -> Judgement {
    let control_worked = control.worked();
    let said = if control_worked {
        format!("control: {}", control.outcome)
    } else {
        format!("no control: {}", control.refusal())
    };
    let judgement = |verdict, layer: Option<By>, told: String| Judgement {
        verdict,
        layer: layer.map(By::name),
        told,
        control: said.clone(),
    };
    if confined.worked() {
        return match expected {
            Expectation::Gap(why) => judgement(Verdict::Gap, None, why.to_owned()),
            Expectation::Held(_) if confined.seen => {
                judgement(Verdict::Open, None, format!("seen outside: {}", confined.outcome))
            }
            Expectation::Held(_) => judgement(Verdict::Open, None, confined.outcome.to_string()),
        };
    }
    let refusal = confined.refusal();
    if let Outcome::Absent { why } = &refusal {
        return judgement(Verdict::NotTested, None, why.clone());
    }
    let held = match expected {
        Expectation::Held(by) => by.iter().copied().find(|by| by.refuses_with(&refusal)),
        Expectation::Gap(_) => None,
    };
    if !control_worked {
        // Without a control, only an answer that is seccomp's and not the kernel's own shows anything.
        let by_seccomp = held.filter(|by| {
            *by == By::Layer(crate::layer::Layer::Seccomp) && refusal != control.refusal()
        });
        return match by_seccomp {
            Some(by) => judgement(Verdict::Held, Some(by), refusal.to_string()),
            None => judgement(Verdict::NotTested, None, refusal.to_string()),
        };
    }
    match (held, expected) {
        (Some(by), _) => judgement(Verdict::Held, Some(by), refusal.to_string()),
        (None, Expectation::Gap(_)) => {
            judgement(Verdict::Wrong, None, format!("called a gap, but it is refused: {refusal}"))
        }
        (None, Expectation::Held(by)) => {
            let names: Vec<&str> = by.iter().map(|one| one.name()).collect();
            let told = format!("refused, but not by {}: {refusal}", names.join(" or "));
            judgement(Verdict::Wrong, None, told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::attempt::by;

    fn worked(seen: bool) -> Try {
        let outcome = Outcome::Worked { evidence: "connected".to_owned() };
        Try { outcome, seen, word_counts: false }
    }

    fn refused(errno: i32) -> Try {
        let outcome =
            Outcome::Refused { step: "connect".to_owned(), errno, detail: "no".to_owned() };
        Try { outcome, seen: false, word_counts: false }
    }

    const BY_NETWORK: Expectation = Expectation::Held(&[by::SECCOMP, by::NETWORK]);

    #[test]
    fn what_is_refused_inside_and_works_outside_is_held_by_the_layer_that_answers_so() {
        let judgement = judge(&refused(libc::ENETUNREACH), &worked(true), BY_NETWORK);
        assert_eq!((judgement.verdict, judgement.layer), (Verdict::Held, Some("network")));
        assert_eq!(judgement.told, "connect: ENETUNREACH");
        assert_eq!(judgement.control, "control: connected");
    }

    #[test]
    fn what_works_only_inside_has_no_effect_and_what_is_seen_outside_is_open() {
        assert_eq!(judge(&worked(false), &worked(true), BY_NETWORK).verdict, Verdict::Held);
        assert_eq!(judge(&worked(true), &worked(true), BY_NETWORK).verdict, Verdict::Open);
        // The attempt's own word does not make an effect unseen.
        let denied_but_seen = Try { seen: true, ..refused(libc::EPERM) };
        assert_eq!(judge(&denied_but_seen, &worked(true), BY_NETWORK).verdict, Verdict::Open);
    }

    #[test]
    fn without_a_control_only_seccomps_own_answer_counts() {
        let control = refused(libc::EPROTONOSUPPORT);
        assert_eq!(judge(&refused(libc::EPERM), &control, BY_NETWORK).verdict, Verdict::Held);
        let same = judge(&refused(libc::EPROTONOSUPPORT), &control, BY_NETWORK);
        assert_eq!(same.verdict, Verdict::NotTested);
        let unreachable = judge(&refused(libc::ENETUNREACH), &control, BY_NETWORK);
        assert_eq!(unreachable.verdict, Verdict::NotTested);
        assert_eq!(unreachable.control, "no control: connect: EPROTONOSUPPORT");
    }

    #[test]
    fn another_layer_than_the_tables_and_a_gap_that_holds_are_the_tables_fault() {
        let other = judge(&refused(libc::EINVAL), &worked(true), BY_NETWORK);
        assert_eq!(other.verdict, Verdict::Wrong);
        let gap = Expectation::Gap("no namespaces");
        assert_eq!(judge(&refused(libc::EPERM), &worked(true), gap).verdict, Verdict::Wrong);
        assert_eq!(judge(&worked(true), &worked(true), gap).verdict, Verdict::Gap);
    }
}
