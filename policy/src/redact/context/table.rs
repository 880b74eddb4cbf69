//! Tables in a text: CSV, TSV, Markdown. A column's header is the label of its values.

use std::ops::Range;

/// Lines longer than this are no rows, in bytes.
const ROW: usize = 4096;
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The tables of one text, in order.
#[derive(Default)]
pub(in crate::redact) struct Tables(Vec<Table>);

struct Table {
    rows: Range<usize>,
    header: Range<usize>,
    separator: u8,
}

impl Tables {
    /// Finds them in one pass: lines that follow one another with equally many separators, the
    /// first of which holds words and no numbers.
    pub(in crate::redact) fn read(text: &[u8]) -> Self {
        let mut tables = Vec::new();
        let mut open: Option<(Table, usize, usize)> = None;
        let mut start = 0;
        while start < text.len() {
            let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
            let line = start..end;
            let (separator, count) = separators(&text[line.clone()]);
            let goes_on = open.as_ref().is_some_and(|(table, columns, _)| {
                count > 0 && count_of(&text[line.clone()], table.separator) == *columns
            });
            if goes_on {
                if let Some((table, _, rows)) = &mut open {
                    table.rows.end = end;
                    *rows += 1;
                }
            } else {
                tables
                    .extend(open.take().filter(|(_, _, rows)| *rows > 0).map(|(table, ..)| table));
                if count > 0 && is_header(&text[line.clone()]) {
                    let table = Table { rows: end..end, header: line, separator };
                    open = Some((table, count, 0));
                }
            }
            start = end + 1;
        }
        tables.extend(open.filter(|(_, _, rows)| *rows > 0).map(|(table, ..)| table));
        Self(tables)
    }

    /// The header of the column that the byte at `at` stands in.
    pub(in crate::redact) fn header(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let place = self.0.partition_point(|table| table.rows.end <= at);
        let table = self.0.get(place).filter(|table| table.rows.contains(&at))?;
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |line| line + 1);
        let column = count_of(&text[start..at], table.separator);
        let mut left = table.header.start;
        for _ in 0..column {
            left += memchr::memchr(table.separator, &text[left..table.header.end])? + 1;
        }
        let right = memchr::memchr(table.separator, &text[left..table.header.end]);
        Some(left..right.map_or(table.header.end, |length| left + length))
    }
}

/// The separator that a line has most of, and how many.
fn separators(line: &[u8]) -> (u8, usize) {
    if line.len() > ROW {
        return (b',', 0);
    }
    let counts = SEPARATORS.map(|separator| (separator, count_of(line, separator)));
    counts.into_iter().max_by_key(|(_, count)| *count).unwrap_or((b',', 0))
}

/// Separators in a line that stand in no quotes.
fn count_of(line: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for byte in line {
        quoted ^= *byte == b'"';
        count += usize::from(*byte == separator && !quoted);
    }
    count
}

/// Names of columns: words, no long numbers, no marks of prose or code.
fn is_header(line: &[u8]) -> bool {
    let mut digits = 0;
    for byte in line {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > 3 || b"{}=@".contains(byte) {
            return false;
        }
    }
    line.iter().any(u8::is_ascii_alphabetic) || !line.is_ascii()
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
            ("Well, yes\nhe said 536228731", "536228731", None),
        ] {
            let at = text.find(value).unwrap();
            let found = Tables::read(text.as_bytes()).header(text.as_bytes(), at);
            assert_eq!(found.map(|range| &text[range]), header, "{text}");
        }
    }
}
