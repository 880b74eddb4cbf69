//! Wherever a placeholder, an event or a character is cut, the client sees the same.

use super::double::{Double, PLACEHOLDER, restored};
use super::fixtures::{SHAPES, Shape, events, run, text};
use crate::stream::StreamRelay;

fn sample(shape: &Shape) -> String {
    if shape.json {
        format!(r#"{{"to":"{PLACEHOLDER}","é":["<{PLACEHOLDER}{PLACEHOLDER}"],"lt":"<EMA"}}"#)
    } else {
        format!("é \"{PLACEHOLDER}\"\n<{PLACEHOLDER}{PLACEHOLDER} 😀 <EMA")
    }
}

fn relay(shape: &Shape) -> StreamRelay<Double> {
    StreamRelay::new(shape.kind, false, Some(Double))
}

/// The events without their pieces, and without those that have no upstream event.
fn skeleton(shape: &Shape, stream: &str) -> Vec<serde_json::Value> {
    let without = |event: serde_json::Value| match (shape.piece)(&event) {
        Some(_) => None,
        None => Some(event),
    };
    events(stream).into_iter().filter_map(without).collect()
}

#[test]
fn a_text_cut_into_three_pieces_anywhere_comes_out_the_same() {
    for shape in &SHAPES {
        let whole = sample(shape);
        let expected = restored(&whole, shape.json);
        let borders: Vec<_> = (0..=whole.len()).filter(|at| whole.is_char_boundary(*at)).collect();
        let (reference, _) = run(relay(shape), [(shape.stream)(&[&whole]).as_bytes()]);
        let closing = skeleton(shape, &reference);
        for &first in &borders {
            for &second in borders.iter().filter(|at| **at >= first) {
                let pieces = [&whole[..first], &whole[first..second], &whole[second..]];
                let stream = (shape.stream)(&pieces);
                let (out, metered) = run(relay(shape), [stream.as_bytes()]);
                let place = (shape.name, first, second);
                assert_eq!(text(shape, &out), expected, "{place:?}");
                if shape.kind != crate::stream::WireKind::Responses {
                    assert_eq!(skeleton(shape, &out), closing, "{place:?}");
                }
                assert!(metered.complete, "{place:?}");
            }
        }
        let letters: Vec<_> = whole.split_inclusive(|_| true).collect();
        let (out, _) = run(relay(shape), [(shape.stream)(&letters).as_bytes()]);
        assert_eq!(text(shape, &out), expected, "{}", shape.name);
    }
}

#[test]
fn bytes_cut_anywhere_come_out_the_same() {
    for shape in &SHAPES {
        let whole = sample(shape);
        let (left, right) = whole.split_at(whole.find("AIL").unwrap());
        for ends in ["\n", "\r\n", "\r"] {
            let stream = (shape.stream)(&[left, right]).replace('\n', ends);
            let bytes = stream.as_bytes();
            let (reference, metered) = run(relay(shape), [bytes]);
            assert_eq!(text(shape, &reference), restored(&whole, shape.json));
            for cut in 0..=bytes.len() {
                let (left, right) = bytes.split_at(cut);
                let (out, again) = run(relay(shape), [left, right]);
                assert_eq!(out, reference, "{} at {cut}", shape.name);
                assert_eq!(again, metered);
            }
            let (out, _) = run(relay(shape), bytes.chunks(1));
            assert_eq!(out, reference, "{}", shape.name);
        }
    }
}

#[test]
fn no_blank_line_at_the_end_is_an_end_all_the_same() {
    for shape in &SHAPES {
        let whole = sample(shape);
        let stream = (shape.stream)(&[&whole]);
        for stripped in [stream.trim_end(), &stream[..stream.len() - 1]] {
            let (out, metered) = run(relay(shape), [stripped.as_bytes()]);
            assert_eq!(text(shape, &out), restored(&whole, shape.json));
            assert!(metered.complete, "{}", shape.name);
        }
    }
}

#[test]
fn without_placeholders_every_byte_is_the_same() {
    for shape in &SHAPES {
        for ends in ["\n", "\r\n", "\r"] {
            let stream = (shape.stream)(&["plain é", " \"text\" ", "\\u00e9"]).replace('\n', ends);
            for size in [1, 7, 64, stream.len()] {
                let chunks = stream.as_bytes().chunks(size);
                let (restoring, metered) = run(relay(shape), chunks.clone());
                assert_eq!(restoring, stream, "{}", shape.name);
                let watch: StreamRelay = StreamRelay::new(shape.kind, false, None);
                assert_eq!(run(watch, chunks), (stream.clone(), metered));
            }
        }
    }
}
