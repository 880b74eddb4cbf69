//! Finds what is personal or secret in a request's text, replaces it, and puts it back.
//!
//! ```text
//! spans of a body -> Engine::redact -> edits   -> splice  -> the body that leaves
//!                        |   ^
//!                 values v   | placeholders
//!                       Vault (one per session, in memory only)
//!                        |
//! answer's text  -> Restorer::push -> the text that the agent gets
//! ```
//!
//! | module        | holds                                                           |
//! |---------------|-----------------------------------------------------------------|
//! | `kind`        | what can be found, and what is done about it                    |
//! | `detect`      | one file per detector: its shape, validator, words and vectors  |
//! | `site`        | what a detector sees of the text around a candidate             |
//! | `context`     | words before a candidate that make or break a weak shape        |
//! | `prefilter`   | the fast sweep that finds candidates                            |
//! | `merge`       | what happens where findings overlap                             |
//! | `engine`      | all of it over one text or over the spans of a document         |
//! | `edit`        | changes to the document's bytes                                 |
//! | `placeholder` | how a placeholder is written and recognised                     |
//! | `vault`       | which placeholder stands for which value                        |
//! | `restore`     | values put back, in whole texts and in streams                  |
//! | `screen`      | findings in answers, in streams                                 |
//!
//! Which parts of a body are text is not decided here, nor is anything cached: a [`Span`] comes
//! in, [`Edit`]s come out. Object keys, and numbers in nested JSON, are never changed.

mod context;
mod detect;
mod edit;
mod engine;
mod kind;
mod merge;
mod placeholder;
mod prefilter;
mod restore;
pub mod screen;
mod site;
mod vault;

pub use edit::{Edit, splice};
pub use engine::{Engine, Finding, Redaction, Span, SpanKind};
pub use kind::{Confidence, KINDS, Kind, Mode, Modes, UnknownKind};
pub use merge::Match;
pub use restore::{Restorer, restore};
pub use vault::Vault;

#[cfg(test)]
mod tests;
