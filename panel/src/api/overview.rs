//! `/api/v1/usage/overview`: the first screen in one answer. Is it working, what does it cost, what
//! was stopped.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};
use utoipa::{IntoParams, ToSchema};

use super::access::Principal;
use super::extract::{Json, Query};
use super::problem::Problem;
use super::total::Total;
use super::usage::{Period, When, Which};
use super::wire::{Money, Time};
use crate::events::Sight;
use crate::panel::Panel;
use crate::store::StoreError;
use crate::telemetry::grain::Step;
use crate::telemetry::query::{Filter, Group, Question, ask};
use crate::telemetry::report::{Asked, Metric, Range, report};
use crate::telemetry::setting;
use crate::telemetry::sums::Sums;

/// Names on a card.
const CARD: usize = 8;
/// Rows of the status strip.
const STRIP: i64 = 200;

/// Over which period, where no range is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The day that is.
    #[default]
    Day,
    /// The week that is.
    Week,
    /// The month that is.
    Month,
}

/// Which period.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// `day` unless said; not looked at where `from` is given.
    #[serde(default)]
    pub period: Window,
}

/// The first screen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The reporting time zone.
    pub zone: String,
    /// Where the period begins.
    pub from: Time,
    /// Where it ends: it may be later than now.
    pub to: Time,
    /// The panel's clock.
    pub now: Time,
    /// The four numbers, and more of the kind.
    pub total: Total,
    /// The same as far into the period before.
    pub before: Total,
    /// What `before` is about.
    pub before_period: Period,
    /// What proxies hold for calls in flight: not in `spent`. Null for whoever sees only some projects.
    pub reserved: Option<Money>,
    /// What will have been spent at the end of the period if it goes on as until now; null where it is
    /// over, or has only begun.
    pub projected: Option<Money>,
    /// The graph's steps.
    pub rollup: Step,
    /// The graph: a point for each step until now.
    pub graph: Vec<Point>,
    /// The greatest agents by spend.
    pub agents: Vec<Card>,
    /// The greatest models by spend.
    pub models: Vec<Card>,
    /// The greatest upstreams by spend.
    pub upstreams: Vec<Card>,
    /// What was found most; null where the filter is by what findings are not known by.
    pub findings: Option<Vec<FoundCard>>,
    /// Why calls were refused, the most frequent reason first.
    pub refusals: Vec<Card>,
    /// Proxies, and whether they are there; at most 200.
    pub proxies: Vec<ProxyState>,
    /// Breakers that are not closed; at most 200.
    pub breakers: Vec<BreakerState>,
}

/// A point of the graph.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// When the step began.
    pub start: Time,
    /// What was charged in it, in nano-USD.
    pub spent_nano: i64,
    /// Calls that ended in it.
    pub calls: i64,
    /// Calls that were refused in it.
    pub refused: i64,
}

/// A name with its sums.
#[derive(Debug, Serialize, ToSchema)]
pub struct Card {
    /// The name; null where calls have none.
    pub name: Option<String>,
    /// Its sums, but for the time to the first byte.
    pub total: Total,
}

/// A kind of finding.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundCard {
    /// The kind; it begins with `answer/` where it stood in answers.
    pub kind: String,
    /// How often it was found.
    pub found: i64,
    /// In how many calls.
    pub calls: i64,
}

/// A proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProxyState {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was heard of last; null where it never was.
    pub seen_at: Option<Time>,
}

/// A breaker.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakerState {
    /// At which proxy.
    pub proxy: String,
    /// Of which upstream.
    pub upstream: String,
    /// Of which model or lane; empty where it is the upstream's own.
    pub lane: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    /// Since when.
    pub at: Time,
}

/// The first screen: totals against the period before, the graph, cards, and the status strip. The
/// lines of budgets are those of `/api/v1/budgets/tree`.
#[utoipa::path(
    get, path = "/api/v1/usage/overview", tag = "usage", params(When, Of, Which),
    responses((status = 200, body = Overview))
)]
pub async fn overview(
    State(panel): State<Panel>,
    principal: Principal,
    Query(when): Query<When>,
    Query(of): Query<Of>,
    Query(which): Query<Which>,
) -> Result<Json<Overview>, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    let filter = which.filter()?;
    let now = panel.clock.now_ms();
    let zone = setting::zone(&mut *panel.store.pool().acquire().await?).await?;
    let (from, to) = if when.from.is_some() {
        when.range(now, 0)
    } else {
        let at = when.to.map_or(now, |to| to.0);
        let step = match of.period {
            Window::Day => Step::Day,
            Window::Week => Step::Week,
            Window::Month => Step::Month,
        };
        (zone.start_of(step, at), zone.end_of(step, at))
    };
    let range = Range::of(&panel, zone, from, to)?;
    let (before_from, before_to) = range.before();
    let asked = Asked {
        metric: Metric::Spend,
        group: Group::All,
        step: range.usual_step(),
        filter: filter.clone(),
        top: 0,
        compare: true,
    };
    // On connections of their own, none of which waits for another: the screen is there as soon as
    // the slowest question is answered.
    let cards = Cards { panel: &panel, range: &range, filter: &filter, sight: &sight };
    let (found, agents, models, (upstreams, refusals, findings), strip) = tokio::try_join!(
        async {
            let mut connection = panel.store.pool().acquire().await?;
            Ok::<_, Problem>(report(&mut connection, &sight, &range, &asked).await?)
        },
        async { Ok(cards.of(Group::Agent).await?) },
        async { Ok(cards.of(Group::Model).await?) },
        async {
            let (upstreams, refusals) = (cards.of(Group::Upstream).await?, cards.refusals().await?);
            Ok((upstreams, refusals, cards.findings().await?))
        },
        async { Ok(strip(&panel, &sight).await?) },
    )?;
    let graph = found.starts.iter().zip(&found.all.steps);
    let graph = graph.filter(|(start, _)| **start < range.until).map(|(start, sums)| Point {
        start: Time(*start),
        spent_nano: sums.posted(),
        calls: sums.calls(),
        refused: sums.refused(),
    });
    Ok(Json(Overview {
        zone: range.zone.name().to_owned(),
        from: Time(range.from),
        to: Time(range.to),
        now: Time(now),
        projected: projected(&range, now, found.all.total.posted()).map(Money::from),
        total: (&found.all.total).into(),
        before: (&found.all.before.unwrap_or_default()).into(),
        before_period: Period { from: Time(before_from), to: Time(before_to) },
        reserved: strip.reserved,
        rollup: asked.step,
        graph: graph.collect(),
        agents,
        models,
        upstreams,
        findings,
        refusals,
        proxies: strip.proxies,
        breakers: strip.breakers,
    }))
}

/// What will have been spent at the end, in nano-USD.
fn projected(range: &Range, now: i64, spent: i64) -> Option<i64> {
    let (gone, all) = (now - range.from, range.to - range.from);
    // Of the first twentieth nothing can be told.
    if now >= range.to || gone * 20 < all {
        return None;
    }
    let projected = i128::from(spent) * i128::from(all) / i128::from(gone.max(1));
    i64::try_from(projected).ok()
}

/// What proxies hold and how they are.
struct Strip {
    reserved: Option<Money>,
    proxies: Vec<ProxyState>,
    breakers: Vec<BreakerState>,
}

async fn strip(panel: &Panel, sight: &Sight) -> Result<Strip, StoreError> {
    let mut connection = panel.store.pool().acquire().await?;
    let reserved =
        if sight.sees_all() { Some(reserved(&mut connection).await?.into()) } else { None };
    let proxies = proxies(&mut connection).await?;
    Ok(Strip { reserved, proxies, breakers: breakers(&mut connection).await? })
}

/// Asks for cards, each on a connection that it holds no longer than that.
struct Cards<'a> {
    panel: &'a Panel,
    range: &'a Range,
    filter: &'a Filter,
    sight: &'a Sight,
}

impl Cards<'_> {
    async fn sums(&self, group: Group) -> Result<Vec<(String, Sums)>, StoreError> {
        let question = Question {
            filter: self.filter,
            sight: self.sight,
            of_findings: group == Group::Kind,
            group,
            only: &[],
            by_start: false,
            first_byte: false,
        };
        let mut connection = self.panel.store.pool().acquire().await?;
        let answer = ask(&mut connection, &question, &self.range.segments()).await?;
        Ok(answer.into_iter().map(|((_, name), sums)| (name, sums)).collect())
    }

    async fn of(&self, group: Group) -> Result<Vec<Card>, StoreError> {
        Ok(cards(self.sums(group).await?, |sums| (sums.posted(), sums.calls())))
    }

    async fn refusals(&self) -> Result<Vec<Card>, StoreError> {
        let mut all = self.sums(Group::Reason).await?;
        all.retain(|(_, sums)| sums.refused() > 0);
        Ok(cards(all, |sums| (sums.refused(), 0)))
    }

    async fn findings(&self) -> Result<Option<Vec<FoundCard>>, StoreError> {
        if !self.filter.fits_findings() {
            return Ok(None);
        }
        let mut all = self.sums(Group::Kind).await?;
        all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.found()));
        all.truncate(CARD);
        let card = |(kind, sums): (String, Sums)| FoundCard {
            kind,
            found: sums.found(),
            calls: sums.calls(),
        };
        Ok(Some(all.into_iter().map(card).collect()))
    }
}

/// The greatest names.
fn cards(mut all: Vec<(String, Sums)>, by: impl Fn(&Sums) -> (i64, i64)) -> Vec<Card> {
    all.sort_by_key(|(_, sums)| std::cmp::Reverse(by(sums)));
    all.truncate(CARD);
    all.into_iter()
        .map(|(name, sums)| Card {
            name: Some(name).filter(|name| !name.is_empty()),
            total: (&sums).into(),
        })
        .collect()
}

/// What proxies hold for calls in flight, in nano-USD, as far as they have said.
async fn reserved(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let sql = "SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM lease WHERE state = 'open'";
    Ok(sqlx::query(sql).fetch_one(connection).await?.try_get(0)?)
}

pub(super) async fn proxies(connection: &mut AnyConnection) -> Result<Vec<ProxyState>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, version, seen_at FROM proxy WHERE removed_at IS NULL ORDER BY name LIMIT $1",
    )
    .bind(STRIP)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let seen_at: Option<i64> = row.try_get(2)?;
            let (name, version) = (row.try_get(0)?, row.try_get(1)?);
            Ok(ProxyState { name, version, seen_at: seen_at.map(Time) })
        })
        .collect()
}

pub(super) async fn breakers(
    connection: &mut AnyConnection,
) -> Result<Vec<BreakerState>, StoreError> {
    let rows = sqlx::query(
        "SELECT proxy, upstream, lane, state, at FROM breaker WHERE state <> 'closed'
         ORDER BY proxy, upstream, lane LIMIT $1",
    )
    .bind(STRIP)
    .fetch_all(connection)
    .await?;
    rows.iter().map(breaker).collect()
}

/// A breaker of a row of proxy, upstream, lane, state, at.
pub(super) fn breaker(row: &sqlx::any::AnyRow) -> Result<BreakerState, StoreError> {
    Ok(BreakerState {
        proxy: row.try_get(0)?,
        upstream: row.try_get(1)?,
        lane: row.try_get(2)?,
        state: row.try_get(3)?,
        at: Time(row.try_get(4)?),
    })
}
