"""Give back the memory of a job: a worker does thousands."""

from __future__ import annotations

import contextlib
import gc
import itertools
import linecache
from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch.fx import graph_module

ALL = 16  # after so many jobs all objects are looked through
SOURCES = "<eval_with_key>"  # how the names of sources of torch.fx begin
_jobs = itertools.count(1)


@contextlib.contextmanager
def memory_released() -> Iterator[None]:
    """Afterwards nothing is left of what was made meanwhile and is not referred to."""
    # Recordings are cycles of references, which Python would leave for long. Looking through all objects of a process
    # takes a tenth of a second, so those that are there already are left out. But torch lets go of its last graph (it
    # holds no weights) only when it makes the next.
    frozen = next(_jobs) % ALL != 0 and gc.get_freeze_count() == 0
    if frozen:
        gc.freeze()
    try:
        with _sources_released():
            yield
    finally:
        gc.collect()
        if frozen:
            gc.unfreeze()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextlib.contextmanager
def _sources_released() -> Iterator[None]:
    """Forget the source of every graph that torch.fx compiles meanwhile, which it keeps for tracebacks."""
    kept = set(_compiled())
    try:
        yield
    finally:
        compiled = _compiled()
        for name in [name for name in compiled if name not in kept]:
            compiled.pop(name, None)
        for name in [name for name in linecache.cache if name.startswith(SOURCES) and name not in kept]:
            linecache.cache.pop(name, None)


def _compiled() -> MutableMapping[str, Any]:
    return getattr(getattr(graph_module, "_loader", None), "eval_cache", {})
