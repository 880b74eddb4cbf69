//! Orders by request, for a person with `curl`: the `x-simulate` header.
//!
//! `x-simulate: status=529; retry-after=1` or `x-simulate: gap-ms=200; cut-after=900`. Directives
//! are separated by `;`, values cannot contain one. Any name that no directive has is refused, so
//! that a typing error does not pass for a healthy provider.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::behaviour::{At, Behaviour, Mishap, Report, Text};
use super::bill::Usage;

/// The request header.
pub(super) const HEADER: &str = "x-simulate";

const KNOWN: &str = "status=N, retry-after=TEXT, redirect=URL, garbage, text=TEXT, bytes=N, \
    usage=none|twice|zero, input=N, cache-read=N, cache-write=N, output=N, reasoning=N, \
    delay-ms=N, gap-ms=N, split=N, beyond-limit, crlf, unterminated, gzip, hang, close, reset, \
    hang-after=BYTES, close-after=BYTES, reset-after=BYTES";

/// A directive that the simulator does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveError(String);

impl fmt::Display for DirectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no directive of {HEADER}: use {KNOWN}, separated by `;`", self.0)
    }
}

impl std::error::Error for DirectiveError {}

impl FromStr for Behaviour {
    type Err = DirectiveError;

    fn from_str(text: &str) -> Result<Self, DirectiveError> {
        text.split(';')
            .map(str::trim)
            .filter(|directive| !directive.is_empty())
            .try_fold(Self::default(), with)
    }
}

fn with(so_far: Behaviour, directive: &str) -> Result<Behaviour, DirectiveError> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    let (name, value) = (name.trim(), value.trim());
    let unknown = || DirectiveError(directive.to_owned());
    let number = || value.parse::<u64>().map_err(|_| unknown());
    let size = || value.parse::<usize>().map_err(|_| unknown());
    let time = || number().map(Duration::from_millis);
    let used = so_far.usage.unwrap_or_default();
    Ok(match name {
        "status" => Behaviour {
            answer: Behaviour::status(value.parse().map_err(|_| unknown())?).answer,
            ..so_far
        },
        "retry-after" => so_far.header("retry-after", value),
        "redirect" => Behaviour {
            answer: Behaviour::redirect(value).answer,
            ..so_far.header("location", value)
        },
        "garbage" => Behaviour { answer: Behaviour::garbage().answer, ..so_far },
        "text" => Behaviour { text: Text::Say(value.to_owned()), ..so_far },
        "bytes" => Behaviour { text: Text::Bytes(size()?), ..so_far },
        "usage" => match value {
            "none" => so_far.report(Report::Never),
            "twice" => so_far.report(Report::Twice),
            "zero" => so_far.usage(Usage::default()),
            _ => return Err(unknown()),
        },
        "input" => so_far.usage(Usage { input: number()?, ..used }),
        "cache-read" => so_far.usage(Usage { cache_read: number()?, ..used }),
        "cache-write" => so_far.usage(Usage { cache_write: number()?, ..used }),
        "output" => so_far.usage(Usage { output: number()?, ..used }),
        "reasoning" => so_far.usage(Usage { reasoning: number()?, ..used }),
        "delay-ms" => so_far.delay(time()?),
        "gap-ms" => so_far.gap(time()?),
        "split" => so_far.split(size()?),
        "beyond-limit" => so_far.beyond_limit(),
        "crlf" => so_far.crlf(),
        "unterminated" => so_far.unterminated(),
        "gzip" => so_far.gzip(),
        "hang" => so_far.at(At::Head, Mishap::Hang),
        "close" => so_far.at(At::Head, Mishap::Close),
        "reset" => so_far.at(At::Head, Mishap::Reset),
        "hang-after" => so_far.at(At::Byte(size()?), Mishap::Hang),
        "close-after" => so_far.at(At::Byte(size()?), Mishap::Close),
        "reset-after" => so_far.at(At::Byte(size()?), Mishap::Reset),
        _ => return Err(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::behaviour::Answer;

    #[test]
    fn directives_add_up() {
        let read: Behaviour = "status=529; retry-after=1;".parse().unwrap();
        assert!(matches!(read.answer, Answer::Refuse(529)));
        assert_eq!(read.headers, [("retry-after".to_owned(), "1".to_owned())]);

        let read: Behaviour = "input=10;cache-read=5; usage=twice; close-after=9".parse().unwrap();
        let usage = read.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (10, 5, 0));
        assert_eq!(read.report, Report::Twice);
        assert!(matches!(read.mishaps[..], [(At::Byte(9), Mishap::Close)]));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for wrong in ["statsu=500", "status=many", "split=-1", "usage=thrice"] {
            let error = wrong.parse::<Behaviour>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("hang-after"), "{error}");
        }
    }
}
