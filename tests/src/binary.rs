//! The `iron` binary as a process: what only a real process can show.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Where `cargo build` put the binary.
pub fn path() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().find(|folder| folder.join("iron").is_file());
    let folder = folder.expect("the iron binary is missing: run `cargo build -p iron_cli` first");
    folder.join("iron")
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

/// The binary with an environment that holds nothing of this machine's user.
pub fn command() -> Command {
    let mut command = Command::new(path());
    command.env_clear().env("HOME", "/nonexistent").current_dir(std::env::temp_dir());
    command
}

/// A proxy in a process of its own. Killed when dropped.
pub struct Proxy {
    child: Child,
    /// Where agents connect.
    pub address: SocketAddr,
}

impl Proxy {
    /// Starts `iron up` on a free port and waits until it says that it listens.
    pub fn start(config: &Path, state: &Path) -> Self {
        Self::spawn(config, state, Stdio::null(), "info")
    }

    /// The same with simulated providers.
    pub fn start_simulated(config: &Path, state: &Path) -> Self {
        Self::spawn_with(config, state, Stdio::null(), "info", &[], &["--simulate"])
    }

    /// The same, with everything that can be logged in a file, and these variables.
    pub fn start_logging_with(
        config: &Path,
        state: &Path,
        log: &Path,
        variables: &[(&str, &std::ffi::OsStr)],
    ) -> Self {
        Self::spawn_with(config, state, File::create(log).unwrap().into(), "trace", variables, &[])
    }

    /// The same, with everything that can be logged in a file.
    pub fn start_logging(config: &Path, state: &Path, log: &Path) -> Self {
        Self::spawn(config, state, File::create(log).unwrap().into(), "trace")
    }

    fn spawn(config: &Path, state: &Path, log: Stdio, level: &str) -> Self {
        Self::spawn_with(config, state, log, level, &[], &[])
    }

    fn spawn_with(
        config: &Path,
        state: &Path,
        log: Stdio,
        level: &str,
        variables: &[(&str, &std::ffi::OsStr)],
        more: &[&str],
    ) -> Self {
        let mut child = command()
            .envs(variables.iter().copied())
            .args(["up", "--listen", "127.0.0.1:0", "--config"])
            .arg(config)
            .arg("--state")
            .arg(state)
            .args(more)
            .env("IRON_LOG", level)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Self { child, address }
    }

    /// Memory that the process has in use, in MiB, where the system says so.
    pub fn resident_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end; true where it ended well.
    pub fn terminate(mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
