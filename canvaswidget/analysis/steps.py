"""Progress of work whose length is only found on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from canvaswidget.tracing.progress import AFTER, Progress


class Steps:
    """Counts steps done and planned, and reports both; an error of the caller's function ends the work."""

    def __init__(self, progress: Progress, bar: tqdm) -> None:
        self.done = self.planned = 0
        self._told = progress if callable(progress) else None
        self._bar = bar

    def plan(self, count: int) -> None:
        """Add steps to be done."""
        self.planned += count
        self._bar.total = self.planned
        self.tell()

    def take(self, count: int = 1) -> None:
        """Count steps as done."""
        self.done += count
        self._bar.update(count)
        self.tell()

    def tell(self) -> None:
        """Report again, within a long step."""
        self._bar.update(0)  # tqdm shows a delayed bar at an update only
        if self._told is not None:
            self._told(self.done, self.planned)

    def within(self, report: Callable[..., None]) -> Callable[..., None]:
        """Wrap `report`, a progress function called within a step, so that each call reports the steps too."""

        def told(done: int = 0, total: int = 0) -> None:
            report(done, total)
            self.tell()

        return told


@contextmanager
def steps(title: str, unit: str, progress: Progress) -> Iterator[Steps]:
    """A progress bar, calls of ``progress(done, planned)``, or neither."""
    with tqdm(total=0, desc=title, unit=unit, delay=AFTER, disable=progress is not True) as bar:
        yield Steps(progress, bar)
