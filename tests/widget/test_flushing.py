"""What a host would hold back is sent at once."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest

from canvaswidget.widget.flushing import send_now


class Reactive(ModuleType):
    """`shiny.reactive`, as far as it is used: a flush needs the lock."""

    def __init__(self) -> None:
        super().__init__("shiny.reactive")
        self._lock = asyncio.Lock()
        self.flushed = 0

    def lock(self) -> asyncio.Lock:
        return self._lock

    async def flush(self) -> None:
        assert self._lock.locked()
        self.flushed += 1


def comm_of(module: str) -> Any:
    return type("Comm", (), {"__module__": module})()


@pytest.fixture
def reactive(monkeypatch: pytest.MonkeyPatch) -> Reactive:
    fake = Reactive()
    monkeypatch.setitem(sys.modules, "shiny", ModuleType("shiny"))
    monkeypatch.setitem(sys.modules, "shiny.reactive", fake)
    return fake


@pytest.mark.parametrize(
    ("module", "flushes"),
    [("shinywidgets._comm", 1), ("ipykernel.comm.comm", 0), ("shinywidgets_of_others", 0), ("comm", 0)],
)
def test_only_shiny_is_flushed(reactive: Reactive, module: str, flushes: int) -> None:
    async def answer() -> None:
        send_now(comm_of(module))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(answer())
    assert reactive.flushed == flushes


def test_a_flush_waits_for_one_that_runs(reactive: Reactive) -> None:
    async def answer() -> None:
        async with reactive.lock():
            send_now(comm_of("shinywidgets._comm"))
            for _ in range(5):
                await asyncio.sleep(0)
            assert reactive.flushed == 0
        for _ in range(5):
            await asyncio.sleep(0)
        assert reactive.flushed == 1

    asyncio.run(answer())
