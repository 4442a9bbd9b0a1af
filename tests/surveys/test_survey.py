"""A survey from its jobs to its table, in this process; what workers and clusters add is tested beside it."""

from __future__ import annotations

import concurrent.futures
import json
import math
import os
import threading

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget import media
from canvaswidget.surveys import InUseError, Job, Survey, SurveyError, engines, performing
from canvaswidget.surveys.measures import checked_what
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import INDEX, read_rows
from tests.surveys.networks import SIZE, ffn, picture

WHAT = {
    "psnr": {},
    "ssim": {},
    "totals": {"accuracy": None},
    "distribution": {"layers": ["net.1"]},
    "canvas": {},
}


class Here(concurrent.futures.Executor):
    """Does a task when it is submitted."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def submit(self, function, task):
        self.tasks.append(task.job["name"])
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.set_result(function(task))
        return future


def jobs(*seeds: int) -> list[Job]:
    return [
        Job(
            f"seed {seed}",
            inr="tests.surveys.networks:ffn",
            options={"seed": seed},
            parameters={"video": "a"},
            seed=seed,
        )
        for seed in seeds
    ]


def done(given, store, **keywords):
    """The survey, and which jobs were done for it."""
    engine = Here()
    runs = cw.survey(given, store, engine, keywords.pop("what", ["psnr"]), progress=False, **keywords)
    return runs, engine.tasks


def test_every_number_is_that_of_the_canvas(tmp_path) -> None:
    runs, _ = done(jobs(0, 1), tmp_path / "s.zarr", what=WHAT)
    assert list(runs) == ["seed 0", "seed 1"]
    for seed in (0, 1):
        inr = ffn(seed)
        canvas, line = cw.trace(inr, progress=False), runs.table.loc[f"seed {seed}"]
        assert line["psnr"] == media.psnr(np.clip(canvas.frame(0), 0, 1), picture())
        assert line["ssim"] == media.ssim(np.clip(canvas.frame(0), 0, 1), picture())
        for layer in canvas.traced_layers:
            summary = canvas.summary(layer, 0)
            np.testing.assert_allclose(line[f"totals.{layer.name}"], summary.total_abs, rtol=1e-6)
            kept = runs[f"seed {seed}"].summary(layer, 0)
            np.testing.assert_array_equal(kept.neuron_abs, summary.neuron_abs)
        spread = cw.analysis.distribution(canvas, "net.1", seed=seed)
        for name, value in spread.numbers().items():
            np.testing.assert_equal(line[f"distribution.{spread.layer.name}.{name}"], value)
        arrays = runs.arrays(f"seed {seed}", f"distribution.{spread.layer.name}.0")
        np.testing.assert_array_equal(arrays["pixels_per_neuron"], spread.pixels_per_neuron)
        assert line["status"] == "done"
        assert line["rule"] == canvas.rule
        assert line["video"] == "a"


def test_what_is_there_is_not_done_again_and_seeds_are_added(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    assert done(jobs(0, 1), store)[1] == ["seed 0", "seed 1"]
    before = {name: (store / name / "zarr.json").stat().st_mtime_ns for name in place_of(store).names()}
    runs, again = done(jobs(0, 1, 2), store)
    assert again == ["seed 2"]
    assert list(runs) == ["seed 0", "seed 1", "seed 2"]
    for name, time in before.items():
        assert (store / name / "zarr.json").stat().st_mtime_ns == time


def test_a_job_that_fails_is_a_row_with_its_error_and_traceback(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    (tmp_path / "damaged.safetensors").write_bytes(b"not weights")
    wrong = [
        Job("raises", inr="tests.surveys.networks:nothing"),
        Job("no file", str(tmp_path / "none.safetensors")),
        Job("damaged", str(tmp_path / "damaged.safetensors")),
        Job("no module", inr="nowhere:nothing"),
        Job("untraceable", inr="tests.surveys.networks:untraceable"),
        Job("frame", inr="tests.surveys.networks:ffn", frames=[3]),
    ]
    runs, _ = done([*wrong, *jobs(0)], store)
    table = runs.table
    assert list(table.status) == ["failed"] * 6 + ["done"]
    assert "there is no such network" in table.error["raises"]
    assert "none.safetensors" in table.error["no file"]
    assert "damaged.safetensors" in table.error["damaged"]
    assert "nowhere" in table.error["no module"]
    assert "CaptureError" in table.error["untraceable"]
    assert "3 is out of range" in table.error["frame"]
    assert set(runs.errors) == {job.name for job in wrong}
    rows = {row["name"]: row for row in read_rows(place_of(store)).values()}
    assert "in nothing" in rows["raises"]["traceback"]
    with pytest.raises(cw.RunError, match="there is no such network"):
        runs["raises"]
    # Failed ones are done again only where that is asked for.
    assert done([*wrong, *jobs(0)], store)[1] == []
    assert done([*wrong, *jobs(0)], store, retry="failed")[1] == [job.name for job in wrong]
    cw.models.save_model(ffn().module, tmp_path / "damaged.safetensors")
    runs, _ = done(wrong, store, retry="failed")
    assert runs.table.status["damaged"] == "done"


def test_a_job_that_is_another_one_now_is_not_taken_for_the_earlier(tmp_path) -> None:
    store, file = tmp_path / "s.zarr", tmp_path / "x.safetensors"
    cw.models.save_model(ffn(0).module, file)
    job = Job("a", str(file))
    before = done([job], store)[0].table.hash["a"]
    for changed, what in ((Job("a", str(file), rule="gated"), ["psnr"]), (job, ["ssim"])):
        with pytest.raises(ValueError, match="results of 'a' from other settings.*retry=\"changed\""):
            done([changed], store, what=what)
    cw.models.save_model(ffn(1).module, file)
    os.utime(file, ns=(1, 1))
    with pytest.raises(ValueError, match="files"):
        done([job], store)
    runs, again = done([job], store, retry="changed")
    assert again == ["a"]
    assert runs.table.hash["a"] != before


def test_a_measurement_that_fails_is_told_and_the_others_go_on(tmp_path) -> None:
    runs, _ = done(jobs(0), tmp_path / "s.zarr", what={"motion": {}, "regions": {"k": 10**6}, "psnr": {}})
    line = runs.table.loc["seed 0"]
    assert line.status == "done"
    assert math.isfinite(line.psnr)
    assert "motion.net.1" in line.trouble or "motion" in line.trouble
    assert "regions" in line.trouble


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("psrn", "what='psrn': expected one of"),
        ([], "what: is empty"),
        ({"totals": {"acuracy": 0.1}}, "has no option 'acuracy'; it has accuracy"),
        ({"cluster": {"k": object()}}, r"what\['cluster'\]\['k'\]"),
        (3, "what=3"),
    ],
)
def test_what_can_not_be_measured_is_said_before_a_job_starts(tmp_path, what, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        done(jobs(0), tmp_path / "s.zarr", what=what)
    assert not (tmp_path / "s.zarr").exists()


def test_options_of_a_finding_are_those_of_its_function() -> None:
    assert checked_what({"faithfulness": {"at_most": 8, "layers": ["net.1"]}}) == {
        "faithfulness": {"at_most": 8, "layers": ["net.1"]}
    }


def test_the_second_of_two_surveys_is_told(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0), store)
    inside, go = threading.Event(), threading.Event()

    def wait(finished: int, planned: int) -> None:
        inside.set()
        assert go.wait(60)

    first = threading.Thread(target=lambda: cw.survey(jobs(0, 1), store, Here(), ["psnr"], progress=wait))
    first.start()
    try:
        assert inside.wait(60)
        with pytest.raises(InUseError, match="another survey is writing"):
            done(jobs(2), store)
    finally:
        go.set()
        first.join()
    assert done(jobs(2), store)[1] == ["seed 2"]


def test_a_survey_that_is_stopped_leaves_a_readable_store_and_goes_on(tmp_path) -> None:
    store = tmp_path / "s.zarr"

    def stop(finished: int, planned: int) -> None:
        if finished == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.survey(jobs(0, 1, 2, 3), store, OneByOne(), ["psnr"], progress=stop)
    assert list(cw.open(store)) == ["seed 0", "seed 1"]
    runs, again = done(jobs(0, 1, 2, 3), store)
    assert again == ["seed 2", "seed 3"]
    assert len(runs) == 4


def test_an_engine_gets_so_many_jobs_at_a_time(tmp_path) -> None:
    engine = Waiting()
    cw.survey(jobs(0, 1, 2, 3, 4), tmp_path / "s.zarr", engine, ["psnr"], workers=2, progress=False)
    assert engine.most == 2


class Waiting(Here):
    """Does a task when its row is asked for, and counts those that were not asked for."""

    under_way = most = 0

    def submit(self, function, task):
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def do():
            self.under_way -= 1
            return function(task)

        return Late(do)


class OneByOne(Here):
    """Does a task when its row is asked for."""

    def submit(self, function, task):
        return Late(lambda: function(task))


class Late:
    """A future as submitit has it: it does not call back."""

    def __init__(self, function) -> None:
        self._function, self.is_cancelled = function, False

    def done(self) -> bool:
        return True

    def result(self):
        assert not self.is_cancelled
        return self._function()

    def cancel(self) -> None:
        self.is_cancelled = True


def test_a_full_disk_is_told_and_the_job_is_done_again_later(tmp_path, monkeypatch) -> None:
    store = tmp_path / "s.zarr"

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(performing, "put_group", full)
        with pytest.warns(
            UserWarning, match="1 jobs are not in the store, such as 'seed 0': .*No space left"
        ):
            runs, _ = done(jobs(0), store)
    assert len(runs) == 0  # nothing could be written
    assert [one for one in os.listdir(store) if one.startswith(".partial")] == []
    runs, again = done(jobs(0), store)
    assert again == ["seed 0"]
    assert runs.table.status["seed 0"] == "done"


@pytest.mark.parametrize(
    ("visible", "count", "expected"),
    [(None, 2, ["0", "1"]), ("3,5", 2, ["3", "5"]), ("GPU-8a,GPU-9b", 2, ["GPU-8a", "GPU-9b"]), ("", 0, [])],
)
def test_workers_use_the_gpus_that_this_process_may_use(monkeypatch, visible, count, expected) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert engines.gpus() == expected
    assert engines.Processes.shares(None, 100)[0] == (count or min(100, engines._n_cores()))


def test_the_index_is_only_a_copy(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    runs, _ = done(jobs(0, 1, 2), store)
    expected = runs.table
    (store / INDEX).write_text("{damaged")
    assert cw.open(store).table.equals(expected)
    (store / INDEX).unlink()
    assert cw.open(store).table.equals(expected)
    for name in place_of(store).names()[:1]:
        os.rename(store / name, tmp_path / "removed")
    assert len(cw.open(store)) == 2


def test_a_damaged_store_or_another_folder_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        Survey(tmp_path / "none.zarr")
    store = tmp_path / "s.zarr"
    done(jobs(0), store)
    root = json.loads((store / "zarr.json").read_text())
    root["attributes"]["canvaswidget_survey"]["format"] = 99
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(SurveyError, match="format 99"):
        cw.open(store)
    other = tmp_path / "other"
    (other / "folder").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is no survey"):
        done(jobs(0), other)


def test_a_group_that_is_not_whole_is_no_run_and_is_done_again(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0, 1), store)
    (store / INDEX).unlink()
    (store / jobs(0)[0].place / "zarr.json").write_text('{"zarr_format": 3, "attr')
    assert list(cw.open(store)) == ["seed 1"]
    runs, again = done(jobs(0, 1), store)
    assert again == ["seed 0"]
    assert list(runs) == ["seed 0", "seed 1"]


def test_runs_are_chosen_by_their_parameters(tmp_path) -> None:
    runs, _ = done(jobs(0, 1, 2), tmp_path / "s.zarr")
    assert list(runs.where(seed=1)) == ["seed 1"]
    assert list(runs.where(seed=[0, 2], video="a")) == ["seed 0", "seed 2"]
    assert list(runs.where(seed=[0, 2]).where(seed=2)) == ["seed 2"]
    with pytest.raises(ValueError, match="there is no such run"):
        runs.where(seed=7)
    with pytest.raises(ValueError, match="is no column"):
        runs.where(sed=7)


def test_numbers_of_different_rules_are_not_compared(tmp_path) -> None:
    given = [
        Job(rule, inr="tests.surveys.networks:ffn", rule=rule, parameters={"video": "a"})
        for rule in ("xinc", "gated")
    ]
    runs, _ = done(given, tmp_path / "s.zarr", what=["psnr", "totals"])
    assert runs.compare("psnr", by="rule").groups[0].n_runs == 1
    layer = runs.findings[1].removeprefix("totals.")
    for ask in (lambda: runs.finding("totals"), lambda: runs.compare(f"totals.{layer}")):
        with pytest.raises(ValueError, match=r"different rules.*where\(rule="):
            ask()
    assert runs.where(rule="gated").compare(f"totals.{layer}").groups[0].n_runs == 1


def test_runs_that_were_measured_otherwise_do_not_come_into_one_store(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0), store, what={"distribution": {}})
    with pytest.raises(ValueError, match="'seed 0'.*can't be compared"):
        done(jobs(1), store, what={"distribution": {"as_released": True}})
    done(jobs(1), store, what={"distribution": {}, "psnr": {}})


def test_new_runs_are_seen_after_a_refresh(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    runs, _ = done(jobs(0), store)
    some = runs.where(video="a")
    done(jobs(0, 1), store)
    assert runs.refresh() == ["seed 1"]
    assert list(some.refresh()) == ["seed 1"]
    assert list(runs) == ["seed 0", "seed 1"]


def test_findings_have_means_intervals_and_plots(tmp_path) -> None:
    runs, _ = done(jobs(0, 1, 2), tmp_path / "s.zarr", what=WHAT)
    psnr = runs.finding("psnr")
    assert psnr.mean()["psnr"].n == 3
    psnr.plot()
    layer = next(iter(runs["seed 0"].traced_layers)).name
    spread = runs.finding("distribution." + cw.trace(ffn(), progress=False).layers.find("net.1").name)
    assert "pixels_per_neuron" in spread.names
    assert runs.compare(f"totals.{layer}").groups[0].n_runs == 3
    with pytest.raises(ValueError, match="was not measured; there are"):
        runs.finding("distribution.net.9")


def test_the_widget_steps_through_the_runs_without_a_model(tmp_path) -> None:
    runs, _ = done(jobs(0, 1), tmp_path / "s.zarr", what=["canvas"])
    widget = cw.CanvasWidget(cw.open(tmp_path / "s.zarr"))
    try:
        assert widget.run == "seed 0"
        widget.run = "seed 1"
        np.testing.assert_array_equal(widget.canvas.frame(0), runs["seed 1"].frame(0))
        assert widget.canvas.inr.size == SIZE
    finally:
        widget.close()
