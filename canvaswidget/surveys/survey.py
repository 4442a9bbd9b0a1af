"""`survey`: every job on an engine, into one store."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

from canvaswidget.arguments import checked
from canvaswidget.arguments.kinds import is_sequence, wrong_value
from canvaswidget.progress import Progress, steps
from canvaswidget.surveys.collection import Survey
from canvaswidget.surveys.dispatch import Dispatch, copy_rows
from canvaswidget.surveys.engines import engine_of
from canvaswidget.surveys.job import Job
from canvaswidget.surveys.job_lists import jobs_of
from canvaswidget.surveys.measures import What, checked_what, label_of
from canvaswidget.surveys.performing import Task
from canvaswidget.surveys.places import Place, place_of
from canvaswidget.surveys.store import (
    DONE,
    FAILED,
    Row,
    forget_starts,
    is_survey,
    put_row,
    read_root,
    read_rows,
    write_index,
    write_root,
)
from canvaswidget.tracing.budget import parse_memory

RETRY = ("failed", "changed")


@checked
def survey(
    jobs: Any,
    store: str | os.PathLike[str],
    engine: Any = None,
    what: Any = None,
    *,
    retry: str | Sequence[str] = (),
    attempts: int = 3,
    workers: int | None = None,
    device: str = "auto",
    memory: str | float = "1 GiB",
    progress: Progress = True,
) -> Survey:
    """Make many networks, measure each, and keep all results in one store.

    A job that is in the store is not done again, so that a survey that was ended goes on where it was, and seeds can be
    added. A job that fails becomes a row with its error while the others go on.

    Parameters
    ----------
    jobs : sequence of Job, DataFrame, CSV file or pattern
        See `Job` and `canvaswidget.surveys.training_jobs`. Of a table, columns named as fields of `Job` are these,
        ``fit.steps`` and the like are of its training, and all others are parameters. A pattern such as
        ``"weights/*.safetensors"`` makes a job of each file.
    store : path or address
        Conventionally ends in ``.zarr``. ``s3://`` and all that fsspec knows works too.
    engine : optional
        By default processes of this machine, one a GPU or a core. A `dask.distributed.Client` or its address, or an
        executor with ``submit``: of `concurrent.futures`, submitit (SLURM), Ray, loky.
    what : names or {name: options}, optional
        ``psnr``, ``ssim``, ``totals`` (at an ``accuracy``), ``canvas`` (what the widget shows later: options of
        `Canvas.save`), ``weights``, and findings of `canvaswidget.analysis` by name, each with its options. ``layers``
        chooses some; ``layers={"last": -1}`` also gives them a name that columns of several architectures share.
        ``arrays=False`` keeps a finding's numbers alone. A ``"module:function"`` of yours is called with the canvas,
        the `Job` and the options, and returns numbers by name. By default PSNR, SSIM, totals within 5 %, faithfulness
        and the canvas.
    retry : "failed", "changed" or both
        Do jobs again that failed; or that were done, but whose fields, files or `what` have changed since.
    attempts : int
        How often a job is started whose worker dies.
    workers : int, optional
        Processes of this machine; of another engine, how many jobs are submitted at a time, all by default.
    device, memory
        As in `canvaswidget.trace`, of each job.
    progress : bool or callable
        A bar, or ``progress(done, planned)``; an exception raised there ends the survey, and the store stays readable.

    Returns
    -------
    Survey
        A `canvaswidget.Runs` of all jobs in the store.

    Raises
    ------
    ValueError
        Two jobs have one name; or the store has results of a job that has changed since, and `retry` does not say
        "changed"; or of other jobs, measured with other options.
    InUseError
        Another survey is writing into the store.

    Examples
    --------
    >>> jobs = cw.surveys.training_jobs({"bunny": "bunny.mp4"}, ["nerv"], seeds=range(3), epochs=300)  # doctest: +SKIP
    >>> runs = cw.survey(jobs, "survey.zarr")  # doctest: +SKIP
    >>> runs.table  # doctest: +SKIP
    """
    parse_memory(memory)
    listed, wanted, again = jobs_of(jobs), checked_what(what), checked_retry(retry)
    check_parameters(listed, wanted)
    place = place_of(store)
    _prepare(place)
    with place.held():
        rows = read_rows(place)
        pending = pending_jobs(listed, wanted, rows, again)
        # Of jobs that are done again the index may not keep the earlier row.
        rows = _without(rows, pending)
        _take_parameters(place, listed, rows)
        write_index(place, rows)
        forget_starts(place, [job.place for job in pending])
        numbers = {job.name: number for number, job in enumerate(listed)}
        with (
            steps("survey", "job", progress, len(pending)) as counted,
            engine_of(engine, workers, max(1, len(pending))) as found,
        ):
            tasks = [
                Task(
                    job.to_dict(),
                    numbers[job.name],
                    job.stamp(),
                    wanted,
                    place.address,
                    attempts,
                    device,
                    memory,
                    found.threads,
                )
                for job in pending
            ]
            counted.tell()
            try:
                Dispatch(found, place, tasks, rows, attempts, counted).finish()
            finally:
                copy_rows(place, rows)
    runs = Survey(store)
    _warn_of_unwritten([row for row in rows.values() if row["name"] not in runs])
    return runs


def _warn_of_unwritten(rows: list[Row]) -> None:
    """Tell of jobs whose rows are not in the store, as where the disk is full."""
    if rows:
        warnings.warn(
            f"{len(rows)} jobs are not in the store, such as {rows[0]['name']!r}: {rows[0]['error']}. They are done "
            "again by the next survey",
            stacklevel=3,
        )


def checked_retry(retry: Any) -> set[str]:
    """Which jobs are done again, as a set; TypeError or ValueError where it is something else."""
    words = [retry] if isinstance(retry, str) else retry
    if not is_sequence(words) or not all(isinstance(word, str) and word in RETRY for word in words):
        raise wrong_value("retry", retry, '"failed", "changed" or both')
    return set(words)


def check_parameters(jobs: list[Job], what: What) -> None:
    """Raise where a parameter could be a column of what is measured, such as ``totals.net.1``."""
    labels = {label_of(name) for name in what}
    for job in jobs:
        for name in job.parameters:
            if "." in name and name.split(".")[0] in labels:
                raise ValueError(
                    f"job {job.name!r}: parameter {name!r} is named as a column of what is measured; rename it"
                )


def _prepare(place: Place) -> None:
    """Make the store, or see that it is one."""
    if is_survey(place):
        read_root(place)
    elif any(not name.startswith(".") for name in place.listed("")):
        raise FileExistsError(
            f"store={place.address!r}: is there, and is no survey; choose another name, or remove it yourself"
        )
    else:
        write_root(place)


def pending_jobs(jobs: list[Job], what: What, rows: dict[str, Row], again: set[str]) -> list[Job]:
    """The jobs that a survey would do, given the rows in its store.

    Raises
    ------
    ValueError
        The store has results of jobs that have changed since, and `again` does not contain "changed"; or of other
        jobs, measured with other options.
    """
    pending, changed = [], []
    for job in jobs:
        row = rows.get(job.place)
        is_changed = row is not None and (row["digest"] != job.digest(what) or _has_other_files(row, job))
        if row is None or is_changed or (row["status"] == FAILED and "failed" in again):
            pending.append(job)
        if row is not None and is_changed and row["status"] == DONE:  # there is something to lose
            changed.append(job)
    if changed and "changed" not in again:
        some = ", ".join(repr(job.name) for job in changed[:3]) + (" and others" if len(changed) > 3 else "")
        raise ValueError(
            f"jobs: the store has results of {some} from other settings or files, or of another `what`. Say "
            'retry="changed" to replace them, or choose other names or another store'
        )
    _check_alike(_without(rows, pending), what)
    return pending


def _has_other_files(row: Row, job: Job) -> bool:
    """Whether files were written since; of results, those that this machine can't see any more have not changed."""
    pairs = list(zip(row["stamp"], job.stamp(), strict=True))
    if row["status"] == DONE:
        pairs = [(then, now) for then, now in pairs if then is not None and now is not None]
    return any(then != now for then, now in pairs)


def _without(rows: dict[str, Row], jobs: list[Job]) -> dict[str, Row]:
    """The rows of other jobs."""
    places = {job.place for job in jobs}
    return {name: row for name, row in rows.items() if name not in places}


def _take_parameters(place: Place, jobs: list[Job], rows: dict[str, Row]) -> None:
    """Give the rows that stay the parameters of their jobs: they label results, and do not change them."""
    for job in jobs:
        row, given = rows.get(job.place), job.to_dict()
        if row is not None and row["job"]["parameters"] != given["parameters"]:
            rows[job.place] = row | {"job": given}
            put_row(place, job.place, rows[job.place])


def _check_alike(rows: dict[str, Row], what: What) -> None:
    """Raise where the store has numbers that would stand in one column with others that were measured otherwise."""
    for row in rows.values():
        if row["status"] == FAILED:
            continue
        for name, options in row["what"].items():
            if name in what and options != what[name]:
                raise ValueError(
                    f"what[{name!r}]={what[name]!r}: the store has results of run {row['name']!r} with {options!r}, "
                    "which can't be compared. Say the same, or choose another store"
                )
