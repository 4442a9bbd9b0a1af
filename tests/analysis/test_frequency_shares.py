"""Shares of frequencies: by a sweep over all maps in plain NumPy, and what must add up."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import canvaswidget as cw
from canvaswidget.analysis.frequency_shares import frequency_shares
from tests.analysis.test_spectrum import Waves, hann
from tests.canvases import image, video
from tests.small_models import SmallModel, cnns, mlps


def spectra(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means ``(k, c)`` and coefficients ``(k, h, w, c)`` of pictures ``(k, h, w, c)``; energy is kept."""
    height, width = pictures.shape[1:3]
    window = (hann(height)[:, None] * hann(width)[None])[None, ..., None]
    squares = (window**2).sum()
    means = (window**2 * pictures).sum((1, 2)) / squares
    values = np.fft.fft2(window * (pictures - means[:, None, None]), axes=(1, 2))
    return means, values / math.sqrt(height * width * squares)


def by_hand(image: np.ndarray, maps: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """``(k, 1 + b)``: shares of maps ``(k, h, w, c)``, the mean first."""
    (mean,), (whole,) = spectra(image[None].astype(np.float64))
    means, parts = spectra(maps.astype(np.float64))
    height, width = image.shape[:2]
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    products = (np.conj(whole)[None] * parts).real.sum(-1)
    own = (np.abs(whole) ** 2).sum(-1)
    limits = (0, *edges, 0.708)
    shares = [((means * mean).sum(-1) + products[:, 0, 0]) / ((mean**2).sum() + own[0, 0])]
    for low, high in itertools.pairwise(limits):
        inside = (radius > low + 1e-12) & (radius <= high + 1e-12)
        total = own[inside].sum()
        shares.append(products[:, inside].sum(1) / (total or math.nan))
    return np.stack(shares, 1)


@pytest.mark.parametrize("make", [video, image])
@pytest.mark.parametrize("granularity", [None, "unit"])
def test_one_pass_a_band_gives_what_a_sweep_gives(make, granularity: str | None) -> None:
    canvas = cw.trace(make(), "gated", device="cpu", progress=False)
    found = frequency_shares(canvas, granularity=granularity, edges=(0.1, 0.25))
    assert found.bands == ("mean", "up to 1/10", "1/10 to 1/4", "above 1/4")
    picture = canvas.frame()
    for layer in canvas.traced_layers:
        maps = np.concatenate([m for _, m in canvas.iter(layer, granularity=granularity, rgb="each")])
        expected = by_hand(picture, maps, (0.1, 0.25))
        shares = found.neurons[layer.name]
        assert shares.shape == (*layer.shape_of(granularity), 4)
        np.testing.assert_allclose(shares.reshape(-1, 4), expected, atol=2e-5)
        np.testing.assert_allclose(found.of_layer(layer), expected.sum(0), atol=1e-4)
        rest = by_hand(picture, canvas.remainder(layer)[None], (0.1, 0.25))[0]
        np.testing.assert_allclose(found.remainder[layer.name], rest, atol=2e-5)
    window = (hann(picture.shape[0])[:, None] * hann(picture.shape[1])[None])[..., None]
    square = (window**2 * picture**2).sum() / (window**2).sum()
    assert found.energy.sum() == pytest.approx(square, rel=1e-6)


def check_sums(model: SmallModel) -> None:
    canvas = cw.trace(model.inr, "gated", device="cpu", progress=False)
    found = frequency_shares(canvas)
    for layer in found.layers:
        lacks = found.missing(layer)
        size = np.abs(found.neurons[layer.name].reshape(-1, len(found.bands))).sum(0)
        known = np.isfinite(lacks)
        assert (known == np.isfinite(found.remainder[layer.name])).all()
        # Frame and maps are rounded relative to the whole frame, which in a band with little energy counts for more.
        rounding = 8 * np.finfo(np.float32).eps * np.sqrt(found.energy.sum() / found.energy[known])
        bound = 1e-5 * (2 + size[known] + np.abs(found.remainder[layer.name][known])) + rounding
        assert (np.abs(lacks[known]) <= bound).all()


@settings(max_examples=12, deadline=None)
@given(mlps())
def test_neurons_and_remainder_add_up_to_one_in_linear_layers(model: SmallModel) -> None:
    check_sums(model)


@settings(max_examples=8, deadline=None)
@given(cnns())
def test_neurons_and_remainder_add_up_to_one_in_convolutions(model: SmallModel) -> None:
    check_sums(model)


def test_waves_make_their_own_band() -> None:
    size = (32, 32)
    torch.manual_seed(1)
    model = Waves(size, [(0.0, 3.0), (0.0, 6.0), (12.0, 0.0)])
    canvas = cw.trace(cw.INR.from_coords(model, size), "gated", device="cpu", progress=False)
    found = frequency_shares(canvas, "head", edges=(1 / 64, 4.5 / 32, 9 / 32))
    np.testing.assert_allclose(found.neurons["head"][:, 2:], np.eye(3), atol=0.06)
    # The biases are the remainder: the mean, and no wave.
    assert found.remainder["head"][0] == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found.remainder["head"][2:], 0, atol=1e-5)
    assert found.numbers() == {"head_above 0.281": float(found.of_layer("head")[-1])}


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (4, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_frames_and_one_channel(size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Waves(size, [(1.0, 2.0), (0.5, 1.0)], channels), size)
    found = frequency_shares(cw.trace(inr, "gated", device="cpu", progress=False))
    assert abs(found.missing("head")[0]) < 1e-5
    assert (np.isfinite(found.neurons["head"][:, 1:]).all()) == (size != (1, 1))
    for ax in (found.plot(), found.plot_neurons(), found.plot_neurons(0)):
        ax.figure.draw_without_rendering()
    assert isinstance(repr(found) + found._repr_html_(), str)
    assert found.to_frame().shape == (4, len(found.bands))


def test_only_gated_and_other_mistakes() -> None:
    canvas = cw.trace(video(), "xinc", device="cpu", progress=False)
    for rule in ("xinc", "ablation"):
        with pytest.raises(cw.UntraceableError, match=f"rule='{rule}'.*gated"):
            frequency_shares(canvas.under(rule))
    gated = canvas.under("gated")
    with pytest.raises(KeyError):
        frequency_shares(gated, "nowhere")
    with pytest.raises(IndexError):
        frequency_shares(gated, frame=6)
    found = frequency_shares(gated, -1)
    np.testing.assert_array_equal(found.of_layer("head"), found.of_layer(0))
    with pytest.raises(KeyError, match="layer="):
        found.of_layer("decoder.2")
    with pytest.raises(IndexError, match="layer="):
        found.of_layer(1)
    over = frequency_shares({"one": gated}, -1)
    assert over["one"].numbers() == found.numbers()


def test_progress_counts_passes_and_may_stop() -> None:
    canvas = cw.trace(video(), "gated", device="cpu", progress=False)
    told: list[tuple[int, int]] = []
    found = frequency_shares(canvas, -1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3 * len(found.bands), 3 * len(found.bands))

    def stop(done: int, total: int) -> None:
        if done > 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        frequency_shares(canvas, -1, progress=stop)
