//! What another policy would have done with calls that were recorded: refused, redacted, cost.
//!
//! Records hold names, counts and money, never a text. What can be said of them is said: allowed
//! upstreams and routes, budgets by adding up again in time order, kinds that were found. What cannot
//! be said is counted apart or named in [`Report::unknown`]: what a call that was refused then would
//! have cost, what a kind would have found that nobody looked for, how limits of calls a minute and
//! the watch over runaway agents would have gone. Calls are taken one after another: what ran at the
//! same time held its reservations at the same time, so that a tight budget refuses more than is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::{AccountKey, Subject};
use crate::config::{Policy, Upstream};
use crate::control::CallRecord;
use crate::price::{ModelPrice, PriceError, PriceList, ServiceTier};
use crate::redact::{Kind, Mode};
use crate::types::{CLASSES, CallId, NanoUsd, Outcome, Usage};

/// What begins the kind of a finding in an answer.
const ANSWER: &str = "answer/";
/// Accounts that are added up at most: names come from callers.
const MOST_ACCOUNTS: usize = 100_000;

/// Calls, and what they had cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Share {
    /// How many calls.
    pub calls: u64,
    /// What they were charged, in nano-USD.
    pub posted: i64,
}

impl Share {
    fn add(&mut self, posted: i64) {
        self.calls += 1;
        self.posted = self.posted.saturating_add(posted);
    }
}

/// Findings of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplayFound))]
pub struct Found {
    /// In how many calls.
    pub calls: u64,
    /// How often.
    pub found: u64,
}

/// What the policy would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Replay))]
pub struct Report {
    /// Calls that were replayed.
    pub calls: u64,
    /// What they were charged, in nano-USD.
    pub posted: i64,
    /// What they would have been charged, in nano-USD.
    pub would_post: i64,
    /// Calls whose charge differs because prices do.
    pub repriced: u64,
    /// Calls that would have been refused, by why.
    pub refused: BTreeMap<String, Share>,
    /// Calls that would have been shortened to what a budget had left, by the budget.
    pub shortened: BTreeMap<String, Share>,
    /// Calls that would have gone elsewhere: `openai -> azure`.
    pub rerouted: BTreeMap<String, Share>,
    /// Findings that would have been replaced, by kind.
    pub redacted: BTreeMap<String, Found>,
    /// Findings that would have been reported and left as they are, by kind.
    pub detected: BTreeMap<String, Found>,
    /// Findings that were made then, of kinds that would not be looked for.
    pub not_looked_for: BTreeMap<String, Found>,
    /// Calls that were refused then and would not be for what is recorded. What they would have cost
    /// is not known, and is in no sum.
    pub let_through: u64,
    /// Calls that were refused then and would be again.
    pub refused_again: u64,
    /// What the records cannot say, in words.
    pub unknown: Vec<String>,
}

/// Replays calls, oldest first.
#[derive(Debug)]
pub struct Replay<'a> {
    policy: &'a Policy,
    prices: PriceList,
    before: Option<(&'a Policy, PriceList)>,
    since_ms: i64,
    /// What the policy can look for.
    kinds: Vec<Kind>,
    accounts: HashMap<AccountKey, i64>,
    report: Report,
}

impl<'a> Replay<'a> {
    /// With this policy, and the one that was in force where that is known. Calls before `since_ms`
    /// are added to budgets, and are not in the report: see [`Replay::begin_ms`].
    pub fn new(
        policy: &'a Policy,
        before: Option<&'a Policy>,
        since_ms: i64,
    ) -> Result<Self, PriceError> {
        let prices = |policy: &Policy| PriceList::builtin().with_overrides(policy.prices.clone());
        Ok(Self {
            prices: prices(policy)?,
            before: before.map(|policy| prices(policy).map(|list| (policy, list))).transpose()?,
            policy,
            since_ms,
            kinds: policy.redact.kinds(),
            accounts: HashMap::new(),
            report: Report::default(),
        })
    }

    /// From when on calls are needed, in Unix milliseconds: the oldest window of a budget that is open
    /// when the replay begins.
    pub fn begin_ms(&self) -> i64 {
        let zone = &self.policy.time_zone;
        let starts = self.policy.budgets.iter().map(|b| b.window.start(self.since_ms, zone));
        starts.min().unwrap_or(self.since_ms).min(self.since_ms)
    }

    /// Takes the next call.
    pub fn take(&mut self, call: &CallRecord) {
        let at = CallId(call.id).unix_ms();
        if at < self.since_ms {
            self.post(call, at, call.posted);
            return;
        }
        self.report.calls += 1;
        self.report.posted = self.report.posted.saturating_add(call.posted);
        let was_refused = call.outcome == Outcome::Refused.name();
        let mut why = self.findings(call);
        let mut cost = call.posted;
        match self.upstream(call) {
            Ok(Some(upstream)) => cost = self.cost(call, &upstream),
            Ok(None) => {}
            Err(reason) => why = why.or(Some(reason)),
        }
        if was_refused {
            match why {
                Some(_) => self.report.refused_again += 1,
                None => self.report.let_through += 1,
            }
            return;
        }
        if why.is_none() {
            why = self.over_budget(call, at, cost);
        }
        if let Some(why) = why {
            self.report.refused.entry(why).or_default().add(call.posted);
            return;
        }
        if cost != call.posted {
            self.report.repriced += 1;
        }
        self.report.would_post = self.report.would_post.saturating_add(cost);
        self.post(call, at, cost);
    }

    /// What came of all of them.
    pub fn report(mut self) -> Report {
        self.report.unknown = self.unknown();
        self.report
    }

    /// Counts findings by what would be done about them; the kind that would have had the call refused.
    fn findings(&mut self, call: &CallRecord) -> Option<String> {
        let mut blocked = None;
        for finding in &call.findings {
            let (kind, modes) = match finding.kind.strip_prefix(ANSWER) {
                Some(kind) => (kind, &self.policy.redact.answers),
                None => (finding.kind.as_str(), &self.policy.redact.modes),
            };
            // An operator's kind that the policy does not have is looked for by nobody.
            let known = kind.parse::<Kind>().ok().filter(|kind| self.kinds.contains(kind));
            let mode = known.map_or(Mode::Off, |kind| modes.of(kind));
            let to = match mode {
                Mode::Off => &mut self.report.not_looked_for,
                Mode::Detect => &mut self.report.detected,
                Mode::Mask | Mode::Reversible => &mut self.report.redacted,
                Mode::Block => {
                    blocked.get_or_insert_with(|| format!("finding: {}", finding.kind));
                    continue;
                }
            };
            let found = to.entry(finding.kind.clone()).or_default();
            found.calls += 1;
            found.found += u64::from(finding.count);
        }
        blocked
    }

    /// Where it would have gone; none where it went nowhere then. An error is why it would be refused.
    fn upstream(&mut self, call: &CallRecord) -> Result<Option<Arc<Upstream>>, String> {
        let Some(name) = &call.upstream else { return Ok(None) };
        let route = self.policy.routes.iter().find(|route| route.model.matches(&call.model));
        let goes_to = route.map_or(name.as_str(), |route| route.upstream.as_str());
        let Some(upstream) = self.policy.upstream(goes_to).cloned() else {
            return Err(format!("upstream: {goes_to} is not in the policy"));
        };
        if goes_to != name && call.outcome != Outcome::Refused.name() {
            let way = format!("{name} -> {goes_to}");
            self.report.rerouted.entry(way).or_default().add(call.posted);
        }
        Ok(Some(upstream))
    }

    /// What it would have cost. What was charged is scaled by what prices differ by, so that discounts
    /// and tiers stay what they were.
    fn cost(&self, call: &CallRecord, upstream: &Upstream) -> i64 {
        let usage = usage(call);
        let new = price(&self.prices, upstream, &call.model);
        let (Some(new), false) = (new, usage == Usage::default()) else { return call.posted };
        let new = new.cost(&usage, ServiceTier::Standard).total().0;
        let builtin = PriceList::builtin();
        let (list, policy) = match &self.before {
            Some((policy, list)) => (list, *policy),
            None => (&builtin, self.policy),
        };
        let then = call.upstream.as_deref().and_then(|name| policy.upstream(name));
        let old = then.and_then(|upstream| price(list, upstream, &call.model));
        match old.map(|price| price.cost(&usage, ServiceTier::Standard).total().0) {
            Some(old) if old == new => call.posted,
            Some(old) if old > 0 => {
                let scaled = i128::from(call.posted) * i128::from(new) / i128::from(old);
                i64::try_from(scaled).unwrap_or(i64::MAX)
            }
            _ => new,
        }
    }

    /// The budget that would not have had enough left for it.
    fn over_budget(&mut self, call: &CallRecord, at: i64, cost: i64) -> Option<String> {
        let need = call.reserved.max(cost).max(0);
        let holds = self.holds(call, at);
        let short = holds.iter().find(|(key, limit, _)| {
            let spent = self.accounts.get(key).copied().unwrap_or(0);
            spent.saturating_add(need) > limit.0
        });
        let (key, limit, clamp) = short?;
        let name = format!("{} a {} of {limit}", key.scope, key.window.name());
        let spent = self.accounts.get(key).copied().unwrap_or(0);
        // A shorter answer still fits where what it really cost does.
        if *clamp && spent.saturating_add(cost) <= limit.0 {
            self.report.shortened.entry(name).or_default().add(call.posted);
            return None;
        }
        Some(format!("budget: {name}"))
    }

    fn holds(&self, call: &CallRecord, at: i64) -> Vec<(AccountKey, NanoUsd, bool)> {
        let subject = Subject {
            agent: call.agent.as_deref().unwrap_or("default"),
            project: call.project.as_deref(),
            token: call.token.as_deref(),
            run: call.run.as_deref(),
            model: &call.model,
        };
        let budgets = self.policy.budgets.iter();
        budgets
            .filter_map(|budget| {
                let hold = budget.hold(&subject, at, &self.policy.time_zone)?;
                let clamp = hold.clamp || self.policy.reserve.clamp;
                Some((hold.account, hold.limit, clamp))
            })
            .collect()
    }

    fn post(&mut self, call: &CallRecord, at: i64, cost: i64) {
        for (key, _, _) in self.holds(call, at) {
            if self.accounts.len() < MOST_ACCOUNTS || self.accounts.contains_key(&key) {
                let sum = self.accounts.entry(key).or_default();
                *sum = sum.saturating_add(cost);
            }
        }
    }

    fn unknown(&self) -> Vec<String> {
        let mut unknown = Vec::new();
        if self.report.let_through > 0 {
            unknown.push(format!(
                "{} calls were refused then and would pass: what they would have cost is not recorded",
                self.report.let_through
            ));
        }
        let modes = &self.policy.redact.modes;
        let looked_for = self.kinds.iter().filter(|kind| modes.of(**kind) != Mode::Off);
        let added: BTreeSet<String> = match &self.before {
            Some((before, _)) => looked_for
                .filter(|kind| {
                    before.redact.modes.of(**kind) == Mode::Off
                        || !before.redact.kinds().contains(kind)
                })
                .map(ToString::to_string)
                .collect(),
            None => BTreeSet::new(),
        };
        if !added.is_empty() {
            let kinds: Vec<_> = added.into_iter().collect();
            unknown.push(format!(
                "nobody looked for {} then, and no texts are kept: how often they stood there is not known",
                kinds.join(", ")
            ));
        }
        if self.before.is_none() {
            unknown.push(
                "which kinds were looked for then is not known: a kind without findings may be one of \
                 them"
                    .to_owned(),
            );
        }
        if !self.policy.budgets.is_empty() {
            unknown.push(
                "calls are taken one after another: a tight budget refuses more where they run at once, \
                 and an agent that is refused may do something else"
                    .to_owned(),
            );
        }
        unknown.push(
            "limits of calls and tokens a minute, breakers and the watch over runaway agents are not \
             replayed"
                .to_owned(),
        );
        unknown
    }
}

fn price(list: &PriceList, upstream: &Upstream, model: &str) -> Option<Arc<ModelPrice>> {
    let (name, model) = (upstream.name.as_str(), upstream.model(model));
    match (upstream.vendor.as_deref(), upstream.platform) {
        (None, Some(platform)) => list.find_on(platform, name, model),
        (vendor, _) => list.find(Some(vendor.unwrap_or(name)), model),
    }
}

fn usage(call: &CallRecord) -> Usage {
    let mut usage = Usage::default();
    for class in CLASSES {
        if let Some(units) = call.usage.get(class.name()) {
            usage.set(class, *units);
        }
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::FindingCount;

    const NOW: i64 = 1_790_000_000_000;
    const CENT: i64 = 10_000_000;

    /// A call so many minutes after [`NOW`] that cost so many cents.
    fn call(minute: i64, agent: &str, cents: i64) -> CallRecord {
        CallRecord {
            id: CallId::first_at(NOW + minute * 60_000).0,
            agent: Some(agent.to_owned()),
            model: "gpt-4o-mini".to_owned(),
            upstream: Some("openai".to_owned()),
            endpoint: "chat".to_owned(),
            outcome: "ok".to_owned(),
            reserved: cents * CENT,
            posted: cents * CENT,
            ..CallRecord::default()
        }
    }

    fn found(kind: &str, count: u32) -> FindingCount {
        FindingCount { kind: kind.to_owned(), count }
    }

    fn replay(policy: &str, calls: &[CallRecord]) -> Report {
        let (policy, before) = (Policy::parse(policy).unwrap(), Policy::parse("").unwrap());
        let mut replay = Replay::new(&policy, Some(&before), NOW).unwrap();
        for call in calls {
            replay.take(call);
        }
        replay.report()
    }

    #[test]
    fn budgets_are_added_up_again_in_time_order() {
        let policy = "[[budget]]\nscope = \"agent:*\"\nwindow = \"day\"\nlimit = \"50 cents\"\n";
        let calls: Vec<_> = (0..10)
            .map(|minute| call(minute, if minute % 2 == 0 { "a" } else { "b" }, 20))
            .collect();
        let report = replay(policy, &calls);
        assert_eq!((report.calls, report.posted), (10, 200 * CENT));
        // Two of each agent fit, and a refused one spends nothing.
        assert_eq!(report.would_post, 80 * CENT);
        let refused: Vec<_> =
            report.refused.iter().map(|(why, share)| (&**why, share.calls)).collect();
        assert_eq!(
            refused,
            [("budget: agent:a a day of $0.50", 3), ("budget: agent:b a day of $0.50", 3)]
        );
    }

    #[test]
    fn what_was_spent_earlier_in_the_window_counts_and_is_not_reported() {
        let policy = Policy::parse(
            "[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"50 cents\"\n",
        )
        .unwrap();
        let mut replay = Replay::new(&policy, None, NOW).unwrap();
        assert_eq!(replay.begin_ms(), 0);
        replay.take(&call(-5, "a", 40));
        replay.take(&call(5, "a", 20));
        let report = replay.report();
        assert_eq!((report.calls, report.posted, report.would_post), (1, 20 * CENT, 0));
        assert_eq!(report.refused.values().next().unwrap().calls, 1);
        assert!(report.unknown.iter().any(|words| words.contains("which kinds")));
    }

    #[test]
    fn kinds_decide_by_their_new_mode_and_new_kinds_are_named_as_unknown() {
        let policy = "[redact]\nmode = \"reversible\"\n[redact.kinds]\nEMAIL = \"block\"\nIBAN = \"detect\"\nDATE = \"mask\"\n";
        let with = |kinds: &[(&str, u32)]| CallRecord {
            findings: kinds.iter().map(|(kind, count)| found(kind, *count)).collect(),
            ..call(1, "a", 10)
        };
        let report = replay(
            policy,
            &[
                with(&[("EMAIL", 2)]),
                with(&[("IBAN", 1), ("PHONE", 3)]),
                with(&[("PHONE", 1)]),
                with(&[("NO_SUCH_KIND", 1)]),
            ],
        );
        assert_eq!(report.refused["finding: EMAIL"], Share { calls: 1, posted: 10 * CENT });
        assert_eq!(report.detected["IBAN"], Found { calls: 1, found: 1 });
        assert_eq!(report.redacted["PHONE"], Found { calls: 2, found: 4 });
        assert_eq!(report.not_looked_for["NO_SUCH_KIND"].calls, 1);
        assert_eq!(report.would_post, 30 * CENT);
        assert!(report.unknown[0].contains("nobody looked for DATE then"), "{:?}", report.unknown);
    }

    #[test]
    fn routes_upstreams_and_prices_are_the_new_ones() {
        let upstream = "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"https://a.example\"\n\
                        [[upstream]]\nname = \"cheap\"\ndialect = \"openai\"\nbase_url = \"https://b.example\"\n\
                        [[route]]\nmodel = \"gpt-4o*\"\nupstream = \"cheap\"\n\
                        [[price]]\nupstream = \"cheap\"\nmodel = \"gpt-4o-mini\"\ninput = \"1 USD\"\noutput = \"1 USD\"\n";
        let mut routed = call(1, "a", 30);
        routed.usage = [("input".to_owned(), 1_000_000)].into();
        let mut gone = call(2, "a", 5);
        (gone.upstream, gone.model) = (Some("elsewhere".to_owned()), "other".to_owned());
        let report = replay(upstream, &[routed, gone]);
        assert_eq!(report.rerouted["openai -> cheap"].calls, 1);
        assert_eq!(report.refused["upstream: elsewhere is not in the policy"].calls, 1);
        // gpt-4o-mini's list price of input is 15 cents a million: at a dollar it is scaled up.
        assert_eq!((report.repriced, report.would_post), (1, 200 * CENT));
    }

    #[test]
    fn what_was_refused_then_has_no_cost_now() {
        let mut refused = call(1, "a", 0);
        refused.outcome = "refused".to_owned();
        let report = replay("", &[refused]);
        assert_eq!((report.let_through, report.would_post), (1, 0));
        assert!(report.unknown[0].contains("1 calls were refused then"));
    }
}
