//! An agent that tampers with protected paths, and what they are after the run.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::confinement::Layout;

/// A repository, and the paths in it that are protected.
struct World {
    folder: tempfile::TempDir,
    protect: Vec<&'static str>,
}

impl World {
    fn new(protect: &[&'static str]) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), protect: protect.to_vec() };
        fs::create_dir_all(world.at(".git/hooks")).unwrap();
        fs::write(world.at(".git/config"), "[core]\n").unwrap();
        fs::write(world.at(".git/hooks/pre-push"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(world.at(".git/hooks/pre-push"), fs::Permissions::from_mode(0o755))
            .unwrap();
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("workspace").join(path)
    }

    fn guard(&self) -> Guard {
        let files = Files {
            workspace: self.folder.path().join("workspace"),
            workspace_access: Access::Write,
            layout: Layout::InPlace,
            protect: self.protect.iter().map(|path| self.at(path)).collect(),
            ..Files::default()
        };
        let mut guard = Guard::take(&files, Tier::Fallback).unwrap();
        guard.places = vec![self.folder.path().join("place")];
        guard
    }

    /// What was put back: what was done, and the path.
    fn told(&self, restored: &[Restored]) -> Vec<String> {
        let mut told: Vec<_> = restored
            .iter()
            .map(|one| {
                assert_eq!(one.failure, None, "{one}");
                let path = one.path.strip_prefix(self.at("")).unwrap();
                format!("{:?} {}", one.what, path.display())
            })
            .collect();
        told.sort();
        told
    }
}

const USUAL: [&str; 4] = [".git/hooks", ".git/config", ".vscode/settings.json", ".mcp.json"];

#[test]
fn what_is_untouched_is_left_alone() {
    let world = World::new(&USUAL);
    let guard = world.guard();
    let inode = fs::metadata(world.at(".git/config")).unwrap().ino();
    fs::write(world.at("other"), "fine").unwrap();
    fs::create_dir(world.at(".vscode")).unwrap();
    fs::write(world.at(".vscode/other"), "fine").unwrap();
    assert_eq!(world.told(&guard.restore().unwrap()), Vec::<String>::new());
    assert_eq!(fs::metadata(world.at(".git/config")).unwrap().ino(), inode);
    assert!(world.at(".vscode/other").exists());
}

#[test]
fn what_was_changed_added_or_removed_is_as_it_was() {
    let world = World::new(&USUAL);
    let guard = world.guard();
    let modified = fs::metadata(world.at(".git/config")).unwrap().modified().unwrap();
    // The same length, and the time put back: the content tells.
    fs::write(world.at(".git/config"), "[evil]\n").unwrap();
    let config = fs::File::options().write(true).open(world.at(".git/config")).unwrap();
    config.set_modified(modified).unwrap();
    fs::remove_file(world.at(".git/hooks/pre-push")).unwrap();
    fs::write(world.at(".git/hooks/pre-commit"), "evil").unwrap();
    fs::create_dir_all(world.at(".vscode/settings.json/deep")).unwrap();
    symlink("/etc/passwd", world.at(".mcp.json")).unwrap();
    let restored = guard.restore().unwrap();
    assert_eq!(
        world.told(&restored),
        [
            "Added .git/hooks/pre-commit",
            "Added .mcp.json",
            "Added .vscode/settings.json",
            "Changed .git/config",
            "Removed .git/hooks/pre-push",
        ]
    );
    assert_eq!(fs::read_to_string(world.at(".git/config")).unwrap(), "[core]\n");
    assert_eq!(fs::metadata(world.at(".git/config")).unwrap().modified().unwrap(), modified);
    let hook = fs::metadata(world.at(".git/hooks/pre-push")).unwrap();
    assert_eq!(hook.mode() & 0o7777, 0o755);
    assert!(!world.at(".git/hooks/pre-commit").exists());
    assert!(!world.at(".mcp.json").is_symlink() && !world.at(".vscode/settings.json").exists());
    let evil = restored.iter().find(|one| one.path.ends_with("pre-commit")).unwrap();
    assert_eq!(fs::read_to_string(evil.aside.as_ref().unwrap()).unwrap(), "evil");
    assert!(fs::metadata("/etc/passwd").is_ok());
    assert_eq!(world.told(&guard.restore().unwrap()), Vec::<String>::new(), "twice is once");
}

#[test]
fn a_folder_that_was_replaced_by_a_link_is_a_folder_again() {
    let world = World::new(&USUAL);
    let guard = world.guard();
    let elsewhere = world.folder.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("hooks")).unwrap();
    fs::write(elsewhere.join("hooks/pre-push"), "theirs").unwrap();
    fs::rename(world.at(".git"), world.at("moved")).unwrap();
    symlink(&elsewhere, world.at(".git")).unwrap();
    symlink(&elsewhere, world.at(".vscode")).unwrap();
    let restored = guard.restore().unwrap();
    assert_eq!(
        world.told(&restored),
        ["Added .vscode", "Changed .git", "Removed .git/config", "Removed .git/hooks"]
    );
    assert_eq!(fs::read_to_string(world.at(".git/config")).unwrap(), "[core]\n");
    assert!(!world.at(".git").is_symlink() && world.at(".git/hooks/pre-push").exists());
    assert_eq!(fs::read_to_string(elsewhere.join("hooks/pre-push")).unwrap(), "theirs");
}

#[test]
fn a_file_on_the_way_is_protected_in_its_place() {
    let world = World::new(&["tree/.git/hooks", "linked/settings.json"]);
    fs::create_dir(world.at("tree")).unwrap();
    fs::write(world.at("tree/.git"), "gitdir: ../.git\n").unwrap();
    fs::create_dir(world.at("real")).unwrap();
    fs::write(world.at("real/settings.json"), "{}").unwrap();
    symlink("real", world.at("linked")).unwrap();
    let guard = world.guard();
    fs::write(world.at("tree/.git"), "gitdir: /evil\n").unwrap();
    fs::write(world.at("real/settings.json"), "evil").unwrap();
    assert_eq!(
        world.told(&guard.restore().unwrap()),
        ["Changed real/settings.json", "Changed tree/.git"]
    );
    fs::remove_file(world.at("linked")).unwrap();
    fs::create_dir(world.at("linked")).unwrap();
    assert_eq!(world.told(&guard.restore().unwrap()), ["Changed linked"]);
    assert_eq!(fs::read_link(world.at("linked")).unwrap(), Path::new("real"));
}

#[test]
fn unreadable_leftovers_are_put_aside_all_the_same() {
    let world = World::new(&USUAL);
    let guard = world.guard();
    fs::create_dir(world.at(".git/hooks/shut")).unwrap();
    for path in [".git/hooks/shut", ".git/hooks", ".git"] {
        fs::set_permissions(world.at(path), fs::Permissions::from_mode(0o0)).unwrap();
    }
    let restored = guard.restore().unwrap();
    let git = fs::metadata(world.at(".git")).unwrap();
    fs::set_permissions(world.at(".git"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.told(&restored), ["Added .git/hooks/shut", "Changed .git/hooks"]);
    assert_eq!(git.mode() & 0o777, 0, "the agent's own, since it is not protected");
    assert_eq!(fs::metadata(world.at(".git/hooks")).unwrap().mode() & 0o777, 0o755);
}

#[test]
fn what_is_only_read_needs_no_guard_and_too_much_is_refused() {
    let world = World::new(&USUAL);
    let files = Files {
        workspace: world.at(""),
        workspace_access: Access::Read,
        protect: vec![world.at(".git/hooks")],
        ..Files::default()
    };
    assert!(Guard::take(&files, Tier::Fallback).unwrap().is_empty());
    let large = fs::File::create(world.at(".git/hooks/large")).unwrap();
    large.set_len(BYTES + 1).unwrap();
    let files = Files { workspace_access: Access::Write, ..files };
    let error = Guard::take(&files, Tier::Fallback).unwrap_err().to_string();
    assert!(error.contains("protect less"), "{error}");
}

#[test]
fn where_mounts_protect_what_is_there_the_rest_is_remembered() {
    let world = World::new(&USUAL);
    fs::create_dir(world.at("real")).unwrap();
    symlink("real", world.at(".claude")).unwrap();
    let protect = [".git/hooks", ".mcp.json", ".claude"].map(|path| world.at(path)).to_vec();
    let files = Files {
        workspace: world.at("").components().collect(),
        workspace_access: Access::Write,
        protect,
        ..Files::default()
    };
    let mut guard = Guard::take(&files, Tier::Namespace).unwrap();
    guard.places = vec![world.folder.path().join("place")];
    fs::write(world.at(".git/hooks/pre-push"), "a mount would have kept it").unwrap();
    fs::write(world.at(".mcp.json"), "evil").unwrap();
    fs::remove_file(world.at(".claude")).unwrap();
    assert_eq!(world.told(&guard.restore().unwrap()), ["Added .mcp.json", "Removed .claude"]);
}
