//! What identifies a call and how it ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Identifies one call everywhere: in the ledger, in records, and as `x-iron-request-id`.
///
/// 41 bits of Unix milliseconds above 20 bits of sequence, so that the order of ids is the order
/// of calls and a range of time is a range of keys. Written `call_` and 13 characters of
/// Crockford's base 32 (<https://www.crockford.com/base32.html>), lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub i64);

const SEQUENCE_BITS: u32 = 20;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl CallId {
    /// The first id that a call at this time (Unix milliseconds) can have.
    pub const fn first_at(unix_ms: i64) -> Self {
        Self(unix_ms << SEQUENCE_BITS)
    }

    /// When the id was made, in Unix milliseconds.
    pub const fn unix_ms(self) -> i64 {
        self.0 >> SEQUENCE_BITS
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"call_0000000000000";
        let mut rest = self.0 as u64;
        for place in text[5..].iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for CallId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text
            .strip_prefix("call_")
            .filter(|digits| digits.len() == 13)
            .ok_or_else(|| NameError(text.to_owned()))?;
        digits
            .bytes()
            .try_fold(0_i64, |id, byte| {
                let digit = ALPHABET.iter().position(|b| *b == byte)?;
                id.checked_mul(32)?.checked_add(digit as i64)
            })
            .map(Self)
            .ok_or_else(|| NameError(text.to_owned()))
    }
}

/// Hands out rising ids, also when the clock steps back.
#[derive(Debug, Default)]
pub struct CallIds(std::sync::atomic::AtomicI64);

impl CallIds {
    /// Starts after `last`, the largest id already stored.
    pub fn after(last: CallId) -> Self {
        Self(std::sync::atomic::AtomicI64::new(last.0))
    }

    /// The next id for a call at this time.
    pub fn next(&self, unix_ms: i64) -> CallId {
        use std::sync::atomic::Ordering::Relaxed;
        let floor = CallId::first_at(unix_ms).0;
        let before = self
            .0
            .fetch_update(Relaxed, Relaxed, |last| Some(floor.max(last + 1)))
            .unwrap_or_default();
        CallId(floor.max(before + 1))
    }
}

/// A name that a caller or operator gives: of an agent, a project, an upstream.
///
/// 1 to 64 of `A-Z a-z 0-9 . _ -`, so that it is safe in paths, headers, metrics and tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(std::sync::Arc<str>);

/// A text that is no name or no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid name: use 1 to 64 letters, digits, `.`, `_` or `-`")]
pub struct NameError(pub String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
            Ok(Self(text.into()))
        } else {
            Err(NameError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.to_string()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The API that a client and an upstream speak to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's, and whatever is compatible with it.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's own, of the Gemini API.
    Gemini,
    /// Amazon Bedrock's own: `converse`, `invoke`.
    Bedrock,
}

impl Dialect {
    /// The name in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
        }
    }
}

/// A cloud that serves the models of several makers, at paths and prices of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Azure OpenAI: OpenAI's dialect below `/openai`, models behind the names of deployments.
    Azure,
    /// Amazon Bedrock: its own dialect, and Anthropic's and OpenAI's bodies at paths of its own.
    Bedrock,
    /// Google's Vertex AI: the Gemini API and Anthropic's bodies below a project and a location.
    Vertex,
}

impl Platform {
    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
        }
    }

    /// The dialect that its own answers and errors are in.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Azure => Dialect::OpenAi,
            Self::Bedrock => Dialect::Bedrock,
            Self::Vertex => Dialect::Gemini,
        }
    }

    /// Whose price lists hold its prices, in the order in which they are asked.
    ///
    /// Azure's own list names few models; for the rest its global deployments cost what OpenAI
    /// does (<https://azure.microsoft.com/pricing/details/cognitive-services/openai-service/>).
    pub const fn vendors(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &["azure", "openai"],
            Self::Bedrock => &["aws"],
            Self::Vertex => &["google", "anthropic"],
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The upstream answered with success and the answer was passed on whole.
    Ok,
    /// The proxy refused: nothing was sent, or the answer was not passed on.
    Refused,
    /// The upstream answered with an error of its own, passed on unchanged.
    UpstreamError,
    /// The upstream could not be reached, hung, or its answer broke off.
    Failed,
    /// The client went away before the end.
    Aborted,
    /// The proxy stopped before the end; found at the next start.
    Recovered,
}

impl Outcome {
    /// The name in records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::UpstreamError => "upstream_error",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Recovered => "recovered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_although_the_clock_steps_back() {
        let ids = CallIds::after(CallId(0));
        let first = ids.next(1_000);
        let second = ids.next(999);
        let third = ids.next(1_001);
        assert!(first < second && second < third);
        assert_eq!((first.unix_ms(), third.unix_ms()), (1_000, 1_001));
    }

    #[test]
    fn an_id_survives_being_written_down() {
        for id in [0, 1, CallId::first_at(1_795_000_000_000).0, i64::MAX] {
            assert_eq!(CallId(id).to_string().parse(), Ok(CallId(id)));
        }
        for text in ["", "call_", "call_000000000000u", "0000000000000", "call_zzzzzzzzzzzzz"] {
            assert!(text.parse::<CallId>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_safe_everywhere() {
        assert!("nightly-build_2.x".parse::<Name>().is_ok());
        for text in ["", "a b", "../etc", "a\n", "é", &"x".repeat(65)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }
}
