//! How a program ends: exit codes, signals that are passed on, and a launcher that is killed.

use std::io::{BufRead as _, BufReader};
use std::ops::{Deref, DerefMut};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{Case, everywhere, marked, python, until};

everywhere!(
    exit_codes,
    signals_are_passed_on,
    nothing_outlives_a_killed_launcher,
    nothing_outlives_the_command
);

fn exit_codes(case: &Case) {
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 128 + 15),
        ("kill -KILL $$", 128 + 9),
        ("kill -SEGV $$", 128 + 11),
        ("./not-there", 127),
        ("./not-executable", 126),
    ] {
        case.put("not-executable", "#!/bin/sh\nexit 0\n");
        let status = case.command(&[], &["sh", "-c", script]).status().unwrap();
        assert_eq!(code_of(status), code, "{script}");
    }
    if case.confined() {
        for (program, code) in
            [("./not-there", 127), ("not-on-path", 127), ("./not-executable", 126)]
        {
            let output = case.command(&[], &[program]).output().unwrap();
            assert_eq!(code_of(output.status), code, "{program}");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(program.trim_start_matches("./")), "{told}");
        }
    }
}

fn signals_are_passed_on(case: &Case) {
    let script = "import os, signal, sys\n\
                  def told(number, _):\n    os.write(1, signal.Signals(number).name.encode() + b'\\n')\n    \
                  number == signal.SIGTERM and sys.exit(5)\n\
                  for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1): signal.signal(one, told)\n\
                  os.write(1, b'ready\\n')\n\
                  while True: signal.pause()\n";
    let (mut child, mut lines) = start(case, &[], &[python(), "-c", script]);
    assert_eq!(line(&mut lines), "ready");
    for (signal, name) in [
        (Signal::INT, "SIGINT"),
        (Signal::HUP, "SIGHUP"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::TERM, "SIGTERM"),
    ] {
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(line(&mut lines), name);
    }
    assert_eq!(code_of(child.wait().unwrap()), 5);
    // Without a handler it ends the command.
    let (mut child, mut lines) = start(case, &[], &["sh", "-c", "echo ready; exec sleep 600"]);
    assert_eq!(line(&mut lines), "ready");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(code_of(child.wait().unwrap()), 128 + 15);
}

/// Processes that left their session, that nobody waits for, and that are always on the move. They end by
/// themselves after some time: where a test is killed, nobody else ends its control.
const STORM: &str = "\
import os, signal, sys, time\n\
def storm():\n    \
    os.setsid()\n    \
    signal.signal(signal.SIGHUP, signal.SIG_IGN)\n    \
    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    \
    end = time.monotonic() + 90\n    \
    while time.monotonic() < end:\n        \
        time.sleep(0.01)\n        \
        if os.fork():\n            os._exit(0)\n\
for _ in range(4):\n    \
    if os.fork() == 0:\n        storm()\n\
if os.fork() == 0:\n    \
    os.setsid()\n    \
    if os.fork() == 0:\n        time.sleep(90)\n    \
    os._exit(0)\n\
os.wait()\n\
print('ready', flush=True)\n\
sys.argv[2] == 'end' or time.sleep(600)\n";

fn nothing_outlives_a_killed_launcher(case: &Case) {
    if !case.confined() {
        return storms_outlive_what_is_no_sandbox(case);
    }
    for stops_first in [false, true] {
        let marker = format!("marker-{}-{stops_first}", std::process::id());
        let (mut child, mut lines) = start(case, &[], &[python(), "-c", STORM, &marker, "stay"]);
        assert_eq!(line(&mut lines), "ready");
        // They are always on the move: a look at all processes misses some.
        until("a storm", || marked(&marker).len() > 3);
        if stops_first {
            kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        until("the end of all processes", || marked(&marker).is_empty());
    }
}

fn nothing_outlives_the_command(case: &Case) {
    if !case.confined() {
        return;
    }
    let marker = format!("marker-{}", std::process::id());
    let (mut child, mut lines) = start(case, &[], &[python(), "-c", STORM, &marker, "end"]);
    assert_eq!(line(&mut lines), "ready");
    assert_eq!(code_of(child.wait().unwrap()), 0);
    until("the end of all processes", || marked(&marker).is_empty());
}

/// The control: the same processes, left to themselves, go on until somebody goes after each.
fn storms_outlive_what_is_no_sandbox(case: &Case) {
    let marker = format!("marker-{}", std::process::id());
    let (mut child, mut lines) = start(case, &[], &[python(), "-c", STORM, &marker, "stay"]);
    assert_eq!(line(&mut lines), "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut left = 0;
    until("what is left", || {
        left = left.max(marked(&marker).len());
        left > 2
    });
    // Stopped ones fork no more, and can then be ended one by one.
    until("the end of the storm", || {
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in marked(&marker) {
                // It may be gone already.
                let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), signal);
            }
        }
        marked(&marker).is_empty()
    });
}

/// Starts it, with its standard output to read lines from.
pub(crate) fn start(
    case: &Case,
    flags: &[&str],
    words: &[&str],
) -> (Started, BufReader<ChildStdout>) {
    let mut child = case.command(flags, words).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (Started(child), lines)
}

/// A process that is killed where a test fails before it has ended.
pub(crate) struct Started(Child);

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // One that has ended needs none of this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The next line.
#[track_caller]
pub(crate) fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The exit code, as a shell tells it.
pub(crate) fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
}
