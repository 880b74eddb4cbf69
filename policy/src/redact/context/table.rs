//! Tables in a text: CSV, TSV, Markdown, HTML and SQL's `INSERT`. A column's header is the label of
//! its values.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::packed;

/// Lines and rows longer than this are none, in bytes.
const ROW: usize = 4096;
/// A line of names is no longer.
const HEADER: usize = 512;
/// More columns are not looked at.
const COLUMNS: usize = 256;
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// What every table of HTML or SQL holds: one search tells that there is none.
static MARKS: LazyLock<Option<packed::Searcher>> =
    LazyLock::new(|| packed::Searcher::new(["<th", "VALUES", "values"]));

/// The tables of one text, in order of their rows.
#[derive(Default)]
pub(in crate::redact) struct Tables(Vec<Table>);

struct Table {
    rows: Range<usize>,
    headers: Headers,
}

enum Headers {
    /// One line, parted like the rows below it.
    Line { line: Range<usize>, separator: u8 },
    /// Cells of HTML.
    Cells(Vec<Range<usize>>),
    /// The columns that an `INSERT` names.
    Columns(Vec<Range<usize>>),
}

impl Tables {
    /// Finds them in one pass for lines, and one search each for HTML and SQL.
    pub(in crate::redact) fn read(text: &[u8]) -> Self {
        let mut tables = Vec::new();
        lines(text, &mut tables);
        if MARKS.as_ref().is_none_or(|marks| marks.find(text).is_some()) {
            html(text, &mut tables);
            sql(text, &mut tables);
        }
        tables.sort_by_key(|table| table.rows.start);
        Self(tables)
    }

    /// Where the headers of all tables stand.
    pub(in crate::redact) fn headers(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().flat_map(|table| match &table.headers {
            Headers::Line { line, .. } => vec![line.clone()],
            Headers::Cells(cells) | Headers::Columns(cells) => cells.clone(),
        })
    }

    /// Calls `cell` with the header and the range of each cell of the columns that `wanted` says yes
    /// to.
    pub(in crate::redact) fn cells(
        &self,
        text: &[u8],
        wanted: impl Fn(&[u8]) -> bool,
        cell: &mut impl FnMut(&Range<usize>, Range<usize>),
    ) {
        for table in &self.0 {
            let headers = table.headers.ranges(text);
            let columns: Vec<bool> =
                headers.iter().map(|range| wanted(&text[range.clone()])).collect();
            if !columns.contains(&true) {
                continue;
            }
            table.each_cell(text, &mut |column, range| {
                if columns.get(column) == Some(&true) {
                    cell(&headers[column], bare(text, range));
                }
            });
        }
    }

    /// The header of the column that the byte at `at` stands in.
    pub(in crate::redact) fn header(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let after = self.0.partition_point(|table| table.rows.start <= at);
        let mut before = self.0[..after].iter().rev().take(3);
        let table = before.find(|table| table.rows.contains(&at))?;
        let floor = at.saturating_sub(ROW);
        let row = &text[floor..at];
        match &table.headers {
            Headers::Line { line, separator } => {
                let start = memchr::memrchr(b'\n', row).map_or(0, |end| end + 1);
                let column = count_of(&row[start..], *separator);
                let mut left = line.start;
                for _ in 0..column {
                    left += memchr::memchr(*separator, &text[left..line.end])? + 1;
                }
                let right = memchr::memchr(*separator, &text[left..line.end]);
                Some(left..right.map_or(line.end, |length| left + length))
            }
            Headers::Cells(cells) => {
                let start = memchr::memmem::rfind(row, b"<tr")?;
                // A row that begins with its own header.
                if let Some(own) = memchr::memmem::rfind(&row[start..], b"<th") {
                    let open = start + own + memchr::memchr(b'>', &row[start + own..])? + 1;
                    let close = memchr::memchr(b'<', &row[open..])?;
                    let first = at - row.len() + open;
                    return Some(first..first + close);
                }
                let column = memchr::memmem::find_iter(&row[start..], b"<td").count();
                cells.get(column.checked_sub(1)?).cloned()
            }
            Headers::Columns(columns) => {
                let start = memchr::memrchr(b'(', row)? + 1;
                columns.get(values_before(&row[start..])).cloned()
            }
        }
    }
}

impl Headers {
    fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        match self {
            Self::Line { line, separator } => parts(text, line.clone(), *separator, b'"'),
            Self::Cells(cells) | Self::Columns(cells) => cells.clone(),
        }
    }
}

impl Table {
    /// Calls `cell` with the place and the range of each cell.
    fn each_cell(&self, text: &[u8], cell: &mut impl FnMut(usize, Range<usize>)) {
        let mut row = |range: Range<usize>, separator, quote| {
            parts(text, range, separator, quote)
                .into_iter()
                .enumerate()
                .for_each(|(n, r)| cell(n, r));
        };
        match &self.headers {
            Headers::Line { separator, .. } => {
                let mut start = self.rows.start;
                for line in text[self.rows.clone()].split_inclusive(|byte| *byte == b'\n') {
                    let end = start + line.len();
                    row(start..end - usize::from(line.ends_with(b"\n")), *separator, b'"');
                    start = end;
                }
            }
            Headers::Columns(_) => {
                let mut at = self.rows.start;
                while let Some(open) = memchr::memchr(b'(', &text[at..self.rows.end]) {
                    let start = at + open + 1;
                    let end = start + closing(&text[start..self.rows.end.min(start + ROW)]);
                    row(start..end, b',', b'\'');
                    at = end;
                }
            }
            Headers::Cells(_) => {
                let mut column = 0;
                let mut at = self.rows.start;
                while let Some(open) = memchr::memmem::find(&text[at..self.rows.end], b"<t") {
                    let tag = at + open;
                    let Some(close) = memchr::memchr(b'>', &text[tag..self.rows.end]) else {
                        return;
                    };
                    let start = tag + close + 1;
                    at = start;
                    if text[tag..].starts_with(b"<tr") {
                        column = 0;
                    } else if text[tag..].starts_with(b"<td") {
                        let rest = &text[start..self.rows.end];
                        let end = memchr::memchr(b'<', rest).map_or(self.rows.end, |e| start + e);
                        cell(column, start..end);
                        column += 1;
                    }
                }
            }
        }
    }
}

/// The parts of a row, quotes included.
fn parts(text: &[u8], row: Range<usize>, separator: u8, quote: u8) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut quoted = false;
    let mut start = row.start;
    for at in row.clone() {
        quoted ^= text[at] == quote;
        if text[at] == separator && !quoted && parts.len() < COLUMNS {
            parts.push(start..at);
            start = at + 1;
        }
    }
    parts.push(start..row.end);
    parts
}

/// Where the bracket that closes a row stands, outside quotes.
fn closing(row: &[u8]) -> usize {
    let mut quoted = false;
    let end = row.iter().position(|byte| {
        quoted ^= *byte == b'\'';
        *byte == b')' && !quoted
    });
    end.unwrap_or(row.len())
}

/// A cell without white space and quotes around it.
fn bare(text: &[u8], cell: Range<usize>) -> Range<usize> {
    let is_edge = |byte: &&u8| byte.is_ascii_whitespace() || b"\"'`".contains(byte);
    let lead = text[cell.clone()].iter().take_while(is_edge).count();
    let tail = text[cell.start + lead..cell.end].iter().rev().take_while(is_edge).count();
    cell.start + lead..cell.end - tail
}

/// Lines that follow one another with equally many separators, the first of which holds words and
/// no numbers.
fn lines(text: &[u8], tables: &mut Vec<Table>) {
    let mut open: Option<(Table, u8, usize, usize)> = None;
    let mut close = |open: &mut Option<(Table, u8, usize, usize)>| {
        tables.extend(open.take().filter(|(.., rows)| *rows > 0).map(|(table, ..)| table));
    };
    let mut start = 0;
    while start < text.len() {
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
        let line = &text[start..end];
        if let Some((table, separator, columns, rows)) = &mut open
            && line.len() <= ROW
            && count_of(line, *separator) == *columns
        {
            table.rows.end = text.len().min(end + 1);
            *rows += 1;
        } else {
            close(&mut open);
            if let Some((separator, columns)) = header_of(line) {
                let headers = Headers::Line { line: start..end, separator };
                open = Some((
                    Table { rows: (end + 1).min(text.len())..end, headers },
                    separator,
                    columns,
                    0,
                ));
            }
        }
        start = end + 1;
    }
    close(&mut open);
}

/// The separator of a line of column names, and how often it occurs: words, no long numbers, no
/// marks of prose or code.
fn header_of(line: &[u8]) -> Option<(u8, usize)> {
    if line.is_empty() || line.len() > HEADER {
        return None;
    }
    // Most lines are none: the first sign of code or of a value tells.
    let mut digits = 0;
    let mut before = b' ';
    for byte in line {
        // `f(a, b)` is a call.
        if *byte == b'(' && before.is_ascii_alphanumeric() {
            return None;
        }
        before = *byte;
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > 3 || matches!(byte, b'{' | b'}' | b'=' | b'@') {
            return None;
        }
    }
    let counts = SEPARATORS.map(|separator| (separator, count_of(line, separator)));
    let (separator, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    // A line of a program ends with what separates it from the next.
    let is_statement = separator != b'|' && line.trim_ascii_end().last() == Some(&separator);
    let has_words = line.iter().any(u8::is_ascii_alphabetic) || !line.is_ascii();
    ((1..COLUMNS).contains(&count) && has_words && !is_statement).then_some((separator, count))
}

/// Separators in a line that stand in no quotes.
fn count_of(line: &[u8], separator: u8) -> usize {
    if memchr::memchr(b'"', line).is_none() {
        return memchr::memchr_iter(separator, line).count();
    }
    let mut quoted = false;
    let mut count = 0;
    for byte in line {
        quoted ^= *byte == b'"';
        count += usize::from(*byte == separator && !quoted);
    }
    count
}

/// `<th>` cells in a row, and all that follows up to the table's end.
fn html(text: &[u8], tables: &mut Vec<Table>) {
    let mut at = 0;
    while let Some(ahead) = memchr::memmem::find(&text[at..], b"<th") {
        let first = at + ahead;
        let mut cells = Vec::new();
        let mut next = first;
        while cells.len() < COLUMNS
            && let Some(open) =
                memchr::memmem::find(&text[next..text.len().min(next + ROW)], b"<th")
        {
            let cell = next + open;
            // `<thead>` is no cell.
            let is_cell = matches!(text.get(cell + 3), Some(b'>' | b' '));
            next = cell + 3;
            if is_cell {
                let Some(start) = memchr::memchr(b'>', &text[next..]) else { break };
                let start = next + start + 1;
                let end = memchr::memchr(b'<', &text[start..]).map_or(text.len(), |e| start + e);
                cells.push(start..end);
                next = end;
            }
        }
        let end = memchr::memmem::find(&text[next..], b"</table").map_or(text.len(), |e| next + e);
        if !cells.is_empty() {
            tables.push(Table { rows: next..end, headers: Headers::Cells(cells) });
        }
        at = end.max(first + 3);
    }
}

/// `(a, b) VALUES`, and all that follows up to a semicolon at a line's end.
fn sql(text: &[u8], tables: &mut Vec<Table>) {
    for word in [&b"VALUES"[..], b"values"] {
        for found in memchr::memmem::find_iter(text, word) {
            let before = text[found.saturating_sub(ROW)..found].trim_ascii_end();
            let Some(list) = before.strip_suffix(b")") else { continue };
            let Some(open) = memchr::memrchr(b'(', list) else { continue };
            let start = found - (text[found.saturating_sub(ROW)..found].len() - open) + 1;
            let names = &list[open + 1..];
            let mut columns = Vec::new();
            let mut left = start;
            for name in names.split(|byte| *byte == b',').take(COLUMNS) {
                columns.push(left..left + name.len());
                left += name.len() + 1;
            }
            let rows = found + word.len();
            let mut end = rows;
            while let Some(ahead) = memchr::memchr(b';', &text[end..]) {
                end += ahead + 1;
                if text.get(end).is_none_or(u8::is_ascii_whitespace) {
                    break;
                }
            }
            let end = if end == rows { text.len() } else { end };
            tables.push(Table { rows: rows..end, headers: Headers::Columns(columns) });
        }
    }
}

/// How many values of a row are over: commas in no quotes.
fn values_before(row: &[u8]) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for byte in row {
        quoted ^= *byte == b'\'';
        count += usize::from(*byte == b',' && !quoted);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_header_of_its_column() {
        for (text, value, header) in [
            ("name,ssn,city\nAnn,536228731,Rome\n", "536228731", Some("ssn")),
            ("x\n\nname;ssn\n\"Lee; Ann\";536228731", "536228731", Some("ssn")),
            ("| Name | SSN |\n|---|---|\n| Ann | 536228731 |", "536228731", Some(" SSN ")),
            ("a,b\n1,2\nand 536228731 more", "536228731", None),
            ("f(\n a, ssn,\n b, 536228731,\n)", "536228731", None),
            ("def f(a, ssn):\n  g(a, 536228731)", "536228731", None),
            ("Well, yes\nhe said 536228731", "536228731", None),
            (
                "<table><thead><tr><th>Name</th><th class=\"x\">SSN</th></tr></thead>\
                 <tr><td>Ann</td><td>1</td></tr><tr><td>Bob</td><td>536228731</td></tr></table>",
                "536228731",
                Some("SSN"),
            ),
            (
                "<table><tr><th>Name</th><td>Ann</td></tr><tr><th>SSN</th><td>536228731</td></tr></table>",
                "536228731",
                Some("SSN"),
            ),
            ("<table><tr><th>SSN</th></tr></table><p>536228731</p>", "536228731", None),
            (
                "INSERT INTO people (name, ssn) VALUES\n ('Lee, Ann', '1'),\n ('Bob', '536228731');",
                "536228731",
                Some(" ssn"),
            ),
            ("insert into t (ssn) values (1);\nselect 536228731", "536228731", None),
        ] {
            let at = text.find(value).unwrap();
            let found = Tables::read(text.as_bytes()).header(text.as_bytes(), at);
            assert_eq!(found.map(|range| &text[range]), header, "{text}");
        }
    }
}
