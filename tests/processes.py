"""Functions that run in a process of their own and may be killed there.

The processes are forked from one that has imported torch and the package, which takes longer than what they do.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from canvaswidget.surveys.engines import PRELOADED

if TYPE_CHECKING:  # Windows has neither
    from multiprocessing.context import ForkServerContext, ForkServerProcess


def context() -> ForkServerContext:
    """What starts the processes, and makes what they share with this one."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(
        [*PRELOADED, "canvaswidget.reporting.report", "scipy.signal", "sklearn.cluster"]
    )
    return found


def started(function: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
    """A process that runs a function of a module."""
    process = context().Process(target=function, args=arguments)
    process.start()
    return process


def exit_code(function: Callable[..., Any], *arguments: Any) -> int | None:
    """How a function's process ended: 0, or the number of the signal that killed it, negative."""
    process = started(function, *arguments)
    process.join()
    return process.exitcode
