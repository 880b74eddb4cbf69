#!/usr/bin/env python3
"""Compares TLS, HTTP/2, WebSocket and interception: nginx with TLS, mitmproxy, and Iron Cage, in one run.

Like `run.py`, of which this is the second half: every guard is on, the proxies under test have
core 0, load and upstream share core 1, rounds are interleaved, medians count, nothing asserts.

Interception is TLS on both sides. nginx has no such thing: it stands here as a reverse proxy with
TLS towards the client and towards the upstream, which is the same work without CONNECT and without
a certificate made on the spot. mitmproxy is measured where `mitmdump` is installed.

A round trip over a WebSocket is a `response.create` on an open connection and the 24 events of its
answer. nginx copies bytes there; Iron Cage reads, holds, meters and records each.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import run

UPSTREAM, UPSTREAM_TLS, UPSTREAM_SOCKET = run.UPSTREAM, 9903, 9904
NGINX_TLS, NGINX_BOTH, NGINX_SOCKET, IRON, MITM = 9911, 9912, 9913, 9921, 9931
PATH = "/v1/chat/completions"


class World(run.World):
    """The upstream with and without TLS, and the three proxies."""

    def __init__(self, target: pathlib.Path, work: pathlib.Path):
        self.target, self.work, self.children = target, work, []
        certificates(work)
        self.start(1, [target / "fast_upstream", f"127.0.0.1:{UPSTREAM}"])
        self.start(1, [target / "fast_socket", f"127.0.0.1:{UPSTREAM_SOCKET}"])
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        for name, core, servers in (
                ("front", 1, server(UPSTREAM_TLS, "http://up")),
                ("tested", 0, server(NGINX_TLS, "http://up") + server(NGINX_BOTH, "https://up_tls")
                 + socket_server())):
            folder = work / name
            folder.mkdir()
            (folder / "nginx.conf").write_text(configuration(folder, work, servers))
            master = self.start(core, [nginx, "-c", folder / "nginx.conf", "-p", folder])
        (work / "iron.toml").write_text(
            f'[proxy]\nlisten = "127.0.0.1:{IRON}"\n'
            '[[upstream]]\nname = "openai"\ndialect = "openai"\n'
            f'base_url = "http://127.0.0.1:{UPSTREAM}"\n'
            '[[upstream]]\nname = "tls"\ndialect = "openai"\nvendor = "openai"\n'
            f'base_url = "https://localhost:{UPSTREAM_TLS}"\n'
            '[[upstream]]\nname = "socket"\ndialect = "openai"\nvendor = "openai"\n'
            f'base_url = "http://127.0.0.1:{UPSTREAM_SOCKET}"\n'
            '[[budget]]\nscope = "organisation"\nwindow = "day"\nlimit = "1000000 USD"\n'
            '[[budget]]\nscope = "agent:*"\nwindow = "month"\nlimit = "1000000 USD"\n')
        os.environ["SSL_CERT_FILE"] = str(work / "ca.pem")
        self.iron = self.start(0, [target / "iron", "up", "--config", work / "iron.toml",
                                   "--state", work / "state.db"])
        self.pids = {"iron": self.iron}
        ports = [UPSTREAM, UPSTREAM_TLS, UPSTREAM_SOCKET, NGINX_TLS, NGINX_BOTH, NGINX_SOCKET, IRON]
        if mitmdump := shutil.which("mitmdump"):
            self.pids["mitmproxy"] = self.start(
                0, [mitmdump, "-q", "--listen-host", "127.0.0.1", "--listen-port", MITM,
                    "--ssl-insecure", "--set", f"confdir={work}/mitm", "--set", "flow_detail=0"])
            ports.append(MITM)
        for port in ports:
            self.await_port(port, 0.02)
        worker = subprocess.run(["pgrep", "-P", str(master)], capture_output=True,
                                text=True, check=True)
        self.pids["nginx"] = int(worker.stdout.split()[0])


def certificates(work: pathlib.Path) -> None:
    """An authority for this run and a certificate of it for this machine."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-subj", "/CN=benchmark", "-keyout", work / "ca.key",
            "-out", work / "ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", work / "key.pem",
            "-out", work / "request.pem")
    (work / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                                "basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", work / "request.pem", "-CA", work / "ca.pem", "-CAkey",
            work / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", work / "names",
            "-out", work / "certificate.pem")


def server(port: int, to: str) -> str:
    return (f"server {{ listen 127.0.0.1:{port} ssl http2; tcp_nodelay on; location / {{"
            f"proxy_pass {to}; proxy_http_version 1.1; proxy_buffering off;"
            'proxy_set_header Connection ""; } } ')


def socket_server() -> str:
    return (f"server {{ listen 127.0.0.1:{NGINX_SOCKET}; tcp_nodelay on; location / {{"
            f"proxy_pass http://127.0.0.1:{UPSTREAM_SOCKET}; proxy_http_version 1.1;"
            "proxy_read_timeout 1h; proxy_set_header Upgrade $http_upgrade;"
            "proxy_set_header Connection upgrade; } } ")


def message() -> str:
    """The `response.create` that asks what the other calls ask."""
    said = json.loads(run.prompt(1000))["messages"]
    return json.dumps({
        "type": "response.create", "model": "gpt-4o-mini", "max_output_tokens": 256, "store": False,
        "instructions": said[0]["content"],
        "input": [{"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": said[1]["content"]}]}]}, separators=(",", ":"))


def configuration(folder: pathlib.Path, work: pathlib.Path, servers: str) -> str:
    temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                   ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    kept = "keepalive 128; keepalive_requests 1000000000;"
    return (
        f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;"
        "events { worker_connections 4096; } http { access_log off; client_max_body_size 64m;"
        f"client_body_buffer_size 1m; keepalive_requests 1000000000; {temp}"
        f"ssl_certificate {work}/certificate.pem; ssl_certificate_key {work}/key.pem;"
        "proxy_ssl_session_reuse on;"
        f"upstream up {{ server 127.0.0.1:{UPSTREAM}; {kept} }}"
        f"upstream up_tls {{ server 127.0.0.1:{UPSTREAM_TLS}; {kept} }} {servers} }}")


def measured(world: World, name: str, command) -> dict:
    """Runs a load on core 1 and reads its figures and the CPU that the proxy took for them."""
    pid = world.pids.get(name)
    before = run.cpu_us(pid) if pid else 0.0
    done = subprocess.run(["taskset", "-c", "1", *map(str, command)], capture_output=True,
                          text=True, check=True)
    used = run.cpu_us(pid) - before if pid else 0.0
    if command[0] == "h2load":
        count, failed = map(float, re.search(
            r"(\d+) done, \d+ succeeded, (\d+) failed", done.stdout).groups())
        figures = {"rps": float(re.search(r"([\d.]+) req/s", done.stdout)[1])}
    else:
        last = done.stdout.strip().splitlines()[-1]
        count, micros, p50, p99, failed = map(float, last.split())
        figures = {"rps": count * 1e6 / micros, "p50": p50, "p99": p99}
    if failed or not count:
        sys.exit(f"{name}: {failed:.0f} of {count:.0f} calls failed\n{done.stdout}{done.stderr}")
    return {**figures, "cpu": used / count}


def measure(world: World, work: pathlib.Path, given) -> dict:
    body = work / "body.json"
    body.write_text(run.prompt(1000))
    script = run.script(work, "p1000", run.prompt(1000))
    seconds = given.seconds

    def wrk(port, connections):
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
                f"https://127.0.0.1:{port}{PATH}"]

    def h2load(port):
        return ["h2load", "-t1", "-c8", "-m8", f"--duration={seconds}", "-d", body,
                "-H", "content-type: application/json", "-H", "authorization: Bearer k",
                f"https://127.0.0.1:{port}{PATH}"]

    def connect(to, via=None, fresh=False, connections=8):
        return [world.target / "connect_load", "--to", f"localhost:{to}", "--body", body,
                "--connections", connections, "--seconds", seconds,
                *(["--via", f"127.0.0.1:{via}"] if via else []), *(["--fresh"] if fresh else [])]

    said = work / "message.json"
    said.write_text(message())

    def socket(port, connections, path=""):
        return [world.target / "socket_load", "--to", f"127.0.0.1:{port}", "--body", said,
                "--path", f"{path}/v1/responses", "--connections", connections,
                "--seconds", seconds]

    cases = {}
    for connections in (64, 1):
        cases["TLS", connections] = {
            "nginx": wrk(NGINX_TLS, connections), "iron": wrk(IRON, connections)}
    cases["HTTP/2", 64] = {"nginx": h2load(NGINX_TLS), "iron": h2load(IRON)}
    for connections in (64, 1):
        cases["WebSocket", connections] = {
            "direct": socket(UPSTREAM_SOCKET, connections),
            "nginx": socket(NGINX_SOCKET, connections),
            "iron": socket(IRON, connections, "/socket")}
    for label, fresh in (("interception", False), ("interception, new connections", True)):
        for connections in (8, 1):
            def load(to, via=None):
                return connect(to, via, fresh, connections)
            cases[label, connections] = {
                "direct": load(UPSTREAM_TLS), "nginx": load(NGINX_BOTH),
                "iron": load(UPSTREAM_TLS, IRON), "mitmproxy": load(UPSTREAM_TLS, MITM)}
    found: dict = {}
    for turn in range(given.rounds):
        print(f"round {turn + 1} of {given.rounds}", file=sys.stderr)
        for case, commands in cases.items():
            if given.only and given.only not in case[0]:
                continue
            for name, command in commands.items():
                if name == "direct" or name in world.pids:
                    got = measured(world, name, command)
                    found.setdefault(case, {}).setdefault(name, []).append(got)
    return found


NAMES = ("direct", "nginx", "iron", "mitmproxy")


def report(found: dict, given) -> None:
    rows = []
    for (label, connections), by_name in found.items():
        def middle(figure):
            return {name: statistics.median(row[figure] for row in got if figure in row)
                    for name, got in by_name.items()}

        if connections > 1:
            cpu = middle("cpu")
            cpu.pop("direct", None)
            rows.append((f"CPU per request, {label}, us", cpu, "x"))
            rows.append((f"requests/s, {label}, {connections} at once", middle("rps"), "x"))
        else:
            rows.append((f"p50, {label}, 1 conn., us", middle("p50"), "+"))
    print("\n" + f"{'':46}" + "".join(f"{name:>11}" for name in NAMES) + "   iron against nginx")
    for name, values, how in rows:
        shown = "".join(f"{values[key]:>11.1f}" if key in values else f"{'':>11}" for key in NAMES)
        against = (f"x {values['iron'] / values['nginx']:.2f}" if how == "x"
                   else f"{values['iron'] - values['nginx']:+.0f} us")
        print(f"{name:46}{shown}   {against}")
    if given.json:
        found_at = given.json.with_suffix(".wire.json")
        found_at.write_text(json.dumps([{"case": name, **values} for name, values, _ in rows]))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--target", type=pathlib.Path, required=True)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=2)
    options.add_argument("--json", type=pathlib.Path)
    options.add_argument("--only", help="the part of a case's name: WebSocket")
    given = options.parse_args()
    given.target = given.target.resolve()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory(dir=given.target) as folder:
        work = pathlib.Path(folder)
        world = World(given.target, work)
        try:
            report(measure(world, work, given), given)
        finally:
            world.stop()


if __name__ == "__main__":
    main()
