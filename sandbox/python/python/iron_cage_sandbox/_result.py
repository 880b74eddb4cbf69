"""What came of a command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import AnyStr, Generic

from ._errors import CommandFailed
from ._report import Change, Denial, Limit


@dataclass(frozen=True)
class Completed(Generic[AnyStr]):
    """A command that has ended."""

    args: Sequence[str]
    """The command."""
    returncode: int
    """Its exit code, as a shell would tell it: 126 and 127 where it could not be executed or found,
    128 and the signal's number where a signal ended it."""
    stdout: AnyStr
    """What it wrote to standard output; empty where that was not captured."""
    stderr: AnyStr
    """What it and the launcher wrote to standard error; empty where that was not captured."""
    denials: list[Denial] = field(default_factory=list)
    """What it tried and was refused, each once."""
    limits: list[Limit] = field(default_factory=list)
    """The limits that it reached."""
    changes: list[Change] = field(default_factory=list)
    """What it changed in an ephemeral workspace."""
    tier: str | None = None
    """How the sandbox was made: "namespace" or "fallback"."""

    def check_returncode(self) -> None:
        """Raises `CommandFailed` unless the exit code is 0."""
        if self.returncode != 0:
            command = shlex.join(self.args)
            told = "".join(f"\n  {denial}" for denial in self.denials[:10])
            raise CommandFailed(f"exit code {self.returncode} from `{command}`{told}", self)
