"""The session: what each request is answered with, and what happens to requests that meet."""

from __future__ import annotations

import gc
import json
import logging
import math
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.kernel import messages
from canvaswidget.kernel.arrays import place_of
from canvaswidget.kernel.session import PADDED_BYTES, Session, one_line
from tests.canvases import StepCanvas, image, video
from tests.kernel.test_messages import problems

RULELESS = ("palettes", "recipe", "export", "frame", "strip")


class Page:
    """Asks, and keeps every answer; each is checked against `messages`."""

    def __init__(self, canvas: Any, **keywords: Any) -> None:
        self.session = Session(canvas, **keywords)
        self.asked: dict[int, Any] = {}
        self.heard: list[tuple[Any, list[bytes]]] = []
        self._changed = threading.Condition()
        self._last = 0

    def reply(self, message: Any, buffers: list[bytes]) -> None:
        with self._changed:
            self.heard.append((message, buffers))
            self._changed.notify_all()

    def send(self, view: str = "", **body: Any) -> int:
        """The request's id; where its answer depends on the rule, that is the session's, unless it says another."""
        self._last += 1
        if body["kind"] not in RULELESS:
            body.setdefault("rule", self.session.canvas.rule)
        request = {"type": "request", "id": self._last, "view": view or body["kind"], "body": body}
        self.asked[self._last] = body
        self.session.handle(json.loads(json.dumps(request)), self.reply)
        return self._last

    def end(self, key: int) -> tuple[Any, list[bytes]]:
        """The one terminal answer to a request."""

        def ends() -> list[Any]:
            return [(m, b) for m, b in self.heard if m["id"] == key and m["type"] != "progress"]

        with self._changed:
            assert self._changed.wait_for(ends, 60)
            found = ends()
        assert len(found) == 1
        assert problems(found[0][0], messages.FromKernel) == []
        json.dumps(found[0][0], allow_nan=False)
        if found[0][0]["type"] == "reply":
            assert found[0][0]["of"] == json.loads(json.dumps(self.asked[key]))
        return found[0]

    def ask(self, **body: Any) -> tuple[Any, np.ndarray]:
        """The body of the reply and its data."""
        message, buffers = self.end(self.send(**body))
        assert message["type"] == "reply", message
        assert message["body"]["kind"] == body["kind"]
        return message["body"], np.frombuffer(buffers[0], np.uint8)

    def fail(self, **body: Any) -> str:
        message, buffers = self.end(self.send(**body))
        assert message["type"] == "error"
        assert buffers == []
        return message["message"]

    @property
    def order(self) -> list[tuple[int, str]]:
        return [
            (message["id"], message["type"]) for message, _ in self.heard if message["type"] != "progress"
        ]


@pytest.fixture
def pages():
    opened: list[Page] = []

    def open_page(canvas: Any, **keywords: Any) -> Page:
        opened.append(Page(canvas, **keywords))
        return opened[-1]

    yield open_page
    for page in opened:
        page.session.close()


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture
def page(pages, canvas) -> Page:
    return pages(canvas)


@pytest.fixture
def steps(pages) -> Page:
    return pages(StepCanvas())


def selection(
    layer: str, neuron: list[int] | None = None, cluster: int = -1, n_clusters: int = 3
) -> dict[str, Any]:
    return {"layer": layer, "neuron": neuron, "neurons": [], "cluster": cluster, "n_clusters": n_clusters}


def grid(layer: str, **changes: Any) -> dict[str, Any]:
    body = {
        "kind": "grid",
        "time": 1,
        "layer": layer,
        "cluster": -1,
        "n_clusters": 3,
        "sort": "index",
        "channel": "sum",
    }
    return {**body, "pixel": [2, 3], "region": None, "first": 0, "count": 5, "side": 8, **changes}


def values(body: Any, data: np.ndarray) -> np.ndarray:
    levels = data.reshape(-1, body["height"], body["width"])[: 1 if body["kind"] == "map" else None]
    low, high = (np.reshape(body[name], (-1, 1, 1)) for name in ("low", "high"))
    return low + levels / 255 * (high - low)


def cluster_labels(page: Page, layer: Any, time: int) -> np.ndarray:
    """The cluster of every neuron, of three."""
    _, data = page.ask(kind="clusters", time=time, layer=layer.name, n_clusters=3)
    return data[: int(np.prod(layer.neurons))]


# --- what is answered ---------------------------------------------------------------------------------------


def test_palettes(page: Page) -> None:
    body, data = page.ask(kind="palettes")
    assert data.size == len(body["names"]) * 256 * 3
    assert "viridis" in body["names"]
    assert set(body["diverging"]) < set(body["names"])


def test_frame_of_every_source(page: Page, canvas: cw.Canvas) -> None:
    shown, truth = np.clip(canvas.frame(2), 0, 1), canvas.inr.truth[2]
    psnr = -10 * np.log10(((shown - truth) ** 2).mean())
    for source, expected in (("reconstruction", shown), ("truth", truth)):
        body, data = page.ask(kind="frame", time=2, source=source)
        assert (body["height"], body["width"], body["channels"], body["time"]) == (16, 32, 3, 2)
        assert body["psnr"] == pytest.approx(psnr, abs=1e-3)
        assert abs(data.reshape(16, 32, 3) / 255 - expected).max() <= 0.5001 / 255
    body, data = page.ask(kind="frame", time=2, source="error")
    assert body["channels"] == 1
    assert body["low"] == 0
    error = np.abs(shown - truth).mean(2)
    assert abs(values(body, data)[0] - error).max() <= body["high"] / 255
    body, data = page.ask(kind="frame", time=2, source="off")
    assert not data.any()


@pytest.mark.parametrize("time", [0, 4])
def test_findings_about_a_layer_in_place_of_its_map(page: Page, canvas: cw.Canvas, time: int) -> None:
    layer = canvas.traced_layers[-2]
    maps = np.concatenate([maps for _, maps in canvas.iter(layer, time)])
    other = np.concatenate([maps for _, maps in canvas.iter(layer, abs(time - 1))])
    spread = cw.analysis.distribution(canvas, layer, time, (0.1,))
    expected = {
        "neurons": (abs(maps) >= spread.thresholds[0]).sum(0),
        "intensity": cw.analysis.intensity(canvas, layer, time).difference,
        "change": abs(abs(maps) - abs(other)).sum(0),
    }
    for overlay, values_expected in expected.items():
        # Whoever is selected in the layer.
        chosen = {**selection(layer.name, [1, 2]), "overlay": overlay}
        body, data = page.ask(kind="map", time=time, selection=chosen)
        assert body["selection"]["overlay"] == overlay
        assert abs(values(body, data)[0] - values_expected).max() <= (body["high"] - body["low"]) / 255 + 1e-5
    assert body["signed_range"] == []


def test_an_image_does_not_change(pages) -> None:
    canvas = cw.trace(image(), device="cpu")
    chosen = {**selection(canvas.traced_layers[-1].name), "overlay": "change"}
    assert "one frame" in pages(canvas).fail(kind="map", time=0, selection=chosen)


def test_map_of_several_neurons_has_a_plane_with_signs(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    maps = canvas.maps(layer.name, [(2, 3), (1, 1)], 4)
    chosen = {**selection(layer.name), "neurons": [[2, 3], [1, 1]]}
    body, data = page.ask(kind="map", time=4, selection=chosen)
    planes = data.reshape(2, 16, 32) / 255
    ranges = [(body["low"], body["high"]), tuple(body["signed_range"])]
    for plane, (low, high), expected in zip(planes, ranges, [abs(maps).sum(0), maps.sum(0)], strict=True):
        assert abs(low + plane * (high - low) - expected).max() <= (high - low) / 255
    assert body["total"] == pytest.approx(abs(maps).sum(), rel=1e-5)
    body, _ = page.ask(kind="curve", frames=[4], selection=chosen)
    assert body["totals"] == pytest.approx([abs(maps).sum()], rel=1e-5)
    body, _ = page.ask(kind="pixel", time=4, pixel=[5, 6], k=3, selection=chosen)
    assert body["selected"] == pytest.approx(abs(maps[:, 5, 6]).sum(), rel=1e-4)


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
        places = [place_of(canvas.layers.find(layer), tuple(neuron)) for neuron in thumbs["neurons"]]
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

    monkeypatch.setattr("canvaswidget.kernel.embeddings.embed", slow)
    steps = pages(StepCanvas())
    scatter = steps.send(kind="scatter", time=0, layer="net.linear", method="tsne")
    assert started.wait(60)
    frame = steps.send(kind="frame", time=1, source="reconstruction")
    assert steps.end(frame)[0]["type"] == "reply"
    again = steps.send(kind="scatter", time=0, layer="net.linear", method="tsne")  # takes up the same work
    assert steps.end(scatter)[0]["type"] == "cancelled"
    go_on.set()
    assert steps.end(again)[0]["type"] == "reply"


def test_share_curve_ends_at_one(page: Page, canvas: cw.Canvas) -> None:
    body, _ = page.ask(
        kind="pixel", time=3, pixel=[5, 6], k=1, selection=selection(canvas.traced_layers[0].name)
    )
    for layer in body["layers"]:
        assert layer["counts"][-1] == layer["n_neurons"]
        assert layer["shares"] == sorted(layer["shares"])
        assert layer["shares"][-1] == pytest.approx(1)


def test_a_perfect_frame_has_a_finite_psnr(pages) -> None:
    canvas = StepCanvas()
    canvas.inr.truth = np.stack([canvas.frame(t) for t in range(4)])
    body, data = pages(canvas).ask(kind="frame", time=1, source="error")
    assert body["psnr"] == 100
    assert body["low"] == body["high"] == 0
    assert not data.any()


def test_map_of_a_neuron_a_cluster_and_a_layer(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    expected = canvas.map(layer.name, (2, 3), 4)
    chosen = selection(layer.name, [2, 3])
    body, data = page.ask(kind="map", time=4, selection=chosen)
    assert body["selection"] == chosen
    assert abs(values(body, data)[0] - expected).max() <= (body["high"] - body["low"]) / 255
    assert (body["low"], body["high"]) == pytest.approx((expected.min(), expected.max()))
    assert body["total"] == pytest.approx(np.abs(expected).sum(), rel=1e-5)

    body, data = page.ask(kind="map", time=4, selection=selection(layer.name))
    whole = canvas.summary(layer.name, 4).pixel_abs
    assert abs(values(body, data)[0] - whole).max() <= (body["high"] - body["low"]) / 255

    labels = cluster_labels(page, layer, time=4)
    maps = np.abs(np.concatenate([maps for _, maps in canvas.iter(layer.name, 4)]))
    for cluster in range(3):
        body, data = page.ask(kind="map", time=4, selection=selection(layer.name, cluster=cluster))
        expected = maps[labels == cluster].sum(0)
        assert abs(values(body, data)[0] - expected).max() <= (body["high"] - body["low"]) / 255
        assert body["total"] == pytest.approx(expected.sum(), rel=1e-4)


def test_a_constant_map_has_one_level(pages) -> None:
    canvas = StepCanvas()
    canvas.maps = lambda layer, neurons, frame=0, rgb="sum": np.full((len(neurons), 4, 6), -2.5, np.float32)  # type: ignore
    body, data = pages(canvas).ask(kind="map", time=0, selection=selection("net.linear", [1]))
    assert body["low"] == body["high"] == -2.5
    assert body["total"] == 60
    assert not data.any()


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


def test_pixel(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    body, _ = page.ask(kind="pixel", time=3, pixel=[5, 6], k=7, selection=selection(layer.name, [1, 2]))
    top = canvas.top(5, 6, 7, 3)
    assert [(n["layer"], tuple(n["neuron"])) for n in body["neurons"]] == [(n.layer, n.neuron) for n in top]
    assert [n["value"] for n in body["neurons"]] == pytest.approx([n.value for n in top])
    assert [n["share"] for n in body["neurons"]] == pytest.approx([n.share for n in top])
    assert body["rgb"] == pytest.approx(canvas.frame(3)[5, 6].tolist())
    assert body["truth"] == pytest.approx(canvas.inr.truth[3, 5, 6].tolist())
    assert body["selected"] == pytest.approx(float(canvas.map(layer.name, (1, 2), 3)[5, 6]), abs=1e-6)
    for share, (name, column) in zip(body["layers"], canvas.pixel(5, 6, 3).items(), strict=True):
        descending = np.sort(np.abs(column.ravel()))[::-1].astype(float)
        assert share["layer"] == name
        assert share["n_neurons"] == column.size
        assert share["total"] == pytest.approx(descending.sum())
        for part, n in ((0.5, share["n50"]), (0.9, share["n90"])):
            assert descending[:n].sum() >= part * descending.sum() > descending[: n - 1].sum()


@pytest.mark.parametrize(("channel", "passes"), [("sum", 3), ("red", 1), ("abs", 3)])
@pytest.mark.parametrize("first", ["pixel", "grid"])
def test_a_pixel_takes_one_backward_pass_a_colour(
    pages, canvas: cw.Canvas, monkeypatch, channel: str, passes: int, first: str
) -> None:
    page, layer = pages(canvas.under("gated")), canvas.traced_layers[-2].name
    chosen = {**selection(layer, [1, 2]), "channel": channel}
    asked = {
        "pixel": {"kind": "pixel", "time": 2, "pixel": [5, 6], "k": 7, "selection": chosen},
        "grid": grid(layer, sort="pixel", time=2, pixel=[5, 6], channel=channel),
    }
    page.ask(**{**asked["grid"], "sort": "index"})  # makes gates, and the thumbnails' scale
    calls, real = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(a) or real(*a, **k))
    for kind in (first, *(asked.keys() - {first})):
        page.ask(**asked[kind])
        assert len(calls) == passes
    page.ask(**{**asked["pixel"], "pixel": [7, 8]})
    assert len(calls) == 2 * passes


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


def test_pixel_of_selections_that_are_no_neuron(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2].name
    ask = {"kind": "pixel", "time": 1, "pixel": [5, 6], "k": 1}
    column = canvas.pixel(5, 6, 1)[layer].ravel()
    body, _ = page.ask(**ask, selection=selection(layer))
    assert body["selected"] == pytest.approx(np.abs(column).sum(), rel=1e-5)
    body, _ = page.ask(**ask, selection=selection(layer, cluster=0))
    assert body["selected"] is None  # hovering computes no clusters
    labels = cluster_labels(page, canvas.layers.find(layer), time=1)
    body, _ = page.ask(**ask, selection=selection(layer, cluster=0))
    assert body["selected"] == pytest.approx(np.abs(column[labels == 0]).sum(), rel=1e-5)


def test_curve(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    body, _ = page.ask(kind="curve", frames=[0, 3], selection=selection(layer.name, [0, 1]))
    assert body["frames"] == [0, 3]
    assert body["totals"] == pytest.approx([np.abs(canvas.map(layer.name, (0, 1), t)).sum() for t in (0, 3)])
    body, _ = page.ask(kind="curve", frames=[5], selection=selection(layer.name))
    assert body["totals"] == pytest.approx([canvas.summary(layer.name, 5).total_abs])
    labels = cluster_labels(page, layer, time=0)
    body, _ = page.ask(kind="curve", frames=[1, 2], selection=selection(layer.name, cluster=2))
    expected = [canvas.summary(layer.name, t).neuron_abs.ravel()[labels == 2].sum() for t in (1, 2)]
    assert body["totals"] == pytest.approx(expected, rel=1e-5)


def test_curve_of_changes(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2].name
    one, whole = selection(layer, [0, 1]), selection(layer)
    maps = [np.abs(canvas.map(layer, (0, 1), t)) for t in range(4)]
    sums = [canvas.summary(layer, t).pixel_abs for t in range(4)]
    for chosen, shown in ((one, maps), (whole, sums)):
        body, _ = page.ask(kind="curve", frames=[0, 2, 3], selection=chosen)
        assert body["changes"][0] is None  # there is no frame before
        expected = [np.abs(shown[t] - shown[t - 1]).sum() for t in (2, 3)]
        assert body["changes"][1:] == pytest.approx(expected, rel=1e-4)


def test_strip_of_small_frames(page: Page, canvas: cw.Canvas) -> None:
    body, data = page.ask(kind="strip", frames=[1, 4], side=8)
    assert (body["frames"], body["height"], body["width"]) == ([1, 4], 4, 8)
    for picture, frame in zip(data.reshape(2, 4, 8, 3), (1, 4), strict=True):
        mean = np.clip(canvas.frame(frame), 0, 1).reshape(4, 4, 8, 4, 3).mean((1, 3))
        assert abs(picture / 255 - mean).max() < 0.02
    assert "out of range" in page.fail(kind="strip", frames=[0, 6], side=8)


def test_what_the_page_measured_is_in_the_stats(steps: Page, caplog) -> None:
    def say(**message: Any) -> None:
        steps.session.handle({"type": "painted", "id": 1, **message}, steps.reply)  # type: ignore[arg-type]

    assert steps.session.stats()["pixel_ms"] is None
    say(times=[{"act": "pixel", "milliseconds": ms} for ms in range(1, 102)], rate=None)
    say(times=[{"act": "step", "milliseconds": 7.5}, {"act": "step", "milliseconds": -1}], rate=59.5)
    assert steps.heard == []
    for times in (
        None,
        3,
        [None],
        [{"act": "else", "milliseconds": 1}],
        [{"act": "step", "milliseconds": "x"}],
    ):
        say(times=times, rate=1.0)
    say(times=[], rate=float("nan"))
    stats = steps.session.stats()
    assert stats["pixel_ms"] == {"n": 101, "p50": 51, "p95": 96}
    assert stats["step_ms"] == {"n": 1, "p50": 7.5, "p95": 7.5}
    assert (stats["overlay_ms"], stats["playing_fps"]) == (None, 59.5)
    assert [message["type"] for message, _ in steps.heard] == ["error"] * 6


def test_clusters_keep_their_members_while_time_runs(steps: Page) -> None:
    _, first = steps.ask(kind="clusters", time=0, layer="net.conv", n_clusters=3)
    n_calls = len(steps.session.canvas.calls)
    _, second = steps.ask(kind="clusters", time=3, layer="net.conv", n_clusters=3)
    assert (first == second).all()
    assert len(steps.session.canvas.calls) == n_calls


def test_a_model_of_linear_layers(pages) -> None:
    canvas = cw.trace(image(), device="cpu")
    page = pages(canvas)
    layer = canvas.traced_layers[-2].name
    body, data = page.ask(kind="map", time=0, selection=selection(layer, [3]))
    assert abs(values(body, data)[0] - canvas.map(layer, 3)).max() <= (body["high"] - body["low"]) / 255
    body, _ = page.ask(**grid(layer, time=0, sort="pixel", side=64))
    assert all(len(neuron) == 1 for neuron in body["neurons"])
    body, _ = page.ask(kind="pixel", time=0, pixel=[0, 0], k=3, selection=selection(layer, [3]))
    assert body["truth"] is None
    assert "no truth" in page.fail(kind="frame", time=0, source="truth")
    body, _ = page.ask(kind="frame", time=0, source="reconstruction")
    assert body["psnr"] is None


def test_replies_are_filled_up_and_the_data_comes_first(steps: Page) -> None:
    for body in ({"kind": "frame", "time": 1, "source": "truth"}, grid("net.linear", first=99)):
        _, buffers = steps.end(steps.send(**body))
        assert sum(map(len, buffers)) == PADDED_BYTES
        assert not any(buffers[1])
    canvas = StepCanvas()
    canvas.inr.size = (200, 300)
    canvas.frame = lambda frame=0: np.zeros((200, 300, 3), np.float32)  # type: ignore
    canvas.inr.truth = None
    page = Page(canvas)
    assert [len(b) for b in page.end(page.send(kind="frame", time=0, source="reconstruction"))[1]] == [
        180_000
    ]
    page.session.close()


# --- what can't be answered ---------------------------------------------------------------------------------

CONV = "net.conv"
BAD = [
    ({"kind": "frame", "time": 4, "source": "off"}, "time=4: out of range"),
    ({"kind": "frame", "time": None, "source": "off"}, "time=None: expected an int"),
    ({"kind": "frame", "time": True, "source": "off"}, "time=True: expected an int"),
    ({"kind": "frame", "time": 0, "source": "video"}, "source='video': expected one of 'reconstruction'"),
    ({"kind": "frame", "source": "off"}, "time: the field is missing"),
    ({"kind": "frame", "time": 0, "source": "off", "rule": "xinc"}, "rule: no such field"),
    ({"kind": "map", "time": 0, "selection": selection("net.nix")}, "no such layer"),
    ({"kind": "map", "time": 0, "selection": selection("net")}, "could be any of net.conv, net.linear"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, [1])}, "takes a kernel (i, o), of 3 x 4"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, [1, 4])}, "neuron[1]=4: out of range"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, cluster=3)}, "cluster=3: expected -1 to 2"),
    ({"kind": "map", "time": 0, "selection": None}, "selection=None: expected an object"),
    ({"kind": "map", "time": 0, "selection": "net.conv"}, "selection='net.conv': expected an object"),
    ({"kind": "map", "time": 0}, "selection: the field is missing"),
    ({"kind": "strip", "frames": [0] * 5, "side": 8}, "the number of frames=5: expected 0 to 4"),
    (grid(CONV, sort="size"), "sort='size'"),
    (grid(CONV, sort="pixel", pixel=None), "needs a pixel"),
    (grid(CONV, sort="pixel", pixel=[4, 0]), "pixel[0]=4: out of range"),
    (grid(CONV, count=10**9), "count=1000000000: expected 0 to"),
    (grid(CONV, side=0), "side=0"),
    (
        {"kind": "pixel", "time": 0, "pixel": [1], "k": 3, "selection": selection(CONV)},
        "pixel=[1]: expected (y, x)",
    ),
    ({"kind": "clusters", "time": 0, "layer": CONV, "n_clusters": 1}, "n_clusters=1: expected 2 to 12"),
    ({"kind": "curve", "frames": [0, 9], "selection": selection(CONV)}, "time=9: out of range"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
def test_a_wrong_request_is_answered_with_what_is_wrong(steps: Page, body: Any, words: str) -> None:
    message = steps.fail(**body)
    assert words in message
    assert "\n" not in message
    steps.ask(kind="frame", time=0, source="reconstruction")  # and the worker lives


def test_messages_that_are_none(steps: Page, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        for message in (None, 3, [], {}, {"type": "request"}, {"type": "cancel", "id": None}):
            steps.session.handle(message, steps.reply)  # type: ignore[arg-type]
    assert steps.heard == []
    assert caplog.text.count("ignored") == 6
    for i, message in enumerate(
        ({}, {"view": "a"}, {"view": "a", "body": {"kind": "no"}}, {"view": 1, "body": {}})
    ):
        steps.session.handle({"type": "request", "id": 50 + i, **message}, steps.reply)  # type: ignore[arg-type]
        assert steps.end(50 + i)[0]["type"] == "error"
    steps.session.handle({"type": "what", "id": 60}, steps.reply)  # type: ignore[arg-type]
    assert "expected one of 'request', 'cancel', 'painted'" in steps.end(60)[0]["message"]
    steps.session.handle({"type": "cancel", "id": 12345}, steps.reply)


def test_an_error_is_shown_and_logged(pages, caplog) -> None:
    canvas = StepCanvas()

    def fail(what: str, step: int) -> None:
        raise RuntimeError("CUDA is out of memory.\nTried to allocate")

    canvas.at_step = fail
    message = pages(canvas).fail(kind="frame", time=1, source="reconstruction")
    assert message == "RuntimeError: CUDA is out of memory."
    assert "Tried to allocate" in caplog.text


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_maps_that_are_no_numbers_are_named(pages, bad: float) -> None:
    canvas = StepCanvas()
    canvas.spoiled = {"map": bad}
    page = pages(canvas)
    for body in (
        {"kind": "map", "time": 2, "selection": selection(CONV, [1, 2])},
        {"kind": "curve", "frames": [3], "selection": selection(CONV, [1, 2])},  # compared with frame 2
        grid(CONV, time=2, first=6),
    ):
        assert "layer 'net.conv', neuron (1, 2), frame 2 has 24 values of 24 that are NaN" in page.fail(
            **body
        )
    for body in (
        {"kind": "map", "time": 2, "selection": selection(CONV)},
        {"kind": "pixel", "time": 2, "pixel": [0, 0], "k": 2, "selection": selection(CONV, [1, 2])},
        grid(CONV, time=2, sort="total"),
    ):
        assert "layer 'net.conv'" in page.fail(**body)
    canvas.spoiled = {"frame": bad}
    assert "frame 3 of the model has 72 values" in page.fail(kind="frame", time=3, source="reconstruction")


def test_one_line() -> None:
    assert one_line(KeyError("layer='x': no such layer")) == "layer='x': no such layer"
    assert one_line(KeyError("x")) == "KeyError: x"
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError("first line\nsecond")) == "first line"


# --- requests that meet -------------------------------------------------------------------------------------


def at(step: int, act: Any):
    """Call `act` once, on the worker's thread, in that step of the first pass over a layer."""
    armed = [True]

    def at_step(what: str, now: int) -> None:
        if what != "frame" and now == step and armed:
            armed.clear()
            act()

    return at_step


def test_a_frame_is_answered_in_the_middle_of_a_slow_layer(steps: Page) -> None:
    urgent: list[int] = []

    def scrub() -> None:
        for time in (1, 2):
            urgent.append(steps.send(kind="frame", time=time, source="reconstruction"))
        urgent.append(steps.send(kind="pixel", time=1, pixel=[0, 0], k=3, selection=selection(CONV)))

    steps.session.canvas.at_step = at(1, scrub)
    slow = steps.send(**grid(CONV, sort="total"))
    assert steps.end(slow)[0]["type"] == "reply"
    superseded, frame, pixel = urgent
    assert steps.order == [(superseded, "cancelled"), (frame, "reply"), (pixel, "reply"), (slow, "reply")]
    calls = steps.session.canvas.calls
    assert calls.index("frame 2") < len(calls) - 3  # chunks came after it
    assert "frame 1" in calls  # the pixel's colour; the frame that was superseded was never computed


def test_a_newer_request_of_the_view_stops_the_older_one(steps: Page) -> None:
    newer: list[int] = []
    steps.session.canvas.at_step = at(2, lambda: newer.append(steps.send(**grid(CONV, sort="total", time=2))))
    older = steps.send(**grid(CONV, sort="total", time=1))
    assert steps.end(older)[0]["type"] == "cancelled"
    assert steps.end(newer[0])[0]["body"]["time"] == 2
    # Of the newer one: its order, the neurons that its scale is taken from, and their maps.
    assert sum(call.startswith("maps") for call in steps.session.canvas.calls) < 3 * StepCanvas.STEPS


def test_a_scrub_costs_one_computation_more_than_its_last_frame(steps: Page) -> None:
    """What is under way when the last wish comes can't be undone; all that waited between is never begun."""
    begun, go_on = threading.Event(), threading.Event()
    maps = steps.session.canvas.maps
    times: list[int] = []

    def slow(layer: str, neurons: Any, frame: int = 0, rgb: str = "sum") -> Any:
        times.append(frame)
        begun.set()
        assert go_on.wait(60)
        return maps(layer, neurons, frame)

    steps.session.canvas.maps = slow
    body = {"kind": "map", "selection": selection(CONV, [1, 2])}
    first = steps.send(**body, time=0)
    assert begun.wait(60)
    scrubbed = [steps.send(**body, time=1 + i % 2) for i in range(118)]
    last = steps.send(**body, time=3)
    go_on.set()
    assert steps.end(last)[0]["body"]["time"] == 3
    assert times == [0, 3]
    assert {steps.end(key)[0]["type"] for key in scrubbed} == {"cancelled"}
    assert steps.end(first)[0]["type"] in ("cancelled", "reply")


def test_the_page_may_cancel_what_runs_and_what_waits(steps: Page) -> None:
    waiting: list[int] = []

    def cancel() -> None:
        waiting.append(steps.send(kind="clusters", time=0, layer=CONV, n_clusters=2))
        for key in (waiting[0], slow_id):
            steps.session.handle({"type": "cancel", "id": key}, steps.reply)

    slow_id = 1
    steps.session.canvas.at_step = at(0, cancel)
    assert steps.send(**grid(CONV, sort="total")) == slow_id
    assert steps.end(slow_id)[0]["type"] == "cancelled"
    assert steps.end(waiting[0])[0]["type"] == "cancelled"
    steps.ask(kind="palettes")


def test_long_work_gives_way_to_what_needs_no_pass_over_a_layer(steps: Page) -> None:
    later: list[int] = []

    def ask() -> None:
        later.append(steps.send(**grid(CONV, sort="total")))
        later.append(steps.send(**grid("net.linear", sort="index"), view="other"))
        later.append(steps.send(kind="map", time=1, selection=selection(CONV, [0, 0])))

    steps.session.canvas.at_step = at(0, ask)
    curve = steps.send(kind="curve", frames=[0, 1], selection=selection(CONV))
    steps.end(curve)
    total, index, neuron = later
    assert [key for key, _ in steps.order] == [neuron, index, total, curve]


def test_progress_is_told(pages) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.2
        return now[0]

    page = pages(StepCanvas(), clock=clock)
    page.ask(**grid(CONV, sort="total"))
    told = [message for message, _ in page.heard if message["type"] == "progress"]
    assert [(m["done"], m["total"]) for m in told][: StepCanvas.STEPS] == [(i, 5) for i in range(5)]
    assert all(problems(message, messages.FromKernel) == [] for message in told)


def test_answers_are_kept_and_bounded(pages) -> None:
    page = pages(StepCanvas(), cache_bytes=2000)
    ask = {"kind": "frame", "source": "reconstruction"}
    page.ask(**ask, time=1)
    page.ask(**ask, time=1)
    assert page.session.canvas.calls == ["frame 1"]
    for time in (0, 2, 3):
        page.ask(**ask, time=time)
    page.ask(**ask, time=1)
    assert page.session.canvas.calls[-1] == "frame 1"
    assert 0 < page.session.stats()["cache_bytes"] <= 2000
    stats = page.session.stats()
    assert {name: stats[name] for name in ("requests", "answered", "cancelled", "failed")} == {
        "requests": 6,
        "answered": 6,
        "cancelled": 0,
        "failed": 0,
    }


def test_another_rule_has_maps_of_its_own_and_the_same_frames(steps: Page) -> None:
    for body in ({"kind": "frame", "time": 1, "source": "reconstruction"}, grid(CONV, sort="pixel")):
        steps.ask(**body)
    first = steps.session.canvas
    steps.session.use("other")
    other = steps.session.canvas
    steps.ask(kind="frame", time=1, source="reconstruction")
    assert other.calls == []
    steps.ask(**grid(CONV, sort="pixel"))
    assert other.calls != []
    steps.session.use("xinc")
    assert steps.session.canvas is first  # with the options that it was traced with


def test_a_request_is_answered_under_the_rule_that_it_names(pages) -> None:
    """Whatever the widget's rule is when it comes, waits and runs."""
    page = pages(StepCanvas())
    running, go = threading.Event(), threading.Event()
    page.session.canvas.at_step = at(1, lambda: (running.set(), go.wait(60)))
    slow = page.send(**grid(CONV, sort="total"))
    assert running.wait(60)
    using = threading.Thread(target=page.session.use, args=("other",))
    using.start()
    waiting = page.send("waiting", kind="map", rule="xinc", time=1, selection=selection(CONV, [1, 2]))
    ahead = page.send("ahead", kind="map", rule="third", time=1, selection=selection(CONV, [1, 2]))
    go.set()
    using.join(60)
    for key, rule in ((slow, "xinc"), (waiting, "xinc"), (ahead, "third")):
        message = page.end(key)[0]
        assert (message["type"], message["of"]["rule"]) == ("reply", rule)
    assert page.session.canvas.rule == "other"


def test_clusters_of_a_rule_keep_their_numbers_while_others_are_looked_at(page: Page) -> None:
    layer = page.session.canvas.traced_layers[-2]
    before = cluster_labels(page, layer, time=0)
    for rule in ("gated", "ablation", "gated"):
        page.session.use(rule)
        cluster_labels(page, layer, time=1)
    assert "rule='xink'" in page.fail(kind="map", rule="xink", time=0, selection=selection(layer.name))
    page.session.use("xinc")
    assert (cluster_labels(page, layer, time=5) == before).all()


def test_call_runs_on_the_worker(steps: Page) -> None:
    def where(checkpoint: Any) -> str:
        checkpoint()
        return threading.current_thread().name

    assert steps.session.call(where) == "canvaswidget"
    assert steps.session.call(lambda checkpoint: steps.session.call(where)) == "canvaswidget"
    with pytest.raises(ZeroDivisionError):
        steps.session.call(lambda checkpoint: 1 / 0)
    steps.session.close()
    with pytest.raises(RuntimeError, match="closed"):
        steps.session.call(where)


def test_close_answers_everything_and_frees_the_canvas() -> None:
    canvas = StepCanvas()
    page = Page(canvas)
    running, go = threading.Event(), threading.Event()
    canvas.at_step = at(1, lambda: (running.set(), go.wait(60)))
    keys = [page.send(**grid(CONV, sort="total"))]
    assert running.wait(60)
    keys += [page.send(kind="frame", time=1, source="off"), page.send(kind="palettes")]
    closing = threading.Thread(target=page.session.close)
    closing.start()
    page.end(keys[2])
    go.set()
    closing.join(60)
    page.session.close()
    keys.append(page.send(kind="palettes"))
    assert [page.end(key)[0]["type"] for key in keys] == ["cancelled"] * 4
    alive = weakref.ref(canvas)
    del canvas
    gc.collect()
    assert alive() is None


def test_a_session_that_is_dropped_ends_its_thread() -> None:
    page = Page(StepCanvas())
    page.ask(kind="palettes")
    worker, thread = page.session._worker, page.session._worker._thread
    assert thread is not None
    del page.session
    gc.collect()
    assert worker.closed
    thread.join(60)
    assert not thread.is_alive()
