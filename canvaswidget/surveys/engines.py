"""Who does the jobs of a survey: processes of this machine, a Dask cluster, or any executor.

Each takes a task and returns a future. What a future raises is a death of its worker or of
its way there, since `perform` raises nothing.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

import torch

from canvaswidget.arguments.kinds import wrong_type, wrong_value
from canvaswidget.surveys.performing import Task, perform

# Not the user's script: what it does with torch or a GPU as it is imported must not be done before a fork.
PRELOADED = [
    "canvaswidget.surveys.performing",
    "canvaswidget.tracing",
    "torch._dynamo",
    "torch.export._trace",
]
GUARD = (
    "the worker processes could not start. A script has to call canvaswidget.survey under "
    "`if __name__ == '__main__':`, since each process imports the script"
)


class Future(Protocol):
    """A submitted task: the methods that futures of `concurrent.futures`, Dask and submitit share."""

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        ...

    def result(self) -> Any:
        """The row, once done."""
        ...

    def cancel(self) -> Any:
        """Do not start it."""
        ...


class Engine(Protocol):
    """Where tasks go.

    Attributes
    ----------
    at_once : int or None
        How many tasks are submitted before one is done; None for all.
    threads : int or None
        Threads of torch for a task; None for what the engine has set.
    """

    at_once: int | None
    threads: int | None

    def submit(self, task: Task) -> Future:
        """Have a task done."""
        ...

    def renew(self) -> None:
        """Go on after workers died."""
        ...


@contextlib.contextmanager
def engine_of(engine: Any, workers: int | None, n_jobs: int) -> Iterator[Engine]:
    """The engine for what the user gave; it is closed afterwards, if it was opened here."""
    if engine is None:
        found = Processes(workers, n_jobs)
        try:
            yield found
        except BaseException:
            found.kill()
            raise
        found.close()
        return
    if isinstance(engine, str):
        if ":" not in engine:
            raise wrong_value(
                "engine", engine, "the address of a dask scheduler, such as 'tcp://localhost:8786'"
            )
        client = _distributed().Client(engine)
        try:
            yield Cluster(client, workers)
        finally:
            client.close()
        return
    if type(engine).__module__.startswith("distributed"):
        if not isinstance(engine, _distributed().Client):
            raise wrong_type(
                "engine", engine, "a dask.distributed.Client; of a cluster it is Client(cluster)"
            )
        yield Cluster(engine, workers)
        return
    if not callable(getattr(engine, "submit", None)):
        raise wrong_type(
            "engine",
            engine,
            "None, a dask.distributed.Client, its address, or an executor with submit(function, task)",
        )
    yield Given(engine, workers)


# --- processes of this machine --------------------------------------------------------------------------------


class Processes:
    """Processes of this machine, one a GPU or a group of cores.

    They are not forked from this process, in which torch would deadlock. On Linux they are forked from a server process
    that has only imported what jobs need, so that a worker, and the replacement of a dead one, starts at once.
    """

    def __init__(self, workers: int | None, n_jobs: int) -> None:
        devices, (count, threads) = gpus(), self.shares(workers, n_jobs)
        self.at_once: int | None = count
        self.threads: int | None = threads
        self._devices = [devices[number % len(devices)] for number in range(count)] if devices else []
        self._context = _context()
        self._started = self._context.Event()
        self._pool = self._new()

    @staticmethod
    def shares(workers: int | None, n_jobs: int) -> tuple[int, int]:
        """How many processes there are, and the threads of torch of each."""
        cores = _n_cores()
        count = max(1, min(workers or len(gpus()) or cores, n_jobs))
        return count, max(1, cores // count)

    def submit(self, task: Task) -> Future:
        return self._pool.submit(perform, task)

    def renew(self) -> None:
        if not self._started.is_set():
            raise RuntimeError(GUARD)
        self.kill()
        self._pool = self._new()

    def close(self) -> None:
        """End the processes, which have nothing to do."""
        self._pool.shutdown()

    def kill(self) -> None:
        """End the processes, those that work too."""
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()

    def _new(self) -> concurrent.futures.ProcessPoolExecutor:
        devices = self._context.SimpleQueue()
        for number in self._devices:
            devices.put(number)
        return concurrent.futures.ProcessPoolExecutor(
            self.at_once, self._context, _start_worker, (self._started, devices, bool(self._devices))
        )


def _context() -> Any:
    """Elsewhere a process that was forked may not use the system's own libraries."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _start_worker(started: Any, devices: Any, has_devices: bool) -> None:
    # Ctrl-C reaches all processes of a terminal; the survey itself ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_survey, daemon=True).start()
    if has_devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices.get()
    started.set()


def _end_with_the_survey() -> None:
    """A worker whose survey was killed would wait for its next task for ever."""
    survey = multiprocessing.parent_process()
    if survey is not None:
        survey.join()
        os._exit(1)


def _n_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` calls them."""
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return list(map(str, range(count))) if visible is None else visible.split(",")[:count]


# --- a cluster, or what the user has --------------------------------------------------------------------------


class Cluster:
    """A Dask cluster; its tasks are named after their jobs."""

    threads: int | None = None  # Dask sets them for its workers

    def __init__(self, client: Any, at_once: int | None) -> None:
        self._client, self.at_once = client, at_once
        # All tasks are one group of Dask's: it holds back those of a large group until a worker has time, so that the
        # death of a worker touches few, and a worker that joins late finds work.
        self._group, self._count = f"survey-{secrets.token_hex(8)}", itertools.count()

    def submit(self, task: Task) -> Future:
        key = (self._group, task.job["name"], next(self._count))
        return self._client.submit(perform, task, key=key, pure=False)

    def renew(self) -> None:
        """The scheduler has new workers by itself."""


class Given:
    """An executor of the user's: of `concurrent.futures`, submitit, Ray, loky."""

    threads: int | None = None

    def __init__(self, executor: Any, at_once: int | None) -> None:
        self._executor, self.at_once = executor, at_once

    def submit(self, task: Task) -> Future:
        return self._executor.submit(perform, task)

    def renew(self) -> None:
        raise RuntimeError(
            "engine: the executor takes no more tasks since one of its workers died. Make a new one and call "
            "canvaswidget.survey again: what is done is kept"
        )


def is_broken(error: BaseException) -> bool:
    """Whether an executor takes no tasks any more."""
    return isinstance(error, BrokenProcessPool)


def is_of_a_queue(error: BaseException) -> bool:
    """Whether a task may be blamed that only waited: Dask counts deaths of all workers that a task was sent to."""
    return type(error).__name__ == "KilledWorker"


def when_done(future: Future, call: Callable[[Any], None]) -> bool:
    """Have a future call when it is done; False where it can't, and has to be asked."""
    add = getattr(future, "add_done_callback", None)
    if add is None:
        return False
    add(call)
    return True


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError(
            f"engine: a cluster takes the package distributed ({error}). Say pip install 'canvaswidget[survey]'"
        ) from None
    return distributed
