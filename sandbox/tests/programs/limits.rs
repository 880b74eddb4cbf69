//! Limits: time, memory, processes, files. Each has its control: the same program without the limit.

use std::time::{Duration, Instant};

use crate::ends::{code_of, line, start};
use crate::fixture::{Case, everywhere, marked, python, told, until};

everywhere!(wall_time, memory, processes, file_size, open_files, cpu_time);

fn wall_time(case: &Case) {
    let marker = format!("marker-{}", std::process::id());
    let script = "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done";
    let started = Instant::now();
    let flags: &[&str] = if case.confined() { &["--wall-time=1s"] } else { &[] };
    let (mut child, mut lines) = start(case, flags, &["sh", "-c", script, &marker]);
    assert_eq!(line(&mut lines), "ready");
    if case.confined() {
        let status = child.wait().unwrap();
        assert_ne!(code_of(status), 0);
        let took = started.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
        until("the end of all processes", || marked(&marker).is_empty());
    } else {
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn memory(case: &Case) {
    let script = "import sys\n\
                  try:\n    block = bytearray(400 << 20)\n\
                  except MemoryError:\n    sys.exit(9)\n\
                  print('all there')\n";
    let output = case.command(&["--memory=256M"], &[python(), "-c", script]).output().unwrap();
    told(&output);
    let code = code_of(output.status);
    // Refused to the program, or the program was ended: both keep the limit.
    assert!(if case.confined() { [9, 137].contains(&code) } else { code == 0 }, "{code}");
    let enough = case.command(&["--memory=1G"], &[python(), "-c", script]).output().unwrap();
    assert_eq!(code_of(enough.status), 0);
}

fn processes(case: &Case) {
    let script = "import os, sys, time\n\
                  made = 0\n\
                  try:\n    \
                  while made < 200:\n        \
                      if os.fork() == 0: time.sleep(600)\n        \
                      made += 1\n\
                  except OSError: pass\n\
                  print(made, flush=True)\n\
                  os.killpg(0, 9)\n";
    let leader = format!("import os; os.setpgid(0, 0)\n{script}");
    let output = case.command(&["--processes=24"], &[python(), "-c", &leader]).output().unwrap();
    told(&output);
    let made: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    match case.tier {
        None => assert_eq!(made, 200),
        // The kernel holds root to no number of processes where there is no namespace to count them.
        Some(iron_sandbox::layer::Tier::Fallback) if case.is_root() => assert!(made >= 5),
        Some(_) => assert!((5..24).contains(&made), "{made}"),
    }
}

fn file_size(case: &Case) {
    let script = "head -c 3000000 /dev/zero > large; echo $?";
    let output = case.command(&["--file-size=1M"], &["sh", "-c", script]).output().unwrap();
    told(&output);
    let size = std::fs::metadata(case.workspace.join("large")).unwrap().len();
    assert_eq!(size, if case.confined() { 1 << 20 } else { 3_000_000 });
}

fn open_files(case: &Case) {
    let script = "files = []\n\
                  try:\n    \
                  while len(files) < 200: files.append(open('/dev/null'))\n\
                  except OSError: pass\n\
                  print(len(files))\n";
    let written = case.succeeds(&["--open-files=64"], &[python(), "-c", script]);
    let opened: u32 = written.trim().parse().unwrap();
    assert!(if case.confined() { (40..64).contains(&opened) } else { opened == 200 }, "{opened}");
}

fn cpu_time(case: &Case) {
    let script = "import time\nwhile time.process_time() < 1.6: pass\n";
    let output = case.command(&["--cpu-time=1s"], &[python(), "-c", script]).output().unwrap();
    told(&output);
    let code = code_of(output.status);
    assert!(
        if case.confined() { [128 + 24, 128 + 9].contains(&code) } else { code == 0 },
        "{code}"
    );
}
