//! The proxy's own file, read in place: in pilot mode a call is stored once.
//!
//! Every connection attaches the file for reading, and a temporary view `call` with the columns of the
//! panel's table stands before that table. Files of older proxies lack columns; a file that is not
//! there yet has no calls, and is looked for again when a connection is used.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// The name of the proxy in this process.
pub const LOCAL: &str = "local";

/// Steps up to the first byte of the answer.
const STEPS: [&str; 7] =
    ["identify", "admit", "decode", "redact", "reserve", "breaker", "upstream"];

/// The panel's columns: the name, what it is in a proxy's file, what stands for it in one without.
/// `x` is the call's correction.
const COLUMNS: [(&str, &str, &str); 17] = [
    ("agent", "c.agent", "NULL"),
    ("project", "c.project", "NULL"),
    ("run", "c.run", "NULL"),
    ("model", "c.model", "''"),
    ("upstream", "c.upstream", "NULL"),
    ("dialect", "c.dialect", "NULL"),
    ("endpoint", "c.endpoint", "''"),
    ("stream", "c.stream", "0"),
    ("status", "c.status", "0"),
    ("outcome", "c.outcome", "''"),
    ("reason", "c.reason", "''"),
    ("reserved", "c.reserved", "0"),
    ("input_tokens", "COALESCE(c.input_tokens, 0)", "0"),
    ("output_tokens", "COALESCE(c.output_tokens, 0)", "0"),
    // The proxy's journal says which token a call was made with, where it knows tokens.
    ("token", "c.token", "NULL"),
    ("attempt", "c.attempt", "1"),
    ("first_attempt", "c.first_attempt", "NULL"),
];

/// A proxy's file.
#[derive(Debug, Clone)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    /// At this path, whether or not it is there.
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Puts the view in place on a connection that was just made.
    pub(super) async fn attach(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        if !self.try_attach(connection).await? {
            run(connection, &view("")).await?;
        }
        Ok(())
    }

    /// Looks again for a file that was not there.
    pub(super) async fn refresh(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        if !is_attached(connection).await? {
            self.try_attach(connection).await?;
        }
        Ok(())
    }

    /// Attaches the file where it is one with calls.
    async fn try_attach(&self, connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
        if !self.0.is_file() {
            return Ok(false);
        }
        let attached =
            sqlx::query("ATTACH $1 AS state").bind(self.uri()).execute(&mut *connection).await;
        if let Err(error) = attached {
            tracing::debug!(%error, "the proxy's file cannot be read yet");
            return Ok(false);
        }
        let has = columns_of(connection, "call").await?;
        if has.is_empty() {
            // It was only just made.
            run(connection, "DETACH state").await?;
            return Ok(false);
        }
        let corrections = !columns_of(connection, "correction").await?.is_empty();
        run(connection, "DROP VIEW IF EXISTS temp.call").await?;
        run(connection, &view(&select(&has, corrections))).await?;
        Ok(true)
    }

    /// For reading only: never makes a file, never waits for its writer.
    fn uri(&self) -> String {
        let mut uri = "file:".to_owned();
        for byte in self.0.to_string_lossy().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-') {
                uri.push(char::from(byte));
            } else {
                let _ = write!(uri, "%{byte:02x}");
            }
        }
        uri + "?mode=ro"
    }
}

async fn is_attached(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM pragma_database_list WHERE name = 'state'")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

async fn columns_of(
    connection: &mut AnyConnection,
    table: &'static str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT name FROM pragma_table_info($1, 'state')")
        .bind(table)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

async fn run(connection: &mut AnyConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false).execute(connection).await?;
    Ok(())
}

/// The view; of no calls where nothing is selected.
fn view(select: &str) -> String {
    let nothing = select_from(&|_, missing| missing.to_owned(), false, false);
    let select = if select.is_empty() { format!("{nothing} WHERE 0") } else { select.to_owned() };
    format!("CREATE TEMP VIEW call AS {select}")
}

/// Selects from a file whose calls have these columns.
fn select(has: &[String], corrections: bool) -> String {
    let column = |expression: &str, missing: &str| {
        let name = expression.trim_start_matches("COALESCE(").trim_start_matches("c.");
        let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        let is_there = name.is_some_and(|name| has.iter().any(|own| own == name));
        if is_there { expression.to_owned() } else { missing.to_owned() }
    };
    select_from(&column, true, corrections)
}

fn select_from(column: &dyn Fn(&str, &str) -> String, is_there: bool, corrections: bool) -> String {
    let own = |name: &str, missing: &str| column(&format!("c.{name}"), missing);
    let json = |name: &str| format!("json(COALESCE({}, '{{}}'))", own(name, "NULL"));
    let (posted, estimated) = (own("posted", "0"), own("estimated", "0"));
    let (timeline, findings) = (json("timeline"), json("findings"));
    let mut sql = format!("SELECT '{LOCAL}' AS proxy, {} AS id", own("id", "0"));
    for (name, expression, missing) in &COLUMNS[..15] {
        let _ = write!(sql, ", {} AS {name}", column(expression, missing));
    }
    if corrections {
        let _ = write!(
            sql,
            ", COALESCE(x.posted, {posted}) AS posted,
             CASE WHEN x.call IS NULL THEN {estimated} ELSE 0 END AS estimated"
        );
    } else {
        let _ = write!(sql, ", {posted} AS posted, {estimated} AS estimated");
    }
    let steps = STEPS.map(|step| format!("COALESCE({timeline} ->> '{step}', 0)")).join(" + ");
    let _ = write!(
        sql,
        ", {posted} AS first_posted, {estimated} AS first_estimated,
         CASE WHEN {timeline} ->> 'upstream' IS NULL THEN 0 ELSE {steps} END AS first_byte,
         COALESCE((SELECT SUM(value) FROM json_each({findings})), 0) AS findings,
         json_object('usage', {}, 'cost', {}, 'findings', {findings}, 'timeline', {timeline},
           'attempt', {}, 'first_attempt', {}) AS detail",
        json("usage"),
        json("cost"),
        column(COLUMNS[15].1, COLUMNS[15].2),
        column(COLUMNS[16].1, COLUMNS[16].2),
    );
    if is_there {
        sql.push_str(" FROM state.call c");
    }
    if corrections {
        sql.push_str(" LEFT JOIN state.correction x ON x.call = c.id");
    }
    sql
}
