//! Usage over a range: totals, a series for each of the greatest names, and the period before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::grain::{Grain, MINUTE_MS, Segment, Step, Zone};
use super::query::{Answer, Filter, Group, Question, ask};
use super::sums::Sums;
use crate::events::Sight;
use crate::panel::Panel;
use crate::store::StoreError;

/// Steps of a series at most.
pub const STEPS: usize = 750;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// The question makes no sense.
    #[error("{0}")]
    Question(&'static str),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// What was charged, in nano-USD.
    #[default]
    Spend,
    /// Calls.
    Calls,
    /// Calls that were refused.
    Refused,
    /// Tokens read and written.
    Tokens,
    /// Calls that failed, or that an upstream answered with an error.
    Errors,
    #[serde(rename = "p95_first_byte")]
    /// Microseconds to the first byte that 95 of 100 calls stayed within.
    FirstByte,
    /// Findings.
    Findings,
}

impl Metric {
    /// What it is of these sums; none where there is nothing to measure.
    pub fn of(self, sums: &Sums) -> Option<i64> {
        Some(match self {
            Self::Spend => sums.posted(),
            Self::Calls => sums.calls(),
            Self::Refused => sums.refused(),
            Self::Tokens => sums.input_tokens().saturating_add(sums.output_tokens()),
            Self::Errors => sums.errors(),
            Self::FirstByte => return sums.p95_micros(),
            Self::Findings => sums.found(),
        })
    }
}

/// A range of time, cut to what sums are kept for.
#[derive(Debug, Clone)]
pub struct Range {
    /// The reporting time zone.
    pub zone: Zone,
    /// Its beginning, in Unix milliseconds.
    pub from: i64,
    /// Its end.
    pub to: i64,
    /// Until when there can be anything: now, where it ends later.
    pub until: i64,
    /// Since when sums by minute and by hour are kept.
    pub kept: [i64; 2],
}

impl Range {
    /// This range, widened to spans that sums are kept for.
    pub fn of(panel: &Panel, zone: Zone, from: i64, to: i64) -> Result<Self, NoReport> {
        if from >= to {
            return Err(NoReport::Question("`from` is not before `to`"));
        }
        let far = 100 * 366 * DAY_MS;
        let now = panel.clock.now_ms();
        if from < 0 || to > now.saturating_add(far) {
            return Err(NoReport::Question("the range is not one in which there can be calls"));
        }
        let minutes = i64::try_from(panel.settings.keep_minutes.as_millis()).unwrap_or(i64::MAX);
        // What is removed soon is not counted on.
        let kept = [
            now.saturating_sub(minutes).saturating_add(DAY_MS / 24),
            now.saturating_sub(minutes.saturating_mul(10)).saturating_add(DAY_MS),
        ];
        let (from, to) = zone.widen(from, to, kept);
        let until = (zone.widen(now, now + 1, kept).1).min(to).max(from);
        Ok(Self { zone, from, to, until, kept })
    }

    /// As long a time right before, as far as this one has come.
    pub fn before(&self) -> (i64, i64) {
        let length = self.to - self.from;
        let from = self.from - length;
        self.zone.widen(from, from + (self.until - self.from), self.kept)
    }

    /// The spans of all of it.
    pub fn segments(&self) -> Vec<Segment> {
        self.zone.cover(self.from, self.until, Grain::Day)
    }

    /// The steps to be shown: their starts.
    pub fn steps(&self, step: Step) -> Result<Vec<i64>, NoReport> {
        let kept = match step.grain() {
            Grain::Minute => self.kept[0],
            Grain::Hour => self.kept[1],
            Grain::Day => i64::MIN,
        };
        if self.from < kept {
            return Err(NoReport::Question(
                "sums of this rollup are not kept for so long: choose a coarser one, or a later `from`",
            ));
        }
        let many = "these are more than 750 steps: choose a coarser rollup, or a shorter range";
        self.zone.steps(self.from, self.to, step, STEPS).ok_or(NoReport::Question(many))
    }

    /// The step that makes a readable graph of it.
    pub fn usual_step(&self) -> Step {
        let (length, day) = (self.to - self.from, DAY_MS);
        let step = match length {
            _ if length <= 3 * 60 * MINUTE_MS => Step::Minute,
            _ if length <= 8 * day => Step::Hour,
            _ if length <= 190 * day => Step::Day,
            _ if length <= 3 * 366 * day => Step::Week,
            _ => Step::Month,
        };
        let fits = |step: &Step| self.steps(*step).is_ok();
        [step, Step::Hour, Step::Day, Step::Week].into_iter().find(fits).unwrap_or(Step::Month)
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// By which the greatest names are chosen.
    pub metric: Metric,
    /// By what.
    pub group: Group,
    /// Which calls.
    pub filter: Filter,
    /// By which steps.
    pub step: Step,
    /// How many names have a series of their own.
    pub top: usize,
    /// Whether with the period before.
    pub compare: bool,
}

/// Sums of one name, in all and by step.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The name; empty where calls have none.
    pub name: String,
    /// The sum.
    pub total: Sums,
    /// By step.
    pub steps: Vec<Sums>,
    /// The sum of the period before.
    pub before: Option<Sums>,
}

/// Usage over a range.
#[derive(Debug, Clone)]
pub struct Report {
    /// The starts of the steps.
    pub starts: Vec<i64>,
    /// All calls.
    pub all: Series,
    /// The greatest names, the greatest first.
    pub top: Vec<Series>,
    /// All others together; none where there are none.
    pub rest: Option<Series>,
}

/// Sums over a range by steps and names.
pub async fn report(
    connection: &mut AnyConnection,
    sight: &Sight,
    range: &Range,
    asked: &Asked,
) -> Result<Report, NoReport> {
    let of_findings = asked.group == Group::Kind;
    if of_findings && !asked.filter.fits_findings() {
        return Err(NoReport::Question(
            "findings are known by agent, project and upstream: leave the other filters out",
        ));
    }
    let starts = range.steps(asked.step)?;
    let question = Question {
        filter: &asked.filter,
        sight,
        of_findings,
        group: Group::All,
        only: &[],
        by_start: true,
        first_byte: true,
    };
    let spans = range.zone.cover(range.from, range.until, asked.step.grain());
    let mut all = named(&starts, &ask(connection, &question, &spans).await?);
    let mut all = all.remove("").unwrap_or_else(|| empty(&starts, ""));
    let names = Question { group: asked.group, by_start: false, ..question.clone() };
    let before = range.zone.cover(range.before().0, range.before().1, Grain::Day);
    if asked.compare {
        let question = Question { by_start: false, ..question.clone() };
        all.before = Some(whole(&ask(connection, &question, &before).await?));
    }
    let mut top = Vec::new();
    if asked.group != Group::All {
        // Of all names only what the greatest are chosen by.
        let first_byte = asked.metric == Metric::FirstByte;
        let choice = Question { first_byte, ..names.clone() };
        let totals = ask(connection, &choice, &range.segments()).await?;
        let mut totals: Vec<_> = totals.into_iter().map(|((_, name), sums)| (name, sums)).collect();
        totals.sort_by_key(|(_, sums)| std::cmp::Reverse(asked.metric.of(sums)));
        totals.truncate(asked.top);
        let only: Vec<String> = totals.into_iter().map(|(name, _)| name).collect();
        if !only.is_empty() {
            let question = Question { only: &only, by_start: true, ..names.clone() };
            let mut found = named(&starts, &ask(connection, &question, &spans).await?);
            top = only
                .iter()
                .map(|name| found.remove(name).unwrap_or_else(|| empty(&starts, name)))
                .collect();
            if asked.compare {
                let question = Question { only: &only, ..names };
                let mut found = ask(connection, &question, &before).await?;
                for series in &mut top {
                    let sums = found.remove(&(0, series.name.clone()));
                    series.before = Some(sums.unwrap_or_default());
                }
            }
        }
    }
    let rest =
        rest(&all, &top).filter(|rest| asked.group != Group::All && rest.total != Sums::default());
    Ok(Report { starts, all, top, rest })
}

/// The sum of an answer.
pub fn whole(answer: &Answer) -> Sums {
    answer.values().fold(Sums::default(), |mut all, sums| {
        all.add(sums);
        all
    })
}

/// What an answer by start says of each name, by step.
fn named(starts: &[i64], answer: &Answer) -> BTreeMap<String, Series> {
    let mut all = BTreeMap::new();
    for ((start, name), sums) in answer {
        let series = all.entry(name.clone()).or_insert_with(|| empty(starts, name));
        series.total.add(sums);
        let step = starts.partition_point(|begin| begin <= start).saturating_sub(1);
        if let Some(own) = series.steps.get_mut(step) {
            own.add(sums);
        }
    }
    all
}

fn empty(starts: &[i64], name: &str) -> Series {
    Series {
        name: name.to_owned(),
        steps: vec![Sums::default(); starts.len()],
        ..Series::default()
    }
}

/// All but these.
fn rest(all: &Series, top: &[Series]) -> Option<Series> {
    let mut rest = all.clone();
    let less = |from: &mut Sums, part: &Sums| {
        for (own, part) in from.0.iter_mut().zip(part.0) {
            *own = own.saturating_sub(part);
        }
    };
    for series in top {
        less(&mut rest.total, &series.total);
        for (own, part) in rest.steps.iter_mut().zip(&series.steps) {
            less(own, part);
        }
        if let (Some(own), Some(part)) = (&mut rest.before, &series.before) {
            less(own, part);
        }
    }
    (!top.is_empty()).then_some(rest)
}
