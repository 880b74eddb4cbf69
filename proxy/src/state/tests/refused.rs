//! Files that are not opened: each for its reason, with a next step, and left as they are.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{End, budget, copy_as_killed, end, hold, log, open, record, tamper};
use crate::state::{Ledger, OpenError, Options, schema};

/// A file with enough in it that its tables have pages of their own.
async fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    for id in 1..=200 {
        let account = budget(&format!("agent:{id}"), 1_000);
        ledger.reserve(hold(id, 10, vec![account])).await.unwrap();
        ledger.settle(end(id, 10, End::PostWhole));
    }
    ledger.close().await;
    assert!(!log(&path).exists(), "closing folds the log into the file");
    (folder, path)
}

/// Opens a file that must not open, and must be the same afterwards.
fn refused(path: &Path) -> OpenError {
    let all = || (std::fs::read(path).unwrap(), std::fs::read(log(path)).unwrap_or_default());
    let before = all();
    let error = Ledger::open(path, &Options::default()).map(|_| ()).unwrap_err();
    assert!(before == all(), "{error}: the file was changed");
    let said = error.to_string();
    let step = ["name another file with --state", "move it away to begin anew"];
    assert!(step.iter().any(|step| said.ends_with(step)), "{said}");
    error
}

#[tokio::test]
async fn a_damaged_file() {
    let (_folder, path) = filled().await;
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len() as usize;
    file.write_all_at(&vec![0xA5; length - 4096], 4096).unwrap();
    assert!(matches!(refused(&path), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_file_with_a_damaged_header() {
    let (_folder, path) = filled().await;
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xA5; 400], 100).unwrap();
    assert!(matches!(refused(&path), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_truncated_file() {
    let (_folder, path) = filled().await;
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    for left in [length / 2, 4096, 100] {
        file.set_len(left).unwrap();
        assert!(matches!(refused(&path), OpenError::Damaged { .. }), "{left} bytes left");
    }
}

#[tokio::test]
async fn a_file_of_a_later_version() {
    let (_folder, path) = filled().await;
    let known = schema::VERSION;
    tamper(&path, &format!("PRAGMA user_version = {}", known + 1));
    let error = refused(&path);
    let newer = OpenError::Newer { path: path.clone(), found: known + 1, known };
    assert_eq!(error.to_string(), newer.to_string());
}

#[test]
fn another_programs_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    tamper(&path, "CREATE TABLE theirs (x)");
    assert!(matches!(refused(&path), OpenError::Foreign(_)));
}

#[test]
fn a_file_that_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    for text in ["x", "[[budget]]\nscope = \"organisation\"\n", "SQLite format 3"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(refused(&path), OpenError::Foreign(_)), "{text}");
    }
}

#[test]
fn a_path_that_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/state.db");
    let error = Ledger::open(&path, &Options::default()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }));
    assert!(error.to_string().ends_with("name another file with --state"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_in_use() {
    let (_folder, path) = filled().await;
    let (ledger, _) = open(&path);
    assert!(matches!(refused(&path), OpenError::InUse(_)));
    ledger.close().await;
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 0);
}

#[tokio::test]
async fn a_file_that_fails_late_keeps_its_log_too() {
    let (folder, path) = filled().await;
    let (ledger, _) = open(&path);
    ledger.record(record(1_000));
    ledger.flush().await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE correction").unwrap();
    let copy = copy_as_killed(&path, folder.path().join("copy.db"));
    assert!(log(&copy).exists());
    assert!(matches!(refused(&copy), OpenError::Sql { .. }));
}

#[tokio::test]
async fn a_new_file_and_its_log_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.reserve(hold(1, 1, vec![budget("organisation", 1)])).await.unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    ledger.close().await;
}
