"""Contributions to one colour: the canvas's own, in every answer, and only where the rule has colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from tests.canvases import video
from tests.kernel.page import Page, grid, selection, values

CHANNELS = ("red", "green", "blue", "abs")


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), rule="gated")


@pytest.fixture
def page(canvas: cw.Canvas) -> Iterator[Page]:
    page = Page(canvas)
    yield page
    page.session.close()


def of(channel: str, maps: np.ndarray) -> np.ndarray:
    """Maps of one channel from those with an axis of colours."""
    return np.abs(maps).sum(-1) if channel == "abs" else maps[..., CHANNELS.index(channel)]


@pytest.mark.parametrize("rule", ["gated", "xinc", "ablation"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_canvas_takes_one_colour_of_each(canvas: cw.Canvas, rule: str, channel: str) -> None:
    canvas = canvas.under(rule)
    layer = canvas.traced_layers[-1]
    maps = of(channel, np.concatenate([maps for _, maps in canvas.iter(layer, 1, rgb="each")]))
    one = np.concatenate([maps for _, maps in canvas.iter(layer, 1, rgb=channel)])
    np.testing.assert_allclose(one, maps, atol=1e-6)
    column = canvas.pixel(3, 4, 1, layer, rgb=channel)[layer.name]
    np.testing.assert_allclose(column.ravel(), maps[:, 3, 4], atol=1e-6)
    mask = np.zeros(canvas.inr.size, bool)
    mask[2:5, 3:9] = True
    region = canvas.region(mask, 1, layer, rgb=channel)[layer.name]
    np.testing.assert_allclose(region.ravel(), maps[:, mask].sum(1), atol=1e-5)
    summary = canvas.summary(layer, 1, rgb=channel)
    np.testing.assert_allclose(summary.pixel_abs, np.abs(maps).sum(0), atol=1e-5)


def test_colours_add_up(canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[1]
    colours = sum(canvas.map(layer, (1, 2), 2, rgb=channel) for channel in CHANNELS[:3])
    np.testing.assert_allclose(colours, canvas.map(layer, (1, 2), 2), atol=1e-6)


def test_why_a_layer_has_no_colours(canvas: cw.Canvas) -> None:
    xinc = canvas.under("xinc")
    assert xinc.why_no_colours(-1) == ""
    assert "only those of the last layer" in xinc.why_no_colours(xinc.traced_layers[0])
    assert not any(canvas.why_no_colours(layer) for layer in canvas.traced_layers)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_view_is_of_the_channel(page: Page, canvas: cw.Canvas, channel: str) -> None:
    layer = canvas.traced_layers[-2]
    maps = np.concatenate([maps for _, maps in canvas.iter(layer, 1, rgb=channel)])
    chosen = {**selection(layer.name, [2, 3]), "channel": channel}
    place = int(np.ravel_multi_index((2, 3), layer.neurons))

    body, data = page.ask(kind="map", time=1, selection=chosen)
    assert body["selection"] == chosen
    np.testing.assert_allclose(values(body, data)[0], maps[place], atol=(body["high"] - body["low"]) / 255)

    whole, data = page.ask(kind="map", time=1, selection={**selection(layer.name), "channel": channel})
    assert whole["total"] == pytest.approx(np.abs(maps).sum(), rel=1e-4)

    curve, _ = page.ask(kind="curve", frames=[1], selection=chosen)
    assert curve["totals"][0] == pytest.approx(np.abs(maps[place]).sum(), rel=1e-4)

    for sort, wanted in (
        ("total", np.abs(maps).sum((1, 2))),
        ("pixel", maps[:, 2, 3]),
        (
            "change",
            np.abs(np.abs(maps) - np.abs(canvas_maps(canvas, layer, channel, 0))).sum((1, 2)),
        ),
    ):
        found, _ = page.ask(**grid(layer.name, sort=sort, channel=channel, count=6))
        order = np.argsort(-np.abs(wanted), kind="stable")[:6]
        np.testing.assert_allclose(np.abs(found["values"]), np.abs(wanted[order]), rtol=1e-3, atol=1e-6)

    body, _ = page.ask(kind="pixel", time=1, pixel=[2, 3], k=9, selection=chosen)
    assert body["channel"] == channel
    assert body["selected"] == pytest.approx(maps[place, 2, 3], rel=1e-4, abs=1e-7)
    for ranked in body["neurons"]:
        neuron = tuple(ranked["neuron"]) if len(ranked["neuron"]) > 1 else ranked["neuron"][0]
        exact = canvas.map(ranked["layer"], neuron, 1, rgb=channel)[2, 3]
        assert ranked["value"] == pytest.approx(exact, rel=1e-4, abs=1e-7)


def canvas_maps(canvas: cw.Canvas, layer: Any, channel: str, frame: int) -> np.ndarray:
    return np.concatenate([maps for _, maps in canvas.iter(layer, frame, rgb=channel)])


def test_a_saved_layer_is_of_the_channel_too(canvas: cw.Canvas, tmp_path) -> None:
    canvas.save(tmp_path / "a.zarr", frames=[2], maps=2, progress=False)
    layer = canvas.traced_layers[-1].name
    for channel in ("sum", "abs"):
        shown = []
        for one in (canvas, cw.open(tmp_path / "a.zarr")):
            page = Page(one)
            body, data = page.ask(
                kind="map", time=2, selection={**selection(layer, neuron=None), "channel": channel}
            )
            planes = data[: 2 * 16 * 32].reshape(2, 16, 32) / 255
            ranges = [(body["low"], body["high"]), body["signed_range"]]
            shown.append(
                [low + plane * (high - low) for plane, (low, high) in zip(planes, ranges, strict=True)]
            )
            page.session.close()
        np.testing.assert_allclose(shown[1], shown[0], atol=0.01 * np.abs(shown[0]).max())


def test_channels_are_kept_apart(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    totals = []
    for _ in range(2):
        for channel in ("sum", *CHANNELS):
            chosen = {**selection(layer.name, [2, 3]), "channel": channel}
            totals.append(page.ask(kind="map", time=1, selection=chosen)[0]["total"])
    assert totals[:5] == totals[5:]
    assert totals[0] == pytest.approx(totals[1 + CHANNELS.index("abs")])  # both add magnitudes of colours
    assert len({f"{total:.6g}" for total in totals}) == 4


def test_bars_of_layers_without_colours_are_of_the_sum(canvas: cw.Canvas) -> None:
    xinc = canvas.under("xinc")
    page = Page(xinc)
    last, first = xinc.traced_layers[-1], xinc.traced_layers[0]
    chosen = {**selection(last.name, [1, 0]), "channel": "red"}
    body, _ = page.ask(kind="pixel", time=0, pixel=[2, 3], k=4, selection=chosen)
    assert body["channel"] == "sum"
    assert body["selected"] == pytest.approx(xinc.map(last, (1, 0), rgb="red")[2, 3], rel=1e-4)
    problem, _ = page.end(page.send(**grid(first.name, channel="red")))
    assert problem["type"] == "error"
    assert "does not follow a map" in problem["message"]
    page.session.close()


def test_the_widget_refuses_a_colour_that_is_not_known_and_lets_it_go() -> None:
    w = cw.CanvasWidget(video(), rule="gated", channel="green")
    first, last = w.facts.layers[-2].name, w.facts.layers[-1].name
    w.layer = first
    assert w.channel == "green"
    w.rule = "xinc"
    assert w.channel == "sum"
    with pytest.raises(ValueError, match=r"channel='red': rule 'xinc' does not follow .* take channel='sum'"):
        w.channel = "red"
    w.layer = last
    w.channel = "red"
    assert "channel='red'" in w.recipe()
    assert w.figure()
    w.layer = first
    assert w.channel == "sum"
    with pytest.raises(ValueError, match="channel='cyan': expected one of 'sum', 'red'"):
        w.channel = "cyan"
    w.close()
