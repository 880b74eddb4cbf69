//! Attempts on what stands within the workspace and runs, or tells programs what to run, outside the
//! sandbox later: git's hooks and settings, editors' tasks, agents' settings.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::files::change_mode2;

/// What is there is mounted read-only; what is not, and all of it in the fallback tier, is put back.
const PROTECTED: Expect = Expect::tiers(&[by::PUT_BACK, by::MOUNT], &[by::PUT_BACK]);
const MEANWHILE: &str = "it is put back only when the sandbox has ended: whoever uses it before uses the agent's; --ephemeral keeps it as it is";

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
) -> Attempt {
    Attempt { name, group: Group::Protected, what, run, shows: Shows::Files, expect: PROTECTED }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("hook", "change a hook of git's", |stage| {
        write(stage, ".git/hooks/pre-commit", "#!/bin/sh\necho hello\n")
    }),
    attempt("hook-absent", "make a hook of git's that was not there", |stage| {
        write(stage, ".git/hooks/post-checkout", "#!/bin/sh\necho hello\n")
    }),
    attempt("git-config", "change git's settings: they name programs", |stage| {
        write(stage, ".git/config", "[core]\n\tfsmonitor = ./hello\n")
    }),
    attempt("git-config-renamed", "replace git's settings by renaming a file over them", |stage| {
        let made = stage.workspace.join(".git/config.new");
        fs::write(&made, "[core]\n\tfsmonitor = ./hello\n").at("write a new one")?;
        done(fs::rename(made, stage.workspace.join(".git/config")).at("rename"))
    }),
    attempt("git-config-linked", "change git's settings by another link to them", |stage| {
        let link = stage.workspace.join("link");
        fs::hard_link(stage.workspace.join(".git/config"), &link).at("link")?;
        done(fs::write(link, "[core]\n\tfsmonitor = ./hello\n").at("open"))
    }),
    attempt("git-config-removed", "remove git's settings", |stage| {
        done(fs::remove_file(stage.workspace.join(".git/config")).at("unlink"))
    }),
    attempt("git-config-by-link", "change git's settings by a symbolic link", |stage| {
        let link = stage.workspace.join("link");
        symlink(".git/config", &link).at("symlink")?;
        done(fs::write(link, "[core]\n\tfsmonitor = ./hello\n").at("open"))
    }),
    attempt("git-config-by-dots", "change git's settings by a winding path", |stage| {
        write(stage, "source/../.git/./hooks/../config", "[core]\n\tfsmonitor = ./hello\n")
    }),
    attempt("git-config-by-proc", "change git's settings by /proc/self/cwd", |stage| {
        rustix::process::chdir(&stage.workspace).at("chdir")?;
        done(fs::write("/proc/self/cwd/.git/config", "[core]\n").at("open"))
    }),
    attempt("git-renamed", "rename .git and make another", |stage| {
        fs::rename(stage.workspace.join(".git"), stage.workspace.join("git")).at("rename")?;
        done(fs::create_dir_all(stage.workspace.join(".git/hooks")).at("mkdir"))
    }),
    attempt("git-exchanged", "exchange .git with another folder", |stage| {
        let (ours, theirs) = (stage.workspace.join("source"), stage.workspace.join(".git"));
        let exchange = RenameFlags::EXCHANGE;
        done(rustix::fs::renameat_with(CWD, ours, CWD, theirs, exchange).at("renameat2"))
    }),
    attempt("hooks-renamed", "rename the hooks' folder away", |stage| {
        let hooks = stage.workspace.join(".git/hooks");
        done(fs::rename(hooks, stage.workspace.join("hooks")).at("rename"))
    }),
    attempt("hooks-exchanged", "exchange the hooks' folder with another", |stage| {
        let (ours, theirs) = (stage.workspace.join("source"), stage.workspace.join(".git/hooks"));
        let exchange = RenameFlags::EXCHANGE;
        done(rustix::fs::renameat_with(CWD, ours, CWD, theirs, exchange).at("renameat2"))
    }),
    attempt("hooks-linked", "put a link in the place of the hooks' folder", |stage| {
        let hooks = stage.workspace.join(".git/hooks");
        fs::remove_file(hooks.join("pre-commit")).at("unlink")?;
        fs::remove_dir(&hooks).at("rmdir")?;
        done(symlink("../source", hooks).at("symlink"))
    }),
    attempt("hook-mode", "make a hook executable", |stage| {
        use std::os::unix::fs::PermissionsExt as _;
        let hook = stage.workspace.join(".git/hooks/pre-commit");
        done(fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).at("chmod"))
    }),
    attempt("parent-renamed", "rename the workspace and put another in its place", |stage| {
        let parent = stage.workspace.with_file_name("moved");
        fs::rename(&stage.workspace, &parent).at("rename")?;
        done(fs::create_dir_all(stage.workspace.join(".git/hooks")).at("mkdir"))
    })
    .expecting(Expect::tiers(&[by::MOUNT, by::LANDLOCK], &[by::LANDLOCK])),
    attempt("vscode-absent", "make an editor's tasks where there were none", |stage| {
        folder(stage, ".vscode")?;
        write(stage, ".vscode/tasks.json", "{}")
    }),
    attempt("mcp-absent", "make an agent's list of tools where there was none", |stage| {
        write(stage, ".mcp.json", "{}")
    }),
    attempt("claude-absent", "make an agent's settings where there were none", |stage| {
        folder(stage, ".claude")?;
        write(stage, ".claude/settings.json", "{}")
    }),
    attempt("claude-renamed", "rename a folder to an agent's settings", |stage| {
        let made = stage.workspace.join("made");
        fs::create_dir(&made).at("mkdir")?;
        fs::write(made.join("settings.json"), "{}").at("write")?;
        done(fs::rename(made, stage.workspace.join(".claude")).at("rename"))
    }),
    attempt("mcp-linked", "put a link in the place of an agent's list of tools", |stage| {
        done(symlink("source/main.py", stage.workspace.join(".mcp.json")).at("symlink"))
    }),
    attempt("mcp-hard-linked", "link a file to an agent's list of tools", |stage| {
        let file = stage.workspace.join("source/main.py");
        let list = stage.workspace.join(".mcp.json");
        done(rustix::fs::linkat(CWD, file, CWD, list, AtFlags::empty()).at("linkat"))
    }),
    attempt("setuid-chmod", "make a program of the workspace run as its owner (chmod)", |stage| {
        use std::os::unix::fs::PermissionsExt as _;
        let program = stage.workspace.join("program");
        fs::write(&program, "x").at("write")?;
        done(fs::set_permissions(program, fs::Permissions::from_mode(0o4755)).at("chmod"))
    })
    .expecting(NO_SETUID),
    attempt("setuid-fchmodat2", "make a program run as its owner (fchmodat2)", |stage| {
        let program = stage.workspace.join("program");
        fs::write(&program, "x").at("write")?;
        done(change_mode2(&program, 0o4755).at("fchmodat2"))
    })
    .expecting(NO_SETUID),
    attempt("setuid-open", "make a program that runs as its owner (open)", |stage| {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let mode = Mode::from_raw_mode(0o4755);
        done(openat(CWD, stage.workspace.join("program"), flags, mode).at("open"))
    })
    .expecting(NO_SETUID),
    attempt("setuid-mknod", "make a program that runs as its owner (mknod)", |stage| {
        let kind = rustix::fs::FileType::RegularFile;
        let mode = Mode::from_raw_mode(0o4755);
        done(rustix::fs::mknodat(CWD, stage.workspace.join("program"), kind, mode, 0).at("mknod"))
    })
    .expecting(NO_SETUID),
    attempt(
        "hook-meanwhile",
        "change a hook of git's for as long as the sandbox is there",
        |stage| {
            let hook = stage.workspace.join(".git/hooks/pre-commit");
            fs::write(&hook, "#!/bin/sh\necho hello\n").at("open")?;
            fs::read_to_string(hook).at("read").map(|text| text.trim().to_owned())
        },
    )
    .shown_by(Shows::Report)
    .expecting(Expect::gap_in_fallback(&[by::MOUNT], MEANWHILE)),
    attempt("mcp-meanwhile", "make a list of tools for as long as the sandbox is there", |stage| {
        let list = stage.workspace.join(".mcp.json");
        fs::write(&list, "{}").at("open")?;
        fs::read_to_string(list).at("read")
    })
    .shown_by(Shows::Report)
    .expecting(Expect::gap(MEANWHILE)),
];

const NO_SETUID: Expect = Expect::tiers(&[by::SECCOMP, by::MOUNT], &[by::SECCOMP]);

/// Makes a folder. That it is there already is no refusal.
fn folder(stage: &Stage, name: &str) -> Result<(), Refusal> {
    match fs::create_dir(stage.workspace.join(name)) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.at("mkdir"),
    }
}

fn write(stage: &Stage, path: &str, text: &str) -> Result<String, Refusal> {
    done(fs::write(stage.workspace.join(path), text).at("open"))
}

fn done<T>(result: Result<T, Refusal>) -> Result<String, Refusal> {
    result.map(|_| "done".to_owned())
}
