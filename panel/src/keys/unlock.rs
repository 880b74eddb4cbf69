//! Whether a master key is that of a database: asked once, before anything is served.
//!
//! The setting `root` is random bytes in an envelope: what it hangs on must be held, and so must the
//! keys of every other envelope. A panel whose key is the wrong one reads nothing, and writes nothing
//! that the right one could not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::{AssertSqlSafe, Row};

use super::envelope::Place;
use super::master::{Master, hex, random};
use crate::store::{Store, StoreError};

/// Where the root stands.
pub(super) const ROOT: Place<'static> = Place { kind: "setting", row: "root", version: 0 };

/// Where envelopes stand besides, in a column `wrapped`: table, and what names a row.
pub(super) const ENVELOPES: [(&str, &str); 3] = [
    ("signing_key", "id"),
    ("secret_version", "secret || '/' || CAST(number AS TEXT)"),
    ("webhook", "id"),
];

/// The master key over this database's root. The first one that comes makes the root; a key that is
/// not the database's is [`StoreError::WrongMasterKey`].
pub async fn unlock(store: &Store, master: Master) -> Result<Master, StoreError> {
    let made = master.seal(ROOT, &*random()?)?;
    sqlx::query("INSERT INTO setting (name, value) VALUES ('root', $1) ON CONFLICT DO NOTHING")
        .bind(BASE64.encode(made))
        .execute(store.pool())
        .await?;
    let text: String = sqlx::query("SELECT value FROM setting WHERE name = 'root'")
        .fetch_one(store.pool())
        .await?
        .try_get(0)?;
    let damaged = || StoreError::Damaged(ROOT.to_string());
    let root = master.open(ROOT, &BASE64.decode(text).map_err(|_| damaged())?)?;
    let root: [u8; 32] = root.as_slice().try_into().map_err(|_| damaged())?;
    for (table, _) in ENVELOPES {
        // The names of master keys that wrap anything: a handful.
        let query = format!("SELECT DISTINCT substr(wrapped, 2, 8) FROM {table} LIMIT 1000");
        for row in sqlx::query(AssertSqlSafe(query)).fetch_all(store.pool()).await? {
            let id: Vec<u8> = row.try_get(0)?;
            if !master.holds(&id) {
                return Err(StoreError::WrongMasterKey(hex(&id)));
            }
        }
    }
    Ok(master.over(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn the_first_key_is_the_databases_and_another_is_refused_and_named() {
        for store in stores().await {
            let (first, other) = (Master::new([1; 32]), Master::new([2; 32]));
            let (one, two) =
                tokio::join!(unlock(&store, first.clone()), unlock(&store, first.clone()));
            let root = one.unwrap().derive("audit");
            assert_eq!(two.unwrap().derive("audit"), root, "two replicas have one root");
            let error = unlock(&store, other.clone()).await.unwrap_err();
            assert!(error.to_string().contains(&first.name()), "{error}");
            // An older key may be held besides: while the master key is rotated.
            let both = unlock(&store, other.and_older([[1; 32]])).await.unwrap();
            assert_eq!(both.derive("audit"), root);
        }
    }

    #[tokio::test]
    async fn a_root_that_was_changed_is_named() {
        for store in stores().await {
            unlock(&store, Master::new([1; 32])).await.unwrap();
            let mut root = Master::new([1; 32]).seal(ROOT, &[0; 32]).unwrap();
            *root.last_mut().unwrap() ^= 1;
            sqlx::query("UPDATE setting SET value = $1 WHERE name = 'root'")
                .bind(BASE64.encode(root))
                .execute(store.pool())
                .await
                .unwrap();
            let error = unlock(&store, Master::new([1; 32])).await.unwrap_err();
            assert!(error.to_string().contains("setting root"), "{error}");
        }
    }

    #[tokio::test]
    async fn one_row_that_hangs_on_another_key_is_enough_to_refuse() {
        for store in stores().await {
            unlock(&store, Master::new([1; 32])).await.unwrap();
            let place = Place { kind: "webhook", row: "whk_1", version: 0 };
            sqlx::query("INSERT INTO webhook (id, url, events, wrapped, created_at) VALUES ('whk_1', '', '', $1, 0)")
                .bind(Master::new([2; 32]).seal(place, b"x").unwrap())
                .execute(store.pool())
                .await
                .unwrap();
            let error = unlock(&store, Master::new([1; 32])).await.unwrap_err();
            assert!(error.to_string().contains(&Master::new([2; 32]).name()), "{error}");
        }
    }
}
