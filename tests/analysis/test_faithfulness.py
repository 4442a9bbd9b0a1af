"""Rules against ablation: what is known beforehand must come out."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

import canvaswidget as cw
from canvaswidget.analysis.faithfulness import FIRST, completeness, faithfulness
from canvaswidget.analysis.intervals import spearman
from tests.canvases import image, video
from tests.small_models import Mlp


def mlp(*widths: int, size: tuple[int, int] = (5, 6), seed: int = 0) -> cw.INR:
    torch.manual_seed(seed)
    return cw.INR.from_coords(Mlp([2, *widths, 3], torch.nn.ReLU, True), size)


@pytest.mark.parametrize("make", [video, image])
def test_gated_is_ablation_in_the_last_layer(make) -> None:
    canvas = cw.trace(make(), "gated", device="cpu")
    found = faithfulness(canvas, -1, granularity="unit")
    assert found.is_whole
    np.testing.assert_allclose(found.rule_totals, found.ablation_totals, rtol=1e-4)
    assert found.totals.value == pytest.approx(1)
    assert found.per_pixel.value == pytest.approx(1, abs=1e-3)
    assert found.infidelity_share < 1e-8
    assert found.infidelity_scaled < 1e-8
    assert found.residual < 1e-5


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_a_dead_neuron_and_one_that_matters_most(rule: str) -> None:
    inr = image()
    weight = inr.module.net[1].linear.weight.data
    weight[:, 3] = 0
    weight[:, 7] *= 100
    found = faithfulness(cw.trace(inr, rule, device="cpu"), "net.1", fill="zero")
    place = {int(neuron): index for index, neuron in enumerate(found.neurons)}
    assert found.dead[place[3]]
    assert found.neurons[found.ablation_totals.argmax()] == 7
    assert found.neurons[found.rule_totals.argmax()] == 7
    if rule != "xinc":  # there it has its share of the bias
        assert found.silent[place[3]]


@pytest.mark.slow
def test_the_published_model(reference: Path) -> None:
    inr = cw.as_inr(cw.models.load_model(reference / "ffn_cityscapes.safetensors"))
    canvas = cw.trace(inr, "xinc", device="cpu")
    written = faithfulness(canvas, "net.1", half_width=1e-6, subsets=8)
    assert written.is_whole
    assert written.totals.value == pytest.approx(0.02, abs=0.03)
    assert written.silent.sum() == 47
    assert not written.dead.any()
    through = faithfulness(canvas.under("gated"), "net.1", half_width=1e-6, subsets=8)
    assert through.totals.value == pytest.approx(0.96, abs=0.02)
    assert not through.silent.any()
    assert through.infidelity_share < 0.3 < written.infidelity_scaled


def test_numbers_by_hand() -> None:
    inr = mlp(4)
    canvas = cw.trace(inr, "gated", device="cpu")
    found = faithfulness(canvas, 0, subsets=3, subset=1.0)
    maps, lost = canvas.maps(0, [0, 1], rgb="each").transpose(0, 3, 1, 2), []
    for unit in range(2):
        (kept,), _ = inr.arguments(0)
        without = kept.clone()
        without[:, unit] = 0
        with torch.no_grad():
            lost.append((inr.render(0) - inr.image(inr.module(without))).numpy())
    order = found.neurons
    np.testing.assert_allclose(found.rule_totals, np.abs(maps).sum((1, 2, 3))[order], rtol=1e-4)
    np.testing.assert_allclose(found.ablation_totals, np.abs(lost).sum((1, 2, 3))[order], rtol=1e-4)
    # The sets are all neurons: the change is the image less that of the layer's bias alone.
    with torch.no_grad():
        both = (inr.render(0) - inr.image(inr.module(0 * kept))).numpy()
    assert found.infidelity == pytest.approx(((maps.sum(0) - both) ** 2).sum(0).mean(), rel=1e-3)
    assert found.infidelity_share == pytest.approx(found.infidelity / (both**2).sum(0).mean(), rel=1e-3)
    assert sorted(map(tuple, found.pixels)) == [(y, x) for y in range(5) for x in range(6)]


def test_rank_correlations_are_spearmans() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 40, 7)).astype(float)
    np.testing.assert_allclose(spearman(a, b), [spearmanr(a[:, i], b[:, i])[0] for i in range(7)])
    a[:, 2] = 1
    assert np.isnan(spearman(a, b)[2])


def test_a_sample_is_no_larger_than_needed_and_its_interval_holds() -> None:
    canvas = cw.trace(mlp(8, 16), "xinc", device="cpu")
    whole = faithfulness(canvas, 1, granularity="kernel", half_width=1e-6, subsets=1)
    assert whole.n_neurons == len(whole.neurons) == 128
    assert whole.totals.low == whole.totals.value == whole.totals.high
    assert "(" not in str(whole.totals)
    within = 0
    for seed in range(10):
        some = faithfulness(canvas, 1, granularity="kernel", half_width=2.0, subsets=1, seed=seed)
        assert len(some.neurons) == FIRST
        assert len({tuple(kernel) for kernel in some.neurons}) == FIRST
        within += some.totals.low <= whole.totals.value <= some.totals.high
    assert within >= 8
    again = faithfulness(canvas, 1, granularity="kernel", half_width=2.0, subsets=1, seed=9)
    assert repr(again) == repr(some)
    assert len(faithfulness(canvas, 1, granularity="kernel", at_most=7, half_width=1e-3).neurons) == 7
    assert some.totals.low < some.totals.value < some.totals.high


def test_a_layer_that_takes_long_has_a_limit_that_the_result_tells_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[faithfulness.__module__]
    monkeypatch.setattr(module, "EXACT_SECONDS", 0)
    monkeypatch.setattr(module, "MOST", 40)
    canvas = cw.trace(video(), "gated", device="cpu")
    given = {"granularity": "kernel", "half_width": 1e-3, "subsets": 0}
    limited = faithfulness(canvas, 1, **given)
    assert limited.is_limited
    assert len(limited.neurons) == 40 < limited.n_neurons
    assert "at_most=None measures more" in repr(limited)
    assert "estimated" in limited.estimated()[0]
    whole = faithfulness(canvas, 1, **given, at_most=None)
    assert whole.is_whole
    assert not whole.is_limited
    assert limited.totals.low <= whole.totals.value <= limited.totals.high
    assert not faithfulness(canvas, 1, **given, at_most=40).is_limited  # as was asked for
    assert not faithfulness(canvas, 1, **{**given, "half_width": 0.9}).is_limited  # close enough
    monkeypatch.setattr(module, "EXACT_SECONDS", 1e9)
    assert faithfulness(canvas, 1, **given).is_whole


def test_one_neuron_one_pixel_and_a_dead_layer() -> None:
    for inr in (mlp(1), mlp(1, size=(1, 1)), mlp(5, size=(1, 1))):
        found = faithfulness(cw.trace(inr, "gated", device="cpu"), -1)
        assert found.infidelity_share < 1e-8
        assert isinstance(repr(found) + found._repr_html_(), str)
        assert isinstance(found.plot().figure, Figure)
        if len(found.neurons) == 1:
            assert math.isnan(found.totals.value)
            assert str(found.totals) == str(found.per_pixel) == "not defined"
    dead = mlp(5)
    dead.module.layers[1].weight.data.zero_()
    found = faithfulness(cw.trace(dead, "gated", device="cpu"), 0)
    assert found.dead.all()
    assert found.silent.all()
    assert math.isnan(found.totals.value)
    assert found.infidelity == found.infidelity_share == found.infidelity_scaled == 0


class Clipped(torch.nn.Module):
    """Its picture is finite where a neuron contributes infinity."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 4), torch.nn.Linear(4, 3)
        with torch.no_grad():
            self.first.bias[2], self.last.weight[0, 2] = 3e38, 10

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nan_to_num(self.last(torch.relu(self.first(x))), 0, 0, 0)


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_contributions_that_are_no_numbers_have_no_order(rule: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Clipped(), (3, 4)), rule, progress=False)
    with pytest.raises(ValueError, match=f"the maps of 1 neurons under '{rule}' hold NaN or infinity"):
        faithfulness(canvas, "last")


def test_neurons_that_all_do_the_same() -> None:
    inr = mlp(4)
    for layer in inr.module.layers:
        layer.weight.data[:] = 0.5
        layer.bias.data[:] = 0.1
    found = faithfulness(cw.trace(inr, "gated", device="cpu"), 1)
    assert math.isnan(found.totals.value)
    assert not found.dead.any()
    assert found.infidelity_share < 1e-8


def test_progress_and_stopping() -> None:
    canvas = cw.trace(video(), "gated", device="cpu")
    told: list[tuple[int, int]] = []
    found = faithfulness(canvas, -1, 2, progress=lambda done, planned: told.append((done, planned)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    class StopError(Exception):
        pass

    def stop(done: int, planned: int) -> None:
        if done:
            raise StopError

    with pytest.raises(StopError):
        faithfulness(canvas, -1, 2, progress=stop)
    assert repr(faithfulness(canvas, -1, 2)) == repr(found)


def test_correlations_alone_and_a_step_at_a_time() -> None:
    canvas = cw.trace(mlp(6), "gated", device="cpu")
    told: list[int] = []
    whole = faithfulness(canvas, 1)
    found = faithfulness(canvas, 1, subsets=0, batch=1, progress=lambda done, _: told.append(done))
    assert (found.totals, found.per_pixel) == (whole.totals, whole.per_pixel)
    assert np.isnan([found.infidelity, found.infidelity_share, found.infidelity_scaled, found.residual]).all()
    assert "infidelity" in repr(whole)
    assert "infidelity" not in repr(found)
    assert sorted(set(told)) == list(range(2 * len(found.neurons) + 1))


def test_mean_fill_and_mistakes() -> None:
    canvas = cw.trace(mlp(4), "gated", device="cpu")
    zero, mean = (faithfulness(canvas, 1, fill=fill) for fill in ("zero", "mean"))
    assert not np.allclose(zero.ablation_totals, mean.ablation_totals)
    for wrong in (
        {"half_width": 0},
        {"at_most": 0},
        {"subsets": -1},
        {"batch": 0},
        {"subset": 0},
        {"fill": "none"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            faithfulness(canvas, 1, **wrong)
    with pytest.raises(KeyError):
        faithfulness(canvas, "nowhere")
    with pytest.raises(IndexError):
        faithfulness(canvas, 1, 4)


def test_completeness_needs_gated() -> None:
    canvas = cw.trace(video(), "xinc", device="cpu")
    assert all(completeness(canvas, layer) < 1e-5 for layer in canvas.under("gated").traced_layers)
