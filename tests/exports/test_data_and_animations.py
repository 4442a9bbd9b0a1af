"""Data and animations of the current view, from Python and for the page's menu."""

from __future__ import annotations

import csv
import io
import queue
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import canvaswidget as cw
from canvaswidget.exports import animation
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.exports.names import short_names
from canvaswidget.plotting.view import View
from canvaswidget.widget import page_comm
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import image, video

pytestmark = pytest.mark.slow

LAYER = "decoder.2.conv.upconv.0"


@pytest.fixture
def w():
    widget = CanvasWidget(cw.trace(video(), device="cpu"), layer=LAYER, time=2, pixel=(3, 5))
    yield widget
    widget.close()


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_arrays_behind_the_view(w: CanvasWidget, tmp_path: Path) -> None:
    canvas, neuron = w.canvas, w.neuron
    w.save_data(tmp_path / "a.npz", progress=False)
    found = np.load(tmp_path / "a.npz")
    np.testing.assert_allclose(found["frame"], canvas.frame(2), atol=1e-6)
    np.testing.assert_allclose(found["map"], canvas.map(LAYER, neuron, 2), atol=1e-6)
    for name, column in canvas.pixel(3, 5, 2).items():
        np.testing.assert_allclose(found[f"pixel/{name}"], column, atol=1e-6)
    np.testing.assert_allclose(found["neurons/total"], canvas.summary(LAYER, 2).neuron_abs, rtol=1e-5)
    totals = [np.abs(canvas.map(LAYER, neuron, frame)).sum() for frame in range(6)]
    np.testing.assert_allclose(found["time/total"], totals, rtol=1e-4)
    assert np.isnan(found["time/change"][0])
    assert "clusters" not in found
    assert "rule = xinc" in found["about"]
    w.cluster, w.neuron = 1, None
    w.save_data(tmp_path / "a.npz", progress=False)
    found = np.load(tmp_path / "a.npz")
    members = np.argwhere(found["clusters"] == 1)
    maps = canvas.maps(LAYER, members, 2)
    np.testing.assert_allclose(found["map"], np.abs(maps).sum(0), rtol=1e-4)
    np.testing.assert_allclose(found["map_signed"], maps.sum(0), atol=1e-5)


def test_tables(w: CanvasWidget, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    w.save_data(path, progress=False)
    head, *lines = rows(path)
    assert head == ["layer", "neuron", "contribution", "magnitude", "share of layer", "rule"]
    assert len(lines) == sum(int(np.prod(layer.neurons)) for layer in w.canvas.traced_layers)
    best = w.canvas.top(3, 5, 3, 2)
    for line, ranked in zip(lines, best, strict=False):
        assert line[0] == ranked.layer
        assert float(line[2]) == pytest.approx(ranked.value, rel=1e-5)
        assert float(line[4]) == pytest.approx(ranked.share, rel=1e-4)
    w.save_data(path, "time", progress=False)
    head, *lines = rows(path)
    assert head == ["frame", "total", "change"]
    assert [line[0] for line in lines] == list("012345")
    assert lines[0][2] == ""
    w.save_data(path, "neurons", progress=False)
    assert len(rows(path)) == 1 + int(np.prod(w.canvas.layers.find(LAYER).neurons))
    w.cluster, w.neuron = 0, None
    w.figure(["frame"])  # the clusters are known now
    w.save_data(path, "neurons", progress=False)
    assert rows(path)[0] == ["layer", "neuron", "total", "cluster"]
    w.pixel = None
    with pytest.raises(ValueError, match="pin a pixel"):
        w.save_data(path, progress=False)


@pytest.mark.parametrize("form", animation.FORMS)
def test_films(w: CanvasWidget, tmp_path: Path, form: str) -> None:
    told: list[tuple[int, int]] = []
    w.animation(tmp_path / f"a.{form}", 1, 4, 12, progress=lambda *done: told.append(done))
    frames = iio.imread(
        tmp_path / f"a.{form}",
        plugin="pyav" if form == "mp4" else "pillow",
        index=None if form == "mp4" else ...,
    )
    assert frames.shape == (4, 240, 480, 3)
    assert told[-1][1] == 8
    assert [done for done, total in told if total == 8] == sorted(done for done, total in told if total == 8)
    apart = np.abs(frames[0].astype(float) - frames[-1]).mean()
    assert apart > 1


def test_a_figure_has_the_spectra_where_the_widget_shows_them(w: CanvasWidget) -> None:
    w.rule = "gated"
    assert figure_data(w._live.cached, w._state(), None, lambda done, total: None).spectra is None
    w.panel, w.band = "spectrum", (0.1, 0.3)
    view = figure_data(w._live.cached, w._state(), None, lambda done, total: None)
    assert (view.bars, view.shares, view.region_bars) == ([], [], ())
    assert view.spectra is not None
    assert view.spectra.band == (0.1, 0.3)
    known = cw.analysis.spectrum(w.canvas, w.layer, frame=w.time)
    inside = known.limits[:-1] < 0.5
    np.testing.assert_allclose(view.spectra.frequencies, known.frequencies[inside])
    lines = {line.name: line for line in view.spectra.lines}
    np.testing.assert_allclose(lines["reconstruction"].power, known.output[inside], rtol=1e-6)
    selected = [line for line in view.spectra.lines if line.selected]
    assert len(selected) == 1
    at = int(np.flatnonzero(known.neurons == w.canvas.layers.find(w.layer).flat_index([w.neuron])[0])[0])
    np.testing.assert_allclose(selected[0].power, known.neuron_power[at][inside], rtol=1e-4)
    words = w.figure().words  # type: ignore[attr-defined]
    assert f"{selected[0].name} {selected[0].centroid:.3f}" in words
    assert "Strongest neurons" not in words
    w.panel, w.band = "pixel", None


@pytest.mark.parametrize("channel", ["sum", "green"])
def test_a_figure_has_the_regions_neurons_where_the_widget_shows_them(w: CanvasWidget, channel: str) -> None:
    def shown(*panels: str) -> View:
        return figure_data(w._live.cached, w._state(), panels or None, lambda done, total: None)

    w.rule = "gated"
    w.region, w.channel = ((1, 2), (6, 9)), channel
    assert (w.panel, len(shown().region_bars), len(shown().bars)) == ("region", 12, 0)
    w.panel = "pixel"
    assert (len(shown().region_bars), len(shown().bars), len(shown().shares)) == (0, 12, len(w.canvas.layers))
    with_both = shown("pixel", "region")
    assert (len(with_both.bars), len(with_both.region_bars)) == (12, 12)
    w.pixel, w.panel = None, "region"
    view = shown()
    assert view.region is not None
    assert (view.region.sum(), len(view.bars)) == (35, 0)
    full = {short: name for name, short in short_names([layer.name for layer in w.canvas.layers]).items()}
    of = 1 if channel == "green" else slice(None)
    for bar in view.region_bars:
        neuron = tuple(int(part) for part in bar.neuron.split("→"))
        each = w.canvas.map(full[bar.layer], neuron if len(neuron) > 1 else neuron[0], 2, rgb="each")
        mean = float(np.asarray(each)[view.region][..., of].sum() / 35)
        assert bar.value == pytest.approx(mean, rel=1e-4, abs=1e-7)
    words = w.figure().words  # type: ignore[attr-defined]
    colour = "" if channel == "sum" else f", {channel}"
    assert f"Strongest neurons of the region, mean of 35 pixels{colour}: " in words
    w.region = None
    with pytest.raises(ValueError, match="no region is drawn"):
        w.figure("region")


def test_what_is_chosen_by_another_rule_says_by_which(w: CanvasWidget, tmp_path: Path) -> None:
    """Under ablation a neuron costs a pass: `gated` chooses them, and no number of its is shown as ablation's."""
    w.rule = "ablation"
    canvas, gated = w.canvas, w.canvas.under("gated")
    shown = figure_data(w._live.cached, w._state(), ("pixel", "shares"), lambda done, total: None)
    full = {short: name for name, short in short_names([layer.name for layer in canvas.layers]).items()}
    for bar in shown.bars:
        neuron = tuple(int(part) for part in bar.neuron.split("→"))
        expected = canvas.map(full[bar.layer], neuron if len(neuron) > 1 else neuron[0], 2)[3, 5]
        assert bar.value == pytest.approx(float(expected), rel=1e-4, abs=1e-7)
        assert np.isnan(bar.share)
    assert shown.ranked_by == "gated"
    words = w.figure(["pixel", "shares"]).words  # type: ignore[attr-defined]
    assert "chosen by gated" in words
    assert "half of the pixel, by gated" in words
    assert "strongest at the pixel by gated" in w.figure(["neurons"]).words  # type: ignore[attr-defined]
    w.save_data(tmp_path / "a.csv", "pixel", progress=False)
    head, *found = rows(tmp_path / "a.csv")
    assert head[-1] == "rule"
    columns = gated.pixel(3, 5, 2)
    names = {name for name, *_ in found}
    assert {name for name, *_, rule in found if rule == "gated"} == names & set(columns)
    w.save_data(tmp_path / "a.npz", progress=False)
    arrays = np.load(tmp_path / "a.npz")
    for name, column in columns.items():
        assert str(arrays[f"rule/{name}"]) == "gated"
        np.testing.assert_allclose(arrays[f"pixel/{name}"], column, atol=1e-6)


def test_a_film_paints_as_the_page_does(w: CanvasWidget) -> None:
    from canvaswidget.plotting.figures import palettes

    shown = View("", np.full((2, 2, 3), 0.5), np.array([[0.0, 1.0], [-1.0, 0.5]]), opacity=1.0)
    table = palettes().tables[palettes().names.index("viridis")]
    painted = animation.painted(shown, 1.0)
    assert painted[0, 0].tolist() == [128, 128, 128]
    assert painted[0, 1].tolist() == painted[1, 0].tolist() == table[255].tolist()
    expected = 127.5 + 0.75 * (table[128].astype(float) - 127.5)
    np.testing.assert_allclose(painted[1, 1], expected, atol=1)
    locked = animation.painted(replace(shown, overlay=np.full((2, 2), 2.0), limit=4.0, contrast=8.0), 9.0)
    np.testing.assert_allclose(locked[0, 0], 127.5 + 0.75 * (table[128].astype(float) - 127.5), atol=1)
    alone = animation.painted(View("", None, np.array([[0.0, 1.0]])), 1.0)
    assert alone.tolist() == [[table[0].tolist(), table[255].tolist()]]
    assert animation.painted(View("", np.array([[0.0, 2.0]])), 0.0).tolist() == [[[0] * 3, [255] * 3]]


def test_a_film_has_the_contours_of_the_page() -> None:
    overlay = np.tile(np.linspace(0.0, 8.0, 9), (4, 1))
    shown = View("", np.zeros((4, 9, 3)), overlay, opacity=0.0, contours=True)
    picture = np.zeros((40, 90, 3), np.uint8)
    drawn = animation._with_contours(picture, shown, 8.0)
    assert {int(x) // 10 for x in np.flatnonzero(drawn[20].any(1))} <= {2, 4, 6}
    assert len(np.flatnonzero(drawn[20].any(1))) == 3
    assert not animation._with_contours(picture, replace(shown, contours=False), 8.0).any()


def test_an_odd_size_makes_a_film_too(tmp_path: Path) -> None:
    pictures = iter(np.zeros((3, 31, 47, 3), np.uint8))
    (tmp_path / "a.mp4").write_bytes(animation._mp4(pictures, 1.5))
    assert iio.immeta(tmp_path / "a.mp4", plugin="pyav")["fps"] == pytest.approx(1.5)
    assert iio.imread(tmp_path / "a.mp4", plugin="pyav").shape == (3, 32, 48, 3)


def test_wrong_files_and_ranges(w: CanvasWidget, tmp_path: Path) -> None:
    for call, what in (
        (lambda: w.save_data(tmp_path / "a.txt"), r"ends in \.npz, \.csv"),
        (lambda: w.save_data(tmp_path / "a.csv", "frame"), "table='frame'"),
        (lambda: w.save_data(tmp_path / "no" / "a.csv"), "there is no folder"),
        (lambda: w.animation(tmp_path / "a.avi"), r"ends in \.mp4, \.gif"),
        (lambda: w.animation(tmp_path / "a.mp4", 3, 1), "first=3, last=1"),
        (lambda: w.animation(tmp_path / "a.mp4", 0, 9), "last=9"),
        (lambda: w.animation(tmp_path / "a.mp4", fps=0), "fps=0"),
    ):
        with pytest.raises((ValueError, IndexError), match=what):
            call()
    assert list(tmp_path.iterdir()) == []


def stopped(done: int, total: int) -> None:
    raise KeyboardInterrupt


def test_a_film_that_is_stopped_leaves_nothing(w: CanvasWidget, tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        w.animation(tmp_path / "a.gif", progress=stopped)
    assert (tmp_path / "a.gif").read_bytes() == b"before"
    w.figure(["frame"])  # the worker goes on


def ask(w: CanvasWidget, **body: Any) -> tuple[dict[str, Any], bytes]:
    """What the page gets."""
    found: queue.Queue[tuple[Any, list[bytes]]] = queue.Queue()
    state = w.get_state(list(w.VIEW))
    whole = {"kind": "export", "state": state, "panels": [], "table": "pixel", "first": 0, "last": 5, **body}
    request: Any = {"type": "request", "id": 1, "view": "export", "body": whole}
    w._live.handle(request, lambda message, buffers: found.put((message, buffers)))
    while True:
        message, buffers = page_comm.made(*found.get(timeout=240))
        if message["type"] != "progress":
            return message, buffers[0] if buffers else b""  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("png", b"\x89PNG"),
        ("pdf", b"%PDF"),
        ("svg", b"<?xml"),
        ("npz", b"PK"),
        ("csv", b"layer,"),
        ("gif", b"GIF8"),
        ("html", b"<!doctype html>"),
    ],
)
def test_the_menu_gets_files(w: CanvasWidget, form: str, start: bytes) -> None:
    message, file = ask(w, form=form)
    assert message["type"] == "reply"
    assert message["body"]["name"].endswith(f"frame_2.{form}")
    assert file.startswith(start)


def test_a_page_of_the_menu_says_how_far_it_is_and_is_stopped(w: CanvasWidget) -> None:
    found: queue.Queue[dict[str, Any]] = queue.Queue()
    state = w.get_state(list(w.VIEW))
    body = {"kind": "export", "state": state, "panels": [], "table": "pixel", "first": 0, "last": 5}
    request: Any = {"type": "request", "id": 1, "view": "export", "body": {**body, "form": "html"}}

    def answer(message: Any, buffers: Any) -> None:
        if message["type"] == "progress" and message["done"]:  # on the worker's thread, which waits for it
            w._live.handle({"type": "cancel", "id": 1}, lambda message, buffers: None)
        found.put(message)

    w._live.handle(request, answer)
    while (message := found.get(timeout=240))["type"] == "progress":
        assert message["done"] <= message["total"]
    assert message["type"] == "cancelled"


def test_two_views_are_two_files(w: CanvasWidget) -> None:
    def name(panels: Sequence[str] = (), **changes: Any) -> str:
        for trait, value in changes.items():
            setattr(w, trait, value)
        message, _ = ask(w, form="svg", panels=list(panels))
        return message["body"]["name"]

    neuron = "-".join(map(str, w.neuron if isinstance(w.neuron, tuple) else (w.neuron,)))
    first = name(["frame"])
    assert first.endswith(f"_{neuron}_{w.rule}_frame_2_frame.svg")
    others = [name(), name(["frame"], rule="gated"), name(["frame"], neuron=None, n_clusters=2, cluster=1)]
    assert len({first, *others}) == 4


def test_the_menu_gets_one_panel(w: CanvasWidget) -> None:
    _, file = ask(w, form="png", panels=["time"])
    words = Image.open(io.BytesIO(file)).text["Description"]  # type: ignore[attr-defined]
    assert "Total through time" in words
    assert "Strongest neurons" not in words


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"form": "exe"}, "form='exe'"),
        ({"form": "csv", "table": "all"}, "table='all'"),
        ({"form": "mp4", "first": 4, "last": 2}, "first=4, last=2"),
        ({"form": "gif", "first": 0, "last": 9 * 10**15}, "last=9000000000000000: out of range"),
        ({"form": "png", "panels": ["else"]}, "panels="),
        ({"form": "png", "panels": ["pixel"]}, "no pixel is pinned"),
    ],
)
def test_the_menu_hears_what_is_wrong(w: CanvasWidget, body: dict[str, Any], what: str) -> None:
    w.pixel = None
    message, file = ask(w, **body)
    assert message["type"] == "error"
    assert what in message["message"]
    assert file == b""


def test_a_film_of_an_image_is_one_picture(tmp_path: Path) -> None:
    widget = CanvasWidget(cw.trace(image(), device="cpu"))
    widget.animation(tmp_path / "a.gif", progress=False)
    assert Image.open(tmp_path / "a.gif").size == (480, 288)
    widget.close()
