"""A page that keeps several runs: as the kernel answers for each, the same neurons of one network, in one budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.exports import page_budget
from canvaswidget.exports.page_budget import even_runs
from canvaswidget.kernel import requests
from canvaswidget.models import FFN, SIREN
from tests.exports.saved_page import Saved

SIZE = (6, 5)
STEPS = (0, 10, 200)


def network(seed: int = 0, hidden: int = 8, kind: Any = FFN, truth: bool = True) -> cw.INR:
    torch.manual_seed(seed)
    signal = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    return cw.as_inr(kind(hidden=hidden, size=SIZE), truth=signal if truth else None)


@pytest.fixture
def training() -> cw.Runs:
    weights = {step: dict(network(step).module.state_dict()) for step in STEPS}
    return cw.Runs.from_checkpoints(network(99), weights, rule="gated")


def kernel(w: cw.CanvasWidget, run: Any, **body: Any) -> tuple[Any, np.ndarray]:
    answer, data = w._live.call(lambda report: requests.answer(w._live.of(run), body, report))
    return answer, np.frombuffer(data, np.uint8)


def test_each_run_is_kept_as_the_kernel_answers_for_it(widgets, training, tmp_path: Path) -> None:
    w = widgets(training, run=10, neuron=3, n_clusters=2)
    written = w.save(tmp_path / "a.html", runs="all", neurons=2, progress=False)
    saved = Saved(tmp_path / "a.html")
    assert written.runs == STEPS
    assert written.bytes == (tmp_path / "a.html").stat().st_size
    assert saved.whole["state"]["run"] == 10
    assert [run["key"] for run in saved.whole["state"]["_runs"]] == list(STEPS) == list(saved.baked)
    assert {run["group"] for run in saved.whole["state"]["_runs"]} == {0}
    first = saved.baked[0]["info"]["saved"]
    for run, baked in saved.baked.items():
        assert baked["info"]["saved"] == first  # the same neurons, whose maps can be followed
        assert baked["info"]["run"] == run
        _, data = kernel(w, run, kind="frame", time=0, source="reconstruction")
        np.testing.assert_array_equal(saved.array(baked["pictures"]["reconstruction"]).ravel(), data)
        for one in baked["selections"]:
            chosen = {
                "neurons": [],
                "n_clusters": 2,
                **{name: one[name] for name in ("layer", "neuron", "cluster")},
            }
            answer, _ = kernel(w, run, kind="map", time=0, selection=chosen)
            assert one["totals"][0] == pytest.approx(answer["total"], rel=1e-4)
            assert one["high"][0][0] == pytest.approx(answer["high"], rel=1e-4, abs=1e-7)
        for known in baked["clusters"]:
            layer = known["answer"]["layer"]
            answer, labels = kernel(w, run, kind="clusters", time=0, layer=layer, n_clusters=2)
            assert known["answer"]["counts"] == answer["counts"]
            np.testing.assert_array_equal(saved.array(known["data"]), labels)
    assert len({one["psnr"][0] for one in saved.baked.values()}) == 3
    assert "the runs 0, 10, 200" in saved.whole["needs"]["runs"]
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "It keeps all 3 runs, " in text
    assert "run=10" in saved.whole["recipe"]
    assert len(saved.texts) == len(saved.whole["arrays"])


def test_the_run_that_is_shown_is_kept_whatever_is_asked_for(widgets, training, tmp_path: Path) -> None:
    w = widgets(training)
    w.save(tmp_path / "a.html", runs=[0], neurons=1, progress=False)
    assert list(Saved(tmp_path / "a.html").baked) == [0, 200]
    assert "runs 0, 200 of 3 runs" in (tmp_path / "a.html").read_text(encoding="utf-8")
    w.compare = 10
    assert w.estimate_page(runs=[0], neurons=1, progress=False).runs == STEPS
    w.compare = None
    for runs, error, what in (
        ([7], KeyError, "run=7"),
        ([], ValueError, "at least one"),
        (10, TypeError, "runs=10"),
    ):
        with pytest.raises(error, match=what):
            w.save(tmp_path / "b.html", runs=runs)
    with pytest.raises(ValueError, match="this widget shows one network"):
        widgets(network()).estimate_page(runs=[0])
    assert not (tmp_path / "b.html").exists()


def test_networks_of_other_layers_keep_their_own(widgets, tmp_path: Path) -> None:
    runs = cw.Runs({"one": network(1), "siren": network(3, 5, SIREN, truth=False)}, rule="gated")
    w = widgets(runs, run="one", neuron=7)
    w.save(tmp_path / "a.html", neurons=2, progress=False)
    alone = Saved(tmp_path / "a.html")
    assert list(alone.baked) == ["one"]  # names are no training: nobody has asked for the other
    assert "the maps of one run" in alone.whole["needs"]["runs"]
    assert "one of 2 runs" in (tmp_path / "a.html").read_text(encoding="utf-8")
    w.save(tmp_path / "a.html", runs="all", neurons=2, progress=False)
    saved = Saved(tmp_path / "a.html")
    assert {run["group"] for run in saved.whole["state"]["_runs"]} == {None}
    for run, baked in saved.baked.items():
        layers = [layer.name for layer in runs[run].traced_layers]
        assert (
            [layer["name"] for layer in baked["info"]["layers"]]
            == layers
            == list(baked["info"]["saved"]["neurons"])
        )
        assert baked["info"]["has_truth"] == ("truth" in baked["pictures"]) == (run == "one")
    assert [7] in saved.baked["one"]["info"]["saved"]["neurons"][w.layer]
    first = w.canvas.traced_layers[0].name
    with pytest.raises(ValueError, match=f"layers: run 'siren' has none of {first}; leave out"):
        w.save(tmp_path / "a.html", runs="all", layers=[first], progress=False)


def test_a_training_keeps_as_many_runs_as_fit(widgets, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {step: dict(network(step).module.state_dict()) for step in range(9)}
    w = widgets(cw.Runs.from_checkpoints(network(99), weights, rule="gated"), run=3)
    estimate = w.estimate_page(neurons=1, progress=False)
    assert estimate.runs == tuple(range(9))
    assert "0, 1, … 8" in repr(estimate)
    one = w.estimate_page(runs=[3], neurons=1, progress=False)
    size = one.bytes - page_budget.overhead()
    monkeypatch.setattr(page_budget, "overhead", lambda: 2**20 - int(4.5 * size))
    few = w.estimate_page(neurons=1, budget="1 MiB", progress=False)
    assert few.fits
    assert 2 <= len(few.runs) < 9
    assert {3, 8} <= set(few.runs)
    monkeypatch.setattr(page_budget, "MOST_RUNS", 2)
    assert w.estimate_page(neurons=1, progress=False).runs == (3, 8)
    monkeypatch.setattr(page_budget, "overhead", lambda: 2**20 - 1000)
    with pytest.raises(ValueError, match=r"fewer runs \(runs=\[8\]\)"):
        w.estimate_page(neurons=8, runs="all", budget="1 MiB", progress=False)


def test_a_run_that_cant_be_made_is_left_out_unless_it_is_asked_for(widgets, tmp_path: Path) -> None:
    weights: Any = {step: dict(network(step).module.state_dict()) for step in (1, 3)}
    weights[2] = str(tmp_path / "gone.safetensors")
    w = widgets(cw.Runs.from_checkpoints(network(), weights, rule="gated"))
    assert w.estimate_page(neurons=1, progress=False).runs == (1, 3)
    with pytest.raises(cw.RunError, match="run 2"):
        w.estimate_page(neurons=1, runs=[1, 2], progress=False)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 13])
def test_runs_are_even_with_the_shown_and_the_last(count: int) -> None:
    keys = list(range(0, 130, 10))
    for shown in keys:
        runs = even_runs(keys, shown, count)
        assert len(set(runs)) == count == len(runs)
        assert runs == sorted(runs)
        assert shown in runs
        assert count == 1 or 120 in runs
