"""What the launcher tells of a sandbox, read from its report.

The report is lines of JSON. Lines and fields that are not known are passed over: a newer launcher may
tell more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Denial:
    """Something that was tried and refused."""

    action: str
    """What was tried: connect, datagram, listen, socket, read, write, execute or call."""
    target: str
    """On what: a path, an address, a system call. Control characters are escaped."""
    layer: str
    """What refused it."""
    program: str | None = None
    """The short name of the program that tried."""
    flag: str | None = None
    """The launcher's flag that would allow it, if one would."""
    profile: str | None = None
    """The same as lines of a profile."""
    reason: str | None = None
    """Why nothing would allow it, and what to do instead."""

    def __str__(self) -> str:
        by = f" ({self.program})" if self.program else ""
        remedy = f"; {self.flag} would allow it" if self.flag else ""
        remedy = f"; {self.reason}" if self.reason else remedy
        return f"{self.action} {self.target}: refused by {self.layer}{by}{remedy}"


@dataclass(frozen=True)
class Limit:
    """A limit that was reached."""

    limit: str
    """Which: memory, processes, file_size, open_files, cpu_time, wall_time or output."""
    value: str
    """The limit in words."""
    effect: str
    """What came of it."""


@dataclass(frozen=True)
class Change:
    """A file that the command changed in an ephemeral workspace."""

    kind: str
    """added, modified or deleted, or as the launcher calls it."""
    path: str
    """Where, from the workspace."""


@dataclass
class Report:
    """Everything told of one sandbox."""

    tier: str | None = None
    denials: list[Denial] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unavailable: tuple[str, ...] | None = None
    started: bool = False


def parse(lines: bytes) -> Report:
    """Reads a report, as far as it is there: a last line that has no end is left alone."""
    report = Report()
    for line in lines.split(b"\n")[:-1]:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            _take(report, told)
    return report


def _take(report: Report, told: dict[str, Any]) -> None:
    event = told.get("event")
    if event == "started":
        report.started = True
        report.tier = _text(told.get("tier"))
    elif event == "denial":
        report.denials.append(_denial(told))
    elif event == "limit":
        report.limits.append(
            Limit(_word(told, "limit"), _word(told, "value"), _word(told, "effect"))
        )
    elif event == "change":
        report.changes.append(Change(_word(told, "kind"), _word(told, "path")))
    elif event == "unavailable":
        layers = told.get("layers")
        report.unavailable = tuple(map(str, layers)) if isinstance(layers, list) else ()


def _denial(told: dict[str, Any]) -> Denial:
    remedy = told.get("remedy")
    allow = remedy.get("allow") if isinstance(remedy, dict) else None
    allow = allow if isinstance(allow, dict) else {}
    return Denial(
        action=_word(told, "action"),
        target=_word(told, "target"),
        layer=_word(told, "layer"),
        program=_text(told.get("program")),
        flag=_text(allow.get("flag")),
        profile=_text(allow.get("profile")),
        reason=_text(remedy.get("never")) if isinstance(remedy, dict) else None,
    )


def _word(told: dict[str, Any], name: str) -> str:
    return _text(told.get(name)) or ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
