//! The keys that sign tokens: Ed25519, published as a JSON Web Key Set, rotated with overlap.
//!
//! One key signs: the newest that is not retired. A retired one stays published until the last token
//! that it signed has expired, so that a rotation interrupts nobody. The private half stands in an
//! envelope and is opened to sign, then forgotten.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ed25519_dalek::SigningKey;
use iron_policy::token::{Claims, LEEWAY_S, MAX_KEYS, SignError, sign};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

use super::envelope::Place;
use super::master::random;
use crate::panel::Panel;
use crate::store::{StoreError, id, raise};

/// How long a key is published at least after it stopped to sign: a token that was signed meanwhile
/// may not be committed yet.
const LINGER_MS: i64 = 3_600_000;
/// The part of the marks that a change of these keys raises.
pub const PART: &str = "keys";

/// A key that signs.
pub struct Signer {
    /// The `kid`.
    pub id: String,
    seed: Zeroizing<[u8; 32]>,
}

impl Signer {
    /// Signs what a token says: the token as its holder gets it.
    pub fn sign(&self, claims: &Claims) -> Result<Zeroizing<String>, SignError> {
        sign(claims, &self.id, &self.seed).map(Zeroizing::new)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The `kid`.
    pub id: String,
    /// The public half.
    pub public: Vec<u8>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it stopped to sign.
    pub retired_at: Option<i64>,
}

fn place(id: &str) -> Place<'_> {
    Place { kind: "signing_key", row: id, version: 0 }
}

/// The key that signs now; the first one is made by whoever needs it first. Within the transaction
/// of what is signed. `keys` is raised where a key was made.
pub async fn signer(panel: &Panel, connection: &mut AnyConnection) -> Result<Signer, StoreError> {
    let row = sqlx::query(
        "SELECT id, wrapped FROM signing_key WHERE retired_at IS NULL
         ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return make(panel, connection).await };
    let (id, wrapped): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
    let opened = panel.master.open(place(&id), &wrapped)?;
    let mut seed = Zeroizing::new([0; 32]);
    if opened.len() != seed.len() {
        return Err(StoreError::Damaged(place(&id).to_string()));
    }
    seed.copy_from_slice(&opened);
    Ok(Signer { id, seed })
}

/// Makes a key and lets it sign from now on; those before are retired. None where proxies would not
/// take one more key: some must expire first.
pub async fn rotate(
    panel: &Panel,
    connection: &mut AnyConnection,
) -> Result<Option<Signer>, StoreError> {
    if published(panel, connection).await?.len() >= MAX_KEYS {
        return Ok(None);
    }
    sqlx::query("UPDATE signing_key SET retired_at = $1 WHERE retired_at IS NULL")
        .bind(panel.clock.now_ms())
        .execute(&mut *connection)
        .await?;
    make(panel, connection).await.map(Some)
}

async fn make(panel: &Panel, connection: &mut AnyConnection) -> Result<Signer, StoreError> {
    let seed = random()?;
    let signer = Signer { id: id("key"), seed };
    let public = SigningKey::from_bytes(&signer.seed).verifying_key();
    sqlx::query(
        "INSERT INTO signing_key (id, public, wrapped, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(signer.id.clone())
    .bind(public.to_bytes().to_vec())
    .bind(panel.master.seal(place(&signer.id), &*signer.seed)?)
    .bind(panel.clock.now_ms())
    .execute(&mut *connection)
    .await?;
    raise(connection, PART).await?;
    Ok(signer)
}

/// All keys that are published: that sign, or signed tokens which have not expired.
pub async fn published(
    panel: &Panel,
    connection: &mut AnyConnection,
) -> Result<Vec<Listed>, StoreError> {
    let now = panel.clock.now_ms();
    let rows = sqlx::query(
        "SELECT id, public, created_at, retired_at FROM signing_key
         WHERE retired_at IS NULL OR retired_at > $1
            OR EXISTS (SELECT 1 FROM token WHERE token.key = signing_key.id AND token.expires_at > $2)
         ORDER BY created_at DESC, id DESC LIMIT 1000",
    )
    .bind(now - LINGER_MS)
    .bind(now - LEEWAY_S * 1000)
    .fetch_all(connection)
    .await?;
    let listed = |row: &sqlx::any::AnyRow| {
        Ok(Listed {
            id: row.try_get(0)?,
            public: row.try_get(1)?,
            created_at: row.try_get(2)?,
            retired_at: row.try_get(3)?,
        })
    };
    rows.iter().map(listed).collect()
}

/// The key set (RFC 7517, RFC 8037).
pub fn jwks(keys: &[Listed]) -> Value {
    let key = |key: &Listed| {
        json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": key.id, "x": BASE64URL.encode(&key.public),
        })
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() })
}

/// Who this panel is: the `iss` of its tokens, made when it is first asked.
pub async fn issuer(connection: &mut AnyConnection) -> Result<String, StoreError> {
    let query = "SELECT value FROM setting WHERE name = 'instance'";
    if let Some(row) = sqlx::query(query).fetch_optional(&mut *connection).await? {
        return Ok(row.try_get(0)?);
    }
    sqlx::query("INSERT INTO setting (name, value) VALUES ('instance', $1) ON CONFLICT DO NOTHING")
        .bind(id("panel"))
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query(query).fetch_one(connection).await?.try_get(0)?)
}
