//! Python: what its own library does with processes, sockets and files, and what is installed for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::{Case, everywhere, file, python, server};

everywhere!(asyncio, processes, tls, files, pip_install, libraries);

fn asyncio(case: &Case) {
    let listen = if case.can_listen() { "listen" } else { "refused" };
    case.runs(python(), "asyncio_program.py", &[listen]);
}

fn processes(case: &Case) {
    case.runs(python(), "processes.py", &[]);
}

fn tls(case: &Case) {
    case.runs(python(), "tls.py", &[]);
}

fn files(case: &Case) {
    case.runs(python(), "files.py", &[]);
}

fn pip_install(case: &Case) {
    case.runs(python(), "pip_install.py", &[]);
}

/// Three libraries that agents often use, in a virtual environment of the workspace, one of them with
/// native code, one that asks a service of this machine.
fn libraries(case: &Case) {
    let made = case
        .as_user(Command::new(python()).args(["-m", "venv", "--without-pip", ".venv"]))
        .status()
        .unwrap();
    assert!(made.success());
    let lib = std::fs::read_dir(case.workspace.join(".venv/lib")).unwrap().next().unwrap().unwrap();
    let copied = case
        .as_user(Command::new("cp").args(["-r", "-T"]))
        .args([packages(), lib.path().join("site-packages")])
        .status()
        .unwrap();
    assert!(copied.success());
    let address = server().to_string();
    let connect = format!("--connect={address}");
    // Another service that is not let in: unconfined it answers.
    let other = server().to_string();
    let arguments = [&*address, &*other, case.word()];
    case.runs_with(&[&connect], ".venv/bin/python", "libraries.py", &arguments);
}

/// The packages of `files/requirements.txt`, installed once, where every user can read them.
fn packages() -> PathBuf {
    let wanted = std::fs::read_to_string(file("requirements.txt")).unwrap();
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = std::fs::File::create(build.join("packages.lock")).unwrap();
    lock.lock().unwrap();
    let folder = std::env::temp_dir()
        .join(format!("iron-sandbox-packages-{}", rustix::process::getuid().as_raw()));
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    // A folder that is somebody else's is not used: removing it fails.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    let venv = build.join("packages-venv");
    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    run(Command::new(python()).args(["-m", "venv", "--clear"]).arg(&venv));
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&folder)
        .arg("-r")
        .arg(file("requirements.txt")));
    std::fs::write(&stamp, wanted).unwrap();
    folder
}
