//! Steps through JSON values with the positional reader, without building a tree.
//!
//! Each function takes exactly the value that comes next off the reader. A value of another shape
//! than the one asked for is passed over, since an answer may carry anything beside what is read.

use iron_policy::json::{Event, JsonError, Reader, Text};

/// Calls `each` with every member of an object; `each` must take the member's value. False where
/// the value is no object.
pub(super) fn members<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(Text<'a>, &mut Reader<'a>) -> Result<(), JsonError>,
) -> Result<bool, JsonError> {
    match take(reader)? {
        Event::BeginObject => {
            while let Event::Key(key) = take(reader)? {
                each(key, reader)?;
            }
            Ok(true)
        }
        other => pass_over(reader, &other).map(|()| false),
    }
}

/// Calls `each` with the place of every object in an array; `each` must take that object. Other
/// items are passed over. Returns the number of items, `None` where the value is no array.
pub(super) fn items<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(u64, &mut Reader<'a>) -> Result<(), JsonError>,
) -> Result<Option<u64>, JsonError> {
    let first = take(reader)?;
    if first != Event::BeginArray {
        return pass_over(reader, &first).map(|()| None);
    }
    let mut place = 0;
    loop {
        // A copy of the reader costs five words and spares it a way to step back.
        let here = reader.clone();
        match take(reader)? {
            Event::EndArray => return Ok(Some(place)),
            Event::BeginObject => {
                *reader = here;
                each(place, reader)?;
            }
            other => pass_over(reader, &other)?,
        }
        place += 1;
    }
}

/// The text of a string.
pub(super) fn string<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, JsonError> {
    match take(reader)? {
        Event::String(text) => Ok(Some(text)),
        other => pass_over(reader, &other).map(|()| None),
    }
}

/// A number that counts something: negative ones are no counts, fractions are rounded up.
pub(super) fn count(reader: &mut Reader<'_>) -> Result<Option<u64>, JsonError> {
    match take(reader)? {
        Event::Number(number) => Ok(number.parse().ok().or_else(|| {
            let value = number.parse::<f64>().ok()?;
            (value >= 0.0).then_some(value.ceil() as u64)
        })),
        other => pass_over(reader, &other).map(|()| None),
    }
}

/// The next event, where the document cannot end yet.
pub(super) fn take<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>, JsonError> {
    reader.next()?.ok_or(JsonError::Early)
}

/// Takes the rest of the value that starts with `first`.
pub(super) fn pass_over(reader: &mut Reader<'_>, first: &Event<'_>) -> Result<(), JsonError> {
    if matches!(first, Event::BeginObject | Event::BeginArray) {
        let inside = reader.depth();
        while reader.depth() >= inside {
            take(reader)?;
        }
    }
    Ok(())
}

/// Takes the next value, whatever it is.
pub(super) fn skip(reader: &mut Reader<'_>) -> Result<(), JsonError> {
    reader.skip()?;
    Ok(())
}
