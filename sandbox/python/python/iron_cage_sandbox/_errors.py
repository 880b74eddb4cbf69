"""What can go wrong. Everything raised for the sandbox's sake is a `SandboxError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._result import Completed


class SandboxError(Exception):
    """The sandbox could not do what was asked; its message says what to do next."""


class LauncherNotFound(SandboxError):
    """There is no launcher: this package was built without, and nothing else names one."""


class SandboxUnavailable(SandboxError):
    """The sandbox cannot be made as asked on this machine, and so nothing was run.

    `layers` names what could not be had, where the launcher could tell.
    """

    def __init__(self, message: str, layers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.layers = layers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.layers)


class _WithResult(SandboxError):
    """An error that has what was written and refused until then, as `completed`."""

    completed: Completed[str] | Completed[bytes]

    def __init__(self, message: str, completed: Completed[str] | Completed[bytes]) -> None:
        super().__init__(message)
        self.completed = completed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.completed)


class SandboxTimeout(_WithResult):
    """The command took longer than `timeout`, and the sandbox was ended with all that was in it."""


class CommandFailed(_WithResult):
    """The command's exit code was not 0, and `check` was asked for."""
