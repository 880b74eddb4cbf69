"""The package itself: its names, and where it looks for the launcher."""

from __future__ import annotations

import os
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

import iron_cage_sandbox
from iron_cage_sandbox import LauncherNotFound, _launcher


def test_public_names_are_sorted_and_there() -> None:
    assert iron_cage_sandbox.__all__ == sorted(iron_cage_sandbox.__all__)
    assert all(hasattr(iron_cage_sandbox, name) for name in iron_cage_sandbox.__all__)


def test_the_wheel_is_typed_and_brings_the_launcher() -> None:
    files = {Path(str(file)).name for file in metadata.files("iron-cage-sandbox") or []}
    assert {"py.typed", "_launch.pyi", "iron-sandbox"} <= files
    assert _launcher.find() == Path(sysconfig.get_path("scripts"), "iron-sandbox")


def test_its_own_launcher_goes_before_all_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "iron-sandbox"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    own = _launcher.find()
    monkeypatch.setenv("IRON_SANDBOX", str(other))
    monkeypatch.setenv("PATH", f".:{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    assert _launcher.find() == own
    monkeypatch.setattr(_launcher, "_own", lambda: iter(()))
    assert _launcher.find() == other
    monkeypatch.setenv("IRON_SANDBOX", "iron-sandbox")
    with pytest.raises(LauncherNotFound, match="absolute path"):
        _launcher.find()
    monkeypatch.delenv("IRON_SANDBOX")
    assert _launcher.find() == other
    # Neither the current folder nor what a relative PATH finds in it.
    monkeypatch.setenv("PATH", ".::")
    with pytest.raises(LauncherNotFound, match="IRON_SANDBOX"):
        _launcher.find()
