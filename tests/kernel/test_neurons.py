"""The panel of neurons: the grid in every order, the scatter, the values that sort them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from tests.canvases import StepCanvas, video
from tests.kernel.page import Page, grid, selection, values


def test_grid_sorted_by_region_and_by_change(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-1].name
    mask = np.zeros((16, 32), bool)
    mask[2:5, 3:9] = True
    box = {"points": [[2, 3], [2, 9], [5, 9], [5, 3]], "runs": []}
    body, _ = page.ask(**grid(layer, sort="region", region=box))
    expected = canvas.region(mask, 1, [layer])[layer].ravel()
    order = np.argsort(-np.abs(expected), kind="stable")[:5]
    assert body["values"] == pytest.approx(expected[order], rel=1e-4)
    maps = [np.concatenate([abs(part) for _, part in canvas.iter(layer, frame)]) for frame in (0, 1)]
    changes = abs(maps[1] - maps[0]).sum((1, 2))
    for time in (0, 1):  # before the first frame there is none: it is compared with the second
        body, _ = page.ask(**grid(layer, sort="change", time=time))
        assert body["values"] == pytest.approx(np.sort(changes)[::-1][:5], rel=1e-4)
    assert "needs a region" in page.fail(**grid(layer, sort="region"))


def test_values_are_the_sort_key_of_every_neuron(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-1].name
    box = {"points": [[2, 3], [2, 9], [5, 9], [5, 3]], "runs": []}
    n = int(np.prod(canvas.layers.find(layer).neurons))
    for sort in ("pixel", "region", "total", "change"):
        ask = {"time": 1, "layer": layer, "sort": sort, "channel": "sum", "pixel": [2, 3], "region": box}
        body, data = page.ask(kind="values", **ask)
        assert (body["time"], body["layer"], body["sort"], body["pixel"]) == (1, layer, sort, [2, 3])
        values = data.view("<f4")
        assert len(values) == n
        thumbs, _ = page.ask(**grid(layer, sort=sort, region=box, count=n))
        places = canvas.layers.find(layer).flat_index(thumbs["neurons"])
        assert np.abs(thumbs["values"]) == pytest.approx(values[places].tolist(), rel=1e-6)
    assert values.any()
    column = np.asarray(canvas.pixel(2, 3, frame=1)[layer]).ravel()
    _, data = page.ask(kind="values", **{**ask, "sort": "pixel"})
    assert data.view("<f4") == pytest.approx(np.abs(column), rel=1e-4, abs=1e-7)
    assert "needs a pixel" in page.fail(kind="values", **{**ask, "sort": "pixel", "pixel": None})


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_scatter_puts_alike_neurons_near_each_other(page: Page, canvas: cw.Canvas, method: str) -> None:
    layer = canvas.traced_layers[-1]
    ask = {"kind": "scatter", "time": 2, "layer": layer.name, "method": method}
    body, data = page.ask(**ask)
    assert (body["time"], body["layer"], body["method"]) == (2, layer.name, method)
    points = data.view("<f4").reshape(-1, 2)
    assert len(points) == np.prod(layer.neurons)
    assert points.min() >= 0
    assert points.max() <= 1
    assert (np.frombuffer(page.ask(**ask)[1], "<f4").reshape(-1, 2) == points).all()
    maps = np.concatenate([abs(part) for _, part in canvas.iter(layer.name, 2)]).reshape(len(points), -1)
    maps = (maps - maps.min(1, keepdims=True)) / np.ptp(maps, 1, keepdims=True)
    apart = np.linalg.norm(maps[:, None] - maps, axis=2)
    shown = np.linalg.norm(points[:, None] - points, axis=2)
    assert np.corrcoef(apart.ravel(), shown.ravel())[0, 1] > 0.3


def test_dead_neurons_have_no_point(pages) -> None:
    canvas = StepCanvas()
    canvas.silent = "net.linear"
    _, data = pages(canvas).ask(kind="scatter", time=0, layer="net.linear", method="pca")
    assert np.isnan(data.view("<f4")).all()


def test_urgent_answers_pass_a_slow_scatter(pages, monkeypatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(points: Any, method: str) -> Any:
        started.set()
        assert go_on.wait(60)
        return np.zeros((len(points), 2), np.float32)

    monkeypatch.setattr("canvaswidget.kernel.embeddings.arrange", slow)
    steps = pages(StepCanvas())
    scatter = steps.send(kind="scatter", time=0, layer="net.linear", method="tsne")
    assert started.wait(60)
    frame = steps.send(kind="frame", time=1, source="reconstruction")
    assert steps.end(frame)[0]["type"] == "reply"
    again = steps.send(kind="scatter", time=0, layer="net.linear", method="tsne")  # takes up the same work
    assert steps.end(scatter)[0]["type"] == "cancelled"
    go_on.set()
    assert steps.end(again)[0]["type"] == "reply"


def test_grid_orders(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    column = canvas.pixel(2, 3, 1, [layer.name])[layer.name].ravel()
    totals = canvas.summary(layer.name, 1).neuron_abs.ravel()
    n = column.size
    for sort, key in (("index", -np.arange(n)), ("pixel", column), ("total", totals)):
        body, data = page.ask(**grid(layer.name, sort=sort, first=4, count=7))
        order = np.argsort(-np.abs(key), kind="stable") if sort != "index" else np.arange(n)
        expected = [list(np.unravel_index(place, layer.neurons)) for place in order[4:11]]
        assert body["neurons"] == expected
        assert (body["n_neurons"], body["first"]) == (n, 4)
        if sort != "index":
            assert body["values"] == pytest.approx(key[order[4:11]].tolist())
        assert (body["height"], body["width"]) == (4, 8)
        maps = canvas.maps(layer.name, [tuple(neuron) for neuron in expected], 1)
        small = maps.reshape(7, 4, 4, 8, 4).mean((2, 4))
        tolerance = np.subtract(body["high"], body["low"])[:, None, None] / 255 + 1e-6
        assert (abs(values(body, data) - small) <= tolerance).all()


def test_grid_of_a_cluster(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    body, _ = page.ask(**grid(layer.name, cluster=1, count=500))
    clusters, labels = page.ask(kind="clusters", time=1, layer=layer.name, n_clusters=3)
    labels, thumbnails = np.split(labels, [int(np.prod(layer.neurons))])
    assert sum(clusters["counts"]) + (labels == 255).sum() == labels.size
    for (i, o), levels, low, high in zip(
        clusters["exemplars"],
        thumbnails.reshape(-1, clusters["height"], clusters["width"]),
        clusters["low"],
        clusters["high"],
        strict=True,
    ):
        shown = low + levels / 255 * (high - low)
        assert abs(shown - canvas.map(layer.name, (i, o), 1)).max() <= (high - low) / 255
    places = [int(np.ravel_multi_index(neuron, layer.neurons)) for neuron in body["neurons"]]
    assert places == np.flatnonzero(labels == 1).tolist()
    assert body["n_neurons"] == len(places) == clusters["counts"][1]


def test_a_grid_says_what_failed_when_its_layer_was_checked(pages, canvas: cw.Canvas) -> None:
    layer, fresh = canvas.traced_layers[-2], canvas.under("gated")
    page = pages(fresh)
    assert page.ask(**grid(layer.name))[0]["warning"] == ""
    fresh.trouble[layer.name] = "row and column do not agree"
    assert page.ask(**grid(layer.name))[0]["warning"] == "row and column do not agree"


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_thumbnails_have_one_scale_whatever_is_in_sight(pages, canvas: cw.Canvas, rule: str) -> None:
    page = pages(canvas.under(rule))
    layer = canvas.traced_layers[-2]
    n = math.prod(layer.neurons)
    every, _ = page.ask(**grid(layer.name, count=n))
    neurons = [tuple(neuron) for neuron in every["neurons"]]
    maps = canvas.under(rule).maps(layer.name, neurons, 1)
    # a total adds the magnitudes of each colour where the rule knows colours
    colours = maps if rule == "xinc" else canvas.under(rule).maps(layer.name, neurons, 1, rgb="each")
    totals = np.abs(colours).reshape(n, -1).sum(1, dtype=np.float64)
    assert every["totals"] == pytest.approx(totals.tolist(), rel=1e-5)
    reach = np.maximum(np.abs(every["low"]), np.abs(every["high"]))
    strength = totals if rule == "xinc" else np.abs(colours.sum((1, 2))).sum(-1)
    compared = np.argsort(-strength)[:12]
    assert every["scale"] == pytest.approx(reach[compared].max())
    assert every["top_total"] == pytest.approx(totals[compared].max(), rel=1e-5)
    for changes in (
        {"first": n - 2, "count": 2},
        {"sort": "total"},
        {"sort": "pixel"},
        {"cluster": 0},
        {"first": 10**6},
    ):
        part, _ = page.ask(**grid(layer.name, **changes))
        assert (part["scale"], part["top_total"]) == (every["scale"], every["top_total"]), changes


def test_a_neuron_is_found_in_every_order(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    n = math.prod(layer.neurons)
    for sort in ("total", "pixel", "index", "change"):
        every, _ = page.ask(**grid(layer.name, sort=sort, count=n))
        for at in (0, n // 2, n - 1):
            found, data = page.ask(**grid(layer.name, sort=sort, count=0, find=every["neurons"][at]))
            assert (found["place"], found["neurons"], data.size) == (at, [], 0)
    for cluster in range(3):
        members, _ = page.ask(**grid(layer.name, cluster=cluster, count=n))
        inside = [neuron in members["neurons"] for neuron in ([0, 0], [1, 2])]
        for neuron, known in zip(([0, 0], [1, 2]), inside, strict=True):
            found, _ = page.ask(**grid(layer.name, cluster=cluster, count=0, find=neuron))
            assert found["place"] == (members["neurons"].index(neuron) if known else None)
    assert page.ask(**grid(layer.name))[0]["place"] is None


def test_the_grid_beyond_its_end_and_of_large_thumbnails(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-1].name
    body, data = page.ask(**grid(layer, first=10**6))
    assert body["neurons"] == []
    assert data.size == 0
    body, data = page.ask(**grid(layer, side=500, count=1))
    assert (body["height"], body["width"]) == (16, 32)  # never larger than the frame


def test_a_slow_rule_ranks_by_a_quick_one_and_tells_its_own_values(pages, canvas: cw.Canvas) -> None:
    slow, quick = canvas.under("ablation"), canvas.under("gated")
    layer = slow.traced_layers[-1].name
    body, _ = pages(slow).ask(kind="pixel", time=3, pixel=[5, 6], k=7, selection=selection(layer, [1, 2]))
    ranked = quick.top(5, 6, 7, 3)
    exact = {(n.layer, n.neuron): float(slow.map(n.layer, n.neuron, 3)[5, 6]) for n in ranked}
    found = {(n["layer"], tuple(n["neuron"])): n["value"] for n in body["neurons"]}
    assert found == pytest.approx(exact, abs=1e-6)
    sizes = [n["magnitude"] for n in body["neurons"]]
    assert sizes == sorted(sizes, reverse=True)
    each = [slow.map(n["layer"], tuple(n["neuron"]), 3, rgb="abs")[5, 6] for n in body["neurons"]]
    assert sizes == pytest.approx(each, abs=1e-6)
    assert body["selected"] == pytest.approx(float(slow.map(layer, (1, 2), 3)[5, 6]), abs=1e-6)
    body, _ = pages(slow).ask(kind="pixel", time=3, pixel=[5, 6], k=1, selection=selection(layer))
    assert body["selected"] is None


def test_a_large_layer_is_sorted_by_estimates_that_say_how_good_they_are(
    pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = cw.trace(video(), "gated")
    page, layer = pages(canvas), canvas.traced_layers[1]
    n = layer.n_kernels
    exact = canvas.summary(layer, 1).neuron_abs.ravel()
    body, _ = page.ask(**grid(layer.name, sort="total", count=n))
    assert body["half_width"] == 0
    assert body["values"] == pytest.approx(np.sort(exact)[::-1], rel=1e-4)
    monkeypatch.setattr("canvaswidget.kernel.sampled_maps.LARGE", 0)
    monkeypatch.setattr(canvas, "summary", None)  # no exact totals now
    monkeypatch.setattr("canvaswidget.tracing.sampling.exact_cost", lambda *_: math.inf)
    ask = {"time": 1, "layer": layer.name, "sort": "total", "channel": "sum", "pixel": None, "region": None}
    body, data = page.ask(kind="values", **ask)
    assert 0 < body["half_width"] <= 0.05
    estimates = data.view("<f4")
    assert np.median(np.abs(estimates / exact - 1)) < 0.05
    body, _ = page.ask(**grid(layer.name, sort="total", count=n))
    assert 0 < body["half_width"] <= 0.05
    assert body["values"] == pytest.approx(np.sort(estimates)[::-1], rel=1e-6)
    body, _ = page.ask(**grid(layer.name, sort="index", count=n))
    assert body["half_width"] == 0


def test_other_rules_are_sorted_by_exact_totals(pages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canvaswidget.kernel.sampled_maps.LARGE", 0)
    canvas = cw.trace(video(), "xinc")
    layer = canvas.traced_layers[-1]
    body, _ = pages(canvas).ask(**grid(layer.name, sort="total", time=1, count=3))
    assert body["half_width"] == 0
    assert body["values"] == pytest.approx(np.sort(canvas.summary(layer, 1).neuron_abs.ravel())[::-1][:3])
