"""Commands that are waited for."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import marked, until

from iron_cage_sandbox import CommandFailed, Sandbox, SandboxError, SandboxTimeout, SandboxUnavailable


def test_what_a_command_writes_and_how_it_ends(sandbox: Sandbox, workspace: Path) -> None:
    done = sandbox.run(["sh", "-c", "echo out; echo err >&2; pwd > here; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.tier in ("namespace", "fallback")
    assert f"--tier={done.tier}" in repr(sandbox)
    assert (workspace / "here").read_text() == f"{workspace}\n"
    assert sandbox.run(["sh", "-c", "kill -TERM $$"]).returncode == 128 + signal.SIGTERM
    assert sandbox.run(["not-there"]).returncode == 127


def test_much_goes_both_ways_at_once(sandbox: Sandbox) -> None:
    much = os.urandom(3_000_000)
    done = sandbox.run(["sh", "-c", "tee /dev/stderr"], input=much, text=False)
    assert done.stdout == much and done.stderr == much


def test_text_that_is_none_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.run(["printf", r"a\377b"]).stdout == "a\ufffdb"
    assert sandbox.run(["cat"], input="ä").stdout == "ä"
    # Input that nobody reads is no error, and no input is an empty one.
    assert sandbox.run(["true"], input="x" * 1_000_000).returncode == 0
    assert sandbox.run(["cat"]).stdout == ""


def test_refusals_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    done = sandbox.run(["cat", str(secret)])
    assert done.returncode != 0 and "secret\n" not in done.stdout
    script = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = sandbox.run(["/usr/bin/python3", "-c", script])
    assert done.returncode == 1
    refused = [denial for denial in done.denials if denial.action == "connect"]
    assert [denial.target for denial in refused] == ["127.0.0.1:9"]
    assert refused[0].layer and refused[0].program
    assert "127.0.0.1:9" in str(refused[0])


def test_limits_are_told(workspace: Path) -> None:
    done = Sandbox(workspace, network="none", wall_time=0.5).run(["sleep", "600"])
    assert done.returncode != 0
    assert [limit.limit for limit in done.limits] == ["wall_time"]
    done = Sandbox(workspace, network="none", output="16K").run(["yes"])
    assert len(done.stdout) <= 16 * 1024 and [limit.limit for limit in done.limits] == ["output"]


def test_changes_are_told_and_applied_only_if_asked(workspace: Path) -> None:
    (workspace / "old").write_text("old")
    script = ["sh", "-c", "echo new > new; rm old"]
    for apply in (False, True):
        done = Sandbox(workspace, network="none", ephemeral="copy", apply=apply).run(script, check=True)
        assert sorted((change.path, change.kind) for change in done.changes) == [
            ("new", "added"),
            ("old", "removed"),
        ]
        assert (workspace / "new").exists() == apply
        assert (workspace / "old").exists() != apply


def test_check_raises_what_can_be_pickled(sandbox: Sandbox) -> None:
    sandbox.run(["true"], check=True)
    with pytest.raises(CommandFailed, match="exit code 7") as raised:
        sandbox.run(["sh", "-c", "echo said; exit 7"], check=True)
    assert isinstance(raised.value, SandboxError)
    again = pickle.loads(pickle.dumps(raised.value))
    assert again.completed.stdout == "said\n" and str(again) == str(raised.value)


def test_a_timeout_ends_everything(sandbox: Sandbox, marker: str) -> None:
    script = "trap '' TERM; echo begun; setsid sleep 600 & while :; do sleep 1; done"
    with pytest.raises(SandboxTimeout) as raised:
        sandbox.run(["sh", "-c", script, marker], timeout=1)
    assert raised.value.completed.stdout == "begun\n"
    until(lambda: not marked(marker))
    assert sandbox.run(["true"], timeout=60).returncode == 0


def test_what_cannot_be_made_is_not_run(workspace: Path) -> None:
    ran = workspace / "ran"
    with pytest.raises(SandboxError) as raised:
        Sandbox(workspace, profile="no-such-profile", network="none").run(["touch", str(ran)])
    assert "no-such-profile" in str(raised.value)
    with pytest.raises(SandboxError):
        Sandbox(workspace / "not-there", network="none").run(["true"])
    # Within a sandbox there is no other: the layer that is missing is named.
    launcher = subprocess.run(["sh", "-c", "command -v iron-sandbox"], capture_output=True, text=True)
    assert launcher.returncode == 0
    inner = [launcher.stdout.strip(), "exec", "--network=none", "--tier=namespace", "touch", "ran"]
    folder = os.path.dirname(os.path.realpath(inner[0]))
    done = Sandbox(workspace, network="none", read=[folder]).run(inner)
    assert done.returncode == 69 and not ran.exists(), done
    from iron_cage_sandbox import _report

    told = _report.parse(b'{"event":"unavailable","layers":["user"],"message":"no"}\n')
    assert told.unavailable == ("user",)
    assert pickle.loads(pickle.dumps(SandboxUnavailable("no", ("user",)))).layers == ("user",)


def test_variables_are_those_that_were_asked_for(
    sandbox: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-host")
    tier = next(flag for flag in repr(sandbox).rstrip(">").split() if flag.startswith("--tier="))
    given = Sandbox(
        workspace, network="none", tier=tier[7:], env={"TASK": "a task", "LD_TASK": "another"}  # type: ignore[arg-type]
    )
    done = given.run(["sh", "-c", "env; tr '\\0' '\\n' < /proc/self/environ"])
    assert "TASK=a task" in done.stdout.splitlines()
    assert "LD_TASK=another" in done.stdout.splitlines()
    assert "key-of-the-host" not in done.stdout
    with given.popen(["cat"], stdin="pipe") as process:
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"a task" not in line


def test_threads_go_on_while_one_waits(sandbox: Sandbox) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    counting = threading.Thread(target=count)
    counting.start()
    results: list[str] = []
    runs = [
        threading.Thread(target=lambda n=n: results.append(sandbox.run(["sh", "-c", f"sleep 0.3; echo {n}"]).stdout))
        for n in range(4)
    ]
    before = counted
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    during = counted - before
    done.set()
    counting.join()
    assert sorted(results) == ["0\n", "1\n", "2\n", "3\n"]
    assert during > 1000


def test_ctrl_c_is_passed_on_and_ends_the_sandbox(workspace: Path, marker: str) -> None:
    program = (
        "import sys\n"
        "from iron_cage_sandbox import Sandbox\n"
        "sandbox = Sandbox(sys.argv[1], network='none')\n"
        "try:\n"
        "    sandbox.run(['sh', '-c', 'trap \"\" INT; echo > begun; sleep 600', sys.argv[2]])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    command = [sys.executable, "-c", program, str(workspace), marker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        until((workspace / "begun").exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert out == "interrupted\n"
    until(lambda: not marked(marker))


def test_wrong_uses_are_refused(workspace: Path) -> None:
    sandbox = Sandbox(workspace, network="none")
    with pytest.raises(ValueError, match="a command is needed"):
        sandbox.run([])
    with pytest.raises(TypeError, match="a list is needed"):
        Sandbox(workspace, read="/etc")
    with pytest.raises(ValueError, match="variable"):
        Sandbox(workspace, env={"A=B": "x"})
    with pytest.raises(ValueError, match="ephemeral"):
        Sandbox(workspace, apply=True)


def test_check_names_layers(sandbox: Sandbox) -> None:
    assert "landlock" in str(sandbox.check())
