//! Passes a stream on to the client, metering it and editing what must be edited.

use bytes::Bytes;

use super::editor::Editor;
use super::{Restorers, Unchanged};
use crate::stream::sse::{Data, Framer};
use crate::stream::{Meter, Metered, Noted, StreamError, WireKind, error_event};

/// One stream on its way.
///
/// Where nothing is restored or hidden, chunks are passed on at once and byte for byte, and the
/// meter reads along. Otherwise each event is passed on as soon as it is whole, byte for byte
/// but for the texts that change.
pub struct StreamRelay<F: Restorers = Unchanged> {
    kind: WireKind,
    framer: Framer,
    meter: Meter,
    way: Way<F>,
}

enum Way<F: Restorers> {
    /// The meter reads along. `lost` once an event was too long for it.
    Watch { lost: bool },
    /// Events are held until they are whole.
    Edit {
        hide_usage_event: bool,
        editor: Option<Editor<F>>,
        /// What was put out last has no blank line at its end.
        unterminated: bool,
    },
}

impl<F: Restorers> StreamRelay<F> {
    /// Starts before the first byte.
    ///
    /// `hide_usage_event` drops the usage-only chunk of OpenAI's chat and completions, for
    /// clients that did not ask for it. `restorers` is `None` where no placeholder can occur.
    pub fn new(kind: WireKind, hide_usage_event: bool, restorers: Option<F>) -> Self {
        let way = if hide_usage_event || restorers.is_some() {
            Way::Edit {
                hide_usage_event,
                editor: restorers.map(|restorers| Editor::new(kind, restorers)),
                unterminated: false,
            }
        } else {
            Way::Watch { lost: false }
        };
        Self { kind, framer: Framer::default(), meter: Meter::new(kind), way }
    }

    /// Takes the next bytes from the upstream and appends what can go to the client.
    ///
    /// An error ends the stream: follow it with [`fail`](Self::fail).
    pub fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        match &mut self.way {
            Way::Watch { lost } => {
                out.push(chunk.clone());
                while !*lost && !chunk.is_empty() {
                    match self.framer.next(&mut chunk) {
                        Ok(Some(event)) => {
                            self.meter.event(Data::of(&event).bytes());
                        }
                        Ok(None) => break,
                        // Passing on needs no framing. What is unread stays unmetered, and what
                        // was read is a floor of the bill.
                        Err(_) => {
                            *lost = true;
                            self.framer.rest();
                        }
                    }
                }
                Ok(())
            }
            Way::Edit { .. } => self.push_edited(chunk, out),
        }
    }

    /// The upstream's stream ended by itself: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Metered {
        let rest = self.framer.rest();
        if let Way::Watch { lost } = self.way {
            if !lost {
                let rest = rest.unwrap_or_default();
                self.meter.event(Data::of(&rest).bytes());
                self.meter.end();
            }
            return self.metered().clone();
        }
        if let Some(rest) = rest {
            // An error could only be about too many open texts; the event passes unrestored.
            match self.edit(&rest) {
                Ok(Change::Pass) | Err(_) => out.push(rest),
                Ok(Change::Replace(event)) => out.push(event),
                Ok(Change::Drop) => {}
            }
            if let Way::Edit { unterminated, .. } = &mut self.way {
                *unterminated = true;
            }
        }
        self.release(out);
        self.meter.end();
        self.metered().clone()
    }

    /// The stream broke off: appends what was held back and the dialect's error event.
    ///
    /// An event that came in part is not passed on; where its first part went out already, it is
    /// ended, so that the error stands in an event of its own.
    pub fn fail(&mut self, code: &str, message: &str, request_id: &str, out: &mut Vec<Bytes>) {
        if let Way::Watch { lost } = self.way
            && (lost || self.framer.is_inside_event())
        {
            out.push(Bytes::from_static(b"\n\n"));
        }
        self.release(out);
        out.push(error_event(self.kind, code, message, request_id));
    }

    /// What was metered so far; after a stream that was cut short, all there is.
    pub const fn metered(&self) -> &Metered {
        self.meter.metered()
    }

    /// Appends what the channels hold back.
    fn release(&mut self, out: &mut Vec<Bytes>) {
        if let Way::Edit { editor: Some(editor), unterminated, .. } = &mut self.way
            && let Some(held) = editor.close_all()
        {
            if std::mem::take(unterminated) {
                out.push(Bytes::from_static(b"\n\n"));
            }
            out.push(held.into());
        }
    }

    /// Neighbouring events that pass as they are leave as one slice of the chunk.
    fn push_edited(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let whole = chunk.clone();
        let mut passing = 0..0;
        loop {
            let spans_chunks = self.framer.is_inside_event();
            let event = match self.framer.next(&mut chunk) {
                Ok(Some(event)) => Ok(event),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            let end = whole.len() - chunk.len();
            let change = event.and_then(|event| match self.edit(&event)? {
                Change::Pass if spans_chunks => Ok(Change::Replace(event)),
                change => Ok(change),
            });
            if matches!(change, Ok(Change::Pass)) {
                passing.end = end;
                continue;
            }
            if !passing.is_empty() {
                out.push(whole.slice(passing));
            }
            passing = end..end;
            if let Change::Replace(event) = change? {
                out.push(event);
            }
        }
        if !passing.is_empty() {
            out.push(whole.slice(passing));
        }
        Ok(())
    }

    fn edit(&mut self, event: &Bytes) -> Result<Change, StreamError> {
        let data = Data::of(event);
        if data == Data::None {
            return Ok(Change::Pass);
        }
        let noted = self.meter.event(data.bytes());
        let Way::Edit { hide_usage_event, editor, .. } = &mut self.way else {
            return Ok(Change::Pass);
        };
        if *hide_usage_event && noted == Noted::UsageOnly {
            return Ok(Change::Drop);
        }
        let Some(editor) = editor else {
            return Ok(Change::Pass);
        };
        let edited = editor.edit(event, &data)?;
        Ok(edited.map_or(Change::Pass, |bytes| Change::Replace(bytes.into())))
    }
}

/// What becomes of an event.
enum Change {
    Pass,
    Replace(Bytes),
    Drop,
}
