//! What happens to the bytes of an answer between the upstream and the client.
//!
//! Everything here is a pure transformer: bytes are pushed in, bytes come out, nothing waits. An
//! answer takes one of three ways:
//!
//! | answer            | metered by           | placeholders turned back by |
//! |-------------------|----------------------|-----------------------------|
//! | a stream of events | [`StreamRelay`]     | [`StreamRelay`]             |
//! | messages of a WebSocket | [`MessageRelay`] | [`MessageRelay`]          |
//! | one JSON document | [`plain::meter`]     | [`plain::restore`]          |
//!
//! The results of a batch are many documents, one a line: [`results`]. What answers are searched for, and what keeps them back, is in [`answers`].
//!
//! What is not understood is passed on as it came. Nothing is translated between dialects, and
//! an event is never dropped, merged or reordered; the one exception is the usage event that
//! the proxy itself asked for on the client's behalf.
//!
//! Not here: time limits, back-pressure and money. Compressed streams must be decoded first
//! ([`encoding`]), on a side copy where they are only metered.

pub mod answers;
mod edit;
pub mod encoding;
mod error;
pub mod frame;
mod framed;
pub mod head;
mod limit;
mod meter;
pub mod plain;
pub mod results;
pub mod sse;
#[cfg(test)]
mod tests;
mod walk;

use iron_policy::types::Dialect;

pub use edit::{MessageRelay, Restore, Restorers, StreamRelay, Unchanged};
pub use error::{POLICY_VIOLATION, StreamError, error_event};
pub use framed::{FrameRelay, Framing, Relay};
pub use limit::Cap;
pub use meter::{Meter, Metered, Noted};

/// Which endpoint's answers the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireKind {
    /// OpenAI `chat/completions`, and whatever is compatible with it.
    Chat,
    /// OpenAI `completions`.
    Completions,
    /// OpenAI `embeddings`.
    Embeddings,
    /// OpenAI `responses`.
    Responses,
    /// OpenAI's Realtime API, an event a message.
    Realtime,
    /// Anthropic `messages`.
    Messages,
    /// Gemini `generateContent`, in one piece or as a stream, and its embeddings.
    Gemini,
    /// OpenAI's images, speech, transcriptions and translations.
    Media,
    /// Bedrock `converse`, in one piece or as a stream whose events stand under their names.
    Converse,
    /// An answer without usage or texts, like a list of models: passed on, not looked into.
    Other(Dialect),
}

impl WireKind {
    /// The dialect in which the client expects errors.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Chat
            | Self::Completions
            | Self::Embeddings
            | Self::Responses
            | Self::Realtime
            | Self::Media => Dialect::OpenAi,
            Self::Messages => Dialect::Anthropic,
            Self::Gemini => Dialect::Gemini,
            Self::Converse => Dialect::Bedrock,
            Self::Other(dialect) => dialect,
        }
    }
}
