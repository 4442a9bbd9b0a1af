"""Where one pass of a model lets others in: between two operations, on the same thread.

A pass of a large model takes a good part of a second, and what somebody waits for takes a hundredth.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator

_let_in: contextvars.ContextVar[Callable[[], None] | None] = contextvars.ContextVar("let_in", default=None)


@contextlib.contextmanager
def letting_in(others: Callable[[], None]) -> Iterator[None]:
    """Within this context, `others` is called at every `pause`.

    It may use the same canvas, and raise to end the pass.
    """
    token = _let_in.set(others)
    try:
        yield
    finally:
        _let_in.reset(token)


def pause() -> None:
    """Let others in, where somebody has asked for that."""
    others = _let_in.get()
    if others is not None:
        others()
