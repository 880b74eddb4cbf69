"""A command that runs in a sandbox, to talk to and to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any

from ._launch import Launched
from ._report import Denial, Report, parse

GRACE = 2.0
"""How long a command that is to end may take to do so by itself, in seconds."""


class Process:
    """A command that runs in a sandbox. Leaving its `with` block ends it, as does forgetting it.

    `stdin`, `stdout` and `stderr` are files where they were asked to be pipes, else None. Whoever takes
    more than one reads them at once, as with `subprocess.Popen`.
    """

    def __init__(self, args: Sequence[str], launched: Launched, text: bool) -> None:
        self.args = list(args)
        self._launched = launched
        self.stdin: IO[Any] | None = _file(launched, 0, "w", text)
        self.stdout: IO[Any] | None = _file(launched, 1, "r", text)
        self.stderr: IO[Any] | None = _file(launched, 2, "r", text)

    @property
    def pid(self) -> int:
        """The launcher's process number."""
        return self._launched.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, as a shell would tell it; None while it runs."""
        return self.poll()

    @property
    def denials(self) -> list[Denial]:
        """What was refused so far."""
        return self.report().denials

    def report(self) -> Report:
        """Everything that was told so far."""
        return parse(self._launched.report())

    def poll(self) -> int | None:
        """The exit code, as a shell would tell it; None while it runs."""
        return exit_code(self._launched.poll())

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Raises `TimeoutError` if that does not come in `timeout` seconds."""
        if not self._launched.wait(timeout):
            raise TimeoutError(f"the command still runs after {timeout} s")
        code = self.poll()
        assert code is not None, "the launcher has ended"
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal to the command, by way of the launcher, which passes it on."""
        self._launched.signal(number)

    def terminate(self) -> None:
        """Asks it to end."""
        self._launched.signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the sandbox and everything in it at once."""
        self._launched.signal(signal.SIGKILL)

    def stop(self, grace: float = GRACE) -> int:
        """Asks it to end, ends it `grace` seconds later if it did not, and waits."""
        stop(self._launched, grace)
        return self.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self.stdin is not None:
                self.stdin.close()
        except BrokenPipeError:
            pass
        finally:
            stop(self._launched, GRACE)
            for file in (self.stdout, self.stderr):
                if file is not None:
                    file.close()


def stop(launched: Launched, grace: float) -> None:
    """Ends a launcher and its sandbox: asked first, so that it can put things in order."""
    if launched.poll() is None:
        launched.signal(signal.SIGTERM)
        try:
            ended = launched.wait(grace)
        except BaseException:
            # Whoever cannot wait, as one who presses Ctrl-C again, wants it ended now.
            launched.signal(signal.SIGKILL)
            raise
        if not ended:
            launched.signal(signal.SIGKILL)
            launched.wait()
        launched.poll()


def exit_code(code: int | None) -> int | None:
    """As a shell tells it, also of a launcher that was itself ended by a signal."""
    return 128 - code if code is not None and code < 0 else code


def _file(launched: Launched, stream: int, mode: str, text: bool) -> IO[Any] | None:
    pipe = launched.take_pipe(stream)
    if pipe is None:
        return None
    if text:
        return os.fdopen(pipe, mode, encoding="utf-8", errors="replace")
    return os.fdopen(pipe, mode + "b")
