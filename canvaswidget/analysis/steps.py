"""Progress of work whose length is only found on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from canvaswidget.tracing.canvas import Progress
from canvaswidget.tracing.progress import AFTER


class Steps:
    """Counts steps done and steps planned, and tells them; what the caller's function raises ends the work."""

    def __init__(self, progress: Progress, bar: tqdm) -> None:
        self.done = self.planned = 0
        self._told = progress if callable(progress) else None
        self._bar = bar

    def plan(self, count: int) -> None:
        """So many steps more."""
        self.planned += count
        self._bar.total = self.planned
        self.tell()

    def take(self, count: int = 1) -> None:
        """So many of them are done."""
        self.done += count
        self._bar.update(count)
        self.tell()

    def tell(self) -> None:
        """That it goes on, where a step takes its time."""
        if self._told is not None:
            self._told(self.done, self.planned)


@contextmanager
def steps(title: str, unit: str, progress: Progress) -> Iterator[Steps]:
    """A progress bar, calls of ``progress(done, planned)``, or neither."""
    with tqdm(total=0, desc=title, unit=unit, delay=AFTER, disable=progress is not True) as bar:
        yield Steps(progress, bar)
