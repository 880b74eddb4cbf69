//! How a call is answered: what is said, in which form, how fast, and what goes wrong on the way.
//!
//! A [`Behaviour`] is a plain value put together from independent parts, so that every failure can
//! meet every answer: an overloaded provider that takes two seconds to say so is
//! `Behaviour::status(529).at(At::Head, Mishap::Wait(Duration::from_secs(2)))`.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::watch;

use super::bill::Usage;

/// How one call is answered. The default is a correct answer at full speed.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// What is sent.
    pub answer: Answer,
    /// What the model says, where it is asked.
    pub text: Text,
    /// What the call used, in place of what the simulator counts. Billed as given.
    pub usage: Option<Usage>,
    /// How often the usage is told. It is billed in any case.
    pub report: Report,
    /// Whether the model goes on beyond the caller's limit on output.
    pub beyond_limit: bool,
    /// How the body is written.
    pub form: Form,
    /// More response headers. They replace those of the same name.
    pub headers: Vec<(String, String)>,
    /// How fast the body is sent.
    pub pace: Pace,
    /// What goes wrong, and where.
    pub mishaps: Vec<(At, Mishap)>,
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub enum Answer {
    /// What the endpoint gives. It is billed, whether or not it arrives.
    #[default]
    Generate,
    /// This status with the provider's own error body for it. Nothing is billed.
    Refuse(u16),
    /// A literal HTTP answer; on a WebSocket of the Responses API its body, as an event. Nothing is
    /// billed.
    Literal {
        /// The HTTP status.
        status: u16,
        /// The `content-type` header.
        content_type: String,
        /// The body as it is.
        body: Bytes,
    },
    /// Literal bytes in place of any HTTP answer; then the connection closes. Nothing is billed.
    Wire(Bytes),
}

/// What the model says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// `You said: ` and the last user text, or a call of the first tool if that text starts with
    /// `call the tool`. Where the answer shall be JSON of a schema, the shortest that it allows.
    #[default]
    Echo,
    /// This.
    Say(String),
    /// Filler of so many bytes.
    Bytes(usize),
    /// A call of a tool, as the client declared it.
    Call {
        /// The tool's name.
        name: String,
        /// Its arguments as JSON text, or what a custom tool takes.
        arguments: String,
        /// True for a tool that takes a text of any form (Responses).
        custom: bool,
    },
}

/// How often an answer tells its usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// Where the provider would.
    #[default]
    Once,
    /// Nowhere, also where it was asked for.
    Never,
    /// Twice in a stream, once in a plain answer.
    Twice,
}

/// How a generated body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Streams end their lines with CR LF.
    pub crlf: bool,
    /// A stream's last event lacks its blank line.
    pub unterminated: bool,
    /// The body is gzip-encoded, each event flushed.
    pub gzip: bool,
}

/// How fast a body is sent. By default each event is one write, without a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes per write, whatever the borders of events and characters.
    pub split: Option<NonZeroUsize>,
    /// Time between two writes.
    pub gap: Duration,
}

/// Where on an answer's way a mishap happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first byte of the head.
    Head,
    /// After so many bytes of the body, or after all of them if it has fewer.
    Byte(usize),
    /// After so many events of a stream, or after all of them if it has fewer.
    Event(usize),
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// Nothing happens for this time.
    Wait(Duration),
    /// Nothing happens until the gate opens.
    Hold(Gate),
    /// Nothing happens any more.
    Hang,
    /// The connection is closed: before the head without an answer, later in the middle of it.
    Close,
    /// The same, but a WebSocket ends in good order: with a closing handshake.
    Part,
    /// The connection is reset (TCP RST).
    Reset,
}

/// Holds answers back until a test opens it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub(super) async fn opened(self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Behaviour {
    /// Refuses with this status and the provider's own error body for it.
    pub fn status(status: u16) -> Self {
        Self::answering(Answer::Refuse(status))
    }

    /// Answers with this text.
    pub fn say(text: impl Into<String>) -> Self {
        Self { text: Text::Say(text.into()), ..Self::default() }
    }

    /// Answers with a call of this tool; `arguments` is JSON text.
    pub fn call(name: &str, arguments: &str) -> Self {
        Self::calling(name, arguments, false)
    }

    /// Answers with a call of this custom tool, which takes a text of any form (Responses).
    pub fn custom_call(name: &str, input: &str) -> Self {
        Self::calling(name, input, true)
    }

    fn calling(name: &str, arguments: &str, custom: bool) -> Self {
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        Self { text: Text::Call { name, arguments, custom }, ..Self::default() }
    }

    /// Answers with this many bytes of filler.
    pub fn bytes(size: usize) -> Self {
        Self { text: Text::Bytes(size), ..Self::default() }
    }

    /// Answers with a literal body.
    pub fn literal(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::answering(Answer::Literal {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
        })
    }

    /// Answers 200 with a body that claims to be JSON and is not.
    pub fn garbage() -> Self {
        Self::literal(200, "application/json", &b"<\0\xff not json at all"[..])
    }

    /// Redirects (302) to another URL.
    pub fn redirect(location: &str) -> Self {
        Self::literal(302, "text/plain", Bytes::new()).header("location", location)
    }

    /// Answers with literal bytes in place of HTTP and closes the connection.
    pub fn wire(bytes: impl Into<Bytes>) -> Self {
        Self::answering(Answer::Wire(bytes.into()))
    }

    /// Holds the answer back, before its head, until the gate opens.
    pub fn hold() -> (Self, Gate) {
        let gate = Gate::new();
        let held = Self::default().at(At::Head, Mishap::Hold(gate.clone()));
        (held, gate)
    }

    fn answering(answer: Answer) -> Self {
        Self { answer, ..Self::default() }
    }

    /// Lets something go wrong. May be said several times; mishaps at one place keep their order.
    #[must_use]
    pub fn at(mut self, place: At, mishap: Mishap) -> Self {
        self.mishaps.push((place, mishap));
        self
    }

    /// Waits before the head.
    #[must_use]
    pub fn delay(self, time: Duration) -> Self {
        self.at(At::Head, Mishap::Wait(time))
    }

    /// Sets a response header, such as `retry-after`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reports and bills this usage.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Sets how often the usage is told.
    #[must_use]
    pub fn report(mut self, report: Report) -> Self {
        self.report = report;
        self
    }

    /// Goes on beyond the caller's limit on output.
    #[must_use]
    pub fn beyond_limit(mut self) -> Self {
        self.beyond_limit = true;
        self
    }

    /// Sends this many bytes per write; zero is taken for one.
    #[must_use]
    pub fn split(mut self, bytes: usize) -> Self {
        self.pace.split = Some(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Pauses between two writes.
    #[must_use]
    pub fn gap(mut self, time: Duration) -> Self {
        self.pace.gap = time;
        self
    }

    /// Ends the lines of a stream with CR LF.
    #[must_use]
    pub fn crlf(mut self) -> Self {
        self.form.crlf = true;
        self
    }

    /// Leaves out the blank line after a stream's last event.
    #[must_use]
    pub fn unterminated(mut self) -> Self {
        self.form.unterminated = true;
        self
    }

    /// Encodes the body with gzip.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.form.gzip = true;
        self
    }
}
