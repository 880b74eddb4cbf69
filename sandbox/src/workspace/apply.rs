//! Lands changes in the real workspace.
//!
//! Nothing lands where the workspace was changed meanwhile at any of the paths. What lands is written
//! beside its place and moved there, folders first and removals last, and no symbolic link is followed.
//! Special bits, devices, pipes and sockets never land; protected paths only when that is asked for.
//! Where it fails half way, what landed is whole, and everything stays in the kept folder.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::changes::{Change, What, file_of_ours, parent_of_ours, same_bytes, target};
use super::copy::{Copier, attributes, times};
use super::diff::printable;
use super::folder::{Folder, Kind, Stamp, set_mode_by_handle};
use super::{Ephemeral, Note};

/// What may land.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Absolute paths that do not land, nor what lies in them.
    pub protect: Vec<PathBuf>,
    /// They land all the same.
    pub protected_too: bool,
}

/// What landed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many changes.
    pub landed: usize,
    /// What did not, and why.
    pub skipped: Vec<Note>,
}

/// Why changes did not land.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The workspace was changed meanwhile. Nothing landed.
    #[error("nothing was applied: the workspace was changed meanwhile at {} of the paths", .0.len())]
    Conflicts(Vec<Note>),
    /// It could not be found out whether the workspace was changed. Nothing landed.
    #[error("nothing was applied: {}: {source}", printable(path.as_os_str()))]
    Unread {
        /// Where.
        path: PathBuf,
        /// How.
        #[source]
        source: io::Error,
    },
    /// It failed half way. What landed is whole.
    #[error(
        "{landed} of {all} changes were applied, then {} failed: {source}. All of them are kept in {}: mend the cause and copy what is missing from there",
        printable(path.as_os_str()), printable(kept.as_os_str())
    )]
    Interrupted {
        /// How many landed.
        landed: usize,
        /// How many there were.
        all: usize,
        /// At which path.
        path: PathBuf,
        /// How.
        #[source]
        source: io::Error,
        /// Where all changes are.
        kept: PathBuf,
    },
}

impl Ephemeral {
    /// Lands those changes that `filter` wants, and the folders that they need.
    pub fn apply(
        &mut self,
        changes: &[Change],
        rules: &Rules,
        filter: &dyn Fn(&Change) -> bool,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let chosen = self.choose(changes, rules, filter, &mut applied.skipped);
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Unread { path, source }
        };
        let result = self.result().map_err(unread(&self.path))?;
        let mut conflicts = Vec::new();
        let mut rest = Vec::new();
        for change in &chosen {
            match self.check(&result, change, &chosen).map_err(unread(&change.path))? {
                Verdict::Lands => rest.push(*change),
                Verdict::Done => applied.landed += 1,
                Verdict::Stays(why) => applied.skipped.push(Note::new(&change.path, why)),
                Verdict::Conflict(why) => conflicts.push(Note::new(&change.path, why)),
            }
        }
        if !conflicts.is_empty() {
            return Err(Error::Conflicts(conflicts));
        }
        // From here on the changes outlast this process, whatever becomes of it.
        let kept = self.keep().map_err(|error| Error::Unread {
            path: self.path.clone(),
            source: io::Error::other(error.to_string()),
        })?;
        let all = rest.len() + applied.landed;
        let mut landing = Landing { real: &self.workspace, result, copier: Copier::new(u64::MAX) };
        for step in order(&rest) {
            if let Err(source) = landing.step(&step) {
                let path = step.change().path.clone();
                return Err(Error::Interrupted { landed: applied.landed, all, path, source, kept });
            }
            applied.landed += usize::from(step.counts());
        }
        self.scratch.release();
        Ok(applied)
    }

    /// The changes that may land and are wanted.
    fn choose<'a>(
        &self,
        changes: &'a [Change],
        rules: &Rules,
        filter: &dyn Fn(&Change) -> bool,
        skipped: &mut Vec<Note>,
    ) -> Vec<&'a Change> {
        let protect: Vec<&Path> =
            rules.protect.iter().filter_map(|path| path.strip_prefix(&self.path).ok()).collect();
        let mut chosen = Vec::new();
        for change in changes.iter().filter(|change| filter(change)) {
            if let Some(path) = protect.iter().find(|path| touches(change, path))
                && !rules.protected_too
            {
                let path = printable(path.as_os_str());
                let text =
                    format!("not applied: {path} is protected (`--apply-protected` applies it)");
                skipped.push(Note::new(&change.path, text));
            } else if change.after.as_ref().is_some_and(|state| state.kind == Kind::Other) {
                let text = "not applied: sockets, pipes and devices never are".to_owned();
                skipped.push(Note::new(&change.path, text));
            } else {
                if change.after.as_ref().is_some_and(|state| special(state.mode, change) != 0) {
                    let text = "applied without its setuid, setgid or sticky bit".to_owned();
                    skipped.push(Note::new(&change.path, text));
                }
                chosen.push(change);
            }
        }
        let needed: BTreeSet<&Path> =
            chosen.iter().flat_map(|change| change.path.ancestors().skip(1)).collect();
        let had: BTreeSet<&Path> = chosen.iter().map(|change| change.path.as_path()).collect();
        for change in changes {
            let folder = change.after.as_ref().is_some_and(|state| state.kind == Kind::Folder);
            let wanted = folder && matches!(change.what, What::Added | What::Kind);
            let path = change.path.as_path();
            if wanted && needed.contains(path) && !had.contains(path) {
                chosen.push(change);
            }
        }
        chosen.sort_by(|one, other| one.path.cmp(&other.path));
        chosen
    }

    /// Whether the workspace is at this path what it was when the run began.
    fn check(&self, result: &Folder, change: &Change, chosen: &[&Change]) -> io::Result<Verdict> {
        let path = &change.path;
        let now = self.workspace.look_below(path)?;
        if change.after.is_some() && !self.has_parent(path, chosen)? {
            return Ok(conflict("the folder it belongs in is not there any more"));
        }
        let (Some(base), Some(now)) = (self.base.get(path), now) else {
            return Ok(match (change.what, now) {
                (What::Removed, None) => Verdict::Done,
                (What::Added, None) => Verdict::Lands,
                (What::Added, Some(now)) if self.is_there(result, change, &now)? => Verdict::Done,
                (What::Added, Some(_)) => conflict("is there meanwhile, and something else"),
                _ => conflict("was removed meanwhile"),
            });
        };
        if change.after.is_some() && self.is_there(result, change, &now)? {
            return Ok(Verdict::Done);
        }
        if base.kind == Kind::Folder && now.kind == Kind::Folder {
            if change.what == What::Mode && base.mode != now.mode {
                return Ok(conflict("has other permissions meanwhile"));
            }
            if change.what == What::Mode {
                return Ok(Verdict::Lands);
            }
            return self.check_emptied(path, chosen);
        }
        let same = base.same_content(&now);
        Ok(if same { Verdict::Lands } else { conflict("was changed meanwhile") })
    }

    /// Whether all that is in a folder goes with it.
    fn check_emptied(&self, path: &Path, chosen: &[&Change]) -> io::Result<Verdict> {
        for name in self.workspace.descend(path)?.names()? {
            let path = path.join(name);
            let goes = chosen.binary_search_by(|change| change.path.as_path().cmp(&path));
            if goes.is_ok_and(|at| chosen[at].what == What::Removed) {
                continue;
            }
            if self.base.get(&path).is_some() {
                return Ok(Verdict::Stays("not removed: something in it stays".to_owned()));
            }
            return Ok(conflict("was to be removed, and there is something new in it"));
        }
        Ok(Verdict::Lands)
    }

    /// Whether the folder that a path stands in is there, or comes with the changes.
    fn has_parent(&self, path: &Path, chosen: &[&Change]) -> io::Result<bool> {
        let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) else {
            return Ok(true);
        };
        let comes = chosen.binary_search_by(|change| change.path.as_path().cmp(parent));
        if comes.is_ok_and(|at| matches!(chosen[at].what, What::Added | What::Kind)) {
            return Ok(true);
        }
        Ok(self.workspace.look_below(parent)?.is_some_and(|stamp| stamp.kind == Kind::Folder))
    }

    /// Whether the workspace has at a path already what the agent left there.
    fn is_there(&self, result: &Folder, change: &Change, now: &Stamp) -> io::Result<bool> {
        let Some(after) = change.after.as_ref().filter(|after| after.kind == now.kind) else {
            return Ok(false);
        };
        if after.kind != Kind::Link && after.mode & 0o777 != now.mode & 0o777 {
            return Ok(after.kind == Kind::Folder && change.what == What::Added);
        }
        match after.kind {
            Kind::Folder => Ok(true),
            Kind::Link => Ok(Some(target(&self.workspace, &change.path)?) == after.target),
            Kind::File => {
                same_bytes(self.file_before(&change.path)?, file_of_ours(result, &change.path)?)
            }
            Kind::Other => Ok(false),
        }
    }
}

/// What becomes of a change.
enum Verdict {
    Lands,
    /// It is so already.
    Done,
    Stays(String),
    Conflict(String),
}

fn conflict(text: &str) -> Verdict {
    Verdict::Conflict(text.to_owned())
}

/// Whether a change concerns a protected path: it lies there, or takes away a folder on the way.
fn touches(change: &Change, protected: &Path) -> bool {
    let folder = change.after.as_ref().is_some_and(|state| state.kind == Kind::Folder);
    change.path.starts_with(protected) || (protected.starts_with(&change.path) && !folder)
}

/// Special bits that an agent set; folders keep those that they had.
fn special(mode: u32, change: &Change) -> u32 {
    let had = change.before.as_ref().map_or(0, |state| state.mode);
    mode & 0o7000 & !had
}

/// One step of landing.
enum Step<'a> {
    /// Makes a folder, in place of something else if need be, and lets its owner write to it.
    Open(&'a Change),
    /// Puts a file or a link in its place.
    Put(&'a Change),
    /// Sets a file's permissions.
    Mode(&'a Change),
    /// Takes something away; puts in its place what comes after a folder.
    Remove(&'a Change),
    /// Sets a folder's permissions and time, when all in it is done.
    Close(&'a Change),
}

impl Step<'_> {
    fn change(&self) -> &Change {
        match self {
            Self::Open(change)
            | Self::Put(change)
            | Self::Mode(change)
            | Self::Remove(change)
            | Self::Close(change) => change,
        }
    }

    /// Whether the change is done with it: a folder's last step is its second.
    fn counts(&self) -> bool {
        !matches!(self, Self::Open(_))
    }
}

/// The steps in their order: folders, then what is in them, then removals from the deepest up, then
/// folders' permissions.
fn order<'a>(changes: &[&'a Change]) -> Vec<Step<'a>> {
    let is = |state: &Option<super::changes::State>, kind| {
        state.as_ref().is_some_and(|state| state.kind == kind)
    };
    let (mut first, mut files, mut last, mut folders) = (vec![], vec![], vec![], vec![]);
    for change in changes {
        let folder = is(&change.after, Kind::Folder);
        match change.what {
            _ if folder => {
                first.push(Step::Open(change));
                folders.push(Step::Close(change));
            }
            What::Removed => last.push(Step::Remove(change)),
            What::Kind if is(&change.before, Kind::Folder) => last.push(Step::Remove(change)),
            What::Mode => files.push(Step::Mode(change)),
            _ => files.push(Step::Put(change)),
        }
    }
    last.reverse();
    folders.reverse();
    first.into_iter().chain(files).chain(last).chain(folders).collect()
}

struct Landing<'a> {
    real: &'a Folder,
    result: Folder,
    copier: Copier,
}

impl Landing<'_> {
    fn step(&mut self, step: &Step<'_>) -> io::Result<()> {
        let change = step.change();
        let (parent, name) = self.real.parent(&change.path)?;
        match step {
            Step::Open(_) => open_folder(&parent, name),
            Step::Put(_) => self.put(&parent, name, change),
            Step::Mode(_) => {
                let mode = change.after.as_ref().map_or(0, |state| state.mode) & 0o777;
                let flags = rustix::fs::OFlags::PATH
                    | rustix::fs::OFlags::NOFOLLOW
                    | rustix::fs::OFlags::CLOEXEC;
                let empty = rustix::fs::Mode::empty();
                let handle = rustix::fs::openat(&parent, name, flags, empty)?;
                if parent.look(name)?.is_none_or(|now| now.kind != Kind::File) {
                    return Err(io::Error::other("it is no file any more"));
                }
                set_mode_by_handle(&handle, mode)
            }
            Step::Remove(_) => {
                if change.before.as_ref().is_some_and(|state| state.kind == Kind::Folder) {
                    parent.unlink_folder(name)?;
                } else {
                    parent.unlink(name)?;
                }
                if change.after.is_some() { self.put(&parent, name, change) } else { Ok(()) }
            }
            Step::Close(_) => self.close(&parent, name, change),
        }
    }

    /// Writes beside the place, then moves there.
    fn put(&mut self, parent: &Folder, name: &OsStr, change: &Change) -> io::Result<()> {
        let Some(after) = &change.after else { return Ok(()) };
        let temporary = Temporary::new(parent)?;
        if let (Some(target), Kind::Link) = (&after.target, after.kind) {
            rustix::fs::symlinkat(target, parent, &temporary.name)?;
        } else {
            let source = file_of_ours(&self.result, &change.path)?;
            let file = parent.create(&temporary.name)?;
            self.copier.content(&source, &file)?;
            attributes(&source, &file)?;
            if let Some(now) = parent.look(name)? {
                let (user, group) = (Uid::from_raw(now.owner.0), Gid::from_raw(now.owner.1));
                // Only a superuser can; everybody else's are their own.
                let _ = rustix::fs::fchown(&file, Some(user), Some(group));
            }
            let mode = rustix::fs::Mode::from_raw_mode(after.mode & 0o777);
            rustix::fs::fchmod(&file, mode)?;
            file.set_modified(source.metadata()?.modified()?)?;
        }
        temporary.put_in_place(name, change.before.is_none())
    }

    fn close(&self, parent: &Folder, name: &OsStr, change: &Change) -> io::Result<()> {
        let Some(after) = &change.after else { return Ok(()) };
        let mut folder = parent.child(name)?;
        let had = change.before.as_ref().filter(|state| state.kind == Kind::Folder);
        let special = had.map_or(0, |state| state.mode) & 0o7000;
        folder.set_mode(after.mode & 0o777 | special)?;
        let (left, left_name) = parent_of_ours(&self.result, &change.path)?;
        if let Some(stamp) = left.look(left_name)? {
            rustix::fs::futimens(&folder, &times(&stamp))?;
        }
        Ok(())
    }
}

/// Makes a folder, or takes the one that is there. What else is there was found unchanged.
fn open_folder(parent: &Folder, name: &OsStr) -> io::Result<()> {
    match parent.look(name)? {
        Some(stamp) if stamp.kind == Kind::Folder => {
            parent.child_of_ours(name)?.set_mode(stamp.mode | 0o700)
        }
        Some(_) => {
            parent.unlink(name)?;
            parent.create_folder(name).map(drop)
        }
        None => parent.create_folder(name).map(drop),
    }
}

/// A name beside the place; what has it is removed if it does not get there.
struct Temporary<'a> {
    parent: &'a Folder,
    name: OsString,
}

impl<'a> Temporary<'a> {
    fn new(parent: &'a Folder) -> io::Result<Self> {
        for number in 0..1000 {
            let name = OsString::from(format!(".iron-cage-{}-{number}", std::process::id()));
            if parent.look(&name)?.is_none() {
                return Ok(Self { parent, name });
            }
        }
        Err(io::Error::from(Errno::EXIST))
    }

    fn put_in_place(self, name: &OsStr, new: bool) -> io::Result<()> {
        let flags = if new { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
        match rustix::fs::renameat_with(self.parent, &self.name, self.parent, name, flags) {
            // A file system that cannot say so; it was looked at a moment ago.
            Err(Errno::INVAL) if new && self.parent.look(name)?.is_none() => {
                Ok(rustix::fs::renameat(self.parent, &self.name, self.parent, name)?)
            }
            other => Ok(other?),
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Nothing has the name where it got to its place.
        let _ = rustix::fs::unlinkat(self.parent, &self.name, AtFlags::empty());
    }
}
