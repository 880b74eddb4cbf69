//! Times and money as the API writes them.

use std::borrow::Cow;
use std::str::FromStr;

use iron_policy::types::NanoUsd;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

pub use super::money::Money;
use super::time;

/// A time, in Unix milliseconds; RFC 3339 in UTC on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&time::text(self.0))
    }
}

impl FromStr for Time {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let wrong = |_| serde::de::Error::custom("not a time: write it like 2026-11-26T01:15:14Z");
        text.parse().map_err(wrong)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC"))
            .examples(["2026-11-26T01:15:14Z"])
            .into()
    }
}

impl ToSchema for Time {}

/// An amount of money that a caller names: nano-USD as a number, or `"5 USD"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub NanoUsd);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an amount: nano-USD as a whole number, or \"5 USD\"")]
        enum Written<'a> {
            Nano(i64),
            #[serde(borrow)]
            Text(Cow<'a, str>),
        }
        match Written::deserialize(deserializer)? {
            Written::Nano(nano) => Ok(Self(NanoUsd(nano))),
            Written::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        use utoipa::openapi::schema::{
            KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type,
        };
        let nano = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        OneOfBuilder::new()
            .item(nano)
            .item(ObjectBuilder::new().schema_type(Type::String))
            .description(Some("Nano-USD as a whole number, or an amount in words: `5 USD`"))
            .into()
    }
}

impl ToSchema for Amount {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_to_the_last_nano() {
        for (nano, text) in [
            (0, "$0.00"),
            (123, "$0.000000123"),
            (5_000_000_000, "$5.00"),
            (-1_500_000_000, "-$1.50"),
            (i64::MAX, "$9223372036.854775807"),
            (i64::MIN, "-$9223372036.854775808"),
        ] {
            assert_eq!(Money::from(nano).text, text);
        }
    }

    #[test]
    fn times_and_amounts_are_read_as_they_are_written() {
        assert_eq!(Time(1_790_000_000_123).to_string(), "2026-09-21T14:13:20.123Z");
        assert_eq!("2026-09-21T14:13:20.123Z".parse::<Time>().unwrap(), Time(1_790_000_000_123));
        assert_eq!(Time(0).to_string(), "1970-01-01T00:00:00Z");
        let amount = |text| serde_json::from_str::<Amount>(text).unwrap();
        assert_eq!(amount("5000000000"), amount("\"5 USD\""));
        assert!(serde_json::from_str::<Amount>("\"five\"").is_err());
        assert!(serde_json::from_str::<Amount>("1.5").is_err());
    }
}
