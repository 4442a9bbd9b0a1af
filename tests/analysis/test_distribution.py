"""Pixels of a neuron and neurons of a pixel, against sorting everything."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvaswidget as cw
from canvaswidget.analysis.distribution import distribution
from canvaswidget.tracing.colours import rgb_of_magnitudes
from tests.canvases import MapsCanvas, image, video


def naive(maps: np.ndarray, level: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Pixels of each neuron, the threshold, neurons of each pixel: all maps at once, sorted."""
    size = maps.shape[-2:]
    values = np.abs(maps.reshape(-1, size[0] * size[1])).astype(np.float64)
    total = values.sum(0)
    pixels = (values * len(values) > total).sum(1)
    if not total.sum():
        return pixels, 0.0, np.zeros(size)
    ordered = np.sort(values.ravel())[::-1]
    reached = np.cumsum(ordered)
    place = np.searchsorted(reached, (1 - level) * total.sum())
    threshold = ordered[min(place, len(ordered) - 1)]
    return pixels, threshold, (values >= threshold).sum(0).reshape(size)


def assert_as_sorted(maps: np.ndarray, levels: tuple[float, ...] = (0.1, 0.5), chunk: int = 7) -> None:
    canvas = MapsCanvas({"layer": maps}, chunk=chunk)
    found = distribution(canvas, "layer", levels=levels)
    for place, level in enumerate(levels):
        pixels, threshold, neurons = naive(canvas.given[0]["layer"], level)
        assert found.thresholds[place] == np.float32(threshold)
        assert (found.neurons_per_pixel[place] == neurons).all()
        assert (found.pixels_per_neuron.ravel() == pixels).all()


def test_worked_by_hand() -> None:
    # Two pixels, four neurons. Pixel 0 gets 6, 1, 1, 0 and pixel 1 gets 1, 1, 1, 1: a total of 12.
    maps = np.array([[6.0, -1], [1, 1], [-1, 1], [0, 1]]).reshape(4, 1, 2)
    found = distribution(MapsCanvas({"net": maps}), "net", levels=(0.5, 0.4, 0.01))
    # More than a quarter of 8 in pixel 0, more than a quarter of 4 in pixel 1: only the first, once.
    assert found.pixels_per_neuron.tolist() == [1, 0, 0, 0]
    # The 6 alone makes half; 60% needs a 1 besides, and then all that are equal to it count.
    assert found.thresholds.tolist() == [6, 1, 1]
    assert found.neurons_per_pixel.tolist() == [[[1, 0]], [[3, 4]], [[3, 4]]]
    assert found.neuron_abs.tolist() == [7, 2, 2, 1]
    assert found.pixel_abs.tolist() == [[8, 4]]
    assert np.allclose(found.share_of_neurons[1], [[0.75, 1]])


# Whole numbers times a power of two: every sum is exact, so that not even a threshold in a tie may differ.
whole = st.integers(0, 2**10)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whole_numbers_exactly(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(1,), (5,), (3, 4), (16,)]))
    size = data.draw(st.sampled_from([(1, 1), (2, 3), (5, 4)]))
    n = int(np.prod(shape) * np.prod(size))
    values = data.draw(st.lists(whole, min_size=n, max_size=n))
    signs = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=n, max_size=n))
    scale = 2.0 ** data.draw(st.sampled_from([-60, -3, 0, 40]))
    maps = (np.array(values) * np.array(signs) * scale).reshape(*shape, *size)
    levels = data.draw(st.sampled_from([(0.1, 0.5), (0.5,), (0.001, 0.25, 0.999)]))
    assert_as_sorted(maps, levels, data.draw(st.integers(1, 20)))


@pytest.mark.parametrize(
    "kind", ["normal", "heavy", "equal", "two values", "one giant", "dead", "half dead", "ladder", "plateau"]
)
def test_shapes_of_distributions(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 values in a bracket of 16, so that it must move; a plateau of equal values ends it for good."""
    module = sys.modules["canvaswidget.analysis.thresholds"]
    monkeypatch.setattr(module, "WIDTH", 16)
    monkeypatch.setattr(module, "MAX_HELD", 500)
    monkeypatch.setattr(module, "FEW", 64)
    rng = np.random.default_rng(0)
    n, size = 50, (20, 20)
    values = {
        "normal": rng.normal(size=(n, *size)),
        "heavy": rng.normal(size=(n, *size)) * 10.0 ** rng.integers(-12, 3, (n, *size)),
        "equal": np.full((n, *size), 0.3),
        "two values": rng.choice([0.1, 0.7], (n, *size)),
        "one giant": np.where(np.arange(n * 400).reshape(n, *size) == 7, 1e6, 1e-3),
        "dead": np.zeros((n, *size)),
        "half dead": rng.normal(size=(n, *size)) * (np.arange(n) % 2)[:, None, None],
        "ladder": np.arange(n * 400).reshape(n, *size) + 1.0,
        "plateau": np.where(rng.random((n, *size)) < 0.5, 0.3, rng.random((n, *size))),
    }[kind]
    maps = values.astype(np.float32)
    canvas = MapsCanvas({"layer": maps}, chunk=9)
    found = distribution(canvas, "layer")
    magnitudes = np.abs(maps).astype(np.float64)
    ordered = np.sort(magnitudes.ravel())[::-1]
    mass = np.concatenate([[0.0], np.cumsum(ordered)])
    for place, level in enumerate(found.levels):
        threshold, target = found.thresholds[place], (1 - level) * mass[-1]
        above = mass[(ordered > threshold).sum()]
        with_ties = mass[(ordered >= threshold).sum()]
        # Enough from the threshold up, not enough above it: up to the rounding of a float32 total.
        assert above <= target * (1 + 1e-6)
        assert with_ties >= target * (1 - 1e-6)
        assert threshold in magnitudes
        assert (found.neurons_per_pixel[place] == (magnitudes >= threshold).sum(0) * (target > 0)).all()
    pixels = (magnitudes > (magnitudes.sum(0) / n).astype(np.float32)).sum((1, 2))
    assert (found.pixels_per_neuron == pixels).all()
    assert canvas.sweeps <= 6


def test_equal_neurons_share_fairly_and_a_dead_layer_has_no_threshold() -> None:
    equal = distribution(MapsCanvas({"layer": np.full((9, 4, 5), 0.1)}), 0)
    assert (equal.pixels_per_neuron == 0).all()
    assert (equal.neurons_per_pixel == 9).all()
    dead = distribution(MapsCanvas({"layer": np.zeros((9, 4, 5))}), 0)
    assert (dead.pixels_per_neuron == 0).all()
    assert dead.thresholds.tolist() == [0, 0]
    assert "pixels per neuron" in repr(dead)
    dead.plot()
    dead.plot_pixels()


@pytest.mark.parametrize("make", [video, pytest.param(image, marks=pytest.mark.repeats)])
@pytest.mark.parametrize("granularity", [None, "unit", "kernel"])
def test_real_canvases_in_any_chunks(make, granularity: str | None) -> None:
    answers = []
    for memory in ("1 GiB", 2**20):
        canvas = cw.trace(make(), device="cpu", memory=memory)
        for layer in canvas.traced_layers:
            frame = canvas.inr.n_frames - 1
            found = distribution(canvas, layer, frame, granularity=granularity)
            rgb = rgb_of_magnitudes(canvas, layer)
            chunks = canvas.iter(layer, frame, granularity=granularity, rgb=rgb)
            maps = np.concatenate([maps for _, maps in chunks])
            assert found.pixels_per_neuron.shape == layer.shape_of(granularity)
            for place, level in enumerate(found.levels):
                pixels, threshold, neurons = naive(maps, level)
                assert found.thresholds[place] == pytest.approx(threshold, rel=1e-3)
                assert np.abs(found.neurons_per_pixel[place] - neurons).sum() <= 3
                assert np.abs(found.pixels_per_neuron.ravel() - pixels).sum() <= 3
            answers.append(found)
    half = len(answers) // 2
    for one, other in zip(answers[:half], answers[half:], strict=True):
        assert (one.pixels_per_neuron == other.pixels_per_neuron).all()
        assert np.allclose(one.pixel_abs, other.pixel_abs, rtol=1e-5)


@pytest.mark.parametrize("levels", [(), (0.0,), (1.0,), (-0.1,), (0.1, 2)])
def test_levels_are_parts_of_the_total(levels) -> None:
    with pytest.raises(ValueError, match="levels="):
        distribution(MapsCanvas({"layer": np.ones((3, 2, 2))}), 0, levels=levels)


def test_what_is_no_number_is_named() -> None:
    maps = np.ones((3, 2, 2))
    maps[1, 0, 0] = np.nan
    maps[2, 1, 1] = np.inf
    with pytest.raises(ValueError, match="2 pixels are infinite or no numbers"):
        distribution(MapsCanvas({"layer": maps}), 0)


def test_drawings_say_what_they_show() -> None:
    found = distribution(cw.trace(video(), device="cpu"), "decoder.1")
    axes = found.plot()
    assert axes.get_xlabel() == "neurons, sorted (share of the layer)"
    distribution(cw.trace(video(), device="cpu"), "head_layer").plot(axes)
    assert len(axes.get_legend().get_texts()) == 2
    assert "n = " in axes.get_legend().get_texts()[0].get_text()
    heat = found.plot_pixels(level=0.5)
    assert "50%" in heat.get_title(loc="left")
    with pytest.raises(ValueError, match="level=0.3"):
        found.plot_pixels(level=0.3)
    assert "<table" in found._repr_html_()
