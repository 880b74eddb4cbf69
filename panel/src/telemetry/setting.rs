//! The reporting time zone: the one whose hours and days sums are kept by.

use sqlx::{AnyConnection, Row};

use super::grain::Zone;
use crate::store::StoreError;

/// The name of the setting.
const NAME: &str = "reporting_zone";

/// The reporting time zone; UTC where none was chosen.
pub async fn zone(connection: &mut AnyConnection) -> Result<Zone, StoreError> {
    let row = sqlx::query("SELECT value FROM setting WHERE name = $1")
        .bind(NAME)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(Zone::utc()) };
    let name: String = row.try_get(0)?;
    Zone::named(&name).ok_or_else(|| StoreError::Damaged(format!("the setting {NAME}")))
}

/// That the zone is still the one that sums were just written by: whoever changes it moves them.
/// Called last in a transaction, when the number of events is held.
pub async fn is_still(connection: &mut AnyConnection, zone: &Zone) -> Result<(), StoreError> {
    if self::zone(connection).await?.name() == zone.name() {
        Ok(())
    } else {
        Err(StoreError::Overtaken)
    }
}
