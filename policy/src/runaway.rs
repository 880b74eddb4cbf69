//! The breaker for callers: agents that repeat themselves, spend too fast, or nest too deep. A pure
//! state machine over (state, event, now), one state for each agent.
//!
//! Only calls that were **answered** count as repetitions. What failed is rightly sent again, by
//! SDKs and by agents, and what is refused here never counts towards the next refusal.
//!
//! Not here: budgets. What an agent may spend at all is in [`crate::budget`].

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use crate::json::{Event, JsonError, Reader};
use crate::types::NanoUsd;

/// `[runaway]`: when an agent is held for one that ran away.
///
/// Repetitions and the rate of spending are not watched by default: sampling, evaluation and load
/// tests send the same call on purpose, and nobody but the operator knows what is dear. The bound
/// on depth is on: honest agents that start agents do so a few levels deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runaway {
    /// So often the same call is answered within the window; the next one is refused.
    pub repeats: Option<NonZeroU32>,
    /// How long an answered call counts.
    #[serde(deserialize_with = "crate::config::duration")]
    pub window: Duration,
    /// What may be spent, or be held for open calls, within a minute.
    #[serde(deserialize_with = "some_amount")]
    pub spend_per_minute: Option<NanoUsd>,
    /// How many agents may stand above one that calls.
    pub max_depth: u8,
}

impl Default for Runaway {
    fn default() -> Self {
        Self { repeats: None, window: Duration::from_mins(5), spend_per_minute: None, max_depth: 8 }
    }
}

fn some_amount<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<NanoUsd>, D::Error> {
    crate::config::amount(from).map(Some)
}

/// The most repetitions that can be asked for, and so the most answered calls that are remembered
/// of an agent for each that can count.
pub const MOST_REPEATS: u32 = 100;
/// Answered calls that are remembered of an agent.
const MOST_ANSWERED: usize = 512;
/// The span of the spending rate, in milliseconds.
const MINUTE: u64 = 60_000;

/// Why an agent is held for one that ran away. `Display` is what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Caught {
    /// It sends the same again and again.
    #[error(
        "this call was answered {times} times within {window:?}, which looks like a loop: change the call, wait {wait:?}, or raise runaway.repeats in iron.toml"
    )]
    Loop {
        /// How often it was answered.
        times: u32,
        /// Within which time.
        window: Duration,
        /// When it may be sent again.
        wait: Duration,
    },
    /// It spends too fast.
    #[error(
        "this agent may spend {limit} a minute, {taken} of it is spent or held, and this call may cost up to {amount}: wait, lower max_tokens, or raise runaway.spend_per_minute in iron.toml"
    )]
    Spending {
        /// What may be spent in a minute.
        limit: NanoUsd,
        /// What is.
        taken: NanoUsd,
        /// What the call may cost.
        amount: NanoUsd,
        /// When it fits; none where it never does.
        wait: Option<Duration>,
    },
    /// It was started by an agent that was started by an agent, and so on.
    #[error(
        "{depth} agents stand above this one and {limit} may: end the recursion, or raise runaway.max_depth in iron.toml"
    )]
    Depth {
        /// How many stand above it.
        depth: u8,
        /// How many may.
        limit: u8,
    },
}

/// What is known of one agent. Times are milliseconds of one monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Marks of answered calls, oldest first.
    answered: VecDeque<(u64, u64)>,
    /// What was charged, by the second, oldest first: at most one entry a second.
    spent: VecDeque<(u64, NanoUsd)>,
    /// What is held for open calls.
    held: NanoUsd,
}

impl Runaway {
    /// Whether an agent at this depth may call.
    pub const fn check_depth(&self, depth: u8) -> Result<(), Caught> {
        if depth > self.max_depth {
            return Err(Caught::Depth { depth, limit: self.max_depth });
        }
        Ok(())
    }
}

impl Caller {
    /// Whether the call of this mark may be sent once more.
    pub fn check_repeat(&self, of: &Runaway, mark: u64, now: u64) -> Result<(), Caught> {
        let Some(most) = of.repeats else { return Ok(()) };
        let window = millis(of.window);
        let mut same =
            self.answered.iter().filter(|(known, at)| *known == mark && at + window > now);
        let times = same.clone().count() as u32;
        if times < most.get() {
            return Ok(());
        }
        // It may go again once fewer than so many are left in the window.
        let leaves = same.nth((times - most.get()) as usize).map_or(now, |(_, at)| at + window);
        let wait = Duration::from_millis(leaves.saturating_sub(now).max(1));
        Err(Caught::Loop { times, window: of.window, wait })
    }

    /// A call of this mark was answered.
    pub fn answered(&mut self, of: &Runaway, mark: u64, now: u64) {
        let window = millis(of.window);
        while self.answered.front().is_some_and(|(_, at)| at + window <= now) {
            self.answered.pop_front();
        }
        if self.answered.len() >= MOST_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back((mark, now));
    }

    /// Holds what a call may cost, where that fits into the minute.
    pub fn hold(&mut self, of: &Runaway, amount: NanoUsd, now: u64) -> Result<(), Caught> {
        if let Some(limit) = of.spend_per_minute {
            self.forget(now);
            let spent: NanoUsd = self.spent.iter().map(|(_, amount)| *amount).sum();
            let taken = spent + self.held;
            if taken + amount > limit {
                let wait = self.fits(limit, amount, taken, now);
                return Err(Caught::Spending { limit, taken, amount, wait });
            }
        }
        self.held = self.held + amount;
        Ok(())
    }

    /// A call ended for which this much was held, and was charged this much.
    pub fn settle(&mut self, held: NanoUsd, posted: NanoUsd, now: u64) {
        self.held = self.held.less(held);
        self.forget(now);
        if posted <= NanoUsd::ZERO {
            return;
        }
        match self.spent.back_mut() {
            Some((at, amount)) if *at / 1000 == now / 1000 => *amount = *amount + posted,
            _ => self.spent.push_back((now, posted)),
        }
    }

    /// The same agent without what it was answered and charged; what is held stays held.
    #[must_use]
    pub fn without_past(&self) -> Self {
        Self { held: self.held, ..Self::default() }
    }

    /// Whether something is held for calls that are open.
    pub fn has_open_calls(&self) -> bool {
        self.held > NanoUsd::ZERO
    }

    /// Whether nothing is known that still counts.
    pub fn is_idle(&self, of: &Runaway, now: u64) -> bool {
        let newest = |at: u64, span: u64| at + span <= now;
        self.held <= NanoUsd::ZERO
            && self.spent.back().is_none_or(|(at, _)| newest(*at, MINUTE))
            && self.answered.back().is_none_or(|(_, at)| newest(*at, millis(of.window)))
    }

    fn forget(&mut self, now: u64) {
        while self.spent.front().is_some_and(|(at, _)| at + MINUTE <= now) {
            self.spent.pop_front();
        }
    }

    /// When a call fits, if nothing more is spent; none where it never does.
    fn fits(&self, limit: NanoUsd, amount: NanoUsd, taken: NanoUsd, now: u64) -> Option<Duration> {
        if amount > limit {
            return None;
        }
        let mut taken = taken;
        for (at, spent) in &self.spent {
            taken = taken.less(*spent);
            if taken + amount <= limit {
                return Some(Duration::from_millis((at + MINUTE).saturating_sub(now).max(1)));
            }
        }
        // Open calls are in the way: nobody knows when they end.
        Some(Duration::from_secs(1))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Members at the top of a body that say nothing to the model: a call that differs in them alone
/// is the same call. The last two are those of messages on a WebSocket.
const SILENT: [&str; 12] = [
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "store",
    "stream",
    "stream_options",
    "service_tier",
    "labels",
    "seed",
    "type",
    "stream_id",
];

/// What a call is known again by: a keyed hash of what it asks, without what only accompanies it.
pub fn mark(key: &[u8; 32], operation: &str, model: &str, body: &[u8]) -> Result<u64, JsonError> {
    let mut hash = blake3::Hasher::new_keyed(key);
    for name in [operation, model] {
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
    }
    let mut reader = Reader::new(body)?;
    if !matches!(reader.next()?, Some(Event::BeginObject)) {
        hash.update(body);
        return Ok(short(&hash));
    }
    while let Some(Event::Key(key)) = reader.next()? {
        let value = reader.skip()?;
        if !SILENT.iter().any(|silent| key.is(silent)) {
            hash.update(&(key.raw().len() as u64).to_le_bytes());
            hash.update(key.raw().as_bytes());
            hash.update(&(value.len() as u64).to_le_bytes());
            hash.update(&body[value]);
        }
    }
    Ok(short(&hash))
}

fn short(hash: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    hash.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repeats(most: u32) -> Runaway {
        Runaway { repeats: NonZeroU32::new(most), ..Runaway::default() }
    }

    #[test]
    fn the_call_after_the_last_repetition_is_a_loop_until_the_window_has_passed() {
        let (of, mut caller) = (repeats(3), Caller::default());
        for now in [0, 1_000, 2_000] {
            caller.check_repeat(&of, 7, now).unwrap();
            caller.answered(&of, 7, now);
            caller.answered(&of, 8 + now, now);
        }
        let caught = caller.check_repeat(&of, 7, 60_000).unwrap_err();
        let wait = Duration::from_mins(4);
        assert_eq!(caught, Caught::Loop { times: 3, window: of.window, wait });
        caller.check_repeat(&of, 9, 60_000).unwrap();
        caller.check_repeat(&of, 7, 300_000).unwrap();
        assert!(!caller.is_idle(&of, 300_000) && caller.is_idle(&of, 302_000));
    }

    #[test]
    fn by_default_an_agent_may_repeat_itself_and_nest_a_little() {
        let (of, mut caller) = (Runaway::default(), Caller::default());
        for now in 0..2_000 {
            caller.check_repeat(&of, 7, now).unwrap();
            caller.answered(&of, 7, now);
            caller.hold(&of, NanoUsd::usd(1_000), now).unwrap();
        }
        assert!(caller.answered.len() <= MOST_ANSWERED);
        of.check_depth(8).unwrap();
        assert_eq!(of.check_depth(9), Err(Caught::Depth { depth: 9, limit: 8 }));
    }

    #[test]
    fn spending_is_told_when_it_fits_again_or_that_it_never_does() {
        let of = Runaway { spend_per_minute: Some(NanoUsd(100)), ..Runaway::default() };
        let mut caller = Caller::default();
        caller.hold(&of, NanoUsd(60), 0).unwrap();
        let open = caller.hold(&of, NanoUsd(60), 1).unwrap_err();
        let wait_of = |caught| match caught {
            Caught::Spending { wait, .. } => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait_of(open), Some(Duration::from_secs(1)));
        caller.settle(NanoUsd(60), NanoUsd(50), 10_000);
        caller.hold(&of, NanoUsd(50), 10_001).unwrap();
        caller.settle(NanoUsd(50), NanoUsd(50), 20_000);
        let spent = caller.hold(&of, NanoUsd(60), 20_000).unwrap_err();
        assert_eq!(wait_of(spent), Some(Duration::from_mins(1)));
        let spent = caller.hold(&of, NanoUsd(50), 20_000).unwrap_err();
        assert_eq!(wait_of(spent), Some(Duration::from_secs(50)));
        let never = caller.hold(&of, NanoUsd(101), 20_000).unwrap_err();
        assert_eq!(wait_of(never), None);
        caller.hold(&of, NanoUsd(50), 70_000).unwrap();
    }

    #[test]
    fn the_same_question_is_the_same_call_whatever_accompanies_it() {
        let of = |body: &str| mark(&[7; 32], "chat", "m", body.as_bytes()).unwrap();
        let base = of(r#"{"model":"m","messages":[{"content":"a"}]}"#);
        assert_eq!(base, of(r#"{"model":"m","messages":[{"content":"a"}],"metadata":{"n":1}}"#));
        assert_eq!(
            base,
            of(r#"{"stream":true,"model":"m","messages":[{"content":"a"}],"user":"u"}"#)
        );
        for other in [
            r#"{"model":"m","messages":[{"content":"b"}]}"#,
            r#"{"model":"m","messages":[{"content":"a"}],"previous_response_id":"r"}"#,
            r#"{"model":"m","messages":[{"content":"a"}],"tools":[]}"#,
        ] {
            assert_ne!(base, of(other), "{other}");
        }
        assert_ne!(
            base,
            mark(&[8; 32], "chat", "m", br#"{"model":"m","messages":[{"content":"a"}]}"#).unwrap()
        );
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_the_limit(
            calls in prop::collection::vec((0_u64..20_000, 1_i64..60, 0_i64..60, 0_usize..3), 1..80),
        ) {
            let of = Runaway { spend_per_minute: Some(NanoUsd(100)), ..Runaway::default() };
            let mut caller = Caller::default();
            let (mut now, mut open, mut charged) = (0, Vec::new(), Vec::<(u64, i64)>::new());
            for (pause, amount, cost, ends) in calls {
                now += pause;
                for _ in 0..ends {
                    let Some((held, cost)) = open.pop() else { break };
                    let cost: i64 = i64::min(cost, held);
                    caller.settle(NanoUsd(held), NanoUsd(cost), now);
                    charged.push((now, cost));
                }
                if caller.hold(&of, NanoUsd(amount), now).is_ok() {
                    open.push((amount, cost));
                }
                // Seconds are counted together, by their first: never longer than they should.
                let spent: i64 = charged.iter().filter(|(at, _)| at + MINUTE - 1_000 > now).map(|(_, c)| c).sum();
                let held: i64 = open.iter().map(|(held, _)| held).sum();
                prop_assert!(spent + held <= 100, "{spent} {held}");
            }
        }
    }
}
