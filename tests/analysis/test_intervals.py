"""Intervals hold what they promise: each test knows the whole population and draws samples from it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis.intervals import Interval, mean, rank_correlation, spearman, unseen_share

pytestmark = pytest.mark.slow

SAMPLES = 400
PIXELS = 16  # drawn from POOL of them
POOL = 96


def population(canvas: cw.Canvas, layer: str, n: int | None = None) -> tuple[np.ndarray, ...]:
    """Absolute totals, and values at some pixels, of the rule and of ablation; of `n` neurons if there are more."""
    found = canvas.layers.find(layer)
    count = math.prod(found.neurons)
    places = np.random.default_rng(0).permutation(count)[:n]
    neurons = np.stack(np.unravel_index(places, found.neurons), 1)
    neurons = neurons[:, 0] if neurons.shape[1] == 1 else neurons
    pixels = np.random.default_rng(1).permutation(math.prod(canvas.inr.size))[:POOL]
    parts: list[np.ndarray] = []
    for each in (canvas, canvas.ablation()):
        maps = np.abs(each.maps(found, neurons)).reshape(len(neurons), -1)
        parts += [maps.sum(1, dtype=np.float64)[:, None], maps[:, pixels]]
    return parts[0], parts[2], parts[1], parts[3]


@pytest.fixture(scope="module")
def demo() -> dict[str, tuple[np.ndarray, ...]]:
    canvas = cw.trace(cw.demo.video(), device="cpu")
    return {rule: population(canvas.under(rule), "decoder.2", 160) for rule in ("xinc", "gated")}


def coverage(a: np.ndarray, b: np.ndarray, n: int) -> float:
    """Share of samples whose interval contains the population's value."""
    true, inside = mean(spearman(a, b)), 0
    for seed in range(SAMPLES):
        rng = np.random.default_rng(seed)
        neurons, pixels = rng.permutation(len(a))[:n], rng.permutation(a.shape[1])[:PIXELS]
        found, _ = rank_correlation(
            a[np.ix_(neurons, pixels)], b[np.ix_(neurons, pixels)], len(a), a.shape[1]
        )
        inside += found.low - 1e-9 <= true <= found.high + 1e-9
    return inside / SAMPLES


@pytest.mark.parametrize("n", [32, pytest.param(64, marks=pytest.mark.repeats)])
@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_95_percent_of_a_trained_decoder(demo: dict[str, tuple[np.ndarray, ...]], rule: str, n: int) -> None:
    ours, truth, our_pixels, true_pixels = demo[rule]
    assert coverage(ours, truth, n) >= 0.93
    assert coverage(our_pixels, true_pixels, n) >= 0.93


@pytest.mark.parametrize("rule", [pytest.param("xinc", marks=pytest.mark.repeats), "gated"])
def test_95_percent_of_the_published_model(reference: Path, rule: str) -> None:
    inr = cw.as_inr(cw.models.load_model(reference / "ffn_cityscapes.safetensors"))
    ours, truth, our_pixels, true_pixels = population(cw.trace(inr, rule, device="cpu"), "net.1")
    assert coverage(ours, truth, 32) >= 0.93
    assert coverage(our_pixels, true_pixels, 32) >= 0.93


@pytest.mark.parametrize("silent", [0.005, 0.01, 0.03])
def test_a_perfect_sample_is_not_certain(silent: float) -> None:
    """A few neurons matter though their map is 0; most samples contain none of them."""
    rng = np.random.default_rng(0)
    truth = rng.gamma(1, size=(400, 1))
    ours = truth.copy()
    ours[: round(silent * 400)] = 0
    assert coverage(ours, truth, 48) >= 0.93
    perfect, _ = rank_correlation(truth[:48], truth[:48], 400, 1)
    assert perfect.value == pytest.approx(1)
    assert perfect.high == pytest.approx(1)
    assert 0.8 < perfect.low < 0.95
    assert str(perfect) == f"+1.000 ({perfect.low:+.3f} to +1.000), n = 48 of 400"
    reverse, _ = rank_correlation(truth[:48], -truth[:48], 400, 1)
    assert (reverse.low, reverse.high) == pytest.approx((-1, -perfect.low))
    whole, _ = rank_correlation(truth, truth, 400, 1)
    assert whole.low == whole.value == whole.high == pytest.approx(1)
    assert str(whole) == "+1.000, n = 400"


def test_what_a_sample_is_too_small_for() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 40, 3))
    for n in (2, 3, 5):
        found, _ = rank_correlation(a[:n], b[:n], 40, 100)
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.high - found.low > 1
    for pixels in (a[:, :1], np.where(np.arange(3) == 1, a, 1)):  # one pixel of many where it is defined
        found, _ = rank_correlation(pixels, b[:, : pixels.shape[1]], 40, 100)
        assert (found.low, found.high) == (-1, 1)
    for n in (1, 40):
        found, each = rank_correlation(np.ones((n, 3)), b[:n], 40, 100)
        assert math.isnan(found.value)
        assert np.isnan(each).all()
        assert str(found) == "not defined"
    only, _ = rank_correlation(np.eye(20)[:, :1], np.eye(20)[:, :1], 400, 1)  # without one neuron: undefined
    assert (only.low, only.high) == (-1, 1)
    assert Interval(0.5, 0.5, 0.5, 7, 7).half_width == 0


def test_groups_of_any_size_and_a_stop() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((150, 70))
    b = a + rng.normal(0, 0.3, a.shape)
    found, each = rank_correlation(a, b, 10_000, 10_000)
    assert len(each) == 70
    assert 0 < found.half_width < 0.1

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rank_correlation(a, b, 10_000, 10_000, stop)


def test_the_unseen_share_is_hypergeometric() -> None:
    from scipy.stats import hypergeom

    for n, n_all in ((10, 50), (64, 2288), (99, 100), (1, 3)):
        odd = round(unseen_share(n, n_all) * n_all)
        assert hypergeom.pmf(0, n_all, odd, n) <= 0.05 or odd == n_all - n
        assert odd == 1 or hypergeom.pmf(0, n_all, odd - 1, n) > 0.05
    assert unseen_share(5, 5) == 0
