//! Tables as CSV (RFC 4180) that a spreadsheet can open without harm.

/// A table that is being written.
#[derive(Debug, Default)]
pub struct Csv(String);

impl Csv {
    /// With these columns.
    pub fn new(columns: &[&str]) -> Self {
        let mut csv = Self::default();
        csv.row(columns.iter().copied().map(Cell::from));
        csv
    }

    /// Adds a row.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for (place, cell) in cells.into_iter().enumerate() {
            if place > 0 {
                self.0.push(',');
            }
            match cell {
                Cell::Number(number) => self.0.push_str(&number.to_string()),
                Cell::Text(text) => self.text(text),
                Cell::Nothing => {}
            }
        }
        self.0.push_str("\r\n");
    }

    /// The whole table.
    pub fn finish(self) -> String {
        self.0
    }

    /// A text that callers may have written. What a spreadsheet would take for a formula gets a `'`
    /// before it (<https://owasp.org/www-community/attacks/CSV_Injection>).
    fn text(&mut self, text: &str) {
        self.0.push('"');
        if text.starts_with([
            '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ]) {
            self.0.push('\'');
        }
        self.0.push_str(&text.replace('"', "\"\""));
        self.0.push('"');
    }
}

/// What stands in one place of a table.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// Nothing.
    Nothing,
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a Option<String>> for Cell<'a> {
    fn from(text: &'a Option<String>) -> Self {
        text.as_deref().map_or(Self::Nothing, Self::Text)
    }
}

impl From<Option<i64>> for Cell<'_> {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_text() {
        let mut csv = Csv::new(&["name", "n"]);
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", "a,\"b\"\n"] {
            csv.row([name.into(), (-5).into()]);
        }
        csv.row([Cell::from(&None), Cell::from(None)]);
        assert_eq!(
            csv.finish(),
            "\"name\",\"n\"\r\n\"'=1+1\",-5\r\n\"'+1\",-5\r\n\"'-1\",-5\r\n\"'@SUM(A1)\",-5\r\n\
             \"'\t=1\",-5\r\n\"'\r=1\",-5\r\n\"a=1\",-5\r\n\"a,\"\"b\"\"\n\",-5\r\n,\r\n"
        );
    }
}
