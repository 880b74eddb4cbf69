//! A bound on what callers of proxies can name in the sums: models.
//!
//! A caller may write any model's name. Each call keeps it; sums are kept for so many names, and what
//! comes beyond them is added up as one.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sqlx::Row;

use crate::panel::Panel;
use crate::store::StoreError;

/// Names of models that sums are kept for.
const MOST: usize = 5_000;
/// What stands for all others.
pub const OTHER: &str = "(other)";
/// Names are remembered that were used in this time, in milliseconds: 90 days.
const REMEMBERED: i64 = 90 * 86_400_000;

/// The names of models that sums are kept for.
#[derive(Debug, Default)]
pub struct Names(Mutex<Option<HashSet<String>>>);

impl Names {
    /// The name that a model's sums stand under.
    pub fn of(&self, model: &str) -> String {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.get_or_insert_default();
        if names.contains(model) || model.is_empty() {
            model.to_owned()
        } else if names.len() < MOST {
            names.insert(model.to_owned());
            model.to_owned()
        } else {
            OTHER.to_owned()
        }
    }

    /// Learns the names that sums are kept for already, once.
    pub async fn learn(panel: &Panel) -> Result<(), StoreError> {
        let own = &panel.telemetry.names;
        if own.0.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let rows = sqlx::query(
            "SELECT DISTINCT name FROM tally WHERE grain = 86400 AND dim = 'model' AND start >= $1
             LIMIT 5000",
        )
        .bind(panel.clock.now_ms() - REMEMBERED)
        .fetch_all(panel.store.pool())
        .await?;
        let known =
            rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>()?;
        let mut names = own.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get_or_insert_default().extend(known);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_names_have_sums_of_their_own() {
        let names = Names::default();
        for n in 0..MOST {
            assert_eq!(names.of(&n.to_string()), n.to_string());
        }
        assert_eq!(names.of("one more"), OTHER);
        assert_eq!(names.of("7"), "7");
        assert_eq!(names.of(""), "");
    }
}
