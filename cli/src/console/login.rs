//! Where `iron login` keeps what it got: a file that only its owner can read.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::commands::Failure;
use crate::files;

/// A panel that somebody is signed in to.
#[derive(Clone)]
pub struct Login {
    /// The panel, without a slash at its end.
    pub url: String,
    /// Whom to trust besides the system's roots.
    pub ca: Option<PathBuf>,
    /// The session's token.
    pub token: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    token: String,
}

impl Login {
    /// What was kept, if anything.
    pub fn read() -> Result<Option<Self>, Failure> {
        let Some(path) = path() else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let failed = anyhow!("{} cannot be read: {error}", path.display());
                return Err(Failure::Other(failed));
            }
        };
        let kept: Kept = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: run `iron login` again", path.display()))?;
        Ok(Some(Self { url: kept.url, ca: kept.ca, token: Zeroizing::new(kept.token) }))
    }

    /// Keeps it, in the place of what was kept before.
    pub fn keep(&self) -> Result<PathBuf, Failure> {
        let path = path().ok_or_else(|| anyhow!("neither HOME nor XDG_CONFIG_HOME is set"))?;
        let folder = path.parent().unwrap_or(&path);
        let kept = Kept {
            url: self.url.clone(),
            ca: self.ca.clone(),
            token: self.token.as_str().to_owned(),
        };
        let text = Zeroizing::new(serde_json::to_string(&kept).map_err(anyhow::Error::from)?);
        drop(Zeroizing::new(kept.token));
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            // Made for its owner alone, and put in place whole.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        });
        written.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// Forgets it.
    pub fn forget() -> Result<(), Failure> {
        let Some(path) = path() else { return Ok(()) };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::Other(anyhow!("{} cannot be removed: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}

fn path() -> Option<PathBuf> {
    files::user_folder().map(|folder| folder.join("login.json"))
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("url", &self.url).finish_non_exhaustive()
    }
}
