//! The self-test itself, in each tier that this machine can give.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "what cannot be read fails the test")]

use std::process::{Command, Output};

use serde_json::Value;

fn selftest(arguments: &[&str]) -> (Output, Value) {
    let done = Command::new(env!("CARGO_BIN_EXE_iron-sandbox"))
        .args(["selftest", "--output", "json"])
        .args(arguments)
        .output()
        .expect("the launcher starts");
    let document = serde_json::from_slice(&done.stdout).expect("a document");
    (done, document)
}

/// What was not as the table says, in words.
fn faults(document: &Value) -> Vec<String> {
    let attempts = document["attempts"].as_array().expect("attempts");
    let fault = |one: &&Value| one["verdict"] == "open" || one["verdict"] == "wrong";
    attempts.iter().filter(fault).map(Value::to_string).collect()
}

fn nothing_gets_out(tier: &str) {
    let (done, document) = selftest(&["--tier", tier]);
    if document["not_available"].as_array().is_some_and(|tiers| !tiers.is_empty()) {
        // A machine without it says so, and does not pass for one that was tested.
        assert!(!done.status.success(), "{document}");
        return;
    }
    assert_eq!(faults(&document), Vec::<String>::new());
    assert!(done.status.success());
    let attempts = document["attempts"].as_array().expect("attempts");
    let held = attempts.iter().filter(|one| one["verdict"] == "held").count();
    assert!(held > 200, "only {held} attempts were held");
}

#[test]
fn nothing_gets_out_of_the_namespace_tier() {
    nothing_gets_out("namespace");
}

#[test]
fn nothing_gets_out_of_the_fallback_tier() {
    nothing_gets_out("fallback");
}

#[test]
fn an_unknown_name_is_no_success() {
    let done = Command::new(env!("CARGO_BIN_EXE_iron-sandbox"))
        .args(["selftest", "--only", "no-such-attempt"])
        .output()
        .expect("the launcher starts");
    assert_eq!(done.status.code(), Some(2));
}
