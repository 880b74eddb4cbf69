//! What a workspace was when a run began, and what of it an agent touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Note;
use super::folder::{ENTRIES, Folder, Kind, Stamp, walk};

/// What a tree is, by path relative to its root. The root itself is not in it.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    entries: BTreeMap<PathBuf, Stamp>,
    /// What could not be read: nothing is said or done about it later.
    left_out: BTreeSet<PathBuf>,
}

impl Manifest {
    /// Reads what an overlay over this folder shows. What is mounted in it is not shown.
    pub(crate) fn read(root: &Folder) -> io::Result<(Self, Vec<Note>)> {
        let mut manifest = Self::default();
        let mut notes = Vec::new();
        let device = root.itself()?.device;
        walk(root, false, &mut |parent, name, path, stamp| {
            if stamp.kind == Kind::Folder {
                let why = if stamp.device == device {
                    parent.child(name).err().filter(is_refused).map(|error| error.to_string())
                } else {
                    Some("a mount of its own is empty in an overlay".to_owned())
                };
                if let Some(why) = why {
                    manifest.leave_out(path);
                    notes.push(Note::new(path, why));
                    return Ok(false);
                }
            }
            manifest.insert(path, *stamp)?;
            Ok(true)
        })?;
        Ok((manifest, notes))
    }

    pub(crate) fn insert(&mut self, path: &Path, stamp: Stamp) -> io::Result<()> {
        bounded(self.entries.len())?;
        self.entries.insert(path.to_owned(), stamp);
        Ok(())
    }

    pub(crate) fn leave_out(&mut self, path: &Path) {
        self.left_out.insert(path.to_owned());
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Stamp> {
        self.entries.get(path)
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    /// Whether a path is one that could not be read, or lies in one.
    pub(crate) fn is_left_out(&self, path: &Path) -> bool {
        path.ancestors().any(|ancestor| self.left_out.contains(ancestor))
    }

    /// What lies in a folder, however deep.
    pub(crate) fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a Path> {
        let after = std::ops::Bound::Excluded(folder);
        let rest = self.entries.range::<Path, _>((after, std::ops::Bound::Unbounded));
        rest.map(|(path, _)| path.as_path()).take_while(move |path| path.starts_with(folder))
    }
}

/// What an agent touched: what it is now, or none where it is gone.
#[derive(Debug, Default)]
pub(crate) struct Changed(pub(crate) BTreeMap<PathBuf, Option<Stamp>>);

impl Changed {
    pub(crate) fn present(&mut self, path: &Path, stamp: Stamp) -> io::Result<()> {
        bounded(self.0.len())?;
        self.0.insert(path.to_owned(), Some(stamp));
        Ok(())
    }

    /// A path is gone and all below it.
    pub(crate) fn gone(&mut self, path: &Path, base: &Manifest) -> io::Result<()> {
        if base.get(path).is_some() {
            bounded(self.0.len())?;
            self.0.insert(path.to_owned(), None);
        }
        self.gone_below(path, base)
    }

    /// All below a path is gone.
    pub(crate) fn gone_below(&mut self, path: &Path, base: &Manifest) -> io::Result<()> {
        for gone in base.below(path) {
            bounded(self.0.len())?;
            self.0.insert(gone.to_owned(), None);
        }
        Ok(())
    }
}

fn bounded(length: usize) -> io::Result<()> {
    let full = || io::Error::other(format!("there are more than {ENTRIES} files and folders"));
    (length < ENTRIES).then_some(()).ok_or_else(full)
}

fn is_refused(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM))
}
