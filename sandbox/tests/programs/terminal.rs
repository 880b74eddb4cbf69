//! A real terminal with a shell in it that has jobs: Ctrl-C, Ctrl-Z, fg, bg, window sizes, exit codes.

use std::process::Command;

use crate::fixture::{Case, everywhere, file, python, told};

everywhere!(jobs);

fn jobs(case: &Case) {
    // The terminal's driver runs outside, as the user; what it types to the shell is the launcher.
    let words = case.command(&[], &["PROGRAM"]);
    let mut prefix: Vec<_> = std::iter::once(words.get_program()).chain(words.get_args()).collect();
    prefix.pop();
    let mut driver = Command::new(python());
    driver.arg(file("terminal.py")).args(prefix);
    // Read by us: it may lie where the user cannot go.
    let script = std::fs::read_to_string(file("terminal.py")).unwrap();
    let path = case.put("terminal.py", script);
    let arguments: Vec<_> = driver.get_args().skip(1).map(ToOwned::to_owned).collect();
    let output = case
        .as_user(Command::new(python()).arg(path).args(arguments))
        .env("TERM", "dumb")
        .output()
        .unwrap();
    told(&output);
    assert!(output.status.success());
    assert!(output.stdout.ends_with(b"all passed\n"));
}
