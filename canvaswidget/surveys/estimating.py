"""Estimate time and disk space of a survey, by doing one job of each kind in a temporary folder."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from canvaswidget.arguments import checked
from canvaswidget.error_text import one_line
from canvaswidget.fitting.fit import EPOCHS
from canvaswidget.fitting.result import Fit
from canvaswidget.inr import INR
from canvaswidget.surveys.engines import Processes
from canvaswidget.surveys.job import Job
from canvaswidget.surveys.job_lists import jobs_of
from canvaswidget.surveys.measures import What, checked_what, measure
from canvaswidget.surveys.performing import canvas_of
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import read_rows, write_arrays
from canvaswidget.surveys.survey import check_parameters, checked_retry, pending_jobs
from canvaswidget.tables import Printed
from canvaswidget.tracing.budget import show_bytes

STEPS = 20  # of a training, to find out how long one takes
ROW = 4096  # bytes of a row and its copy in the index


@dataclass(frozen=True, repr=False)
class SurveyEstimate(Printed):
    """The estimated time and disk space of a survey.

    Attributes
    ----------
    n_jobs, n_pending : int
        All jobs, and those that would be done.
    measured : dict of str to float
        Seconds of the jobs that were tried, by name; of a training, of all its steps, extrapolated from a few.
    failed : dict of str to str
        Errors of jobs that were tried, by name; other jobs of their kind are left out of `seconds` and `bytes`.
    seconds : float
        Of all jobs that would be done, one after the other.
    n_workers : int
        Processes of this machine that would share them.
    bytes : int
        By which the store would grow.
    """

    title: ClassVar[str] = "survey"
    n_jobs: int
    n_pending: int
    measured: Mapping[str, float]
    failed: Mapping[str, str]
    seconds: float
    n_workers: int
    bytes: int

    def rows(self) -> list[list[str]]:
        tried = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in self.measured.items())
        return [
            ["jobs", f"{self.n_jobs:,}, of which {self.n_jobs - self.n_pending:,} are in the store"],
            ["tried", tried or "none"],
            *(["failed", f"{name}: {error}"] for name, error in self.failed.items()),
            ["one worker, about", _duration(self.seconds)],
            [f"{self.n_workers} processes of this machine, about", _duration(self.seconds / self.n_workers)],
            ["on disk, about", show_bytes(self.bytes)],
        ]


@checked
def estimate_survey(
    jobs: Any,
    store: Any,
    what: Any = None,
    *,
    retry: str | Sequence[str] = (),
    workers: int | None = None,
    device: str = "auto",
    memory: str | float = "1 GiB",
) -> SurveyEstimate:
    """Estimate jobs, seconds and bytes of a survey, without writing anything into its store.

    The arguments are those of `canvaswidget.survey`. The first job of each kind is done, trainings for a few steps.
    Jobs are of one kind where they train alike, or have their network from one function or one folder.

    Raises
    ------
    ValueError
        As of `canvaswidget.survey`.
    """
    listed, wanted, place = jobs_of(jobs), checked_what(what), place_of(store)
    check_parameters(listed, wanted)
    pending = pending_jobs(listed, wanted, read_rows(place), checked_retry(retry))
    kinds: dict[str, list[Job]] = {}
    for job in pending:
        kinds.setdefault(_kind(job), []).append(job)
    n_workers, threads = Processes.shares(workers, max(1, len(pending)))
    measured: dict[str, float] = {}
    failed: dict[str, str] = {}
    seconds, n_bytes = 0.0, 0
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for some in kinds.values():
            try:
                one, size = _tried(some[0], wanted, device, memory)
            except Exception as error:  # of a file, a network or a function that may be anything
                failed[some[0].name] = one_line(error, whole=True)
                continue
            measured[some[0].name] = one
            seconds += one * len(some)
            n_bytes += (size + ROW) * len(some)
    finally:
        torch.set_num_threads(before)
    return SurveyEstimate(len(listed), len(pending), measured, failed, seconds, n_workers, n_bytes)


def _kind(job: Job) -> str:
    if job.fit is not None:
        return json.dumps([{**job.fit, "seed": None}, job.size, job.n_frames], sort_keys=True)
    return json.dumps([job.inr, str(Path(job.weights or "").parent), job.size, job.n_frames])


def _tried(job: Job, what: What, device: str, memory: str | float) -> tuple[float, int]:
    """Seconds and bytes of a job."""
    start = time.perf_counter()
    inr, more = _network(job)
    with tempfile.TemporaryDirectory() as folder, canvas_of(job, inr, device, memory) as canvas:
        found = measure(job, inr, canvas, what, Path(folder))
        write_arrays(Path(folder), found.arrays)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return time.perf_counter() - start + more, size


def _network(job: Job) -> tuple[INR, float]:
    """The network, trained for a few steps, and the seconds that the remaining steps would take."""
    if job.fit is None:
        return job.make(), 0.0
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        fitted = job.train(STEPS)
    return fitted.inr, _training_seconds(job.fit, fitted) - float(fitted.seconds[-1])


def _training_seconds(options: Mapping[str, Any], fitted: Fit) -> float:
    """Seconds of the whole training, up to the first limit that ends it."""
    done, step_seconds = int(fitted.step[-1]), float(fitted.seconds[-1]) / max(int(fitted.step[-1]), 1)
    limits = [options.get("seconds") or math.inf]
    epochs = options.get("epochs")
    if epochs is None and options.get("steps") is None and options.get("seconds") is None:
        epochs = EPOCHS
    if options.get("steps") is not None:
        limits.append(options["steps"] * step_seconds)
    if epochs is not None:
        limits.append(epochs * done / max(fitted.epochs, 1e-9) * step_seconds)
    return min(limits)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
