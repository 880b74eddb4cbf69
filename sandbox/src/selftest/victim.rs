//! A process of the same user outside the sandbox, for attempts on other processes: it keeps a secret
//! in its memory and its environment, and waits.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::selftest::stage;
use crate::sys::attempts::process::let_anybody_trace;

/// The variable that hands the secret to the victim.
const SECRET: &str = "IRON_SELFTEST_SECRET";

/// A process that waits until this is dropped.
#[derive(Debug)]
pub struct Victim {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What attempts know of it.
    pub known: stage::Victim,
}

impl Victim {
    /// Starts it, in a process group of its own, which others may join.
    pub fn start(secret: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["attempt", "victim"])
            .env_clear()
            .env(SECRET, secret)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let process = child.id() as i32;
        let stdin = child.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim_end().parse().map_err(io::Error::other);
        let known = stage::Victim { process, address: 0, length: secret.len() };
        let mut victim = Self { child, stdin, known };
        victim.known.address = address?;
        Ok(victim)
    }

    /// Everything that an attempt must not change, as text.
    pub fn state(&self) -> String {
        let process = self.known.process;
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}"));
        let status = read("status").unwrap_or_default();
        let stat = read("stat").unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let field = |number: usize| fields.get(number).copied().unwrap_or_default();
        let kept = status
            .lines()
            .filter(|line| line.starts_with("Cpus_allowed_list") || line.starts_with("Name"));
        format!(
            "alive {} group {} priority {} nice {} policy {} {:?} limits {:?} oom {:?} io {:?}",
            !["", "Z", "X"].contains(&field(0)),
            field(2),
            field(15),
            field(16),
            field(38),
            kept.collect::<Vec<_>>(),
            read("limits").ok(),
            read("oom_score_adj").ok(),
            crate::sys::attempts::process::io_priority(process).ok(),
        )
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the victim does: says where its secret is and waits for the end of its standard input.
pub fn wait() -> io::Result<()> {
    let secret = std::env::var(SECRET).unwrap_or_default();
    let _ = let_anybody_trace();
    let mut out = io::stdout();
    writeln!(out, "{}", secret.as_ptr().addr())?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    // Keeps the secret where it is until here.
    std::hint::black_box(&secret);
    Ok(())
}
