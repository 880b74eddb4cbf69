//! The first admin: a token that is printed when a panel starts that has none, and works once.

use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

use super::{credential, people};
use crate::api::authenticate::hash;
use crate::api::problem::Problem;
use crate::audit::{Entry, write};
use crate::panel::Panel;

/// What a bootstrap token begins with.
pub const PREFIX: &str = "iron_bootstrap_";
/// How long one can be used, in milliseconds: it is printed, and may be in a log.
const LASTS: i64 = 24 * 3_600_000;
/// Where its hash is kept.
const SETTING: &str = "bootstrap";

impl Panel {
    /// A new bootstrap token where the panel has no admin yet; the one before it ends. To be called
    /// once at the start, and to be shown to whoever started the panel, as [`Panel::bootstrap_url`].
    pub async fn bootstrap(&self) -> Result<Option<Zeroizing<String>>, Problem> {
        let mut tx = self.store.begin().await?;
        if people::admins(&mut tx).await? > 0 {
            return Ok(None);
        }
        let token = credential(PREFIX)?;
        let kept = format!("{} {}", self.clock.now_ms() + LASTS, hex(&hash(&token)));
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(SETTING)
        .bind(kept)
        .execute(&mut *tx)
        .await?;
        let detail = serde_json::json!({});
        let entry = Entry { actor: "system", action: "bootstrap.offer", target: "", detail };
        write(self, &mut tx, entry).await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// The address of the page that uses a bootstrap token. `base` is where the panel is reached.
    pub fn bootstrap_url(base: &str, token: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("{}/?bootstrap={token}", base.trim_end_matches('/')))
    }
}

/// Uses a bootstrap token up, within the transaction that makes the admin.
pub async fn take(
    panel: &Panel,
    connection: &mut AnyConnection,
    token: &str,
) -> Result<(), Problem> {
    let refused = || {
        Problem::unauthenticated(
            "this bootstrap token is not valid (any more): where the panel has no admin yet, start it \
             again and use the one that it prints",
        )
    };
    let row = sqlx::query("SELECT value FROM setting WHERE name = $1")
        .bind(SETTING)
        .fetch_optional(&mut *connection)
        .await?;
    let kept: String = row.ok_or_else(refused)?.try_get(0)?;
    let (until, own) = kept.split_once(' ').ok_or_else(refused)?;
    let is_late = until.parse::<i64>().is_ok_and(|until| until < panel.clock.now_ms());
    let same = subtle::ConstantTimeEq::ct_eq(own.as_bytes(), hex(&hash(token)).as_bytes());
    if is_late || !bool::from(same) {
        return Err(refused());
    }
    // Two that come with the same token at once: one of them finds it gone.
    let taken = sqlx::query("DELETE FROM setting WHERE name = $1 AND value = $2")
        .bind(SETTING)
        .bind(kept.clone())
        .execute(&mut *connection)
        .await?;
    if taken.rows_affected() == 0 || people::admins(connection).await? > 0 {
        return Err(refused());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
