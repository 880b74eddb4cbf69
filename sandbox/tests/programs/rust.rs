//! Rust: a crate is built and tested without a network.

use std::path::PathBuf;
use std::process::Command;

use crate::fixture::{Case, everywhere};

everywhere!(crate_is_built);

fn crate_is_built(case: &Case) {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let cargo = sysroot.join("bin/cargo");
    let reached = case.as_user(Command::new(&cargo).arg("--version")).output();
    if !reached.is_ok_and(|output| output.status.success()) {
        println!("not run: this user cannot reach {}", sysroot.display());
        return;
    }
    case.put(
        "Cargo.toml",
        "[package]\nname = \"trial\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    case.put(
        "src/main.rs",
        "fn main() { println!(\"built\"); }\n#[test]\nfn passes() { assert_eq!(1 + 1, 2); }\n",
    );
    case.put("build.rs", "fn main() { println!(\"cargo:rerun-if-changed=build.rs\"); }\n");
    let read = format!("--read={}", sysroot.display());
    let script = format!(
        "export CARGO_HOME=$PWD/.cargo-home PATH='{}':$PATH; \
         cargo run --quiet --offline && cargo test --quiet --offline",
        sysroot.join("bin").display()
    );
    let written = case.succeeds(&[&read], &["sh", "-c", &script]);
    assert!(written.starts_with("built\n") && written.contains("1 passed"), "{written}");
}
