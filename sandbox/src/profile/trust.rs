//! Whether a workspace's own profile is honoured: only as it was when the user said so.
//!
//! What was trusted is kept word for word, for each path, in a file of the user's alone; a profile that
//! differs by one letter is not trusted any more. The file in the workspace is protected in every
//! sandbox, and the one that says what is trusted can be reached in none.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::library;

/// A workspace's own profile. It is looked for in the workspace and nowhere above.
pub const PROJECT_FILE: &str = ".iron-sandbox.toml";

/// What is trusted.
#[derive(Debug, Clone)]
pub struct Trust {
    file: PathBuf,
}

/// How a workspace's own profile stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    None,
    /// It is as it was trusted.
    Trusted,
    /// It never was.
    Untrusted,
    /// It was, and differs now.
    Changed {
        /// Lines that came, and lines that went, as in a diff; the first few.
        gist: String,
    },
}

/// The kept file, as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// By the file's path: its words.
    trusted: BTreeMap<PathBuf, String>,
}

/// The most lines of a gist.
const GIST: usize = 8;

/// The longest line of a gist, in characters.
const GIST_LINE: usize = 100;

impl Trust {
    /// What is kept in the user's folder for state.
    pub fn of_user(state: &Path) -> Self {
        Self { file: state.join("iron-cage/sandbox/trusted.json") }
    }

    /// Where it is kept.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How a workspace's own profile stands.
    pub fn standing(&self, workspace: &Path) -> io::Result<Standing> {
        let path = workspace.join(PROJECT_FILE);
        if path.symlink_metadata().is_err() {
            return Ok(Standing::None);
        }
        let text = library::read(&path)?;
        let kept = self.read()?;
        Ok(match kept.trusted.get(&path) {
            None => Standing::Untrusted,
            Some(known) if *known == text => Standing::Trusted,
            Some(known) => Standing::Changed { gist: gist(known, &text) },
        })
    }

    /// Trusts a text as a workspace's own profile. Says whether that is new.
    pub fn trust(&self, workspace: &Path, text: &str) -> io::Result<bool> {
        let mut kept = self.read()?;
        let before = kept.trusted.insert(workspace.join(PROJECT_FILE), text.to_owned());
        self.write(&kept)?;
        Ok(before.as_deref() != Some(text))
    }

    /// Trusts a workspace's own profile no more. Says whether it was.
    pub fn revoke(&self, workspace: &Path) -> io::Result<bool> {
        let mut kept = self.read()?;
        let was = kept.trusted.remove(&workspace.join(PROJECT_FILE)).is_some();
        if was {
            self.write(&kept)?;
        }
        Ok(was)
    }

    /// The files that are trusted.
    pub fn list(&self) -> io::Result<Vec<PathBuf>> {
        Ok(self.read()?.trusted.into_keys().collect())
    }

    fn read(&self) -> io::Result<Kept> {
        match fs::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error),
        }
    }

    /// All or nothing: another that writes at the same time may win, but leaves no half.
    fn write(&self, kept: &Kept) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let new = self.file.with_extension(format!("{}.new", std::process::id()));
        let written = (|| {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(kept).map_err(io::Error::other)?)?;
            file.sync_all()?;
            fs::rename(&new, &self.file)
        })();
        if written.is_err() {
            // What was begun is of no use to anybody.
            let _ = fs::remove_file(&new);
        }
        written
    }
}

/// What came and what went, the first few lines.
fn gist(before: &str, after: &str) -> String {
    let gone = before.lines().filter(|line| !after.lines().any(|other| other == *line));
    let come = after.lines().filter(|line| !before.lines().any(|other| other == *line));
    let short = |line: &str| line.chars().take(GIST_LINE).collect::<String>();
    let lines = gone
        .map(|line| format!("  - {}", short(line)))
        .chain(come.map(|line| format!("  + {}", short(line))));
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return "  the order of its lines, or empty ones".to_owned();
    }
    let more = lines.len().saturating_sub(GIST);
    lines.truncate(GIST);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_trusted_as_it_was_and_not_otherwise() {
        let state = tempfile::tempdir().unwrap();
        let work = tempfile::tempdir().unwrap();
        let (trust, work) = (Trust::of_user(state.path()), work.path());
        assert_eq!(trust.standing(work).unwrap(), Standing::None);
        let file = work.join(PROJECT_FILE);
        fs::write(&file, "[files]\nread = [\"/a\"]\n").unwrap();
        assert_eq!(trust.standing(work).unwrap(), Standing::Untrusted);
        assert!(trust.trust(work, &fs::read_to_string(&file).unwrap()).unwrap());
        assert!(!trust.trust(work, &fs::read_to_string(&file).unwrap()).unwrap());
        assert_eq!(trust.standing(work).unwrap(), Standing::Trusted);
        let mode = fs::metadata(trust.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, "[files]\nread = [\"/\"]\n").unwrap();
        let gist = "  - read = [\"/a\"]\n  + read = [\"/\"]".to_owned();
        assert_eq!(trust.standing(work).unwrap(), Standing::Changed { gist });
        assert_eq!(trust.list().unwrap(), [file]);
        assert!(trust.revoke(work).unwrap());
        assert!(!trust.revoke(work).unwrap());
        assert_eq!(trust.standing(work).unwrap(), Standing::Untrusted);
    }

    #[test]
    fn a_gist_is_short() {
        let many: Vec<String> = (0..30).map(|n| format!("line {n}")).collect();
        assert_eq!(gist("", &many.join("\n")).lines().count(), GIST + 1);
        assert_eq!(gist("a\nb\n", "b\na\n"), "  the order of its lines, or empty ones");
    }
}
