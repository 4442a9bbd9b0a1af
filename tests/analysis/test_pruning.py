"""Models without their least contributing neurons."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis.pruning import pruning
from tests.canvases import image, video
from tests.small_models import Mlp
from tests.zoo import KINDS, build

# However a weight is written: a module's, a raw parameter, transposed, grouped, complex.
WRITTEN = [
    "raw_linear",
    "matmul",
    "in_place",
    "grouped_convolution",
    "transposed_convolution",
    "wire",
    "nerv",
]


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_copy_is_the_model_without_them(kind: str) -> None:
    assert kind in KINDS
    inr = build(kind, 1)
    before = copy.deepcopy(inr.module.state_dict())
    canvas = cw.trace(inr, "gated", device="cpu")
    removed = {}
    for layer in canvas.traced_layers:
        totals = canvas.summary(layer, granularity="unit").neuron_abs
        removed[layer] = np.argsort(totals, kind="stable")[: round(0.5 * len(totals))]
    smaller = cw.prune(inr, canvas, 0.5, list(canvas.traced_layers), frames=[0])
    np.testing.assert_allclose(smaller.frame(0), canvas.ablate(removed), rtol=1e-4, atol=1e-5)
    assert smaller.module is not inr.module
    assert all((value == before[name]).all() for name, value in inr.module.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("weight_norm", "layer='last'.*_weight_norm"),
        ("quantised_and_masked", "layer='head'.*made"),
        ("skip_by_addition", "layer='b'.*2 places"),
    ],
)
def test_a_weight_that_is_no_plain_parameter(kind: str, why: str) -> None:
    inr = build(kind, 0)
    with pytest.raises(cw.UntraceableError, match=why):
        cw.prune(inr, cw.trace(inr, "gated", device="cpu"), 0.5)


def test_dead_units_go_first_and_leave_no_trace() -> None:
    inr = image()
    inr.module.net[1].linear.weight.data[:, [2, 5, 6]] = 0
    canvas = cw.trace(inr, "gated", device="cpu")
    smaller = cw.prune(inr, canvas, 0.3, "net.1")
    np.testing.assert_allclose(smaller.frame(0), inr.frame(0), atol=1e-6)
    found = pruning(canvas, [0.3, 0.6], "net.1", seeds=[0])
    assert set(found.curves) == {"xinc", "gated", "ablation", "magnitude"}
    for order in ("gated", "ablation", "magnitude"):
        assert found.curves[order][0] > 100
    assert (found.random[0] < 60).all()


def test_kernels_of_a_video() -> None:
    inr = video()
    canvas = cw.trace(inr, "xinc", device="cpu")
    told: list[tuple[int, int]] = []
    found = pruning(
        canvas,
        [0, 0.25, 1],
        rules=["xinc"],
        frames=[1, 4],
        granularity="kernel",
        against="truth",
        seeds=[0, 1],
        progress=lambda *now: told.append(now),
    )
    assert told[-1][0] == told[-1][1]
    assert canvas.layers[0] not in found.layers
    assert found.random.shape == (2, 3)
    smaller = cw.prune(inr, canvas, 0.25, frames=[1, 4], granularity="kernel")
    each = [cw.media.psnr(np.clip(smaller.frame(frame), 0, 1), inr.truth[frame]) for frame in (1, 4)]
    assert found.curves["xinc"][1] == pytest.approx(np.mean(each), abs=1e-3)
    assert "mean of n = 2 frames" in repr(found)
    assert found.curves["xinc"][0] == found.random[0, 0]
    assert "25%" in repr(found)
    assert "<table>" in found._repr_html_()
    assert isinstance(found.plot().figure, Figure)


def test_another_model_of_the_same_build_and_mistakes() -> None:
    one, other = image(), image()
    canvas = cw.trace(one, "gated", device="cpu")
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter += 0.5
    smaller = cw.prune(other.module, canvas, 0.5, "net.1")
    changed = smaller.module.net[1].linear.weight != other.module.net[1].linear.weight
    assert changed.all(0).sum() == changed.any(0).sum() == 5
    with pytest.raises(ValueError, match=r"inr=Mlp.*net\.0"):
        cw.prune(cw.INR.from_coords(Mlp([2, 3, 3], torch.nn.ReLU, True), (4, 4)), canvas, 0.5)
    with pytest.raises(ValueError, match="share=1.2"):
        cw.prune(one, canvas, 1.2)
    with pytest.raises(ValueError, match="frames"):
        cw.prune(one, canvas, 0.5, frames=[])
    with pytest.raises(ValueError, match="layers"):
        cw.prune(one, canvas, 0.5, [])
    with pytest.raises(ValueError, match="seeds"):
        pruning(canvas, [0.5], seeds=[])
    with pytest.raises(ValueError, match="shares"):
        pruning(canvas, [])
    with pytest.raises(ValueError, match=r"shares: 0\.5 is given twice"):
        cw.analysis.pruning(canvas, shares=[0.5, 0.1, 0.5])
    nothing = cw.prune(one, canvas, 0)
    np.testing.assert_array_equal(nothing.frame(0), one.frame(0))


def test_each_rule_where_it_is_defined() -> None:
    canvas = cw.trace(build("mlp_finer", 0), "gated", device="cpu")
    known = list(canvas.under("xinc").traced_layers)
    found = pruning(canvas, [0.4], frames=[0], seeds=[0, 1], rules=["xinc", "gated"])
    assert [layer for layer in found.layers if layer not in known]
    assert list(found.where["gated"]) == list(found.layers)
    assert list(found.where["xinc"]) == [layer for layer in found.layers if layer in known]
    assert repr(found).startswith(
        f"xinc is defined on {len(found.where['xinc'])} of {len(found.layers)} layers"
    )
    assert "xinc is defined on" in found._repr_html_()
    alone = pruning(canvas, [0.4], list(found.where["xinc"]), frames=[0], seeds=[0, 1], rules=["xinc"])
    assert alone.curves["xinc"] == found.curves["xinc"]
    beside = found.curves["random where xinc is defined"]
    assert beside[0] == pytest.approx(alone.random[:, 0].mean(), abs=1e-4)
    found.plot()


def test_weights_that_only_the_traced_model_has_at_0_stay_in_another() -> None:
    torch.manual_seed(0)
    traced, other = (cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, True), (3, 4)) for _ in range(2))
    with torch.no_grad():
        traced.module.layers[1].weight[:, 2] = 0  # a dead unit, which goes, and one that stays
        traced.module.layers[1].weight[1, 3] = 0
    canvas = cw.trace(traced, "gated", progress=False)
    pruned = cw.prune(other, canvas, 0.25, "layers.1").module.layers[1].weight
    expected = other.module.layers[1].weight.detach().clone()
    expected[:, 2] = 0
    assert torch.equal(pruned, expected)
