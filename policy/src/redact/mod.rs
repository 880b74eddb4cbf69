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
//! | `context`     | labels, columns and words that make or break a weak shape       |
//! | `prefilter`   | the fast sweep that finds candidates                            |
//! | `view`        | the text as a decoder would see it: escapes, entities, disguise |
//! | `encoded`     | base64 in the text, one level deep, for secrets                 |
//! | `rule`        | rules of the operator's own                                     |
//! | `recognise`   | the interface for names and places                              |
//! | `merge`       | what happens where findings overlap                             |
//! | `engine`      | all of it over one text                                         |
//! | `document`    | all of it over the spans of a document                          |
//! | `catalogue`   | what can be found, for people                                   |
//! | `mask`        | kinds of bytes as bits, for the fast loops                      |
//! | `passage`     | one text of a document: found, taken out, searched again        |
//! | `memory`      | what was found in texts that come again                         |
//! | `edit`        | changes to the document's bytes                                 |
//! | `placeholder` | how a placeholder is written and recognised                     |
//! | `vault`       | which placeholder stands for which value                        |
//! | `restore`     | values put back, in whole texts and in streams                  |
//! | `screen`      | findings in answers, in streams                                 |
//!
//! Which parts of a body are text is not decided here: a [`Span`] comes in, [`Edit`]s come out.
//! Object keys are never changed.

mod catalogue;
mod context;
mod detect;
mod document;
mod edit;
mod encoded;
mod engine;
mod kind;
mod mask;
mod memory;
mod merge;
mod passage;
mod placeholder;
mod prefilter;
mod recognise;
mod restore;
mod rule;
pub mod screen;
mod site;
mod vault;
mod view;

pub use catalogue::{Entry, catalogue, validated};
pub use document::{Aids, Finding, Redaction, Span, SpanKind, is_telling};
pub use edit::{Edit, splice};
pub use engine::Engine;
pub use kind::{Confidence, KINDS, Kind, Label, Mode, Modes, UnknownKind};
pub use memory::Memory;
pub use merge::Match;
pub use recognise::Recognise;
pub use restore::{Restorer, restore};
pub use rule::{BadRule, Rule, RuleSource, Validator};
pub use vault::Vault;

#[cfg(test)]
mod tests;
