#!/usr/bin/env python3
"""Measures what a sandbox costs: its start, opening files, connecting, and a round trip through a gate.

Everything is compared within one run: plain fork and exec, `unshare`, bubblewrap with comparable flags,
and `iron-sandbox` in both tiers. Rounds are interleaved, each round in another order, and the medians are
what counts. No proxy takes part: a gate to a service of this machine costs what a gate to the proxy costs
after its first bytes. Nothing here asserts: it reports.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
COMMANDS = {
    "`true`": ["/bin/true"],
    "`python3 -c pass`": [PYTHON, "-c", "pass"],
    "`python3`, four modules": [PYTHON, "-c", "import asyncio, http.client, json, ssl"],
}
AIM_MS = {"namespace": 3.0, "fallback": 1.0}

# What is measured inside. Prints one number: nanoseconds a time, the median of seven passes.
INSIDE = r"""
import os, socket, statistics, sys, time
what, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def opens():
    os.close(os.open("/etc/passwd", os.O_RDONLY))
def missing():
    try:
        os.open("/usr/lib/no-such-file", os.O_RDONLY)
    except OSError:
        pass
def connects():
    with socket.socket() as s:
        s.connect(("127.0.0.1", port))
        # Until it was really carried: a gate accepts before it connects behind.
        s.sendall(b"x")
        s.recv(1)
if what == "trip":
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    message = b"x" * 512
def trip():
    s.sendall(message)
    left = len(message)
    while left:
        left -= len(s.recv(65536))
run = {"open": opens, "missing": missing, "connect": connects, "trip": trip}[what]
run()
passes = []
for _ in range(7):
    began = time.perf_counter_ns()
    for _ in range(times):
        run()
    passes.append((time.perf_counter_ns() - began) / times)
print(statistics.median(passes))
"""


def ways(sandbox: pathlib.Path, workspace: str) -> dict[str, list[str]]:
    """How a command can be started: the words before it."""
    own = [str(sandbox), "exec", "--network", "none"]
    found = {
        "plain": [],
        "unshare": ["unshare", "-Urnpium", "--fork", "--mount-proc", "--"],
        "bubblewrap": [
            "bwrap", "--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc",
            "--unshare-uts", "--ro-bind", "/", "/", "--tmpfs", "/home", "--tmpfs", "/root",
            "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run", "--tmpfs", "/mnt",
            "--tmpfs", "/media", "--tmpfs", "/srv", "--bind", workspace, workspace,
            "--proc", "/proc", "--dev", "/dev", "--cap-drop", "ALL", "--die-with-parent",
            "--clearenv", "--chdir", workspace, "--",
        ],
        "namespace": [*own, "--tier", "namespace", "--"],
        "namespace, unwatched": [*own, "--tier", "namespace", "--watch", "nothing", "--"],
        "fallback": [*own, "--tier", "fallback", "--"],
        "fallback, unwatched": [*own, "--tier", "fallback", "--watch", "nothing", "--"],
    }
    return {name: words for name, words in found.items() if not words or shutil.which(words[0])}


def start(words: list[str]) -> tuple[float, float]:
    """Milliseconds from fork to the end, and of CPU time, all processes together."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    began = time.perf_counter_ns()
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    taken = (time.perf_counter_ns() - began) / 1e6
    if status != 0:
        raise SystemExit(f"bench: {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return taken, (used.ru_utime + used.ru_stime) * 1e3


def starts(how: dict[str, list[str]], rounds: int) -> dict[str, dict[str, list[tuple[float, float]]]]:
    taken = {command: {way: [] for way in how} for command in COMMANDS}
    jobs = [(command, way) for command in COMMANDS for way in how]
    for number in range(rounds + 1):
        random.shuffle(jobs)
        for command, way in jobs:
            one = start(how[way] + COMMANDS[command])
            if number:  # the first round warms caches
                taken[command][way].append(one)
    return taken


class Echo:
    """Answers what it is sent, on a port of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection: socket.socket):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)


def inside(words: list[str], what: str, port: int, times: int) -> float:
    """Nanoseconds a time."""
    program = [PYTHON, "-c", INSIDE, what, str(port), str(times)]
    done = subprocess.run(words + program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {what} in {words[:6]}: {done.stderr[-800:]}")
    return float(done.stdout)


def insides(how: dict[str, list[str]], rounds: int, times: dict[str, int]):
    # A process of its own: this one's threads would wait for its interpreter lock.
    child = subprocess.Popen([sys.executable, __file__, "--echo"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline())
        names = ["plain", "namespace", "namespace, unwatched", "fallback", "fallback, unwatched"]
        jobs = [(what, way) for what in times for way in names]
        taken = {what: {way: [] for way in names} for what in times}
        for _ in range(rounds):
            random.shuffle(jobs)
            for what, way in jobs:
                words = list(how[way])
                if words:
                    words[2:2] = ["--connect", f"127.0.0.1:{port}"]
                taken[what][way].append(inside(words, what, port, times[what]))
        return taken
    finally:
        child.kill()
        child.wait()


def median(values: list[float]) -> float:
    return statistics.median(values)


def report(started, did, rounds: int) -> str:
    lines = ["| start to end, median | " + " | ".join(COMMANDS) +
             " | added to `true` | CPU added | aim |", "|---|" + "---|" * (len(COMMANDS) + 3)]
    of = {command: {way: [median(part) for part in zip(*taken)] for way, taken in ways_.items()}
          for command, ways_ in started.items()}
    plain, plain_cpu = of["`true`"]["plain"]
    for way in of["`true`"]:
        cells = [f"{of[command][way][0]:.2f} ms" for command in COMMANDS]
        added = of["`true`"][way][0] - plain
        cpu = of["`true`"][way][1] - plain_cpu
        aim = AIM_MS.get(way.split(",")[0])
        cells.append("" if way == "plain" else f"+{added:.2f} ms")
        cells.append("" if way == "plain" else f"+{cpu:.2f} ms")
        cells.append(f"<= {aim:.0f} ms" if aim else "")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    labels = {"open": "open and close a file", "missing": "open a file that is not there",
              "connect": "connect, until the first byte is back", "trip": "512 bytes there and back"}
    names = list(did["open"])
    lines += ["", "| one time, median | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for what, ways_ in did.items():
        cells = [f"{median(ways_[way]) / 1000:.1f} us" for way in names]
        lines.append(f"| {labels[what]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + f"\n\n{rounds} rounds; " \
        f"user {os.geteuid()}, kernel {os.uname().release}, {os.cpu_count()} cores."


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--rounds", type=int, default=40, help="starts of each kind")
    parser.add_argument("--json", action="store_true", help="all figures, not the medians")
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.echo:
        print(Echo().port, flush=True)
        threading.Event().wait()
    sandbox = (args.target / "iron-sandbox").resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        how = ways(sandbox, os.path.realpath(folder))
        for missing in {"unshare", "bubblewrap"} - how.keys():
            print(f"bench: {missing} is not installed and is left out", file=sys.stderr)
        started = starts(how, args.rounds)
        times = {"open": 5000, "missing": 5000, "connect": 500, "trip": 2000}
        did = insides(how, max(3, args.rounds // 10), times)
    if args.json:
        print(json.dumps({"start_ms": started, "inside_ns": did}))
    else:
        print(report(started, did, args.rounds))


if __name__ == "__main__":
    main()
