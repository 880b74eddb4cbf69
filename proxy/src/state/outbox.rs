//! What a panel is still to be told of the journal, in the order in which it came into it.
//!
//! Rows come by triggers, in the transaction that writes the journal, and go once the panel has said
//! that it has them. Who sends them is in `crate::report`.

use std::collections::BTreeMap;

use iron_policy::control::{CallRecord, ExtraRecord, FindingCount};
use rusqlite::{OptionalExtension, Row};

use super::denials;
use super::leases::{self, Order};
use super::{Ledger, ReserveError, Store, StoreError};

/// Records that the panel does not have.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The oldest of them.
    pub records: Vec<(i64, Told)>,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A call that ended.
    Call(Box<CallRecord>),
    /// A correction of an estimate, or what a sandbox refused.
    Extra(ExtraRecord),
    /// What is not there (any more): it is skipped.
    Nothing,
}

/// The columns of a call, for [`call`].
const CALL: &str = "SELECT id, agent, project, run, model, upstream, dialect, endpoint, stream, status,
    outcome, reason, reserved, posted, estimated, input_tokens, output_tokens, usage, cost, findings,
    timeline, attempt, first_attempt, token FROM call WHERE id = ?1";

impl Ledger {
    /// Says whether a panel is told of calls from now on.
    pub async fn tell_panel(&self, on: bool) -> Result<(), ReserveError> {
        self.order(Order::Tell(on)).await.map(drop)
    }

    /// The panel has everything up to this, but for these, which it refuses.
    pub async fn told(&self, up_to: i64, refused: Vec<i64>) -> Result<(), ReserveError> {
        self.order(Order::Told { up_to, refused }).await.map(drop)
    }

    /// What the panel is to be told next.
    pub async fn outbox(&self, limit: usize) -> Result<Outbox, StoreError> {
        let path = self.path().to_owned();
        leases::read(move || Store::open(&path)?.outbox(limit)).await
    }
}

impl Store {
    /// How many records a panel does not have, and how many of them it refused.
    pub fn untold(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(refused), 0) FROM outbox";
        let (all, refused): (i64, i64) =
            self.connection().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((all.unsigned_abs(), refused.unsigned_abs()))
    }

    /// What the panel is to be told next, the oldest first.
    pub fn outbox(&self, limit: usize) -> Result<Outbox, StoreError> {
        // One snapshot: a correction is not read without its call's older amount.
        let snapshot = self.connection().unchecked_transaction()?;
        let mut next = snapshot.prepare(
            "SELECT sequence, kind, id FROM outbox WHERE refused = 0 ORDER BY sequence LIMIT ?1",
        )?;
        let mut calls = snapshot.prepare(CALL)?;
        let mut corrections =
            snapshot.prepare("SELECT posted, reason, at FROM correction WHERE call = ?1")?;
        let mut refused = snapshot.prepare(&format!("{} WHERE id = ?1", denials::COLUMNS))?;
        let mut rows = next.query([limit as i64])?;
        let mut outbox = Outbox::default();
        while let Some(row) = rows.next()? {
            let (sequence, kind, id): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let told = match kind.as_str() {
                "call" => {
                    let call = calls.query_row([id], call).optional()?;
                    call.map(|call| Told::Call(Box::new(call)))
                }
                "correction" => corrections
                    .query_row([id], |row| {
                        Ok(Told::Extra(ExtraRecord {
                            id: format!("correction:{id}"),
                            kind: "correction".to_owned(),
                            at: row.get(2)?,
                            call: Some(id),
                            posted: Some(row.get(0)?),
                            detail: row.get(1)?,
                            ..ExtraRecord::default()
                        }))
                    })
                    .optional()?,
                "denial" => refused
                    .query_row([id], |row| Ok(Told::Extra(denials::extra(id, row)?)))
                    .optional()?,
                _ => None,
            };
            outbox.records.push((sequence, told.unwrap_or(Told::Nothing)));
        }
        Ok(outbox)
    }
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    let text = |place| row.get::<_, Option<String>>(place);
    let usage: BTreeMap<String, u64> = json(text(17)?.as_deref());
    let cost: BTreeMap<String, i64> = json(text(18)?.as_deref());
    let findings: BTreeMap<String, u32> = json(text(19)?.as_deref());
    Ok(CallRecord {
        id: row.get(0)?,
        agent: row.get(1)?,
        project: row.get(2)?,
        token: row.get(23)?,
        run: row.get(3)?,
        model: row.get(4)?,
        upstream: row.get(5)?,
        dialect: row.get(6)?,
        endpoint: row.get(7)?,
        stream: row.get(8)?,
        status: row.get(9)?,
        outcome: row.get(10)?,
        reason: row.get(11)?,
        reserved: row.get(12)?,
        posted: row.get(13)?,
        estimated: row.get(14)?,
        input_tokens: row.get::<_, Option<i64>>(15)?.unwrap_or_default(),
        output_tokens: row.get::<_, Option<i64>>(16)?.unwrap_or_default(),
        usage,
        cost,
        findings: findings.into_iter().map(|(kind, count)| FindingCount { kind, count }).collect(),
        timeline: steps(text(20)?.as_deref()),
        attempt: row.get(21)?,
        first_attempt: row.get(22)?,
    })
}

/// What was written as one of our objects; nothing where it is none.
fn json<T: Default + serde::de::DeserializeOwned>(text: Option<&str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The steps of a timeline in their order, which a map would lose.
fn steps(text: Option<&str>) -> Vec<(String, u32)> {
    let members = text.unwrap_or_default().trim_matches(['{', '}']).split(',');
    members
        .filter_map(|member| {
            let (step, micros) = member.split_once(':')?;
            Some((step.trim_matches('"').to_owned(), micros.parse().ok()?))
        })
        .collect()
}
