"""Findings from columns at some pixels: exact once all are drawn, and honest about what they don't show."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import canvaswidget as cw
from canvaswidget.analysis import sampled
from canvaswidget.analysis.partitions import grid
from canvaswidget.analysis.ratio_sums import RatioSums
from canvaswidget.analysis.sampled import Draw, Target, filled, interpolated
from canvaswidget.analysis.sampled_changes import _part as measured_changes
from canvaswidget.analysis.sampled_regions import (
    departure_intervals,
    of_even,
    of_itself,
    packed,
    sampled_region_sums,
)
from canvaswidget.analysis.sampled_spread import sampled_spread
from canvaswidget.analysis.spatial import agree
from canvaswidget.tracing.columns import Norms
from canvaswidget.tracing.lattices import Clusters
from tests.canvases import image, magnitudes, video
from tests.small_models import SmallModel, cnns, learnt_nerv, mlps

an = cw.analysis
ALL = 1e-9  # an accuracy that takes all pixels


@functools.cache
def small() -> cw.Canvas:
    return cw.trace(video(), "gated", progress=False)


class KnownColumns:
    """Columns of maps ``(frames, n, height, width)`` that are known: as if every pass cost nothing."""

    def __init__(self, maps: np.ndarray, spacing: tuple[int, int], seed: int) -> None:
        self.maps, self.size, self.seed = np.asarray(maps, np.float32), maps.shape[2:], seed
        self.frames, self.n_neurons = tuple(range(len(maps))), maps.shape[1]
        self.layer, self.rgb, self.spacing = SimpleNamespace(name="known"), "abs", spacing
        self.passes, self.passes_a_draw = 0, 1
        self._lattices = Clusters(self.size, spacing, 1)
        self._order = np.random.default_rng(seed).permutation(len(self._lattices))

    def __len__(self) -> int:
        return len(self._lattices)

    def lattice(self, number: int) -> np.ndarray:
        return self._lattices.pairs(int(self._order[number]))[0].numpy()

    def at(self, pixels: np.ndarray) -> Iterator[tuple[slice, list[torch.Tensor]]]:
        self.passes += 1
        values = self.maps[:, :, pixels[:, 0], pixels[:, 1]].transpose(0, 2, 1)
        yield slice(0, len(pixels)), [torch.from_numpy(one.copy()) for one in values]

    def norms(self, frame: int) -> Norms:
        """What 16 passes may say: surely half of the total, at most twice as much."""
        total = self.maps[frame].sum((1, 2))
        return Norms(total, total / 2, total * 2, total / 2, total * 2)


def known(
    maps: np.ndarray, spacing: tuple[int, int], seed: int, accuracy: float, most: float = np.inf
) -> Any:
    return Draw(KnownColumns(maps, spacing, seed), Target(accuracy, most))


@functools.cache
def learnt_maps() -> np.ndarray:
    """Maps of the middle layer of a NeRV that has learnt an image, on two frames."""
    model, _ = learnt_nerv(100)
    canvas = cw.trace(cw.as_inr(model), "gated", progress=False)
    return np.stack([magnitudes(canvas, -2, frame, "unit") for frame in (0, 1)])


# --- all pixels ---------------------------------------------------------------------------------------------------


@settings(max_examples=4, deadline=None)
@given(st.one_of(mlps(min_hidden=1), cnns()), st.integers(0, 100))
def test_columns_of_all_pixels_are_the_exact_finding(model: SmallModel, seed: int) -> None:
    canvas = cw.trace(model.inr, "gated", progress=False)
    for layer in canvas.traced_layers[-2:-1]:
        found, exact = (
            an.distribution(canvas, layer, 0, accuracy=accuracy, seed=seed) for accuracy in (ALL, None)
        )
        assert found.is_exact
        scale = float(exact.pixel_abs.max()) or 1
        np.testing.assert_allclose(found.neuron_abs, exact.neuron_abs, rtol=1e-4, atol=1e-5 * scale)
        np.testing.assert_allclose(found.pixel_abs, exact.pixel_abs, rtol=1e-4, atol=1e-5 * scale)
        np.testing.assert_allclose(found.thresholds, exact.thresholds, rtol=3e-4)
        masks = {"parts": np.arange(np.prod(canvas.inr.size)).reshape(canvas.inr.size) % 3}
        ours, theirs = (an.regions(canvas, layer, 0, masks, accuracy=accuracy) for accuracy in (ALL, None))
        np.testing.assert_allclose(ours.deltas["parts"], theirs.deltas["parts"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("granularity", [None, "unit"])
def test_every_finding_from_all_pixels(granularity: str | None) -> None:
    canvas, layer = small(), 2
    masks = np.zeros((16, 32), int)
    masks[3:5, 4:9], masks[8:14, 2:30] = 1, 2
    flow = np.random.default_rng(0).normal(size=(1, 16, 32, 2))
    options = {"granularity": granularity}

    def both(finding: Any, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        found, exact = (
            finding(canvas, layer, *arguments, **keywords, **options, accuracy=one) for one in (ALL, None)
        )
        assert found.is_exact
        assert found.passes > 0 == exact.passes
        assert found.half_width == exact.half_width == 0
        assert exact.sampling is None
        return found, exact

    def same(*pair: np.ndarray) -> None:
        np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-6)

    found, exact = both(an.distribution, 2)
    same(found.neuron_abs, exact.neuron_abs)
    same(found.pixels_per_neuron, exact.pixels_per_neuron)
    assert np.abs(found.neurons_per_pixel - exact.neurons_per_pixel).max() <= 1
    found, exact = both(an.regions, 2)
    for kind in exact.deltas:
        same(found.deltas[kind], exact.deltas[kind])
        same(found.low[kind], found.high[kind])
    found, exact = both(an.objects, masks, 2)
    same(found.means, exact.means)
    found, exact = both(an.objects_over_time, masks, [1, 2])
    same(found.means, exact.means)
    assert found.low.shape == found.means.shape
    found, exact = both(an.intensity, 2)
    same(found.contribution, exact.contribution)
    assert found.with_brightness == pytest.approx(exact.with_brightness, abs=1e-3)
    found, exact = both(an.motion, [2, 3], flow)
    same(found.change, exact.change)
    same(found.neuron_change, exact.neuron_change)
    assert found.mean == pytest.approx(exact.mean, abs=1e-3)
    found, exact = both(an.vectors, "pooled", 2)
    same(found.values, exact.values)
    assert (found.cells == exact.cells).all()


# --- some pixels --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_intervals_hold_the_exact_numbers() -> None:
    maps = learnt_maps()
    now, size = maps[:1], maps.shape[2:]
    masks = grid(size, (2, 3))
    masks = np.concatenate([masks, np.zeros((1, *size), bool)])
    masks[-1, 10:14, 20:26] = True  # asked for itself
    truth = now[0].reshape(len(now[0]), -1) @ masks.reshape(len(masks), -1).T
    total = now[0].sum((1, 2))
    departures = truth / total[:, None] / masks.mean((1, 2)) - 1
    fair = (now[0] > now[0].mean(0)).sum((1, 2))
    changes = np.abs(maps[1] - maps[0]).sum((1, 2))
    held: dict[str, list[np.ndarray]] = {name: [] for name in ("sums", "departures", "pixels", "changes")}
    estimated = 0
    for seed in range(120):
        sums = sampled_region_sums(known(now, (6, 6), seed, 0.3), masks, "", of_itself, False)
        estimated += not sums.sampling.is_exact
        held["sums"].append(
            (sums.region_low <= truth * (1 + 1e-4)) & (truth <= sums.region_high * (1 + 1e-4))
        )
        low, high = departure_intervals(sums, masks.sum((1, 2)))
        held["departures"].append((low <= departures + 1e-4) & (departures <= high + 1e-4))
        spread = sampled_spread(known(now, (6, 6), seed, 0.25), (0.5,), False)
        held["pixels"].append((spread.low <= fair + 1e-3) & (fair <= spread.high + 1e-3))
        motion = measured_changes(known(maps, (6, 6), seed, 0.2), False)
        room = 1e-4 * changes
        held["changes"].append((motion.low - room <= changes) & (changes <= motion.high + room))
    assert estimated > 90
    for name, each in held.items():
        assert np.mean(each) >= 0.93, name


def test_what_few_pixels_hold_is_not_missed() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((1, 4, 40, 40)) + 0.5
    maps[0, 1:3] = 0
    maps[0, 1, [3, 20, 31], [5, 22, 8]] = 9
    masks = grid((40, 40), (2, 2))
    truth = maps[0].reshape(4, -1) @ masks.reshape(4, -1).T
    held = []
    for seed in range(20):
        sums = sampled_region_sums(known(maps, (40, 40), seed, 0.1, 200), masks, "", of_even, False)
        assert not sums.sampling.is_exact
        assert sums.sampling.n_missed >= (sums.regions[1].sum() == 0)
        assert (sums.region_high[1] >= truth[1] * (1 - 1e-5)).all()
        held.append(sums.total_low[1] <= 27 <= sums.total_high[1])
        assert (sums.region_high[2] == 0).all()  # it is dead, which the norms know
        spread = sampled_spread(known(maps, (40, 40), seed, 0.1, 200), (0.5,), False)
        held.append(spread.neuron_low[1] <= 27 <= spread.neuron_high[1])
        held.append(spread.low[1] <= 3 <= spread.high[1])
    assert np.mean(held) >= 0.93
    assert any("few pixels" in row[0] for row in sums.sampling.rows())


def test_a_region_of_few_pixels_is_exact() -> None:
    maps = np.random.default_rng(0).random((1, 5, 30, 40))
    masks = np.zeros((3, 30, 40), bool)
    masks[0, 7, 3:9] = masks[1, 20:22, 30:33] = True
    masks[2] = ~masks[:2].any(0)
    sums = sampled_region_sums(known(maps, (30, 40), 1, 0.2), masks, "", of_itself, False)
    truth = maps[0].reshape(5, -1) @ masks.reshape(3, -1).T
    np.testing.assert_allclose(sums.regions[:, :2], truth[:, :2], rtol=1e-5)
    np.testing.assert_array_equal(sums.region_low[:, :2], sums.region_high[:, :2])
    assert (sums.region_low[:, 2] < sums.region_high[:, 2]).all()
    assert sums.sampling.n_pixels < 1000


def test_pixels_share_passes_where_they_are_apart() -> None:
    pixels = np.array([[0, 0], [0, 1], [0, 5], [9, 0], [3, 3]])
    groups = list(packed(pixels, (4, 5)))
    assert sorted(np.concatenate(groups).tolist()) == list(range(5))
    assert [group.tolist() for group in groups] == [[0, 2, 3], [1], [4]]


def test_a_region_without_a_drawn_pixel_is_unknown() -> None:
    ratio = RatioSums(np.array([6, 6]), 2)
    for _ in range(2):
        ratio.take(torch.ones(1, 2), torch.tensor([[1.0, 0]]))
        ratio.close()
    total, low, high = ratio.totals()
    assert total[0].tolist() == low[0].tolist() == high[0].tolist() == [6, 6]
    assert low[1].tolist() == [0, 0]
    assert np.isinf(high[1]).all()


def test_a_seed_gives_the_same_numbers_on_any_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def spread(canvas: cw.Canvas, seed: int) -> Any:
        return an.distribution(canvas, 2, 1, accuracy=0.3, seed=seed)

    first = spread(small(), 5)
    assert not first.is_exact
    assert (spread(small(), 6).neuron_abs != first.neuron_abs).any()
    monkeypatch.setattr("canvaswidget.tracing.rules.gated.patches.PART", 1 << 10)
    again = spread(cw.trace(video(), "gated", memory=2**20, progress=False), 5)
    assert again.passes == first.passes
    np.testing.assert_allclose(again.neuron_abs, first.neuron_abs, rtol=1e-5)
    np.testing.assert_allclose(again.pixel_abs, first.pixel_abs, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(again.pixel_abs), np.isnan(first.pixel_abs))


def test_drawing_stops_where_progress_says_so() -> None:
    steps: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        steps.append((done, total))
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        an.regions(small(), 2, 1, accuracy=0.1, progress=progress)
    assert steps[-1][0] == 6
    assert torch.is_grad_enabled()


# --- when ---------------------------------------------------------------------------------------------------------


def test_auto_is_exact_where_that_is_quick_and_bounded_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = an.intensity(small(), 2)
    assert found.is_exact
    assert found.sampling is None
    monkeypatch.setattr(sampled, "EXACT_SECONDS", 0)
    monkeypatch.setattr(sampled, "MOST_PASSES", 12)
    found = an.distribution(small(), 2)
    assert not found.is_exact
    assert found.accuracy == sampled.ACCURACY < found.half_width
    assert found.sampling.n_pixels == np.isfinite(found.pixel_abs).sum() < 512
    assert "accuracy=0.05 goes on" in repr(found)
    assert "estimated: each neuron's feature ±" in repr(an.cluster(small(), 1, 3, 1))
    assert 0 < an.deletion(small(), 2, points=2, accuracy=0.3).half_width <= 0.3
    options = {"rules": ["gated"], "frames": [0], "granularity": "kernel", "accuracy": 0.3}
    assert 0 < an.pruning(small(), [0.1], [2], **options).half_width <= 0.3
    assert an.distribution(small(), 2, as_released=True).is_exact
    assert an.distribution(cw.trace(video(), "xinc", progress=False), 2, accuracy=0.1).is_exact


def test_linear_layers_are_exact_from_a_few_passes() -> None:
    canvas = cw.trace(image(), "gated", progress=False)
    found = an.objects(canvas, 1, np.eye(12, 20, dtype=int), accuracy=0.5)
    assert found.is_exact
    assert found.passes == 3
    assert "columns of all pixels" in repr(found)


@pytest.mark.parametrize("accuracy", [0, -1, 2, "x", float("nan"), True])
def test_a_wrong_accuracy_is_named(accuracy: Any) -> None:
    masks = np.zeros((16, 32), int)
    for ask in (
        lambda: an.distribution(small(), 2, accuracy=accuracy),
        lambda: an.regions(small(), 2, accuracy=accuracy),
        lambda: an.objects(small(), 2, masks, accuracy=accuracy),
        lambda: an.objects_over_time(small(), 2, masks, accuracy=accuracy),
        lambda: an.intensity(small(), 2, accuracy=accuracy),
        lambda: an.motion(small(), 2, accuracy=accuracy),
        lambda: an.cluster(small(), 2, 3, accuracy=accuracy),
        lambda: an.vectors(small(), 2, accuracy=accuracy),
        lambda: an.deletion(small(), 2, accuracy=accuracy),
        lambda: an.pruning(small(), accuracy=accuracy),
        lambda: cw.report(small(), "nowhere", accuracy=accuracy),
    ):
        with pytest.raises((ValueError, TypeError), match="accuracy=.*'auto', a number between 0 and 1"):
            ask()


def test_what_was_published_is_not_estimated() -> None:
    for ask in (
        lambda: an.distribution(small(), 2, as_released=True, accuracy=0.1),
        lambda: an.regions(small(), 2, as_released=True, accuracy=0.1),
        lambda: an.objects(small(), 2, np.zeros((16, 32), int), as_released=True, accuracy=0.1),
    ):
        with pytest.raises(ValueError, match=r"accuracy=0.1: as_released=True"):
            ask()


def test_a_saved_canvas_answers_from_what_it_keeps(tmp_path: Any) -> None:
    small().save(tmp_path / "x.zarr", layers=[2], frames=[1], maps="all", progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    assert an.distribution(saved, 2, 1, accuracy=0.1).is_exact
    with pytest.raises(cw.NotKeptError, match="no columns but those"):
        saved.columns(2)
    with pytest.raises(cw.UntraceableError, match="can't be sampled"):
        cw.trace(video(), "xinc", progress=False).columns(2)


# --- what results say ---------------------------------------------------------------------------------------------


def test_estimates_say_so_and_draw_themselves() -> None:
    canvas, layer = small(), 2
    found = [
        an.distribution(canvas, layer, 1, accuracy=0.3),
        an.intensity(canvas, layer, 1, accuracy=0.3),
        an.motion(canvas, layer, [0, 1], np.ones((1, 16, 32, 2)), accuracy=0.3),
    ]
    for result in found:
        assert not result.is_exact
        assert "±" in repr(result)
        assert "accuracy=None computes the exact numbers" in repr(result)
        assert "estimated, ±" in result.plot().get_title("left")
        assert 0 < result.half_width <= 0.3
    spread, look, moved = found
    assert "estimated" in spread.plot_pixels().get_title("left")
    assert not np.isnan(spread.plot_pixels().images[0].get_array()).any()
    assert not np.isnan(look.plot().images[0].get_array()).any()
    assert np.isnan(moved.change).any()
    assert not np.isnan(moved.plot_pair().axes[0].images[0].get_array()).any()
    assert look.plot_all() is not None


def test_unknown_pixels_are_filled_by_the_nearest() -> None:
    image = np.array([[1, np.nan, np.nan, 4], [np.nan] * 4])
    assert filled(image).tolist() == [[1, 1, 4, 4], [1, 1, 4, 4]]
    assert np.isnan(filled(np.full((2, 2), np.nan))).all()


def test_unknown_pixels_between_known_ones_are_interpolated() -> None:
    plane = np.add.outer(2.0 * np.arange(9), np.arange(12))
    image = np.where(np.random.default_rng(0).random(plane.shape) < 0.3, plane, np.nan)
    image[[0, 0, -1, -1], [0, -1, 0, -1]] = plane[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(interpolated(image), plane, atol=1e-9)
    assert interpolated(np.array([[1, np.nan, np.nan, 4]])).tolist() == [[1, 1, 4, 4]]


def test_unrelated_maps_don_t_agree_because_they_are_interpolated() -> None:
    rng, size = np.random.default_rng(1), (40, 60)
    p = []
    for _ in range(60):
        known = np.full(size, np.nan)
        for number in rng.permutation(121)[:12]:
            y, x = Clusters(size, (11, 11), 1).pairs(int(number))[0].numpy().T
            known[y, x] = 1
        pair = [interpolated(gaussian_filter(rng.normal(size=size), 2) * known) for _ in range(2)]
        p.append(agree(pair[0][None], pair[1][None]).p[0])
    assert np.mean(np.array(p) < 0.2) < 0.36  # 0.2 and three standard errors
