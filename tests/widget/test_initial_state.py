"""What a new widget shows, and what is refused."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget import bundle
from canvaswidget.kernel import message_parts
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import StepCanvas, image
from tests.kernel.test_messages import problems

PNG = b"\x89PNG\r\n"

pytestmark = pytest.mark.usefixtures("unbuilt")


def test_every_panel_has_something_to_show_at_once(w: CanvasWidget, canvas: cw.Canvas) -> None:
    assert w.layer == canvas.traced_layers[-2].name
    assert (w.time, w.pixel, w.rule) == (3, (8, 16), "xinc")
    assert w.neuron == canvas.top(8, 16, 1, 3, [w.layer])[0].neuron
    assert w.canvas is canvas
    assert w.inr is canvas.inr


def test_a_layer_that_adds_nothing_to_the_pixel_is_not_shown_first(stepped, widgets, monkeypatch) -> None:
    assert (stepped.layer, stepped.neuron) == ("net.conv", (2, 3))
    silent = StepCanvas()
    silent.silent = "net.conv"
    monkeypatch.setattr(live_view, "canvas_of", lambda *_: silent)
    w = widgets(None)
    assert (w.layer, w.neuron) == ("net.linear", 6)
    w = widgets(None, layer="conv")
    assert (w.layer, w.neuron) == ("net.conv", (0, 0))


def test_the_state_is_small_and_as_the_page_expects_it(w: CanvasWidget) -> None:
    state = w.get_state()
    assert problems(state["_canvas"], message_parts.CanvasInfo) == []
    assert (state["pixel"], state["neuron"]) == ([8, 16], list(w.neuron))
    assert state["_esm"] == "/* widget.js */"
    assert state["_css"] == "/* widget.css */"
    assert len(json.dumps(state)) < 10_000


def test_what_is_given_is_shown(widgets, canvas: cw.Canvas) -> None:
    w = widgets(canvas, layer=0, neuron=(-1, 2), time=-1, pixel=(-16, 0), sort="total", maps="signed", fps=3)
    assert (w.layer, w.time, w.pixel) == (canvas.traced_layers[0].name, 5, (0, 0))
    assert w.neuron == (canvas.traced_layers[0].neurons[0] - 1, 2)
    assert (w.sort, w.maps, w.fps) == ("total", "signed", 3.0)
    w = widgets(canvas, cluster=2, pixel=None)
    assert (w.neuron, w.pixel, w.cluster) == (None, None, 2)


def test_models_of_any_kind(widgets) -> None:
    linear = image()
    w = widgets(linear.module)
    assert isinstance(w.neuron, int)
    assert w.get_state()["neuron"] == [w.neuron]
    assert (w.time, w.facts.n_frames) == (0, 1)
    assert not w.facts.has_truth
    with_truth = widgets(linear, truth=np.zeros((12, 20, 3), np.float32), source="error")
    assert with_truth.inr.truth.shape == (1, 12, 20, 3)
    assert linear.truth is None
    with pytest.raises(TypeError, match=r"INR\.from_coords"):
        CanvasWidget(torch.nn.Linear(2, 3))
    with pytest.raises(TypeError, match="expected an INR"):
        CanvasWidget("model")
    with pytest.raises(ValueError, match="rule='xink'"):
        CanvasWidget(linear, rule="xink")


def test_a_canvas_has_its_own_device(canvas: cw.Canvas) -> None:
    with pytest.raises(ValueError, match="of the canvas"):
        CanvasWidget(canvas, device="cpu")


def test_a_mistyped_option_is_named(canvas: cw.Canvas) -> None:
    with pytest.raises(TypeError, match="no option 'pallete'; did you mean 'palette'"):
        CanvasWidget(canvas, pallete="magma")
    with pytest.raises(TypeError, match="no option 'q'"):
        CanvasWidget(canvas, q=1)


def test_a_wrong_beginning_leaves_nothing(canvas: cw.Canvas) -> None:
    canvas.map(canvas.traced_layers[0], (0, 0))  # threads that compute maps are started once and stay
    threads = threading.active_count()
    for wrong in ({"time": 9}, {"layer": "x"}, {"opacity": 2}, {"neuron": (99, 0)}):
        with pytest.raises((IndexError, KeyError, ValueError)):
            CanvasWidget(canvas, **wrong)
    assert threading.active_count() == threads


def test_a_missing_bundle_is_named(monkeypatch: pytest.MonkeyPatch, canvas: cw.Canvas) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "BUNDLE", "no/such/folder")
    with pytest.raises(FileNotFoundError, match=r"widget\.js is missing.*npm run build"):
        CanvasWidget(canvas)
