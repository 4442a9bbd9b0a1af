"""Send at once what a host would hold back."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

_flushes: set[asyncio.Task[None]] = set()  # a loop keeps no task alive by itself


def send_now(comm: Any) -> None:
    """Have the host of a comm deliver what has been sent over it; call it on the host's loop.

    shinywidgets keeps messages until Shiny's next reactive flush. A message from the page causes one, an answer that
    took a while does not, and would lie there until the user does something else. Other hosts deliver by themselves.
    """
    if type(comm).__module__.partition(".")[0] != "shinywidgets":
        return
    task = asyncio.get_running_loop().create_task(_flush(importlib.import_module("shiny.reactive")))
    _flushes.add(task)
    task.add_done_callback(_flushes.discard)


async def _flush(reactive: Any) -> None:
    async with reactive.lock():
        await reactive.flush()
