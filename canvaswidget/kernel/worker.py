"""One thread that does the work of a page: most urgent first, newest of a view only, never in the way.

The page's views ask for things that cost from a millisecond to several seconds. A `Worker` runs them one at a
time, since one thread should own torch, and still keeps the urgent ones prompt: long work calls its
`Checkpoint` between chunks, and the checkpoint

- raises `Cancelled` when nobody wants the answer any more,
- runs more urgent jobs that have come in meanwhile, there and then; a job in the background also lets them rest,
  and goes on when none has come for a while; they are let in between two operations of a model too,
- says how far the work has come, ten times a second at most.

Every job ends exactly once, with a result or an exception, whatever happens.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from canvaswidget.tracing.capture.yield_point import yield_to

log = logging.getLogger(__name__)

PROGRESS_PERIOD = 0.1
RESTS = 4  # times as long as a step of a job in the background takes, it waits for others to come


class Cancelled(Exception):
    """The answer is not wanted any more."""


class Job:
    """A piece of work.

    Parameters
    ----------
    work : callable
        ``work(checkpoint)`` does it; see `Checkpoint`.
    done : callable
        ``done(result, error, seconds)`` is called once, on the worker's thread or on the one that made the
        job superfluous. `error` is None, a `Cancelled` or what `work` raised; `seconds` leaves out the more
        urgent jobs that ran in between.
    priority : int
        Smaller is more urgent.
    view, key : optional
        A newer job of a `view` replaces the older one; `key` is for `Worker.cancel`.
    progress : callable, optional
        ``progress(done, total)``.
    quiet : float
        Seconds without any other job before this one goes on; where it takes long between two checkpoints, and would so
        keep others waiting, several times that.
    """

    def __init__(
        self,
        work: Callable[[Checkpoint], Any],
        done: Callable[[Any, BaseException | None, float], None],
        *,
        priority: int = 0,
        view: str | None = None,
        key: object = None,
        progress: Callable[[int, int], None] | None = None,
        quiet: float = 0.0,
    ) -> None:
        self.work: Callable[[Checkpoint], Any] | None = work
        self.done: Callable[[Any, BaseException | None, float], None] | None = done
        self.priority = priority
        self.view = view
        self.key = key
        self.progress = progress
        self.quiet = quiet
        self.unwanted = False
        self.interrupted = 0.0
        self.resumed = self.longest = 0.0
        self.reported = 0.0

    def finish(self, result: Any, error: BaseException | None, seconds: float = 0.0) -> None:
        """Call `done`, the first time; then forget everything that the job refers to."""
        done, self.done, self.work, self.progress = self.done, None, None, None
        if done is None:
            return
        try:
            done(result, error, seconds)
        except Exception:
            log.exception("an answer could not be delivered")


class Checkpoint:
    """What long work calls between chunks, as ``checkpoint(done, total)``; it may raise `Cancelled`."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker = worker
        self._job = job

    def __call__(self, done: int = 0, total: int = 0) -> None:
        """`total` is 0 where progress can't be told."""
        self._worker.checkpoint(self._job, done, total)


class Worker:
    """A queue of jobs and the one thread that does them; the thread starts with the first job.

    Parameters
    ----------
    clock : callable, optional
        Seconds, for what is reported; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        # A re-entrant lock: the garbage collector may close a worker from inside of any of its own methods.
        self._changed = threading.Condition(threading.RLock())
        self._waiting: list[Job] = []
        self._running: list[Job] = []  # the innermost last
        self._closed = False
        self._ended = float("-inf")  # when the last job did that was not in the background
        self._thread: threading.Thread | None = None
        self._clock = clock

    # --- from any thread ------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller is the worker's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, job: Job) -> None:
        """Queue a job; those of the same view that still wait, or run, are not wanted any more."""
        with self._changed:
            if self._closed:
                dropped = [job]
            else:
                dropped = self._drop(lambda old: job.view is not None and old.view == job.view)
                self._waiting.append(job)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._loop, name="canvaswidget", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
        _finish_unwanted(dropped)

    def cancel(self, key: object = None) -> None:
        """Drop the jobs of that key; without one, all jobs."""
        with self._changed:
            dropped = self._drop(lambda job: key is None or job.key == key)
            self._changed.notify_all()  # one may be waiting for quiet
        _finish_unwanted(dropped)

    def close(self) -> None:
        """Drop everything, and wait for the thread to end, unless that is the caller."""
        with self._changed:
            self._closed = True
            dropped = self._drop(lambda job: True)
            thread = self._thread
            self._changed.notify_all()
        _finish_unwanted(dropped)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _drop(self, is_meant: Callable[[Job], bool]) -> list[Job]:
        """Mark running jobs; take waiting ones from the queue, for the caller to finish without the lock."""
        for job in self._running:
            if is_meant(job):
                job.unwanted = True
        dropped = [job for job in self._waiting if is_meant(job)]
        self._waiting = [job for job in self._waiting if not is_meant(job)]
        return dropped

    # --- on the worker's thread -----------------------------------------------------------------------------

    def checkpoint(self, job: Job, done: int, total: int) -> None:
        """See `Checkpoint`."""
        _raise_if_unwanted(job)
        started = self._clock()
        job.longest = max(job.longest, started - job.resumed)
        while (urgent := self._take(below=job.priority)) is not None or self._wait_for_more(job):
            if urgent is not None:
                self._run(urgent)
            _raise_if_unwanted(job)
        now = job.resumed = self._clock()
        job.interrupted += now - started
        if job.progress is not None and total > 0 and now - job.reported >= PROGRESS_PERIOD:
            job.reported = now
            try:
                job.progress(int(done), int(total))
            except Exception:
                log.exception("progress could not be delivered")

    def let_in(self, job: Job) -> None:
        """A checkpoint within a step: no progress is told, and nobody rests."""
        _raise_if_unwanted(job)
        started = self._clock()
        while (urgent := self._take(below=job.priority)) is not None:
            self._run(urgent)
            taken = self._clock() - started
            job.interrupted += taken
            job.resumed += taken  # the step was not longer for it
            started += taken
            _raise_if_unwanted(job)

    def _wait_for_more(self, job: Job) -> bool:
        """Let the rest pass that a job in the background leaves to others; False where it is over."""
        with self._changed:
            quiet = max(job.quiet, RESTS * job.longest) if job.quiet else 0.0
            left = quiet - (self._clock() - self._ended)
            if left <= 0:
                return False

            def more() -> bool:
                return job.unwanted or any(other.priority < job.priority for other in self._waiting)

            self._changed.wait_for(more, left)
            return True

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
            job = self._take()
            if job is not None:
                self._run(job)
            del job  # or an idle worker would keep alive what its last job refers to

    def _take(self, below: int | None = None) -> Job | None:
        """The most urgent waiting job, the oldest of its kind, now counted as running."""
        with self._changed:
            if self._closed or not self._waiting:
                return None
            job = min(self._waiting, key=lambda waiting: waiting.priority)
            if below is not None and job.priority >= below:
                return None
            self._waiting.remove(job)
            self._running.append(job)
            return job

    def _run(self, job: Job) -> None:
        started = job.reported = job.resumed = self._clock()
        result, error = None, None
        try:
            assert job.work is not None
            with yield_to(lambda: self.let_in(job)):
                result = job.work(Checkpoint(self, job))
        except BaseException as raised:  # also SystemExit: the thread must live, and the page must hear
            error = raised
        with self._changed:
            self._running.remove(job)
            if not job.quiet:
                self._ended = self._clock()
        job.finish(result, error, self._clock() - started - job.interrupted)
        error = None  # it refers to this frame, which refers to it


def _raise_if_unwanted(job: Job) -> None:
    if job.unwanted:
        raise Cancelled


def _finish_unwanted(jobs: list[Job]) -> None:
    for job in jobs:
        job.finish(None, Cancelled())
