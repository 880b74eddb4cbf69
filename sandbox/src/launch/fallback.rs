//! What the fallback tier needs besides: a folder for temporary files, and the files of a copy.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::confinement::{Confinement, Layout};

/// Where profiles let programs keep their caches.
const CACHES: &str = "/tmp/.cache";

/// A folder for temporary files, which goes with this.
#[derive(Debug)]
pub(super) struct Temporary(PathBuf);

impl Temporary {
    /// Makes one that nobody else can enter.
    pub(super) fn make() -> io::Result<Self> {
        let process = std::process::id();
        let mut tries = 0_u32;
        loop {
            let path = std::env::temp_dir().join(format!("iron-sandbox-{process}-{tries}"));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 1000 => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // However deep an agent made it, and whatever it made unreadable.
        crate::workspace::remove(&self.0);
    }
}

/// The same confinement where nothing can be mounted: temporary files have their own folder's name, and a
/// copy of the workspace is at its own place.
pub(super) fn adapt(confinement: &Confinement, temporary: &Path) -> Result<Confinement, String> {
    let mut adapted = confinement.clone();
    adapted.files.write.push(temporary.to_owned());
    let value = OsString::from(temporary);
    for name in ["TMPDIR", "TMP", "TEMP"] {
        let own = adapted.environment.iter_mut().find(|(own, _)| own == name);
        match own {
            Some((_, own)) => own.clone_from(&value),
            None if name == "TMPDIR" => adapted.environment.push((name.into(), value.clone())),
            None => {}
        }
    }
    // Profiles say where caches go as if /tmp were the sandbox's own.
    for (_, own) in &mut adapted.environment {
        if let Ok(rest) = Path::new(&*own).strip_prefix(CACHES) {
            let moved = temporary.join(".cache").join(rest);
            *own = moved.into_os_string();
        }
    }
    match &confinement.files.layout {
        Layout::InPlace => {}
        Layout::Overlay { .. } => {
            return Err(
                "an overlay over the workspace needs the namespace tier: ask for a copy with \
                        --ephemeral=copy"
                    .to_owned(),
            );
        }
        Layout::Copy { copy } => {
            let original = &confinement.files.workspace;
            let moved = |path: &Path| match path.strip_prefix(original) {
                Ok(rest) if rest.as_os_str().is_empty() => copy.clone(),
                Ok(rest) => copy.join(rest),
                Err(_) => path.to_owned(),
            };
            let files = &mut adapted.files;
            for list in [&mut files.read, &mut files.write, &mut files.protect, &mut files.hide] {
                for path in list.iter_mut() {
                    *path = moved(path);
                }
            }
            files.workspace.clone_from(copy);
            adapted.current_folder = moved(&confinement.current_folder);
            for (name, value) in &mut adapted.environment {
                if name == "PWD" {
                    value.clone_from(&adapted.current_folder.clone().into_os_string());
                }
            }
        }
    }
    Ok(adapted)
}
