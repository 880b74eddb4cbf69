"""The sandbox: what it is, as the launcher's flags, and the ways to run a command in it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, overload

from . import _launcher
from ._errors import SandboxError, SandboxTimeout, SandboxUnavailable
from ._launch import Launched
from ._process import GRACE, Process, exit_code, stop
from ._report import Report, parse
from ._result import Completed

StrPath = Union[str, "os.PathLike[str]"]
Stream = Literal["pipe", "null", "inherit"]
_T = TypeVar("_T")


class Sandbox:
    """What a command may reach, and how much of it. Making one starts nothing; it can be run often.

    Sizes are bytes or texts such as "512M", times are seconds or texts such as "10m". What is not given
    is the profile's, and the profile, where none is named, is told by the command. `env` are variables
    for the command: their values are handed on in the launcher's environment, not on its command line,
    which every user of the machine can read. `options` are further flags of `iron-sandbox exec`.
    """

    def __init__(
        self,
        workspace: StrPath = ".",
        profile: str | Sequence[str] | None = None,
        *,
        memory: int | str | None = "512M",
        processes: int | None = None,
        open_files: int | None = None,
        file_size: int | str | None = None,
        cpu_time: float | str | None = None,
        wall_time: float | str | None = None,
        output: int | str | None = None,
        network: Literal["proxy", "none"] = "proxy",
        connect: Iterable[str] = (),
        read: Iterable[StrPath] = (),
        write: Iterable[StrPath] = (),
        protect: Iterable[StrPath] = (),
        hide: Iterable[StrPath] = (),
        env: Mapping[str, str] | None = None,
        tier: Literal["auto", "namespace", "fallback"] = "auto",
        allow_degraded: Iterable[str] = (),
        ephemeral: bool | Literal["auto", "overlay", "copy"] = False,
        apply: bool = False,
        agent: str | None = None,
        budget: str | None = None,
        options: Iterable[str] = (),
    ) -> None:
        self.workspace = Path(workspace)
        """The command's folder."""
        self._env = dict(env or {})
        if any("=" in name or not name for name in self._env):
            raise ValueError("a variable's name is not empty and has no = in it")
        flags = [f"--workspace={os.path.abspath(workspace)}"]
        profiles = [profile] if isinstance(profile, str) else profile or []
        flags += [f"--profile={name}" for name in profiles]
        for name, value in (
            ("memory", memory),
            ("processes", processes),
            ("open-files", open_files),
            ("file-size", file_size),
            ("output-size", output),
            ("cpu-time", _time(cpu_time)),
            ("wall-time", _time(wall_time)),
            ("agent", agent),
            ("budget", budget),
        ):
            if value is not None:
                flags.append(f"--{name}={value}")
        flags += [f"--network={network}", f"--tier={tier}"]
        flags += [f"--connect={address}" for address in _all(connect)]
        for name, paths in (("read", read), ("write", write), ("protect", protect), ("hide", hide)):
            flags += [f"--{name}={os.path.abspath(path)}" for path in _all(paths)]
        flags += [f"--allow-degraded={layer}" for layer in _all(allow_degraded)]
        if ephemeral:
            flags.append(f"--ephemeral={'auto' if ephemeral is True else ephemeral}")
            flags.append(f"--apply={'always' if apply else 'never'}")
        elif apply:
            raise ValueError("apply is for an ephemeral workspace: another is changed as it goes")
        self._flags = [*flags, *_all(options)]

    def __repr__(self) -> str:
        return f"<Sandbox {shlex.join(self._flags)}>"

    @overload
    def run(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = ...,
        timeout: float | None = ...,
        check: bool = ...,
        capture: bool = ...,
        text: Literal[True] = ...,
    ) -> Completed[str]: ...

    @overload
    def run(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = ...,
        timeout: float | None = ...,
        check: bool = ...,
        capture: bool = ...,
        text: Literal[False],
    ) -> Completed[bytes]: ...

    def run(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = None,
        timeout: float | None = None,
        check: bool = False,
        capture: bool = True,
        text: bool = True,
    ) -> Completed[str] | Completed[bytes]:
        """Runs a command and waits for it; other threads go on meanwhile.

        Raises `SandboxTimeout` after `timeout` seconds, `CommandFailed` with `check` where the exit code
        is not 0, and `SandboxUnavailable` where no sandbox could be made. Whatever else ends the waiting,
        as Ctrl-C does, ends the sandbox and is passed on. Text is UTF-8; what is not is replaced.
        """
        call = _Call(self, args, input, capture, text)
        try:
            in_time = call.launched.serve(call.input, timeout)
        except BaseException:
            stop(call.launched, GRACE)
            raise
        return call.result(in_time, timeout, check)

    @overload
    async def arun(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = ...,
        timeout: float | None = ...,
        check: bool = ...,
        capture: bool = ...,
        text: Literal[True] = ...,
    ) -> Completed[str]: ...

    @overload
    async def arun(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = ...,
        timeout: float | None = ...,
        check: bool = ...,
        capture: bool = ...,
        text: Literal[False],
    ) -> Completed[bytes]: ...

    async def arun(
        self,
        args: Sequence[StrPath],
        *,
        input: str | bytes | None = None,
        timeout: float | None = None,
        check: bool = False,
        capture: bool = True,
        text: bool = True,
    ) -> Completed[str] | Completed[bytes]:
        """As `run`, in an event loop. Cancelling the task ends the sandbox."""
        call = _Call(self, args, input, capture, text)
        served = _in_thread(lambda: call.launched.serve(call.input, timeout))
        try:
            in_time = await asyncio.shield(served)
        except BaseException:
            stopped = _in_thread(lambda: stop(call.launched, GRACE))
            await asyncio.shield(stopped)
            raise
        # A result that needs the command ended waits for that, and not in the event loop.
        return await _in_thread(lambda: call.result(in_time, timeout, check))

    def popen(
        self,
        args: Sequence[StrPath],
        *,
        stdin: Stream = "null",
        stdout: Stream = "pipe",
        stderr: Stream = "inherit",
        text: bool = True,
    ) -> Process:
        """Starts a command, to be talked to."""
        words = [os.fspath(word) for word in args]
        return Process(words, self._launch(words, (stdin, stdout, stderr)), text)

    def check(self) -> dict[str, Any]:
        """Which layers this machine can give, and what is not covered, tried by doing."""
        tier = [flag for flag in self._flags if flag.startswith("--tier=")]
        command = [str(_launcher.find()), "check", "--output=json", *tier]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise SandboxError(done.stderr.strip() or "the launcher answered no JSON") from None
        if not isinstance(answer, dict):
            raise SandboxError("the launcher's answer is no JSON object")
        return answer

    def _launch(self, words: list[str], streams: tuple[Stream, Stream, Stream]) -> Launched:
        if not words:
            raise ValueError("a command is needed: the program and its arguments")
        environment = dict(os.environ)
        handed_on = []
        for name, value in self._env.items():
            # What would change the launcher itself goes past it.
            if name == "PATH" or name.startswith(("LD_", "IRON_")):
                handed_on.append(f"--env={name}={value}")
            else:
                environment[name] = value
                handed_on.append(f"--env={name}")
        arguments = ["exec", *self._flags, *handed_on, "--", *words]
        return Launched(
            str(_launcher.find()),
            arguments,
            list(environment.items()),
            streams=streams,
            report_option="--report-file",
        )


class _Call:
    """One command of `run` or `arun`."""

    def __init__(
        self,
        sandbox: Sandbox,
        args: Sequence[StrPath],
        input: str | bytes | None,
        capture: bool,
        text: bool,
    ) -> None:
        self.args = [os.fspath(word) for word in args]
        self.input = input.encode() if isinstance(input, str) else input or b""
        self.text = text
        out: Stream = "pipe" if capture else "inherit"
        self.launched = sandbox._launch(self.args, ("null" if input is None else "pipe", out, out))

    def result(
        self, in_time: bool, timeout: float | None, check: bool
    ) -> Completed[str] | Completed[bytes]:
        if not in_time:
            stop(self.launched, GRACE)
            # What was written until then is in the pipes, and nobody writes any more.
            self.launched.serve(self.input, GRACE)
        code = exit_code(self.launched.poll())
        if code is None:
            raise SandboxError("the launcher's exit code was taken by another part of this program")
        report = parse(self.launched.report())
        completed = self._completed(code, report)
        if report.unavailable is not None or (code != 0 and not report.started and in_time):
            message = completed.stderr if isinstance(completed.stderr, str) else ""
            message = message.strip() or f"the launcher ended with {code} and ran nothing"
            if report.unavailable is not None:
                raise SandboxUnavailable(message, report.unavailable)
            raise SandboxError(message)
        if not in_time:
            raise SandboxTimeout(
                f"`{shlex.join(self.args)}` took longer than {timeout} s, and was ended", completed
            )
        if check:
            completed.check_returncode()
        return completed

    def _completed(self, code: int, report: Report) -> Completed[str] | Completed[bytes]:
        out, err = self.launched.take_read()
        told = (report.denials, report.limits, report.changes, report.tier)
        if not self.text:
            return Completed(self.args, code, out, err, *told)
        out_text, err_text = (written.decode(errors="replace") for written in (out, err))
        return Completed(self.args, code, out_text, err_text, *told)


def _in_thread(work: Callable[[], _T]) -> asyncio.Future[_T]:
    """Runs it in a thread of its own: an executor's threads could all be waiting for sandboxes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)  # type: ignore[arg-type]

    def body() -> None:
        try:
            value, error = work(), None
        except BaseException as raised:
            value, error = None, raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            # The loop was closed: nobody waits any more.
            pass

    threading.Thread(target=body, name="iron-sandbox", daemon=True).start()
    return future


def _all(values: Iterable[_T]) -> list[_T]:
    """A list of what is given; a text alone would be taken apart into letters."""
    if isinstance(values, (str, bytes, os.PathLike)):
        raise TypeError(f"a list is needed, not {values!r} alone")
    return list(values)


def _time(value: float | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{max(1, round(value * 1000))}ms"
