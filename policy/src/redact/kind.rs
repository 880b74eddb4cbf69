//! What can be found, how sure a rule is, and what is done about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a found value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A payment card's number.
    CreditCard,
    /// An international bank account number.
    Iban,
    /// A United States social security number.
    Ssn,
    /// A phone number in international form.
    Phone,
    /// A public IPv4 or IPv6 address.
    Ip,
    /// A JSON web token.
    Jwt,
    /// A private key in PEM armour.
    PrivateKey,
    /// A key of an API or of a service, known by its prefix.
    ApiKey,
}

/// Every kind, in the order of its discriminant.
pub const KINDS: [Kind; 9] = [
    Kind::Email,
    Kind::CreditCard,
    Kind::Iban,
    Kind::Ssn,
    Kind::Phone,
    Kind::Ip,
    Kind::Jwt,
    Kind::PrivateKey,
    Kind::ApiKey,
];

impl Kind {
    /// The name in configuration, placeholders, records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::CreditCard => "CREDIT_CARD",
            Self::Iban => "IBAN",
            Self::Ssn => "SSN",
            Self::Phone => "PHONE",
            Self::Ip => "IP",
            Self::Jwt => "JWT",
            Self::PrivateKey => "PRIVATE_KEY",
            Self::ApiKey => "API_KEY",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of finding: use one of EMAIL, CREDIT_CARD, IBAN, SSN, PHONE, IP, JWT, \
         PRIVATE_KEY, API_KEY"
)]
pub struct UnknownKind(pub String);

/// Reads a name in any case.
impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        KINDS
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownKind(text.chars().take(80).collect()))
    }
}

/// How sure a rule is of what it found, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A common shape that words around it explain.
    Context,
    /// A shape that little else has.
    Shape,
    /// A prefix or armour that only this kind of secret carries.
    Prefix,
    /// A checksum holds.
    Checksum,
}

/// What is done about a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not looked for.
    Off,
    /// It is reported and leaves as it is.
    Detect,
    /// It is replaced for good: `<EMAIL>`.
    Mask,
    /// It is replaced on the way out and put back on the way in: `<EMAIL_kq7mzvt2ah>`.
    #[default]
    Reversible,
    /// The request is to be refused. Values are masked as well, so that a caller who forgets to
    /// refuse leaks nothing.
    Block,
}

impl Mode {
    /// True where the value must not leave.
    pub const fn protects(self) -> bool {
        matches!(self, Self::Mask | Self::Reversible | Self::Block)
    }
}

/// The mode of every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes([Mode; KINDS.len()]);

impl Modes {
    /// One mode for all kinds.
    pub const fn all(mode: Mode) -> Self {
        Self([mode; KINDS.len()])
    }

    /// With another mode for one kind.
    #[must_use]
    pub const fn with(mut self, kind: Kind, mode: Mode) -> Self {
        self.0[kind as usize] = mode;
        self
    }

    /// The mode of one kind.
    pub const fn of(&self, kind: Kind) -> Mode {
        self.0[kind as usize]
    }

    /// True where values of some kind are put back later.
    pub fn any_reversible(&self) -> bool {
        self.0.contains(&Mode::Reversible)
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self::all(Mode::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place_and_is_read_by_its_name() {
        for (place, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.name().to_lowercase().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
        }
        assert!("E-MAIL".parse::<Kind>().is_err());
    }

    #[test]
    fn one_kind_can_differ_from_the_rest() {
        let modes = Modes::all(Mode::Mask).with(Kind::Ip, Mode::Off);
        assert_eq!(modes.of(Kind::Ip), Mode::Off);
        assert_eq!(modes.of(Kind::Email), Mode::Mask);
        assert!(!modes.any_reversible());
    }
}
