//! Logins from a terminal: it shows a code, somebody who is signed in elsewhere approves it, and the
//! terminal gets a session of theirs. The terminal never sees a password.

use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

use super::sessions::{self, Begun, Carrier};
use super::{credential, people, random};
use crate::api::authenticate::hash;
use crate::api::problem::Problem;
use crate::panel::Panel;

/// What the token begins with by which a terminal asks whether it was approved.
pub const PREFIX: &str = "iron_device_";
/// How long a code can be approved, in milliseconds.
pub const LASTS: i64 = 10 * 60_000;
/// Seconds between a terminal's questions.
pub const INTERVAL: u64 = 2;
/// Logins that wait at a time.
const MOST: i64 = 1000;
/// Of these, from one address: whoever floods does not keep others out.
const MOST_OF_ADDRESS: i64 = 50;
/// Letters of codes: no vowels, so that they spell nothing, and none that look alike.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code.
const LENGTH: usize = 8;

/// A login that waits.
pub struct Waiting {
    /// By which the terminal asks.
    pub token: Zeroizing<String>,
    /// What a person types: `BCDF-GHJK`.
    pub code: String,
    /// When it ends, in Unix milliseconds.
    pub expires_at: i64,
}

/// Begins a login.
pub async fn begin(panel: &Panel, label: &str, address: &str) -> Result<Waiting, Problem> {
    let (token, code, now) = (credential(PREFIX)?, code()?, panel.clock.now_ms());
    let mut tx = panel.store.begin().await?;
    sqlx::query("DELETE FROM device_login WHERE expires_at < $1")
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN address = $1 THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM device_login",
    )
    .bind(address.to_owned())
    .fetch_one(&mut *tx)
    .await?;
    if row.try_get::<i64, _>(0)? >= MOST || row.try_get::<i64, _>(1)? >= MOST_OF_ADDRESS {
        let detail = "too many logins wait to be approved: try again";
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        return Err(Problem::new(status, "too_many_logins", detail).after(60));
    }
    sqlx::query(
        "INSERT INTO device_login (hash, code, label, state, created_at, expires_at, address)
         VALUES ($1, $2, $3, 'waiting', $4, $5, $6)",
    )
    .bind(hash(&token))
    .bind(code.clone())
    .bind(label.to_owned())
    .bind(now)
    .bind(now + LASTS)
    .bind(address.to_owned())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Waiting { token, code, expires_at: now + LASTS })
}

/// Approves the login that shows this code, for this person. Returns its label.
pub async fn approve(
    panel: &Panel,
    connection: &mut AnyConnection,
    person: &str,
    code: &str,
) -> Result<String, Problem> {
    let row = sqlx::query(
        "UPDATE device_login SET state = 'approved', person = $1
         WHERE code = $2 AND state = 'waiting' AND expires_at > $3 RETURNING label",
    )
    .bind(person.to_owned())
    .bind(plain(code))
    .bind(panel.clock.now_ms())
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or_else(|| {
        let detail = "no login waits with this code: look at it again, or begin a new one with \
                      `iron login`";
        Problem::not_found(detail)
    })?;
    Ok(row.try_get(0)?)
}

/// What a terminal is told that asks.
pub enum Standing {
    /// Nobody approved it yet.
    Waiting,
    /// It is signed in, as this person.
    Approved(Begun, people::Person),
}

/// Looks whether a login was approved; the session is begun when the terminal comes for it, once.
pub async fn ask(panel: &Panel, token: &str) -> Result<Standing, Problem> {
    let gone = || {
        let detail = "this login is over: begin a new one with `iron login`";
        Problem::new(http::StatusCode::GONE, "login_over", detail)
    };
    let mut tx = panel.store.begin().await?;
    let row = sqlx::query(
        "SELECT device_login.state, device_login.label, person.name FROM device_login
         LEFT JOIN person ON person.id = device_login.person AND person.disabled = 0
         WHERE device_login.hash = $1 AND device_login.expires_at > $2",
    )
    .bind(hash(token))
    .bind(panel.clock.now_ms())
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(gone)?;
    if row.try_get::<String, _>(0)? == "waiting" {
        return Ok(Standing::Waiting);
    }
    let taken = sqlx::query("DELETE FROM device_login WHERE hash = $1")
        .bind(hash(token))
        .execute(&mut *tx)
        .await?;
    let name = row.try_get::<Option<String>, _>(2)?.ok_or_else(gone)?;
    let person = people::by_name(&mut tx, &name).await?.ok_or_else(gone)?;
    if taken.rows_affected() == 0 {
        return Err(gone());
    }
    let label: String = row.try_get(1)?;
    let begun = sessions::begin(panel, &mut tx, &person.id, Carrier::Machine, &label).await?;
    tx.commit().await?;
    Ok(Standing::Approved(begun, person))
}

/// A code as it is stored: capital letters and one dash, however it was typed.
pub fn plain(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphabetic).take(LENGTH + 1).collect();
    let letters = letters.to_ascii_uppercase();
    match letters.split_at_checked(LENGTH / 2) {
        Some((one, other)) => format!("{one}-{other}"),
        None => letters,
    }
}

fn code() -> Result<String, Problem> {
    let mut letters = String::new();
    while letters.len() < LENGTH {
        // 240 is the largest multiple of 20 in a byte: what lies above would make some letters likelier.
        let fair = random()?.into_iter().filter(|byte| *byte < 240);
        letters.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])));
    }
    letters.truncate(LENGTH);
    Ok(plain(&letters))
}
