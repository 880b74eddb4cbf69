"""Where the launcher is.

This package's own comes first; `IRON_SANDBOX` and then PATH are for installations that have none. What
a PATH means by the current folder is never searched: an agent may have written there.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ._errors import LauncherNotFound

_NAME = "iron-sandbox"


def find() -> Path:
    """The launcher, or `LauncherNotFound`."""
    if sys.platform != "linux":
        raise LauncherNotFound("the sandbox is made of Linux's own layers: there is none elsewhere")
    for candidate in _own():
        if _executable(candidate):
            return candidate
    named = os.environ.get("IRON_SANDBOX")
    if named:
        path = Path(named)
        if not path.is_absolute() or not _executable(path):
            raise LauncherNotFound(
                f"IRON_SANDBOX={named} is no program: give the launcher's absolute path"
            )
        return path
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder, _NAME)
        if path.is_absolute() and _executable(path):
            return path
    raise LauncherNotFound(
        f"there is no {_NAME} in this package, in IRON_SANDBOX or on PATH: install the package from a"
        " wheel, which brings it, or build it and name it in IRON_SANDBOX"
    )


def _own() -> Iterator[Path]:
    """Where installers put a package's programs."""
    try:
        files = metadata.files("iron-cage-sandbox") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == _NAME:
            yield Path(os.path.normpath(file.locate()))
    # Beside the interpreter, and for `pip install --target` beside the package.
    yield Path(sysconfig.get_path("scripts"), _NAME)
    yield Path(__file__).resolve().parent.parent / "bin" / _NAME


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
