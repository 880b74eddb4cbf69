//! Times in the API: RFC 3339 in UTC outside, Unix milliseconds inside.

use jiff::Timestamp;

use super::problem::Problem;

/// These Unix milliseconds as text, `2026-11-26T08:00:00Z`; what no calendar has is its nearest end.
pub fn text(unix_ms: i64) -> String {
    let nearest = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(unix_ms).unwrap_or(nearest).to_string()
}

/// Reads a time that a caller wrote in this field of a query.
pub fn read(field: &str, text: &str) -> Result<i64, Problem> {
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| {
        Problem::invalid(format!("{field} is no time: write it like 2026-11-26T08:00:00Z"))
    })
}
