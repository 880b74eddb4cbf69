use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::command::args::{AccessArg, LimitArgs, TierArg, Variable};

/// A user's machine in a folder.
struct World {
    _folder: tempfile::TempDir,
    root: PathBuf,
    here: Surroundings,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (home, work) = (root.join("home/ada"), root.join("home/ada/work"));
        fs::create_dir_all(&work).unwrap();
        let variables = [
            ("HOME", home.to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
            ("PWD", "/elsewhere"),
            ("LD_PRELOAD", "/x.so"),
        ];
        let here = Surroundings {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            home: Some(home),
            current_folder: work,
        };
        Self { _folder: folder, root, here }
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.here.variables.retain(|(own, _)| own != name);
        self.here.variables.push((name.into(), value.into()));
    }

    fn home(&self, path: &str) -> PathBuf {
        self.root.join("home/ada").join(path)
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn plan(&self, args: &ConfineArgs, command: &str) -> Result<Planned, Failure> {
        let words: Vec<OsString> = command.split_whitespace().map(OsString::from).collect();
        plan(args, &words, Watch::Everything, &self.here)
    }
}

fn variable<'p>(planned: &'p Planned, name: &str) -> Option<&'p str> {
    let environment = &planned.confinement.environment;
    environment.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.to_str())
}

#[test]
fn a_program_nobody_knows_gets_its_folder_and_the_system() {
    let world = World::new();
    world.file("work/agent", "\x7fELF");
    world.file(".ssh/id_rsa", "secret");
    let planned = world.plan(&ConfineArgs::default(), "./agent").unwrap();
    let files = &planned.confinement.files;
    assert_eq!(files.workspace, world.home("work"));
    assert_eq!(files.workspace_access, Access::Write);
    assert!(files.read.contains(&"/usr".into()));
    assert!(!files.read.iter().any(|path| path.starts_with("/etc/shadow")), "{:?}", files.read);
    assert!(!files.read.contains(&"/etc".into()));
    let home = world.home("");
    assert!(
        !files
            .read
            .iter()
            .any(|path| path.starts_with(&home) && !path.starts_with(home.join("work")))
    );
    assert!(files.write.is_empty());
    for name in [".git", ".vscode", ".mcp.json", ".iron-sandbox.toml"] {
        assert!(files.protect.contains(&world.home("work").join(name)), "{name}");
    }
    assert_eq!(planned.profiles, ["base", "git"]);
    assert_eq!(variable(&planned, "LD_PRELOAD"), None);
    assert_eq!(variable(&planned, "TMPDIR"), Some("/tmp"));
    assert_eq!(variable(&planned, "PWD"), world.home("work").to_str());
    assert!(planned.confinement.network.gates.is_empty());
    assert_eq!(planned.confinement.limits.processes, Some(4096));
    assert!(planned.notes.is_empty(), "{:?}", planned.notes);
}

#[test]
fn a_folder_that_holds_too_much_is_no_workspace() {
    let world = World::new();
    fs::create_dir_all(world.home(".local/state/iron-cage")).unwrap();
    for (folder, why) in [
        (world.home(""), "is your home folder"),
        (world.root.clone(), "holds your home folder"),
        ("/".into(), "the whole machine"),
        (world.home(".local/state"), "is where Iron Cage keeps its state"),
        (world.home("none"), "cannot be used"),
    ] {
        let args = ConfineArgs { workspace: Some(folder.clone()), ..ConfineArgs::default() };
        let error = world.plan(&args, "true").unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(error.to_string().contains(why), "{}: {error}", folder.display());
    }
    for flag in ["read", "write"] {
        let path = vec![world.home("")];
        let args = match flag {
            "read" => ConfineArgs { read: path, ..ConfineArgs::default() },
            _ => ConfineArgs { write: path, ..ConfineArgs::default() },
        };
        let error = world.plan(&args, "true").unwrap_err().to_string();
        assert!(error.contains("Name the folders in it that the agent needs"), "{error}");
    }
}

#[test]
fn a_profile_is_told_by_the_command_and_flags_come_last() {
    let world = World::new();
    world.file(".claude/settings.json", "{}");
    world.file(".claude/.credentials.json", "{}");
    world.file(".claude/projects/x", "");
    let planned = world.plan(&ConfineArgs::default(), "npx claude").unwrap();
    let files = &planned.confinement.files;
    assert!(planned.profiles.contains(&"claude-code".to_owned()), "{:?}", planned.profiles);
    assert!(
        !files.read.iter().any(|path| path.starts_with(world.home(".claude"))),
        "{:?}",
        files.read
    );
    let own = world.home(".local/share/iron-cage/sandbox/claude-code");
    assert_eq!(files.write, std::slice::from_ref(&own));
    assert_eq!(variable(&planned, "CLAUDE_CONFIG_DIR"), own.to_str());
    planned.prepare().unwrap();
    assert_eq!(fs::read_to_string(own.join("settings.json")).unwrap(), "{}");
    assert!(!own.join(".credentials.json").is_symlink());
    let login =
        ConfineArgs { profile: vec!["claude-code-login".to_owned()], ..ConfineArgs::default() };
    let planned = world.plan(&login, "claude").unwrap();
    assert!(planned.confinement.files.write.contains(&world.home(".claude/.credentials.json")));

    let args = ConfineArgs {
        profile: vec!["strict".to_owned()],
        workspace_access: Some(AccessArg::Write),
        limits: LimitArgs { processes: Some(7), ..LimitArgs::default() },
        ..ConfineArgs::default()
    };
    let planned = world.plan(&args, "claude").unwrap();
    assert_eq!(planned.profiles, ["base", "strict"]);
    assert_eq!(planned.confinement.files.workspace_access, Access::Write);
    let limits = &planned.confinement.limits;
    assert_eq!((limits.processes, limits.open_files), (Some(7), Some(1024)));
}

#[test]
fn a_flag_lifts_what_a_profile_keeps() {
    let world = World::new();
    world.file("work/.vscode/tasks.json", "{}");
    world.file("work/.env", "A=1");
    let args = ConfineArgs {
        profile: vec!["strict".to_owned()],
        write: vec![".vscode".into()],
        read: vec![".env".into()],
        ..ConfineArgs::default()
    };
    let planned = world.plan(&args, "claude").unwrap();
    let files = &planned.confinement.files;
    assert!(!files.protect.contains(&world.home("work/.vscode")));
    assert!(
        !files
            .hide
            .iter()
            .any(|path| path.ends_with(".credentials.json") || path.ends_with(".env"))
    );
    assert!(files.hide.contains(&world.home("work/.env.local")));
    // The workspace as a whole is no such wish.
    let args = ConfineArgs { write: vec![".".into()], ..ConfineArgs::default() };
    let planned = world.plan(&args, "true").unwrap();
    assert!(planned.confinement.files.protect.contains(&world.home("work/.vscode")));
}

#[test]
fn a_run_is_handed_on_without_what_the_proxy_lives_on() {
    let mut world = World::new();
    let ca = world.file(".local/state/iron-cage/ca/bundle.pem", "");
    let state = world.file("work/iron_state.db", "");
    world.file("work/iron_state.control", "");
    for (name, value) in [
        ("IRON_PROXY", "127.0.0.1:4141"),
        ("IRON_RUN_ID", "run-1"),
        ("IRON_RUN_VARIABLES", "OPENAI_BASE_URL,OPENAI_API_KEY"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:4141/v1"),
        ("OPENAI_API_KEY", "held-by-iron-cage"),
        ("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdef"),
    ] {
        world.set(name, value);
    }
    world.set("IRON_STATE", &state);
    world.set("IRON_RUN_READ", &ca);
    assert!(!wants_run(&ConfineArgs::default(), &world.here));
    let planned = world.plan(&ConfineArgs::default(), "python agent.py").unwrap();
    let confinement = &planned.confinement;
    let Behind::Proxy(introduction) = &confinement.network.gates[0].behind else { panic!() };
    assert_eq!(introduction.run, "run-1");
    assert!(confinement.files.read.contains(&ca));
    for name in ["iron_state.db", "iron_state.control"] {
        assert!(confinement.files.hide.contains(&world.home("work").join(name)), "{name}");
    }
    assert_eq!(variable(&planned, "OPENAI_API_KEY"), Some("held-by-iron-cage"));
    assert_eq!(variable(&planned, "ANTHROPIC_API_KEY"), None);
    assert_eq!(variable(&planned, "IRON_STATE"), None);
    assert_eq!(variable(&planned, "IRON_RUN_ID"), Some("run-1"));
    assert_eq!(planned.notes.len(), 1, "{:?}", planned.notes);

    world.set("IRON_PROXY", "192.168.1.5:4141");
    let error = world.plan(&ConfineArgs::default(), "true").unwrap_err();
    assert_eq!(error.code(), 64);
    let none = ConfineArgs { network: NetworkArg::None, ..ConfineArgs::default() };
    assert!(world.plan(&none, "true").unwrap().confinement.network.gates.is_empty());
}

#[test]
fn a_workspaces_own_profile_counts_only_once_it_is_trusted() {
    let world = World::new();
    let file = world.file("work/.iron-sandbox.toml", "[files]\nhide = [\"secrets\"]\n");
    let hides =
        |planned: &Planned| planned.confinement.files.hide.contains(&world.home("work/secrets"));
    let planned = world.plan(&ConfineArgs::default(), "true").unwrap();
    assert!(!hides(&planned));
    assert!(planned.notes[0].contains("is not used, because you have not trusted it"));
    let trust = Trust::of_user(&world.here.state().unwrap());
    trust.trust(&world.home("work"), &fs::read_to_string(&file).unwrap()).unwrap();
    let planned = world.plan(&ConfineArgs::default(), "true").unwrap();
    assert!(hides(&planned) && planned.notes.is_empty());
    fs::write(&file, "[files]\nread = [\"~/.ssh\"]\n").unwrap();
    let error = world.plan(&ConfineArgs::default(), "true").unwrap_err();
    assert_eq!(error.code(), 64);
    assert!(error.to_string().contains("  + read = [\"~/.ssh\"]"), "{error}");
}

#[test]
fn a_profile_cannot_hand_on_what_loads_code_or_is_a_key() {
    let world = World::new();
    for (line, name) in [
        ("allow = [\"LD_PRELOAD\"]", "LD_PRELOAD"),
        ("allow = [\"OPENAI_API_KEY\"]", "OPENAI_API_KEY"),
        ("set = { NODE_OPTIONS = \"--require x\" }", "NODE_OPTIONS"),
    ] {
        let file = world.file("mine.toml", &format!("[environment]\n{line}\n"));
        let args =
            ConfineArgs { profile: vec![file.display().to_string()], ..ConfineArgs::default() };
        let error = world.plan(&args, "true").unwrap_err();
        assert_eq!(error.code(), 64);
        assert!(error.to_string().contains(&format!("use --env {name}")), "{error}");
    }
    let env = vec![Variable { name: "LD_PRELOAD".to_owned(), value: None }];
    let planned = world.plan(&ConfineArgs { env, ..ConfineArgs::default() }, "true").unwrap();
    assert_eq!(variable(&planned, "LD_PRELOAD"), Some("/x.so"));
    assert_eq!(planned.notes.len(), 1);
}

#[test]
fn a_link_is_listed_with_what_it_leads_to() {
    let mut world = World::new();
    let real = world.file(".local/share/thing/thing", "\x7fELF");
    fs::create_dir_all(world.home(".local/bin")).unwrap();
    symlink(&real, world.home(".local/bin/thing")).unwrap();
    world.set("PATH", world.home(".local/bin"));
    let planned = world.plan(&ConfineArgs::default(), "thing").unwrap();
    let read = &planned.confinement.files.read;
    assert!(read.contains(&real) && read.contains(&world.home(".local/bin/thing")), "{read:?}");
    assert!(!read.contains(&world.home(".local/bin")));
}

#[test]
fn a_profile_that_asks_for_too_much_gets_none_of_it() {
    let mut world = World::new();
    world.set("VIRTUAL_ENV", world.home(""));
    let planned = world.plan(&ConfineArgs::default(), "python x.py").unwrap();
    assert!(!planned.confinement.files.read.contains(&world.home("").components().collect()));
    assert!(!planned.confinement.files.read.contains(&"/".into()));
}

#[test]
fn what_only_mounts_can_hide_is_left_to_them() {
    let world = World::new();
    world.file("work/.env", "A=1");
    let args = ConfineArgs { hide: vec![".env".into()], ..ConfineArgs::default() };
    let planned = world.plan(&args, "true").unwrap();
    assert_eq!(planned.confinement.tier, Some(Tier::Namespace));
    let fallback = ConfineArgs { tier: TierArg::Fallback, ..args.clone() };
    assert!(world.plan(&fallback, "true").unwrap_err().to_string().contains(".env is hidden"));
    let degraded = ConfineArgs { allow_degraded: vec![Layer::Mount], ..fallback };
    assert_eq!(world.plan(&degraded, "true").unwrap().confinement.tier, Some(Tier::Fallback));
    // What is not there needs no hiding.
    fs::remove_file(world.home("work/.env")).unwrap();
    assert_eq!(world.plan(&args, "true").unwrap().confinement.tier, None);
}

#[test]
fn nothing_leads_out_of_a_folder_in_which_something_is_hidden() {
    let world = World::new();
    world.file("data/a/one", "");
    world.file("data/a/secret", "");
    world.file("data/b", "");
    world.file(".ssh/id_rsa", "");
    symlink(world.home(".ssh"), world.home("data/link")).unwrap();
    let args = ConfineArgs {
        read: vec![world.home("data")],
        hide: vec![world.home("data/a/secret")],
        ..ConfineArgs::default()
    };
    let planned = world.plan(&args, "true").unwrap();
    let own =
        |path: &&PathBuf| path.starts_with(world.home("")) && !path.starts_with(world.home("work"));
    let read: Vec<_> = planned.confinement.files.read.iter().filter(own).cloned().collect();
    assert_eq!(read, [world.home("data/a/one"), world.home("data/b")]);
}
