//! One module a command, and what they share.
//!
//! [`args`] is the command line as it is read, [`plan`] makes a sandbox of it.

pub mod args;
pub mod plan;
pub mod surroundings;

use std::fmt;
use std::io::{IsTerminal, Write};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The words of the command make no sense.
    Usage(String),
    /// A profile is wrong; nothing was started.
    Configuration(String),
    /// This machine cannot do it.
    Unsupported(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The exit code, as sysexits has it where it has one.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Configuration(_) => 64,
            Self::Unsupported(_) => 69,
            Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text)
        | Self::Configuration(text)
        | Self::Unsupported(text)
        | Self::Other(text)) = self;
        f.write_str(text)
    }
}

/// Prints a failure.
pub fn tell(failure: &Failure) {
    let mut err = std::io::stderr().lock();
    let label = if err.is_terminal() { "\x1b[31merror:\x1b[0m" } else { "error:" };
    let failure = failure.to_string();
    let _ = writeln!(err, "{label} {}", harmless(&failure));
}

/// A text without what a terminal obeys: control characters but the end of a line, and those that turn
/// the direction of writing.
pub fn harmless(text: &str) -> String {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(obeyed, "\u{FFFD}")
}
