//! A budget as its row says it: whose calls it covers, how much they may cost, in which time.

use iron_policy::budget::{Scope, Window};
use iron_policy::types::NanoUsd;
use jiff::tz::TimeZone;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::own;
use crate::store::StoreError;

/// How far a proxy's clock may be from the panel's, in milliseconds: so long before it begins and
/// after it ends, a window is taken for the one of now.
const TOLERANCE_MS: i64 = 5 * 60_000;

/// A budget.
#[derive(Debug, Clone)]
pub struct Terms {
    /// `bud_…`.
    pub id: String,
    /// Whose calls it covers.
    pub scope: Scope,
    /// After which time it begins anew.
    pub window: Window,
    /// The time zone that its windows begin in.
    pub zone: TimeZone,
    /// What may be spent in a window, by each account.
    pub limit: NanoUsd,
    /// Whether calls are shortened rather than refused.
    pub clamp: bool,
    /// Whether it was removed: nothing is granted any more, what is out is still settled.
    pub removed: bool,
    /// Counts its changes.
    pub version: i64,
}

impl Terms {
    /// The budget with this id, removed or not.
    pub async fn find(
        connection: &mut AnyConnection,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query(
            "SELECT id, scope, span, zone, limit_nano, clamp, removed_at, version FROM budget
             WHERE id = $1",
        )
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
        row.as_ref().map(Self::of).transpose()
    }

    /// A row of the columns `id, scope, span, zone, limit_nano, clamp, removed_at, version`.
    pub fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let id: String = row.try_get(0)?;
        let damaged = || StoreError::Damaged(format!("budget {id}"));
        let (scope, span, zone): (String, String, String) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        Ok(Self {
            scope: scope.parse().map_err(|_| damaged())?,
            window: Window::named(&span).ok_or_else(damaged)?,
            zone: TimeZone::get(&zone).map_err(|_| damaged())?,
            limit: NanoUsd(row.try_get(4)?),
            clamp: row.try_get::<i64, _>(5)? != 0,
            removed: row.try_get::<Option<i64>, _>(6)?.is_some(),
            version: row.try_get(7)?,
            id,
        })
    }

    /// The time zone's name.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The budgets that are not removed behind the one with the id `after`, oldest first, that this
    /// person may see (see [`super::whose`]). Budgets of each name by itself are seen by everybody
    /// who sees an account that they may have.
    pub async fn list(
        connection: &mut AnyConnection,
        person: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Self>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT id, scope, span, zone, limit_nano, clamp, removed_at, version FROM budget
             WHERE removed_at IS NULL AND id > $2
               AND (scope IN ('agent:*', 'project:*', 'token:*') OR ",
            own!("$1", "budget.scope"),
            ") ORDER BY id LIMIT $3"
        ))
        .bind(person.to_owned())
        .bind(after.to_owned())
        .bind(limit)
        .fetch_all(connection)
        .await?;
        rows.iter().map(Self::of).collect()
    }

    /// When the window of now began.
    pub fn start(&self, now_ms: i64) -> i64 {
        self.window.start(now_ms, &self.zone)
    }

    /// Whether a window that began then is the one of now, by any clock that is not far from ours.
    pub fn is_now(&self, start: i64, now_ms: i64) -> bool {
        [0, -TOLERANCE_MS, TOLERANCE_MS]
            .into_iter()
            .any(|off| self.start(now_ms.saturating_add(off)) == start)
    }

    /// The start of the oldest window that may still be granted from.
    pub fn oldest_start(&self, now_ms: i64) -> i64 {
        self.start(now_ms.saturating_sub(TOLERANCE_MS))
    }
}
