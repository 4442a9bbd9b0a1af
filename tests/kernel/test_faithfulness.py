"""The faithfulness score: what the page is told, at whose cost, and where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.kernel.requests import KINDS, faithfulness
from tests.canvases import image, video
from tests.kernel.page import selection

pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter, so that the tests don't wait."""
    monkeypatch.setitem(KINDS, "faithfulness", replace(KINDS["faithfulness"], quiet=0.001))


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_the_score_is_that_of_faithfulness(pages, canvas: cw.Canvas, rule: str) -> None:
    page, layer = pages(canvas.under(rule)), canvas.layers[-1]
    body, _ = page.ask(kind="faithfulness", time=2, layer=layer.name)
    whole = cw.analysis.faithfulness(canvas.under(rule), layer, 2)
    assert (body["rule"], body["layer"], body["frame"]) == (rule, layer.name, 2)
    assert (body["measured"], body["n_neurons"]) == (len(whole.neurons), whole.n_neurons)
    for told, known in ((body["totals"], whole.totals), (body["pixels"], whole.per_pixel)):
        assert told == pytest.approx({"value": known.value, "low": known.low, "high": known.high})
    told = page.session.stats()["faithfulness"]
    assert told == {name: body[name] for name in body if name != "kind"}


def test_it_is_measured_once_at_the_first_frame_and_kept_when_the_rule_changes(
    pages, canvas, monkeypatch
) -> None:
    calls: list[Any] = []
    real = faithfulness.faithfulness
    monkeypatch.setattr(
        faithfulness, "faithfulness", lambda *args, **more: calls.append(args) or real(*args, **more)
    )
    page, name = pages(canvas), canvas.layers[-1].name
    first, _ = page.ask(kind="faithfulness", time=1, layer=name)
    again, _ = page.ask(kind="faithfulness", time=4, layer=name)
    assert again == first
    page.session.use("gated")
    other, _ = page.ask(kind="faithfulness", time=4, layer=name)
    assert (other["rule"], other["frame"]) == ("gated", 4)
    page.session.use("xinc")
    assert page.ask(kind="faithfulness", time=0, layer=name)[0] == first
    assert len(calls) == 2


def test_ablation_is_the_truth_and_nothing_is_measured(pages, canvas: cw.Canvas, monkeypatch) -> None:
    monkeypatch.setattr(faithfulness, "faithfulness", None)
    page, layer = pages(canvas.under("ablation")), canvas.layers[-1]
    body, _ = page.ask(kind="faithfulness", time=2, layer=layer.name)
    assert (body["rule"], body["measured"], body["totals"], body["pixels"]) == ("ablation", 0, None, None)
    assert body["n_neurons"] == np.prod(layer.neurons)


def test_no_more_neurons_than_time_allows(pages, monkeypatch) -> None:
    monkeypatch.setattr(faithfulness, "SECONDS", 0.0)
    canvas = cw.trace(video(), "gated", device="cpu")
    layer = max(canvas.traced_layers, key=lambda layer: np.prod(layer.neurons))
    body, _ = pages(canvas).ask(kind="faithfulness", time=0, layer=layer.name)
    assert body["measured"] == faithfulness.LEAST < body["n_neurons"]
    assert body["totals"]["low"] < body["totals"]["value"] < body["totals"]["high"]


def test_everything_else_comes_first(pages, monkeypatch) -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    page, name = pages(canvas), canvas.traced_layers[1].name
    asked: list[int] = []
    real = faithfulness.faithfulness

    def slow(*args: Any, progress: Any, **more: Any) -> Any:
        def step(done: int, total: int) -> None:
            if done == 3 and not asked:  # in the midst of it
                asked.append(page.send(kind="map", time=0, selection=selection(name, [1])))
                asked.append(page.send(kind="frame", time=0, source="reconstruction"))
            progress(done, total)

        return real(*args, progress=step, **more)

    monkeypatch.setattr(faithfulness, "faithfulness", slow)
    key = page.send(kind="faithfulness", time=0, layer=name)
    message, _ = page.end(key)
    assert message["type"] == "reply"
    frame, map_ = asked[1], asked[0]
    assert page.order == [(frame, "reply"), (map_, "reply"), (key, "reply")]


def test_another_layer_and_a_cancel_end_it(pages, monkeypatch) -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    page = pages(canvas)
    monkeypatch.setitem(KINDS, "faithfulness", replace(KINDS["faithfulness"], quiet=3600.0))
    page.ask(kind="frame", time=0, source="reconstruction")
    first = page.send(kind="faithfulness", time=0, layer=canvas.traced_layers[0].name)
    second = page.send(kind="faithfulness", time=0, layer=canvas.traced_layers[1].name)
    assert page.end(first)[0]["type"] == "cancelled"
    page.session.handle({"type": "cancel", "id": second}, page.reply)
    assert page.end(second)[0]["type"] == "cancelled"
    assert page.session.stats()["faithfulness"] is None


def test_a_layer_that_is_not_there(pages, canvas: cw.Canvas) -> None:
    assert "nowhere" in pages(canvas).fail(kind="faithfulness", time=0, layer="nowhere")


def test_the_widget_can_do_without(widgets, canvas: cw.Canvas) -> None:
    assert widgets(canvas).faithfulness is True
    w = widgets(canvas, faithfulness=False)
    assert w.faithfulness is False
    assert "faithfulness=False" in w.recipe()
    assert w.stats()["faithfulness"] is None
    w.set_state({"faithfulness": True})
    assert w.faithfulness is True


@pytest.mark.parametrize("rule", ["xinc", "gated"])
@pytest.mark.parametrize("chosen", ["one", "several", "cluster"])
def test_a_selection_is_compared_with_the_image_without_it(
    pages, canvas: cw.Canvas, rule: str, chosen: str, monkeypatch
) -> None:
    monkeypatch.setitem(KINDS, "agreement", replace(KINDS["agreement"], quiet=0.001))
    ours = canvas.under(rule)
    page, layer = pages(ours), canvas.layers[1]
    asked = {
        "one": {"neuron": [0, 3]},
        "several": {"neurons": [[0, 3], [2, 1]]},
        "cluster": {"cluster": 1, "n_clusters": 3},
    }[chosen]
    body, _ = page.ask(kind="agreement", time=2, selection={**selection(layer.name), **asked})
    if chosen == "cluster":
        found = cw.analysis.cluster(ours, layer, 3, frame=2)
        neurons = [tuple(layer.neuron_at(at)) for at in np.flatnonzero(found.labels.ravel() == 1)]
    else:
        neurons = [(0, 3), (2, 1)][: 1 if chosen == "one" else 2]
    claimed = np.asarray(ours.maps(layer, neurons, 2)).sum(0)
    lost = (canvas.frame(2) - canvas.ablate({layer: neurons}, 2)).sum(2)
    expected = np.corrcoef(claimed.ravel(), lost.ravel())[0, 1]
    assert body["correlation"] == pytest.approx(expected, abs=2e-3)


def test_a_whole_layer_can_not_be_taken_out(pages, canvas: cw.Canvas) -> None:
    page, layer = pages(canvas), canvas.layers[1]
    assert "not the whole layer" in page.fail(kind="agreement", time=0, selection=selection(layer.name))
