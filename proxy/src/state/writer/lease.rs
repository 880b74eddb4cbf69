//! The statements for leases and for the panel's outbox. All run inside the writer's transaction.

use iron_policy::control::{Report, Standing};
use iron_policy::types::NanoUsd;
use rusqlite::{Connection, OptionalExtension, params};

use crate::state::leases::{self, Answer, COLUMNS, Order};
use crate::state::{
    Granted, Hold, Learned, LeaseKey, LeaseRow, LeaseState, Low, Prepare, Room, Short,
};

/// Of what the last grant brought, so much is left when more is asked for ahead of need: a quarter.
const LOW: i64 = 4;

/// A lease, with its account's row.
struct Found {
    row: LeaseRow,
    account: i64,
}

/// What became of a hold in leases: the accounts in which it stands, and those leases that are
/// running low, or every one that is short.
pub(super) type Leased = (Vec<i64>, Result<Vec<Low>, Vec<Short>>);

/// Holds an amount in the lease of every account that a hold names. Where one is short nothing may
/// stay: the caller releases what is held.
pub(super) fn hold(
    connection: &Connection,
    hold: &Hold,
    amount: i64,
    boot_ms: i64,
) -> rusqlite::Result<Leased> {
    let (mut held, mut low, mut short) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &hold.leases {
        let found = newest(connection, &wanted.key)?;
        let why = match &found {
            None => Some(Room::Absent),
            Some(found) if found.row.state == LeaseState::Closing => Some(Room::Ending),
            Some(found) if found.row.state != LeaseState::Open => Some(Room::Absent),
            Some(found) if found.row.expires <= boot_ms => Some(Room::Expired),
            Some(_) => None,
        };
        if let (None, Some(found)) = (why, &found) {
            let row = &found.row;
            let limit = row.amount.less(row.returned);
            let taken: Option<i64> = connection
                .prepare_cached(
                    "UPDATE account SET pending = pending + ?1, limit_nano = ?3
                     WHERE id = ?2 AND posted + pending + ?1 <= ?3 RETURNING posted + pending",
                )?
                .query_row(params![amount, found.account, limit.0], |row| row.get(0))
                .optional()?;
            if let Some(taken) = taken {
                held.push(found.account);
                if limit.0.saturating_sub(taken) < row.chunk.0 / LOW {
                    low.push(Low { hold: wanted.clone(), lease: row.id.clone() });
                }
                continue;
            }
        }
        let state = why.unwrap_or(Room::Little);
        // What may not be spent has no room, and is not topped up either.
        let row = found.map(|found| found.row);
        let row = row.filter(|_| matches!(state, Room::Little | Room::Expired));
        short.push(Short {
            hold: wanted.clone(),
            amount: NanoUsd(amount),
            room: row.as_ref().map_or(NanoUsd::ZERO, LeaseRow::room),
            lease: row.map(|row| row.id),
            state,
        });
    }
    Ok((held, if short.is_empty() { Ok(low) } else { Err(short) }))
}

/// Carries out what is asked.
pub(super) fn carry_out(connection: &Connection, order: &Order) -> rusqlite::Result<Answer> {
    match order {
        Order::Booted(boot) => {
            connection
                .prepare_cached("UPDATE lease SET expires = 0, boot = ?1 WHERE boot <> ?1")?
                .execute([boot])?;
        }
        Order::Grant(grants) => {
            let taken = grants.iter().map(|granted| grant(connection, granted));
            return Ok(Answer::Granted(taken.collect::<Result<_, _>>()?));
        }
        Order::Prepare(wanted) => {
            let mut reports = Vec::with_capacity(wanted.len());
            for wanted in wanted {
                reports.extend(prepare(connection, wanted)?);
            }
            return Ok(Answer::Reports(reports));
        }
        Order::Learn(learned) => {
            learned.iter().try_for_each(|learned| learn(connection, learned))?;
        }
        Order::Tell(true) => {
            connection.execute("INSERT OR IGNORE INTO reporting (id) VALUES (1)", [])?;
        }
        Order::Tell(false) => {
            connection.execute("DELETE FROM reporting", [])?;
        }
        Order::Told { up_to, refused } => {
            for sequence in refused {
                connection
                    .prepare_cached("UPDATE outbox SET refused = 1 WHERE sequence = ?1")?
                    .execute([sequence])?;
            }
            connection
                .prepare_cached("DELETE FROM outbox WHERE sequence <= ?1 AND refused = 0")?
                .execute([up_to])?;
        }
    }
    Ok(Answer::Done)
}

fn newest(connection: &Connection, key: &LeaseKey) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, l.account FROM lease l JOIN account a ON a.id = l.account
             WHERE l.budget = ?1 AND l.name = ?2 AND l.start = ?3 ORDER BY l.rowid DESC LIMIT 1"
        ))?
        .query_row(params![key.budget, key.account, key.start], found)
        .optional()
}

fn of_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, l.account FROM lease l JOIN account a ON a.id = l.account
             WHERE l.id = ?1"
        ))?
        .query_row([id], found)
        .optional()
}

fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { row: leases::row(row)?, account: row.get(18)? })
}

/// Takes a grant. The amount is the panel's last word, also where it is lower: one that was restored
/// from a backup may have granted the rest to somebody else.
fn grant(connection: &Connection, granted: &Granted) -> rusqlite::Result<Option<NanoUsd>> {
    let grant = &granted.grant;
    let amount = grant.amount.0.max(0);
    if let Some(found) = of_id(connection, &grant.lease)? {
        if found.row.state != LeaseState::Open || found.row.epoch != grant.epoch {
            return Ok(None);
        }
        let more = amount.saturating_sub(found.row.amount.0);
        connection
            .prepare_cached(
                "UPDATE lease SET amount = ?2, chunk = ?3, limit_nano = ?4, expires = ?5, boot = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                grant.lease,
                amount,
                if more > 0 { more } else { found.row.chunk.0 },
                grant.limit.0,
                granted.expires,
                granted.boot,
            ])?;
        return Ok(Some(NanoUsd(more.max(0))));
    }
    let key = LeaseKey {
        budget: grant.budget.clone(),
        account: grant.account.clone(),
        start: grant.start,
    };
    // What ended is known by its id, and not taken again. A panel that was restored from a backup
    // counts epochs from there anew.
    if newest(connection, &key)?.is_some_and(|newest| newest.row.epoch >= grant.epoch) {
        tracing::warn!(
            lease = %grant.lease, budget = %key.budget, account = %key.account, epoch = grant.epoch,
            "the panel counts its leases from an earlier one on: it was set back to an older state"
        );
    }
    // The panel begins another lease only after it has taken the one before.
    connection
        .prepare_cached(
            "UPDATE lease SET state = 'taken'
             WHERE budget = ?1 AND name = ?2 AND start = ?3 AND state = 'open'",
        )?
        .execute(params![key.budget, key.account, key.start])?;
    let account: i64 = connection
        .prepare_cached(
            "INSERT INTO account (scope, window, start, resets_at, limit_nano)
             VALUES ('lease:' || ?1, 'total', 0, ?2, ?3) RETURNING id",
        )?
        .query_row(params![grant.lease, granted.resets_at, amount], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO lease (id, budget, name, start, resets_at, epoch, account, amount, chunk,
               limit_nano, boot, expires, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, 'open')",
        )?
        .execute(params![
            grant.lease,
            key.budget,
            key.account,
            key.start,
            granted.resets_at,
            grant.epoch,
            account,
            amount,
            grant.limit.0,
            granted.boot,
            granted.expires,
        ])?;
    Ok(Some(NanoUsd(amount)))
}

/// Makes a report: what goes back is taken from the lease in the same transaction in which the report
/// gets its number.
fn prepare(connection: &Connection, wanted: &Prepare) -> rusqlite::Result<Option<Report>> {
    let Some(Found { row, .. }) = of_id(connection, &wanted.lease)? else { return Ok(None) };
    if row.state == LeaseState::Closed {
        return Ok(None);
    }
    let room = row.room().0.max(0);
    let last = row.state == LeaseState::Closing || (wanted.last && row.pending == NanoUsd::ZERO);
    let back = if last { room } else { wanted.give_back.0.clamp(0, room) };
    let state = if last { LeaseState::Closing } else { row.state };
    let sequence: i64 = connection
        .prepare_cached(
            "UPDATE lease SET returned = returned + ?2, state = ?3, sequence = sequence + 1
             WHERE id = ?1 RETURNING sequence",
        )?
        .query_row(params![wanted.lease, back, state.name()], |row| row.get(0))?;
    Ok(Some(Report {
        lease: row.id,
        epoch: row.epoch,
        sequence,
        spent: row.posted,
        pending: row.pending,
        overrun: row.overrun,
        returned: row.returned + NanoUsd(back),
        last,
    }))
}

/// Takes what the panel said of a report.
fn learn(connection: &Connection, learned: &Learned) -> rusqlite::Result<()> {
    let Some(Found { row, .. }) = of_id(connection, &learned.lease)? else { return Ok(()) };
    let is_last = learned.sequence >= row.sequence;
    // The panel has a report that this ledger knows nothing of: it was set back to an older state,
    // and what was spent since is not in it.
    let lost = learned.sequence > row.sequence;
    let state = match (row.state, learned.standing) {
        (LeaseState::Open | LeaseState::Taken, Standing::Open) if lost => LeaseState::Stranded,
        (LeaseState::Closing, Standing::Closed | Standing::Reclaimed) if is_last => {
            LeaseState::Closed
        }
        (LeaseState::Closing, Standing::Unknown) => LeaseState::Closed,
        (
            LeaseState::Open | LeaseState::Stranded,
            Standing::Closed | Standing::Reclaimed | Standing::Unknown,
        ) => LeaseState::Taken,
        (state, _) => state,
    };
    if state == LeaseState::Taken && row.state != state {
        tracing::warn!(
            lease = %row.id, budget = %row.key.budget, account = %row.key.account,
            standing = ?learned.standing, left = %row.room(),
            "the panel took a lease back: nothing more is spent of it"
        );
    }
    if state == LeaseState::Stranded && row.state != state {
        tracing::error!(
            lease = %row.id, budget = %row.key.budget, account = %row.key.account,
            "the panel knows of later reports of a lease than this state file: nothing more is \
             spent of it; reclaim it at the panel if the file was restored from a copy"
        );
    }
    let may = row.state == LeaseState::Open && learned.standing == Standing::Open;
    connection
        .prepare_cached(
            "UPDATE lease SET state = ?2, sequence = MAX(sequence, ?3),
               acknowledged = MAX(acknowledged, ?3), boot = ?5,
               expires = CASE WHEN ?6 THEN ?4 ELSE expires END
             WHERE id = ?1",
        )?
        .execute(params![
            learned.lease,
            state.name(),
            learned.sequence,
            learned.expires,
            learned.boot,
            may,
        ])?;
    Ok(())
}
