//! How often a name and an address may fail to sign in.
//!
//! An attempt counts as failed before its password is looked at, and is taken back when it was right:
//! many at once count as many. After some failures whoever fails waits, twice as long each time. What
//! is counted by name is counted whether there is somebody of that name or not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use http::StatusCode;
use sqlx::Row;

use crate::api::problem::Problem;
use crate::keys::hmac;
use crate::panel::Panel;
use crate::store::StoreError;

/// Failures of a name that cost no wait.
const OF_NAME: i64 = 5;
/// Failures of an address that cost no wait: several people may share one.
const OF_ADDRESS: i64 = 20;
/// The longest wait, in milliseconds.
const LONGEST_WAIT: i64 = 15 * 60_000;
/// Failures are forgotten after so many milliseconds without one.
const FORGOTTEN: i64 = 3_600_000;

/// An attempt that is counted as failed until it is [forgiven](Attempt::forgive).
#[derive(Debug)]
#[must_use = "an attempt that was right is to be forgiven"]
pub struct Attempt {
    name: Option<String>,
    address: String,
}

/// Begins an attempt: to sign in with a name, to approve a code, whatever can be guessed. Refused
/// while the name or the address has to wait.
pub async fn begin(panel: &Panel, name: &str, address: &str) -> Result<Attempt, Problem> {
    // What people type for a name may be their password: it is not kept as it is.
    let name = format!("name:{}", digest(panel, &name.to_lowercase()));
    count(panel, Some(name), address).await
}

/// The same for what nobody guesses, a token of 256 random bits: counted by address alone, so that
/// nobody who sends wrong ones makes those wait who have the right one.
pub async fn begin_with_token(panel: &Panel, address: &str) -> Result<Attempt, Problem> {
    count(panel, None, address).await
}

async fn count(panel: &Panel, name: Option<String>, address: &str) -> Result<Attempt, Problem> {
    let attempt = Attempt { name, address: format!("address:{address}") };
    let now = panel.clock.now_ms();
    let mut tx = panel.store.begin().await?;
    sqlx::query("DELETE FROM failed_login WHERE at < $1")
        .bind(now - FORGOTTEN)
        .execute(&mut *tx)
        .await?;
    let mut wait = 0;
    // Always in this order: two attempts never wait for each other.
    let of_name = attempt.name.as_ref().map(|name| (name, OF_NAME));
    for (who, free) in std::iter::once((&attempt.address, OF_ADDRESS)).chain(of_name) {
        let row = sqlx::query(
            "INSERT INTO failed_login (who, failures, until, at) VALUES ($1, 1, 0, $2)
             ON CONFLICT (who) DO UPDATE SET failures = failed_login.failures + 1
             RETURNING failures, until",
        )
        .bind(who.clone())
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let (failures, until): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if until > now {
            // It is turned away and does not count: waiting ends for whoever waits.
            wait = wait.max(until - now);
            continue;
        }
        sqlx::query("UPDATE failed_login SET until = $1, at = $2 WHERE who = $3")
            .bind(now + wait_after(failures - free))
            .bind(now)
            .bind(who.clone())
            .execute(&mut *tx)
            .await?;
    }
    if wait > 0 {
        drop(tx);
        let seconds = wait.unsigned_abs().div_ceil(1000);
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("too many attempts failed: wait {seconds} s and try again"),
        )
        .after(seconds));
    }
    tx.commit().await?;
    Ok(attempt)
}

/// How long to wait after so many failures beyond those that are free, in milliseconds.
fn wait_after(beyond: i64) -> i64 {
    if beyond < 0 { 0 } else { LONGEST_WAIT.min(1000 << beyond.min(20)) }
}

impl Attempt {
    /// It was right. The name's failures are forgotten; the address has one less, so that somebody
    /// with an account cannot clear the way for guesses at others.
    pub async fn forgive(self, panel: &Panel) -> Result<(), StoreError> {
        let mut tx = panel.store.begin().await?;
        sqlx::query("UPDATE failed_login SET failures = failures - 1, until = 0 WHERE who = $1")
            .bind(self.address)
            .execute(&mut *tx)
            .await?;
        if let Some(name) = self.name {
            sqlx::query("DELETE FROM failed_login WHERE who = $1")
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn digest(panel: &Panel, text: &str) -> String {
    let mut mac = hmac(&panel.master.derive("failed login"));
    mac.update(text.as_bytes());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<_> = [-1, 0, 1, 2, 9, 10, 60].map(wait_after).into();
        assert_eq!(waits, [0, 1000, 2000, 4000, 512_000, LONGEST_WAIT, LONGEST_WAIT]);
    }
}
