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

/// Where the launcher of sandboxes is: beside `iron`.
pub fn sandbox() -> PathBuf {
    let sandbox = path().with_file_name("iron-sandbox");
    assert!(sandbox.is_file(), "iron-sandbox is missing: run `cargo build -p iron_sandbox` first");
    sandbox
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
        let child = command()
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
        Self::of(child).0
    }

    /// Starts `iron proxy` on a free port, with this panel, CA and credential in files.
    pub fn start_beside(
        panel: &str,
        ca: &Path,
        credential: &Path,
        config: &Path,
        state: &Path,
    ) -> Self {
        let mut command = command();
        command.args(["proxy", "--listen", "127.0.0.1:0", "--panel", panel, "--ca"]).arg(ca);
        command.arg("--credential-file").arg(credential);
        command.arg("--config").arg(config).arg("--state").arg(state).env("IRON_LOG", "off");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Self::of(child).0
    }

    /// Starts `iron up` on a free port; where agents connect, and where its panel is.
    pub fn start_with_panel(config: &Path, state: &Path) -> (Self, String) {
        let mut command = command();
        command.args(["up", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.arg("--state").arg(state).env("IRON_LOG", "off");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (proxy, mut lines) = Self::of(child);
        let panel = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.trim().strip_prefix("panel ")?.split_whitespace().next()?.to_owned())
        });
        (proxy, panel.unwrap())
    }

    /// Reads where it listens; and what it says after that.
    fn of(mut child: Child) -> (Self, impl Iterator<Item = std::io::Result<String>>) {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.trim().rsplit("http://").next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        (Self { child, address }, lines)
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
