"""Yield points: urgent jobs run between two operations of a forward pass, on the same thread.

A pass of a large model takes a good part of a second; an answer that a user waits for takes a hundredth.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator

_urgent: contextvars.ContextVar[Callable[[], None] | None] = contextvars.ContextVar("urgent", default=None)


@contextlib.contextmanager
def yield_to(others: Callable[[], None]) -> Iterator[None]:
    """Within this context, `others` is called at every `yield_point`.

    It may use the same canvas, and raise to end the pass.
    """
    token = _urgent.set(others)
    try:
        yield
    finally:
        _urgent.reset(token)


def yield_point() -> None:
    """Run urgent jobs, if a caller has given some."""
    others = _urgent.get()
    if others is not None:
        others()
