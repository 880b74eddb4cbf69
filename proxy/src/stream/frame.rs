//! Cuts a byte stream into frames of Amazon's event stream encoding, and writes such frames.
//!
//! ```text
//! total length u32 | headers' length u32 | CRC-32 of these | headers | payload | CRC-32 of all
//! ```
//!
//! Big-endian throughout; `application/vnd.amazon.eventstream`,
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>. A frame whose lengths or checks do not add
//! up ends the stream: what follows it could not be found any more.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::StreamError;
use super::sse::EVENT_LIMIT;

/// The media type of such a stream.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

const PRELUDE: usize = 12;
const CHECK: usize = 4;
/// The type of a header's value that is text.
const TEXT: u8 = 7;

/// What has arrived of a frame that is not whole yet.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    partial: BytesMut,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(EVENT_LIMIT)
    }
}

impl Framer {
    /// Refuses frames of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, partial: BytesMut::new() }
    }

    /// Takes the next whole frame off the front of `chunk`; none where the next chunk is wanted.
    pub fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, StreamError> {
        if self.partial.is_empty() {
            let Some(length) = self.length(chunk)?.filter(|length| *length <= chunk.len()) else {
                self.partial.extend_from_slice(chunk);
                chunk.clear();
                return Ok(None);
            };
            return Ok(Some(chunk.split_to(length)));
        }
        self.fill(PRELUDE, chunk);
        let Some(length) = self.length(&self.partial)? else { return Ok(None) };
        self.fill(length, chunk);
        let whole = self.partial.len() == length;
        Ok(whole.then(|| std::mem::take(&mut self.partial).freeze()))
    }

    /// True where the last chunk ended in the middle of a frame.
    pub fn is_inside_frame(&self) -> bool {
        !self.partial.is_empty()
    }

    fn fill(&mut self, wanted: usize, chunk: &mut Bytes) {
        let missing = wanted.saturating_sub(self.partial.len()).min(chunk.len());
        self.partial.extend_from_slice(&chunk.split_to(missing));
    }

    /// The length of the frame that begins here, once its prelude is there and adds up.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, StreamError> {
        let Some(prelude) = bytes.first_chunk::<PRELUDE>() else { return Ok(None) };
        if crc32fast::hash(&prelude[..8]) != number(prelude, 8) {
            return Err(StreamError::Corrupt);
        }
        let (length, headers) = (number(prelude, 0) as usize, number(prelude, 4) as usize);
        if length > self.limit {
            return Err(StreamError::TooLong { limit: self.limit });
        }
        if length < PRELUDE + CHECK || headers > length - PRELUDE - CHECK {
            return Err(StreamError::Corrupt);
        }
        Ok(Some(length))
    }
}

/// The big-endian number at a place; 0 where there are no four bytes.
fn number(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
    found.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// A whole frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The headers as they came.
    headers: &'a [u8],
    /// What is in it.
    pub payload: &'a [u8],
    /// `:message-type`: `event`, `exception` or `error`.
    pub message_type: &'a str,
    /// `:event-type`, or `:exception-type`, or `:error-code`: what it is.
    pub name: &'a str,
}

impl<'a> Frame<'a> {
    /// Takes a frame of a [`Framer`] apart and checks it.
    pub fn read(frame: &'a [u8]) -> Result<Self, StreamError> {
        let end = frame.len().checked_sub(CHECK).ok_or(StreamError::Corrupt)?;
        if crc32fast::hash(&frame[..end]) != number(frame, end) {
            return Err(StreamError::Corrupt);
        }
        let payload = PRELUDE + number(frame, 4) as usize;
        let headers = frame.get(PRELUDE..payload).ok_or(StreamError::Corrupt)?;
        let payload = frame.get(payload..end).ok_or(StreamError::Corrupt)?;
        let mut found = Self { headers, payload, message_type: "", name: "" };
        let mut rest = headers;
        while !rest.is_empty() {
            let (name, value) = header(&mut rest).ok_or(StreamError::Corrupt)?;
            match name {
                b":message-type" => found.message_type = value,
                b":event-type" | b":exception-type" | b":error-code" => found.name = value,
                _ => {}
            }
        }
        Ok(found)
    }

    /// True where the frame says that the stream cannot go on.
    pub fn is_error(&self) -> bool {
        matches!(self.message_type, "exception" | "error")
    }

    /// The same frame with another payload.
    pub fn with(&self, payload: &[u8]) -> Bytes {
        written(self.headers, payload)
    }
}

/// Takes one header off: its name, and its value where that is text.
fn header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a str)> {
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        *rest = left;
        Some(taken)
    };
    let length = usize::from(*take(1)?.first()?);
    let name = take(length)?;
    let kind = *take(1)?.first()?;
    let length = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | TEXT => usize::from(u16::from_be_bytes(*take(2)?.first_chunk()?)),
        _ => return None,
    };
    let value = take(length)?;
    let text = if kind == TEXT { std::str::from_utf8(value).ok()? } else { "" };
    Some((name, text))
}

/// A frame of an event with JSON in it.
pub fn event(name: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::with_capacity(96);
    for (key, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        text_header(&mut headers, key, value);
    }
    written(&headers, payload)
}

/// A frame that ends a stream with an error.
pub fn exception(name: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::with_capacity(96);
    for (key, value) in [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ] {
        text_header(&mut headers, key, value);
    }
    written(&headers, payload)
}

/// Names and values here are short words of ours, or of a frame that was read.
fn text_header(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value[..value.floor_char_boundary(usize::from(u16::MAX))];
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.push(TEXT);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn written(headers: &[u8], payload: &[u8]) -> Bytes {
    let length = PRELUDE + headers.len() + payload.len() + CHECK;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    let check = crc32fast::hash(&out);
    out.extend_from_slice(&check.to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    let check = crc32fast::hash(&out);
    out.extend_from_slice(&check.to_be_bytes());
    out.into()
}

/// Where the text of a member stands in a flat JSON object, without its quotes; none where the
/// payload has no such member. Used for payloads that hold bytes as base64.
pub(super) fn text_of(payload: &str, name: &str) -> Option<Range<usize>> {
    let mut found = None;
    let read =
        super::walk::members(&mut iron_policy::json::Reader::over(payload), |key, reader| {
            if key.is(name) {
                found = super::walk::string(reader)?.map(|text| text.range());
            } else {
                reader.skip()?;
            }
            Ok(())
        });
    found.filter(|_| read == Ok(true))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Bytes>, StreamError> {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(frame) = framer.next(&mut chunk)? {
                found.push(frame);
            }
        }
        Ok(found)
    }

    #[test]
    fn a_frame_of_the_specification_is_read_and_written_alike() {
        // The encoding's own example: headers `:message-type: event`, payload `{"a":1}`; checks
        // computed with zlib's crc32.
        let frame = event("metadata", b"{\"a\":1}");
        let read = Frame::read(&frame).unwrap();
        assert_eq!(
            (read.message_type, read.name, read.payload),
            ("event", "metadata", &b"{\"a\":1}"[..])
        );
        assert_eq!(&frame[..4], (frame.len() as u32).to_be_bytes());
        assert_eq!(read.with(read.payload), frame);
        assert!(Frame::read(&exception("throttlingException", b"{}")).unwrap().is_error());
    }

    #[test]
    fn a_frame_that_does_not_add_up_ends_the_stream() {
        let good = event("metadata", b"{}");
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            let found = frames([&bad[..]]).and_then(|frames| {
                frames
                    .iter()
                    .map(|frame| Frame::read(frame).map(|_| ()))
                    .collect::<Result<Vec<_>, _>>()
            });
            assert_eq!(found, Err(StreamError::Corrupt), "byte {at}");
        }
    }

    #[test]
    fn a_length_is_believed_only_up_to_the_limit() {
        let mut huge = u32::MAX.to_be_bytes().to_vec();
        huge.extend(0_u32.to_be_bytes());
        huge.extend(crc32fast::hash(&huge[..8]).to_be_bytes());
        assert_eq!(frames([&huge[..]]), Err(StreamError::TooLong { limit: EVENT_LIMIT }));
        for (length, headers) in [(15_u32, 0_u32), (0, 0), (16, 1), (20, u32::MAX)] {
            let mut bad = [length.to_be_bytes(), headers.to_be_bytes()].concat();
            bad.extend(crc32fast::hash(&bad).to_be_bytes());
            bad.extend([0; 16]);
            assert_eq!(frames([&bad[..]]), Err(StreamError::Corrupt), "{length} {headers}");
        }
    }

    proptest! {
        #[test]
        fn chunk_borders_do_not_matter(
            payloads in prop::collection::vec("[a-z{}\":]{0,40}", 1..5),
            cuts in prop::collection::vec(0_usize..600, 0..8),
        ) {
            let whole: Vec<u8> =
                payloads.iter().flat_map(|payload| event("chunk", payload.as_bytes())).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let found = frames(cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]])).unwrap();
            let read: Vec<_> = found
                .iter()
                .map(|frame| String::from_utf8(Frame::read(frame).unwrap().payload.to_vec()).unwrap())
                .collect();
            prop_assert_eq!(read, payloads);
            prop_assert_eq!(found.concat(), whole);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut framer = Framer::with_limit(64);
            let mut chunk = Bytes::from(bytes);
            while let Ok(Some(frame)) = framer.next(&mut chunk) {
                let _ = Frame::read(&frame);
            }
            prop_assert!(framer.partial.len() <= 200);
        }

        #[test]
        fn any_headers_are_read_or_an_error(
            headers in prop::collection::vec(any::<u8>(), 0..80),
            payload in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let frame = written(&headers, &payload);
            if let Ok(read) = Frame::read(&frame) {
                prop_assert_eq!(read.payload, &payload[..]);
            }
        }
    }
}
