//! Passes a stream on to the client, metering it and editing what must be edited.

use bytes::Bytes;

use super::editor::Editor;
use super::{Restorers, Unchanged};
use crate::stream::limit::{Cap, Watch};
use crate::stream::sse::{Data, Framer};
use crate::stream::{Meter, Metered, Noted, StreamError, WireKind, error_event};

/// One stream on its way.
///
/// Where nothing is restored or hidden, chunks are passed on at once and byte for byte; the meter,
/// and what only looks at the texts, read along. Otherwise each event is passed on as soon as it is whole, byte for byte
/// but for the texts that change.
pub struct StreamRelay<F: Restorers = Unchanged> {
    kind: WireKind,
    framer: Framer,
    meter: Meter,
    /// None where nothing was reserved.
    watch: Option<Box<Watch>>,
    /// The last event broke what was reserved.
    over: bool,
    way: Way<F>,
}

enum Way<F: Restorers> {
    /// Read along. `lost` once an event was too long for it.
    Watch { lost: bool, looker: Option<Editor<F>> },
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
        let edits = restorers.as_ref().is_some_and(|restorers| !restorers.only_looks());
        let editor = restorers.map(|restorers| Editor::new(kind, restorers));
        let way = if hide_usage_event || edits {
            Way::Edit { hide_usage_event, editor, unterminated: false }
        } else {
            Way::Watch { lost: false, looker: editor }
        };
        let (framer, meter) = (Framer::default(), Meter::new(kind));
        Self { kind, framer, meter, watch: None, over: false, way }
    }

    /// Ends the stream with [`StreamError::Spent`] once it has cost what was reserved for it.
    #[must_use]
    pub fn within(mut self, cap: Option<Cap>) -> Self {
        let cap = cap.filter(|_| Watch::knows(self.kind));
        self.watch = cap.map(|cap| Box::new(Watch::new(self.kind, cap)));
        self
    }

    /// Takes the next bytes from the upstream and appends what can go to the client.
    ///
    /// An error ends the stream: follow it with [`fail`](Self::fail).
    pub fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        match &mut self.way {
            Way::Watch { lost, looker } => {
                let whole = chunk.clone();
                out.push(chunk.clone());
                while !*lost && !chunk.is_empty() {
                    match self.framer.next(&mut chunk) {
                        Ok(Some(event)) => {
                            let data = Data::of(&event);
                            self.meter.event(data.bytes());
                            look(looker, &event, &data);
                            if is_over(&mut self.watch, &self.meter, data.bytes()) {
                                // What stands behind that event is not passed on.
                                out.pop();
                                out.push(whole.slice(..whole.len() - chunk.len()));
                                return Err(StreamError::Spent);
                            }
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
    ///
    /// An error where that must not go out: follow it with [`fail`](Self::fail).
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Metered, StreamError> {
        let rest = self.framer.rest();
        if let Way::Watch { lost, looker } = &mut self.way {
            if !*lost {
                let rest = rest.unwrap_or_default();
                let data = Data::of(&rest);
                self.meter.event(data.bytes());
                look(looker, &rest, &data);
                self.meter.end();
            }
            self.abandon();
            return Ok(self.metered().clone());
        }
        if let Some(rest) = rest {
            match self.edit(&rest)? {
                Change::Pass => out.push(rest),
                Change::Replace(event) => out.push(event),
                Change::Drop => {}
            }
            if let Way::Edit { unterminated, .. } = &mut self.way {
                *unterminated = true;
            }
        }
        self.release(out)?;
        self.meter.end();
        Ok(self.metered().clone())
    }

    /// The stream broke off: appends what was held back and the dialect's error event.
    ///
    /// An event that came in part is not passed on; where its first part went out already, it is
    /// ended, so that the error stands in an event of its own.
    pub fn fail(&mut self, code: &str, message: &str, request_id: &str, out: &mut Vec<Bytes>) {
        if let Way::Watch { lost, .. } = self.way
            && (lost || self.framer.is_inside_event())
        {
            out.push(Bytes::from_static(b"\n\n"));
        }
        self.abandon();
        // What must not go out is left out; the error follows in any case.
        let _ = self.release(out);
        if let Way::Edit { unterminated: true, .. } = self.way {
            out.push(Bytes::from_static(b"\n\n"));
        }
        out.push(error_event(self.kind, code, message, request_id));
    }

    /// The stream has cost what was reserved for it: appends what was held back and an end that
    /// the dialect knows, of an answer that was cut at its longest. What was metered until then is
    /// no last word.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) -> Result<Metered, StreamError> {
        let metered = self.metered().clone();
        let Some(watch) = self.watch.take() else { return Ok(metered) };
        self.framer.rest();
        self.abandon();
        self.release(out)?;
        for event in watch.end(&metered) {
            match self.edit(&event)? {
                Change::Pass => out.push(event),
                Change::Replace(event) => out.push(event),
                Change::Drop => {}
            }
        }
        Ok(metered)
    }

    /// Nothing more comes: what only looks at texts looks at their ends.
    pub fn abandon(&mut self) {
        if let Way::Watch { looker: Some(looker), .. } = &mut self.way {
            // Bytes that were passed on cannot be held back any more.
            let _ = looker.close_all();
        }
    }

    /// Nobody takes what comes from now on: it is read for its usage alone.
    pub fn only_meter(&mut self) {
        let lost = matches!(self.way, Way::Watch { lost: true, .. });
        self.way = Way::Watch { lost, looker: None };
    }

    /// What was metered so far; after a stream that was cut short, all there is.
    pub const fn metered(&self) -> &Metered {
        self.meter.metered()
    }

    /// Reads the data of an event, or the event itself, for what it says of the usage alone.
    pub(in crate::stream) fn note(&mut self, event: &[u8]) {
        self.meter.event(Data::of(event).bytes());
    }

    /// Appends what the channels hold back.
    fn release(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        if let Way::Edit { editor: Some(editor), unterminated, .. } = &mut self.way
            && let Some(held) = editor.close_all()?
        {
            if std::mem::take(unterminated) {
                out.push(Bytes::from_static(b"\n\n"));
            }
            out.push(held.into());
        }
        Ok(())
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
                if self.over {
                    break;
                }
                continue;
            }
            if !passing.is_empty() {
                out.push(whole.slice(passing));
            }
            passing = end..end;
            match change {
                Ok(Change::Replace(event)) => out.push(event),
                Ok(Change::Pass | Change::Drop) => {}
                Err(error) => {
                    // What else has come says what the answer costs.
                    while let Ok(Some(event)) = self.framer.next(&mut chunk) {
                        self.meter.event(Data::of(&event).bytes());
                    }
                    return Err(error);
                }
            }
            if self.over {
                break;
            }
        }
        if !passing.is_empty() {
            out.push(whole.slice(passing));
        }
        if self.over { Err(StreamError::Spent) } else { Ok(()) }
    }

    fn edit(&mut self, event: &Bytes) -> Result<Change, StreamError> {
        let data = Data::of(event);
        if data == Data::None {
            return Ok(Change::Pass);
        }
        let noted = self.meter.event(data.bytes());
        self.over = is_over(&mut self.watch, &self.meter, data.bytes());
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

/// Shows an event to what watches the money; true where it broke what was reserved.
fn is_over(watch: &mut Option<Box<Watch>>, meter: &Meter, data: &[u8]) -> bool {
    let ending = meter.is_ending();
    watch.as_mut().is_some_and(|watch| watch.event(data, meter.metered(), ending))
}

/// Shows an event to what only looks. It was passed on already, whatever is found.
fn look<F: Restorers>(looker: &mut Option<Editor<F>>, event: &Bytes, data: &Data<'_>) {
    if let Some(looker) = looker {
        let _ = looker.edit(event, data);
    }
}

/// What becomes of an event.
enum Change {
    Pass,
    Replace(Bytes),
    Drop,
}
