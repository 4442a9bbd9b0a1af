"""What each request of the other panels is answered with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.session import PADDED_BYTES
from tests.canvases import StepCanvas, image
from tests.kernel.page import Page, cluster_labels, grid, selection, values


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
        "gradient": cw.analysis.derivatives(canvas, time).gradient,
        "laplacian": cw.analysis.derivatives(canvas, time).laplacian,
    }
    for overlay, values_expected in expected.items():
        # Whoever is selected in the layer.
        chosen = {**selection(layer.name, [1, 2]), "overlay": overlay}
        body, data = page.ask(kind="map", time=time, selection=chosen)
        assert body["selection"]["overlay"] == overlay
        # A network of frames has no coordinates to differentiate by.
        assert body["by"] == ("finite differences" if overlay in ("gradient", "laplacian") else "")
        assert abs(values(body, data)[0] - values_expected).max() <= (body["high"] - body["low"]) / 255 + 1e-5
    assert body["signed_range"] == []


def test_findings_are_of_the_colours_added_whichever_is_shown(pages) -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    page = pages(canvas)
    layer = canvas.traced_layers[-2]
    chosen = {**selection(layer.name), "overlay": "intensity"}
    body, data = page.ask(kind="map", time=0, selection={**chosen, "channel": "red"})
    expected = cw.analysis.intensity(canvas, layer, 0).difference
    assert abs(values(body, data)[0] - expected).max() <= (body["high"] - body["low"]) / 255 + 1e-5


def test_the_slopes_of_a_network_of_coordinates_are_by_autograd(pages) -> None:
    canvas = cw.trace(image(), device="cpu")
    for overlay in ("gradient", "laplacian"):
        chosen = {**selection(canvas.traced_layers[-1].name), "overlay": overlay}
        body, data = pages(canvas).ask(kind="map", time=0, selection=chosen)
        expected = getattr(cw.analysis.derivatives(canvas, method="autograd"), overlay)
        assert body["by"] == "autograd"
        assert abs(values(body, data)[0] - expected).max() <= (body["high"] - body["low"]) / 255 + 1e-5


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


def test_a_region_takes_one_backward_pass_a_colour_for_all_layers(
    pages, canvas: cw.Canvas, monkeypatch
) -> None:
    gated = canvas.under("gated")
    page, names = pages(gated), [layer.name for layer in gated.traced_layers]
    mask = np.zeros(canvas.inr.size, bool)
    mask[2:5, 3:6] = True
    region = checked_region(mask, canvas.inr.size).on_wire()
    for name in names:
        page.ask(**grid(name, time=2))  # makes gates, and the thumbnails' scale
    calls, real = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(a) or real(*a, **k))
    for name in names:
        page.ask(**grid(name, sort="region", time=2, region=region))
    assert len(calls) == 3


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
