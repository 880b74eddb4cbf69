"""Runs a program so that it can reach the Iron Cage proxy, its own folder and nothing else.

    from iron_cage_sandbox import Sandbox

    done = Sandbox(workspace="work", network="none").run(["python3", "agent.py"])

The sandbox is made by the launcher, `iron-sandbox`, which this package brings and spawns.
"""

from ._errors import (
    CommandFailed,
    LauncherNotFound,
    SandboxError,
    SandboxTimeout,
    SandboxUnavailable,
)
from ._process import Process
from ._report import Change, Denial, Limit
from ._result import Completed
from ._sandbox import Sandbox

__all__ = [
    "Change",
    "CommandFailed",
    "Completed",
    "Denial",
    "LauncherNotFound",
    "Limit",
    "Process",
    "Sandbox",
    "SandboxError",
    "SandboxTimeout",
    "SandboxUnavailable",
]
