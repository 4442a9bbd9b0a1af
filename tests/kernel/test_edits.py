"""Neurons that are scaled: what may be set, what the page is answered, and how it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.kernel import ablation
from canvaswidget.kernel.quantise import colours
from tests.canvases import image, video
from tests.kernel.page import Page

pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_the_picture_is_that_of_a_copy_whose_weights_are_scaled(pages, canvas: cw.Canvas, rule: str) -> None:
    page = pages(canvas.under(rule))
    second, last = canvas.layers[1].name, canvas.layers[-1].name
    scaled = {second: {(0, 3): 0.5, (2, 1): -1.0}, last: {(1, 0): 2.0}}
    copy = cw.edited(canvas.inr, {**scaled, last: {**scaled[last], (1, 1): 0.0}})
    expected = copy.render(2).permute(1, 2, 0).numpy()
    edits = [
        {"layer": layer, "neuron": list(neuron), "factor": by}
        for layer, some in scaled.items()
        for neuron, by in some.items()
    ]
    out = [{"layer": last, "neurons": [[1, 1]]}]
    body, data = page.ask(kind="frame", time=2, source="ablated", ablated=out, edits=edits)
    found = data.reshape(*canvas.inr.size, 3).astype(int)
    assert np.abs(found - colours(expected).astype(int)).max() <= 1
    truth = canvas.inr.truth[2]
    error = ((np.clip(expected, 0, 1) - truth) ** 2).mean()
    assert body["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-3)

    body, data = page.ask(kind="frame", time=2, source="difference", ablated=out, edits=edits)
    lost = (canvas.frame(2) - expected).sum(2)
    step = (body["high"] - body["low"]) / 255
    np.testing.assert_allclose(body["low"] + data.reshape(lost.shape) * step, lost, atol=0.51 * step + 1e-5)


def test_another_factor_is_another_picture(page: Page, canvas: cw.Canvas) -> None:
    name = canvas.layers[-1].name

    def shown(factor: float) -> bytes:
        edits = [{"layer": name, "neuron": [0, 0], "factor": factor}]
        _, data = page.ask(kind="frame", time=1, source="ablated", ablated=[], edits=edits)
        return data.tobytes()

    half, twice = shown(0.5), shown(2.0)
    assert half != twice
    assert shown(0.5) == half
    _, out = page.ask(kind="frame", time=1, source="ablated", ablated=[{"layer": name, "neurons": [[0, 0]]}])
    assert shown(0.0) == out.tobytes()


def test_what_is_set_is_told_to_the_page_and_the_picture_follows(w: cw.CanvasWidget) -> None:
    second, last = w.facts.removable[1].name, w.facts.removable[-1].name
    w.edits = {last: {(-1, 0): 0.5, (0, 0): 1}, 1: {(0, 1): 3}}
    units = w.facts.removable[-1].n_units
    assert w.edits == {second: {(0, 1): 3.0}, last: {(units - 1, 0): 0.5}}
    assert w.get_state(["edits"])["edits"] == [
        {"layer": second, "neuron": [0, 1], "factor": 3.0},
        {"layer": last, "neuron": [units - 1, 0], "factor": 0.5},
    ]
    assert w.source == "ablated"
    w.ablated = {last: [(0, 0)]}
    w.edits = {}
    assert w.source == "ablated"  # something is out still
    w.ablated = {}
    assert w.source == "reconstruction"


def test_the_page_sets_them(w: cw.CanvasWidget) -> None:
    name = w.facts.layers[-1].name
    edit = {"layer": name, "neuron": [0, 0], "factor": 0.25}
    w.set_state({"edits": [edit], "source": "ablated"})
    assert (w.edits, w.source) == ({name: {(0, 0): 0.25}}, "ablated")
    w.set_state({"edits": [{**edit, "neuron": [0, 99]}]})
    assert w.edits == {name: {(0, 0): 0.25}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "expected {layer"),
        ([3], "expected {layer"),
        ([{"layer": -1}], "expected {layer"),
        ([{"layer": [1], "neuron": [0, 0], "factor": 2}], "layer"),
        ([{"layer": -1, "neuron": [[1], 0], "factor": 2}], "neuron"),
        ([{"layer": -1, "neuron": 3, "factor": 2}], "expected {layer"),
        ([{"layer": -1, "neuron": [], "factor": 2}], "takes a kernel"),
        ({-1: [(0, 0)]}, "expected {layer"),
        ({"nowhere": {(0, 0): 2}}, "nowhere"),
        ({-1: {(99, 0): 2}}, "99"),
        ({-1: {(0, 0): "2"}}, r"edits\['.*'\]\[\(0, 0\)\]='2': expected a number"),
        ({-1: {(0, 0): True}}, "expected a number"),
        ({-1: {(0, 0): float("nan")}}, "expected a number from -1000 to 1000"),
        ({-1: {(0, 0): 1e9}}, "expected a number from -1000 to 1000"),
    ],
)
def test_wrong_ones_are_refused_and_nothing_changes(w: cw.CanvasWidget, value: Any, words: str) -> None:
    w.edits = {-1: {(0, 0): 0.5}}
    before = w.edits
    with pytest.raises((TypeError, ValueError, IndexError, KeyError), match=words):
        w.edits = value
    assert w.edits == before


@pytest.mark.parametrize("inr", [video, image])
def test_figures_and_files_say_so(widgets, inr) -> None:
    model = inr()
    neuron = (0, 0) if model.n_frames > 1 else 0
    w = widgets(model, edits={-1: {neuron: 0.5}})
    figure = w.figure()
    name = f"neuron {'0 → 0' if model.n_frames > 1 else '0'} of {w.canvas.layers[-1].name}"
    assert f"with {name} scaled by 0.5" in figure.get_suptitle()
    assert f"the picture with {name} scaled by 0.5" in figure.axes[0].get_title("left")


def test_they_are_told() -> None:
    assert ablation.title({"a": {1: 0.0}}) == "without neuron 1 of a"
    assert ablation.title({"a": {1: 0.0, 2: 0.0}, "b": {(0, 0): 0.0}}) == "without 3 neurons"
    assert ablation.title({"a": {1: 0.0, 2: 3.0}}) == "without 1 neuron and with 1 neuron scaled by 3"
    assert ablation.title({"a": {1: 0.5, 2: 3.0}}) == "with 2 neurons scaled"
    assert ablation.all_edits({"a": (1,)}, {"a": {1: 2.0, 2: 3.0}}) == {"a": {1: 0.0, 2: 3.0}}


def test_another_rule_leaves_them(w: cw.CanvasWidget) -> None:
    w.edits = {-1: {(0, 0): 0.5}}
    before = w.edits
    w.rule = "gated"
    assert (w.edits, w.source) == (before, "ablated")
