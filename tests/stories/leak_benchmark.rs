//! The public leak benchmark `pii-leak-benchmark` against the running proxy.
//!
//! It plays both ends: the agent, and the provider behind the proxy. Its first profile asks
//! whether values of a prompt reach the provider and come back; its second also lets the provider
//! speak of values that were in no prompt, cut at every place, and asks whether they, or a part
//! of them, reach the agent. CLEAN is its first profile's word; of the second, which gives
//! figures, it is said here where no figure shows a leak and every value came back.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

use iron_tests::binary::Proxy;
use iron_tests::python;
use serde_json::Value;
use tempfile::TempDir;

/// The values that the second profile draws; the first draws new ones each time.
const SEED: &str = "a1b2c3d4e5f60001";

/// What the operator writes who wants values kept in both directions.
const GUARDED: &str = "[redact]\nanswers = \"mask\"\n";

/// The control: nothing is redacted.
const OFF: &str = "[redact]\nmode = \"off\"\n";

/// A proxy whose provider is the benchmark, once it listens on its port.
struct Bench {
    python: std::path::PathBuf,
    proxy: Proxy,
    provider: SocketAddr,
    folder: TempDir,
}

impl Bench {
    fn new(config: &str) -> Self {
        let python = python::with_requirements_of("leak");
        // The benchmark takes a port by number: one that was free a moment ago.
        let provider = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("iron.toml");
        let text = format!(
            "{config}\n[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\n\
             base_url = \"http://{provider}\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let proxy = Proxy::start(&file, &folder.path().join("state.db"));
        Self { python, proxy, provider, folder }
    }

    /// The first profile: values in a prompt, credentials among them.
    fn first(&self) -> Output {
        Command::new(&self.python)
            .args(["-m", "pii_leak_benchmark.cli", "selfcheck", "--target-model", "gpt-4o-mini"])
            .args(["--target-base-url", &format!("http://{}/v1", self.proxy.address)])
            .args(["--capture-port", &self.provider.port().to_string()])
            .output()
            .unwrap()
    }

    /// The second profile. Returns its report and, where asked for, that on partial emission.
    fn second(&self, more: &[&str]) -> (Value, Option<Value>) {
        let url = format!("http://{}/v1/chat/completions", self.proxy.address);
        let output = Command::new(&self.python)
            .args(["-m", "pii_leak_benchmark.v2_cli", "--only", "iron", "--model", "gpt-4o-mini"])
            .args(["--gateway-url", &url, "--seed", SEED])
            .args(["--upstream-port", &self.provider.port().to_string()])
            .arg("--out")
            .arg(self.folder.path())
            .args(more)
            .env("CONFORMANCE_TARGET_API_KEY", "caller-key-of-the-story")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let report = read(&self.folder.path().join("iron.json")).unwrap();
        (report, read(&self.folder.path().join("iron.partial-emission.json")))
    }
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// The verdict in the benchmark's words: a line of its own.
fn verdict(output: &Output) -> String {
    let said = said(output);
    let verdicts = ["CLEAN", "LEAK", "CHECK FAILED", "NOT MEASURED"];
    let line = said.lines().map(str::trim).find(|line| verdicts.contains(line));
    line.unwrap_or_else(|| panic!("no verdict in {said}")).to_owned()
}

#[test]
fn the_first_profile_says_clean() {
    let output = Bench::new(GUARDED).first();
    assert_eq!(verdict(&output), "CLEAN", "{}", said(&output));
    assert!(output.status.success());
}

#[test]
fn the_second_profile_finds_no_value_and_no_part_of_one_wherever_it_is_cut() {
    let bench = Bench::new(GUARDED);
    let (report, partial) = bench.second(&["--exhaustive-splits", "--partial-emission"]);
    let why = &report["outcome_rationale"];
    let axes = &report["metrics"]["by_axis"];
    let metrics = &report["metrics"];
    assert_eq!(metrics["cases_applicable"], metrics["cases_scored"], "{why}");
    assert_eq!(metrics["cases_echo_observable"], metrics["cases_scored"], "{why}");
    let boundary = &report["checks"]["configured_upstream_boundary"];
    assert_eq!(boundary["leaked_entity_types"], serde_json::json!([]), "{why}");
    assert_eq!(metrics["leak_rate"]["single_chunk"], 0.0, "{why} {axes}");
    assert_eq!(metrics["leak_rate"]["adversarial"], 0.0, "{why} {axes}");
    assert_eq!(report["outcome"], "pass", "{why} {axes}");
    let partial = partial.unwrap_or_else(|| panic!("no report on partial emission"));
    let metrics = &partial["metrics"];
    assert_eq!(metrics["cases_inconclusive"], 0, "{metrics}");
    assert_eq!(metrics["cases_partial_emission"], 0, "{metrics}");
    assert_eq!(metrics["cases_complete_leak"], 0, "{metrics}");
    assert!(metrics["partitions_tried"].as_u64() > Some(200), "{metrics}");
}

#[test]
fn with_redaction_off_neither_profile_is_clean() {
    let bench = Bench::new(OFF);
    let output = bench.first();
    assert_eq!(verdict(&output), "LEAK", "{}", said(&output));
    assert_eq!(output.status.code(), Some(1));
    let (report, _) = bench.second(&[]);
    assert_eq!(report["outcome"], "fail");
    assert_eq!(report["metrics"]["leak_rate"]["adversarial"], 1.0);
    let boundary = &report["checks"]["configured_upstream_boundary"];
    let leaked = boundary["leaked_entity_types"].as_array().map(Vec::len);
    assert_eq!(leaked, Some(4), "{boundary}");
}
