"""Compute chunks side by side, each on one core.

A chunk is small enough to stay in a core's cache, so splitting every op of it over all cores (torch's default) spends
its time waiting at barriers, ruinously so when something else keeps a core busy. Whole chunks in parallel need none.
"""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Part], Result], parts: Iterable[Part], device: torch.device
) -> Iterator[Result]:
    """``map(function, parts)``, a few parts ahead of the consumer; leaving the iteration drops the rest."""
    if device.type != "cpu":
        yield from map(function, parts)
        return
    pool, width = _pool(torch.get_num_threads())
    waiting: collections.deque[Future[Result]] = collections.deque()
    try:
        for part in parts:
            waiting.append(pool.submit(function, part))
            if len(waiting) > width:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def alone(function: Callable[[], Result], device: torch.device) -> Result:
    """``function()``, computed like a part of `in_order`."""
    return next(in_order(lambda _: function(), (None,), device))


@functools.cache
def _pool(width: int) -> tuple[ThreadPoolExecutor, int]:
    default = torch.get_num_threads()
    started = threading.Barrier(width + 1)

    def settle() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(width, "canvaswidget", initializer=settle)
    for _ in range(width):
        pool.submit(lambda: None)
    started.wait()
    # The setting is each thread's own, but the last one made is also what new threads start with: put that back.
    torch.set_num_threads(default)
    return pool, width
