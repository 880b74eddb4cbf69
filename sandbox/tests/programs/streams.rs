//! Standard input, output and error: pipes, much of it, readers that go away, and a limit.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{ChildStdin, Command, Stdio};

use crate::ends::code_of;
use crate::fixture::{Case, everywhere, python, told};

everywhere!(
    much_goes_through,
    a_reader_that_goes_away,
    output_has_an_end,
    streams_are_kept_apart,
    redirected_files_keep_their_modes
);

const MUCH: usize = 8 << 20;

fn much_goes_through(case: &Case) {
    let mut child =
        case.command(&[], &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || write_much(&mut input));
    let mut read = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut read).unwrap();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(read.len(), MUCH);
    assert!(read.iter().enumerate().all(|(index, byte)| *byte == (index % 251) as u8));
}

fn write_much(input: &mut ChildStdin) {
    let bytes: Vec<u8> = (0..MUCH).map(|index| (index % 251) as u8).collect();
    input.write_all(&bytes).unwrap();
}

fn a_reader_that_goes_away(case: &Case) {
    let mut child = case.command(&[], &["yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    assert_eq!(&some, b"y\ny\n");
    assert_eq!(code_of(child.wait().unwrap()), 128 + 13);
}

fn streams_are_kept_apart(case: &Case) {
    let script = "printf out; printf err >&2; printf end";
    let output = case.command(&["--report=off"], &["sh", "-c", script]).output().unwrap();
    told(&output);
    assert_eq!(output.stdout, b"outend");
    assert_eq!(output.stderr, b"err");
    let script = "import os, stat; print([stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (1, 2)])";
    let output = case.command(&[], &[python(), "-c", script]).output().unwrap();
    assert_eq!(output.stdout, b"[True, True]\n");
    // A closed one stays closed to it, and what it opens then is its own affair.
    let script = "exec \"$@\" <&- >&-";
    let words = ["sh", "-c", script, "sh", "sh", "-c", "exit 6"];
    let status = case.command(&[], &words).status().unwrap();
    assert_eq!(code_of(status), 6);
}

/// Files outside that are its standard input and output are read and written, and not changed otherwise.
fn redirected_files_keep_their_modes(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    let script = "umask 077; echo hello > \"$1\"; : > \"$2\"";
    let mut make = Command::new("sh");
    make.args(["-c", script, "sh"]).args([&input, &output]);
    assert!(case.as_user(&mut make).status().unwrap().success());
    let program = "import os\n\
                   print(os.read(0, 5).decode(), flush=True)\n\
                   for file in (0, 1):\n    \
                   try: os.fchmod(file, 0o666)\n    \
                   except OSError: pass\n";
    let status = case
        .command(&["--report=off"], &[python(), "-c", program])
        .stdin(File::open(&input).unwrap())
        .stdout(OpenOptions::new().append(true).open(&output).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "hello\n");
    let expected = if case.confined() { 0o600 } else { 0o666 };
    for file in [input, output] {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            expected,
            "{}",
            file.display()
        );
    }
}

fn output_has_an_end(case: &Case) {
    let script = "head -c 1000000 /dev/zero; echo not reached >&2; exit 3";
    let output = case.command(&["--output-size=64K"], &["sh", "-c", script]).output().unwrap();
    if case.confined() {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.len() <= 64 * 1024, "{}", output.stdout.len());
        assert!(told.contains("64 KiB"), "{told}");
        assert_ne!(code_of(output.status), 0, "{told}");
    } else {
        assert_eq!(output.stdout.len(), 1_000_000);
        assert_eq!(code_of(output.status), 3);
    }
}
