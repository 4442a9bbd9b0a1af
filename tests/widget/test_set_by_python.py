"""What Python may set: wrong values change nothing, and what belongs together changes together."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.kernel import message_parts
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import video
from tests.kernel.test_messages import problems
from tests.widget.between_page_and_widget import WRONG, sent, without_numbers

pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.mark.parametrize(("name", "value", "error", "words"), WRONG)
def test_a_wrong_value_is_refused_and_nothing_changes(
    w, name: str, value: Any, error: Any, words: str
) -> None:
    before = w.get_state()
    with pytest.raises(error, match=words):
        setattr(w, name, value)
    assert w.get_state() == before


def test_values_are_taken_as_numpy_takes_them(w: CanvasWidget, canvas: cw.Canvas) -> None:
    w.time = np.int64(-2)
    assert w.time == 4
    w.pixel = np.array([-1, 3])
    assert w.pixel == (15, 3)
    w.layer = "decoder.1"
    assert w.layer == canvas.layers["decoder.1"].name
    w.neuron = [np.int64(-6), -1]
    assert w.neuron == (0, canvas.layers["decoder.1"].neurons[1] - 1)
    w.neuron = None
    w.opacity = np.float32(0.5)
    assert (w.neuron, w.opacity) == (None, 0.5)


def test_a_layer_without_the_neuron_lets_it_go_first(w: CanvasWidget) -> None:
    w.layer, w.neuron = -1, (0, 1)
    w.layer = 0
    assert w.neuron == (0, 1)
    w.neuron = (0, 19)
    found = sent(w)
    w.layer = -1
    assert w.neuron is None
    (message,) = found
    assert without_numbers(message["state"]) == {"neurons": [], "neuron": None, "layer": "head_layer"}


def test_several_neurons_and_the_one_that_stands_for_them(w: CanvasWidget) -> None:
    w.layer = 0
    w.neurons = [(0, 1), [2, 3], (0, 1), (-6, 2)]
    assert w.neurons == ((0, 1), (2, 3), (0, 2))
    assert w.neuron == (0, 2)
    heard: list[Any] = []
    w.observe(lambda change: heard.append((change["name"], w.neuron, w.neurons)), ["neuron", "neurons"])
    w.neuron = (1, 1)
    assert {each[1:] for each in heard} == {((1, 1), ((1, 1),))}
    w.neurons = ()
    assert w.neuron is None
    w.neurons = [(0, 1), (0, 19)]
    w.layer = -1  # it has no output 19
    assert (w.neuron, w.neurons) == ((0, 1), ((0, 1),))
    found = sent(w)
    w.set_state({"neuron": [1, 2], "neurons": [[0, 1], [1, 2]]})
    assert w.neurons == ((0, 1), (1, 2))
    assert [message for message in found if message["method"] == "update"] == []


def test_a_region_is_a_mask_a_box_or_a_polygon(w: CanvasWidget) -> None:
    mask = np.zeros((16, 32), bool)
    mask[2:5, 3:9] = True
    heard: list[Any] = []
    w.observe(lambda change: heard.append(change["new"]), "region")
    for form in (mask, ((2, 3), (5, 9)), [(2, 3), (2, 9), (5, 9), (5, 3)]):
        w.region = form
        assert (w.region.mask == mask).all()
        page = w.get_state(["region"])["region"]
        assert problems(page, message_parts.Region) == []
        w.region = None
        w.set_state({"region": json.loads(json.dumps(page))})
        assert (w.region.mask == mask).all()
    assert len(heard) == 9 - 1
    w.region = [(0, 0), (0, 7.6), (7.6, 0)]
    inside = np.add.outer(np.arange(16), np.arange(32)) < 7
    assert (w.region.mask == inside).all()
    assert "28 of 16x32 pixels" in repr(w.region)
    # A middle that is on an edge is in it: js/test/raster.test.ts says the same of the page.
    w.region = [(0, 0), (0, 7), (7, 0)]
    assert (w.region.mask == inside).all()
    w.region = [(0.5, 0.5), (0.5, 3.5), (2.5, 3.5), (2.5, 0.5)]
    assert (w.region.mask == np.pad(np.ones((3, 4), bool), ((0, 13), (0, 28)))).all()


def test_what_stands_beside_the_frame_is_of_what_was_set_last(w: CanvasWidget) -> None:
    box = ((2, 3), (5, 9))
    assert w.panel == "pixel"
    w.region = box
    assert w.panel == "region"
    w.pixel = (1, 1)
    assert w.panel == "pixel"
    w.region = ((1, 1), (4, 9))
    w.region = None
    assert w.panel == "pixel"
    w.panel = "spectrum"
    w.region, w.pixel = box, (2, 2)
    assert w.panel == "spectrum"
    w.panel = "region"
    w.pixel = None
    assert w.panel == "region"
    # The page says itself what it turns to, and a region that moves with time turns nothing.
    w.set_state({"pixel": [3, 4]})
    assert (w.pixel, w.panel) == ((3, 4), "region")
    masks = np.zeros((w.inr.n_frames, 16, 32), bool)
    for frame in range(len(masks)):
        masks[frame, frame : frame + 3, 2:6] = True
    w.regions = {"it": masks}
    w.region, w.panel = masks[w.time], "pixel"
    w.time = (w.time + 1) % len(masks)
    assert (w.region.mask == masks[w.time]).all()
    assert w.panel == "pixel"


@pytest.mark.parametrize(
    ("given", "panel"),
    [
        ({"region": ((2, 3), (5, 9))}, "region"),
        ({"region": ((2, 3), (5, 9)), "pixel": (1, 1)}, "pixel"),
        ({"region": ((2, 3), (5, 9)), "pixel": (1, 1), "sort": "region"}, "region"),
        ({"region": ((2, 3), (5, 9)), "panel": "spectrum"}, "spectrum"),
        ({"pixel": None}, "pixel"),
    ],
)
def test_what_stands_beside_the_frame_first(given: dict[str, Any], panel: str) -> None:
    model = cw.trace(video(), device="cpu")
    first = CanvasWidget(model, **given)
    assert first.panel == panel
    code = first.recipe()
    assert ("panel=" in code) == ("region" in given)
    first.close()


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (np.zeros((16, 32), bool), "no pixel"),
        (np.ones((3, 4), bool), "the frame is 16x32"),
        ([(1, 2)], "expected a mask"),
        ("box", "expected a mask"),
        ([(0, 0), (0, float("nan")), (4, 4)], "NaN"),
        ({"points": [], "runs": [1]}, "pairs"),
        ({"points": [[0, 0], [1], [2, 3]], "runs": []}, "a polygon has 3 to"),
        ({"points": [["0", "0"], ["0", "4"], ["4", "4"]], "runs": []}, "a polygon has 3 to"),
    ],
)
def test_what_is_no_region(w: CanvasWidget, region: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        w.region = region


def test_fewer_clusters_let_the_cluster_go(w: CanvasWidget) -> None:
    w.cluster = 5
    w.n_clusters = 5
    assert w.cluster == -1


def test_truth_must_be_there(widgets) -> None:
    w = widgets(video(truth=False))
    with pytest.raises(ValueError, match="no truth"):
        w.source = "error"


def test_observers_hear(w: CanvasWidget) -> None:
    heard: list[Any] = []
    w.observe(lambda change: heard.append(change["new"]), ["pixel", "neuron"])
    w.pixel = [1, 2]
    w.set_state({"pixel": [3, 4], "neuron": None})
    assert heard == [(1, 2), (3, 4), None] or heard == [(1, 2), None, (3, 4)]
