"""Tell how far a pass over a layer's neurons has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from tqdm.auto import tqdm

Progress = bool | Callable[[int, int], None]
Reduced = TypeVar("Reduced")


def reported(
    results: Iterable[tuple[torch.Tensor, Reduced]], total: int, progress: Progress, title: str
) -> Iterator[tuple[torch.Tensor, Reduced]]:
    """The results and what neurons they are of, with a progress bar or calls of ``progress(done, total)``."""
    done = 0
    with tqdm(total=total, desc=title, unit="neuron", disable=progress is not True) as bar:
        if callable(progress):
            progress(0, total)
        for part, result in results:
            yield part, result
            done += len(part)
            bar.update(len(part))
            if callable(progress):
                progress(done, total)
