"""Progress: steps done of steps planned, as a bar on the screen or by calls of the user's function.

Public functions take `Progress`: True for a bar, False for none, or a function that is called with what is done and
what is planned, and may raise to stop. What computes calls a `Report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from tqdm.auto import tqdm

Report = Callable[[int, int], None]
Progress = bool | Report
Part = TypeVar("Part", bound=Sized)
Result = TypeVar("Result")
AFTER = 2.0  # seconds until a bar appears


class Steps:
    """Counts steps done and planned, and reports both; an error of the user's function ends the work."""

    def __init__(self, progress: Progress, bar: tqdm, planned: int = 0) -> None:
        self.done, self.planned = 0, planned
        self._in_parts = 0  # how many of the steps were given to parts
        self._report = progress if callable(progress) else None
        self._bar = bar

    def plan(self, count: int) -> None:
        """Add steps to be done."""
        self.report(self.done, self.planned + count)

    def take(self, count: int = 1) -> None:
        """Count steps as done."""
        self.report(self.done + count, self.planned)

    def report(self, done: int, planned: int) -> None:
        """Say how many steps are done and planned now."""
        self._bar.total = planned
        self._bar.update(done - self.done)  # of 0 steps too: tqdm shows a delayed bar at an update only
        self.done, self.planned = done, planned
        if self._report is not None:
            self._report(done, planned)

    def tell(self) -> None:
        """Report again, within a long step."""
        self.report(self.done, self.planned)

    def within(self, report: Callable[..., None]) -> Callable[..., None]:
        """Wrap `report`, a progress function called within a step, so that each call reports the steps too."""

        def both(done: int = 0, total: int = 0) -> None:
            report(done, total)
            self.tell()

        return both

    def part(self, size: int, times: int = 1) -> Report:
        """The report of a part of the work: the next ``size * times`` of the steps that are planned.

        The part may start again, up to `times`; what it does more often is not counted.
        """
        start = max(self._in_parts, self.done)
        self._in_parts = start + size * times
        completed = last = 0

        def report(done: int, total: int) -> None:
            nonlocal completed, last
            if done < last:
                completed += size
            last = done
            reached = min(completed + done * size // max(total, 1), size * times)
            self.report(max(self.done, start + reached), self.planned)

        return report


@contextmanager
def steps(title: str, unit: str, progress: Progress, planned: int = 0) -> Iterator[Steps]:
    """A bar, calls of ``progress(done, planned)``, or neither."""
    with tqdm(total=planned, desc=title, unit=unit, delay=AFTER, disable=progress is not True) as bar:
        yield Steps(progress, bar, planned)


def reported(
    results: Iterable[tuple[Part, Result]], total: int, progress: Progress, title: str
) -> Iterator[tuple[Part, Result]]:
    """The results and what neurons they are of, counted as they are taken."""
    with steps(title, "neuron", progress, total) as counted:
        counted.tell()
        for part, result in results:
            yield part, result
            counted.take(len(part))
