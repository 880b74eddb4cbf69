//! Reading the chain again: the first entry that is not as it was written.

use serde::Serialize;
use sqlx::Row;
use utoipa::ToSchema;

use super::{Fields, HEAD, head};
use crate::panel::Panel;
use crate::store::StoreError;

/// Entries that are read at a time.
const AT_ONCE: i64 = 1000;

/// What the chain says of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verdict {
    /// Whether every entry is as it was written.
    pub intact: bool,
    /// How many entries are as they were written, from the first one on.
    pub entries: i64,
    /// The number of the last entry: keep it elsewhere to see later that nothing was put back.
    pub last: i64,
    /// The number of the first entry that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<i64>,
    /// What is wrong with it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Reads the whole audit log. Entries that are written meanwhile are left for the next time.
pub async fn verify(panel: &Panel) -> Result<Verdict, StoreError> {
    let mut tx = panel.store.begin().await?;
    let row =
        sqlx::query("SELECT number FROM mark WHERE part = 'audit'").fetch_one(&mut *tx).await?;
    let mark: i64 = row.try_get(0)?;
    let row = sqlx::query("SELECT value FROM setting WHERE name = $1")
        .bind(HEAD)
        .fetch_optional(&mut *tx)
        .await?;
    let row_of_last = sqlx::query("SELECT MAX(sequence) FROM audit").fetch_one(&mut *tx).await?;
    let last: i64 = row_of_last.try_get::<Option<i64>, _>(0)?.unwrap_or(0);
    tx.commit().await?;
    let kept: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    let named = kept.as_deref().and_then(|kept| kept.split(' ').next()?.parse::<i64>().ok());

    let bad = |entries, first_bad, why: &str| Verdict {
        intact: false,
        entries,
        last,
        first_bad: Some(first_bad),
        why: Some(why.to_owned()),
    };
    let (key, mut before) = (panel.master.derive("audit"), Vec::new());
    let mut good = 0;
    while good < last {
        let rows = sqlx::query(
            "SELECT sequence, at, actor, action, target, detail, mac FROM audit
             WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3",
        )
        .bind(good)
        .bind(last)
        .bind(AT_ONCE)
        .fetch_all(panel.store.pool())
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let sequence: i64 = row.try_get(0)?;
            if sequence != good + 1 {
                return Ok(bad(good, good + 1, "it is missing: deleted, or given another number"));
            }
            let [actor, action, target, detail]: [String; 4] =
                [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?];
            let fields = Fields {
                sequence,
                at: row.try_get(1)?,
                actor: &actor,
                action: &action,
                target: &target,
                detail: &detail,
            };
            let mac: Vec<u8> = row.try_get(6)?;
            if fields.mac(&key, &before) != mac {
                let why =
                    "it is not as it was written: edited, moved, or made with another master key";
                return Ok(bad(good, sequence, why));
            }
            (good, before) = (sequence, mac);
        }
    }
    // What stands behind the last entry.
    let told = named.unwrap_or(0).max(mark);
    if good < told {
        return Ok(bad(good, good + 1, "it is missing: the end was cut off"));
    }
    if good > 0 && kept != Some(head(panel, good, &before)) {
        let why = "the note of the last entry names another one: the end was cut off or put back";
        return Ok(bad(good, good + 1, why));
    }
    Ok(Verdict { intact: true, entries: good, last, first_bad: None, why: None })
}
