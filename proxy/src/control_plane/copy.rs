//! What the panel last said, kept in a file so that a proxy starts without it: the keys of tokens,
//! revocations, budgets, the policy, who is stopped. Provider keys are not in it.
//!
//! One file beside the state, replaced as a whole. A copy of another panel's is not used: its numbers
//! mean something else.

use std::io::Write;
use std::path::{Path, PathBuf};

use iron_policy::control::Changes;
use serde::{Deserialize, Serialize};

/// How the file's name ends: beside `x.db` it is `x.panel.json`, so that two proxies share a folder.
const FILE: &str = "panel.json";

/// A copy in a file.
#[derive(Clone, Debug)]
pub(super) struct CopyFile {
    path: PathBuf,
    /// Whose it is.
    panel: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    panel: String,
    said: Changes,
}

impl CopyFile {
    /// Beside this state, of this panel.
    pub(super) fn beside(state: &Path, panel: &str) -> Self {
        Self { path: state.with_extension(FILE), panel: panel.to_owned() }
    }

    /// What is in it; none where there is none of this panel, or none that can be read.
    pub(super) fn read(&self) -> Option<Changes> {
        let text = std::fs::read(&self.path).ok()?;
        match serde_json::from_slice::<Written>(&text) {
            Ok(written) if written.panel == self.panel => {
                let mut said = written.said;
                said.secrets = None;
                said.marks.secrets = 0;
                Some(said)
            }
            Ok(_) => {
                tracing::warn!("what another panel said is forgotten");
                None
            }
            Err(error) => {
                tracing::warn!(%error, file = %self.path.display(), "the panel's copy is not readable");
                None
            }
        }
    }

    /// Replaces it: after a crash there is the old one, or this one.
    pub(super) fn write(&self, said: &Changes) -> std::io::Result<()> {
        let mut said = said.clone();
        said.secrets = None;
        said.marks.secrets = 0;
        let written = Written { panel: self.panel.clone(), said };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(FILE).tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec(&written)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use iron_policy::control::{Marks, SealedSecret};

    use super::*;

    #[test]
    fn a_copy_is_read_back_without_provider_keys_and_only_for_its_own_panel() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let file = CopyFile::beside(&state, "https://panel.example");
        assert_eq!(file.read(), None);
        let sealed = SealedSecret {
            id: "sec_1".into(),
            version: 1,
            upstream: "openai".into(),
            base_url: "https://api.openai.com".into(),
            encapsulated: String::new(),
            sealed: "c2VhbGVk".into(),
        };
        let said = Changes {
            marks: Marks { keys: 3, secrets: 4, ..Marks::default() },
            issuer: "panel".into(),
            secrets: Some(vec![sealed]),
            stops: Some(vec!["wild".into()]),
            ..Changes::default()
        };
        file.write(&said).unwrap();
        let read = file.read().unwrap();
        assert_eq!((read.marks.keys, read.marks.secrets), (3, 0));
        assert_eq!((read.secrets, read.stops), (None, Some(vec!["wild".to_owned()])));
        let text = std::fs::read_to_string(folder.path().join("state.panel.json")).unwrap();
        assert!(!text.contains("c2VhbGVk"));
        assert_eq!(CopyFile::beside(&state, "https://other.example").read(), None);
        std::fs::write(folder.path().join("state.panel.json"), "garbage").unwrap();
        assert_eq!(file.read(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = CopyFile::beside(&folder.path().join("state.db"), "p");
        file.write(&Changes::default()).unwrap();
        let mode =
            std::fs::metadata(folder.path().join("state.panel.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
