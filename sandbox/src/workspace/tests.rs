//! Stories: an agent (a shell script) works in a workspace that is put aside, as an overlay in a real
//! user namespace and as a copy; what it did is listed, shown and applied.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::MoveMountFlags;
use tempfile::TempDir;

use super::apply::{self, Applied, Rules};
use super::changes::{Change, Changes, What};
use super::conclude::{Apply, Ending, Outcome, Show, Talk};
use super::*;

/// A workspace and the place beside it for what is put aside.
struct World {
    folder: TempDir,
}

impl World {
    /// A workspace with one of each.
    fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    fn within(folder: TempDir) -> Self {
        let world = Self { folder };
        let at = |path: &str| world.workspace().join(path);
        fs::create_dir_all(at("src/deep")).unwrap();
        fs::create_dir_all(at(".git/hooks")).unwrap();
        fs::create_dir_all(at("old/inner")).unwrap();
        fs::write(at("src/main.py"), "one\ntwo\nthree\n").unwrap();
        fs::write(at("src/deep/data.bin"), [0_u8, 1, 2, 255]).unwrap();
        fs::write(at("run.sh"), "#!/bin/sh\n").unwrap();
        fs::write(at("gone.txt"), "bye\n").unwrap();
        fs::write(at("old/inner/a"), "a").unwrap();
        fs::write(at("old/b"), "b").unwrap();
        fs::write(at(".git/config"), "[core]\n").unwrap();
        symlink("main.py", at("src/link")).unwrap();
        world
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    fn prepare(&self, mode: Mode) -> Ephemeral {
        let tier = if mode == Mode::Copy { Tier::Fallback } else { Tier::Namespace };
        Ephemeral::prepare_in(&[self.place()], &self.workspace(), mode, tier, LIMIT).unwrap()
    }

    /// Names in the place, `ephemeral` itself left out.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place().join("ephemeral")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.workspace().join(path)).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        self.workspace().join(path).symlink_metadata().is_ok()
    }
}

/// Runs a script where the agent would be. No other process sees the overlay.
fn agent(ephemeral: &Ephemeral, script: &str) {
    let run = |folder: &Path| {
        let done = Command::new("/bin/sh").args(["-euc", script]).current_dir(folder).status();
        done.is_ok_and(|status| status.success())
    };
    match ephemeral.layout() {
        Layout::Copy { copy } => assert!(run(copy), "{script}"),
        Layout::Overlay { upper, work } => {
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            let (user, group) = (user.as_raw(), group.as_raw());
            crate::sys::attempt::in_namespaces(user, group, || {
                let workspace = ephemeral.workspace();
                let fail =
                    |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
                let mount = overlay::mount(workspace, upper, work).map_err(fail)?;
                let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                rustix::mount::move_mount(&mount, "", rustix::fs::CWD, workspace, flags)?;
                if run(workspace) { Ok(()) } else { Err(Errno::PROTO) }
            })
            .unwrap();
        }
        Layout::InPlace => unreachable!(),
    }
}

fn lines(changes: &Changes) -> Vec<String> {
    changes.changes.iter().map(Change::line).collect()
}

fn apply_all(ephemeral: &mut Ephemeral) -> Result<Applied, apply::Error> {
    let changes = ephemeral.changes().unwrap();
    ephemeral.apply(&changes.changes, &Rules::default(), &|_| true)
}

const BOTH: [Mode; 2] = [Mode::Overlay, Mode::Copy];

/// Something of each kind.
const WORK: &str = "
    printf 'one\\n2\\nthree\\n' > src/main.py
    printf new > src/new.txt
    mkdir -p made/inner; printf x > made/inner/file
    rm gone.txt; rm -r old
    chmod 755 run.sh
    rm src/link; ln -s deep/data.bin src/link
    ln -s /etc/passwd outside
    touch src/deep/data.bin
";

#[test]
fn changes_are_told_and_land() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, WORK);
        assert_eq!(world.read("src/main.py"), "one\ntwo\nthree\n", "{mode:?}: nothing landed yet");
        let changes = ephemeral.changes().unwrap();
        assert_eq!(
            lines(&changes),
            [
                "removed   gone.txt",
                "added     made/",
                "added     made/inner/",
                "added     made/inner/file (1 bytes)",
                "removed   old/",
                "removed   old/b",
                "removed   old/inner/",
                "removed   old/inner/a",
                "added     outside -> /etc/passwd",
                "mode      run.sh (mode 0755, was 0644)",
                "target    src/link -> deep/data.bin",
                "modified  src/main.py",
                "added     src/new.txt (3 bytes)",
            ],
            "{mode:?}"
        );
        let passwd = fs::metadata("/etc/passwd").unwrap();
        let applied = apply_all(&mut ephemeral).unwrap();
        assert_eq!(applied, Applied { landed: 13, skipped: Vec::new() }, "{mode:?}");
        assert_eq!(world.read("src/main.py"), "one\n2\nthree\n");
        assert_eq!(world.read("made/inner/file"), "x");
        assert_eq!(
            fs::read_link(world.workspace().join("src/link")).unwrap(),
            Path::new("deep/data.bin")
        );
        assert!(!world.exists("gone.txt") && !world.exists("old"));
        let run = fs::metadata(world.workspace().join("run.sh")).unwrap();
        assert_eq!(run.mode() & 0o7777, 0o755);
        assert_eq!(
            fs::metadata("/etc/passwd").unwrap().modified().unwrap(),
            passwd.modified().unwrap()
        );
        drop(ephemeral);
        assert_eq!(world.left(), Vec::<String>::new(), "{mode:?}");
    }
}

#[test]
fn nothing_changed_is_no_change() {
    for mode in BOTH {
        let world = World::new();
        let ephemeral = world.prepare(mode);
        agent(&ephemeral, "cat src/main.py >/dev/null; touch run.sh; mv gone.txt x; mv x gone.txt");
        let changes = ephemeral.changes().unwrap();
        assert_eq!(lines(&changes), Vec::<String>::new(), "{mode:?}");
        assert_eq!(changes.summary(), "nothing changed");
    }
}

#[test]
fn a_folder_made_anew_hides_what_was_in_it() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(
            &ephemeral,
            "rm -r old; mkdir old; printf c > old/c; rm gone.txt; mkdir gone.txt; \
            printf d > gone.txt/d; rm -r src; printf file > src",
        );
        let changes = ephemeral.changes().unwrap();
        let what =
            |path: &str| changes.changes.iter().find(|c| c.path == Path::new(path)).map(|c| c.what);
        assert_eq!(what("old/b"), Some(What::Removed), "{mode:?}");
        assert_eq!(what("old/inner/a"), Some(What::Removed));
        assert_eq!(what("old/c"), Some(What::Added));
        assert_eq!(what("gone.txt"), Some(What::Kind));
        assert_eq!(what("src"), Some(What::Kind));
        assert_eq!(what("src/main.py"), Some(What::Removed));
        apply_all(&mut ephemeral).unwrap();
        assert_eq!(world.read("old/c"), "c");
        assert_eq!(world.read("gone.txt/d"), "d");
        assert_eq!(world.read("src"), "file");
        assert!(!world.exists("old/b"));
    }
}

#[test]
fn what_was_changed_meanwhile_keeps_all_from_landing() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, WORK);
        let at = |path: &str| world.workspace().join(path);
        fs::write(at("src/main.py"), "the user's\n").unwrap();
        fs::write(at("src/new.txt"), "the user's\n").unwrap();
        fs::write(at("old/users"), "the user's\n").unwrap();
        fs::remove_file(at("run.sh")).unwrap();
        let Err(apply::Error::Conflicts(conflicts)) = apply_all(&mut ephemeral) else {
            panic!("{mode:?}: landed")
        };
        let told: Vec<_> =
            conflicts.iter().map(|note| (note.path.as_str(), note.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("old", "was to be removed, and there is something new in it"),
                ("run.sh", "was removed meanwhile"),
                ("src/main.py", "was changed meanwhile"),
                ("src/new.txt", "is there meanwhile, and something else"),
            ],
            "{mode:?}"
        );
        assert_eq!(world.read("src/main.py"), "the user's\n");
        assert!(world.exists("gone.txt") && !world.exists("made"));
    }
}

#[test]
fn what_is_so_already_is_no_conflict() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, WORK);
        let at = |path: &str| world.workspace().join(path);
        fs::write(at("src/main.py"), "one\n2\nthree\n").unwrap();
        fs::write(at("src/new.txt"), "new").unwrap();
        fs::remove_file(at("gone.txt")).unwrap();
        assert_eq!(apply_all(&mut ephemeral).unwrap().landed, 13, "{mode:?}");
    }
}

#[test]
fn a_link_in_the_workspace_is_not_followed_when_changes_land() {
    for mode in BOTH {
        let world = World::new();
        let outside = world.folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, "printf evil > src/deep/file; printf evil > src/main.py");
        let changes = ephemeral.changes().unwrap();
        // Put there meanwhile, by whomever.
        fs::remove_dir_all(world.workspace().join("src/deep")).unwrap();
        symlink(&outside, world.workspace().join("src/deep")).unwrap();
        let applied = ephemeral.apply(&changes.changes, &Rules::default(), &|_| true);
        assert!(matches!(applied, Err(apply::Error::Conflicts(_))), "{mode:?}: {applied:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(world.read("src/main.py"), "one\ntwo\nthree\n");
    }
}

#[test]
fn special_bits_and_pipes_do_not_land() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, "cp /bin/true root; chmod 6755 root; mkfifo pipe; chmod u+s run.sh");
        let applied = apply_all(&mut ephemeral).unwrap();
        let root = fs::metadata(world.workspace().join("root")).unwrap();
        assert_eq!(root.mode() & 0o7777, 0o755, "{mode:?}");
        let run = fs::metadata(world.workspace().join("run.sh")).unwrap();
        assert_eq!(run.mode() & 0o7777, 0o644, "{mode:?}");
        assert!(!world.exists("pipe"));
        let told: Vec<_> = applied.skipped.iter().map(|note| note.path.as_str()).collect();
        assert_eq!(told, ["pipe", "root", "run.sh"]);
    }
}

#[test]
fn protected_paths_land_only_when_told() {
    let script = "printf evil > .git/hooks/pre-commit; printf evil > .git/config; mkdir .vscode; \
        printf evil > .vscode/settings.json; ln -s src .claude; printf fine > fine";
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, script);
        let at = |path: &str| ephemeral.workspace().join(path);
        let protect =
            [".git/hooks", ".git/config", ".vscode/settings.json", ".claude/settings.json"];
        let mut rules = Rules { protect: protect.map(at).to_vec(), protected_too: false };
        let changes = ephemeral.changes().unwrap();
        let applied = ephemeral.apply(&changes.changes, &rules, &|_| true).unwrap();
        let told: Vec<_> = applied.skipped.iter().map(|note| note.path.as_str()).collect();
        let expected = [".claude", ".git/config", ".git/hooks/pre-commit", ".vscode/settings.json"];
        assert_eq!(told, expected, "{mode:?}");
        assert_eq!(world.read(".git/config"), "[core]\n");
        assert!(!world.exists(".git/hooks/pre-commit") && !world.exists(".claude"));
        assert_eq!(world.read("fine"), "fine");
        rules.protected_too = true;
        ephemeral.apply(&changes.changes, &rules, &|_| true).unwrap();
        assert_eq!(world.read(".git/hooks/pre-commit"), "evil");
    }
}

#[test]
fn some_changes_land_with_the_folders_that_they_need() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, WORK);
        let changes = ephemeral.changes().unwrap();
        let wanted = |change: &Change| {
            change.path.starts_with("made/inner/file") || change.path == Path::new("old")
        };
        let applied = ephemeral.apply(&changes.changes, &Rules::default(), &wanted).unwrap();
        assert_eq!(applied.landed, 3, "{mode:?}");
        assert_eq!(applied.skipped[0].text, "not removed: something in it stays");
        assert_eq!(world.read("made/inner/file"), "x");
        assert!(world.exists("gone.txt") && world.exists("old/b"));
    }
}

#[test]
fn what_is_kept_stays_and_what_is_left_behind_goes() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(&ephemeral, "printf kept > kept.txt; mkdir shut; printf x > shut/x; chmod 0 shut");
        let kept = ephemeral.keep().unwrap();
        drop(ephemeral);
        assert_eq!(fs::read_to_string(kept.join("kept.txt")).unwrap(), "kept", "{mode:?}");
        // As a launcher leaves it that is killed: nobody holds it.
        let stale = world.place().join("ephemeral/stale/upper/deep");
        fs::create_dir_all(&stale).unwrap();
        drop(world.prepare(mode));
        assert!(stale.exists(), "a young one may be about to be locked");
        let place = folder::Folder::open(&world.place().join("ephemeral")).unwrap();
        let used = world.prepare(mode);
        scratch::sweep(&place, 0).unwrap();
        assert!(!stale.exists(), "{mode:?}");
        assert!(used.scratch.path().exists(), "{mode:?}: it is locked");
        assert!(kept.exists(), "{mode:?}");
    }
}

#[test]
fn unreadable_files_of_an_agent_are_read_and_removed_all_the_same() {
    for mode in BOTH {
        let world = World::new();
        let mut ephemeral = world.prepare(mode);
        agent(
            &ephemeral,
            "mkdir -p shut/inner; printf x > shut/inner/x; printf y > y; chmod 0 y \
            shut/inner/x shut/inner shut; chmod 0 src/main.py",
        );
        let changes = ephemeral.changes().unwrap();
        assert_eq!(
            lines(&changes),
            [
                "added     shut/",
                "added     shut/inner/",
                "added     shut/inner/x (1 bytes)",
                "mode      src/main.py (mode 0000, was 0644)",
                "added     y (1 bytes)"
            ],
            "{mode:?}"
        );
        assert_eq!(
            lines(&ephemeral.changes().unwrap()),
            lines(&changes),
            "looking changes nothing"
        );
        apply_all(&mut ephemeral).unwrap();
        assert_eq!(fs::metadata(world.workspace().join("shut")).unwrap().mode() & 0o7777, 0);
        drop(ephemeral);
        assert_eq!(world.left(), Vec::<String>::new(), "{mode:?}");
        fs::set_permissions(world.workspace().join("shut"), fs::Permissions::from_mode(0o700))
            .unwrap();
        let inner = world.workspace().join("shut/inner");
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_tree_of_any_depth_is_removed() {
    // Thousands of folders are made and removed: in memory.
    let world = World::within(tempfile::tempdir_in("/dev/shm").unwrap());
    let ephemeral = world.prepare(Mode::Copy);
    let Layout::Copy { copy } = ephemeral.layout() else { panic!() };
    let mut here = folder::Folder::open(copy).unwrap();
    for _ in 0..5000 {
        here = here.create_folder(OsStr::new("d")).unwrap();
    }
    here.create(OsStr::new("f")).unwrap();
    let error = ephemeral.changes().unwrap_err().to_string();
    assert!(error.contains("nested more than 256 deep"), "{error}");
    drop(ephemeral);
    assert_eq!(world.left(), Vec::<String>::new());
}

#[test]
fn a_copy_has_links_times_holes_and_attributes_as_they_were() {
    let world = World::new();
    let at = |path: &str| world.workspace().join(path);
    fs::hard_link(at("run.sh"), at("twin.sh")).unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", 40 << 20).unwrap();
    let attribute =
        rustix::fs::setxattr(at("run.sh"), "user.note", b"mine", rustix::fs::XattrFlags::empty());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let ephemeral = world.prepare(Mode::Copy);
    let Layout::Copy { copy } = ephemeral.layout() else { panic!() };
    let (one, twin) =
        (fs::metadata(copy.join("run.sh")).unwrap(), fs::metadata(copy.join("twin.sh")).unwrap());
    assert_eq!(one.ino(), twin.ino());
    assert_ne!(one.ino(), fs::metadata(at("run.sh")).unwrap().ino());
    assert_eq!(one.mtime_nsec(), fs::metadata(at("run.sh")).unwrap().mtime_nsec());
    let (before, after) = (sparse.metadata().unwrap(), fs::metadata(copy.join("sparse")).unwrap());
    assert_eq!(after.len(), before.len());
    assert!(after.blocks() <= before.blocks() + 16, "{} blocks", after.blocks());
    assert_eq!(fs::read(copy.join("sparse")).unwrap(), fs::read(at("sparse")).unwrap());
    if attribute.is_ok() {
        let mut value = [0; 16];
        let length =
            rustix::fs::getxattr(copy.join("run.sh"), "user.note", &mut value[..]).unwrap();
        assert_eq!(&value[..length], b"mine");
    }
    assert!(fs::symlink_metadata(copy.join("src/link")).unwrap().file_type().is_symlink());
    assert!(fs::metadata(at("socket")).unwrap().file_type().is_socket());
    assert_eq!(ephemeral.notes().len(), 1);
    assert_eq!(ephemeral.notes()[0].path, "socket");
    assert_eq!(lines(&ephemeral.changes().unwrap()), Vec::<String>::new());
}

#[test]
fn a_copy_larger_than_its_limit_is_refused_and_leaves_nothing() {
    let world = World::new();
    fs::write(world.workspace().join("large"), vec![1; 2 << 20]).unwrap();
    let refused = Ephemeral::prepare_in(
        &[world.place()],
        &world.workspace(),
        Mode::Copy,
        Tier::Fallback,
        1 << 20,
    );
    // A file system that shares blocks copies nothing.
    if let Err(error) = refused {
        assert!(matches!(error, Error::TooLarge(_)), "{error}");
    }
    assert_eq!(world.left(), Vec::<String>::new());
}

#[test]
fn a_place_in_the_workspace_or_of_somebody_else_is_refused() {
    let world = World::new();
    let inside = world.workspace().join("state");
    let open = world.folder.path().join("open");
    fs::create_dir_all(open.join("ephemeral")).unwrap();
    fs::set_permissions(open.join("ephemeral"), fs::Permissions::from_mode(0o755)).unwrap();
    let linked = world.folder.path().join("linked");
    symlink(world.workspace(), &linked).unwrap();
    let places = [inside.clone(), open, linked];
    let refused =
        Ephemeral::prepare_in(&places, &world.workspace(), Mode::Copy, Tier::Fallback, LIMIT);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("lies in the workspace"), "{error}");
    assert!(error.contains("is not this user's alone"), "{error}");
    assert!(!inside.exists() && !world.exists("ephemeral"));
}

#[test]
fn an_overlay_needs_namespaces() {
    let world = World::new();
    let prepare =
        |mode, tier| Ephemeral::prepare_in(&[world.place()], &world.workspace(), mode, tier, LIMIT);
    let error = prepare(Mode::Overlay, Tier::Fallback).unwrap_err();
    assert!(matches!(error, Error::OverlayNeedsNamespaces));
    let copied = prepare(Mode::Auto, Tier::Fallback).unwrap();
    assert!(matches!(copied.layout(), Layout::Copy { .. }));
    let laid = prepare(Mode::Auto, Tier::Namespace).unwrap();
    assert!(matches!(laid.layout(), Layout::Overlay { .. }));
}

#[test]
fn a_diff_is_shown_and_can_do_nothing_to_a_terminal() {
    for mode in BOTH {
        let world = World::new();
        let ephemeral = world.prepare(mode);
        agent(
            &ephemeral,
            "printf 'one\\n2\\nthree' > src/main.py; printf '\\033[31mred\\r\\n' > a; \
             printf 'x' > \"$(printf 'na\\033me')\"; printf '\\0' > zero; rm src/deep/data.bin",
        );
        let changes = ephemeral.changes().unwrap();
        let mut shown = Vec::new();
        ephemeral.print_diff(&changes, false, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        insta::allow_duplicates! { insta::assert_snapshot!(shown) };
        let mut json = Vec::new();
        ephemeral.print_json(&changes, &mut json).unwrap();
        assert!(!json.contains(&0x1b));
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["changes"].as_array().unwrap().len(), 5);
        assert_eq!(json["changes"][2]["path"], "src/deep/data.bin");
        assert_eq!(json["changes"][2]["binary"], true);
        assert_eq!(json["changes"][3]["change"], "modified");
        let mut coloured = Vec::new();
        ephemeral.print_diff(&changes, true, &mut coloured).unwrap();
        assert!(String::from_utf8(coloured).unwrap().contains("\x1b[32m+2\x1b[0m"));
    }
}

/// Ends a run as a person would who gives these answers; none is nobody.
fn end(ephemeral: Ephemeral, ending: &Ending, answers: Option<&str>) -> (Outcome, String) {
    let mut input = answers.map(str::as_bytes);
    let (mut shown, mut told) = (Vec::new(), Vec::new());
    let answers = input.as_mut().map(|input| input as &mut dyn std::io::BufRead);
    let mut talk = Talk { answers, shown: &mut shown, told: &mut told, colour: false };
    let outcome = conclude::conclude(ephemeral, ending, &mut talk).unwrap();
    let json = ending.show == Show::Json;
    let text = if json { shown } else { [shown, told].concat() };
    (outcome, String::from_utf8(text).unwrap())
}

#[test]
fn the_end_asks_applies_keeps_or_drops() {
    let ask = Ending::default();
    for mode in BOTH {
        let changed = |world: &World| {
            let ephemeral = world.prepare(mode);
            agent(&ephemeral, "printf new > new.txt");
            ephemeral
        };
        let world = World::new();
        let (outcome, told) = end(changed(&world), &ask, Some("what\nd\ny\n"));
        assert_eq!(outcome.applied.unwrap().landed, 1, "{mode:?}");
        assert!(told.contains("+new") && told.matches("[y]es").count() == 3, "{told}");
        assert_eq!((world.read("new.txt").as_str(), world.left().len()), ("new", 0));

        let world = World::new();
        let (outcome, _) = end(changed(&world), &ask, Some("no\n"));
        assert_eq!((outcome.applied, outcome.kept), (None, None));
        assert!(!world.exists("new.txt") && world.left().is_empty(), "{mode:?}");

        for nobody in [None, Some("")] {
            let world = World::new();
            let (outcome, told) = end(changed(&world), &ask, nobody);
            let kept = outcome.kept.unwrap();
            assert!(told.contains(kept.to_str().unwrap()), "{told}");
            assert_eq!(fs::read_to_string(kept.join("new.txt")).unwrap(), "new", "{mode:?}");
        }

        let world = World::new();
        let ephemeral = changed(&world);
        fs::write(world.workspace().join("new.txt"), "the user's").unwrap();
        let always = Ending { apply: Apply::Always, ..Ending::default() };
        let (outcome, told) = end(ephemeral, &always, None);
        assert!(outcome.failed && outcome.kept.is_some(), "{mode:?}");
        assert!(told.contains("new.txt: is there meanwhile, and something else"), "{told}");
        assert_eq!(world.read("new.txt"), "the user's");

        let world = World::new();
        let never = Ending { apply: Apply::Never, show: Show::Json, ..Ending::default() };
        let (_, told) = end(changed(&world), &never, Some("y\n"));
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(json["changes"][0]["path"], "new.txt");
        assert!(!world.exists("new.txt"));
    }
}
