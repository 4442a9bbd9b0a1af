"""Spectra of maps: known waves, energy that is kept, and pictures of odd shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis.fourier import Bands, Transform, even_edges, measure_picture, octave_edges
from canvaswidget.analysis.intervals import mean_interval
from canvaswidget.analysis.spectrum import spectrum
from tests.canvases import MapsCanvas, image, video


def hann(n: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2


def by_hand(picture: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """DC, and power and frequency of every coefficient, of one channel, in plain NumPy."""
    height, width = picture.shape
    window = hann(height)[:, None] * hann(width)[None]
    squares = (window**2).sum()
    mean = (window**2 * picture).sum() / squares
    power = np.abs(np.fft.fft2(window * (picture - mean))) ** 2 / (height * width * squares)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    dc = mean**2 + power[0, 0]
    power[0, 0] = 0
    return dc, power, radius


def mean_frequency(picture: np.ndarray) -> tuple[float, float]:
    _, power, radius = by_hand(picture)
    centroid = (power * radius).sum() / power.sum()
    return centroid, math.sqrt((power * (radius - centroid) ** 2).sum() / power.sum())


class Waves(nn.Module):
    """A linear layer over cosines of the coordinates: its units are waves of known frequency."""

    def __init__(self, size: tuple[int, int], cycles: list[tuple[float, float]], channels: int = 3) -> None:
        super().__init__()
        # Coordinates in [-1, 1] over n - 1 steps; `cycles` are whole cycles in a frame of n pixels.
        steps = torch.tensor([max(n - 1, 1) / n for n in size])
        self.waves = nn.Parameter(np.pi * torch.tensor(cycles).float() * steps, requires_grad=False)
        self.head = nn.Linear(len(cycles), channels)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cos(points @ self.waves.T + 0.3))


@pytest.mark.parametrize("size", [(32, 48), (33, 21)])
def test_units_that_are_known_waves(size: tuple[int, int]) -> None:
    cycles = [(0.0, 5.0), (7.0, 0.0), (6.0, 8.0), (0.0, 10.0)]
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_coords(Waves(size, cycles), size), "gated", device="cpu", progress=False)
    found = spectrum(canvas, "head")
    for unit, (down, across) in enumerate(cycles):
        true = math.hypot(down / size[0], across / size[1])
        # The window spreads a wave over its nine nearest coefficients, a cycle a frame to each side.
        assert found.centroid[unit] == pytest.approx(true, abs=1.0 / min(size) ** 1.5)
        assert found.bandwidth[unit] < 1 / min(size)
        y, x = np.mgrid[: size[0], : size[1]]
        phase = 0.3 - np.pi * (down * (size[0] - 1) / size[0] + across * (size[1] - 1) / size[1])
        wave = np.cos(2 * np.pi * (down * y / size[0] + across * x / size[1]) + phase)
        centroid, bandwidth = mean_frequency(wave)
        assert found.centroid[unit] == pytest.approx(centroid, abs=1e-4)
        assert found.bandwidth[unit] == pytest.approx(bandwidth, abs=1e-4)
    assert found.is_whole
    assert found.mean_centroid.low == found.mean_centroid.high
    assert "(" not in str(found.numbers()["centroid"])


def test_a_wave_along_an_axis_is_a_sixth_two_thirds_a_sixth() -> None:
    # Hann's window makes amplitudes 1/4, 1/2, 1/4 of a wave of whole cycles.
    picture = np.cos(2 * np.pi * 6 * np.arange(24) / 24)[None]
    found = measure_picture(Bands((1, 24), (5.5 / 24, 6.5 / 24)), picture[..., None])
    np.testing.assert_allclose(found.energies[0] / found.energies.sum(), [1 / 6, 2 / 3, 1 / 6], rtol=1e-6)
    assert found.centroids[0] == pytest.approx(6 / 24)
    assert found.bandwidths[0] == pytest.approx(math.sqrt(1 / 3) / 24)


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(max_examples=30, deadline=None)
@given(SIZES, st.sampled_from([1, 3]), st.integers(0, 10**6), st.booleans())
def test_energy_is_kept_and_agrees_with_numpy(
    size: tuple[int, int], channels: int, seed: int, octaves: bool
) -> None:
    picture = np.random.default_rng(seed).normal(1, 2, (*size, channels))
    bands = Bands(size, (octave_edges if octaves else even_edges)(size))
    found = measure_picture(bands, picture)
    window = (hann(size[0])[:, None] * hann(size[1])[None])[..., None]
    square = (window**2 * picture**2).sum() / (window[..., 0] ** 2).sum()
    assert found.dc[0] + found.energies.sum() == pytest.approx(square)
    each = [by_hand(picture[..., channel]) for channel in range(channels)]
    radius, power = each[0][2], sum(power for _, power, _ in each)
    assert found.dc[0] == pytest.approx(sum(dc for dc, _, _ in each))
    for band, (low, high) in enumerate(zip(bands.limits, bands.limits[1:], strict=False)):
        inside = (radius > low + 1e-12) & (radius <= high + 1e-12)
        assert found.energies[0, band] == pytest.approx(power[inside].sum(), abs=1e-12)
        assert bands.counts[band] == inside.sum()
        if inside.any():
            assert bands.frequencies[band] == pytest.approx(radius[inside].mean())
    assert bands.counts.sum() == math.prod(size) - 1
    if math.prod(size) > 1:
        assert found.centroids[0] == pytest.approx((power * radius).sum() / power.sum())
    else:
        assert np.isnan(found.centroids[0])


@settings(max_examples=20, deadline=None)
@given(SIZES, st.integers(0, 10**6))
def test_parts_of_a_picture_are_inner_products_of_coefficients(size: tuple[int, int], seed: int) -> None:
    one, other = np.random.default_rng(seed).normal(1, 1, (2, *size))
    bands = Bands(size, octave_edges(size))
    window = hann(size[0])[:, None] * hann(size[1])[None]
    squares, means, spectra = (window**2).sum(), [], []
    for picture in (one, other):
        means.append((window**2 * picture).sum() / squares)
        spectra.append(np.fft.fft2(window * (picture - means[-1])))
    products = (np.conj(spectra[0]) * spectra[1]).real / (math.prod(size) * squares)
    radius = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    parts = [float((part.numpy() * other).sum()) for part in Transform(bands).parts(torch.from_numpy(one))]
    assert parts[0] == pytest.approx(means[0] * means[1] + products[0, 0])
    for part, low, high in zip(parts[1:], bands.limits, bands.limits[1:], strict=False):
        inside = (radius > low + 1e-12) & (radius <= high + 1e-12)
        assert part == pytest.approx(products[inside].sum(), abs=1e-12)


def test_maps_that_are_constant_dead_or_on_a_chessboard() -> None:
    y, x = np.mgrid[:10, :14]
    maps = np.stack([0 * x + 3.0, 0 * x, (-1.0) ** (y + x), np.cos(np.pi * x)])
    canvas = MapsCanvas({"flat": maps})
    found = spectrum(canvas, "flat")
    assert np.isnan(found.centroid[:2]).all()
    assert np.isnan(found.bandwidth[:2]).all()
    assert found.flat.tolist() == [True, True, False, False]
    assert found.neuron_dc[0] == pytest.approx(9)
    assert np.nanmax(found.neuron_power[0]) < 1e-9
    assert found.neuron_energy[1] == found.neuron_dc[1] == 0
    assert 0.6 < found.centroid[2] <= math.sqrt(0.5)
    assert 0.42 < found.centroid[3] <= 0.55
    assert "0 or the same everywhere)  2" in repr(found)
    assert found.numbers()["flat_share"] == 0.5
    assert found.mean_centroid.value == pytest.approx(np.nanmean(found.centroid))
    # Only the red of a map that is all red: as much as the map itself.
    _, power, _ = by_hand(maps[3])
    assert found.neuron_energy[3] == pytest.approx(power.sum(), rel=1e-5)


def test_truth_output_and_error() -> None:
    canvas = cw.trace(video(), "gated", device="cpu", progress=False)
    found = spectrum(canvas, -1, 3, edges=(0.125, 0.25))
    output = canvas.frame(3).astype(np.float64)
    truth = canvas.inr.truth[3].astype(np.float64)
    for values, picture, name in (
        (found.output, output, "output"),
        (found.truth, truth, "truth"),
        (found.error, output - truth, "error"),
    ):
        each = [by_hand(picture[..., channel]) for channel in range(3)]
        power, radius = sum(power for _, power, _ in each), each[0][2]
        assert found.dc[name] == pytest.approx(sum(dc for dc, _, _ in each))
        assert found.centroids[name] == pytest.approx((power * radius).sum() / power.sum())
        inside = (radius > 0.125 + 1e-12) & (radius <= 0.25 + 1e-12)
        assert values[1] == pytest.approx(power[inside].mean())
    assert len(found.limits) == 4
    assert spectrum(cw.trace(image(), "gated", device="cpu"), 1).truth is None


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
@pytest.mark.parametrize("granularity", [None, "unit"])
def test_every_rule_as_numpy_has_it(rule: str, granularity: str | None) -> None:
    canvas = cw.trace(video(), rule, device="cpu", progress=False)
    layer = canvas.traced_layers[-2]
    found = spectrum(canvas, layer, 1, granularity=granularity)
    rgb = "sum" if canvas.why_no_colours(layer) else "each"
    assert found.rgb == rgb
    maps = np.concatenate([m for _, m in canvas.iter(layer, 1, granularity=granularity, rgb=rgb)])
    maps = maps.reshape(*maps.shape[:3], -1).astype(np.float64)
    for place in range(0, len(maps), 7):
        each = [by_hand(maps[place, ..., channel]) for channel in range(maps.shape[-1])]
        power, radius = sum(power for _, power, _ in each), each[0][2]
        if found.flat[place]:
            assert np.abs(maps[place]).max() < 1e-5 or power.sum() < 1e-10 * sum(dc for dc, _, _ in each)
            continue
        centroid = (power * radius).sum() / power.sum()
        assert found.centroid.ravel()[place] == pytest.approx(centroid, abs=1e-4)
        assert found.neuron_energy[place] == pytest.approx(power.sum(), rel=1e-3)


def test_a_sample_has_exact_maps_and_an_interval() -> None:
    canvas = cw.trace(video(), "gated", device="cpu", progress=False)
    layer = canvas.traced_layers[-2]
    whole = spectrum(canvas, layer, 1)
    some = spectrum(canvas, layer, 1, sample=20, seed=3)
    assert len(some.neurons) == len(set(some.neurons.tolist())) == 20
    assert not some.is_whole
    np.testing.assert_allclose(
        some.centroid.ravel()[some.neurons], whole.centroid.ravel()[some.neurons], rtol=1e-4
    )
    assert np.isnan(np.delete(some.centroid.ravel(), some.neurons)).all()
    assert some.mean_centroid.low < some.mean_centroid.value < some.mean_centroid.high
    assert some.mean_centroid.n == 20
    assert f"20 of {whole.n_neurons}" in repr(some)
    assert some.estimated()[0].startswith("estimated, ±")
    assert whole.estimated() == ()
    assert len(some.to_frame()) == 20
    assert repr(spectrum(canvas, layer, 1, sample=20, seed=3)) == repr(some)
    assert spectrum(canvas, layer, 1, sample=10**6).is_whole


def test_the_interval_of_a_mean_holds_it() -> None:
    rng = np.random.default_rng(0)
    everyone = rng.exponential(1, 400) + rng.random(400)
    everyone[rng.random(400) < 0.1] = np.nan
    true, held = np.nanmean(everyone), 0
    for _ in range(400):
        found = mean_interval(rng.permutation(everyone)[:80], 400)
        held += found.low <= true <= found.high
    assert 0.91 <= held / 400 <= 0.99
    assert mean_interval(everyone, 400).half_width == 0
    assert mean_interval(everyone[:1], 400).high == math.inf
    assert math.isnan(mean_interval(np.full(3, np.nan), 9).value)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2), (5, 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_frames_and_one_channel(size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Waves(size, [(1.0, 2.0), (0.5, 1.0)], channels), size)
    found = spectrum(cw.trace(inr, "gated", device="cpu", progress=False), "head")
    assert found.centroid.shape == (2,)
    assert np.isnan(found.centroid).all() == (size == (1, 1))
    for ax in (found.plot(), found.plot_neurons()):
        assert isinstance(ax.figure, Figure)
        ax.figure.draw_without_rendering()
    assert isinstance(repr(found) + found._repr_html_(), str)


def test_runs_and_numbers() -> None:
    canvas = cw.trace(video(), "gated", device="cpu", progress=False)
    found = spectrum({"a": canvas, "b": canvas}, -1)
    assert found.number("centroid").tolist() == [spectrum(canvas, -1).mean_centroid.value] * 2
    assert set(found.names) >= {"centroid", "bandwidth", "weighted_centroid", "error_centroid"}


def test_mistakes() -> None:
    canvas = MapsCanvas({"flat": np.ones((3, 4, 5))})
    for wrong in ((0.3, 0.2), (0.2, 0.2), (0.0, 0.1), (0.1, 0.6), (float("nan"),)):
        with pytest.raises(ValueError, match="edges"):
            spectrum(canvas, "flat", edges=wrong)
    for wrong in (0, "all", 1.5):
        with pytest.raises((TypeError, ValueError), match="sample="):
            spectrum(canvas, "flat", sample=wrong)
    broken = np.ones((3, 4, 5))
    broken[1, 2, 2] = np.nan
    with pytest.raises(ValueError, match=r"layer='flat': the maps of 1 neurons hold NaN"):
        spectrum(MapsCanvas({"flat": broken}), "flat")
    picture = np.ones((1, 4, 5, 3))
    picture[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="frame=0"):
        spectrum(MapsCanvas({"flat": np.ones((3, 4, 5))}, pictures=picture), "flat")
    canvas.inr.truth = picture
    with pytest.raises(ValueError, match="truth"):
        spectrum(canvas, "flat")
    torch.manual_seed(0)
    inr = image()
    inr.module.net[1].linear.weight.data[:] = math.nan
    with pytest.raises(Exception, match="NaN"):
        spectrum(cw.trace(inr, "gated", device="cpu", progress=False), 1)
