//! The statements of the hot path. All run inside the writer's transaction.

use std::collections::HashMap;
use std::fmt::Write as _;

use iron_policy::budget::{self, AccountKey};
use iron_policy::types::{Dialect, Name, NanoUsd, TokenClass, Usage};
use rusqlite::{Connection, OptionalExtension, params};

use super::lease;
use crate::state::schema::ANSWER_FINDING;
use crate::state::{
    CallRecord, End, Exhausted, Held, Hold, ReserveError, RunRecord, Settlement, Source,
};

/// What one call can cost at most beyond its reservation. More is a meter's mistake; so many
/// calls of this size fit into a sum that none ever overflows.
const LARGEST_CHARGE: NanoUsd = NanoUsd::usd(1_000_000);
/// Tokens that are counted of one call, for the same reason.
const MOST_TOKENS: u64 = 1 << 40;

/// Holds an amount in every account or in none.
pub(super) fn reserve(
    connection: &Connection,
    known: &mut HashMap<AccountKey, i64>,
    hold: &Hold,
    boot_ms: i64,
) -> rusqlite::Result<Result<Held, ReserveError>> {
    let amount = hold.record.reserved.0.max(0);
    let mut held = Vec::with_capacity(hold.accounts.len());
    for account in &hold.accounts {
        let id = account_id(connection, known, account)?;
        // Budgets of `agent:*` and `agent:a` share an account: it holds once, under both limits.
        let again = held.contains(&id);
        let admitted = connection
            .prepare_cached(
                "UPDATE account SET pending = pending + ?1, limit_nano = ?3
                 WHERE id = ?2 AND posted + pending + ?1 <= ?3",
            )?
            .execute(params![if again { 0 } else { amount }, id, account.limit.0])?;
        if admitted == 0 {
            release(connection, amount, &held)?;
            return Ok(Err(ReserveError::Exhausted(exhausted(connection, id, account)?)));
        }
        if !again {
            held.push(id);
        }
    }
    let (leased, low) = lease::hold(connection, hold, amount, boot_ms)?;
    held.extend(leased);
    let low = match low {
        Ok(low) => low,
        Err(short) => {
            release(connection, amount, &held)?;
            return Ok(Err(ReserveError::Short(short)));
        }
    };
    let record = &hold.record;
    let kept = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO reservation
             (id, amount, accounts, agent, project, model, upstream, dialect, endpoint, stream,
              run, depth, attempt, first_attempt, token)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
             WHERE NOT EXISTS (SELECT 1 FROM call WHERE id = ?1)",
        )?
        .execute(params![
            record.id.0,
            amount,
            listed(&held),
            record.agent.as_ref().map(Name::as_str),
            record.project.as_ref().map(Name::as_str),
            record.model,
            record.upstream.as_ref().map(Name::as_str),
            record.dialect.map(Dialect::name),
            record.endpoint,
            record.stream,
            record.run.as_ref().map(Name::as_str),
            record.depth,
            record.attempt,
            record.first_attempt.map(|id| id.0),
            record.token.as_ref().map(Name::as_str),
        ])?;
    if kept == 0 {
        // Its end could not be told from the end of the first one.
        release(connection, amount, &held)?;
        let used = format!("{} was used before", record.id);
        return Ok(Err(ReserveError::Unavailable(used)));
    }
    Ok(Ok(Held { low }))
}

fn release(connection: &Connection, amount: i64, accounts: &[i64]) -> rusqlite::Result<()> {
    for id in accounts {
        connection
            .prepare_cached("UPDATE account SET pending = pending - ?1 WHERE id = ?2")?
            .execute(params![amount, id])?;
    }
    Ok(())
}

/// Ends a reservation, exactly once: whoever deletes its row may move its money.
pub(super) fn settle(connection: &Connection, settlement: &Settlement) -> rusqlite::Result<()> {
    let record = &settlement.record;
    let open: Option<(i64, String)> = connection
        .prepare_cached("DELETE FROM reservation WHERE id = ?1 RETURNING amount, accounts")?
        .query_row([record.id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((amount, accounts)) = open else {
        // It was refused while its caller left, or it was settled before: no money moves.
        return insert(connection, record, &Booked { posted: 0, estimated: false, accounts: "[]" });
    };
    let actual = match settlement.end {
        End::Post(actual) => actual.0.max(0),
        End::Void => 0,
        End::PostWhole => amount,
    };
    let posted = fitting(connection, record, amount, actual, &accounts)?;
    let overrun = posted.saturating_sub(amount).max(0);
    if overrun > 0 {
        tracing::warn!(call = %record.id, over = %NanoUsd(overrun), "a call cost more than its bound");
    }
    for id in ids(&accounts) {
        connection
            .prepare_cached(
                "UPDATE account SET pending = pending - ?1, posted = posted + ?2,
                 overrun = overrun + MIN(?3, 9223372036854775807 - overrun) WHERE id = ?4",
            )?
            .execute(params![amount, posted, overrun, id])?;
    }
    // Of what was given back nothing can be an estimate, whatever the record says.
    let estimated = match settlement.end {
        End::PostWhole => true,
        End::Post(_) => record.estimated,
        End::Void => false,
    };
    insert(connection, record, &Booked { posted, estimated, accounts: &accounts })
}

/// What can be booked of a charge, so that no sum leaves 64 bits: a statement that fails would
/// fail for ever, and everything behind it. Less than the charge only where a meter reads nonsense.
fn fitting(
    connection: &Connection,
    record: &CallRecord,
    amount: i64,
    actual: i64,
    accounts: &str,
) -> rusqlite::Result<i64> {
    if actual <= amount {
        return Ok(actual);
    }
    let mut most = actual.min(LARGEST_CHARGE.0.max(amount));
    for id in ids(accounts) {
        let room: i64 = connection
            .prepare_cached(
                "SELECT 9223372036854775807 - posted - (pending - ?1) FROM account WHERE id = ?2",
            )?
            .query_row(params![amount, id], |row| row.get(0))?;
        most = most.min(room);
    }
    if most < actual {
        tracing::error!(
            call = %record.id, charge = %NanoUsd(actual), booked = %NanoUsd(most),
            "a charge cannot be true and was not booked whole: check the provider's usage"
        );
    }
    Ok(most)
}

/// Keeps the record of a call for which nothing was held.
pub(super) fn record(connection: &Connection, record: &CallRecord) -> rusqlite::Result<()> {
    insert(connection, record, &Booked { posted: 0, estimated: false, accounts: "[]" })
}

/// Keeps a run that begins; false where the id was used before.
pub(super) fn announce(connection: &Connection, run: &RunRecord) -> rusqlite::Result<bool> {
    let kept = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO run (id, parent, agent, limit_nano, strict, begun)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            run.id.as_str(),
            run.parent.as_ref().map(Name::as_str),
            run.agent.as_str(),
            run.limit.map(|limit| limit.0),
            run.strict,
            run.begun_ms,
        ])?;
    Ok(kept == 1)
}

/// What the ledger did, whatever the record says.
struct Booked<'a> {
    posted: i64,
    estimated: bool,
    accounts: &'a str,
}

/// Keeps a call's record. A second one for the same call changes nothing.
fn insert(
    connection: &Connection,
    record: &CallRecord,
    booked: &Booked<'_>,
) -> rusqlite::Result<()> {
    let usage = record.usage.map(|usage| {
        json(
            usage
                .iter()
                .filter(|(_, units)| *units > 0)
                .map(|(class, units)| (class.name(), units)),
        )
    });
    let cost = record.cost.as_ref().map(|cost| {
        json(
            cost.by_class()
                .filter(|(_, pico)| pico.0 != 0)
                .map(|(class, pico)| (class.name(), pico.0)),
        )
    });
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO call
             (id, agent, project, model, upstream, dialect, endpoint, stream, status, outcome,
              reason, reserved, posted, estimated, accounts, input_tokens, output_tokens, usage,
              cost, findings, timeline, run, depth, attempt,
              first_attempt, token)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
              ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
        )?
        .execute(params![
            record.id.0,
            record.agent.as_ref().map(Name::as_str),
            record.project.as_ref().map(Name::as_str),
            record.model,
            record.upstream.as_ref().map(Name::as_str),
            record.dialect.map(Dialect::name),
            record.endpoint,
            record.stream,
            record.status,
            record.outcome.name(),
            record.reason,
            record.reserved.0,
            booked.posted,
            booked.estimated,
            booked.accounts,
            record.usage.map(|usage| tokens(&usage, TokenClass::is_input)),
            record.usage.map(|usage| tokens(&usage, TokenClass::is_output)),
            usage,
            cost,
            findings(record),
            json(record.timeline.iter().copied()),
            record.run.as_ref().map(Name::as_str),
            record.depth,
            record.attempt,
            record.first_attempt.map(|id| id.0),
            record.token.as_ref().map(Name::as_str),
        ])?;
    Ok(())
}

/// As [`Usage::input_tokens`] and [`Usage::output_tokens`], for numbers that nobody vouches for.
fn tokens(usage: &Usage, of: impl Fn(TokenClass) -> bool) -> i64 {
    let units = usage.iter().filter(|(class, _)| of(*class)).map(|(_, units)| units);
    units.fold(0, u64::saturating_add).min(MOST_TOKENS) as i64
}

fn account_id(
    connection: &Connection,
    known: &mut HashMap<AccountKey, i64>,
    hold: &budget::Hold,
) -> rusqlite::Result<i64> {
    let key = &hold.account;
    if let Some(id) = known.get(key) {
        return Ok(*id);
    }
    let found = connection
        .prepare_cached("SELECT id FROM account WHERE scope = ?1 AND window = ?2 AND start = ?3")?
        .query_row(params![key.scope, key.window.name(), key.start], |row| row.get(0))
        .optional()?;
    let id = if let Some(id) = found {
        id
    } else {
        connection
            .prepare_cached(
                "INSERT INTO account (scope, window, start, resets_at, limit_nano)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                key.scope,
                key.window.name(),
                key.start,
                hold.resets_at,
                hold.limit.0
            ])?;
        connection.last_insert_rowid()
    };
    known.insert(key.clone(), id);
    Ok(id)
}

fn exhausted(connection: &Connection, id: i64, hold: &budget::Hold) -> rusqlite::Result<Exhausted> {
    let taken: i64 = connection
        .prepare_cached("SELECT posted + pending FROM account WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    Ok(Exhausted {
        source: Source::Local,
        scope: hold.account.scope.clone(),
        window: hold.account.window,
        limit: hold.limit,
        left: hold.limit.less(NanoUsd(taken)),
        resets_at: hold.resets_at,
        clamp: hold.clamp,
    })
}

/// `[1,5]`: SQLite's own JSON functions read it back when balances are compared.
fn listed(ids: &[i64]) -> String {
    let mut text = String::with_capacity(2 + 4 * ids.len());
    text.push('[');
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        let _ = write!(text, "{id}");
    }
    text.push(']');
    text
}

fn ids(list: &str) -> impl Iterator<Item = i64> + '_ {
    list.trim_matches(['[', ']']).split(',').filter_map(|id| id.parse().ok())
}

/// Findings of both ways in one object: those in answers under a name of their own.
pub(super) fn findings(record: &CallRecord) -> String {
    let requests = record.findings.iter().map(|(kind, count)| (kind.to_string(), count));
    let answers = record.answer_findings.iter();
    let answers = answers.map(|(kind, count)| (format!("{ANSWER_FINDING}{kind}"), count));
    json(requests.chain(answers))
}

/// `{"name":number,...}`; the names are ours and need no escapes.
fn json<S: std::fmt::Display, N: std::fmt::Display>(
    members: impl Iterator<Item = (S, N)>,
) -> String {
    let mut text = String::with_capacity(96);
    text.push('{');
    for (place, (name, number)) in members.enumerate() {
        if place > 0 {
            text.push(',');
        }
        let _ = write!(text, "\"{name}\":{number}");
    }
    text.push('}');
    text
}
