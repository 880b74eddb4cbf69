#!/usr/bin/env python3
"""Compares a direct call, nginx as a reverse proxy, and Iron Cage, in one run.

Every guard is on: identity, rate limits, redaction, two budgets with the reservation committed to
disk before the first byte leaves, breaker, metering, records. The proxy under test has core 0 to
itself; the load (wrk) and the upstream share core 1. Machines are noisy: rounds are interleaved
and the medians are what counts. Nothing here asserts: it reports.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

UPSTREAM, NGINX, IRON = 9900, 9901, 9902
TICK = os.sysconf("SC_CLK_TCK")
WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who "
    "will no more if out so up said what its about than into them can only other time new some"
).split()


def prompt(size: int, stream: bool = False) -> str:
    rng = random.Random(size)
    text = ""
    while len(text) < size:
        text += rng.choice(WORDS) + " "
    body = {"model": "gpt-4o-mini", "max_tokens": 256, "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": text[:size]}]}
    if stream:
        body["stream"] = True
    return json.dumps(body, separators=(",", ":"))


class World:
    """The three servers, each on its core."""

    def __init__(self, target: pathlib.Path, work: pathlib.Path):
        self.target, self.work, self.children = target, work, []
        self.start(1, [target / "fast_upstream", f"127.0.0.1:{UPSTREAM}"])
        (work / "nginx.conf").write_text(self.nginx())
        self.start(0, [shutil.which("nginx") or "/usr/sbin/nginx", "-c", work / "nginx.conf",
                       "-p", work])
        (work / "iron.toml").write_text(
            f'[proxy]\nlisten = "127.0.0.1:{IRON}"\n'
            f'[[upstream]]\nname = "openai"\ndialect = "openai"\n'
            f'base_url = "http://127.0.0.1:{UPSTREAM}"\n'
            '[[budget]]\nscope = "organisation"\nwindow = "day"\nlimit = "1000000 USD"\n'
            '[[budget]]\nscope = "agent:*"\nwindow = "month"\nlimit = "1000000 USD"\n'
            "[limits]\nrequests_per_minute = 4000000000\ntokens_per_minute = 4000000000\n"
            "parallel = 100000\n")
        began = time.monotonic()
        self.iron = self.start(0, [target / "iron", "up", "--config", work / "iron.toml",
                                   "--state", work / "state.db"])
        self.await_port(IRON, 0)
        self.ready_ms = (time.monotonic() - began) * 1000
        for port in (UPSTREAM, NGINX):
            self.await_port(port, 0.01)
        self.idle_kib = memory(self.iron)
        worker = subprocess.run(["pgrep", "-P", str(self.children[1].pid)], capture_output=True,
                                text=True, check=True)
        self.pids = {"nginx": int(worker.stdout.split()[0]), "iron": self.iron}

    def start(self, core: int, command) -> int:
        child = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child.pid

    def await_port(self, port: int, pause: float):
        while not listens(port):
            for child in self.children:
                if child.poll() is not None:
                    self.stop()
                    sys.exit(f"{child.args[3]} ended early; is its port in use?")
            time.sleep(pause)

    def nginx(self) -> str:
        temp = "".join(f"{kind}_temp_path {self.work}/{kind};" for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (
            f"worker_processes 1; daemon off; pid {self.work}/pid; error_log {self.work}/error.log;"
            "events { worker_connections 4096; } http { access_log off; client_max_body_size 64m;"
            f"client_body_buffer_size 1m; keepalive_requests 1000000000; {temp}"
            f"upstream up {{ server 127.0.0.1:{UPSTREAM}; keepalive 128;"
            "keepalive_requests 1000000000; }"
            f"server {{ listen 127.0.0.1:{NGINX}; tcp_nodelay on; location / {{"
            "proxy_pass http://up; proxy_http_version 1.1; proxy_buffering off;"
            'proxy_set_header Connection ""; } } }')

    def stop(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_us(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICK


def memory(pid: int) -> int:
    """Resident KiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def load(world: World, name: str, script: pathlib.Path, connections: int, seconds: int) -> dict:
    port = {"direct": UPSTREAM, "nginx": NGINX, "iron": IRON}[name]
    pid = world.pids.get(name)
    before = cpu_us(pid) if pid else 0.0
    done = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
         f"http://127.0.0.1:{port}/v1/chat/completions"],
        capture_output=True, text=True, check=True)
    used = cpu_us(pid) - before if pid else 0.0
    count, micros, p50, p99, errors = map(float, done.stdout.strip().splitlines()[-1].split())
    if errors:
        sys.exit(f"{name}: {errors:.0f} of {count:.0f} answers were errors\n{done.stdout}")
    return {"rps": count * 1e6 / micros, "p50": p50, "p99": p99, "cpu": used / max(count, 1)}


def script(work: pathlib.Path, name: str, body: str) -> pathlib.Path:
    path = work / f"{name}.lua"
    path.write_text(
        'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
        f'wrk.headers["authorization"] = "Bearer k"\nwrk.body = [[{body}]]\n'
        "done = function(s, l, r) io.write(string.format('%d %d %d %d %d\\n', s.requests, "
        "s.duration, l:percentile(50), l:percentile(99), s.errors.connect + s.errors.read + "
        "s.errors.write + s.errors.status + s.errors.timeout)) end\n")
    return path


def first_token_us(port: int, body: bytes, calls: int) -> float:
    """Median microseconds from the request to the stream's first bytes, on one connection each."""
    times = []
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n").encode()
    for _ in range(calls):
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            began = time.perf_counter()
            link.sendall(head + body)
            seen = b""
            while b"data:" not in seen:
                seen += link.recv(65536)
            times.append((time.perf_counter() - began) * 1e6)
            while b"[DONE]" not in seen:
                seen = seen[-16:] + link.recv(65536)
    return statistics.median(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--target", type=pathlib.Path, required=True)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=2)
    options.add_argument("--json", type=pathlib.Path)
    given = options.parse_args()
    given.target = given.target.resolve()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory(dir=given.target) as folder:
        work = pathlib.Path(folder)
        world = World(given.target, work)
        try:
            report(measure(world, work, given), world, given)
        finally:
            world.stop()


def measure(world: World, work: pathlib.Path, given) -> dict:
    cases = [("1 KB", 1000, 64), ("1 KB", 1000, 8), ("1 KB", 1000, 1),
             ("100 KB", 100_000, 64), ("100 KB", 100_000, 8), ("100 KB", 100_000, 1)]
    scripts = {size: script(work, f"p{size}", prompt(size)) for _, size, _ in cases}
    stream = script(work, "stream", prompt(1000, stream=True))
    body = prompt(1000, stream=True).encode()
    found: dict = {}
    for turn in range(given.rounds):
        print(f"round {turn + 1} of {given.rounds}", file=sys.stderr)
        for name in ("direct", "nginx", "iron"):
            for label, size, connections in cases:
                got = load(world, name, scripts[size], connections, given.seconds)
                found.setdefault((label, connections), {}).setdefault(name, []).append(got)
            got = load(world, name, stream, 8, given.seconds)
            found.setdefault(("stream", 8), {}).setdefault(name, []).append(got)
            port = {"direct": UPSTREAM, "nginx": NGINX, "iron": IRON}[name]
            got = {"first": first_token_us(port, body, 100)}
            found.setdefault(("first", 1), {}).setdefault(name, []).append(got)
    return found


def report(found: dict, world: World, given) -> None:
    def middle(case, name, figure):
        return statistics.median(row[figure] for row in found[case][name])

    rows = []
    for case in found:
        label, connections = case
        if label == "first":
            values = [middle(case, name, "first") for name in ("direct", "nginx", "iron")]
            rows.append(("time to first token, us", *values, values[2] - values[1]))
            continue
        if label == "stream":
            values = [middle(case, name, "cpu") / 200 for name in ("nginx", "iron")]
            rows.append(("CPU per streamed event, us", None, *values, values[1] / values[0]))
            continue
        if connections == 64:
            values = [middle(case, name, "cpu") for name in ("nginx", "iron")]
            rows.append((f"CPU per request, {label}, us", None, *values, values[1] / values[0]))
            values = [middle(case, name, "rps") for name in ("direct", "nginx", "iron")]
            rows.append((f"requests/s, {label}, 64 conn.", *values, values[2] / values[1]))
            continue
        for figure in ("p50", "p99"):
            values = [middle(case, name, figure) for name in ("direct", "nginx", "iron")]
            rows.append((f"{figure}, {label}, {connections} conn., us", *values,
                         values[2] - values[1]))
    print(f"{'':36}{'direct':>10}{'nginx':>10}{'iron':>10}   iron against nginx")
    for name, direct, nginx, iron, against in rows:
        shown = f"{against:+.0f} us" if "p" == name[0] or "time" in name else f"x {against:.2f}"
        left = "" if direct is None else f"{direct:.1f}"
        print(f"{name:36}{left:>10}{nginx:>10.1f}{iron:>10.1f}   {shown}")
    cost = middle(("100 KB", 64), "iron", "cpu") / middle(("1 KB", 64), "iron", "cpu")
    print(f"\n100 KB costs {cost:.1f} x 1 KB in CPU")
    print(f"ready after {world.ready_ms:.0f} ms; resident: {world.idle_kib / 1024:.1f} MiB idle, "
          f"{memory(world.iron) / 1024:.1f} MiB after the load")
    if given.json:
        given.json.write_text(json.dumps(
            [dict(zip(("case", "direct", "nginx", "iron", "against"), row)) for row in rows]))


if __name__ == "__main__":
    main()
