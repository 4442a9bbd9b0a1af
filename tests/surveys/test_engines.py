"""Surveys on real engines: processes, a Dask cluster over TCP, executors; what they do when workers and clients die."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import json
import linecache
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import submitit
from distributed import Client, LocalCluster
from joblib.externals.loky import ProcessPoolExecutor as Loky

import canvaswidget as cw
from canvaswidget.surveys import InUseError, Job, training_jobs
from canvaswidget.surveys.places import PARTIAL
from canvaswidget.surveys.store import CANVAS
from tests.conftest import ROOT
from tests.surveys.failing_engines import Cancelling, Losing
from tests.surveys.stores import leftovers, rows_of
from tests.surveys.test_survey import WHAT, Here, jobs

pytestmark = pytest.mark.slow

LIMIT = 10**9  # bytes of a worker's memory; torch alone takes about a third
OF_THE_PROCESS = {"seconds", "host", "time", "number", "id"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes over TCP, which are started again when they die."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        memory_limit=LIMIT,
        dashboard_address=None,
        worker_dashboard_address=None,
    ) as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as made:
        made.wait_for_workers(2)
        yield made


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for it, for minutes if need be."""
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def named(function: str, names: str, **options: Any) -> list[Job]:
    """Jobs of a function of `networks` that is given each's name."""
    return [
        Job(name, inr=f"tests.surveys.networks:{function}", options={**options, "name": name})
        for name in names
    ]


# --- the same results -----------------------------------------------------------------------------------------


def many() -> list[Job]:
    """Networks with given weights, and trainings, which draw random numbers."""
    trained = training_jobs(
        {"waves": "tests.surveys.networks:picture"},
        {"small": {"model": "ffn", "options": {"hidden": 4}, "steps": 3}},
        seeds=range(2),
    )
    return [*jobs(0, 1), *trained]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, Any]:
    """What a loop in one process gives."""
    store = tmp_path_factory.mktemp("loop") / "s.zarr"
    cw.survey(many(), store, Here(), WHAT, progress=False)
    return results(store)


def results(store: Path) -> dict[str, Any]:
    """All rows and all files of a store, without what names the process and the time."""
    rows = {
        name: json.dumps({key: value for key, value in row.items() if key not in OF_THE_PROCESS})
        for name, row in rows_of(store).items()
    }
    files: dict[str, bytes] = {}
    for path in store.glob("*/**/*"):
        inside = path.relative_to(store).as_posix()
        if path.name == CANVAS:
            with zipfile.ZipFile(path) as canvas:
                for part in canvas.namelist():
                    if "/" in part:  # beside a folder with a random name is a file that tells this name
                        files[f"{inside}/{part.partition('/')[2]}"] = canvas.read(part)
        elif path.is_file() and path.parent.parent != store:
            files[inside] = path.read_bytes()
    assert any(CANVAS in name for name in files)
    return {**rows, **files}


@contextlib.contextmanager
def engines(name: str, cluster: LocalCluster, folder: Path) -> Iterator[Any]:
    if name == "processes":
        yield None
    elif name == "threads":
        with concurrent.futures.ThreadPoolExecutor(3) as executor:
            yield executor
    elif name == "loky":
        with Loky(2) as executor:
            yield executor
    elif name == "submitit":
        executor = submitit.LocalExecutor(folder=folder / "log")
        executor.update_parameters(timeout_min=10)
        yield executor
    elif name == "client":
        with Client(cluster) as client:
            yield client
    else:
        yield cluster.scheduler_address


# Executors of other packages go the same way as one of threads, and a client the same as an address.
AGAIN = [pytest.param(name, marks=pytest.mark.repeats) for name in ("client", "loky", "submitit")]


@pytest.mark.parametrize("name", ["processes", "threads", "address", *AGAIN])
def test_every_engine_gives_the_same_to_the_bit(
    name: str, cluster: LocalCluster, expected: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    # submitit starts a process for each job.
    given = many()[1:3] if name == "submitit" else many()
    with engines(name, cluster, tmp_path) as engine:
        runs = cw.survey(given, store, engine, WHAT, progress=False)
    assert list(runs) == [job.name for job in given]
    assert set(runs.table.status) == {"done"}
    known = {*runs, *(job.place for job in given)}
    wanted = {key: value for key, value in expected.items() if key.split("/")[0] in known}
    assert results(store) == wanted
    assert leftovers(store) == []


# --- workers that die -----------------------------------------------------------------------------------------


def starts_of(folder: Path, name: str) -> int:
    return len(list(folder.glob(f"{name}-*")))


def test_a_job_that_kills_its_worker_of_a_cluster_is_a_row(client: Client, tmp_path: Path) -> None:
    store, innocent = tmp_path / "s.zarr", "abcdef"
    given = [
        *named("unfinished", "a", folder=str(tmp_path), times=0),
        *named("unfinished", "X", folder=str(tmp_path), times=99),
        *named("unfinished", "Y", folder=str(tmp_path), times=1),
        *named("unfinished", innocent[1:], folder=str(tmp_path), times=0),
    ]
    table = cw.survey(given, store, client, ["psnr"], attempts=2, progress=False).table
    assert table.status.to_dict() == {**dict.fromkeys("aYbcdef", "done"), "X": "failed"}
    assert "its worker died 2 times" in table.error["X"]
    # Only the job of the worker that died is begun again.
    assert [starts_of(tmp_path, name) for name in innocent] == [1] * len(innocent)
    assert [starts_of(tmp_path, name) for name in "XY"] == [2, 2]
    assert leftovers(store) == []


def test_a_job_that_breaks_the_processes_is_the_only_one_blamed(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    given = [
        *named("unfinished", "ab", folder=str(tmp_path), times=0),
        *named("unfinished", "X", folder=str(tmp_path), times=99),
        *named("unfinished", "cd", folder=str(tmp_path), times=0),
    ]
    table = cw.survey(given, store, None, ["psnr"], attempts=1, workers=2, progress=False).table
    assert table.status.to_dict() == {**dict.fromkeys("abcd", "done"), "X": "failed"}
    assert "its worker died 1 times" in table.error["X"]
    assert starts_of(tmp_path, "X") <= 2  # once beside another job, once alone
    assert leftovers(store) == []


def test_a_worker_that_is_killed_has_its_job_done_again(client: Client, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    given = [*named("waiting", "w", folder=str(tmp_path)), *jobs(0, 1, 2, 3)]
    killed: list[int] = []

    def kill(done: int, planned: int) -> None:
        if done == 4 and not killed:  # all others are done, by the other worker
            killed.append(int((tmp_path / "w.pid").read_text()))
            os.kill(killed[0], signal.SIGKILL)
            (tmp_path / "go").touch()

    runs = cw.survey(given, store, client, ["psnr"], progress=kill)
    assert killed
    assert int((tmp_path / "w.pid").read_text()) != killed[0]
    assert list(runs.table.status) == ["done"] * 5
    assert leftovers(store) == []


def test_an_executor_that_breaks_blames_no_job(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    given = [*jobs(0), *named("unfinished", "X", folder=str(tmp_path), times=1), *jobs(1, 2)]
    with Loky(2) as executor, pytest.raises(RuntimeError, match="the executor takes no more tasks"):
        cw.survey(given, store, executor, ["psnr"], attempts=1, progress=False)
    assert "failed" not in {row["status"] for row in rows_of(store).values()}
    engine = Here()
    assert set(cw.survey(given, store, engine, ["psnr"], progress=False).table.status) == {"done"}
    assert "X" in engine.tasks
    assert leftovers(store) == []


def test_a_scheduler_that_is_gone_blames_no_job(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="it cancelled jobs.*What is done is kept"):
        cw.survey(jobs(0, 1), tmp_path / "s.zarr", Cancelling(), ["psnr"], attempts=1, progress=False)
    assert rows_of(tmp_path / "s.zarr") == {}


def test_jobs_that_can_not_be_done_are_rows(client: Client, tmp_path: Path) -> None:
    """One takes more memory than its worker has, a file is damaged, a function raises."""
    (tmp_path / "damaged.safetensors").write_bytes(b"\x08" + bytes(7) + b"not JSON")
    given = [
        Job("too big", inr="tests.surveys.networks:hungry", options={"n_bytes": 4 * LIMIT}),
        Job("damaged", str(tmp_path / "damaged.safetensors")),
        Job("raises", inr="tests.surveys.networks:nothing"),
        *jobs(0, 1),
    ]
    table = cw.survey(given, tmp_path / "s.zarr", client, ["psnr"], attempts=1, progress=False).table
    assert list(table.status) == ["failed"] * 3 + ["done"] * 2
    assert "out of memory" in table.error["too big"]
    assert "damaged.safetensors" in table.error["damaged"]
    assert "there is no such network" in table.error["raises"]
    assert leftovers(tmp_path / "s.zarr") == []


def test_a_full_disk_loses_no_other_job(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    given = [*jobs(0), Job("full", inr="tests.surveys.networks:full_disk"), *jobs(1)]
    runs = cw.survey(given, store, None, ["psnr", "canvas"], workers=1, progress=False)
    assert list(runs) == ["seed 0"]
    engine = Here()
    runs = cw.survey([*jobs(0, 1)], store, engine, ["psnr", "canvas"], progress=False)
    assert engine.tasks == ["seed 1"]
    assert list(runs.table.status) == ["done", "done"]
    assert leftovers(store) == []


# --- clients that die -----------------------------------------------------------------------------------------

CLIENT = """
import json, signal, sys
import canvaswidget as cw

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    store, engine, jobs = json.loads(sys.argv[1])
    jobs = [cw.surveys.Job.from_dict(job) for job in jobs]
    cw.survey(jobs, store, engine, ["psnr"], workers=None if engine else 2, progress=False)
"""


@pytest.mark.parametrize(
    ("on", "ended_by"),
    [
        ("processes", signal.SIGINT),
        pytest.param("processes", signal.SIGKILL, marks=pytest.mark.repeats),
        ("dask", signal.SIGKILL),
    ],
    ids=str,
)
def test_after_the_client_ended_only_what_is_missing_is_done(
    on: str, ended_by: signal.Signals, cluster: LocalCluster, tmp_path: Path
) -> None:
    store, script = tmp_path / "s.zarr", tmp_path / "client.py"
    given = [*jobs(0, 1), *named("waiting", "vw", folder=str(tmp_path)), *jobs(2, 3)]
    script.write_text(CLIENT)
    engine = cluster.scheduler_address if on == "dask" else None
    arguments = json.dumps([str(store), engine, [job.to_dict() for job in given]])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, script, arguments], cwd=ROOT, env=environment, start_new_session=True
    )
    family = psutil.Process(process.pid)
    try:
        both = [tmp_path / "v.pid", tmp_path / "w.pid"]
        until(lambda: all(file.exists() for file in both), "both workers wait")
        before = set(cw.open(store))  # it can be read in between
        with pytest.raises(InUseError, match="another survey"):
            cw.survey(jobs(7), store, Here(), ["psnr"], progress=False)
        children = family.children(recursive=True)
        if ended_by is signal.SIGINT:
            os.killpg(process.pid, ended_by)  # as of a terminal: to all its processes
        else:
            process.kill()
        assert process.wait(120) != 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not any(alive(child) for child in children), "no process is left")
    assert before
    if on == "processes":
        assert len(children) >= 2
        assert set(cw.open(store)) == before
        if ended_by is signal.SIGINT:
            assert [name for name in os.listdir(store) if name.startswith(PARTIAL)] == []
        before = set(cw.open(store))
        (tmp_path / "go").touch()
    else:  # a task that has begun runs to its end
        (tmp_path / "go").touch()
        until(lambda: {"v", "w"} <= set(cw.open(store)), "what was begun is done")
        before = set(cw.open(store))
    again = Here()
    runs = cw.survey(given, store, again, ["psnr"], progress=False)
    assert sorted(again.tasks) == sorted({job.name for job in given} - before)
    assert list(runs.table.status) == ["done"] * len(given)
    assert leftovers(store) == []


def test_a_row_that_is_lost_with_its_worker_begins_nothing_anew(tmp_path: Path) -> None:
    store, engine = tmp_path / "s.zarr", Losing()
    given = named("unfinished", "X", folder=str(tmp_path), times=0)
    table = cw.survey(given, store, engine, ["psnr"], attempts=2, progress=False).table
    assert table.status.to_dict() == {"X": "failed"}
    assert "its worker died 2 times" in table.error["X"]
    assert starts_of(tmp_path, "X") == 0
    assert engine.tasks == ["X", "X"]
    assert leftovers(store) == []


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- memory ---------------------------------------------------------------------------------------------------


def test_nothing_of_a_job_is_left(tmp_path: Path) -> None:
    """torch.fx keeps the source of every graph, and recordings are cycles of references."""

    def left() -> tuple[int, int]:
        sources = sum(name.startswith("<eval_with_key>") for name in linecache.cache)
        return sources, sum(type(one) is cw.Canvas for one in gc.get_objects())

    before = left()
    cw.survey(jobs(0, 1), tmp_path / "s.zarr", Here(), ["psnr", "totals"], progress=False)
    assert left() == before


def workers_of(survey: psutil.Process) -> list[psutil.Process]:
    """The processes that `engines.Processes` has started: spawned, or forked by its server."""
    name = "forkserver" if sys.platform == "linux" else "spawn_main"
    started = [one for one in survey.children() if alive(one) and name in " ".join(one.cmdline())]
    if sys.platform == "linux":
        return [one for server in started for one in server.children() if alive(one)]
    return started


def test_a_worker_does_not_grow_with_its_jobs(tmp_path: Path) -> None:
    resident: list[int] = []

    def look(done: int, planned: int) -> None:
        if len(resident) < done:
            (worker,) = workers_of(psutil.Process())
            resident.append(worker.memory_info().rss)

    given = [Job(f"{seed}", inr="tests.surveys.networks:ffn", options={"seed": seed}) for seed in range(60)]
    cw.survey(given, tmp_path / "s.zarr", None, ["psnr", "totals"], workers=1, progress=look)
    assert len(resident) == 60
    early, late = max(resident[15:25]), max(resident[50:])
    assert late - early < 2**20, f"{[one >> 20 for one in resident[::10]]} MiB"
