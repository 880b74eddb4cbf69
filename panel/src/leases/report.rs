//! Taking reports: what was spent moves from what is held to what is posted, to the last nano.

use std::collections::BTreeMap;

use iron_policy::control::{Acknowledged, Kept, Report, Reports, Standing};
use serde_json::json;
use sqlx::AnyConnection;

use super::account::{Account, Lease};
use super::{LARGEST, LeaseError, MOST_BEYOND, MOST_REPORTS, TERM_MS, told};
use crate::budgets::Terms;
use crate::events::{self, Kind};
use crate::panel::Panel;
use crate::store::StoreError;
use crate::{alerts, audit};

/// Takes what a proxy reports. Amounts are cumulative and reports are numbered: one that comes twice,
/// or late, changes nothing.
pub async fn report(
    panel: &Panel,
    proxy: &str,
    reports: &Reports,
) -> Result<Acknowledged, LeaseError> {
    check(reports)?;
    Ok(panel.store.retry(|| within(panel, proxy, reports)).await?)
}

fn check(reports: &Reports) -> Result<(), LeaseError> {
    if reports.reports.len() > MOST_REPORTS {
        return Err(LeaseError::Invalid(format!(
            "reports holds {}: send {MOST_REPORTS} at most",
            reports.reports.len()
        )));
    }
    for report in &reports.reports {
        let amounts = [report.spent, report.pending, report.overrun, report.returned];
        let fine = amounts.iter().all(|amount| (0..=LARGEST).contains(&amount.0))
            && report.sequence > 0
            && report.lease.len() <= 100
            && !report.lease.contains('\0');
        if !fine {
            return Err(LeaseError::Invalid(format!(
                "a report of {:.60} makes no sense: amounts are 0 to {LARGEST} nano-USD, and \
                 sequence counts from 1",
                report.lease
            )));
        }
    }
    Ok(())
}

async fn within(panel: &Panel, proxy: &str, reports: &Reports) -> Result<Acknowledged, StoreError> {
    let now = panel.clock.now_ms();
    let mut tx = panel.store.begin().await?;
    let mut kept: Vec<Kept> = reports.reports.iter().map(unknown).collect();
    let mut news = Vec::new();
    let mut absurd = Vec::new();
    // By account, and in one order, so that no two transactions wait for each other.
    let mut accounts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, report) in reports.reports.iter().enumerate() {
        let lease = Lease::find(&mut tx, &report.lease).await?;
        // A lease is its proxy's alone, and an epoch its lease's.
        if let Some(lease) = lease.filter(|own| own.proxy == proxy && own.epoch == report.epoch) {
            accounts.entry(lease.account).or_default().push(at);
        }
    }
    for (account, of_account) in accounts {
        let mut account = Account::hold_id(&mut tx, &account).await?;
        let before = account.clone();
        let terms = Terms::find(&mut tx, &account.budget).await?;
        let spendable =
            terms.as_ref().is_some_and(|terms| !terms.removed && terms.is_now(account.start, now));
        for at in of_account {
            let Some(report) = reports.reports.get(at) else { continue };
            let lease = one(&mut tx, &mut account, report, spendable, now).await?;
            if let (Some(slot), Some((lease, told))) = (kept.get_mut(at), lease) {
                if lease.sequence < report.sequence {
                    absurd.push(json!({
                        "lease": lease.id, "granted": lease.granted, "spent": report.spent.0,
                        "overrun": report.overrun.0,
                    }));
                }
                *slot = standing(&lease, spendable, now);
                news.extend(told);
            }
        }
        if account != before {
            if let Some(terms) = &terms {
                news.extend(alerts::after(&mut tx, terms, &before, &mut account).await?);
            }
            account.write(&mut tx).await?;
        }
    }
    if !news.is_empty() {
        alerts::tell(panel, &mut tx, &news).await?;
    }
    tx.commit().await?;
    for detail in absurd {
        let (actor, target) = (format!("proxy:{proxy}"), detail["lease"].to_string());
        tracing::error!(proxy, %detail, "a report of a lease is refused: nobody spends so much of it");
        let target = target.trim_matches('"');
        audit::refusal(panel, &actor, "lease_report.refused", target, detail).await;
    }
    if !news.is_empty() {
        panel.wake.notify(events::EVENT);
    }
    Ok(Acknowledged { kept })
}

/// Takes one report into the account, which is held. Returns the lease as it then is, and
/// what live views are to be told.
async fn one(
    tx: &mut AnyConnection,
    account: &mut Account,
    report: &Report,
    spendable: bool,
    now: i64,
) -> Result<Option<(Lease, Option<Kind>)>, StoreError> {
    // Again, now that the account is held: nobody changes it any more.
    let Some(before) = Lease::find(&mut *tx, &report.lease).await? else { return Ok(None) };
    if report.sequence <= before.sequence {
        return Ok(Some((before, None)));
    }
    let most = before.granted.saturating_add(MOST_BEYOND);
    if report.spent.0 > most || report.overrun.0 > most {
        // It stays untaken: the lease's sequence is not the report's.
        return Ok(Some((before, None)));
    }
    let mut after = before.clone();
    after.sequence = report.sequence;
    after.spent = report.spent.0;
    if !before.is_open() {
        // A correction of an estimate lowers what an open lease spent; what has ended is settled.
        after.spent = after.spent.max(before.spent);
    }
    after.pending = report.pending.0;
    if before.is_open() {
        // What calls in flight may still cost is not given back, whatever is said.
        let free = before.granted.saturating_sub(after.spent).saturating_sub(after.pending);
        after.returned = before.returned.max(report.returned.0.min(free));
        if report.last && report.pending.0 == 0 {
            after.returned = after.returned.max(free);
            "closed".clone_into(&mut after.state);
            after.expires_at = now;
        } else if spendable {
            after.expires_at = now.saturating_add(TERM_MS);
        }
    }
    after.overrun = before.overrun.max(report.overrun.0).max(after.beyond());
    account.moved(&before, &after)?;
    after.write(&mut *tx, now).await?;
    let news = if after.state == before.state {
        None
    } else {
        Some(told(&mut *tx, account, &after).await?)
    };
    Ok(Some((after, news)))
}

fn standing(lease: &Lease, spendable: bool, now: i64) -> Kept {
    let standing = match lease.state.as_str() {
        "open" => Standing::Open,
        "closed" => Standing::Closed,
        _ => Standing::Reclaimed,
    };
    let rest = if spendable && standing == Standing::Open { lease.expires_at } else { now };
    Kept {
        lease: lease.id.clone(),
        sequence: lease.sequence,
        standing,
        expires_in_ms: u64::try_from(rest.saturating_sub(now)).unwrap_or(0),
    }
}

fn unknown(report: &Report) -> Kept {
    Kept { lease: report.lease.clone(), sequence: 0, standing: Standing::Unknown, expires_in_ms: 0 }
}
