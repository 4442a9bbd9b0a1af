"""Estimated totals: what their intervals hold, and what a sample must not miss."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing import sampling
from canvaswidget.tracing.cauchy import LOG_VARIANCE, cauchy_errors, cauchy_scale, log_magnitudes
from canvaswidget.tracing.lattices import Clusters, spacings
from canvaswidget.tracing.summaries import Asked
from tests.canvases import image, video
from tests.small_models import learnt_nerv


@functools.cache
def trained() -> cw.Canvas:
    """A NeRV that has learnt two frames of 32x64, far enough that its maps have edges."""
    model, error = learnt_nerv(150)
    assert error < 0.03
    return cw.trace(cw.as_inr(model), "gated")


class Spots(nn.Module):
    """Three units that make the picture, one of them in three pixels only and one nowhere."""

    def __init__(self, spots: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("spots", spots)  # (h, w, 3)
        self.last = nn.Linear(3, 3, bias=False)

    def forward(self, xy: torch.Tensor) -> torch.Tensor:
        return self.last(self.spots.reshape(-1, 3) + 0 * xy[..., :1])


# --- many pixels in one pass --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 6)])
@pytest.mark.parametrize("spacing", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("n_colours", [1, 3])
def test_clusters_divide_all_pixels_and_colours(
    size: tuple[int, int], spacing: tuple[int, int], n_colours: int
) -> None:
    spacing = min(spacing[0], size[0]), min(spacing[1], size[1])
    clusters = Clusters(size, spacing, n_colours)
    seen = np.zeros((*size, n_colours), int)
    for number in range(len(clusters)):
        pixels, colours = clusters.pairs(number)
        seen[pixels[:, 0], pixels[:, 1], colours] += 1
        apart = (pixels[:, None] - pixels[None]).abs()
        near = (apart[..., 0] < spacing[0]) & (apart[..., 1] < spacing[1])
        assert near.sum() == len(pixels)  # each is near itself only
    assert (seen == 1).all()


def test_pixels_are_as_near_as_what_they_depend_on_allows() -> None:
    rule = cw.trace(image(), "gated").matrix.rule
    assert [rule.spacing(layer) for layer in rule.layers] == [(1, 1)] * len(rule.layers)
    canvas = trained()
    spacings = [canvas.matrix.rule.spacing(layer) for layer in canvas.traced_layers]
    assert spacings[-2:] == [(4, 4), (1, 1)]
    assert spacings[0] == canvas.inr.size  # the stem's grid is one position
    assert spacings == sorted(spacings, reverse=True)


@pytest.mark.parametrize("rgb", ["abs", "sum", "green"])
@pytest.mark.parametrize("granularity", ["unit", "kernel"])
@pytest.mark.parametrize("bias", ["separate", "split"])
def test_totals_from_columns_are_those_of_all_maps(rgb: str, granularity: str, bias: str) -> None:
    canvas = cw.trace(video(), "gated", bias=bias)
    for layer in canvas.traced_layers[1:]:
        found = sampling.enumerated(canvas.matrix, layer, Asked(3, granularity, rgb).sample(), False)
        maps = np.concatenate(
            [
                m
                for _, m in canvas.iter(
                    layer, 3, granularity=granularity, rgb="each" if rgb == "abs" else rgb
                )
            ]
        )
        sizes = np.abs(maps).sum(-1) if rgb == "abs" else np.abs(maps)
        signed = maps.sum(-1) if rgb == "abs" else maps
        scale = sizes.sum((1, 2)).max()
        np.testing.assert_allclose(found.neuron_abs.ravel(), sizes.sum((1, 2)), rtol=1e-4, atol=1e-6 * scale)
        np.testing.assert_allclose(found.pixel_abs, sizes.sum(0), rtol=1e-4, atol=1e-6 * scale)
        np.testing.assert_allclose(found.neuron_sum.ravel(), signed.sum((1, 2)), rtol=1e-3, atol=1e-5 * scale)
        np.testing.assert_allclose(found.pixel_sum, signed.sum(0), rtol=1e-3, atol=1e-5 * scale)
        assert found.is_exact
        assert found.low is None


def test_an_exact_summary_takes_the_cheaper_way() -> None:
    canvas = cw.trace(image(), "gated")
    hidden = canvas.traced_layers[1]
    assert (
        canvas.summary(hidden).passes == 3 + 2
    )  # each colour of all pixels; the signed sums of neurons and pixels
    assert canvas.summary(hidden, granularity="kernel").passes == hidden.n_kernels
    assert trained().summary(-1).passes == trained().layers[-1].n_kernels


def test_layers_share_lattices_that_have_pixels_enough() -> None:
    canvas = cw.trace(cw.demo.video(), "gated")
    found = list(spacings(canvas.matrix.rule, canvas.inr.size, None).values())
    assert found[0] == canvas.inr.size
    assert found[2] == found[3] == found[4] != found[1]
    for layer, spacing in zip(canvas.traced_layers, found, strict=True):
        least = canvas.matrix.rule.spacing(layer)
        assert spacing[0] >= least[0]
        assert spacing[1] >= least[1]


@pytest.mark.parametrize("granularity", ["unit", "kernel"])
@pytest.mark.parametrize("bias", ["separate", "split"])
def test_the_sum_of_some_maps_takes_one_pass(granularity: str, bias: str) -> None:
    canvas = cw.trace(video(), "gated", bias=bias)
    for layer in canvas.traced_layers[1:]:
        columns = canvas.columns(layer, 3, granularity=granularity)
        maps = np.concatenate([m for _, m in canvas.iter(layer, 3, granularity=granularity, rgb="each")])
        some = np.arange(0, len(maps), 3)
        np.testing.assert_allclose(columns.summed(3), maps.sum(0), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(columns.summed(3, some), maps[some].sum(0), rtol=1e-3, atol=1e-5)
        assert columns.passes == 2


def test_columns_are_of_the_colour_that_is_asked_for() -> None:
    canvas = trained()
    layer = canvas.traced_layers[-2]
    red = np.concatenate([np.abs(m) for _, m in canvas.iter(layer, rgb="red")])
    columns = canvas.columns(layer, rgb="red")
    pixels = columns.lattice(0)
    found = np.concatenate([values[0].numpy() for _, values in columns.at(pixels)])
    np.testing.assert_allclose(found, red[:, pixels[:, 0], pixels[:, 1]].T, rtol=1e-3, atol=1e-6)


# --- estimates ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "accuracy"),
    [(3, 0.1), *(pytest.param(*case, marks=pytest.mark.repeats) for case in [(1, 0.3), (2, 0.2)])],
)
def test_intervals_hold_the_exact_totals(layer: int, accuracy: float) -> None:
    canvas = trained()
    found = canvas.traced_layers[layer]
    exact = canvas.summary(found).neuron_abs
    held = []
    for seed in range(400):
        *_, last = sampling.sampled(canvas.matrix, [found], Asked(0, None, "abs", seed).sample(), accuracy)
        estimate = last[found.name]
        assert not estimate.is_exact
        assert estimate.half_width <= accuracy
        held.append((estimate.low <= exact * (1 + 1e-6)) & (exact <= estimate.high * (1 + 1e-6)))
    assert np.mean(held) >= 0.93


@pytest.mark.slow
def test_intervals_of_pixels_hold_their_exact_totals() -> None:
    canvas = trained()
    layer = canvas.traced_layers[1]
    exact, held = canvas.summary(layer).pixel_abs, []
    for seed in range(40):
        estimate = canvas.summary(layer, accuracy=0.5, seed=seed)
        held.append((estimate.pixel_low <= exact) & (exact <= estimate.pixel_high))
    assert np.mean(held) >= 0.93


@pytest.mark.slow
def test_a_neuron_that_writes_in_three_pixels_is_not_missed() -> None:
    spots = torch.zeros(40, 40, 3)
    spots[..., 0] = torch.rand(40, 40, generator=torch.Generator().manual_seed(0))
    spots[[3, 20, 31], [5, 22, 8], 1] = 9.0
    canvas = cw.trace(cw.INR.from_coords(Spots(spots), (40, 40)), "gated")
    layer, exact = canvas.traced_layers[0], canvas.summary(0).neuron_abs
    held = []
    for seed in range(100):
        sample = Asked(0, None, "abs", seed).sample()
        work = sampling.Sampler(canvas.matrix, sample)
        # As if no two pixels could share a pass: nearly every sample misses all three.
        clusters = work.clusters(canvas.inr.size)
        for number in range(16):
            work.sketch(number, [layer])
        work.add_up([layer])
        for number in range(60):
            work.draw(clusters, number, [layer])
        estimate = sampling.summarised(canvas.matrix, layer, sample, clusters, 0.05)
        held.append((estimate.low <= exact) & (exact <= estimate.high))
        assert estimate.neuron_abs[2] == estimate.low[2] == estimate.high[2] == 0
    assert np.mean(held, 0)[1] >= 0.93
    assert np.mean(held, 0)[0] >= 0.93


def test_a_seed_gives_the_same_numbers_and_more_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = trained()
    first = canvas.summary(1, accuracy=0.3, seed=5)
    monkeypatch.setattr("canvaswidget.tracing.rules.gated.patches.PART", 1 << 10)
    again = canvas.summary(1, accuracy=0.3, seed=5)
    np.testing.assert_allclose(again.neuron_abs, first.neuron_abs, rtol=1e-6)
    assert again.passes == first.passes
    monkeypatch.undo()
    np.testing.assert_array_equal(canvas.summary(1, accuracy=0.3, seed=5).neuron_abs, first.neuron_abs)
    assert (canvas.summary(1, accuracy=0.3, seed=6).neuron_abs != first.neuron_abs).any()
    better = canvas.summary(1, accuracy=0.1, more=first)
    assert better.passes > first.passes
    assert better.half_width <= 0.1 < first.half_width
    at_once = canvas.summary(1, accuracy=0.1, seed=5)
    np.testing.assert_array_equal(better.neuron_abs, at_once.neuron_abs)
    assert better.passes == at_once.passes
    with pytest.raises(ValueError, match="more: an estimate of 'decoder.1.*expected a summary of 'decoder.2"):
        canvas.summary(2, accuracy=0.1, more=first)
    with pytest.raises(ValueError, match="more: an exact summary"):
        canvas.summary(2, accuracy=0.1, more=canvas.summary(1))
    exact = canvas.summary(1)
    assert canvas.summary(1, accuracy=0.1, more=exact) is exact


def test_passes_serve_all_layers_and_get_better() -> None:
    canvas = trained()
    looks = list(canvas.improving_summaries(accuracy=0.2))
    assert list(looks[-1]) == [layer.name for layer in canvas.traced_layers]
    assert all(summary.half_width <= 0.2 for summary in looks[-1].values())
    widths = [look[canvas.traced_layers[1].name].half_width for look in looks]
    assert widths[-1] < widths[0]
    together = canvas.summaries(accuracy=0.2)
    for name, summary in together.items():
        np.testing.assert_array_equal(summary.neuron_abs, looks[-1][name].neuron_abs)
        assert np.isfinite(summary.pixel_abs).all()


def test_the_first_look_does_not_wait_for_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = cw.Canvas(trained().matrix.capture, trained().matrix.rule, trained().memory)
    checked: list[str] = []
    monkeypatch.setattr(canvas._first_checks, "check", lambda layer, frame: checked.append(layer.name))
    looks = canvas.improving_summaries(1, accuracy=0.01)
    next(looks)
    assert not checked
    next(looks)
    assert set(checked) == {canvas.layers[1].name}
    # Where nothing more is to come, nobody asks again.
    checked.clear()
    looks = canvas.improving_summaries(-1, accuracy=0.9)
    assert next(looks)[canvas.layers[-1].name].half_width <= 0.9
    assert set(checked) == {canvas.layers[-1].name}


def test_an_estimate_says_what_it_is() -> None:
    canvas = trained()
    estimate, exact = canvas.summary(1, accuracy=0.2), canvas.summary(1)
    assert (exact.is_exact, exact.low, exact.high, exact.half_width) == (True, None, None, 0.0)
    assert not estimate.is_exact
    assert "±" in repr(estimate)
    assert "accuracy=None computes the exact totals" in repr(estimate)
    assert "±" not in repr(exact)
    order = np.argsort(np.argsort(exact.neuron_abs.ravel()))
    rank = np.corrcoef(order, np.argsort(np.argsort(estimate.neuron_abs.ravel())))[0, 1]
    assert rank > 0.9


@pytest.mark.parametrize("accuracy", [0, 1, -0.1, float("nan"), 5])
def test_an_accuracy_out_of_range_is_refused(accuracy: float) -> None:
    with pytest.raises(ValueError, match="accuracy=.*between 0 and 1"):
        trained().summary(1, accuracy=accuracy)


def test_an_estimate_costs_no_more_than_the_exact_totals() -> None:
    canvas = trained()
    for layer in canvas.traced_layers:
        found = canvas.summary(layer, accuracy=0.05)
        assert found.is_exact or found.half_width <= 0.05
        if found.is_exact:
            np.testing.assert_array_equal(found.neuron_abs, canvas.summary(layer).neuron_abs)
        else:
            tally = found.sample.tallies[layer.name]
            assert tally.sketches + tally.drawn <= layer.n_kernels
    assert canvas.summary(
        1, accuracy=0.05
    ).is_exact  # its 120 maps cost less than the passes that 5 % would take
    assert canvas.summary(-1, accuracy=0.5).is_exact


def test_concentrated_maps_are_summed_with_cauchy_weights() -> None:
    canvas = trained()
    stem = canvas.traced_layers[0]
    *_, last = sampling.sampled(canvas.matrix, [stem], Asked(0, None, "abs").sample(), 0.3)
    tally = last[stem.name].sample.tallies[stem.name]
    assert tally.sketches > tally.drawn  # a cluster of the stem is one pixel
    assert last[stem.name].half_width <= 0.3
    assert tally.n_bytes < 64 * (stem.n_kernels + 3 * 32 * 64)  # however many passes there are


def test_more_adds_to_the_totals_of_pixels() -> None:
    canvas = trained()
    first = canvas.summary(1, accuracy=0.4, seed=3)
    kept = first.sample.tallies[first.layer.name].pixel_sketches
    better = canvas.summary(1, accuracy=0.25, more=first)
    tally = better.sample.tallies[first.layer.name]
    assert tally.pixel_sketches > kept
    assert better.passes == 2 + tally.drawn + tally.sketches + tally.pixel_sketches
    width = np.log(first.pixel_high / first.pixel_low).max()
    assert np.log(better.pixel_high / better.pixel_low).max() < width


def test_rules_that_are_not_sampled_are_exact() -> None:
    canvas = cw.trace(video(), "xinc")
    summary = canvas.summary(-1, accuracy=0.05)
    assert summary.is_exact
    assert canvas.summaries(-1, accuracy=0.05)[summary.layer.name] is summary
    with pytest.raises(cw.UntraceableError, match="can't be sampled"):
        next(iter(canvas.improving_summaries()))


# --- the sketch ---------------------------------------------------------------------------------------------------


def estimated_scale(values: np.ndarray) -> np.ndarray:
    return cauchy_scale(log_magnitudes(values).sum(0), len(values))


def test_the_scale_of_cauchy_variables() -> None:
    values = np.random.default_rng(0).standard_cauchy((400, 2000)) * 7
    scale = estimated_scale(values)
    assert abs(np.median(scale) / 7 - 1) < 0.01
    assert np.std(np.log(scale)) == pytest.approx(np.sqrt(LOG_VARIANCE / 400), rel=0.1)
    assert (estimated_scale(np.zeros((5, 2))) == 0).all()


@pytest.mark.parametrize("count", [1, 2, 16, 200])
def test_errors_of_the_scale_hold_as_often_as_they_say(count: int) -> None:
    below, above = cauchy_errors(count, 0.95)
    estimates = estimated_scale(np.random.default_rng(1).standard_cauchy((count, 4000)))
    assert np.mean((below <= estimates) & (estimates <= above)) == pytest.approx(0.95, abs=0.015)
