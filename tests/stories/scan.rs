//! `iron scan`, `iron policy explain` and `iron policy kinds`, as their users run them.

use std::io::Write;
use std::process::{Output, Stdio};

use iron_tests::binary;
use serde_json::{Value, json};

/// Runs a command with this standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = binary::command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn lines_are_answered_in_their_order_with_offsets_in_characters() {
    let input =
        "{\"id\":1,\"text\":\"é😀 ann@example.com\"}\n\n{\"id\":\"b\",\"text\":\"nothing\"}\n";
    let output = run(&["scan", "--jsonl"], input);
    assert!(output.status.success());
    let answers: Vec<Value> =
        out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let span = json!({"start": 3, "end": 18, "type": "EMAIL", "rule": "email"});
    assert_eq!(answers, [json!({"id": 1, "spans": [span]}), json!({"id": "b", "spans": []})]);

    let output = run(&["scan", "--jsonl"], "{\"id\":1,\"text\":\"x\"}\n{\"id\":2}\n");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("line 2") && error.contains("`text`"), "{error}");
}

#[test]
fn a_text_is_shown_with_its_values_masked_unless_asked() {
    let text = "first line\nwrite to ann@example.com\n";
    let masked = out(&run(&["scan"], text));
    assert!(masked.contains("EMAIL") && !masked.contains("ann@"), "{masked}");
    let shown = out(&run(&["scan", "--show", "-"], text));
    assert!(shown.contains("ann@example.com"), "{shown}");
    let json: Value =
        serde_json::from_str(&out(&run(&["scan", "--output", "json"], text))).unwrap();
    let finding = &json["findings"][0];
    assert_eq!((&finding["line"], &finding["column"]), (&json!(2), &json!(10)));
    assert_eq!(finding["value"], Value::Null);
}

#[test]
fn a_hook_can_tell_by_the_exit_status() {
    assert_eq!(run(&["scan", "--check"], "ann@example.com").status.code(), Some(1));
    assert_eq!(run(&["scan", "--check"], "nothing").status.code(), Some(0));
    let kinds = ["scan", "--check", "--kinds", "CREDIT_CARD"];
    assert_eq!(run(&kinds, "ann@example.com").status.code(), Some(0));
    let unknown = run(&["scan", "--kinds", "EMIAL"], "");
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(run(&["scan", "/nonexistent/file"], "").status.code(), Some(1));
}

#[test]
fn an_explanation_names_the_rule_and_the_word_that_decided() {
    let text = "my SSN is 536 22 8731; ref 536228732";
    let told = out(&run(&["policy", "explain", text], ""));
    assert!(told.contains("SSN `536 22 8731`") && told.contains("near `ssn`"), "{told}");
    assert!(told.contains("reversible"), "{told}");
    let json = run(&["policy", "explain", "536228731", "--key", "ssn", "--output", "json"], "");
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["found"][0]["word"], "ssn");
    let json = run(&["policy", "explain", "536228731", "--output", "json"], "");
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["found"], json!([]));
    let would = json["would_need_words"].as_array().unwrap();
    assert!(would.iter().any(|found| found["kind"] == "SSN"), "{would:?}");
}

#[test]
fn a_rule_of_ones_own_is_listed_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("iron.toml");
    let rule = "[[redact.rule]]\nkind = \"EMPLOYEE_ID\"\npattern = 'EMP-\\d{6}'\nmode = \"mask\"\n";
    std::fs::write(&file, rule).unwrap();
    let config = file.to_str().unwrap();
    let kinds = out(&run(&["policy", "kinds", "--config", config], ""));
    assert!(kinds.contains("EMPLOYEE_ID") && kinds.contains("CODICE_FISCALE"), "{kinds}");
    let found = out(&run(&["scan", "--config", config, "--show"], "badge EMP-000123"));
    assert!(found.contains("EMPLOYEE_ID") && found.contains("EMP-000123"), "{found}");

    std::fs::write(&file, rule.replace("EMP-\\d{6}", "[a-z]+")).unwrap();
    let refused = run(&["policy", "check", "--config", config], "");
    assert_eq!(refused.status.code(), Some(64));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("line 1") && error.contains("three literal characters"), "{error}");
}
