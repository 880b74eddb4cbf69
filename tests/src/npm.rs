//! Folders of npm packages, installed once and kept beside the build.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with the packages that `tests/clients/NAME/package-lock.json` pins.
///
/// Waits for other tests that install the same at the same time.
pub fn with_packages_of(name: &str) -> PathBuf {
    let build = crate::binary::path().parent().unwrap().to_owned();
    let folder = build.join(format!("{name}-npm"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
    let wanted = std::fs::read_to_string(source.join("package-lock.json")).unwrap();
    // Unlocked when it is dropped, also by a test that fails.
    let lock = File::create(build.join(format!("{name}-npm.lock"))).unwrap();
    lock.lock().unwrap();
    let stamp = folder.join("installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    // Not `ci`: a lock made where packages for other systems cannot be had lacks those.
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .output()
        .expect("npm is needed: run tests/tools/prepare.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(stamp, wanted).unwrap();
    folder
}

/// The version of a package that is installed in a folder.
pub fn version(folder: &Path, package: &str) -> String {
    let manifest = folder.join("node_modules").join(package).join("package.json");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    manifest["version"].as_str().unwrap().to_owned()
}
