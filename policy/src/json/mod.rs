//! A strict JSON reader that says **where** each value is.
//!
//! Bodies are edited by splicing into the original bytes, so every reader of a body needs
//! positions, and every reader must agree on what the document says. That is why this reader
//! refuses what parsers disagree about: invalid UTF-8, lone surrogates, control characters,
//! numbers beyond a double's range, nesting beyond [`MAX_DEPTH`], bytes after the end.
//!
//! It allocates nothing while reading and makes one pass. It does not build a tree.

mod reader;
mod text;

pub use reader::{Event, JsonError, MAX_DEPTH, Reader};
pub use text::{Text, escape_into};
