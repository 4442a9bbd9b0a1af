"""Bits per pixel counted by hand, and pictures of copies against the copies themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis import rate_distortion
from canvaswidget.analysis.coded_size import entropy
from tests.canvases import video
from tests.zoo import build

SIZE = (5, 6)


def net(bias: bool = True) -> cw.INR:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8, bias), nn.ReLU(), nn.Linear(8, 3, bias))
    truth = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    return cw.INR.from_coords(module, SIZE, truth=truth)


def counted(values: torch.Tensor) -> float:
    """Shannon's entropy of the values, in bits."""
    shares = values.detach().unique(return_counts=True)[1].double() / values.numel()
    return float(-(shares * shares.log2()).sum())


# --- bits ---------------------------------------------------------------------------------------------------------


def test_entropy_by_hand() -> None:
    assert entropy(np.array([4, 4])) == 1
    assert entropy(np.array([1, 1, 1, 1])) == 2
    assert entropy(np.array([7])) == 0
    assert math.copysign(1, entropy(np.array([7]))) == 1
    assert entropy(np.array([3, 0])) == 0
    assert entropy(np.array([1, 3])) == pytest.approx(2 - 0.75 * math.log2(3))


@pytest.mark.parametrize(("scheme", "grids"), [("per-tensor", 2), ("per-channel", 8 + 3)])
def test_bits_of_quantised_copies(scheme: str, grids: int) -> None:
    inr = net()
    canvas = cw.trace(inr, "gated", device="cpu")
    found = rate_distortion(canvas, (5, 1), [0.5], scheme, rules=["gated"], seeds=[0])
    weights, biases, pixels = 2 * 8 + 8 * 3, 8 + 3, 5 * 6
    assert found.model.bits_per_pixel[0] == (weights + biases) * 32 / pixels
    curve = found.curves["quantised"]
    for row, bits in enumerate((5, 1)):
        expected = weights * bits + grids * 64 + biases * 32
        assert curve.bits_per_pixel[row] == pytest.approx(expected / pixels)
    made = cw.quantise(inr, 5, canvas=canvas).module
    expected = 16 * counted(made[0].weight) + 24 * counted(made[2].weight) + 2 * 64 + biases * 32
    if scheme == "per-tensor":
        assert curve.entropy_bits_per_pixel[0] == pytest.approx(expected / pixels)
    assert (curve.entropy_bits_per_pixel <= curve.bits_per_pixel + 1e-9).all()


@pytest.mark.parametrize(("bits", "grid"), [(6, 64), (None, 0)])
def test_bits_of_pruned_copies(bits: int | None, grid: int) -> None:
    canvas = cw.trace(net(), "gated", device="cpu")
    shares = [0.25, 1.0]
    found = rate_distortion(
        canvas, [8], shares, layers=["2"], pruned_bits=bits, rules=["gated"], seeds=[0, 1]
    )
    others, pixels, width = 2 * 8 + 8 + 3, 30, bits or 32
    for name in ("gated", "magnitude", "random"):
        curve = found.curves[name]
        np.testing.assert_allclose(
            curve.bits_per_pixel,
            [(6 * 3 * width + grid + 8 + others * 32) / pixels, (grid + 8 + others * 32) / pixels],
        )
        # Of eight neurons two are removed, then all.
        mask = 8 * entropy(np.array([2, 6]))
        assert curve.entropy_bits_per_pixel[1] == pytest.approx((grid + others * 32) / pixels)
        if bits is None:
            expected = (6 * 3 * 32 + mask + others * 32) / pixels
            assert curve.entropy_bits_per_pixel[0] == pytest.approx(expected)


def test_the_pixels_are_those_of_all_frames() -> None:
    inr = video()
    found = rate_distortion(
        cw.trace(inr, "xinc", device="cpu"), [4], [0.5], frames=[1], rules=["xinc"], seeds=[0]
    )
    count = sum(parameter.numel() for parameter in inr.module.parameters())
    assert found.model.bits_per_pixel[0] == pytest.approx(32 * count / (6 * 16 * 32))


# --- pictures -----------------------------------------------------------------------------------------------------


def measured(made: cw.INR, target: np.ndarray, frame: int) -> tuple[float, float, float]:
    picture = made.frame(frame).clip(0, 1)
    return tuple(measure(picture, target) for measure in (cw.media.psnr, cw.media.ssim, cw.media.ms_ssim))  # type: ignore[return-value]


def test_pictures_are_those_of_the_copies() -> None:
    inr = video()
    assert inr.truth is not None
    canvas = cw.trace(inr, "xinc", device="cpu")
    found = rate_distortion(canvas, (6, 2), [0.3], frames=[1, 4], rules=["xinc"], pruned_bits=None, seeds=[0])
    assert found.against == "truth"
    copies: dict[tuple[str, int], cw.INR] = {
        ("quantised", row): cw.quantise(inr, bits, canvas=canvas) for row, bits in enumerate((6, 2))
    }
    copies["xinc", 0] = cw.prune(inr, canvas, 0.3, list(found.where["xinc"]), frames=[1, 4])
    for (name, row), made in copies.items():
        each = np.mean([measured(made, inr.truth[frame], frame) for frame in (1, 4)], 0)
        curve = found.curves[name]
        values = [curve.psnr[row], curve.ssim[row], curve.ms_ssim[row]]
        np.testing.assert_allclose(values, each, rtol=1e-4, atol=1e-6)
    assert canvas.layers[0] not in found.pruned_layers
    assert canvas.layers[0] in found.layers


def test_pruned_and_quantised_weights_keep_their_zeros() -> None:
    inr = net()
    canvas = cw.trace(inr, "gated", device="cpu")
    found = rate_distortion(canvas, [8], [0.5], layers=["2"], rules=["gated"], pruned_bits=2, seeds=[0])
    smaller = cw.prune(inr, canvas, 0.5, "2")
    weight = smaller.module[2].weight
    kept = (weight != 0).any(0)
    # The grid of two bits spans what is kept; zero is not on it.
    values = weight.detach()[:, kept].numpy()
    low, step = values.min(), np.ptp(values) / 3
    with torch.no_grad():
        weight[:, kept] = torch.from_numpy(low + step * np.round((values - low) / step))
    expected = measured(smaller, inr.truth[0], 0)[0]
    assert found.curves["gated"].psnr[0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("kind", ["grouped_convolution", "transposed_convolution"])
@pytest.mark.parametrize("granularity", ["unit", "kernel"])
def test_every_kind_of_layer(kind: str, granularity: str) -> None:
    inr = build(kind, 1)
    canvas = cw.trace(inr, "gated", device="cpu")
    given: dict[str, Any] = {"rules": ["gated"], "frames": [0], "seeds": [0], "granularity": granularity}
    found = rate_distortion(canvas, [4], [0.4], pruned_bits=None, against="model", **given)
    smaller = cw.prune(inr, canvas, 0.4, list(found.pruned_layers), frames=[0], granularity=granularity)
    expected = cw.media.psnr(smaller.frame(0).clip(0, 1), inr.frame(0).clip(0, 1))
    assert found.curves["gated"].psnr[0] == pytest.approx(expected, abs=0.05)
    bits = sum(8 * p.element_size() * p.numel() for p in inr.module.parameters())
    n_pixels = inr.n_frames * math.prod(inr.size)
    assert found.model.bits_per_pixel[0] == pytest.approx(bits / n_pixels)
    zeros = sum(int((p == 0).sum()) for p in smaller.module.parameters() if p.ndim > 1)
    neurons = sum(math.prod(layer.shape_of(granularity)) for layer in found.pruned_layers)
    rate = found.curves["gated"].bits_per_pixel[0] * n_pixels
    assert rate == pytest.approx(bits - 64 * zeros + neurons)


# --- refit --------------------------------------------------------------------------------------------------------


def test_a_refit_is_better_and_keeps_what_was_removed() -> None:
    inr = net()
    canvas = cw.trace(inr, "gated", device="cpu")
    seen: list[cw.INR] = []

    def refit(pruned: cw.INR) -> Any:
        seen.append(pruned)
        return cw.fit(pruned, inr.truth, steps=60, lr=0.01, hold_zeros=True, progress=False)

    found = rate_distortion(canvas, [8], [0.5], rules=["gated"], seeds=[0], refit=refit)
    for name in ("gated", "magnitude", "random"):
        assert found.curves[f"{name}, refitted"].psnr[0] > found.curves[name].psnr[0] + 0.2
        assert found.curves[f"{name}, refitted"].bits_per_pixel[0] == found.curves[name].bits_per_pixel[0]
    assert len(seen) == 3
    assert all(int((one.module[2].weight == 0).all(0).sum()) == 4 for one in seen)
    assert torch.equal(inr.module[0].weight, net().module[0].weight)
    assert "pruned by gated, refitted" in repr(found)
    assert "psnr_random_refitted" in found.numbers()


def test_a_refit_that_fills_what_was_removed_is_refused() -> None:
    inr = net()
    canvas = cw.trace(inr, "gated", device="cpu")
    given: dict[str, Any] = {"rules": ["gated"], "seeds": [0]}
    with pytest.raises(ValueError, match="refit: returned a network with weights of '2'"):
        rate_distortion(
            canvas,
            [8],
            [0.5],
            refit=lambda pruned: cw.fit(pruned, inr.truth, steps=2, progress=False),
            **given,
        )
    with pytest.raises(TypeError, match="refit: returned NoneType; expected an INR"):
        rate_distortion(canvas, [8], [0.5], refit=lambda pruned: None, **given)


# --- what it says -------------------------------------------------------------------------------------------------


def test_what_it_says() -> None:
    canvas = cw.trace(video(), "xinc", device="cpu")
    told: list[tuple[int, int]] = []
    found = rate_distortion(
        canvas, (8, 3), (0.1, 0.4), rules=["xinc"], progress=lambda *now: told.append(now)
    )
    assert told[-1][0] == told[-1][1]
    text = repr(found)
    assert "MS-SSIM has 1 of 5 scales" in text
    assert "pruned at random" in text
    assert "40% removed" in text
    assert "<table>" in found._repr_html_()
    table = found.to_frame()
    assert len(table) == 1 + 2 + 3 * 2
    assert table.psnr[1] == found.curves["quantised"].psnr[0]
    assert isinstance(found.plot(measure="ssim", entropy=True), Axes)
    assert isinstance(found.plot_all(), Figure)
    with pytest.raises(ValueError, match="measure='lpips': expected one of 'psnr'"):
        found.plot(measure="lpips")


def test_small_images_have_no_ssim() -> None:
    inr = cw.INR.from_coords(nn.Linear(2, 1), (1, 1))
    found = rate_distortion(cw.trace(inr, "gated", device="cpu"), [8, 1], [0.5], seeds=[0])
    assert found.against == "model"
    assert found.n_scales == 0
    assert np.isnan(found.curves["quantised"].ssim).all()
    assert len(found.plot_all().axes) == 1


def test_mistakes() -> None:
    canvas = cw.trace(net(), "gated", device="cpu")
    for arguments, why in (
        ({"bits": [0]}, "bits=0"),
        ({"shares": [1.5]}, "shares?=1.5"),
        ({"pruned_bits": 0}, "pruned_bits=0"),
        ({"seeds": []}, "seeds"),
        ({"against": "nothing"}, "against='nothing'"),
    ):
        with pytest.raises(ValueError, match=why):
            rate_distortion(canvas, **arguments)
    with pytest.raises(cw.UntraceableError, match="layer='conv'.*made"):
        rate_distortion(cw.trace(build("quantised_and_masked", 0), "gated", device="cpu"))
