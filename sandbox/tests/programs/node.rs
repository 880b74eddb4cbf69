//! Node: fetch, worker threads, child processes, files, cryptography.

use crate::fixture::{Case, everywhere, server};

everywhere!(program);

fn program(case: &Case) {
    let address = server().to_string();
    let connect = format!("--connect={address}");
    // Another service that is not let in: unconfined it answers.
    let other = server().to_string();
    let mut arguments = vec![&*address, &*other, case.word()];
    if case.can_listen() {
        arguments.push("listen");
    }
    case.runs_with(&[&connect], "node", "program.mjs", &arguments);
}
