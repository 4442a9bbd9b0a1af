"""Tell how far a pass over a layer's neurons has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from tqdm.auto import tqdm

Progress = bool | Callable[[int, int], None]
Reduced = TypeVar("Reduced")
AFTER = 2.0  # seconds until a bar appears


def reported(
    results: Iterable[tuple[torch.Tensor, Reduced]], total: int, progress: Progress, title: str
) -> Iterator[tuple[torch.Tensor, Reduced]]:
    """The results and what neurons they are of, with a progress bar or calls of ``progress(done, total)``."""
    done = 0
    with tqdm(total=total, desc=title, unit="neuron", delay=AFTER, disable=progress is not True) as bar:
        if callable(progress):
            progress(0, total)
        for part, result in results:
            yield part, result
            done += len(part)
            bar.update(len(part))
            if callable(progress):
                progress(done, total)


@contextmanager
def shown_late(progress: Progress, title: str) -> Iterator[Callable[[int, int], None]]:
    """A function ``report(done, total)`` that moves a bar, which appears after 2 s, or calls `progress`."""
    with tqdm(desc=title, delay=AFTER, disable=progress is not True) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)
            if callable(progress):
                progress(done, total)

        yield report
