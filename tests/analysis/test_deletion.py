"""Curves of deleting and inserting neurons."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget.analysis.deletion import area, deletion, psnr
from tests.canvases import image, video
from tests.small_models import Mlp


def planted() -> cw.INR:
    """Units of the second layer that matter 1, 1/4, 1/16, ... as much, in a shuffled order, and two dead ones."""
    torch.manual_seed(3)
    inr = cw.INR.from_coords(Mlp([2, 8, 3], torch.nn.ReLU, True), (6, 7))
    first, last = inr.module.layers
    first.weight.data[:] = first.weight.data[0]
    first.bias.data[:] = 2.0
    strength = torch.tensor([0.5**4, 0.5**8, 1, 0, 0.5**2, 0.5**10, 0.5**6, 0])
    last.weight.data[:] = 0.2 * strength
    return inr


def test_by_hand() -> None:
    inr = planted()
    canvas = cw.trace(inr, "gated", device="cpu")
    found = deletion(canvas, 1, points=8)
    assert found.counts.tolist() == list(range(9))
    whole, order = inr.frame(0), [2, 4, 0, 6, 1, 5, 3, 7]
    for curve, falling in ((found.most_first, order), (found.least_first, order[::-1])):
        for count, value in zip(found.counts, curve, strict=True):
            cut = copy.deepcopy(inr.module)
            cut.layers[1].weight.data[:, falling[:count]] = 0
            left = inr.image(cut(*inr.arguments(0)[0])).detach().permute(1, 2, 0).numpy()
            expected = psnr(left, whole)
            assert min(value, 120) == pytest.approx(min(expected, 120), abs=0.05)
    assert found.most_first[0] > 100
    assert np.isinf(found.least_first[:3]).all()
    assert found.most_first[-1] == found.least_first[-1] == found.random[0, -1]


def test_a_good_order_is_told_from_chance() -> None:
    found = deletion(cw.trace(planted(), "gated", device="cpu"), 1, seeds=range(5))
    away = found.areas
    assert away["most first"] < away["random"] < away["least first"]
    np.testing.assert_array_equal(found.inserted["most first"], found.least_first[::-1])
    np.testing.assert_allclose(found.shares + found.shares[::-1], 1)


@pytest.mark.parametrize("against", ["model", "truth"])
def test_kernels_of_a_video(against: str) -> None:
    canvas = cw.trace(video(), "xinc", device="cpu")
    told: list[tuple[int, int]] = []
    layer = canvas.traced_layers[-2]
    found = deletion(
        canvas, layer, 2, against=against, points=3, seeds=[4], progress=lambda *now: told.append(now)
    )
    assert found.n_neurons == layer.n_kernels
    assert found.random.shape == (1, len(found.counts))
    assert told[-1][0] == told[-1][1] == found.n_neurons + 3 * len(found.counts)
    target = canvas.frame(2) if against == "model" else canvas.inr.truth[2]
    assert found.most_first[0] == pytest.approx(psnr(canvas.frame(2), target))
    for inserted in (False, True):
        assert isinstance(found.plot(inserted=inserted).figure, Figure)
    assert "mean PSNR over the share deleted, most first" in repr(found)
    assert "insert" not in repr(found)  # the same curves backwards
    assert "colours added with their signs" in repr(found)


def test_psnr_and_area() -> None:
    a = np.zeros((2, 2, 3), np.float32)
    assert psnr(a + 0.1, a) == pytest.approx(20, abs=1e-4)
    assert psnr(a - 5, a) == float("inf")  # both black as they are shown
    assert area(np.array([0, 0.5, 1]), np.array([np.inf, 20, 10])) == pytest.approx((40 + 15) / 2)


def test_mistakes_one_neuron_and_no_seeds() -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    with pytest.raises(ValueError, match="truth"):
        deletion(canvas, 1, against="truth")
    with pytest.raises(ValueError, match="against"):
        deletion(canvas, 1, against="nothing")
    with pytest.raises(ValueError, match="points"):
        deletion(canvas, 1, points=0)
    with pytest.raises(ValueError, match="seeds"):
        deletion(canvas, 1, seeds=[])
    one = cw.INR.from_coords(Mlp([2, 1, 3], torch.nn.ReLU, True), (1, 1))
    found = deletion(cw.trace(one, "gated", device="cpu"), 1, seeds=[0])
    assert found.counts.tolist() == [0, 1]
    assert found.most_first[1] == found.least_first[1]
