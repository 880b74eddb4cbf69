//! The reader says of any bytes what `serde_json` says of them, and where each value stands.

use iron_policy::json::{Event, JsonError, Reader, Text};
use serde_json::{Map, Value};

/// Reads the bytes with both.
pub fn check(data: &[u8]) {
    let expected = serde_json::from_slice::<Value>(data);
    match (value_of(data), expected) {
        (Ok(value), Ok(expected)) => assert_eq!(value, expected),
        (Err(_), Err(_)) => {}
        (Ok(value), Err(error)) => panic!("read as {value}, but serde_json says: {error}"),
        (Err(error), Ok(expected)) => panic!("{error}, but serde_json reads {expected}"),
    }
    if let Ok(mut reader) = Reader::new(data)
        && let Ok(range) = reader.skip()
        && reader.next() == Ok(None)
    {
        let trimmed = std::str::from_utf8(data).unwrap().trim_matches([' ', '\n', '\r', '\t']);
        assert_eq!(&data[range], trimmed.as_bytes());
    }
}

/// The document as a tree.
fn value_of(data: &[u8]) -> Result<Value, JsonError> {
    let mut reader = Reader::new(data)?;
    let event = reader.next()?.ok_or(JsonError::Early)?;
    let value = value(event, &mut reader, data)?;
    assert_eq!(reader.depth(), 0);
    match reader.next()? {
        None => Ok(value),
        Some(event) => panic!("{event:?} after the end"),
    }
}

fn value(event: Event<'_>, reader: &mut Reader<'_>, data: &[u8]) -> Result<Value, JsonError> {
    Ok(match event {
        Event::Null => Value::Null,
        Event::Bool(is) => Value::Bool(is),
        Event::Number(number) => serde_json::from_str(number).unwrap(),
        Event::String(text) => Value::String(decoded(text, data)),
        Event::BeginArray => {
            let mut items = Vec::new();
            loop {
                match reader.next()?.ok_or(JsonError::Early)? {
                    Event::EndArray => break Value::Array(items),
                    event => items.push(value(event, reader, data)?),
                }
            }
        }
        Event::BeginObject => {
            let mut members = Map::new();
            loop {
                match reader.next()?.ok_or(JsonError::Early)? {
                    Event::EndObject => break Value::Object(members),
                    Event::Key(key) => {
                        let event = reader.next()?.ok_or(JsonError::Early)?;
                        members.insert(decoded(key, data), value(event, reader, data)?);
                    }
                    event => panic!("{event:?} instead of a key"),
                }
            }
        }
        event => panic!("{event:?} instead of a value"),
    })
}

/// The text, once its place and that of each of its characters are known to be right.
fn decoded(text: Text<'_>, data: &[u8]) -> String {
    let range = text.range();
    assert_eq!(&data[range.clone()], text.raw().as_bytes());
    assert_eq!((data[range.start - 1], data[range.end]), (b'"', b'"'));
    let decoded = text.decode();
    let borders = decoded.char_indices().map(|(at, _)| at).chain([decoded.len()]);
    let places = text.locate(borders);
    assert_eq!(places.first(), Some(&range.start));
    assert_eq!(places.last(), Some(&range.end));
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
    decoded.into_owned()
}
