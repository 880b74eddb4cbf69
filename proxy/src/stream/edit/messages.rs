//! The answer to one request of a WebSocket, message by message: metered, searched, restored.
//!
//! What [`StreamRelay`](super::StreamRelay) is for a stream, without its framing: each message is
//! one event, whole. Whose answer a message belongs to is decided before.

use bytes::Bytes;

use super::Restorers;
use super::editor::Editor;
use crate::stream::limit::{Cap, Watch};
use crate::stream::{Meter, Metered, StreamError, WireKind};

/// One answer on its way.
pub struct MessageRelay<F: Restorers> {
    meter: Meter,
    /// None where nothing was reserved, or no end can be written.
    watch: Option<Box<Watch>>,
    editor: Option<Editor<F>>,
    only_looks: bool,
}

impl<F: Restorers> MessageRelay<F> {
    /// Starts before the first message; `restorers` is `None` where nothing is to be done.
    pub fn new(kind: WireKind, restorers: Option<F>) -> Self {
        let only_looks = restorers.as_ref().is_some_and(Restorers::only_looks);
        let editor = restorers.map(|restorers| Editor::new(kind, restorers));
        Self { meter: Meter::new(kind), watch: None, editor, only_looks }
    }

    /// Ends a response with [`StreamError::Spent`] once it has cost what was reserved for it.
    #[must_use]
    pub fn within(mut self, kind: WireKind, cap: Option<Cap>) -> Self {
        let cap = cap.filter(|_| kind == WireKind::Responses);
        self.watch = cap.map(|cap| Box::new(Watch::new(kind, cap)));
        self
    }

    /// Takes a message and appends what goes to the client for it.
    ///
    /// An error where it must not go on: from then on only the meter reads.
    pub fn push(&mut self, message: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        self.meter.event(&message);
        let ending = self.meter.is_ending();
        let metered = self.meter.metered();
        let over = self.watch.as_mut().is_some_and(|watch| watch.event(&message, metered, ending));
        self.pass(message, out)?;
        if over { Err(StreamError::Spent) } else { Ok(()) }
    }

    /// The response has cost what was reserved for it: appends what was held back, and an end as of
    /// one that was cut at its longest.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let Some(watch) = self.watch.take() else { return Ok(()) };
        let end = watch.end_message_of_response(self.metered());
        if let Some(editor) = self.editor.as_mut().filter(|_| !self.only_looks) {
            editor.close_messages(out)?;
        }
        self.pass(end, out)
    }

    fn pass(&mut self, message: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let Some(editor) = &mut self.editor else {
            out.push(message);
            return Ok(());
        };
        if self.only_looks {
            out.push(message.clone());
            // It went on already, whatever is found.
            let _ = editor.message(message, &mut Vec::new());
            return Ok(());
        }
        let pushed = editor.message(message, out);
        if pushed.is_err() {
            self.editor = None;
        }
        pushed
    }

    /// No more messages come: appends what was held back, where it may go on.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        match self.editor.take() {
            Some(mut editor) if self.only_looks => editor.close_messages(&mut Vec::new()),
            Some(mut editor) => editor.close_messages(out),
            None => Ok(()),
        }
    }

    /// Nobody takes what comes from now on: a message is read for its usage alone.
    pub fn only_meter(&mut self, message: &[u8]) {
        self.meter.event(message);
    }

    /// What was metered so far.
    pub const fn metered(&self) -> &Metered {
        self.meter.metered()
    }
}
