//! A profile as it stands in a file.
//!
//! What is written there is taken as it is: paths are expanded and merged in the modules beside this
//! one. A word that is not known is refused with its line, and with the word that was meant, perhaps.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::own::OwnFolder;
use crate::confinement::{Access, Limits};
use crate::units::{parse_duration, parse_service, parse_size};

/// The largest file that is read as a profile, in bytes.
pub const LARGEST: u64 = 64 * 1024;

/// One profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// What it is for, in a line.
    pub description: String,
    /// Profiles that come before it.
    pub extends: Vec<String>,
    /// Which files there are.
    pub files: FilesSection,
    /// What can be connected to.
    pub network: NetworkSection,
    /// What is handed on.
    pub environment: EnvironmentSection,
    /// How much.
    #[serde(deserialize_with = "limits")]
    pub limits: Limits,
    /// A folder of the client's own.
    pub own_folder: Option<OwnFolder>,
    /// Which commands it is for.
    pub detect: DetectSection,
}

/// `[files]`: paths are absolute, begin with `~` or a `$VARIABLE`, or are relative to the workspace;
/// `*` stands for a part of one name. Those that are not there are passed over, but for `protect` and
/// `hide`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesSection {
    /// What may be done in the workspace.
    #[serde(deserialize_with = "access")]
    pub workspace: Option<Access>,
    /// Read and executed.
    pub read: Vec<String>,
    /// Written besides.
    pub write: Vec<String>,
    /// Never changed, also where it is not there yet.
    pub protect: Vec<String>,
    /// Neither read nor changed.
    pub hide: Vec<String>,
}

/// `[network]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// Services of this machine, as `127.0.0.1:PORT`.
    #[serde(deserialize_with = "services")]
    pub connect: Vec<SocketAddr>,
}

/// `[environment]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentSection {
    /// Variables that are handed on; a `*` at the end stands for any rest.
    pub allow: Vec<String>,
    /// Variables that are set.
    pub set: BTreeMap<String, String>,
}

/// `[detect]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectSection {
    /// Programs by their names, without a version at the end, or npm packages.
    pub commands: Vec<String>,
}

impl Profile {
    /// Reads one. What is wrong is told with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let profile: Self = toml::from_str(text).map_err(|error| told(&error, text))?;
        profile.own_folder.as_ref().map_or(Ok(()), OwnFolder::check)?;
        Ok(profile)
    }
}

/// An error in a line's words: where, what, and what was meant.
fn told(error: &toml::de::Error, text: &str) -> String {
    let line =
        error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(word), true) = (quoted.next(), message.starts_with("unknown field")) else {
        return format!("{place}{message}");
    };
    let known: Vec<&str> = quoted.collect();
    match nearest(word, known.iter().copied()) {
        Some(meant) => {
            format!("{place}`{word}` is not known here; `{meant}` is, perhaps that was meant")
        }
        None => format!("{place}`{word}` is not known here: there are {}", known.join(", ")),
    }
}

/// The name nearest to a word, where one is near enough to be meant.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = match word.chars().count() {
        0..4 => 1,
        4..9 => 2,
        _ => 3,
    };
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// How many letters are to be added, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, from) in a.chars().enumerate() {
        let mut corner = above;
        row[0] = above + 1;
        for (at, to) in b.iter().enumerate() {
            let change = corner + usize::from(from != *to);
            corner = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

fn access<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Access>, D::Error> {
    match String::deserialize(from)?.as_str() {
        "read" => Ok(Some(Access::Read)),
        "write" => Ok(Some(Access::Write)),
        other => Err(de::Error::custom(format!("`{other}`: it is \"read\" or \"write\""))),
    }
}

fn services<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts
        .iter()
        .map(|text| {
            parse_service(text).map_err(|error| de::Error::custom(format!("{text}: {error}")))
        })
        .collect()
}

/// A number, or text with a unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Number(u64),
    Text(String),
}

/// `[limits]`, as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSection {
    memory: Option<Quantity>,
    processes: Option<u64>,
    file_size: Option<Quantity>,
    open_files: Option<u64>,
    cpu_time: Option<String>,
    wall_time: Option<String>,
    output: Option<Quantity>,
}

fn limits<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
    let given = LimitsSection::deserialize(from)?;
    let size = |name: &str, quantity: Option<Quantity>| match quantity {
        None => Ok(None),
        Some(Quantity::Number(bytes)) if bytes > 0 => Ok(Some(bytes)),
        Some(Quantity::Number(_)) => {
            Err(de::Error::custom(format!("{name}: a limit is more than nothing")))
        }
        Some(Quantity::Text(text)) => parse_size(&text)
            .map(Some)
            .map_err(|error| de::Error::custom(format!("{name}: {error}"))),
    };
    let time = |name: &str, text: Option<String>| -> Result<Option<Duration>, D::Error> {
        text.map(|text| parse_duration(&text))
            .transpose()
            .map_err(|error| de::Error::custom(format!("{name}: {error}")))
    };
    let count = |name: &str, number: Option<u64>, least: u64| match number {
        Some(number) if number < least => {
            Err(de::Error::custom(format!("{name}: {least} is the least that works")))
        }
        number => Ok(number),
    };
    Ok(Limits {
        memory: size("memory", given.memory)?,
        processes: count("processes", given.processes, 1)?,
        file_size: size("file_size", given.file_size)?,
        open_files: count("open_files", given.open_files, 16)?,
        cpu_time: time("cpu_time", given.cpu_time)?,
        wall_time: time("wall_time", given.wall_time)?,
        output: size("output", given.output)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_told_with_its_line() {
        for (text, told) in [
            (
                "[files]\nraed = []",
                "line 2: `raed` is not known here; `read` is, perhaps that was meant",
            ),
            (
                "extend = []",
                "line 1: `extend` is not known here; `extends` is, perhaps that was meant",
            ),
            (
                "\n[limits]\nmemroy = 3",
                "`memroy` is not known here; `memory` is, perhaps that was meant",
            ),
            (
                "[files]\nqqq = []",
                "line 2: `qqq` is not known here: there are workspace, read, write, protect, hide",
            ),
            ("[files]\nworkspace = \"rw\"", "line 2: `rw`: it is \"read\" or \"write\""),
            ("[network]\nconnect = [\"8.8.8.8:53\"]", "only services of this machine"),
            ("[limits]\nwall_time = \"10\"", "wall_time: a time is a whole number and a unit"),
            ("[limits]\nopen_files = 2", "open_files: 16 is the least that works"),
        ] {
            let error = Profile::parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn limits_are_numbers_or_have_units() {
        let profile = Profile::parse(
            "[limits]\nmemory = \"2GiB\"\nfile_size = 4096\nwall_time = \"1h\"\nprocesses = 7",
        )
        .unwrap();
        let limits = Limits {
            memory: Some(2 << 30),
            file_size: Some(4096),
            wall_time: Some(Duration::from_hours(1)),
            processes: Some(7),
            ..Limits::default()
        };
        assert_eq!(profile.limits, limits);
    }
}
