"""Equality with the released research code, on the models it was run on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.models import FFN

pytestmark = pytest.mark.slow

Golden = dict[str, np.ndarray]


def load(reference: Path, name: str) -> tuple[nn.Module, Golden]:
    with np.load(reference / f"{name}.golden.npz") as file:
        return cw.models.load_model(reference / f"{name}.safetensors"), dict(file)


def assert_close(ours: np.ndarray, golden: np.ndarray, tolerance: float = 1e-5) -> None:
    """Within the tolerance, absolute or relative."""
    assert ours.shape == golden.shape
    deviation = np.abs(ours - golden) / np.maximum(1.0, np.abs(golden))
    worst = np.unravel_index(deviation.argmax(), golden.shape)
    assert deviation.max() <= tolerance, f"off by {deviation.max():.2e} at {worst}"


def assert_every_array(
    canvas: cw.Canvas, golden: Golden, frame: int, keys: list[str], unit_total_tolerance: float = 1e-5
) -> None:
    seen = {"t", "image", "coords_first_last"}
    for key in keys:
        layer = canvas.layers.find(key)
        kind = "kernel" if layer.grid else "unit"
        summary = canvas.summary(key, frame, rgb="sum")
        neurons = golden[f"{key}/{kind}s"]
        y, x = (int(n) for n in golden[f"{key}/pixel"])
        ours = {
            f"{kind}s": neurons,
            "maps": canvas.maps(key, neurons, frame),
            f"{kind}_total_abs": summary.neuron_abs.ravel(),
            "pixel_total_abs": summary.pixel_abs,
            "pixel": np.array([y, x]),
            "pixel_values": canvas.pixel(y, x, frame, layers=key)[layer.name],
        }
        if layer.grid:
            ours["shape"] = np.array(layer.neurons)
        if f"{key}/rgb_maps" in golden:
            ours["rgb_maps"] = canvas.maps(key, neurons, frame, rgb="each").transpose(0, 3, 1, 2)
        for name, values in ours.items():
            tolerance = unit_total_tolerance if name == "unit_total_abs" else 1e-5
            assert_close(values, golden[f"{key}/{name}"], tolerance)
            seen.add(f"{key}/{name}")
    assert seen == set(golden) | {"t", "coords_first_last"}


def test_nerv_bunny(reference: Path) -> None:
    model, golden = load(reference, "nerv_bunny")
    inr = cw.INR.from_frames(model, 32)
    frame = round(float(golden["t"]) * 32)
    assert_close(inr.frame(frame).transpose(2, 0, 1), golden["image"])
    canvas = cw.trace(inr)
    assert_every_array(canvas, golden, frame, ["head_layer", "decoder.3", "decoder.2", "decoder.1"])
    assert canvas.check(frame).all_hold
    with pytest.raises(cw.UntraceableError, match=r"decoder\.0.*'view'"):
        canvas.map("decoder.0", (0, 0))


@pytest.mark.parametrize("suffix", ["safetensors", "ckpt"])
def test_ffn_cityscapes_image(reference: Path, suffix: str) -> None:
    golden = load(reference, "ffn_cityscapes")[1]
    model = cw.models.load_model(reference / f"ffn_cityscapes.{suffix}")
    image = cw.INR.from_coords(model, (128, 256)).frame().transpose(2, 0, 1)
    assert np.abs(image - golden["image"]).max() < 1e-4


# The released maps of the FFN were made in a process that met https://github.com/pytorch/pytorch/issues/188792: on
# the first of two threads, that is on the first half of the pixels, the sine of the Fourier features came from
# MKL's low-accuracy kernel, off by up to 1.5e-4. That kernel is this polynomial of the angle reduced to
# [-pi/2, pi/2] (fitted to the kernel itself, within 2e-7). With it every released number is met; without it, those
# that do not involve the first half.
LOW_ACCURACY_SINE = (0.9998853206514905, -0.1659209578423862, 0.00757660154897058)


def low_accuracy_sine(angle: torch.Tensor) -> torch.Tensor:
    turns = torch.round(angle.double() / math.pi)
    rest = angle.double() - turns * math.pi
    value = sum(c * rest ** (2 * i + 1) for i, c in enumerate(LOW_ACCURACY_SINE))
    return torch.where(turns % 2 == 0, value, -value).to(angle.dtype)


class AsReleased(nn.Module):
    def __init__(self, model: FFN) -> None:
        super().__init__()
        self.net, self.B = model.net, model.positional_encoding.B

    def forward(self, coordinates: torch.Tensor) -> torch.Tensor:
        angle = 2 * math.pi * coordinates @ self.B.T
        half = len(angle) // 2
        sine = torch.cat([low_accuracy_sine(angle[:half]), torch.sin(angle[half:])])
        return self.net(torch.cat([sine, torch.cos(angle)], dim=-1))


def test_ffn_cityscapes_with_the_sine_it_was_released_with(reference: Path) -> None:
    model, golden = load(reference, "ffn_cityscapes")
    assert isinstance(model, FFN)
    inr = cw.INR.from_coords(AsReleased(model), (128, 256), coordinates="longest")
    assert_close(inr.frame().transpose(2, 0, 1), golden["image"])
    # The released sums over outputs are in single precision: one unit's, which nearly cancel, are 2.1e-5 from the
    # value in double precision. All others are within 1e-5.
    assert_every_array(cw.trace(inr), golden, 0, ["net.0", "net.1", "net.2"], unit_total_tolerance=2.5e-5)


def test_ffn_cityscapes_where_the_released_sine_is_right(reference: Path) -> None:
    model, golden = load(reference, "ffn_cityscapes")
    canvas = cw.trace(cw.INR.from_coords(model, (128, 256)))
    for key in ("net.0", "net.1", "net.2"):
        maps = canvas.maps(key, golden[f"{key}/units"])
        assert_close(maps[:, 64:], golden[f"{key}/maps"][:, 64:])
        assert_close(canvas.summary(key, rgb="sum").pixel_abs[64:], golden[f"{key}/pixel_total_abs"][64:])
    each = canvas.maps("net.2", golden["net.2/units"], rgb="each").transpose(0, 3, 1, 2)
    assert_close(each[:, :, 64:], golden["net.2/rgb_maps"][:, :, 64:])
    # Everywhere else the released error of 1.5e-4 in a feature stays that small.
    for key in ("net.0", "net.1", "net.2"):
        maps = canvas.maps(key, golden[f"{key}/units"])
        assert np.abs(maps - golden[f"{key}/maps"]).max() < 3e-4
        assert canvas.check().all_hold
