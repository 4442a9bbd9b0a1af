"""Neurons in the order of their frequencies: those of `analysis.spectrum`, all of them or none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.text import Text

import canvaswidget as cw
from canvaswidget.kernel import neuron_frequencies
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.cached_canvas import CachedCanvas
from tests.canvases import MapsCanvas, video
from tests.exports.saved_page import Saved
from tests.kernel.page import Page, grid

DEAD = 2  # the unit of the last layer whose maps are 0


@pytest.fixture(scope="module")
def inr() -> cw.INR:
    inr = video()
    last = cw.trace(inr, "gated").traced_layers[-1].name
    with torch.no_grad():
        inr.module.get_submodule(last).weight[:, DEAD] = 0
    return inr


def ask(page: Page, layer: Any, **changes: Any) -> tuple[list[Any], list[float | None]]:
    n = int(np.prod(layer.neurons))
    body, _ = page.ask(**grid(layer.name, sort="frequency", count=n, **changes))
    assert body["half_width"] == 0
    return body["neurons"], body["values"]


def by_hand(maps: np.ndarray) -> float:
    """The centroid of one map ``(h, w, colours)``."""
    height, width = maps.shape[:2]
    window = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width)))
    mean = (maps * window[..., None] ** 2).sum((0, 1)) / (window**2).sum()
    power = np.abs(np.fft.fft2((maps - mean) * window[..., None], axes=(0, 1))) ** 2
    power = power.sum(-1)
    power[0, 0] = 0
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return float((power * frequency).sum() / power.sum())


@pytest.mark.parametrize("rule", ["gated", "xinc", "ablation"])
def test_they_are_those_of_the_spectrum_the_lowest_first(pages: Any, inr: cw.INR, rule: str) -> None:
    canvas = cw.trace(inr, rule)
    page, layer = pages(canvas), canvas.traced_layers[-1]
    neurons, values = ask(page, layer)
    expected = cw.analysis.spectrum(canvas, layer, 1, sample=None).centroid
    flat = np.isnan(expected)
    assert flat[DEAD].all()
    assert 0 < flat.sum() < flat.size
    found = np.full(expected.shape, np.nan)
    for neuron, value in zip(neurons, values, strict=True):
        found[tuple(neuron)] = np.nan if value is None else value
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    known = [value for value in values if value is not None]
    assert len(known) == (~flat).sum()
    assert values[: len(known)] == known == sorted(known)  # and those without a frequency last
    each = "sum" if canvas.why_no_colours(layer) else "each"
    maps = canvas.maps(layer, [tuple(neurons[0])], 1, rgb=each)[0].astype(np.float64)
    assert values[0] == pytest.approx(by_hand(maps.reshape(*canvas.inr.size, -1)), rel=1e-4)
    place, _ = page.ask(**grid(layer.name, sort="frequency", count=0, find=neurons[5]))
    assert place["place"] == 5
    body, data = page.ask(
        kind="values", time=1, layer=layer.name, sort="frequency", channel="sum", pixel=None, region=None
    )
    assert (body["sort"], body["half_width"]) == ("frequency", 0)
    np.testing.assert_allclose(data.view("<f4"), expected.ravel(), rtol=1e-5)


def test_they_are_of_the_colour_that_is_shown(pages: Any, inr: cw.INR) -> None:
    canvas = cw.trace(inr, "gated")
    page, layer = pages(canvas), canvas.traced_layers[-2]
    for channel in ("green", "abs"):
        neurons, values = ask(page, layer, channel=channel)
        maps = canvas.maps(layer, [tuple(neuron) for neuron in neurons[:3]], 1, rgb=channel)
        expected = [by_hand(map[..., None].astype(np.float64)) for map in maps]
        assert values[:3] == pytest.approx(expected, rel=1e-4)


def cached_of(canvas: Any) -> CachedCanvas:
    return CachedCanvas(canvas, ByteCache(2**20))


def silent(done: int, planned: int) -> None:
    """No progress."""


class Given(MapsCanvas):
    """With what a `CachedCanvas` asks of it."""

    clusters = ()
    frames = (0,)


def test_waves_have_the_frequencies_that_they_were_made_with() -> None:
    across = np.arange(64)
    maps = np.stack([np.cos(2 * np.pi * f * across)[None] * np.ones((48, 1)) for f in (0.25, 0.125, 0.4)])
    maps = np.concatenate([maps, np.zeros((1, 48, 64)), np.full((1, 48, 64), 3.0)])
    cached = cached_of(Given({"net.0": maps}))
    found = neuron_frequencies.frequencies(cached, cached.layers[0], 0, silent)
    np.testing.assert_allclose(found[:3], (0.25, 0.125, 0.4), atol=0.01)
    assert np.isnan(found[3:]).all()


def test_maps_of_nan_are_refused() -> None:
    maps = np.random.default_rng(0).random((4, 6, 8))
    maps[2, 1, 1] = np.nan
    cached = cached_of(Given({"net.0": maps}))
    with pytest.raises(ValueError, match=r"maps of 1 neurons of layer 'net.0', frame 0, hold NaN"):
        neuron_frequencies.frequencies(cached, cached.layers[0], 0, silent)


def test_what_takes_too_long_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(neuron_frequencies, "monotonic", lambda: clock.now)

    class Slow(Given):
        seconds = 6.0  # a chunk of 7 neurons

        def reduce(self, *args: Any, **keywords: Any) -> Any:
            for part in super().reduce(*args, **keywords):
                clock.now += self.seconds
                yield part

    told: list[int] = []

    def busy(done: int, planned: int) -> None:
        told.append(done)
        clock.now += 1000  # urgent requests: no work on this one

    canvas = Slow({"net.0": np.random.default_rng(0).random((210, 6, 8))})
    cached = cached_of(canvas)
    with pytest.raises(
        ValueError, match=r"the 210 maps of layer 'net.0' would take about 3 minutes.*spectrum"
    ):
        neuron_frequencies.frequencies(cached, cached.layers[0], 0, busy)
    assert told == [0]
    canvas.seconds = 3.0  # half a minute less than allowed
    found = neuron_frequencies.frequencies(cached, cached.layers[0], 0, busy)
    assert np.isfinite(found).all()
    sweeps = canvas.sweeps
    canvas.seconds = 60.0
    assert (
        neuron_frequencies.frequencies(cached, cached.layers[0], 0, busy) is found
    )  # what is known is shown
    assert canvas.sweeps == sweeps


def test_a_saved_canvas_answers_where_it_has_every_map(pages: Any, inr: cw.INR, tmp_path: Path) -> None:
    canvas = cw.trace(inr, "gated")
    layer = canvas.traced_layers[-1]
    for maps in ("all", 8):
        canvas.save(tmp_path / f"{maps}.zarr", layers=layer, frames=1, maps=maps, progress=False)
    page = pages(cw.open(tmp_path / "all.zarr"))
    neurons, values = ask(page, layer)
    expected = cw.analysis.spectrum(canvas, layer, 1, sample=None).centroid
    for neuron, value in zip(neurons, values, strict=True):
        wanted = expected[tuple(neuron)]
        assert (value is None) == bool(np.isnan(wanted))
        if value is not None:
            assert value == pytest.approx(float(wanted), rel=0.02)
    said = pages(cw.open(tmp_path / "8.zarr")).fail(**grid(layer.name, sort="frequency"))
    assert "has not every map" in said


def test_a_run_has_its_own(pages: Any) -> None:
    torch.manual_seed(3)
    inr = cw.as_inr(cw.models.FFN(hidden=8, size=(6, 8)))
    weights = {
        step: {
            name: value * (1 + step * torch.rand_like(value))
            for name, value in inr.module.state_dict().items()
        }
        for step in (0, 1)
    }
    runs = cw.Runs.from_checkpoints(inr, weights, rule="gated")
    page = pages(runs[0], runs=runs, run=0)
    layer = runs[0].traced_layers[1]
    for run in (0, 1):
        _, values = ask(page, layer, run=run, time=0, pixel=None)
        expected = np.sort(cw.analysis.spectrum(runs[run], layer, sample=None).centroid)
        assert [np.nan if value is None else value for value in values] == pytest.approx(
            expected.tolist(), rel=1e-5, nan_ok=True
        )


def test_the_widget_takes_it_and_so_do_its_figure_recipe_and_page(tmp_path: Path, inr: cw.INR) -> None:
    w = cw.CanvasWidget(inr, rule="gated", faithfulness=False)
    try:
        w.sort = "frequency"
        assert "sort='frequency'" in w.recipe()
        written = " ".join(text.get_text() for text in w.figure(["neurons"]).findobj(Text))
        assert "lowest frequencies" in written
        w.colour_by = "frequency"
        drawn = w.figure(["scatter"])
        assert "frequency (cycles a pixel)" in [text.get_text() for text in drawn.findobj(Text)]
        (points,) = [found for found in drawn.findobj(PathCollection) if found.get_array() is not None]
        expected = cw.analysis.spectrum(w.canvas, w.layer, w.time, sample=None).centroid.ravel()
        np.testing.assert_allclose(points.get_array(), expected[np.isfinite(expected)], rtol=1e-5)
        w.save(tmp_path / "page.html", neurons=2, progress=False)
    finally:
        w.close()
    # A page keeps no frequencies, and does not offer them.
    state = Saved(tmp_path / "page.html").whole["state"]
    assert (state["sort"], state["colour_by"]) == ("total", "cluster")
