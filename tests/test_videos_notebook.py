"""The clips of `videos.ipynb` are what they say, and its survey is the one that its last cell makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.surveys.measures import checked_what
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import read_rows
from tests.conftest import ROOT

FOLDER = ROOT / "notebooks"
STORE = FOLDER / "videos.zarr"
LIMIT = 4_000_000  # bytes


@pytest.fixture(scope="module")
def videos() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FOLDER))
    try:
        import videos

        yield videos
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, videos: ModuleType) -> list[tuple[cw.Job, dict[str, Any]]]:
    """The jobs of the last cell, each with what is measured of it."""
    cell = nbformat.read(FOLDER / "videos.ipynb", as_version=4).cells[-1].source
    found: list[tuple[cw.Job, dict[str, Any]]] = []
    monkeypatch.setattr(cw, "survey", lambda jobs, store, what: found.extend((job, what) for job in jobs))
    scope: dict[str, Any] = {"cw": cw, "videos": videos}
    exec(cell, scope)
    scope["make_anew"]("nowhere.zarr")
    return found


def test_the_survey_is_that_of_the_notebook(planned) -> None:
    rows = {row["name"]: row for row in read_rows(place_of(STORE)).values()}
    assert len(planned) == 12 * 3 * 2
    assert rows.keys() == {job.name for job, _ in planned}
    for job, what in planned:
        assert rows[job.name]["status"] == "done"
        assert rows[job.name]["digest"] == job.digest(checked_what(what)), f"{job.name}: make the survey anew"


def test_the_survey_is_small_and_complete() -> None:
    files = [file for file in STORE.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < LIMIT
    assert len(files) < 100
    runs = cw.Survey(STORE)
    assert "".join(runs.table.trouble) == ""
    shown = runs.where(video="astronaut", seed=[0, 1])
    assert {run: shown[run].inr.size for run in shown} == dict.fromkeys(shown, (48, 64))


@pytest.mark.slow
def test_a_job_of_the_survey_can_be_done(planned, tmp_path: Path) -> None:
    for job, what in (planned[0], planned[-1]):
        assert job.fit is not None
        quick = cw.Job(**{**job.to_dict(), "fit": {**job.fit, "steps": 3}})
        inr = quick.make()
        with np.errstate(all="ignore"):
            found = cw.surveys.measures.measure(
                quick, inr, cw.trace(inr, "xinc"), checked_what(what), tmp_path
            )
        assert not found.trouble
        table = cw.Survey(STORE).table
        measured = {f"{label}.{name}" for label, numbers in found.numbers.items() for name in numbers}
        assert measured - {"psnr.psnr"} <= set(table.columns)


def test_pixels_move_as_the_flow_says(videos: ModuleType) -> None:
    for name in videos.PHOTOGRAPHS:
        frames, discs, flow = videos.clip(name), videos.discs(name), videos.flow(name)
        assert frames.shape == (videos.N_FRAMES, *videos.SIZE, 3)
        assert 0 <= frames.min() < frames.max() <= 1
        for time, disc in enumerate(discs[:-1]):
            y, x = np.indices(videos.SIZE)
            there_y, there_x = y + flow[time, ..., 0].astype(int), x + flow[time, ..., 1].astype(int)
            inside = (there_y >= 0) & (there_y < videos.SIZE[0]) & (there_x >= 0) & (there_x < videos.SIZE[1])
            y, x, there_y, there_x = (one[inside] for one in (y, x, there_y, there_x))
            # What the disc hides in the next frame can't be seen there.
            seen = disc[y, x] | ~discs[time + 1][there_y, there_x]
            assert seen.mean() > 0.8
            shown, later = frames[time][y, x][seen], frames[time + 1][there_y, there_x][seen]
            np.testing.assert_array_equal(shown, later)


def test_the_disc_ends_where_the_mirror_image_of_its_start_was(videos: ModuleType) -> None:
    for name in videos.PHOTOGRAPHS:
        discs = videos.discs(name)
        np.testing.assert_array_equal(discs[-1], discs[0][::-1, ::-1])
        assert not (discs[0] & discs[-1]).any()
        assert discs[0].sum() == pytest.approx(np.pi * videos.RADIUS**2, rel=0.03)  # whole within the frame
