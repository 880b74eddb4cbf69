//! What was measured, kept beside the tests, and the table made of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

/// The columns after client, version and route, with the key that each has in the results.
const COLUMNS: [(&str, &str); 8] = [
    ("plain", "answer"),
    ("stream", "stream"),
    ("tools", "tools"),
    ("bad_request", "provider's 400"),
    ("overloaded", "provider overloaded"),
    ("budget", "budget stop"),
    ("breaker", "breaker stop"),
    ("recovery", "goes on after a breaker"),
];

/// What one client did by one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The client's name.
    pub client: String,
    /// Its version, from what was installed.
    pub version: String,
    /// How it was led to the proxy.
    pub route: String,
    /// What it did, by scenario.
    pub cells: BTreeMap<String, String>,
}

/// The row that is on record for a client by a route.
pub fn row(client: &str, route: &str) -> Option<Row> {
    read().iter().map(of_json).find(|row| row.client == client && row.route == route)
}

/// Compares what was measured with what is on record; with `IRON_WRITE_DOCS` it goes on record.
pub fn check(measured: &Row) {
    if std::env::var_os("IRON_WRITE_DOCS").is_some() {
        write(measured);
        return;
    }
    let known = row(&measured.client, &measured.route).map(|row| without_rates(&row));
    assert_eq!(
        known,
        Some(without_rates(measured)),
        "tests/clients/results.json says otherwise: if this is how it shall be, run with IRON_WRITE_DOCS=1"
    );
}

/// A row without the numbers that hang on how busy the machine is: of calls by a client that goes
/// on and on.
fn without_rates(row: &Row) -> Row {
    let mut row = row.clone();
    for cell in row.cells.values_mut().filter(|cell| cell.contains("goes on")) {
        cell.retain(|letter| !letter.is_ascii_digit() && letter != '+');
        *cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    row
}

/// The table for the docs.
pub fn table() -> String {
    let mut table = String::from("| client | version | route |");
    for (_, title) in COLUMNS {
        write!(table, " {title} |").unwrap();
    }
    table.push_str(" measured |\n|---|---|---|");
    table.push_str(&"---|".repeat(COLUMNS.len() + 1));
    table.push('\n');
    for entry in read() {
        let row = of_json(&entry);
        write!(table, "| {} | {} | {} |", row.client, row.version, row.route).unwrap();
        for (key, _) in COLUMNS {
            let cell = row.cells.get(key).map(|cell| cell.replace('|', "\\|"));
            write!(table, " {} |", cell.unwrap_or_default()).unwrap();
        }
        writeln!(table, " {} |", entry["date"].as_str().unwrap()).unwrap();
    }
    table
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients/results.json")
}

fn read() -> Vec<Value> {
    let text = std::fs::read(path()).unwrap_or_else(|_| b"[]".to_vec());
    serde_json::from_slice(&text).unwrap()
}

fn of_json(entry: &Value) -> Row {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cells = entry["did"].as_object().unwrap();
    Row {
        client: text(&entry["client"]),
        version: text(&entry["version"]),
        route: text(&entry["route"]),
        cells: cells.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
    }
}

fn write(row: &Row) {
    let lock = crate::binary::path().with_file_name("results.lock");
    let lock = File::create(lock).unwrap();
    lock.lock().unwrap();
    let did: serde_json::Map<String, Value> = COLUMNS
        .iter()
        .filter_map(|(key, _)| Some(((*key).to_owned(), json!(row.cells.get(*key)?))))
        .collect();
    let entry = json!({
        "client": row.client, "version": row.version, "route": row.route, "date": today(),
        "did": did,
    });
    let mut all = read();
    let place =
        all.iter().position(|other| other["client"] == row.client && other["route"] == row.route);
    match place {
        Some(place) => all[place] = entry,
        None => all.push(entry),
    }
    // Libraries first, each client's routes together.
    all.sort_by_key(|entry| {
        let name = entry["client"].as_str().unwrap().to_owned();
        let rank =
            if name.ends_with("(Python)") { 0 } else { 1 + u8::from(!name.ends_with("(Node)")) };
        (rank, name, entry["route"].as_str().unwrap().to_owned())
    });
    let text = serde_json::to_string_pretty(&all).unwrap();
    std::fs::write(path(), text + "\n").unwrap();
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}
