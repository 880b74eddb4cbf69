//! Lists by page: `?limit=50&cursor=…` in, `{"items": […], "next": "…"}` out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// Items on a page unless the caller says how many.
const USUAL: u32 = 50;
/// Items on a page at most.
const MOST: u32 = 200;

/// Which page a caller wants.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Items at most: 1 to 200; 50 unless said.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl Page {
    /// How many items to show.
    pub fn limit(&self) -> Result<i64, Problem> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(i64::from(limit)),
            other => Err(Problem::invalid(format!("limit is {other}: choose from 1 to {MOST}"))),
        }
    }

    /// After which id to begin: empty for the first page.
    pub fn after(&self) -> Result<String, Problem> {
        let cursor = self.cursor.clone().unwrap_or_default();
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
        if cursor.len() <= 200 && cursor.bytes().all(fine) {
            Ok(cursor)
        } else {
            Err(Problem::invalid("cursor is none: send back `next` of the page before, as it was"))
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// A page of the rows that a query for one more than `limit` found. `cursor` says where an item
    /// stands.
    pub fn of(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { items: rows, next }
    }
}
