"""Do one job of a survey: what a worker runs, in whatever process and on whatever machine.

It takes plain values and returns a row, so that nothing large travels. Its errors are rows too.
"""

from __future__ import annotations

import contextlib
import platform
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from canvaswidget.error_text import one_line
from canvaswidget.inr import INR
from canvaswidget.surveys.job import Job
from canvaswidget.surveys.measures import Measured, What, measure
from canvaswidget.surveys.places import Place, place_of
from canvaswidget.surveys.release import memory_released
from canvaswidget.surveys.store import (
    DONE,
    FAILED,
    Row,
    count_start,
    forget_starts,
    put_group,
    read_row,
    write_arrays,
)
from canvaswidget.tracing import Canvas, trace
from canvaswidget.tracing.saved.writer import fingerprint
from canvaswidget.version import __version__

CAUSES = (
    'killed, out of memory or out of time. Give workers more memory or time, or measure less; retry="failed" does the '
    "job again"
)


@dataclass(frozen=True)
class Task:
    """A job and where its results go: all that is sent to a worker.

    Attributes
    ----------
    job : dict
        See `Job.to_dict`.
    number : int
        Its index in the order of runs.
    stamp : list
        See `Job.stamp`, as the survey sees the files.
    what : dict
    address : str
        Of the store.
    attempts : int
        How often the job may be started without an end.
    device, memory
        As in `canvaswidget.trace`.
    threads : int or None
        Of torch; as they are by default.
    """

    job: dict[str, Any]
    number: int
    stamp: list[Any]
    what: What
    address: str
    attempts: int
    device: str = "auto"
    memory: str | float = "1 GiB"
    threads: int | None = None


# Threads of one process take turns: torch's random state is of the process, and its operations use several cores
# anyway. So one job at most is lost with a process.
_TURN = threading.Lock()


def perform(task: Task) -> Row:
    """Make the network, measure it, put its group in place; returns its row, of a failure too."""
    with _TURN:
        return _perform(task)


def _perform(task: Task) -> Row:
    job, place = Job.from_dict(task.job), place_of(task.address)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    there = read_row(place, job.place)
    if there is not None and _answers(there, task, job):
        # Done, but the row was lost on its way: with a worker of Dask that died after it, or with an earlier survey.
        forget_starts(place, [job.place])
        return there
    try:
        starts = count_start(place, job.place)
    except OSError as error:
        return failed_row(task, _error(error), traceback.format_exc())
    if starts > task.attempts:
        # The notes of its starts stay until the survey has this row: where it is lost, the job is not begun anew.
        with place.staging() as staged:
            return put_group(place, job.place, _died(task, job), staged)
    with memory_released():
        row = _performed(task, job, place)
    with contextlib.suppress(OSError):  # a full disk, which is in the row's error
        forget_starts(place, [job.place])
    return row


def failed_row(task: Task, error: str, details: str = "") -> Row:
    """The row of a job that failed."""
    job = Job.from_dict(task.job)
    return {**_base(task, job), "status": FAILED, "error": error, "traceback": details, "seconds": None}


# --- within ---------------------------------------------------------------------------------------------------


def _performed(task: Task, job: Job, place: Place) -> Row:
    start = time.perf_counter()
    try:
        inr = job.make()
        with place.staging() as staged, canvas_of(job, inr, task.device, task.memory) as canvas:
            found = measure(job, inr, canvas, task.what, staged)
            write_arrays(staged, found.arrays)
            row = {**_base(task, job), **_about(inr, canvas, found), "seconds": time.perf_counter() - start}
            return put_group(place, job.place, row, staged)
    except Exception as error:  # of a file, a network or a function that may be anything
        row = failed_row(task, _error(error), traceback.format_exc())
    try:
        with place.staging() as staged:
            return put_group(place, job.place, row, staged)
    except OSError as error:
        # The disk is full: the caller gets the error, and the next survey does the job again.
        row["error"] += f"; and its row can't be written ({error})"
    return row


@contextlib.contextmanager
def canvas_of(job: Job, inr: INR, device: str, memory: str | float) -> Iterator[Canvas]:
    """The canvas of a job's network, emptied afterwards."""
    _check_frames(job, inr)
    canvas = trace(inr, job.rule, device, memory, progress=False)
    try:
        yield canvas
    finally:
        canvas.forget()


def _check_frames(job: Job, inr: INR) -> None:
    for frame in job.frames:
        if not -inr.n_frames <= frame < inr.n_frames:
            raise ValueError(f"frames: {frame} is out of range; the signal has {inr.n_frames} frames")


def _answers(row: Row, task: Task, job: Job) -> bool:
    """Whether the row in the store is of this task."""
    return row["status"] == DONE and row["digest"] == job.digest(task.what) and row["stamp"] == task.stamp


def _base(task: Task, job: Job) -> Row:
    """The part of a row that does not depend on the results."""
    return {
        "name": job.name,
        "number": task.number,
        "status": DONE,
        "error": "",
        # Two results of one job may be of the same second.
        "id": secrets.token_hex(8),
        "digest": job.digest(task.what),
        "job": task.job,
        "what": task.what,
        "stamp": task.stamp,
        "host": socket.gethostname(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {
            "canvaswidget": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _about(inr: INR, canvas: Canvas, found: Measured) -> Row:
    return {
        "size": list(inr.size),
        "n_frames": inr.n_frames,
        "rule": canvas.rule,
        "device": str(canvas.device),
        "n_weights": sum(tensor.numel() for tensor in inr.module.parameters()),
        "hash": fingerprint(inr.module),
        "numbers": found.numbers,
        "estimated": found.estimated,
        "trouble": found.trouble,
        "has_canvas": found.has_canvas,
        "has_weights": found.has_weights,
    }


def _died(task: Task, job: Job) -> Row:
    return failed_row(task, f"its worker died {task.attempts} times: {CAUSES}")


def _error(error: BaseException) -> str:
    return one_line(error, (*(TypeError, ValueError, LookupError), OSError), whole=True)
