"""What is measured of a job: its frames, layers and a user's own numbers, each under its own name."""

from __future__ import annotations

import os

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget import media
from canvaswidget.surveys import Job
from canvaswidget.surveys.measures import checked_what
from tests.surveys.networks import ffn
from tests.surveys.test_survey import done, jobs

HERE = "tests.surveys.networks"


def test_the_last_frame_is_minus_one_and_each_counts_once(tmp_path) -> None:
    named = {"inr": f"{HERE}:video"}
    given = [Job("all", **named, frames=[0, 2]), Job("odd", **named, frames=[-1, 0, 2, 0])]
    runs, _ = done(
        given, tmp_path / "s.zarr", what={"totals": {"accuracy": None}, "distribution": {}, "canvas": {}}
    )
    table = runs.table
    labels = [name for name in table if name.startswith(("totals.", "distribution."))]
    assert labels
    for label in labels:
        np.testing.assert_allclose(table.loc["odd", label], table.loc["all", label], rtol=1e-6)
    layer = runs.findings[0]
    np.testing.assert_array_equal(
        runs.arrays("odd", f"{layer}.2")["neuron_abs"], runs.arrays("all", f"{layer}.2")["neuron_abs"]
    )
    with pytest.raises(KeyError):
        runs.arrays("odd", f"{layer}.-1")
    assert list(runs["odd"].frames) == [0, 2]


def test_one_layer_may_have_two_names(tmp_path) -> None:
    layers = {"first": "net.1", "same": "net.1.linear"}
    runs, _ = done(jobs(0), tmp_path / "s.zarr", what={"totals": {"layers": layers, "accuracy": None}})
    expected = cw.trace(ffn(0), progress=False).summary("net.1", 0).total_abs
    for name in layers:
        assert runs.table.loc["seed 0", f"totals.{name}"] == pytest.approx(expected, rel=1e-6)


def test_own_numbers_do_not_take_the_name_of_others() -> None:
    for what in ({f"{HERE}:psnr": {}, "psnr": {}}, [f"{HERE}:psnr"], [f"{HERE}:counted", "other:counted"]):
        with pytest.raises(ValueError, match="numbers are called"):
            checked_what(what)
    assert list(checked_what([f"{HERE}:counted", "psnr"])) == [f"{HERE}:counted", "psnr"]


@pytest.mark.parametrize("kind", ["raises", "returns a number"])
def test_own_measurements_that_fail_leave_the_others(tmp_path, kind: str) -> None:
    runs, _ = done(jobs(0), tmp_path / "s.zarr", what={f"{HERE}:wrong": {"kind": kind}, "psnr": {}})
    line = runs.table.loc["seed 0"]
    assert (line.status, np.isfinite(line.psnr)) == ("done", True)
    assert ("no such thing" if kind == "raises" else "expected numbers by name") in line.trouble


def test_runs_are_chosen_by_any_collection_of_values(tmp_path) -> None:
    runs, _ = done(jobs(0, 1, 2), tmp_path / "s.zarr")
    for some in ([0, 2], (0, 2), {0, 2}, np.array([0, 2]), range(0, 3, 2)):
        assert list(runs.where(seed=some)) == ["seed 0", "seed 2"]
    assert list(runs.where(psnr=runs.table.psnr["seed 1"])) == ["seed 1"]
    assert list(runs.where(video=["a", None])) == list(runs)


def test_runs_of_an_unknown_video_are_not_taken_for_runs_of_one(tmp_path) -> None:
    (known,) = jobs(0)
    other = Job("b", inr=known.inr, options={"seed": 1})
    runs, _ = done([known, other], tmp_path / "s.zarr")
    with pytest.raises(ValueError, match="run 'b' has no value"):
        runs.compare("psnr")
    assert runs.where(video="a").compare("psnr").groups[0].n_runs == 1
    with pytest.raises(TypeError, match="a Series"):
        runs.compare(np.zeros(2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="holds texts"):
        runs.compare("status", video="seed")


def test_one_channel_is_compared_with_each_of_the_others(tmp_path) -> None:
    given = [
        Job(f"{channels}, {truth}", inr=f"{HERE}:ffn_of", options={"channels": channels, "truth": truth})
        for channels, truth in ((3, 1), (1, 3), (1, 1))
    ]
    runs, _ = done(given, tmp_path / "s.zarr", what=["psnr", "ssim"])
    for job in given:
        inr = job.make()
        assert inr.truth is not None
        shown = np.clip(cw.trace(inr, progress=False).frame(0), 0, 1)
        error = ((shown.astype(float) - inr.truth[0]) ** 2).mean()
        assert runs.table.psnr[job.name] == pytest.approx(-10 * np.log10(error))
        assert np.isfinite(runs.table.ssim[job.name])


def test_parameters_do_not_take_the_columns_of_what_is_measured(tmp_path) -> None:
    (job,) = jobs(0)
    with pytest.raises(ValueError, match=r"'totals\.net\.1' is named as a column"):
        done([Job("a", inr=job.inr, parameters={"totals.net.1": 3})], tmp_path / "s.zarr", what=["totals"])
    assert not (tmp_path / "s.zarr").exists()


def test_maps_of_chosen_neurons_travel(tmp_path) -> None:
    runs, _ = done(jobs(0), tmp_path / "one.zarr", what={"canvas": {"maps": {"net.1": 3}}})
    assert "maps['net.1']=3: expected a sequence of units" in runs.table.trouble["seed 0"]
    for maps in ({"net.1": [3, 5]}, 2, "all"):
        store = tmp_path / f"{len(os.listdir(tmp_path))}.zarr"
        runs, _ = done(jobs(0), store, what={"canvas": {"maps": maps}})
        assert runs.table.trouble["seed 0"] == ""
        if isinstance(maps, dict):
            layer = runs["seed 0"].layers.find("net.1")
            expected = cw.trace(ffn(0), progress=False).map("net.1", 3, 0)
            np.testing.assert_allclose(runs["seed 0"].map(layer, 3, 0), expected, atol=1e-3)


def test_ssim_refuses_pictures_of_8_bits() -> None:
    with pytest.raises(ValueError, match=r"expected pictures in \[0, 1\]"):
        media.ssim(np.full((12, 12), 200), np.full((12, 12), 100))


def test_quantised_copies_are_measured(tmp_path) -> None:
    what = {
        "quantisation": {"bits": [4, 2], "layers": ["head_layer"], "channels": 0, "frames": [1]},
        "rate_distortion": {"bits": [3], "shares": [0.5], "rules": ["xinc"], "seeds": [0], "frames": [1]},
    }
    job = Job("a", inr=f"{HERE}:video")
    runs, _ = done([job], tmp_path / "s.zarr", what=what)
    line, inr = runs.table.loc["a"], job.make()
    assert line.trouble == ""
    found = cw.analysis.quantisation(
        cw.trace(inr, progress=False), [4, 2], layers=["head_layer"], channels=0, frames=[1]
    )
    assert found.joint_psnr[0] < 60
    assert line["quantisation.psnr_4_bits"] == pytest.approx(found.joint_psnr[0], abs=1e-2)
    stored = runs.arrays("a", "quantisation")
    np.testing.assert_allclose(stored["joint_error"], found.joint_error, rtol=1e-3)
    target = inr.frame(1) if inr.truth is None else inr.truth[1]
    expected = media.psnr(cw.quantise(inr, 3).frame(1).clip(0, 1), target.clip(0, 1))
    assert line["rate_distortion.psnr_3_bits"] == pytest.approx(expected, abs=1e-2)
    with pytest.raises(ValueError, match="has no option 'refit'"):
        checked_what({"rate_distortion": {"refit": "x"}})
