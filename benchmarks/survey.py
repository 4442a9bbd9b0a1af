"""Surveys beside a plain loop over the same work; what a job costs beside its work; large stores and large clusters.

Times are of the clock, since work is done in other processes; each ratio is of one run of this program. Nothing here
asserts anything.

    python benchmarks/survey.py             all parts
    python benchmarks/survey.py --part rate, overhead, store or simulation
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import contextlib
import functools
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.run import describe_machine, show_time  # noqa: E402
from canvaswidget.surveys import Job, engines  # noqa: E402
from canvaswidget.surveys.performing import Task, failed_row  # noqa: E402
from canvaswidget.surveys.places import place_of  # noqa: E402
from canvaswidget.surveys.store import (  # noqa: E402
    INDEX,
    Row,
    count_start,
    forget_starts,
    put_group,
    read_rows,
    write_index,
)

SIZE = (96, 128)
WHAT = {"psnr": {}, "totals": {"accuracy": None}, "canvas": {}}
N_JOBS = 24
N_SLEEPING = 12
GROUPS = (2_000, 10_000)
SIMULATED, WORKERS = 10_000, 1_000
DASK_WORKERS = (50, 200)


def network(seed: int, seconds: float = 0.0) -> cw.INR:
    """What a job names."""
    time.sleep(seconds)
    torch.manual_seed(seed)
    truth = np.random.default_rng(seed).random((1, *SIZE, 3), np.float32)
    return cw.as_inr(cw.models.FFN(hidden=64, size=SIZE), truth=truth)


def jobs(count: int, **options: Any) -> list[Job]:
    return [
        Job(
            f"job {number}",
            inr="benchmarks.survey:network",
            options={"seed": number, **options},
            parameters={"video": f"video {number % 100}", "model": "ffn"},
            seed=number,
        )
        for number in range(count)
    ]


# --- jobs a minute --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def processes(count: int) -> Iterator[dict[str, Any]]:
    yield {"workers": count}


@contextlib.contextmanager
def dask(count: int) -> Iterator[dict[str, Any]]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address=None,
            worker_dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield {"engine": client}


def surveyed(
    engine: Callable[[int], Any], count: int, given: list[Job], what: Any
) -> tuple[float, float, float]:
    """Seconds until the first job is done; seconds a job and in its row, the first two of each worker left out."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder, engine(count) as how:
        start = time.perf_counter()

        def note(done: int, planned: int) -> None:
            times.extend([time.perf_counter()] * (done - len(times)))

        runs = cw.survey(given, Path(folder) / "s.zarr", what=what, progress=note, **how)
        if runs.errors:
            sys.exit(f"jobs failed: {runs.errors}")
        warm = 2 * count
        own = float(runs.table["seconds"].iloc[warm:].mean())
    return times[0] - start, (times[-1] - times[warm - 1]) / (len(times) - warm), own


def workers(count: int) -> str:
    return f"{count} worker{'s' * (count > 1)}"


def plain_loop(given: list[Job], what: Any) -> float:
    """Seconds per job of a plain loop."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for job in given:
            start = time.perf_counter()
            inr = network(**job.options)
            canvas = cw.trace(inr, progress=False)
            cw.media.psnr(np.clip(canvas.frame(0), 0, 1), inr.truth[0])
            if "totals" in what:
                canvas.summaries(None, 0, None)
            if "canvas" in what:
                canvas.save(Path(folder) / f"{job.seed}.zarr", frames=[0], maps=8, progress=False)
            seconds.append(time.perf_counter() - start)
    return float(np.mean(seconds[2:]))


ENGINES = {"processes here": processes, "Dask": dask}


def rate() -> None:
    given = jobs(N_JOBS)
    torch.set_num_threads(1)
    baseline = plain_loop(given, WHAT)
    print(
        f"Jobs of PSNR, exact totals and a saved canvas of an FFN of {SIZE[0]}x{SIZE[1]}, one thread each.\n"
    )
    print("| | first job after | jobs a minute | of the plain loop |\n|---|---:|---:|---:|")
    print(f"| plain loop | | {60 / baseline:.0f} | 1 |")
    for name, engine in ENGINES.items():
        for count in (1, 2):
            first, each, _ = surveyed(functools.partial(one_thread, engine), count, given, WHAT)
            print(
                f"| {name}, {workers(count)} | {show_time(first)} | {60 / each:.0f} | "
                f"{baseline / each:.2f} |",
                flush=True,
            )


@contextlib.contextmanager
def one_thread(engine: Callable[[int], Any], count: int) -> Iterator[dict[str, Any]]:
    """A worker alone would have all cores, and the plain loop has one."""
    shares = engines.Processes.shares
    engines.Processes.shares = staticmethod(lambda workers, n_jobs: (shares(workers, n_jobs)[0], 1))
    try:
        with engine(count) as how:
            yield how
    finally:
        engines.Processes.shares = staticmethod(shares)


def overhead() -> None:
    given = jobs(N_SLEEPING, seconds=1.0)
    print(f"\n{N_SLEEPING} jobs that sleep for 1 s, then PSNR.\n")
    print("| | a job, by the clock | more than its own seconds | jobs a minute | of the plain loop |")
    print("|---|---:|---:|---:|---:|")
    torch.set_num_threads(1)
    baseline = plain_loop(given, ["psnr"])
    print(f"| plain loop | {baseline:.3f} s | | {60 / baseline:.0f} | 1 |")
    for name, engine in ENGINES.items():
        for count in (1, 2):
            _, each, own = surveyed(functools.partial(one_thread, engine), count, given, ["psnr"])
            print(
                f"| {name}, {workers(count)} | {count * each:.3f} s | {1000 * (count * each - own):.0f} ms | "
                f"{60 / each:.0f} | {baseline / each:.2f} |",
                flush=True,
            )


# --- large stores ---------------------------------------------------------------------------------------------


def a_row() -> Row:
    """The row of a job with all that a survey measures by default."""
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(1) as executor:
        cw.survey(
            jobs(1),
            Path(folder) / "s.zarr",
            executor,
            {**WHAT, "faithfulness": {"at_most": 16}},
            progress=False,
        )
        (row,) = read_rows(place_of(Path(folder) / "s.zarr")).values()
    return row


def of(job: Job, row: Row, number: int, stamp: Any = None) -> Row:
    return {**row, "name": job.name, "job": job.to_dict(), "number": number, "stamp": stamp or job.stamp()}


def timed(work: Callable[..., Any], *given: Any, **keywords: Any) -> float:
    """Seconds of a call, the middle of three."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work(*given, **keywords)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[1]


def store() -> None:
    row = a_row()
    print("\n| groups | open | open without its index | table | where(model=...) | write the index | index |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for count in GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "s.zarr"
            cw.survey(jobs(1), path, Simulated(row), ["psnr"], progress=False)
            place = place_of(path)
            for number, job in enumerate(jobs(count)):
                with place.staging() as staged:
                    put_group(place, job.place, of(job, row, number), staged)
            rows = read_rows(place)
            (path / INDEX).unlink()
            without = timed(cw.open, path)
            writing = timed(write_index, place, rows)
            runs = cw.open(path)
            cells = [timed(cw.open, path), without, timed(getattr, runs, "table")]
            cells += [timed(runs.where, model="ffn"), writing]
            size = (path / INDEX).stat().st_size / 2**20
            print(f"| {count:,} | {' | '.join(map(show_time, cells))} | {size:.1f} MiB |", flush=True)


# --- large clusters -------------------------------------------------------------------------------------------


class Simulated(concurrent.futures.Executor):
    """Workers that do all that a job does in its store, and nothing else; so many jobs are under way at a time."""

    def __init__(self, row: Row, workers: int = 1) -> None:
        self._row, self._workers = row, workers
        self._tasks: queue.SimpleQueue[tuple[Task, concurrent.futures.Future[Row]]] = queue.SimpleQueue()
        self._under_way: collections.deque[tuple[Task, concurrent.futures.Future[Row]]] = collections.deque()
        self.seconds: dict[str, list[float]] = {"start": [], "put": [], "end": []}
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, function: Any, task: Task) -> concurrent.futures.Future[Row]:
        future: concurrent.futures.Future[Row] = concurrent.futures.Future()
        self._tasks.put((task, future))
        return future

    def _work(self) -> None:
        while True:
            try:
                task, future = self._tasks.get(block=not self._under_way)
            except queue.Empty:
                self._end()
                continue
            place, job = place_of(task.address), Job.from_dict(task.job)
            start = time.perf_counter()
            count_start(place, job.place)
            self.seconds["start"].append(time.perf_counter() - start)
            self._under_way.append((task, future))
            if len(self._under_way) >= self._workers:
                self._end()

    def _end(self) -> None:
        task, future = self._under_way.popleft()
        place, job = place_of(task.address), Job.from_dict(task.job)
        row = of(
            job, {**self._row, "what": task.what, "digest": job.digest(task.what)}, task.number, task.stamp
        )
        start = time.perf_counter()
        with place.staging() as staged:
            put_group(place, job.place, row, staged)
        self.seconds["put"].append(time.perf_counter() - start)
        start = time.perf_counter()
        forget_starts(place, [job.place])
        self.seconds["end"].append(time.perf_counter() - start)
        future.set_result(row)


def simulation() -> None:
    row, given = a_row(), jobs(SIMULATED)
    print(f"\n{SIMULATED:,} jobs without work in one store; so many under way at a time.\n")
    print(
        "| under way | client, CPU a job | note a start | put a group | forget the start | restart over all |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for n_workers in (1, WORKERS):
        with tempfile.TemporaryDirectory() as folder:
            path, executor = Path(folder) / "s.zarr", Simulated(row, n_workers)
            start = time.thread_time()
            cw.survey(given, path, executor, ["psnr"], progress=False)
            client = (time.thread_time() - start) / SIMULATED
            again = timed(cw.survey, given, path, executor, ["psnr"], progress=False)
            parts = [float(np.mean(some)) for some in executor.seconds.values()]
            print(f"| {n_workers:,} | {' | '.join(map(show_time, [client, *parts, again]))} |", flush=True)
    print("\n| Dask workers in one process | empty jobs a second |\n|---|---:|")
    for count in DASK_WORKERS:
        print(f"| {count} | {SIMULATED / through_dask(count, given):.0f} |", flush=True)


def empty(task: Task) -> Row:
    return failed_row(task, "it was empty")


def through_dask(count: int, given: list[Job]) -> float:
    """Seconds of all jobs, that do nothing, on workers that are threads of this process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(count, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        done, engines.perform = engines.perform, empty
        start = time.perf_counter()
        try:
            cw.survey(given, Path(folder) / "s.zarr", client, ["psnr"], progress=False)
        finally:
            engines.perform = done
        return time.perf_counter() - start


PARTS = {"rate": rate, "overhead": overhead, "store": store, "simulation": simulation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=PARTS, help="only this one")
    chosen = parser.parse_args().part
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{describe_machine()}, torch {torch.__version__}\n")
    for name, part in PARTS.items():
        if chosen in (None, name):
            part()


if __name__ == "__main__":
    main()
