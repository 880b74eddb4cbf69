"""What the tests share."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from iron_cage_sandbox import Sandbox


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(params=["namespace", "fallback"])
def sandbox(request: pytest.FixtureRequest, workspace: Path) -> Sandbox:
    return Sandbox(workspace, network="none", tier=request.param)


@pytest.fixture
def marker() -> str:
    return f"marker-{uuid.uuid4()}"


def marked(marker: str) -> list[int]:
    """The processes whose command line holds a marker."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
        except OSError:
            continue
        if marker.encode() in line:
            found.append(int(name))
    return found


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
