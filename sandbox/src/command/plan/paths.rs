//! Which paths a sandbox gives, and who asked for each: profiles, the command, the repository, the run,
//! flags. What is too much is not given by any of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::args::ConfineArgs;
use super::super::surroundings::Surroundings;
use crate::confinement::{Access, Files, Layout};
use crate::profile::expand::{self, Expand};
use crate::profile::folder::Guarded;
use crate::profile::git;
use crate::profile::merge::{Entry, Merged};
use crate::profile::own::Own;
use crate::profile::toolchain::{self, Here};

/// Who asked for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path.
    pub path: PathBuf,
    /// What it was asked for.
    pub list: List,
    /// In words: `the profile python`, `--read`.
    pub from: String,
}

/// What a path is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// To read and execute.
    Read,
    /// To write.
    Write,
    /// To stay as it is.
    Protect,
    /// Not to be seen.
    Hide,
}

/// Paths as they come together.
pub(super) struct Paths<'a> {
    guarded: &'a Guarded,
    workspace: &'a Path,
    origins: Vec<Origin>,
}

impl<'a> Paths<'a> {
    /// None yet.
    pub(super) const fn new(guarded: &'a Guarded, workspace: &'a Path) -> Self {
        Self { guarded, workspace, origins: Vec::new() }
    }

    fn add(&mut self, list: List, path: PathBuf, from: &str) {
        if !self.origins.iter().any(|known| known.list == list && known.path == path) {
            self.origins.push(Origin { path, list, from: from.to_owned() });
        }
    }

    /// Adds what is there of a path, unless it is too much.
    fn grant(&mut self, list: List, path: &Path, from: &str) {
        for place in expand::places(path) {
            if self.guarded.check(&place).is_ok() {
                self.add(list, place, from);
            }
        }
    }

    pub(super) fn of_profiles(&mut self, merged: &Merged, expand: &Expand<'_>) {
        let lists = [
            (List::Read, &merged.read),
            (List::Write, &merged.write),
            (List::Protect, &merged.protect),
            (List::Hide, &merged.hide),
        ];
        for (list, entries) in lists {
            for Entry { text, from } in entries {
                let from = format!("the profile {from}");
                for path in expand.paths(text) {
                    match list {
                        List::Read | List::Write => self.grant(list, &path, &from),
                        List::Protect | List::Hide => {
                            for place in expand::places_to_be(&path) {
                                self.add(list, place, &from);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Folders of clients' own, each with its variable: written to, whether it is there yet or not.
    pub(super) fn of_own_folders(
        &mut self,
        merged: &Merged,
        expand: &Expand<'_>,
        here: &Surroundings,
    ) -> Vec<(String, Own)> {
        let Some(data) = here.data() else { return Vec::new() };
        let mut all = Vec::new();
        for folder in &merged.own {
            // Where the user keeps it elsewhere, it is there.
            let named = here.variable(&folder.variable).map(PathBuf::from);
            let named = named.filter(|path| path.is_absolute());
            let Some(from) = named.or_else(|| expand.paths(&folder.from).pop()) else { continue };
            let path = data.join("iron-cage/sandbox").join(&folder.name);
            let Some(path) = expand::places_to_be(&path).pop() else { continue };
            let whose = format!("the sandbox's own folder for {}", folder.name);
            self.add(List::Write, path.clone(), &whose);
            for name in &folder.link {
                self.grant(List::Read, &from.join(name), &whose);
            }
            let own = Own { path, from, copy: folder.copy.clone(), link: folder.link.clone() };
            all.push((folder.variable.clone(), own));
        }
        all
    }

    /// What the command's own program needs to start.
    pub(super) fn of_command(&mut self, command: &[OsString], here: &Surroundings) {
        let Some(word) = command.first() else { return };
        let place = Here {
            home: here.home.as_deref(),
            current_folder: &here.current_folder,
            workspace: self.workspace,
            search: here.variable("PATH"),
        };
        let Some(program) = toolchain::find(word, &place) else { return };
        for need in toolchain::needs(&program, &place) {
            self.grant(List::Read, &need.path, &format!("what the command needs: {}", need.what));
        }
    }

    pub(super) fn of_git(&mut self, access: Access, notes: &mut Vec<String>) {
        let git = git::look(self.workspace);
        notes.extend(git.notes);
        for path in git.write {
            let list = if access == Access::Write { List::Write } else { List::Read };
            self.grant(list, &path, "the workspace's repository");
        }
        for path in git.protect {
            for place in expand::places_to_be(&path) {
                self.add(List::Protect, place, "the workspace's repository");
            }
        }
    }

    pub(super) fn of_run(&mut self, here: &Surroundings) {
        for (list, name) in [(List::Read, "IRON_RUN_READ"), (List::Write, "IRON_RUN_WRITE")] {
            for path in here.run_paths(name) {
                // Certificates and what is made for the run stand where the state is.
                for place in expand::places(&path) {
                    if place != Path::new("/") {
                        self.add(list, place, "the run");
                    }
                }
            }
        }
    }

    pub(super) fn of_flags(
        &mut self,
        args: &ConfineArgs,
        here: &Surroundings,
    ) -> Result<(), Failure> {
        for (list, flag, paths) in
            [(List::Read, "--read", &args.read), (List::Write, "--write", &args.write)]
        {
            for path in paths {
                let path = here.current_folder.join(path);
                let places = expand::places(&path);
                if places.is_empty() {
                    let next = if list == List::Write { ": make it first" } else { "" };
                    return Err(Failure::Usage(format!(
                        "{flag} {}: there is no such file or folder{next}",
                        path.display()
                    )));
                }
                for place in places {
                    self.guarded.check(&place).map_err(|why| {
                        Failure::Usage(format!(
                            "{flag} {}: {why}. Name the folders in it that the agent needs",
                            path.display()
                        ))
                    })?;
                    self.lift(list, &place);
                    self.add(list, place, flag);
                }
            }
        }
        for (list, flag, paths) in
            [(List::Protect, "--protect", &args.protect), (List::Hide, "--hide", &args.hide)]
        {
            for path in paths {
                for place in expand::places_to_be(&here.current_folder.join(path)) {
                    self.add(list, place, flag);
                }
            }
        }
        Ok(())
    }

    /// A flag that names what a profile keeps, or something that holds it, means it. The workspace as a
    /// whole is not meant so.
    fn lift(&mut self, list: List, place: &Path) {
        if self.workspace.starts_with(place) {
            return;
        }
        self.origins.retain(|known| match known.list {
            List::Hide => !known.path.starts_with(place),
            List::Protect => list != List::Write || !known.path.starts_with(place),
            List::Read | List::Write => true,
        });
    }

    /// What Iron Cage lives on is seen in no sandbox, whatever is granted around it.
    pub(super) fn of_iron_cage(&mut self) {
        let granted =
            self.origins.iter().filter(|known| matches!(known.list, List::Read | List::Write));
        let granted: Vec<PathBuf> = granted.map(|known| known.path.clone()).collect();
        let mut folders: Vec<&Path> = granted.iter().map(PathBuf::as_path).collect();
        folders.push(self.workspace);
        for path in self.guarded.within(&folders) {
            // But for what the run itself hands out of it, such as the certificate.
            if !granted.contains(&path) {
                self.add(List::Hide, path, "Iron Cage's own");
            }
        }
    }

    pub(super) fn finish(self, access: Access) -> (Files, Vec<Origin>) {
        let of = |list: List| {
            let paths = self.origins.iter().filter(|known| known.list == list);
            paths.map(|known| known.path.clone()).collect::<Vec<_>>()
        };
        let files = Files {
            workspace: self.workspace.to_owned(),
            workspace_access: access,
            layout: Layout::InPlace,
            read: around_hidden(expand::without_nested(of(List::Read)), &of(List::Hide)),
            write: expand::without_nested(of(List::Write)),
            protect: sorted(of(List::Protect)),
            hide: sorted(of(List::Hide)),
        };
        (files, self.origins)
    }
}

/// Landlock cannot take something out of a folder that it gives. A folder that is read and in which
/// something is hidden is given without it instead: by all else that is in it now.
fn around_hidden(read: Vec<PathBuf>, hide: &[PathBuf]) -> Vec<PathBuf> {
    let mut given = Vec::with_capacity(read.len());
    let mut rest = read;
    while let Some(path) = rest.pop() {
        if hide.iter().any(|hidden| path.starts_with(hidden)) {
            continue;
        }
        let holds = hide
            .iter()
            .any(|hidden| hidden.starts_with(&path) && hidden.symlink_metadata().is_ok());
        if holds {
            for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
                // A link there may lead anywhere, and was not asked for.
                let places = expand::places(&entry.path());
                if places.iter().all(|place| place.starts_with(&path)) {
                    rest.extend(places);
                }
            }
        } else {
            given.push(path);
        }
    }
    expand::without_nested(given)
}

fn sorted(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    paths
}
