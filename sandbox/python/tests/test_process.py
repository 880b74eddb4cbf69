"""Commands that are talked to."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from conftest import marked, until

from iron_cage_sandbox import Sandbox


def test_talking(sandbox: Sandbox) -> None:
    with sandbox.popen(["cat"], stdin="pipe") as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is None
        for line in ("one\n", "two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        assert process.poll() is None and process.returncode is None
        with pytest.raises(TimeoutError):
            process.wait(0.05)
        process.stdin.close()
        assert process.wait() == 0
    assert process.returncode == 0


def test_signals_and_ends(sandbox: Sandbox, marker: str) -> None:
    script = "trap 'echo ended; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with sandbox.popen(["sh", "-c", script]) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.readline() == "ended\n"
        assert process.wait(30) == 5
        process.send_signal(signal.SIGTERM)
    with sandbox.popen(["sh", "-c", "echo ready; sleep 600", marker]) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.kill()
        assert process.wait(30) == 128 + signal.SIGKILL
    until(lambda: not marked(marker))


def test_leaving_and_forgetting_end_it(sandbox: Sandbox, marker: str) -> None:
    command = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", marker]
    with pytest.raises(KeyError):
        with sandbox.popen(command) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            raise KeyError
    until(lambda: not marked(marker))
    forgotten = sandbox.popen(command)
    assert forgotten.stdout is not None and forgotten.stdout.readline() == "ready\n"
    forgotten.stdout.close()
    del forgotten
    until(lambda: not marked(marker))


def test_refusals_are_told_while_it_runs(sandbox: Sandbox, workspace: Path) -> None:
    script = "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass\nprint('tried', flush=True)\ninput()"
    with sandbox.popen(["/usr/bin/python3", "-c", script], stdin="pipe") as process:
        assert process.stdout is not None and process.stdout.readline() == "tried\n"
        until(lambda: [denial.target for denial in process.denials] == ["127.0.0.1:9"])
