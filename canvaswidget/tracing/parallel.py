"""Compute chunks side by side, each on one core.

A chunk is small enough to stay in a core's cache, so splitting every op of it over all cores (torch's default) spends
its time waiting at barriers, ruinously so when something else keeps a core busy. Whole chunks in parallel need none.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Part], Result], parts: Iterable[Part], device: torch.device
) -> Iterator[Result]:
    """``map(function, parts)``, a few parts ahead of the consumer; leaving the iteration drops the rest.

    A part that is under way then ends at its next `stop_if_dropped`.
    """
    if device.type != "cpu":
        yield from map(function, parts)
        return
    pool, width = _pool(torch.get_num_threads())
    waiting: collections.deque[Future[Result]] = collections.deque()
    dropped = threading.Event()

    def compute(part: Part) -> Result:
        _thread.dropped = dropped
        try:
            return function(part)
        finally:
            _thread.dropped = None

    try:
        for part in parts:
            waiting.append(pool.submit(compute, part))
            if len(waiting) > width:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        dropped.set()
        for future in waiting:
            future.cancel()


class DroppedError(Exception):
    """Nobody waits any more for the part that this thread computes."""


def stop_if_dropped() -> None:
    """Raise where this thread computes a part of an iteration that has been left."""
    dropped: threading.Event | None = getattr(_thread, "dropped", None)
    if dropped is not None and dropped.is_set():
        raise DroppedError


_thread = threading.local()


def alone(function: Callable[[], Result], device: torch.device) -> Result:
    """``function()``, computed like a part of `in_order`."""
    return next(in_order(lambda _: function(), (None,), device))


def batched(function: Callable[[Part], Result], values: Part) -> Result:
    """`function` of each of `values`, a tensor or a tree of them; ops that torch can't batch run one by one."""
    with _without_fallback_warnings():
        return torch.func.vmap(function)(values)


@contextlib.contextmanager
def _without_fallback_warnings() -> Iterator[None]:
    """Turn off torch's warning about ops that it can't batch, for as long as any thread needs that."""
    # A flag of the whole process, as are the filters of `warnings`, which others may set and reset meanwhile.
    global _batching
    with _flag:
        _batching += 1
        _functorch._set_vmap_fallback_warning_enabled(False)
    try:
        yield
    finally:
        with _flag:
            _batching -= 1
            _functorch._set_vmap_fallback_warning_enabled(_batching == 0)


_flag, _batching = threading.Lock(), 0
_functorch: Any = cast(Any, torch)._C._functorch


def _pool(width: int) -> tuple[ThreadPoolExecutor, int]:
    """The threads that chunks are computed on, made once for a number of cores."""
    with _making:
        return _made(width)


_making = threading.Lock()


@functools.cache
def _made(width: int) -> tuple[ThreadPoolExecutor, int]:
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
