"""Submit the tasks of a survey to its engine, and take their rows; submit those again whose worker died."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import queue
import time
from typing import Any

from canvaswidget.error_text import one_line
from canvaswidget.progress import Steps
from canvaswidget.surveys.engines import Engine, is_broken, is_of_a_queue, when_done
from canvaswidget.surveys.job import place_name
from canvaswidget.surveys.performing import CAUSES, Task, failed_row
from canvaswidget.surveys.places import Place
from canvaswidget.surveys.store import FAILED, Row, forget_starts, put_group, was_started, write_index

ASKED = 0.2  # seconds between two looks at futures that don't call back
TOLD = 1.0  # seconds between two reports of progress, where there is none
NEVER_STARTED = 10  # how often a task is submitted that no worker begins
INDEXED = 10.0  # seconds between two copies of the rows, at least
WRITING = 0.05  # part of the time that copies may take


class Dispatch:
    """The tasks of a survey on their way: waiting, submitted, done."""

    def __init__(
        self,
        engine: Engine,
        place: Place,
        tasks: list[Task],
        rows: dict[str, Row],
        attempts: int,
        counted: Steps,
    ) -> None:
        self._engine, self._place, self._rows, self._counted = engine, place, rows, counted
        self._attempts = attempts
        self._waiting = collections.deque(tasks)
        # Tasks that ran when a worker died: one by one, so that it is known whose fault it was.
        self._suspect: collections.deque[Task] = collections.deque()
        self._running: dict[Any, Task] = {}
        self._deaths: collections.Counter[str] = collections.Counter()
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._silent: dict[Any, None] = {}  # futures, in order, that don't say when they are done
        self._told = time.monotonic()
        self._next_copy = self._told + INDEXED

    def finish(self) -> None:
        """Do all; what is raised meanwhile cancels what has not started."""
        try:
            while self._waiting or self._suspect or self._running:
                self._submit()
                self._take()
        except BaseException:
            for future in self._running:
                future.cancel()
            raise

    def _submit(self) -> None:
        limit = self._engine.at_once
        while self._waiting and (limit is None or len(self._running) < limit):
            if not self._start(self._waiting):
                return
        if self._suspect and not self._waiting and not self._running:
            self._start(self._suspect)

    def _start(self, tasks: collections.deque[Task]) -> bool:
        """Submit the first of these tasks; False where the pool of processes turned out to be broken."""
        try:
            future = self._engine.submit(tasks[0])
        except Exception as error:
            if not is_broken(error):
                raise
            self._lose_all()
            return False
        self._running[future] = tasks.popleft()
        if not when_done(future, lambda _: self._ended.put(future)):
            self._silent[future] = None
        return True

    def _take(self) -> None:
        """Wait for a task to end, and take its row."""
        done = [future for future in self._silent if future.done()]
        if not done:
            try:
                done = [self._ended.get(timeout=ASKED)]
            except queue.Empty:
                if time.monotonic() - self._told > TOLD:
                    self._counted.tell()  # a callback may raise to stop the survey
                    self._told = time.monotonic()
                return
        for future in done:
            self._silent.pop(future, None)
            if future in self._running:  # not one of a pool that broke
                self._end(future)

    def _end(self, future: Any) -> None:
        try:
            row = future.result()
        except concurrent.futures.CancelledError as error:
            raise RuntimeError(
                f"engine: it cancelled jobs ({one_line(error, whole=True)}). What is done is kept: call "
                "canvaswidget.survey again for the others"
            ) from None
        except Exception as error:
            if is_broken(error):
                self._lose_all()
            else:
                self._lose(self._running.pop(future), error)
        else:
            self._keep(self._running.pop(future), row)

    def _lose_all(self) -> None:
        """A pool of processes broke: all tasks that ran ended, whichever killed its process."""
        lost: list[tuple[Task, Exception]] = []
        for future, task in self._running.items():
            try:
                row = future.result()
            except Exception as error:
                lost.append((task, error))
            else:
                self._keep(task, row)
        self._running.clear()
        for task, error in lost:
            if len(lost) == 1:
                self._lose(task, error)
            else:
                forget_starts(self._place, [place_name(task.job["name"])])
                self._suspect.append(task)
        self._engine.renew()

    def _lose(self, task: Task, error: Exception) -> None:
        """A worker died, or never got the task."""
        name = task.job["name"]
        place = place_name(name)
        self._deaths[name] += 1
        limit = self._attempts
        if is_of_a_queue(error) and not was_started(self._place, place):
            limit = max(limit, NEVER_STARTED)
        if self._deaths[name] < limit:
            (self._suspect if is_broken(error) else self._waiting).append(task)
            return
        said = one_line(error, whole=True)
        row = failed_row(task, f"its worker died {self._deaths[name]} times ({said}): {CAUSES}")
        with contextlib.suppress(OSError), self._place.staging() as staged:
            row = put_group(self._place, place, row, staged)
        self._keep(task, row)

    def _keep(self, task: Task, row: Row) -> None:
        place = place_name(task.job["name"])
        self._rows[place] = row
        if row["status"] == FAILED:
            forget_starts(self._place, [place])
        self._counted.take()
        if time.monotonic() > self._next_copy:
            start = time.monotonic()
            copy_rows(self._place, self._rows)
            end = time.monotonic()
            self._next_copy = end + max(INDEXED, (end - start) / WRITING)


def copy_rows(place: Place, rows: dict[str, Row]) -> None:
    """Write the index; where the disk is full, opening the store reads the groups themselves."""
    with contextlib.suppress(OSError):
        write_index(place, rows)
