"""What leaves a widget of several networks: recipes, figures, animations and data say which run they are of."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.exports import animation
from canvaswidget.exports.export_file import export_file
from canvaswidget.exports.over_runs import frame_of
from canvaswidget.kernel import requests, similarity
from canvaswidget.models import FFN, SIREN
from canvaswidget.widget.widget import CanvasWidget
from tests.exports.saved_page import Saved

pytestmark = pytest.mark.usefixtures("unbuilt")

SIZE = (6, 5)
STEPS = (0, 10, 200)


def network(seed: int = 0, hidden: int = 8, kind: Any = FFN) -> cw.INR:
    torch.manual_seed(seed)
    truth = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    return cw.as_inr(kind(hidden=hidden, size=SIZE), truth=truth)


@pytest.fixture
def training() -> cw.Runs:
    weights = {step: dict(network(step).module.state_dict()) for step in STEPS}
    return cw.Runs.from_checkpoints(network(99), weights, rule="gated")


@pytest.fixture
def mixed() -> cw.Runs:
    """Two seeds of one architecture, and another one with fewer layers."""
    runs = {"one": network(1), "two": network(2), "siren": network(3, 5, SIREN)}
    return cw.Runs(runs, rule="gated")


def again(w: CanvasWidget, widgets: Any, **known: Any) -> CanvasWidget:
    """The widget that its recipe makes."""
    names: dict[str, Any] = {**known, "widgets": widgets}
    exec(w.recipe().replace("cw.CanvasWidget", "widgets"), names)
    return names["w"]


def shown(w: CanvasWidget) -> dict[str, Any]:
    return {name: getattr(w, name) for name in w.VIEW}


# --- recipes and data ---------------------------------------------------------------------------------------


def test_a_recipe_says_the_run_and_makes_an_equal_view(widgets, mixed) -> None:
    w = widgets(mixed, run="two", neuron=3, maps="signed")
    text = w.recipe()
    assert (
        "# runs: 3 networks, 'one', 'two', 'siren': an image of 6x5 each. Make or load them here.\n" in text
    )
    assert "CanvasWidget(\n    runs,\n    rule='gated',\n    run='two',\n" in text
    second = again(w, widgets, runs=mixed)
    assert shown(second) == shown(w)
    assert second.recipe() == text
    w.rule, w.run = "ablation", "siren"
    second = again(w, widgets, runs=mixed)
    assert shown(second) == shown(w)
    assert (second.canvas.rule, second.run) == ("ablation", "siren")


def test_steps_are_said_shortly_and_the_demos_training_by_its_name(widgets, training) -> None:
    assert "# runs: 3 networks, steps 0, 10, 200: an image of 6x5 each." in widgets(training).recipe()
    many = {step: dict(network(1).module.state_dict()) for step in range(0, 900, 100)}
    runs = cw.Runs.from_checkpoints(network(), many, rule="gated")
    assert "# runs: 9 networks, steps 0, 100, 200, ..., 800: " in widgets(runs).recipe()
    runs = cw.demo.training(rule="gated", device=torch.device("cpu"))
    assert runs.origin == "cw.demo.training(rule='gated', device='cpu')"
    w = widgets(runs, run=112)
    assert (
        "import canvaswidget as cw\n\nw = cw.CanvasWidget(\n    cw.demo.training(rule='gated'" in w.recipe()
    )
    second = again(w, widgets)
    assert shown(second) == shown(w)


def test_one_network_has_no_run_in_its_recipe(widgets) -> None:
    assert "run" not in widgets(network()).recipe()


def test_data_and_names_of_files_say_the_run(widgets, training, tmp_path: Path) -> None:
    w = widgets(training, run=10)
    w.save_data(tmp_path / "a.npz", progress=False)
    found = np.load(tmp_path / "a.npz")
    assert "run = 10" in found["about"]
    np.testing.assert_allclose(found["frame"], training[10].frame(0), atol=1e-6)
    for table in ("pixel", "neurons", "time"):
        w.save_data(tmp_path / "a.csv", table, progress=False)
        head, *lines = csv.reader((tmp_path / "a.csv").read_text().splitlines())
        assert (head[0], {line[0] for line in lines}) == ("run", {"10"})
    body: Any = {"form": "csv", "first": 0, "last": -1, "table": "neurons", "panels": []}
    view = w._exported()
    reply, _ = w._live.call(lambda report: export_file(view, w._live.cached, body, report))
    assert reply["name"] == f"{w.inr.name}_run_10_{w.layer}_{w.neuron}_{w.rule}_frame_0.csv"
    other = widgets(network())
    other.save_data(tmp_path / "a.csv", progress=False)
    assert (tmp_path / "a.csv").read_text().startswith("layer,neuron,")


# --- figures and animations ---------------------------------------------------------------------------------


def largest(runs: cw.Runs, keys: Any, layer: str, neuron: int) -> float:
    return max(float(np.abs(runs[key].map(layer, neuron)).max()) for key in keys)


def test_a_figure_has_a_column_a_run_on_one_scale(widgets, training) -> None:
    w = widgets(training, neuron=3)
    figure = w.figure(runs="all")
    *axes, bar = figure.subfigs[0].axes
    assert [ax.get_title(loc="left").split(",")[0] for ax in axes] == ["step 0", "step 10", "step 200"]
    assert all("dB" in ax.get_title(loc="left") for ax in axes)
    expected = largest(training, STEPS, w.layer, 3)
    for ax, key in zip(axes, STEPS, strict=True):
        picture, shown = ax.images
        colours = np.clip(training[key].frame(0), 0, 1)
        grey = colours @ np.array([0.2126, 0.7152, 0.0722])
        faded = colours + 0.75 * 0.8 * (grey[..., None] - colours)  # under a map of an opacity of 0.8
        np.testing.assert_allclose(picture.get_array(), faded, atol=1e-6)
        np.testing.assert_allclose(
            shown.get_array(), np.abs(training[key].map(w.layer, 3)), rtol=1e-4, atol=1e-6
        )
        assert (shown.norm.vmin, shown.norm.vmax) == pytest.approx((0, expected), rel=1e-5)
    assert bar.get_ylim() == pytest.approx((0, expected), rel=1e-5)
    assert bar.get_ylabel() == "contribution, magnitude\n(raw level)"
    title = figure.get_suptitle()
    assert "step" not in title
    assert "dB" not in title
    words = figure.words
    assert "Frames of 3 runs with" in words
    assert "on one scale up to" in words
    w.run = 0
    assert largest(training, [0], w.layer, 3) < expected  # a scale of its own would be another one
    alone, _ = w.figure(runs=[0, 0]).subfigs[0].axes
    assert alone.images[1].norm.vmax == pytest.approx(largest(training, [0], w.layer, 3), rel=1e-5)


def test_a_cluster_is_followed_through_the_runs_by_its_neurons(widgets, training, mixed) -> None:
    """Each run has clusters of its own, that only share numbers."""
    w = widgets(training, run=10, n_clusters=3, neuron=None, cluster=1)
    found = w._live.call(
        lambda report: similarity.clusters(w._live.cached, w._live.cached.layers.find(w.layer), 3, 0, report)
    )
    some = np.flatnonzero(found.labels == 1)
    *axes, _ = w.figure(runs="all").subfigs[0].axes
    for ax, key in zip(axes, STEPS, strict=True):
        expected = np.abs(training[key].maps(w.layer, some, rgb="each")).sum((0, 3))
        np.testing.assert_allclose(ax.images[1].get_array(), expected, rtol=1e-4, atol=1e-6)
    w = widgets(mixed, run="one", n_clusters=3, neuron=None, cluster=1)
    one, two, *_ = w.figure(runs=["one", "two"]).subfigs[0].axes
    assert (one.get_xlabel(), len(one.images)) == ("", 2)
    assert (two.get_xlabel(), len(two.images)) == ("cluster 1 is of another run", 1)


def test_a_run_without_the_selection_says_so(widgets, mixed, tmp_path: Path) -> None:
    w = widgets(mixed, run="one", neuron=7)
    figure = w.figure(runs=["siren", "two"])
    siren, two, _ = figure.subfigs[0].axes
    said = " ".join(siren.get_xlabel().split())
    assert said == f"layer {w.layer} has no neuron 7"
    assert (len(siren.images), len(two.images)) == (1, 2)
    assert said in figure.words
    w.ablated = {w.layer: [7]}
    (one,) = w.figure(runs=["siren"]).subfigs[0].axes
    assert "has no neuron 7" in " ".join(one.get_xlabel().split())
    w.neuron, w.source = 2, "error"
    *axes, bar = w.figure(runs="all").subfigs[0].axes
    assert bar.get_ylabel() == "absolute error\n(raw level)"
    assert len({ax.images[0].norm.vmax for ax in axes}) == 1
    w.save(tmp_path / "a.svg", runs="all", panels=["pixel", "frame"])
    assert "Frames of 3 runs: one" in (tmp_path / "a.svg").read_text()
    assert "Strongest neurons" in (tmp_path / "a.svg").read_text()


def test_a_run_that_cant_be_made_is_a_column_in_words(widgets, tmp_path: Path) -> None:
    weights: Any = {1: dict(network(1).module.state_dict()), 2: str(tmp_path / "gone.safetensors")}
    w = widgets(cw.Runs.from_checkpoints(network(), weights, rule="gated"))
    one, two, _ = w.figure(runs="all").subfigs[0].axes
    assert not one.get_xlabel()
    assert "gone.safetensors" in two.get_xlabel().replace("\n", "")
    w.animation(tmp_path / "a.gif", runs="all", progress=False)


def test_many_runs_stand_in_lines(widgets) -> None:
    weights = {step: dict(network(1).module.state_dict()) for step in range(13)}
    w = widgets(cw.Runs.from_checkpoints(network(), weights, rule="gated"))
    figure = w.figure(runs="all", width=6.6)
    figure.draw_without_rendering()
    *axes, _ = figure.subfigs[0].axes
    assert len(axes) == 13
    places = {round(ax.get_position().y0, 2) for ax in axes}
    assert len(places) == 3
    assert w.figure(runs="all", width=1.5).get_figheight() < 45


@pytest.mark.parametrize(
    ("runs", "error", "what"),
    [
        ([7], KeyError, "run=7: there is no such run"),
        ([], ValueError, "at least one"),
        (10, TypeError, "runs=10: expected a list"),
        ([None], TypeError, "runs=None: expected keys"),
        ("nix", TypeError, "runs='nix'"),
    ],
)
def test_runs_that_are_none(widgets, training, tmp_path: Path, runs: Any, error: Any, what: str) -> None:
    w = widgets(training)
    with pytest.raises(error, match=what):
        w.figure(runs=runs)
    with pytest.raises(error, match=what):
        w.animation(tmp_path / "a.gif", runs=runs)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_go_with_runs(widgets, training, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="runs='all': this widget shows one network"):
        widgets(network()).figure(runs="all")
    w = widgets(training)
    with pytest.raises(ValueError, match="panels='pixel': runs stand side by side"):
        w.figure("pixel", runs="all")
    with pytest.raises(TypeError, match="first and last would be of an animation through frames"):
        w.animation(tmp_path / "a.gif", 0, 0, runs="all")


def test_an_animation_along_the_runs_is_on_one_scale_with_words_under_each(
    widgets, training, tmp_path: Path
) -> None:
    w = widgets(training, neuron=3)
    told: list[tuple[int, int]] = []
    w.animation(tmp_path / "a.gif", runs="all", progress=lambda *done: told.append(done))
    assert told[-1][1] == 6
    found = iio.imread(tmp_path / "a.gif", plugin="pillow", index=...)
    assert found.shape == (3, 480 + animation.STRIP, 400, 3)
    strips = found[:, 480:]
    assert all(strip.max() > 200 > 60 > np.median(strip) for strip in strips)
    assert all((strips[0] != other).any() for other in strips[1:])
    top = largest(training, STEPS, w.layer, 3)
    for picture, key in zip(found, STEPS, strict=True):
        view = frame_of(w._exported(), key, lambda *_: None).view
        expected = animation.painted(view, top).repeat(80, 0).repeat(80, 1)
        assert np.abs(picture[:480].astype(int) - expected).mean() < 6  # a GIF has 256 colours


def test_words_are_as_large_as_fits() -> None:
    picture = np.zeros((40, 200, 3), np.uint8)
    for words in ("run 5", "run 5, 31.2 dB - layer decoder.3 has no neuron 7", "x" * 500):
        with_words = animation.with_words(picture, words)
        assert with_words.shape == (40 + animation.STRIP, 200, 3)
        assert not with_words[:40].any()


def test_names_of_runs_are_text_wherever_they_stand(widgets, tmp_path: Path) -> None:
    name = "=a\n</script><b>$x$ é"
    w = widgets(cw.Runs({name: network(1), "b": network(2)}, rule="gated"))
    assert w.run == name
    second = again(w, widgets, runs=cw.Runs({name: network(1), "b": network(2)}, rule="gated"))
    assert second.run == name
    w.animation(tmp_path / "a.gif", runs="all", progress=False)
    w.figure(runs="all").draw_without_rendering()
    w.save_data(tmp_path / "a.csv", progress=False)
    _, line, *_ = csv.reader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8")))
    assert line[0] == f"'{name}"  # no formula
    w.save(tmp_path / "a.html", runs="all", neurons=1, progress=False)
    page = Saved(tmp_path / "a.html")
    assert list(page.baked) == [name, "b"]
    assert "</script><b>" not in (tmp_path / "a.html").read_text(encoding="utf-8")


# --- saved canvases -----------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> cw.Runs:
    """Two seeds, saved whole, and opened without their networks."""
    for name, seed in (("a", 1), ("b", 2)):
        cw.trace(network(seed), "gated").save(tmp_path / f"{name}.zarr", maps="all", progress=False)
    return cw.Runs({name: str(tmp_path / f"{name}.zarr") for name in "ab"})


def test_saved_canvases_are_runs_that_answer(widgets, saved) -> None:
    w = widgets(saved, neuron=3)
    assert w.run == "a"
    assert not w.canvas.has_model
    layer = w.layer
    for run, seed in (("b", 2), ("a", 1)):
        w.run = run
        assert (w.layer, w.neuron) == (layer, 3)
        expected = cw.trace(network(seed), "gated")
        body: Any = {"kind": "frame", "run": run, "time": 0, "source": "reconstruction"}
        _, data = w._live.call(lambda report, body=body: requests.answer(w._live.cached, body, report))
        picture = np.frombuffer(data, np.uint8).reshape(*SIZE, 3)
        assert np.abs(picture - 255 * np.clip(expected.frame(0), 0, 1)).max() <= 1
        chosen = {"layer": layer, "neuron": [3], "neurons": [], "cluster": -1, "n_clusters": 6}
        body = {"kind": "map", "run": run, "rule": "gated", "time": 0, "selection": chosen}
        answer, _ = w._live.call(lambda report, body=body: requests.answer(w._live.cached, body, report))
        total = np.abs(expected.map(layer, 3, rgb="each")).sum()
        assert answer["total"] == pytest.approx(total, rel=0.02)  # saved in half precision


def test_saved_canvases_are_exported(widgets, saved, tmp_path: Path) -> None:
    w = widgets(saved, run="b", neuron=3)
    second = again(w, widgets, runs=saved)
    assert shown(second) == shown(w)
    assert "rule=" not in w.recipe()
    *axes, _ = w.figure(runs="all").subfigs[0].axes
    assert [ax.get_title(loc="left").split(",")[0] for ax in axes] == ["a", "b"]
    assert [len(ax.images) for ax in axes] == [2, 2]
    w.animation(tmp_path / "a.gif", runs="all", progress=False)
    w.save_data(tmp_path / "a.csv", progress=False)
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith("b,")
    written = w.save(tmp_path / "a.html", runs="all", neurons=1, progress=False)
    page = Saved(tmp_path / "a.html")
    assert list(page.baked) == ["a", "b"] == list(written.runs)
    for run, seed in (("a", 1), ("b", 2)):
        levels = page.array(page.baked[run]["pictures"]["reconstruction"])[0]
        assert np.abs(levels - 255 * np.clip(cw.trace(network(seed), "gated").frame(0), 0, 1)).max() <= 1


def test_a_recipe_says_what_a_run_is_compared_with(widgets, mixed) -> None:
    w = widgets(mixed, run="one", neuron=3, compare="two", comparison="wipe")
    second = again(w, widgets, runs=mixed)
    assert shown(second) == shown(w)
    assert "compare='two',\n    comparison='wipe'" in w.recipe()
