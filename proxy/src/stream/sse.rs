//! Cuts a byte stream into Server-Sent Events, wherever the chunks of the network were cut.
//!
//! The rules are those of <https://html.spec.whatwg.org/multipage/server-sent-events.html>: lines
//! end in LF, CRLF or CR, in any mix; a blank line ends an event; several `data` lines are joined
//! by LF. Events are handed out as their raw bytes, terminator and comments included, so that
//! what is not changed can be passed on exactly as it came.
//!
//! Every byte is looked at once. An event that lies whole in a chunk is a slice of that chunk;
//! only what spans chunks is copied, and that up to a limit.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::StreamError;

/// The most bytes of one event, unless told otherwise. Generated images are the longest known.
pub const EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// The state between two chunks: what has arrived of an event that has not ended yet.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    partial: BytesMut,
    /// Nothing of the current line has come yet: a line end now would end the event.
    line_is_empty: bool,
    /// The last byte was a CR; a LF that follows belongs to it.
    after_cr: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(EVENT_LIMIT)
    }
}

impl Framer {
    /// Refuses events of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, partial: BytesMut::new(), line_is_empty: true, after_cr: false }
    }

    /// Takes the next whole event off the front of `chunk`.
    ///
    /// `None` means that no event ends in what is left of the chunk: it was taken in, and the
    /// next chunk is wanted. Blank lines come out as events without data.
    pub fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, StreamError> {
        let end = self.scan(chunk);
        if self.partial.len() + end.unwrap_or(chunk.len()) > self.limit {
            return Err(StreamError::TooLong { limit: self.limit });
        }
        match end {
            None => {
                self.partial.extend_from_slice(chunk);
                chunk.clear();
                Ok(None)
            }
            Some(end) if self.partial.is_empty() => Ok(Some(chunk.split_to(end))),
            Some(end) => {
                self.partial.extend_from_slice(&chunk.split_to(end));
                Ok(Some(std::mem::take(&mut self.partial).freeze()))
            }
        }
    }

    /// True where the last chunk ended in the middle of an event.
    pub fn is_inside_event(&self) -> bool {
        !self.partial.is_empty()
    }

    /// What came after the last blank line, once the stream has ended.
    ///
    /// The standard tells clients to forget it; the SDKs of the providers read it all the same.
    pub fn rest(&mut self) -> Option<Bytes> {
        self.line_is_empty = true;
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial).freeze())
    }

    /// Looks for the current event's end and returns the offset just past it.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_cr && bytes.first() == Some(&b'\n') {
            at = 1;
            if self.partial.is_empty() {
                // The event before it has been handed out. On its own, the LF is a blank line
                // that keeps its place whatever is put between the two events.
                self.after_cr = false;
                return Some(at);
            }
        }
        self.after_cr &= bytes.is_empty();
        while at < bytes.len() {
            let blank = self.line_is_empty;
            let Some(ahead) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.line_is_empty = false;
                return None;
            };
            let cr = bytes[at + ahead] == b'\r';
            let blank = blank && ahead == 0;
            at += ahead + 1;
            if cr && bytes.get(at) == Some(&b'\n') {
                at += 1;
            } else {
                self.after_cr = cr && at == bytes.len();
            }
            self.line_is_empty = true;
            if blank {
                return Some(at);
            }
        }
        None
    }
}

/// What an event's `data` lines say, and where it stands in the event.
#[derive(Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// The event has no data: a comment, a blank line, a lone `event` line.
    None,
    /// One line of data, in place.
    Line {
        /// The value, without field name, colon and the space after it.
        value: &'a [u8],
        /// Where it starts in the event.
        at: usize,
    },
    /// Several lines, joined by LF.
    Lines {
        /// The joined value.
        joined: Vec<u8>,
        /// For each line, where it starts in `joined` and where in the event.
        starts: Vec<(usize, usize)>,
    },
}

impl<'a> Data<'a> {
    /// Reads the data of an event.
    pub fn of(event: &'a [u8]) -> Self {
        let mut data = Self::None;
        for (at, line) in lines(event) {
            let Some((value, inside)) = field(line, b"data") else {
                continue;
            };
            data = match data {
                Self::None => Self::Line { value, at: at + inside },
                Self::Line { value: first, at: first_at } => Self::Lines {
                    joined: [first, b"\n", value].concat(),
                    starts: vec![(0, first_at), (first.len() + 1, at + inside)],
                },
                Self::Lines { mut joined, mut starts } => {
                    joined.push(b'\n');
                    starts.push((joined.len(), at + inside));
                    joined.extend_from_slice(value);
                    Self::Lines { joined, starts }
                }
            };
        }
        data
    }

    /// The value; empty where there is none.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Line { value, .. } => value,
            Self::Lines { joined, .. } => joined,
        }
    }

    /// Where a range of the value, which must lie within one line, stands in the event.
    pub fn place(&self, range: &Range<usize>) -> Range<usize> {
        let (joined, event) = match self {
            Self::None => (0, 0),
            Self::Line { at, .. } => (0, *at),
            Self::Lines { starts, .. } => starts
                .iter()
                .rev()
                .find(|(joined, _)| *joined <= range.start)
                .copied()
                .unwrap_or_default(),
        };
        event + range.start - joined..event + range.end - joined
    }
}

/// The event's name, from its `event` line.
pub fn name(event: &[u8]) -> Option<&[u8]> {
    lines(event).find_map(|(_, line)| field(line, b"event").map(|(value, _)| value))
}

/// The value of a line with this field name, and where it starts in the line.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<(&'a [u8], usize)> {
    match line.strip_prefix(name)? {
        [] => Some((&[], name.len())),
        [b':', b' ', value @ ..] => Some((value, name.len() + 2)),
        [b':', value @ ..] => Some((value, name.len() + 1)),
        _ => None,
    }
}

/// Each line with its place, without line ends. A byte order mark at the start is passed over.
fn lines(event: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = if event.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    std::iter::from_fn(move || {
        let rest = event.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        at += length + 1;
        Some((start, &rest[..length]))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All events of a stream that arrives in these chunks, the unfinished last one included.
    fn frame<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Bytes> {
        let mut framer = Framer::default();
        let mut events = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(event) = framer.next(&mut chunk).unwrap() {
                events.push(event);
            }
        }
        events.extend(framer.rest());
        events
    }

    fn values(events: &[Bytes]) -> Vec<String> {
        events
            .iter()
            .filter(|event| Data::of(event) != Data::None)
            .map(|event| String::from_utf8(Data::of(event).bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn lines_end_in_any_of_three_ways() {
        for text in [
            "data: a\n\ndata:b\n\n",
            "data: a\r\n\r\ndata:b\r\n\r\n",
            "data: a\r\rdata:b\r\r",
            "data: a\r\n\ndata:b\n\r\n",
            "data: a\n\rdata:b\r\n\r",
            "\u{feff}data: a\n\n: comment\ndata:b",
            "event: x\ndata: a\nid: 1\n\n\n\ndata:b\n",
        ] {
            let whole = frame([text.as_bytes()]);
            assert_eq!(values(&whole), ["a", "b"], "{text:?}");
            assert_eq!(whole.concat(), text.as_bytes());
            for cut in 0..=text.len() {
                let (left, right) = text.as_bytes().split_at(cut);
                let events = frame([left, right]);
                assert_eq!(values(&events), ["a", "b"], "{text:?} at {cut}");
                assert_eq!(events.concat(), text.as_bytes());
            }
            let events = frame(text.as_bytes().chunks(1));
            assert_eq!(values(&events), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn several_data_lines_are_one_value_with_places() {
        let event = b"data: {\"a\":\r\ndata:1,\ndata\ndata:  \"b\":2}\n\n";
        let data = Data::of(event);
        assert_eq!(data.bytes(), b"{\"a\":\n1,\n\n \"b\":2}");
        for part in ["\"a\"", "1,", "\"b\":2}"] {
            let start = memchr::memmem::find(data.bytes(), part.as_bytes()).unwrap();
            let place = data.place(&(start..start + part.len()));
            assert_eq!(&event[place], part.as_bytes());
        }
    }

    #[test]
    fn fields_are_read_by_their_whole_name() {
        assert_eq!(Data::of(b"database: x\n\n"), Data::None);
        assert_eq!(Data::of(b": data: x\n\n"), Data::None);
        assert_eq!(Data::of(b"data\n\n").bytes(), b"");
        assert_eq!(name(b"event: ping\ndata: {}\n\n"), Some(&b"ping"[..]));
        assert_eq!(name(b"data: {}\n\n"), None);
    }

    #[test]
    fn an_event_whole_in_a_chunk_is_not_copied() {
        let mut chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
        let (start, mut framer) = (chunk.as_ptr(), Framer::default());
        let event = framer.next(&mut chunk).unwrap().unwrap();
        assert_eq!(event.as_ptr(), start);
    }

    #[test]
    fn an_endless_line_is_refused_at_the_limit() {
        let mut framer = Framer::default();
        let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
        let taken = (0..50).take_while(|_| framer.next(&mut megabyte.clone()).is_ok());
        assert_eq!(taken.count(), EVENT_LIMIT >> 20);
        assert!(framer.partial.capacity() <= 2 * EVENT_LIMIT);
    }

    proptest! {
        #[test]
        fn chunk_borders_do_not_matter(
            text in "(data: ?[a{é]{0,3}|:|event: x|\r|\n|\r\n){0,20}",
            cuts in prop::collection::vec(0_usize..80, 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
            let cut = frame(chunks);
            prop_assert_eq!(values(&cut), values(&frame([text.as_bytes()])));
            prop_assert_eq!(cut.concat(), text.as_bytes());
        }
    }
}
