"""Figures of a widget, and the picture below it for where no kernel runs."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import canvaswidget as cw
from canvaswidget.exports import fallback_image
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.kernel import similarity
from canvaswidget.plotting import figures
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import image
from tests.widget.between_page_and_widget import displayed

PNG = b"\x89PNG\r\n"

pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"maps": "signed"},
        {"neuron": None},
        {"cluster": 1},
        {"source": "error"},
        {"source": "off"},
        {"overlay": "neurons"},
        {"overlay": "intensity", "maps": "signed"},
        {"overlay": "change", "neuron": None},
        {"overlay": "gradient"},
        {"overlay": "laplacian", "maps": "magnitude"},
        {"pixel": None},
    ],
)
def test_figure_of_any_view(widgets, canvas: cw.Canvas, view: dict[str, Any]) -> None:
    figure = widgets(canvas, n_clusters=2, **view).figure(width=3.3)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == 3.3


def test_save(w: CanvasWidget, tmp_path) -> None:
    for name, start in (("a.png", PNG), ("b.pdf", b"%PDF"), ("c.SVG", b"<?xml")):
        w.save(tmp_path / name, dpi=60)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(ValueError, match=r"ends in \.png, \.pdf, \.svg"):
        w.save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="there is no folder"):
        w.save(tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match="width=0"):
        w.save(tmp_path / "a.png", width=0)


def test_figures_of_chosen_panels(w: CanvasWidget, tmp_path) -> None:
    assert len(w.figure().subfigs) == 4  # frame and pixel, maps, neurons, shares and time
    figure = w.figure(["frame", "scatter", "time"], width=6.6, columns=2, limits="own")
    assert [len(part.axes) for part in figure.subfigs] == [2, 1]
    assert f"{w.layer.split('.')[0]}" in figure.words  # type: ignore[attr-defined]
    w.cluster, w.neuron = 1, None
    w.sort = "total"
    assert len(w.figure().subfigs) == 4  # a cluster is not followed through time unasked
    assert "in cluster 1, largest totals" in w.figure(["neurons"]).words  # type: ignore[attr-defined]
    assert "Total through time" in w.figure("time").words  # type: ignore[attr-defined]
    w.pixel = None
    with pytest.raises(ValueError, match="nothing to draw as 'pixel', since no pixel is pinned"):
        w.figure("pixel")
    for wrong in ({"limits": "none"}, {"panels": "picture"}, {"columns": 2, "width": 3}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            w.figure(**wrong)
    w.save(tmp_path / "a.svg", panels=["frame"], limits="own")
    assert "<desc>" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_below_the_live_view_is_a_picture_for_where_no_kernel_runs(
    w: CanvasWidget, monkeypatch, caplog
) -> None:
    live, saved = displayed(w, monkeypatch)
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == w.model_id
    assert live["text/plain"] == repr(w)
    assert saved["id"] == w._picture
    assert f'<div class="{w._picture}"><img src="data:image/png;base64,' in saved["text/html"]
    assert 'alt="CanvasWidget(NeRV, 6 frames' in saved["text/html"]
    assert base64.b64decode(saved["image/png"]).startswith(PNG)
    monkeypatch.setattr(live_view, "figure_data", lambda *_: 1 / 0)
    assert len(displayed(w, monkeypatch)) == 1
    assert "could not be drawn" in caplog.text


def test_the_picture_keeps_every_colour_of_a_colour_bar() -> None:
    """A palette of 256 colours, chosen for a photograph, left the bar in seven bands."""
    rng = np.random.default_rng(0)
    photograph = np.clip(rng.normal(0.5, 0.2, (40, 60, 3)), 0, 1)
    view = figures.View("a photograph", photograph, overlay=rng.random((40, 60)), opacity=1.0)
    shown = figures.view_figure(view, fallback_image.WIDTH)
    drawn = np.array(Image.open(io.BytesIO(fallback_image.png(shown))))
    shown.canvas.draw()
    bar = next(ax for ax in shown.axes[0].child_axes if ax.get_ylabel() == figures.View.overlay_unit)
    box = bar.get_window_extent().extents * drawn.shape[0] / shown.bbox.height
    column = drawn[::-1][int(box[1]) + 2 : int(box[3]) - 2, int(box[[0, 2]].mean())]
    assert len(np.unique(column, axis=0)) > 128


@pytest.mark.parametrize("maps", ["magnitude", "signed"])
def test_the_picture_draws_a_difference_around_zero(w: CanvasWidget, maps: str) -> None:
    state = {name: getattr(w, name) for name in w.trait_names() if not name.startswith("_")}
    drawn = {
        overlay: figure_data(
            w._live.cached, {**state, "maps": maps, "overlay": overlay}, ["frame"], lambda *_: None
        )
        for overlay in ("intensity", "neurons", "change", "gradient", "laplacian")
    }
    assert {name: view.overlay_signed for name, view in drawn.items()} == {
        "intensity": True,
        "neurons": False,
        "change": False,
        "gradient": False,
        "laplacian": True,
    }


@pytest.mark.parametrize(
    "chosen", [{"neurons": [(0, 0), (2, 1)]}, {"neuron": None}, {"neuron": None, "cluster": 1}]
)
def test_the_picture_of_several_neurons_is_the_pages(
    widgets, canvas: cw.Canvas, chosen: dict[str, Any]
) -> None:
    """Signed contributions are added with their signs; of magnitudes the unit says what they are."""
    w = widgets(canvas, layer="head_layer", n_clusters=2, maps="signed", **chosen)
    layer = w._live.cached.layers.find(w.layer)
    some = np.arange(np.prod(layer.neurons))
    if "neurons" in chosen:
        some = layer.flat_index(chosen["neurons"])
    elif "cluster" in chosen:
        found = w._live.call(lambda report: similarity.clusters(w._live.cached, layer, 2, w.time, report))
        some = np.flatnonzero(found.labels.ravel() == 1)
    maps = canvas.maps(w.layer, layer.neurons_at(some), w.time, rgb="each")
    for kind, expected, unit in (
        ("signed", maps.sum((0, 3)), "contribution (raw level)"),
        ("magnitude", np.abs(maps).sum((0, 3)), "contribution, magnitude (raw level)"),
    ):
        w.maps = kind
        frame = w.figure(["frame"]).subfigs[0].axes[0]
        drawn = frame.images[-1]
        np.testing.assert_allclose(drawn.get_array(), expected, rtol=1e-4, atol=1e-5)
        assert drawn.norm.vmin == (-drawn.norm.vmax if kind == "signed" else 0)
        assert unit in [ax.get_ylabel() for ax in frame.child_axes]
    assert (maps.sum((0, 3)) < 0).any()


def test_a_figure_says_which_colour_its_pixel_is_of(widgets) -> None:
    w = widgets(cw.trace(image(), "gated"), channel="red", pixel=(3, 4))
    told = w.figure(["pixel", "maps", "neurons", "shares"]).words  # type: ignore[attr-defined]
    assert "Strongest neurons of pixel y=3, x=4, red: " in told
    assert "strongest at the pixel, red" in told
    part = w.figure(["shares"]).subfigs[0].axes[0]
    assert part.get_ylabel() == "share of the pixel, red"


def test_a_change_says_against_which_frame_it_is(w: CanvasWidget) -> None:
    w.overlay = "change"
    for time, other in ((0, "next"), (1, "previous")):
        w.time = time
        figure = w.figure(["frame"])
        assert f"change against the {other} frame" in figure.words  # type: ignore[attr-defined]
        drawn = figure.subfigs[0].axes[0].images[-1].get_array()
        layer = w.canvas.layers.find(w.layer)
        rgb = "sum" if w.canvas.why_no_colours(layer) else "abs"
        some = layer.neurons_at(np.arange(np.prod(layer.neurons)))
        maps = [np.abs(w.canvas.maps(layer, some, frame, rgb=rgb)) for frame in (0, 1)]
        np.testing.assert_allclose(drawn, np.abs(maps[1] - maps[0]).sum(0), rtol=1e-3, atol=1e-5)


def test_the_picture_follows_the_view_once_it_rests(w: CanvasWidget, monkeypatch) -> None:
    monkeypatch.setattr(fallback_image, "QUIET", 0.05)

    async def look() -> None:
        found = displayed(w, monkeypatch)
        first = found.pop()
        found.clear()
        w.time = 1
        other = threading.Thread(target=lambda: setattr(w, "time", 2))
        other.start()
        other.join()
        while not found:
            await asyncio.sleep(0.01)
        assert [part["id"] for part in found] == [first["id"]]
        assert "time=2" in found[0]["text/plain"]
        assert found[0]["image/png"] != first["image/png"]
        w.time = 1
        w.close()
        await asyncio.sleep(0.1)
        assert len(found) == 1

    asyncio.run(look())


def test_a_change_after_the_loops_end_is_nothing(w: CanvasWidget, monkeypatch) -> None:
    async def look() -> None:
        displayed(w, monkeypatch)

    asyncio.run(look())
    w.time = 1


def test_repr(w: CanvasWidget) -> None:
    assert repr(w).startswith(
        "CanvasWidget(NeRV, 6 frames of 16x32, layer='decoder.2.conv.upconv.0', time=3, "
    )
