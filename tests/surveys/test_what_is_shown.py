"""What a survey shows is of the results that its table describes: not of earlier ones, nor of damaged files."""

from __future__ import annotations

import gc
import json
import os
import shutil
import uuid
import zipfile
from pathlib import Path

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.surveys import Job, SurveyError, performing
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import CANVAS, FINDINGS, INDEX, read_rows
from tests.surveys.networks import ffn
from tests.surveys.test_survey import Here, done, jobs

CANVAS_ONLY = {"canvas": {}}


def of_file(folder: Path, seed: int) -> Job:
    """A job of a file that holds the weights of this seed now."""
    path = folder / "x.safetensors"
    cw.models.save_model(ffn(seed).module, path)
    os.utime(path, (seed, seed))
    return Job("a", str(path))


def assert_shows(canvas, seed: int) -> None:
    np.testing.assert_allclose(canvas.frame(0), ffn(seed).render(0).permute(1, 2, 0).numpy(), atol=1e-3)


def test_a_canvas_outlives_the_survey_that_opened_it(tmp_path) -> None:
    done(jobs(0), tmp_path / "s.zarr", what=CANVAS_ONLY)
    canvas = cw.open(tmp_path / "s.zarr")["seed 0"]
    gc.collect()
    assert_shows(canvas, 0)
    folder = Path(canvas.path)
    assert folder.exists()
    del canvas
    gc.collect()
    assert not folder.exists()


def test_weights_from_an_address_outlive_the_survey() -> None:
    address = f"memory://{uuid.uuid4().hex}/s.zarr"
    done(jobs(0), address, what=["weights"])
    path = cw.open(address).weights("seed 0")
    gc.collect()
    np.testing.assert_array_equal(cw.load(path, n_frames=1).render(0), ffn(0).render(0))


def test_a_run_that_is_done_again_in_the_same_second_is_shown_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(performing.time, "strftime", lambda *_: "2026-01-01T00:00:00Z")
    store = tmp_path / "s.zarr"
    runs, _ = done([of_file(tmp_path, 0)], store, what=CANVAS_ONLY)
    widget = cw.CanvasWidget(runs)
    try:
        before = widget.canvas.frame(0)
        done([of_file(tmp_path, 1)], store, what=CANVAS_ONLY, retry="changed")
        assert runs.refresh() == ["a"]
        for canvas in (runs["a"], widget.canvas):
            assert not np.array_equal(canvas.frame(0), before)
            assert_shows(canvas, 1)
    finally:
        widget.close()


def test_new_results_are_not_shown_beside_the_earlier_table(tmp_path) -> None:
    store, what = tmp_path / "s.zarr", {"canvas": {}, "distribution": {}, "weights": {}}
    done([of_file(tmp_path, 0)], store, what=what)
    runs = cw.open(store)
    label = runs.findings[0]
    done([of_file(tmp_path, 1)], store, what=what, retry="changed")
    with pytest.raises(cw.RunError, match="done again.*refresh"):
        runs["a"]
    for ask in (lambda: runs.arrays("a", f"{label}.0"), lambda: runs.weights("a")):
        with pytest.raises(SurveyError, match="done again.*refresh"):
            ask()
    assert runs.refresh() == ["a"]
    assert_shows(runs["a"], 1)


def test_a_damaged_file_is_named_and_read_again_after_a_refresh(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    runs, _ = done(jobs(0), store, what={"canvas": {}, "distribution": {}})
    group = store / jobs(0)[0].place
    for name in (CANVAS, FINDINGS):
        shutil.copy(group / name, tmp_path / name)
        data = (group / name).read_bytes()
        (group / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(cw.RunError, match=f"damaged: .*{CANVAS} can't be read"):
        runs["seed 0"]
    with pytest.raises(SurveyError, match=f"damaged: .*{FINDINGS} can't be read"):
        runs.arrays("seed 0", f"{runs.findings[0]}.0")
    for name in (CANVAS, FINDINGS):
        shutil.copy(tmp_path / name, group / name)
    runs.refresh()
    assert_shows(runs["seed 0"], 0)


def test_a_canvas_with_one_damaged_part_is_not_shown_in_part(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    runs, _ = done(jobs(0), store, what=CANVAS_ONLY)
    path = store / jobs(0)[0].place / CANVAS
    with zipfile.ZipFile(path) as file:
        last = max(file.infolist(), key=lambda part: part.header_offset)
    data = bytearray(path.read_bytes())
    data[last.header_offset + 30 + len(last.filename)] ^= 255
    path.write_bytes(data)
    for _ in range(2):
        with pytest.raises(cw.RunError, match="damaged"):
            runs["seed 0"]
        runs.refresh()


def test_the_index_is_believed_only_of_the_groups_that_it_describes(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0, 1), store)
    first, second = (job.place for job in jobs(0, 1))
    expected = cw.open(store).table
    index = json.loads((store / INDEX).read_text())
    rows = index["rows"]
    for damaged in ({first: rows[second], second: "x"}, {first: {}, second: None}, [1], {first: {"name": 3}}):
        (store / INDEX).write_text(json.dumps({**index, "rows": damaged}))
        assert cw.open(store).table.equals(expected)
    # A group that was copied by hand would be a second run of one name.
    shutil.copytree(store / first, store / "copy")
    assert list(cw.open(store)) == ["seed 0", "seed 1"]


def test_a_later_failure_of_one_job_is_not_in_the_index_alone(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done([of_file(tmp_path, 0)], store)
    (tmp_path / "x.safetensors").write_bytes(b"damaged")
    runs, _ = done([Job("a", str(tmp_path / "x.safetensors"))], store, retry="changed")
    assert list(runs.table.status) == ["failed"]
    (store / INDEX).unlink()
    assert list(cw.open(store).table.status) == ["failed"]


def test_parameters_can_be_corrected_without_doing_a_job_again(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0), store)
    (corrected,) = jobs(0)
    corrected = Job.from_dict({**corrected.to_dict(), "parameters": {"video": "b", "depth": 2}})
    runs, again = done([corrected], store)
    assert again == []
    assert runs.table.loc["seed 0", ["video", "depth"]].tolist() == ["b", 2]
    (store / INDEX).unlink()
    assert list(cw.open(store).where(video="b")) == ["seed 0"]


def test_options_like_the_words_for_nan_come_back(tmp_path) -> None:
    (job,) = jobs(0)
    given = {"video": "a", "worst": float("nan"), "best": float("inf")}
    job = Job(
        "a",
        inr=job.inr,
        options={"seed": 0},
        truth_options={"float": "32", "x": {"float": 3}},
        parameters=given,
    )
    done([job], tmp_path / "s.zarr")
    (row,) = read_rows(place_of(tmp_path / "s.zarr")).values()
    assert row["job"]["truth_options"] == {"float": "32", "x": {"float": 3}}
    np.testing.assert_equal(row["job"]["parameters"], given)


def test_a_failed_job_whose_file_was_mended_is_done_again(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    job = Job("a", str(tmp_path / "x.safetensors"))
    done([job], store)
    runs, again = done([of_file(tmp_path, 0)], store, retry="failed")
    assert again == ["a"]
    assert list(runs.table.status) == ["done"]


def test_failed_jobs_do_not_bind_what_is_measured(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done([Job("wrong", inr="tests.surveys.networks:nothing")], store, what={"totals": {"accuracy": 0.1}})
    runs, _ = done(jobs(0), store, what={"totals": {"accuracy": None}})
    assert dict(runs.table.status) == {"wrong": "failed", "seed 0": "done"}


def test_a_store_that_is_away_leaves_the_runs(tmp_path) -> None:
    runs, _ = done(jobs(0), tmp_path / "s.zarr", what=CANVAS_ONLY)
    (tmp_path / "s.zarr").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        runs.refresh()
    with pytest.raises(cw.RunError, match="done again, or removed"):
        runs["seed 0"]
    (tmp_path / "away").rename(tmp_path / "s.zarr")
    runs.refresh()
    assert_shows(runs["seed 0"], 0)


def test_a_folder_of_other_files_does_not_become_a_store(tmp_path) -> None:
    (tmp_path / "results.csv").write_text("mine")
    with pytest.raises(FileExistsError, match="is no survey"):
        done(jobs(0), tmp_path)
    assert os.listdir(tmp_path) == ["results.csv"]
    with pytest.raises(FileExistsError):
        done(jobs(0), tmp_path / "results.csv")


def test_a_widget_goes_on_where_its_run_is_removed(tmp_path) -> None:
    runs, _ = done(jobs(0, 1), tmp_path / "s.zarr", what=CANVAS_ONLY)
    widget = cw.CanvasWidget(runs)
    try:
        widget.run = "seed 1"
        shutil.rmtree(tmp_path / "s.zarr" / jobs(1)[0].place)
        runs.refresh()
        assert widget.run == "seed 0"
        assert_shows(widget.canvas, 0)
    finally:
        widget.close()


def test_an_estimate_counts_the_jobs_that_the_survey_would_do(tmp_path) -> None:
    store, bad = tmp_path / "s.zarr", Job("bad", inr="tests.surveys.networks:nothing")
    done([bad, *jobs(0)], store)
    for retry, n_pending in ((), 1), ("failed", 2):
        found = cw.surveys.estimate_survey([bad, *jobs(0, 1)], store, ["psnr"], retry=retry)
        assert (found.n_jobs, found.n_pending) == (3, n_pending)
    with pytest.raises(ValueError, match="retry"):
        cw.surveys.estimate_survey(jobs(0), store, ["ssim"])


def test_results_stay_where_their_files_were_removed(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    job = of_file(tmp_path, 0)
    done([job], store)
    (tmp_path / "x.safetensors").unlink()
    for retry in ((), "changed", ("failed", "changed")):
        runs, again = done([job, *jobs(1)], store, retry=retry)
        assert "a" not in again
        assert runs.table.status["a"] == "done"
    assert done([of_file(tmp_path, 1)], store, retry="changed")[1] == ["a"]


def test_runs_of_another_size_are_not_put_into_an_open_widget(tmp_path) -> None:
    def of_size(height: int) -> list[Job]:
        return [Job("a", inr="tests.surveys.networks:ffn_of_size", options={"height": height})]

    store = tmp_path / "s.zarr"
    runs, _ = done(of_size(12), store, what=CANVAS_ONLY)
    done(of_size(14), store, what=CANVAS_ONLY, retry="changed")
    with pytest.raises(SurveyError, match=r"size \(14, 16\).*open the store again"):
        runs.refresh()
    assert cw.open(store)["a"].inr.size == (14, 16)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"memory": "lots"}, "memory='lots'"),
        ({"retry": [["x"]]}, "retry="),
        ({"store": 3}, "store=3"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"progress": 3}, "progress=3"),
    ],
)
def test_wrong_arguments_are_named_before_a_job_starts(tmp_path, wrong: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        cw.survey(jobs(0), **{"store": tmp_path / "s.zarr", "engine": Here(), "what": ["psnr"], **wrong})
    assert not (tmp_path / "s.zarr").exists()
