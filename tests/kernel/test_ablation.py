"""What is ablated: what may be set, what the page is answered, and that nothing is left of it afterwards."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.kernel.quantise import colours
from tests.canvases import image, video
from tests.kernel.page import Page, selection

pytestmark = pytest.mark.usefixtures("unbuilt")

FIRST, LAST = "decoder.1", "head"


def removed(canvas: cw.Canvas, **layers: list[list[int]]) -> list[dict[str, Any]]:
    return [{"layer": canvas.layers.find(name).name, "neurons": neurons} for name, neurons in layers.items()]


def taken(parts: list[dict[str, Any]]) -> dict[str, list[tuple[int, ...]]]:
    return {part["layer"]: [tuple(neuron) for neuron in part["neurons"]] for part in parts}


def frame(page: Page, source: str, parts: list[dict[str, Any]], time: int = 2) -> tuple[Any, np.ndarray]:
    return page.ask(kind="frame", time=time, source=source, ablated=parts)


# --- pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_the_picture_without_neurons_of_several_layers(pages, canvas: cw.Canvas, rule: str) -> None:
    page = pages(canvas.under(rule))
    name = canvas.layers[-1].name
    parts = [
        {"layer": canvas.layers[1].name, "neurons": [[0, 3], [2, 1]]},
        {"layer": name, "neurons": [[1, 0], [1, 1], [1, 2]]},
    ]
    left = canvas.ablate(taken(parts), 2)
    body, data = frame(page, "ablated", parts)
    assert (body["source"], body["channels"]) == ("ablated", 3)
    np.testing.assert_array_equal(data.reshape(left.shape), colours(left))
    truth, whole = canvas.inr.truth[2], np.clip(canvas.frame(2), 0, 1)
    for told, shown in (("psnr", np.clip(left, 0, 1)), ("psnr_before", whole)):
        assert body[told] == pytest.approx(-10 * np.log10(((shown - truth) ** 2).mean()), rel=1e-5)

    body, data = frame(page, "difference", parts)
    assert body["channels"] == 1
    found = body["low"] + data.reshape(left.shape[:2]) / 255 * (body["high"] - body["low"])
    lost = (canvas.frame(2) - left).sum(2)
    np.testing.assert_allclose(found, lost, atol=0.51 * (body["high"] - body["low"]) / 255 + 1e-6)

    body, data = page.ask(kind="frame", time=2, source="reconstruction")
    np.testing.assert_array_equal(data.reshape(left.shape), colours(canvas.frame(2)))
    assert body["psnr_before"] is None


def test_the_difference_of_one_neuron_is_its_map_under_ablation(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.layers[-2]
    body, data = frame(page, "difference", [{"layer": layer.name, "neurons": [[1, 2]]}])
    found = body["low"] + data.reshape(canvas.inr.size) / 255 * (body["high"] - body["low"])
    expected = canvas.under("ablation").map(layer, (1, 2), 2)
    np.testing.assert_allclose(found, expected, atol=0.51 * (body["high"] - body["low"]) / 255 + 1e-6)


def test_where_there_is_no_truth_the_original_is_what_is_compared_with(pages) -> None:
    canvas = cw.trace(video(truth=False), device="cpu")
    layer = canvas.layers[-1]
    body, _ = frame(pages(canvas), "ablated", [{"layer": layer.name, "neurons": [[0, 0]]}])
    left, whole = (np.clip(one, 0, 1) for one in (canvas.ablate({layer: [(0, 0)]}, 2), canvas.frame(2)))
    assert body["psnr"] == pytest.approx(-10 * np.log10(((left - whole) ** 2).mean()), rel=1e-5)
    assert body["psnr_before"] is None


def test_each_set_and_frame_is_rendered_once(pages, canvas: cw.Canvas, monkeypatch) -> None:
    page, calls = pages(canvas), []
    render = cw.Canvas.ablate
    monkeypatch.setattr(
        cw.Canvas, "ablate", lambda *args, **more: calls.append(args[1:]) or render(*args, **more)
    )
    one, two = ([{"layer": canvas.layers[-1].name, "neurons": [[0, channel]]}] for channel in (0, 1))
    for time in (1, 3, 1):
        for source in ("ablated", "difference", "ablated"):
            frame(page, source, one, time)
            frame(page, source, two, time)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "empty"),
        ([{"layer": "decoder.9", "neurons": [[0, 0]]}], "decoder.9"),
        ([{"layer": "head", "neurons": [[99, 0]]}], "99"),
        ([{"layer": "head", "neurons": [[0]]}], "kernel"),
    ],
)
def test_what_can_not_be_taken_out(page: Page, parts: list[dict[str, Any]], words: str) -> None:
    assert words in page.fail(kind="frame", time=0, source="ablated", ablated=parts)


# --- the trait ----------------------------------------------------------------------------------------------


def test_neurons_of_several_layers_are_set_in_several_ways(w: cw.CanvasWidget, canvas: cw.Canvas) -> None:
    second, last = canvas.layers[1].name, canvas.layers[-1].name
    expected = {second: ((0, 1), (1, 2)), last: ((2, 0),)}
    for value in (
        {last: [(2, 0)], 1: [(0, 1), [1, 2], (0, 1)]},
        [(last, (2, 0)), (second, (0, 1)), (second, np.array([1, 2]))],
        {second: ((0, 1), (1, 2)), last: [(-2, 0)] if canvas.layers[-1].n_units == 4 else [(2, 0)], 0: []},
    ):
        w.ablated = value
        assert w.ablated == expected
        assert w.get_state(["ablated"]) == {"ablated": {second: [[0, 1], [1, 2]], last: [[2, 0]]}}
    assert np.isfinite(canvas.ablate(w.ablated, 0)).all()
    w.ablated = None
    assert w.ablated == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("head", "expected {layer"),
        (3, "expected {layer"),
        ([3], "expected {layer"),
        ({"nowhere": [(0, 0)]}, "nowhere"),
        ({-1: [(99, 0)]}, "99"),
        ({-1: [3]}, "kernel"),
        ({-1: 3}, "sequence"),
    ],
)
def test_a_wrong_set_is_refused_and_nothing_changes(w: cw.CanvasWidget, value: Any, words: str) -> None:
    w.ablated = {-1: [(0, 0)]}
    before = w.ablated
    with pytest.raises((TypeError, ValueError, IndexError, KeyError), match=words):
        w.ablated = value
    assert w.ablated == before


def test_what_is_set_during_a_request_does_not_change_its_answer(
    w: cw.CanvasWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas, last = w.canvas, w.facts.layers[-1].name
    real, began, go_on, ended = canvas.ablate, *(threading.Event() for _ in range(3))
    heard: list[Any] = []

    def slow(*arguments: Any) -> np.ndarray:
        began.set()
        assert go_on.wait(60)
        return real(*arguments)

    def reply(*answer: Any) -> None:
        heard.append(answer)
        ended.set()

    monkeypatch.setattr(canvas, "ablate", slow)
    parts = [{"layer": last, "neurons": [[0, 0]]}]
    body: Any = {"kind": "frame", "run": None, "time": 1, "source": "ablated", "ablated": parts}
    w._live.handle({"type": "request", "id": 1, "view": "frame", "body": body}, reply)
    assert began.wait(60)
    w.ablated = {last: [(1, 1), (2, 0)]}
    go_on.set()
    assert ended.wait(60)
    message, buffers = heard[0]
    assert message["of"] == body
    expected = colours(real({last: [(0, 0)]}, 1))
    np.testing.assert_array_equal(np.frombuffer(buffers[0], np.uint8), expected.ravel())


def test_what_is_under_the_map_follows(w: cw.CanvasWidget) -> None:
    heard: list[str] = []
    w.observe(lambda change: heard.append(change.new), "source")
    with pytest.raises(ValueError, match="nothing is ablated"):
        w.source = "ablated"
    w.ablated = {-1: [(0, 0)]}
    assert w.source == "ablated"
    w.source = "difference"
    w.ablated = {-1: [(0, 0), (1, 0)]}
    assert w.source == "difference"
    w.ablated = {}
    assert w.source == "reconstruction"
    w.ablated = {-1: [(0, 0)]}
    w.source = "truth"
    w.ablated = {}
    assert heard == ["ablated", "difference", "reconstruction", "ablated", "truth"]


def test_the_page_sets_both_and_what_it_can_not_set_is_taken_back(w: cw.CanvasWidget) -> None:
    name = w.facts.removable[-1].name
    w.set_state({"source": "difference", "ablated": {name: [[0, 0]]}})
    assert (w.source, w.ablated) == ("difference", {name: ((0, 0),)})
    w.set_state({"ablated": {name: [[0, 99]]}})
    assert w.ablated == {name: ((0, 0),)}
    w.set_state({"source": "off", "ablated": {}})
    assert (w.source, w.ablated) == ("off", {})


def test_another_rule_leaves_out_what_is_out(widgets, canvas: cw.Canvas) -> None:
    w = widgets(canvas, ablated={0: [(0, 0)], -1: [(0, 0)]}, source="difference")
    before = w.ablated
    w.rule = "gated"
    w.rule = "ablation"
    w.ablated = {**w.ablated, 1: [(0, 0)]}
    w.rule = "xinc"
    assert w.ablated == {**before, canvas.layers[1].name: ((0, 0),)}
    assert w.source == "difference"


@pytest.mark.parametrize("inr", [video, image])
@pytest.mark.parametrize("source", ["ablated", "difference"])
def test_figure_of_what_is_left(widgets, inr, source: str) -> None:
    model = inr()
    neuron = (0, 0) if model.n_frames > 1 else 0
    w = widgets(model, ablated={-1: [neuron]}, source=source)
    figure = w.figure()
    name = f"neuron {'0 → 0' if model.n_frames > 1 else '0'} of {w.canvas.layers[-1].name}"
    assert f"without {name}" in figure.get_suptitle()
    assert f"without {name}" in figure.axes[0].get_title("left")


def test_a_selection_is_asked_about_as_ever(page: Page, canvas: cw.Canvas) -> None:
    name = canvas.layers[-1].name
    before, data = page.ask(kind="map", time=2, selection=selection(name, [0, 0]))
    frame(page, "ablated", [{"layer": name, "neurons": [[0, 0]]}])
    after, again = page.ask(kind="map", time=2, selection=selection(name, [0, 0]))
    assert (before, data.tolist()) == (after, again.tolist())
