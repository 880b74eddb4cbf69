//! Pythons with packages in them, made once and kept beside the build.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with the packages of `tests/NAME/requirements.txt`, in the environment `NAME-venv`.
///
/// Waits for other tests that make the same environment at the same time.
pub fn with_requirements_of(name: &str) -> PathBuf {
    let build = crate::binary::path().parent().unwrap().to_owned();
    let folder = build.join(format!("{name}-venv"));
    let python = folder.join("bin/python");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    // Unlocked when it is dropped, also by a test that fails.
    let lock = File::create(build.join(format!("{name}-venv.lock"))).unwrap();
    lock.lock().unwrap();
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&requirements));
    std::fs::write(stamp, wanted).unwrap();
    python
}

/// The version of a package that is installed for a Python.
pub fn version(python: &Path, package: &str) -> String {
    let code = format!("import importlib.metadata as m; print(m.version('{package}'), end='')");
    let output = Command::new(python).args(["-c", &code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
