//! `iron ca`, and the files behind it, as a user has them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use iron_tests::binary::{self, Proxy};
use iron_tests::tls;
use serde_json::Value;
use tokio::net::TcpStream;

fn ca(folder: &Path, words: &[&str]) -> Output {
    let (config, state) = (folder.join("iron.toml"), folder.join("state.db"));
    let mut command = binary::command();
    command.arg("ca").args(words).arg("--config").arg(config).arg("--state").arg(state);
    command.output().unwrap()
}

/// What a command that ends well says.
fn said(folder: &Path, words: &[&str]) -> String {
    let output = ca(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn start(folder: &Path) -> Proxy {
    let state = folder.join("state.db");
    Proxy::start_logging(&folder.join("iron.toml"), &state, &folder.join("log.txt"))
}

async fn trusts(proxy: &Proxy, certificate: &Path) -> bool {
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let config = tls::client(tls::roots(certificate), &[b"h2"]);
    tls::connect(stream, "localhost", config).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_looks_at_the_ca_replaces_it_and_removes_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let lines = "[proxy]\nnames = [\"iron.lan\"]\n[connect]\nintercept = [\"*.example.org\"]\n";
    fs::write(folder.join("iron.toml"), lines).unwrap();
    let none = ca(folder, &["path"]);
    let complaint = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(1));
    assert!(complaint.contains("iron up") && complaint.contains("iron ca rotate"), "{complaint}");

    let proxy = start(folder);
    let path = said(folder, &["path"]);
    assert_eq!(Path::new(&path), folder.join("ca/ca.pem"));
    let bundle = said(folder, &["path", "--bundle"]);
    assert!(fs::read_to_string(&bundle).unwrap().contains(&fs::read_to_string(&path).unwrap()));
    let show = |words: &[&str]| -> Value {
        serde_json::from_str(&said(folder, &[words, &["--output", "json"]].concat())).unwrap()
    };
    let first = show(&["show"]);
    let hosts = first["hosts"].as_array().unwrap();
    for host in ["api.openai.com", "example.org", "iron.lan", "localhost"] {
        assert!(hosts.contains(&host.into()), "{host}: {first}");
    }
    assert_eq!(first["every_host"], false);
    assert_eq!(first["files"]["certificate"], path.as_str());
    let fingerprint = first["fingerprint_sha256"].as_str().unwrap();
    let table = said(folder, &["show"]);
    assert!(table.contains(fingerprint) && table.contains("example.org"), "{table}");
    assert!(trusts(&proxy, Path::new(&path)).await);

    let kept = folder.join("kept.pem");
    fs::copy(&path, &kept).unwrap();
    let second = show(&["rotate"]);
    assert_ne!(second["subject"], first["subject"]);
    assert_eq!(second["hosts"], first["hosts"]);
    assert_eq!(show(&["show"]), second);
    let patience = Duration::from_secs(10);
    let taken_over = tokio::time::timeout(patience, async {
        while !trusts(&proxy, Path::new(&path)).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(taken_over.await.is_ok(), "the new CA is not taken over");
    assert!(!trusts(&proxy, &kept).await, "the old CA is still in use");

    // The key stands in no log and in no answer, whatever the level.
    let key = fs::read_to_string(folder.join("ca/ca-key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(proxy.terminate());
    let log = fs::read_to_string(folder.join("log.txt")).unwrap();
    assert!(log.contains("another CA certificate is in use"), "{log}");
    assert!(!log.contains(secret) && !said(folder, &["show"]).contains(secret));

    assert!(said(folder, &["remove"]).contains("is removed"));
    assert!(!folder.join("ca/ca-key.pem").exists() && !Path::new(&path).exists());
    assert!(said(folder, &["remove"]).contains("There is no CA"));
    assert_eq!(ca(folder, &["show"]).status.code(), Some(1));
}

#[test]
fn a_key_that_others_can_read_stops_the_start_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    fs::write(folder.join("iron.toml"), "").unwrap();
    said(folder, &["rotate"]);
    let key = folder.join("ca/ca-key.pem");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let (config, state) = (folder.join("iron.toml"), folder.join("state.db"));
    let mut up = binary::command();
    up.args(["up", "--simulate", "--listen", "127.0.0.1:0", "--config"]).arg(config);
    let output = up.arg("--state").arg(state).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    for words in ["others can read the CA's key", "mode 644", "iron ca rotate", "chmod 600"] {
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_configuration_adds_is_signed_for_without_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    fs::write(folder.join("iron.toml"), "").unwrap();
    let proxy = start(folder);
    let certificate = folder.join("ca/ca.pem");
    let before = fs::read(&certificate).unwrap();
    let serves = async || {
        let stream = TcpStream::connect(proxy.address).await.unwrap();
        let config = tls::client(tls::roots(&certificate), &[b"h2"]);
        tls::connect(stream, "models.example.org", config).await.is_ok()
    };
    assert!(!serves().await);
    let upstream = "[[upstream]]\nname = \"x\"\ndialect = \"openai\"\n\
                    base_url = \"https://models.example.org\"\n";
    fs::write(folder.join("iron.toml"), upstream).unwrap();
    let patience = Duration::from_secs(10);
    let served = tokio::time::timeout(patience, async {
        while !serves().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(served.await.is_ok(), "the new host is not served");
    assert_ne!(fs::read(&certificate).unwrap(), before);
    drop(proxy);
    let log = fs::read_to_string(folder.join("log.txt")).unwrap();
    assert!(log.contains("issued anew, with the same key"), "{log}");
}
