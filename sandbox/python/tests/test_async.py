"""Commands in an event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import marked, until

from iron_cage_sandbox import CommandFailed, Sandbox, SandboxTimeout


def test_many_at_once(sandbox: Sandbox) -> None:
    async def main() -> list[str]:
        runs = [sandbox.arun(["sh", "-c", f"echo {n}; sleep 0.2"]) for n in range(5)]
        return [done.stdout for done in await asyncio.gather(*runs)]

    assert asyncio.run(main()) == [f"{n}\n" for n in range(5)]


def test_cancelling_ends_the_sandbox(sandbox: Sandbox, workspace: Path, marker: str) -> None:
    async def main() -> None:
        run = asyncio.create_task(sandbox.arun(["sh", "-c", "echo > begun; sleep 600", marker]))
        while not (workspace / "begun").exists():
            await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(asyncio.wait_for(main(), 60))
    until(lambda: not marked(marker))


def test_errors_are_those_of_run(sandbox: Sandbox) -> None:
    with pytest.raises(CommandFailed):
        asyncio.run(sandbox.arun(["false"], check=True))
    with pytest.raises(SandboxTimeout):
        asyncio.run(sandbox.arun(["sleep", "600"], timeout=0.3))
    done = asyncio.run(sandbox.arun(["cat"], input=b"\xff", text=False))
    assert done.stdout == b"\xff"
