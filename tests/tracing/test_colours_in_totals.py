"""Totals add the magnitudes of colours: a neuron that shifts only the hue contributes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.kernel import layer_totals, ranking
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.cached_canvas import CachedCanvas
from tests import oracle
from tests.canvases import image

SIZE = (6, 8)
# What each unit of the last layer writes: units 0 and 3 shift the hue, and the colours they write add up to 0.
COLOURS = [(1.0, -1.0, 0.0), (0.02, 0.02, 0.02), (0.1, 0.0, 0.05), (0.0, 2.0, -2.0), (0.0, 0.0, 0.0)]
HUE, DEAD = (0, 3), 4


class Hues(nn.Module):
    """A grid of features, a convolution of one unit each, and a head whose weights are `COLOURS`."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.rand(1, 5, *SIZE) + 0.2)
        self.mix = nn.Conv2d(5, 5, 1, groups=5)
        self.mix.weight.data.fill_(1.0)
        self.mix.bias.data.fill_(0.1)
        self.head = nn.Conv2d(5, 3, 1, bias=False)
        self.head.weight.data = torch.tensor(COLOURS).T[:, :, None, None]

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.mix(self.grid * (1 + t))))


def hues(rule: str) -> cw.Canvas:
    torch.manual_seed(0)
    return cw.trace(cw.INR.from_frames(Hues().double().eval(), 2), rule)


@pytest.mark.parametrize("rule", ["gated", "ablation"])
@pytest.mark.parametrize("layer", ["mix", "head"])
def test_totals_are_those_of_the_oracle(rule: str, layer: str) -> None:
    canvas = hues(rule)
    lost = oracle.changes_without_units(canvas.inr, f"{layer}.weight", 5, frame=1, grouped=layer == "mix")
    by_neuron, by_pixel = oracle.colour_totals(lost)
    summary = canvas.summary(layer, 1, granularity="unit")
    assert summary.rgb == "abs"
    assert summary.n_dead == 1
    assert "added by magnitude" in repr(summary)
    np.testing.assert_allclose(summary.neuron_abs, by_neuron, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(summary.pixel_abs, by_pixel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(summary.neuron_sum, lost.sum((1, 2, 3)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(summary.pixel_sum, lost.sum((0, 3)), rtol=1e-5, atol=1e-5)
    signed = canvas.summary(layer, 1, granularity="unit", rgb="sum")
    np.testing.assert_allclose(signed.neuron_abs, np.abs(lost.sum(-1)).sum((1, 2)), rtol=1e-5, atol=1e-5)
    assert signed.rgb == "sum"
    assert "with their signs" in repr(signed)
    explicit = canvas.summary(layer, 1, granularity="unit", rgb="abs")
    np.testing.assert_array_equal(explicit.neuron_abs, summary.neuron_abs)
    red = canvas.summary(layer, 1, granularity="unit", rgb="red")
    np.testing.assert_allclose(red.neuron_abs, np.abs(lost[..., 0]).sum((1, 2)), rtol=1e-5, atol=1e-6)
    assert "red only" in repr(red)


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_no_finding_takes_a_neuron_that_shifts_the_hue_for_dead(rule: str) -> None:
    canvas, key = hues(rule), {"granularity": "unit"}
    each = np.abs(canvas.maps("head", range(5), rgb="each"))
    total = each.sum((1, 2, 3))
    faith = cw.analysis.faithfulness(canvas, "head", **key)
    order = np.argsort(faith.neurons)
    np.testing.assert_allclose(faith.rule_totals[order], total, rtol=1e-5, atol=1e-6)
    assert faith.neurons[faith.dead].tolist() == faith.neurons[faith.silent].tolist() == [DEAD]
    assert faith.totals.value == pytest.approx(1)
    assert faith.infidelity_share < 1e-6
    spread = cw.analysis.distribution(canvas, "head", **key)
    np.testing.assert_allclose(spread.neuron_abs, total, rtol=1e-5, atol=1e-6)
    sizes = each.sum(-1).reshape(5, -1)
    np.testing.assert_array_equal(spread.pixels_per_neuron, (sizes > sizes.sum(0) / 5).sum(1))
    mask = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 3 == 0
    means = cw.analysis.objects(canvas, "head", mask, **key).means
    np.testing.assert_allclose(means[:, 0], each.sum(-1)[:, mask].mean(1), rtol=1e-5)
    vectors = cw.analysis.vectors(canvas, "head", **key)
    assert vectors.alive.tolist() == [True] * 4 + [False]
    clusters = cw.analysis.cluster(canvas, "head", 2, **key)
    assert (clusters.labels < 0).tolist() == [False] * 4 + [True]
    sheet = cw.analysis.exemplars(canvas, clusters, 5)
    for neurons, maps in zip(sheet.neurons, sheet.maps, strict=True):
        np.testing.assert_allclose(maps, each.sum(-1)[list(neurons)], rtol=1e-5, atol=1e-7)
    motion = cw.analysis.motion(canvas, "head", flow=np.ones((1, *SIZE, 2)), **key)
    change = np.abs(np.abs(canvas.maps("head", range(5), 1, rgb="each")).sum(-1) - each.sum(-1)).sum((1, 2))
    np.testing.assert_allclose(motion.neuron_change[0], change, rtol=1e-4, atol=1e-6)
    deletion = cw.analysis.deletion(canvas, "head", seeds=(0,), points=5, **key)
    labels = np.where(mask, 1, 0)
    more = (
        cw.analysis.intensity(canvas, "head", **key),
        cw.analysis.regions(canvas, "head", by="grid", **key),
        cw.analysis.objects(canvas, "head", labels, **key),
        cw.analysis.objects_over_time(canvas, "head", labels, **key),
    )
    for found in (faith, spread, vectors, motion, deletion, *more):
        assert "added by magnitude" in repr(found)
    without = [
        canvas.ablate({"head": np.argsort(-total, kind="stable")[:count]}) for count in deletion.counts
    ]
    target = np.clip(canvas.frame(), 0, 1)
    error = [((np.clip(one, 0, 1) - target) ** 2).mean() for one in without[1:]]
    np.testing.assert_allclose(deletion.most_first[1:], -10 * np.log10(error), rtol=1e-4)


def test_pruning_keeps_what_shifts_the_hue() -> None:
    canvas = hues("gated")
    pruned = cw.prune(canvas.inr, canvas, share=0.4, layers="head")
    gone = (pruned.module.head.weight == 0).flatten(2).all((0, 2)).nonzero().flatten().tolist()
    assert gone == [1, DEAD]
    study = cw.analysis.pruning(canvas, (0.4,), "head", rules=["gated"])
    assert study.curves["gated"][0] > 30


def test_top_orders_by_magnitude_and_says_both() -> None:
    canvas = hues("gated")
    ranking = canvas.top(2, 3, k=5, layers="head", granularity="unit")
    each = canvas.pixel(2, 3, layers="head", granularity="unit", rgb="each")["head"]
    sizes = np.abs(each).sum(-1)
    assert [one.neuron for one in ranking] == np.argsort(-sizes, kind="stable").tolist()
    for one in ranking:
        assert one.magnitude == pytest.approx(sizes[one.neuron])
        assert one.value == pytest.approx(each[one.neuron].sum(), abs=1e-6)
        assert one.share == pytest.approx(sizes[one.neuron] / sizes.sum())
    assert "magnitude" in repr(ranking)


def test_where_the_rule_knows_no_colours_the_sum_counts_and_the_words_say_so() -> None:
    canvas = cw.trace(image(), "xinc")
    first, last = canvas.traced_layers[0], canvas.traced_layers[-1]
    assert canvas.summary(first).rgb == "sum"
    assert "with their signs" in repr(canvas.summary(first))
    for finding in (
        cw.analysis.distribution,
        cw.analysis.intensity,
        cw.analysis.vectors,
        cw.analysis.faithfulness,
    ):
        assert "with their signs" in repr(finding(canvas, first))
        assert "added by magnitude" in repr(finding(canvas, last))
    assert "with their signs" in repr(cw.analysis.distribution(canvas, last, as_released=True))
    assert canvas.summary(last).rgb == "abs"
    maps = canvas.maps(last, range(last.n_units), rgb="each")
    np.testing.assert_allclose(canvas.summary(last).neuron_abs, np.abs(maps).sum((1, 2, 3)), rtol=1e-5)
    with pytest.raises(ValueError, match="does not follow"):
        canvas.summary(first, rgb="abs")


def test_a_saved_canvas_keeps_colours(tmp_path: Path) -> None:
    canvas = hues("gated")
    mask = np.zeros(SIZE, bool)
    mask[:2] = True
    canvas.save(tmp_path / "a.zarr", maps="all", pixels=[(2, 3)], regions={"top": mask}, progress=False)
    saved = cw.open(tmp_path / "a.zarr")
    for layer in ("mix", "head"):
        for one, other in ((saved.summary(layer, 1), canvas.summary(layer, 1)),):
            assert one.rgb == other.rgb == "abs"
            np.testing.assert_allclose(one.neuron_abs, other.neuron_abs, rtol=1e-6)
            np.testing.assert_allclose(one.neuron_sum, other.neuron_sum, rtol=1e-6, atol=1e-7)
        assert saved.why_no_colours(layer) == ""
        for rgb in ("sum", "abs", "each", "red"):
            kernels = np.concatenate([maps for _, maps in canvas.iter(layer, rgb=rgb)])
            np.testing.assert_allclose(
                np.concatenate([maps for _, maps in saved.iter(layer, rgb=rgb)]),
                kernels,
                rtol=1e-5,
                atol=1e-7,
            )
            for pixel in ((2, 3), (1, 1)):  # one is kept, the other is read off the maps
                ours, theirs = (one.pixel(*pixel, layers=layer, rgb=rgb)[layer] for one in (saved, canvas))
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
            ours, theirs = (one.region(mask, layers=layer, rgb=rgb)[layer] for one in (saved, canvas))
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        neurons = [[one.neuron for one in which.top(2, 3, 4, layers=layer)] for which in (saved, canvas)]
        assert neurons[0] == neurons[1]
    few = copy.copy(canvas)
    few.save(tmp_path / "b.zarr", maps=2, layers="head", progress=False)
    kept = [
        canvas.layers.find("head").neuron_at(place) for place in cw.open(tmp_path / "b.zarr").kept("head")
    ]
    assert {unit for unit, _ in kept} <= {*HUE}
    with pytest.raises(LookupError, match="magnitudes of single pixels"):
        cw.open(tmp_path / "b.zarr").region(mask, rgb="abs")


def test_the_scale_of_thumbnails_is_that_of_neurons_that_shift_the_hue() -> None:
    cached = CachedCanvas(hues("gated"), ByteCache(2**24))
    layer = cached.layers.find("mix")
    found = ranking.strongest(cached, layer, 2, 0, lambda done, total: None)
    totals = layer_totals.totals(cached, layer, 0, lambda done, total: None)
    assert sorted(found.tolist()) == sorted(np.argsort(-totals)[:2].tolist())
    assert {layer.neuron_at(place)[0] for place in found} == set(HUE)
