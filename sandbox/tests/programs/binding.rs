//! The Python binding: its wheel is built with this launcher in it, installed, and tried by its own
//! tests, which are Python's; its types are checked.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::fixture::told;

#[test]
fn wheel_is_built_and_passes_its_tests() {
    let binding = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Unlocked when it is dropped, also by a test that fails.
    let lock = File::create(build.join("binding.lock")).unwrap();
    lock.lock().unwrap();
    let venv = environment(build, &binding.join("tests/requirements.txt"));
    let python = venv.join("bin/python");
    let path = std::env::join_paths(
        std::iter::once(venv.join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let path = path.unwrap();
    let wheels = tempfile::tempdir().unwrap();
    run(Command::new(binding.join("build.sh"))
        .arg(env!("CARGO_BIN_EXE_iron-sandbox"))
        .args(["--compatibility", "linux", "--out"])
        .arg(wheels.path())
        .env("CARGO_TARGET_DIR", build.join("binding"))
        .env("PATH", &path));
    let wheel = std::fs::read_dir(wheels.path()).unwrap().next().unwrap().unwrap().path();
    assert!(wheel.to_string_lossy().contains("-cp39-abi3-"), "{}", wheel.display());
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall"])
        .arg(&wheel));
    run(Command::new(&python)
        .args(["-m", "mypy", "--strict", "--cache-dir"])
        .arg(build.join("mypy"))
        .args(["python/iron_cage_sandbox", "tests"])
        .current_dir(&binding)
        .env("MYPYPATH", "tests"));
    run(Command::new(&python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"])
        .current_dir(&binding)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PATH", &path));
}

/// An environment with the packages of a file, made once.
fn environment(build: &Path, requirements: &Path) -> std::path::PathBuf {
    let folder = build.join("binding-venv");
    let wanted = std::fs::read_to_string(requirements).unwrap();
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements));
    std::fs::write(stamp, wanted).unwrap();
    folder
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    told(&output);
    assert!(output.status.success(), "{command:?}");
}
