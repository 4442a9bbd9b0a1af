"""The profile over depth against hand-worked cases and the findings that it gathers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis.intervals import share_interval
from canvaswidget.analysis.profile import effective_number
from tests.small_models import Cnn, Mlp


class Waves(nn.Module):
    """Four known features of a column: two waves, a constant, and one that no weight reads."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 3, bias=False)
        with torch.no_grad():
            self.last.weight.copy_(torch.tensor([[1.0, 1, 1, 0]]).repeat(3, 1) / 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        column = (x[:, 1] + 1) / 2 * 63  # pixels
        waves = [torch.cos(2 * math.pi * f * column) for f in (8 / 64, 16 / 64)]
        return self.last(torch.stack([*waves, torch.ones_like(column), column], 1))


def test_known_waves() -> None:
    canvas = cw.trace(cw.INR.from_coords(Waves().double(), (64, 64)), "gated", progress=False)
    (row,) = cw.analysis.profile(canvas, pixels=64 * 64).layers
    assert (row.n_neurons, row.dead_share.value) == (4, 0.25)
    assert row.dead_share.low == row.dead_share.high  # all were measured
    assert row.centroid.value == pytest.approx(
        (8 / 64 + 16 / 64) / 2, abs=1e-3
    )  # the constant has no frequency
    assert row.stable_rank == pytest.approx(1)  # every row of the weight is the same
    image = canvas.frame()
    energy = ((image - image.mean((0, 1))) ** 2).sum()
    lost = [(canvas.map("last", unit, rgb="each") ** 2).sum() / energy for unit in range(4)]
    assert row.kept.value == pytest.approx(1 - np.mean(lost), abs=1e-5)
    assert row.faithfulness.value == pytest.approx(1)  # in the last layer the rule is ablation
    maps = np.abs(canvas.maps("last", range(4), rgb="each")).sum(-1).reshape(4, -1).astype(np.float64)
    shares = maps / maps.sum(0)
    entropy = -np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0).sum(0)
    assert row.effective.value == pytest.approx(np.exp(entropy).mean(), rel=1e-5)
    assert row.effective_share.value == pytest.approx(row.effective.value / 4)


def test_effective_numbers_by_hand() -> None:
    assert effective_number(np.array([2.0, 2, 2, 0])) == pytest.approx(3)
    assert effective_number(np.array([5.0, 0])) == pytest.approx(1)
    assert effective_number(np.array([0.75, 0.25])) == pytest.approx(4 / 3**0.75)
    assert math.isnan(effective_number(np.zeros(3)))


def test_it_agrees_with_the_findings_it_gathers() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_frames(Cnn([2, 3, 3], [3, 3, 3], [2, 2], (3, 4), nn.GELU, True).double(), 2)
    for rule in ("gated", "xinc", "ablation"):
        canvas = cw.trace(inr, rule, progress=False)
        found = cw.analysis.profile(canvas, frame=1, at_most=1000)
        assert [row.layer for row in found.layers] == list(canvas.traced_layers)
        for row in found.layers:
            faithfulness = cw.analysis.faithfulness(canvas, row.layer, 1, half_width=1e-9)
            assert row.faithfulness.value == pytest.approx(faithfulness.totals.value, abs=1e-6)
            assert row.dead_share.value == pytest.approx(faithfulness.dead.mean())
            spectrum = cw.analysis.spectrum(canvas, row.layer, 1, sample=None)
            assert row.centroid.value == pytest.approx(spectrum.mean_centroid.value, abs=1e-5)
            weight = canvas.weight(row.layer).astype(np.float64)
            singular = np.linalg.svd(weight.reshape(len(weight), -1), compute_uv=False)
            assert row.stable_rank == pytest.approx((singular**2).sum() / singular[0] ** 2, rel=1e-4)
        assert found["head"] is found.layers[-1]


class Groups(nn.Module):
    """Convolutions whose outputs read the inputs of their group only."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, 4, 3, 4))
        self.across = nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2)
        self.alone = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.up(torch.relu(self.across(self.grid * (1 + t)))))
        return self.head(torch.relu(self.alone(x)))


def test_the_stable_rank_of_groups_has_a_row_an_output() -> None:
    torch.manual_seed(0)
    model = Groups()
    canvas = cw.trace(cw.INR.from_frames(model, 1), "gated", progress=False)
    found = cw.analysis.profile(canvas, at_most=2, pixels=2)
    into = model.up.weight.detach()  # (n_in, n_out / n_groups, ...)
    rows = {
        "across": model.across.weight.detach().flatten(1),
        "up": torch.cat([part.transpose(0, 1).flatten(1) for part in into.chunk(2)]),
        "alone": model.alone.weight.detach().flatten(1),
    }
    for name, matrix in rows.items():
        singular = np.linalg.svd(matrix.numpy().astype(np.float64), compute_uv=False)
        assert found[name].stable_rank == pytest.approx((singular**2).sum() / singular[0] ** 2, rel=1e-4)
    assert found["alone"].stable_rank > 1.5  # a filter an output, not one row of all


def test_a_sample_has_intervals_and_runs_have_means() -> None:
    torch.manual_seed(0)
    inrs = [cw.INR.from_coords(Mlp([2, 40, 3], nn.ReLU, True), (9, 8)) for _ in range(2)]
    runs = cw.Runs({seed: cw.trace(inr, "gated", progress=False) for seed, inr in enumerate(inrs)})
    one = cw.analysis.profile(runs[0], at_most=12, pixels=5)
    row = one["layers.1"]
    assert (row.dead_share.n, row.dead_share.n_all, row.effective.n) == (12, 40, 5)
    assert row.dead_share.low < row.dead_share.high
    assert row.kept.low < row.kept.value < row.kept.high
    assert row.effective.low < row.effective.value < row.effective.high
    both = cw.analysis.profile(runs, "layers.1", at_most=12, pixels=5)
    assert both.mean()["layers.1 centroid"].n == 2
    frame = one.to_frame()
    assert list(frame.index) == ["layers.0", "layers.1"]
    assert frame.loc["layers.1", "centroid_low"] == row.centroid.low
    assert len(one.plot().axes) == 6
    assert "layers.1" in repr(one)
    assert "<table>" in one._repr_html_()


@pytest.mark.parametrize("size", [(1, 1), (1, 6)])
def test_pictures_of_few_pixels_and_dead_layers(size: tuple[int, int]) -> None:
    model = Mlp([2, 5, 3], nn.ReLU, False)
    with torch.no_grad():
        model.layers[1].weight.zero_()
    canvas = cw.trace(cw.INR.from_coords(model, size), "gated", progress=False)
    found = cw.analysis.profile(canvas)
    last = found["layers.1"]
    assert last.dead_share.value == 1
    for number in (last.effective.value, last.stable_rank, last.centroid.value, last.kept.value):
        assert math.isnan(number)
    assert "not defined" in repr(found)
    assert found.plot()


def test_the_interval_of_a_share_holds_it() -> None:
    """Over all samples that can be drawn: at least 95 of 100, whatever the share."""
    n, n_all = 20, 60
    for dead in (0, 1, 3, 30, 59, 60):
        chances = hypergeom(n_all, dead, n)
        holds = 0.0
        for count in range(n + 1):
            interval = share_interval(count, n, n_all)
            holds += float(chances.pmf(count)) * (interval.low <= dead / n_all <= interval.high)
        assert holds >= 0.95
    assert share_interval(0, 0, 5).n == 0
    assert share_interval(2, 4, 4) == share_interval(2, 4, 4)
    assert (share_interval(2, 4, 4).low, share_interval(2, 4, 4).high) == (0.5, 0.5)
