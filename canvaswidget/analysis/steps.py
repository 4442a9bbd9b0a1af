"""Progress of work whose length is only found on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from canvaswidget.tracing.progress import AFTER, Progress


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
        self._bar.update(0)  # shows a bar whose delay is over
        if self._told is not None:
            self._told(self.done, self.planned)

    def within(self, report: Callable[..., None]) -> Callable[..., None]:
        """A function to call within a step: it calls `report`, and tells that work goes on."""

        def told(done: int = 0, total: int = 0) -> None:
            report(done, total)
            self.tell()

        return told


@contextmanager
def steps(title: str, unit: str, progress: Progress) -> Iterator[Steps]:
    """A progress bar, calls of ``progress(done, planned)``, or neither."""
    with tqdm(total=0, desc=title, unit=unit, delay=AFTER, disable=progress is not True) as bar:
        yield Steps(progress, bar)
