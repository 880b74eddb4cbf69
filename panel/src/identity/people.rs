//! Finding and making people.

use sqlx::{AnyConnection, Row};

use super::names;
use crate::api::access::Role;
use crate::api::problem::Problem;
use crate::panel::Panel;
use crate::store::{StoreError, id};

/// Somebody, as they sign in.
pub struct Person {
    /// `usr_…`.
    pub id: String,
    /// The name.
    pub name: String,
    /// What is kept of the password.
    pub password: Option<String>,
    /// Their role.
    pub role: Role,
}

/// Whoever has this name and is not disabled.
pub async fn by_name(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Option<Person>, StoreError> {
    let row =
        sqlx::query("SELECT id, name, password, role FROM person WHERE name = $1 AND disabled = 0")
            .bind(name.to_owned())
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let role: String = row.try_get(3)?;
    let role = Role::named(&role).ok_or_else(|| StoreError::Damaged(format!("the role {role}")))?;
    let (id, name, password) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Some(Person { id, name, password, role }))
}

/// Makes somebody; returns their id.
pub async fn add(
    panel: &Panel,
    connection: &mut AnyConnection,
    name: &str,
    role: Role,
    password: Option<String>,
) -> Result<String, Problem> {
    names::check(name)?;
    let person = id("usr");
    let made = sqlx::query(
        "INSERT INTO person (id, name, password, role, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(person.clone())
    .bind(name.to_owned())
    .bind(password)
    .bind(role.name())
    .bind(panel.clock.now_ms())
    .execute(connection)
    .await?;
    if made.rows_affected() == 0 {
        let detail = format!("there is somebody named {name} already: choose another name");
        return Err(Problem::conflict("name_taken", detail));
    }
    Ok(person)
}

/// How many admins there are that can sign in.
pub async fn admins(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) FROM person WHERE role = 'admin' AND disabled = 0")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}
