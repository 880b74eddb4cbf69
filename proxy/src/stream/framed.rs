//! Streams in Amazon's frames: each frame is read as the event that it holds, and goes on as it came
//! where that event does.
//!
//! The events themselves are metered, restored and searched by [`StreamRelay`], which knows lines and
//! not frames. What it changes, or makes of text that was held back, is framed anew with checks of
//! its own. A frame goes on once it is whole, so that an error can follow it at any time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use iron_policy::json::escape_into;
use iron_policy::json::{Event, Reader};

use super::frame::{self, Frame, Framer};
use super::sse::{self, Data};
use super::{
    Cap, Metered, POLICY_VIOLATION, Restorers, StreamError, StreamRelay, Unchanged, WireKind,
};

/// How the events of a stream are held apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// Amazon's frames.
    Frames,
}

/// One stream on its way, however it is framed.
pub enum Relay<F: Restorers = Unchanged> {
    /// Server-sent events.
    Events(StreamRelay<F>),
    /// Amazon's frames.
    Frames(FrameRelay<F>),
}

impl<F: Restorers> Relay<F> {
    /// Starts before the first byte; see [`StreamRelay::new`].
    pub fn new(
        framing: Framing,
        kind: WireKind,
        hide_usage_event: bool,
        restorers: Option<F>,
    ) -> Self {
        match framing {
            Framing::Events => Self::Events(StreamRelay::new(kind, hide_usage_event, restorers)),
            Framing::Frames => Self::Frames(FrameRelay::new(kind, restorers)),
        }
    }

    /// Ends the stream once it has cost what was reserved for it; see [`StreamRelay::within`].
    /// Frames have no end that could be written for them, and go on.
    #[must_use]
    pub fn within(self, cap: Option<Cap>) -> Self {
        match self {
            Self::Events(relay) => Self::Events(relay.within(cap)),
            frames @ Self::Frames(_) => frames,
        }
    }

    /// See [`StreamRelay::cut`].
    pub fn cut(&mut self, out: &mut Vec<Bytes>) -> Result<Metered, StreamError> {
        self.inner().cut(out)
    }

    /// Takes the next bytes from the upstream and appends what can go to the client.
    ///
    /// An error ends the stream: follow it with [`fail`](Self::fail).
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        match self {
            Self::Events(relay) => relay.push(chunk, out),
            Self::Frames(relay) => relay.push(chunk, out),
        }
    }

    /// The upstream's stream ended by itself: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Metered, StreamError> {
        match self {
            Self::Events(relay) => relay.finish(out),
            Self::Frames(relay) => relay.finish(out),
        }
    }

    /// The stream broke off: appends what was held back and an error in the stream's own form.
    pub fn fail(&mut self, code: &str, message: &str, request_id: &str, out: &mut Vec<Bytes>) {
        match self {
            Self::Events(relay) => relay.fail(code, message, request_id, out),
            Self::Frames(relay) => relay.fail(code, message, request_id, out),
        }
    }

    /// Nothing more comes: what only looks at texts looks at their ends.
    pub fn abandon(&mut self) {
        self.inner().abandon();
    }

    /// Nobody takes what comes from now on: it is read for its usage alone.
    pub fn only_meter(&mut self) {
        if let Self::Frames(relay) = self {
            relay.edits = false;
        }
        self.inner().only_meter();
    }

    /// What was metered so far.
    pub const fn metered(&self) -> &Metered {
        match self {
            Self::Events(relay) => relay.metered(),
            Self::Frames(relay) => relay.relay.metered(),
        }
    }

    const fn inner(&mut self) -> &mut StreamRelay<F> {
        match self {
            Self::Events(relay) => relay,
            Self::Frames(relay) => &mut relay.relay,
        }
    }
}

/// One stream of frames on its way.
pub struct FrameRelay<F: Restorers = Unchanged> {
    kind: WireKind,
    framer: Framer,
    relay: StreamRelay<F>,
    /// Whether events may become others.
    edits: bool,
    /// What the events' relay put out, reused.
    events: Vec<Bytes>,
}

impl<F: Restorers> FrameRelay<F> {
    fn new(kind: WireKind, restorers: Option<F>) -> Self {
        let edits = restorers.as_ref().is_some_and(|restorers| !restorers.only_looks());
        let relay = StreamRelay::new(kind, false, restorers);
        Self { kind, framer: Framer::default(), relay, edits, events: Vec::new() }
    }

    fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        while let Some(frame) = self.framer.next(&mut chunk)? {
            let Err(error) = self.pass(frame, out) else { continue };
            // What else has come says what the answer costs.
            while let Ok(Some(frame)) = self.framer.next(&mut chunk) {
                if let Some(event) = Frame::read(&frame).ok().and_then(|frame| self.event(&frame)) {
                    self.relay.note(&event);
                }
            }
            return Err(error);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Metered, StreamError> {
        if self.framer.is_inside_frame() {
            return Err(StreamError::Corrupt);
        }
        self.events.clear();
        let metered = self.relay.finish(&mut self.events)?;
        self.frame_all(None, out);
        Ok(metered)
    }

    fn fail(&mut self, code: &str, message: &str, request_id: &str, out: &mut Vec<Bytes>) {
        self.events.clear();
        self.relay.fail(code, message, request_id, &mut self.events);
        // The error of the dialect in lines stands last.
        self.events.pop();
        self.frame_all(None, out);
        let name = if code == POLICY_VIOLATION {
            "validationException"
        } else {
            "modelStreamErrorException"
        };
        let mut payload = String::from("{\"message\":\"");
        escape_into(&mut payload, &format!("{message} ({code}, {request_id})"));
        payload.push_str("\"}");
        out.push(frame::exception(name, payload.as_bytes()));
    }

    /// Passes a frame on, as it is or changed.
    fn pass(&mut self, whole: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let read = Frame::read(&whole)?;
        let Some(event) = self.event(&read) else {
            out.push(whole);
            return Ok(());
        };
        self.events.clear();
        self.relay.push(event.clone(), &mut self.events)?;
        let same = matches!(&self.events[..], [only] if *only == event);
        if !self.edits || same {
            out.push(whole);
            return Ok(());
        }
        self.frame_all(Some((&read, &whole)), out);
        Ok(())
    }

    /// Frames what the events' relay put out. The last event is what the frame at hand has become;
    /// those before it were made for text that was held back.
    fn frame_all(&self, at_hand: Option<(&Frame<'_>, &Bytes)>, out: &mut Vec<Bytes>) {
        if !self.edits {
            return;
        }
        let mut framer = sse::Framer::default();
        let mut rest = Bytes::from(self.events.concat());
        let mut datas = Vec::new();
        while let Ok(Some(event)) = framer.next(&mut rest) {
            let data = Data::of(&event);
            if data != Data::None {
                datas.push(data.bytes().to_vec());
            }
        }
        let own = at_hand.and_then(|at_hand| datas.pop().map(|data| (at_hand, data)));
        out.extend(datas.iter().filter_map(|data| self.made(data)));
        let Some(((read, whole), data)) = own else { return };
        let changed = if read.is_error() { None } else { self.changed(read, &data) };
        out.push(changed.unwrap_or_else(|| whole.clone()));
    }

    /// The event that a frame holds, as a server would send it in lines; none where it is not known.
    fn event(&self, frame: &Frame<'_>) -> Option<Bytes> {
        let named = !frame.name.is_empty() && frame.name.bytes().all(|b| b.is_ascii_alphanumeric());
        if !named {
            return None;
        }
        let data = if frame.is_error() {
            format!("{{\"type\":\"error\",\"error\":{{\"type\":\"{}\"}}}}", frame.name).into_bytes()
        } else if self.kind == WireKind::Converse {
            [b"{\"", frame.name.as_bytes(), b"\":", frame.payload, b"}"].concat()
        } else {
            let payload = std::str::from_utf8(frame.payload).ok()?;
            BASE64.decode(&payload[frame::text_of(payload, "bytes")?]).ok()?
        };
        // JSON has line ends between values alone.
        let line = data.into_iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b });
        Some(b"data: ".iter().copied().chain(line).chain(*b"\n\n").collect())
    }

    /// A frame for an event that was made.
    fn made(&self, data: &[u8]) -> Option<Bytes> {
        if self.kind == WireKind::Converse {
            let (name, payload) = unwrapped(data)?;
            return Some(frame::event(name, payload.as_bytes()));
        }
        let payload = format!("{{\"bytes\":\"{}\"}}", BASE64.encode(data));
        Some(frame::event("chunk", payload.as_bytes()))
    }

    /// The frame at hand with what its event has become.
    fn changed(&self, frame: &Frame<'_>, data: &[u8]) -> Option<Bytes> {
        if self.kind == WireKind::Converse {
            return Some(frame.with(unwrapped(data)?.1.as_bytes()));
        }
        let payload = std::str::from_utf8(frame.payload).ok()?;
        let place = frame::text_of(payload, "bytes")?;
        let bytes = BASE64.encode(data);
        let payload = [&payload[..place.start], &bytes, &payload[place.end..]].concat();
        Some(frame.with(payload.as_bytes()))
    }
}

/// The name and the value of an object's only member.
fn unwrapped(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data).ok()?;
    let mut reader = Reader::over(text);
    let Ok(Some(Event::BeginObject)) = reader.next() else { return None };
    let Ok(Some(Event::Key(name))) = reader.next() else { return None };
    let value = reader.skip().ok()?;
    Some((name.raw(), &text[value]))
}
