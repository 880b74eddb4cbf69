//! When a call that failed is tried again, and where: a pure decision over (what was tried, how it
//! failed, the time).
//!
//! Only failures before the first byte of an answer come here: what a client has seen a part of
//! is never begun anew. First the same upstream is asked again, as often as the policy says; then
//! each fallback once, in the order of the file.
//!
//! Not here: what an attempt costs. Each has a reservation of its own.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;

use crate::budget::Glob;
use crate::config::duration;
use crate::types::Name;

/// `[retry]`: when the same upstream is asked again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts at the first choice beyond the first one. None: the official SDKs retry twice
    /// themselves, and both together would be nine calls for one.
    pub attempts: u32,
    /// Failures without an answer that are worth another attempt.
    pub causes: Vec<Unanswered>,
    /// Statuses that are.
    pub statuses: Vec<u16>,
    /// The wait before the first retry; doubles with each. Up to half of it is left to chance.
    #[serde(deserialize_with = "duration")]
    pub backoff: Duration,
    /// The longest of these waits.
    #[serde(deserialize_with = "duration")]
    pub backoff_max: Duration,
    /// The longest wait that an upstream can ask for. Where it asks for more, its answer is
    /// passed on: the caller may have the time.
    #[serde(deserialize_with = "duration")]
    pub retry_after_max: Duration,
    /// No attempt begins later than this after the first one.
    #[serde(deserialize_with = "duration")]
    pub total: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 0,
            causes: vec![Unanswered::Connect, Unanswered::Timeout, Unanswered::Reset],
            // What the official SDKs retry.
            statuses: vec![408, 409, 429, 500, 502, 503, 504, 529],
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(8),
            retry_after_max: Duration::from_secs(20),
            total: Duration::from_mins(1),
        }
    }
}

/// How a call gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unanswered {
    /// No connection, or none that can be trusted: nothing was sent.
    Connect,
    /// Connecting, or the head of the answer, took too long.
    Timeout,
    /// The connection broke before the head: the provider may have done the work.
    Reset,
}

/// `[[fallback]]`: where calls for a model go when its upstream cannot answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// A glob over the names that callers ask for.
    pub model: Glob,
    /// Where to, in order.
    pub to: Vec<Target>,
    /// Whether a budget that cannot cover the call leads there too.
    pub on_budget: bool,
}

/// Another upstream of the same dialect, another model, or both.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The upstream; the same where absent.
    pub upstream: Option<Name>,
    /// The model; the same where absent.
    pub model: Option<String>,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No answer.
    Unanswered(Unanswered),
    /// An answer with this status.
    Status(u16),
    /// The upstream is not called for now.
    CircuitOpen,
    /// A budget cannot cover it.
    Budget,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// How long the upstream asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The upstream says that trying again is pointless (`x-should-retry: false`).
    pub pointless: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: this failure is the answer.
    Stop,
    /// The same again, after this time.
    Again(Duration),
    /// The fallback of this place in [`Fallback::to`].
    Elsewhere(usize),
}

/// What is left to try for one call.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    retry: &'a Retry,
    fallback: Option<&'a Fallback>,
    done: Done,
}

/// What was tried of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    retries: u32,
    fallbacks: usize,
}

impl Retry {
    /// Whether a failure of this kind is worth another attempt.
    fn covers(&self, cause: Cause) -> bool {
        match cause {
            Cause::Unanswered(how) => self.causes.contains(&how),
            Cause::Status(status) => self.statuses.contains(&status),
            Cause::CircuitOpen | Cause::Budget => false,
        }
    }

    /// The wait before a retry: from half of the doubled backoff up to all of it.
    fn wait(&self, retries: u32, random: u64) -> Duration {
        let doubled = self.backoff.saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
        let most = doubled.min(self.backoff_max);
        let half = most / 2;
        let span = most.saturating_sub(half).as_micros().max(1);
        half + Duration::from_micros((u128::from(random) % span) as u64)
    }
}

impl<'a> Plan<'a> {
    /// A plan of which this much is done.
    pub const fn new(retry: &'a Retry, fallback: Option<&'a Fallback>, done: Done) -> Self {
        Self { retry, fallback, done }
    }

    /// Whether it can ever lead to a second attempt.
    pub fn is_empty(&self) -> bool {
        self.retry.attempts == 0 && self.fallback.is_none_or(|fallback| fallback.to.is_empty())
    }

    /// What comes after a failure, `elapsed` after the first attempt began. `random` is any
    /// random number.
    pub fn after(&self, failure: &Failure, elapsed: Duration, random: u64) -> (Next, Done) {
        let mut done = self.done;
        let covered = self.retry.covers(failure.cause);
        if covered
            && !failure.pointless
            && done.fallbacks == 0
            && done.retries < self.retry.attempts
        {
            let asked = failure.retry_after.unwrap_or_default();
            let wait = self.retry.wait(done.retries, random).max(asked);
            let in_time = elapsed.checked_add(wait).is_some_and(|end| end <= self.retry.total);
            if asked <= self.retry.retry_after_max && in_time {
                done.retries += 1;
                return (Next::Again(wait), done);
            }
        }
        let Some(fallback) = self.fallback else { return (Next::Stop, done) };
        let leads_there = match failure.cause {
            Cause::CircuitOpen => true,
            Cause::Budget => fallback.on_budget,
            Cause::Unanswered(_) | Cause::Status(_) => covered,
        };
        if leads_there && done.fallbacks < fallback.to.len() && elapsed <= self.retry.total {
            done.fallbacks += 1;
            return (Next::Elsewhere(done.fallbacks - 1), done);
        }
        (Next::Stop, done)
    }
}

/// A wrong day of the week does not make the time another one.
const DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// How long an upstream asks to be left alone, by `retry-after-ms` and `retry-after` (seconds or a
/// date, RFC 9110 section 10.2.3). `now_ms` is the time in Unix milliseconds.
///
/// What is no time says nothing; what is more than can be counted is longer than anybody waits.
pub fn retry_after(millis: Option<&str>, seconds: Option<&str>, now_ms: i64) -> Option<Duration> {
    let number = |text: &str, unit: f64| {
        let value: f64 = text.trim().parse().ok()?;
        // Not a number, or a time that is over.
        let span = (value >= 0.0).then_some(value * unit)?;
        Some(Duration::try_from_secs_f64(span).unwrap_or(Duration::MAX))
    };
    let date = |text: &str| {
        let then = DATES.parse_timestamp(text.trim()).ok()?;
        u64::try_from(then.as_millisecond() - now_ms).ok().map(Duration::from_millis)
    };
    let by_millis = millis.and_then(|text| number(text, 0.001));
    by_millis.or_else(|| seconds.and_then(|text| number(text, 1.0).or_else(|| date(text))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(cause: Cause) -> Failure {
        Failure { cause, retry_after: None, pointless: false }
    }

    fn fallback(places: usize, on_budget: bool) -> Fallback {
        let to = Target { upstream: None, model: Some("m".to_owned()) };
        Fallback { model: Glob::new("*"), to: vec![to; places], on_budget }
    }

    fn next(retry: &Retry, fallback: Option<&Fallback>, failure: Failure) -> Next {
        Plan::new(retry, fallback, Done::default()).after(&failure, Duration::ZERO, 0).0
    }

    #[test]
    fn by_default_nothing_is_tried_again() {
        let retry = Retry::default();
        assert!(Plan::new(&retry, None, Done::default()).is_empty());
        assert_eq!(next(&retry, None, failed(Cause::Status(503))), Next::Stop);
    }

    #[test]
    fn first_the_same_then_each_fallback_once() {
        let retry = Retry { attempts: 2, ..Retry::default() };
        let fallback = fallback(2, false);
        let mut done = Done::default();
        let mut steps = Vec::new();
        loop {
            let plan = Plan::new(&retry, Some(&fallback), done);
            let (next, after) = plan.after(&failed(Cause::Status(529)), Duration::ZERO, 7);
            done = after;
            match next {
                Next::Again(_) => steps.push("again"),
                Next::Elsewhere(0) => steps.push("first"),
                Next::Elsewhere(_) => steps.push("second"),
                Next::Stop => break,
            }
        }
        assert_eq!(steps, ["again", "again", "first", "second"]);
    }

    #[test]
    fn what_no_retry_helps_leads_to_a_fallback_or_nowhere() {
        let retry = Retry { attempts: 5, ..Retry::default() };
        let (plain, frugal) = (fallback(1, false), fallback(1, true));
        for (cause, of_plain, of_frugal) in [
            (Cause::CircuitOpen, Next::Elsewhere(0), Next::Elsewhere(0)),
            (Cause::Budget, Next::Stop, Next::Elsewhere(0)),
            (Cause::Status(400), Next::Stop, Next::Stop),
            (Cause::Status(401), Next::Stop, Next::Stop),
        ] {
            assert_eq!(next(&retry, None, failed(cause)), Next::Stop, "{cause:?}");
            assert_eq!(next(&retry, Some(&plain), failed(cause)), of_plain, "{cause:?}");
            assert_eq!(next(&retry, Some(&frugal), failed(cause)), of_frugal, "{cause:?}");
        }
        let pointless = Failure { pointless: true, ..failed(Cause::Status(429)) };
        assert_eq!(next(&retry, None, pointless), Next::Stop);
        assert_eq!(next(&retry, Some(&plain), pointless), Next::Elsewhere(0));
    }

    #[test]
    fn an_upstream_that_asks_for_a_time_gets_it_or_is_not_asked_again() {
        let retry = Retry { attempts: 5, ..Retry::default() };
        let asking = |wait| Failure { retry_after: Some(wait), ..failed(Cause::Status(429)) };
        let asked = Duration::from_secs(15);
        assert_eq!(next(&retry, None, asking(asked)), Next::Again(asked));
        assert_eq!(next(&retry, None, asking(Duration::from_secs(21))), Next::Stop);
        assert_eq!(next(&retry, None, asking(Duration::MAX)), Next::Stop);
        let late = Plan::new(&retry, None, Done::default());
        let (next, _) = late.after(&asking(asked), Duration::from_secs(46), 0);
        assert_eq!(next, Next::Stop, "it would begin after the total");
    }

    #[test]
    fn the_time_is_read_in_every_form_and_nonsense_in_none() {
        let seconds = Duration::from_secs;
        for (millis, plain, wait) in [
            (Some("1500"), Some("7"), Some(Duration::from_millis(1500))),
            (None, Some("7"), Some(seconds(7))),
            (None, Some(" 0.25 "), Some(Duration::from_millis(250))),
            (Some("soon"), Some("7"), Some(seconds(7))),
            (None, Some("Thu, 01 Jan 1970 00:00:30 GMT"), Some(seconds(20))),
            (None, Some("Thu, 01 Jan 1970 00:00:05 GMT"), None),
            (None, Some("-1"), None),
            (None, Some("NaN"), None),
            (None, Some("soon"), None),
            (None, Some("99999999999999999999999999"), Some(Duration::MAX)),
            (Some("inf"), None, Some(Duration::MAX)),
            (None, None, None),
        ] {
            assert_eq!(retry_after(millis, plain, 10_000), wait, "{millis:?} {plain:?}");
        }
    }

    fn causes() -> impl Strategy<Value = Cause> {
        prop_oneof![
            Just(Cause::Unanswered(Unanswered::Connect)),
            Just(Cause::Unanswered(Unanswered::Reset)),
            (400_u16..600).prop_map(Cause::Status),
            Just(Cause::CircuitOpen),
            Just(Cause::Budget),
        ]
    }

    proptest! {
        #[test]
        fn no_plan_goes_on_for_ever(
            attempts in 0_u32..6,
            places in 0_usize..4,
            failures in prop::collection::vec(
                (causes(), prop::option::of(0_u64..60_000), any::<u64>()), 40),
        ) {
            let retry = Retry { attempts, ..Retry::default() };
            let fallback = fallback(places, true);
            let (mut done, mut elapsed, mut tried) = (Done::default(), Duration::ZERO, 1);
            for (cause, asked, random) in failures {
                let retry_after = asked.map(Duration::from_millis);
                let failure = Failure { cause, retry_after, pointless: false };
                let plan = Plan::new(&retry, Some(&fallback), done);
                let (next, after) = plan.after(&failure, elapsed, random);
                done = after;
                match next {
                    Next::Stop => break,
                    Next::Again(wait) => {
                        prop_assert!(wait >= retry_after.unwrap_or_default());
                        prop_assert!(wait <= retry.backoff_max.max(retry.retry_after_max));
                        elapsed += wait;
                    }
                    Next::Elsewhere(place) => prop_assert!(place < places),
                }
                tried += 1;
                prop_assert!(elapsed <= retry.total);
            }
            prop_assert!(tried <= 1 + attempts as usize + places);
        }
    }
}
