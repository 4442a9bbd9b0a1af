"""What quantised weights cost: by hand, against copies of the model, and in what the results say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis import quantisation, quantisation_loss
from tests.canvases import image, video
from tests.zoo import build

SIZE = (4, 6)


def affine(weight: np.ndarray, bias: float = 0.5) -> cw.INR:
    """An image of one linear layer of the coordinates ``(y, x)`` in [-1, 1]."""
    module = nn.Linear(2, len(weight)).double()
    module.weight.data, module.bias.data = torch.from_numpy(weight), torch.full((len(weight),), bias).double()
    return cw.INR.from_coords(module, SIZE)


def coordinates() -> np.ndarray:
    y, x = np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1])
    return np.stack(np.meshgrid(y, x, indexing="ij"), -1)


def db(error: float) -> float:
    return -10 * math.log10(error)


# --- by hand ------------------------------------------------------------------------------------------------------


def test_the_error_of_an_image_of_one_layer() -> None:
    weight = np.array([[0.0, 0.05], [0.1, 0.24], [-0.06, 0.14]])
    # From -0.06 to 0.24 in three steps of 0.1: -0.06, 0.04, 0.14, 0.24.
    changed = np.array([[0.04, 0.04], [0.14, 0.24], [-0.06, 0.14]])
    error = coordinates() @ (changed - weight).T  # (h, w, 3); nothing is clipped
    canvas = cw.trace(affine(weight), "gated", device="cpu")
    found = quantisation(canvas, [2], channels=3, pixels=24)
    np.testing.assert_allclose(found.errors[0], error, atol=1e-6)
    assert found.joint_error[0, 0] == pytest.approx((error**2).mean(), rel=1e-4)
    assert found.joint_psnr[0] == pytest.approx(db((error**2).mean()), abs=1e-3)
    assert found.layer_error[0, 0, 0] == found.joint_error[0, 0]
    assert found.gap[0] == 0
    assert found.model_psnr == math.inf
    # A channel alone: its error on one of three colours.
    (name,) = found.channels
    order = found.channels[name]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(
        found.channel_error[name][0, :, 0], (error**2).mean((0, 1))[order] / 3, rtol=1e-4, atol=1e-12
    )
    np.testing.assert_allclose(found.channel_error[name].sum(1), found.joint_error, rtol=1e-5)
    # Kernel (i, o) shows W[o, i] c_i in one of three colours; a weight of 0 has no map, so its error no prediction.
    mean = (coordinates() ** 2).mean((0, 1)) / 3
    expected = (((changed - weight) * (weight != 0)) ** 2 * mean).sum(1)
    np.testing.assert_allclose(found.predicted_channels[name][0], expected[order], rtol=1e-4, atol=1e-12)
    assert found.predicted[0, 0] == pytest.approx(expected.sum(), rel=1e-4)
    assert found.pixels is None  # fewer than were asked for
    lost = quantisation_loss(canvas, 2)
    np.testing.assert_allclose(lost.error, error, atol=1e-6)
    np.testing.assert_allclose(lost.squared, (error**2).mean(-1), atol=1e-7)
    assert lost.psnr == pytest.approx(db((error**2).mean()), abs=1e-3)


def test_weights_on_the_grid_lose_nothing() -> None:
    weight = 2.0**-5 * np.array([[0, 3], [1, 2], [3, 0]])
    found = quantisation(cw.trace(affine(weight), "gated", device="cpu"), [2, 1])
    assert found.joint_psnr[0] == math.inf
    assert found.joint_error[1, 0] > 0
    assert found.numbers()["psnr_2_bits"] == 60
    assert np.isfinite(list(found.numbers().values())[:2]).all()
    assert isinstance(found.plot(), Axes)


class Opposite(nn.Module):
    """The sum of two layers with equal weights, with a sign between: equal errors cancel, or add up."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.one, self.two, self.sign = nn.Linear(2, 3, False), nn.Linear(2, 3, False), sign
        torch.manual_seed(0)
        self.one.weight.data.uniform_(0, 0.1)
        self.two.weight.data.copy_(self.one.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 + self.one(x) + self.sign * self.two(x)


@pytest.mark.parametrize(("sign", "ratio"), [(-1.0, 0.0), (1.0, 2.0)])
def test_the_gap_of_errors_that_are_not_independent(sign: float, ratio: float) -> None:
    """Equal errors: together ``(1 + sign)**2`` of one, the sum 2 of one."""
    canvas = cw.trace(cw.INR.from_coords(Opposite(sign), SIZE), "gated", device="cpu")
    found = quantisation(canvas, [3], channels=0)
    assert found.summed_loss[0] == pytest.approx(2 * found.layer_loss[0, 0])
    assert found.joint_loss[0] == pytest.approx(ratio * found.summed_loss[0], abs=1e-9, rel=1e-3)
    assert found.gap[0] == pytest.approx((ratio - 1) * found.summed_loss[0], rel=1e-3)
    if ratio:
        assert found.summed_psnr[0] - found.joint_psnr[0] == pytest.approx(10 * math.log10(2), abs=1e-2)


# --- against copies of the model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel"])
def test_each_is_what_a_quantised_copy_shows(scheme: str) -> None:
    inr = video()
    canvas = cw.trace(inr, "xinc", device="cpu")
    found = quantisation(canvas, (5, 2), scheme, frames=[1, 4], against="truth", channels=0)
    assert inr.truth is not None
    for row, bits in enumerate((5, 2)):
        copies = [cw.quantise(inr, {layer: bits}, scheme, canvas=canvas) for layer in found.layers]
        copies.append(cw.quantise(inr, bits, scheme, canvas=canvas))
        errors = [*found.layer_error[row], found.joint_error[row]]
        for made, error in zip(copies, errors, strict=True):
            for time, frame in enumerate((1, 4)):
                expected = np.mean((made.frame(frame).clip(0, 1).astype(float) - inr.truth[frame]) ** 2)
                assert error[time] == pytest.approx(expected, rel=1e-4)
    expected = np.mean([db(one) for one in found.joint_error[1]])
    assert found.joint_psnr[1] == pytest.approx(expected)
    model = [np.mean((inr.frame(t).clip(0, 1).astype(float) - inr.truth[t]) ** 2) for t in (1, 4)]
    np.testing.assert_allclose(found.model_error, model, rtol=1e-4)
    np.testing.assert_allclose(found.joint_loss, (found.joint_error - found.model_error).mean(1))


@pytest.mark.parametrize("kind", ["grouped_convolution", "transposed_convolution", "wire", "matmul"])
def test_every_kind_of_layer(kind: str) -> None:
    inr = build(kind, 1)
    canvas = cw.trace(inr, "gated", device="cpu")
    found = quantisation(canvas, [3], "per-channel", frames=[0], channels=2)
    for column, layer in enumerate(found.layers):
        made = cw.quantise(inr, {layer: 3}, "per-channel", canvas=canvas)
        expected = made.frame(0).clip(0, 1) - inr.frame(0).clip(0, 1)
        assert found.layer_error[0, column, 0] == pytest.approx(np.mean(expected**2), rel=1e-2, abs=1e-12)
        outputs, errors = found.channels[layer.name], found.channel_error[layer.name]
        assert errors.shape == (1, len(outputs), 1)
        assert len(set(outputs.tolist())) == len(outputs) == min(2, layer.n_outputs)


def test_half_precision_is_rounded_as_the_module_stores_it() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3)).to(torch.bfloat16)
    inr = cw.INR.from_coords(module, SIZE)
    canvas = cw.trace(inr, "gated", device="cpu")
    lost = quantisation_loss(canvas, 5)
    copied = cw.trace(cw.quantise(inr, 5), "gated", device="cpu")
    np.testing.assert_allclose(lost.picture, copied.frame(0), atol=1e-5)


def test_channels_are_drawn_by_the_seed() -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    one, two, other = (quantisation(canvas, [4], channels=3, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one.channels[name], two.channels[name]) for name in one.channels)
    assert any(not np.array_equal(one.channels[name], other.channels[name]) for name in one.channels)
    np.testing.assert_array_equal(one.joint_error, other.joint_error)


# --- predictions ----------------------------------------------------------------------------------------------------


def test_rank_correlations_are_spearmans() -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    found = quantisation(canvas, (6, 3), channels=10)
    for row in range(2):
        expected = spearmanr(found.layer_loss[row], found.predicted[row])[0]
        assert found.correlation[row] == pytest.approx(expected)
        loss = found.channel_error["net.1.linear"][row, :, 0]
        predicted = found.predicted_channels["net.1.linear"][row]
        interval = found.channel_correlations["net.1.linear"][row]
        assert interval.value == pytest.approx(spearmanr(loss, predicted)[0])
        assert interval.low == interval.high == interval.value  # all ten were measured
    assert found.numbers()["correlation_6_bits"] == found.correlation[0]


def test_under_gated_the_prediction_is_the_squared_error_of_independent_errors() -> None:
    """A wide linear network: its gates always hold, and many errors add as if independent."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 300), nn.Linear(300, 3))
    module[1].weight.data.mul_(0.2)
    module[1].bias.data.fill_(0.5)
    canvas = cw.trace(cw.INR.from_coords(module, SIZE), "gated", device="cpu")
    found = quantisation(canvas, [6], layers=["1"], channels=0, pixels=24)
    assert found.predicted[0, 0] == pytest.approx(found.layer_loss[0, 0], rel=0.5)
    few = quantisation(canvas, [6], layers=["1"], channels=0, pixels=12)
    assert few.pixels == 12
    assert few.predicted[0, 0] == pytest.approx(found.predicted[0, 0], rel=0.3)
    assert few.predicted[0, 0] != found.predicted[0, 0]
    assert "12 random pixels a frame" in repr(few)


def test_nothing_is_predicted_unless_it_is_asked_for() -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    told: list[int] = []
    found = quantisation(canvas, [4], channels=2, predict=False, progress=lambda done, _: told.append(done))
    assert told[-1] == 1 + 3 * (1 + 2)
    assert np.isnan(found.predicted).all()
    assert np.isnan(found.correlation).all()
    assert "rank correlation," not in repr(found).partition("\nPSNR")[0]


def test_a_sample_of_channels_has_an_interval() -> None:
    canvas = cw.trace(video(), "xinc", device="cpu")
    found = quantisation(canvas, [4], channels=12, frames=[0])
    name = "decoder.1.conv.upconv.0"
    interval = found.channel_correlations[name][0]
    assert interval.n == 12 < interval.n_all
    assert interval.low < interval.value < interval.high
    # The stem has no contributions under xinc.
    stem = [layer.name for layer in found.layers].index("decoder.0.conv.downconv")
    assert np.isnan(found.predicted[:, stem]).all()
    assert np.isfinite(np.delete(found.predicted, stem, 1)).all()
    assert math.isnan(found.channel_correlations["decoder.0.conv.downconv"][0].value)


def test_contributions_find_what_breaks_in_a_trained_network(reference: Path) -> None:
    """The energy of maps does, to a factor of about 3; with many bits the errors of layers are nearly independent."""
    inr = cw.as_inr(cw.models.load_model(reference / "nerv_bunny.safetensors"), 32)
    found = quantisation(cw.trace(inr, "gated", device="cpu"), [8, 4], frames=[8], channels=0)
    assert len(found.layers) == 5
    assert (found.correlation >= 0.9).all()
    assert (np.abs(np.log10(found.predicted / found.layer_loss)) < 0.6).all()
    assert found.joint_loss[0] / found.summed_loss[0] == pytest.approx(1, abs=0.2)


# --- what is left out, what is refused, what is said ----------------------------------------------------------------


def test_layers_that_cannot_be_quantised_are_left_out() -> None:
    canvas = cw.trace(build("quantised_and_masked", 0), "gated", device="cpu")
    with pytest.raises(cw.UntraceableError, match="layer='conv'.*made in the forward"):
        quantisation(canvas)
    with pytest.raises(cw.UntraceableError, match="layer='head'.*made in the forward"):
        quantisation(canvas, layers="head")
    with pytest.raises(cw.UntraceableError, match="layer='head'.*made in the forward"):
        quantisation_loss(canvas, {"head": 4})
    found = quantisation(cw.trace(image(), "gated", device="cpu"), [4], channels=0)
    assert [layer.name for layer in found.layers] == ["net.0.linear", "net.1.linear", "net.2.linear"]
    assert "buffer" in found.left_out["positional_encoding.matmul"]
    assert "positional_encoding.matmul is left out: its weight is a buffer" in repr(found)
    asked = quantisation(cw.trace(image(), "gated", device="cpu"), [4], layers=0, channels=0)
    assert asked.left_out == {}
    assert asked.joint_error[0, 0] > 0


def test_a_saved_canvas_has_no_weights_to_quantise(tmp_path: Path) -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    canvas.save(tmp_path / "saved.zarr", maps=1, progress=False)
    saved = cw.open(tmp_path / "saved.zarr")
    for refused in (
        lambda: quantisation(saved),
        lambda: quantisation_loss(saved),
        lambda: cw.analysis.rate_distortion(saved),
        lambda: cw.quantise(image(), 4, canvas=saved),
    ):
        with pytest.raises(cw.NotKeptError):
            refused()


def test_mistakes() -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    with pytest.raises(ValueError, match="bits=0: expected an int"):
        quantisation(canvas, [0])
    with pytest.raises(ValueError, match="bits=.*each once"):
        quantisation(canvas, [4, 4])
    with pytest.raises(ValueError, match="scheme='none': expected one of"):
        quantisation(canvas, scheme="none")
    with pytest.raises(ValueError, match="against='truth'"):
        quantisation(canvas, against="truth")
    with pytest.raises(ValueError, match="channels=-1"):
        quantisation(canvas, channels=-1)
    with pytest.raises(ValueError, match="layers: bits names layers already"):
        quantisation_loss(canvas, {"net.1": 4}, layers=["net.1"])
    with pytest.raises(IndexError, match="frame"):
        quantisation_loss(canvas, frame=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 5)])
def test_tiny_images_of_one_channel(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_coords(nn.Linear(2, 1), size), "gated", device="cpu")
    found = quantisation(canvas, [1, 3])
    assert found.errors.shape == (2, *size, 1)
    assert math.isnan(found.correlation[0])
    assert isinstance(found.plot_errors(), Figure)
    assert "rank correlation" not in repr(found).splitlines()[4]


def test_what_it_says() -> None:
    canvas = cw.trace(video(), "gated", device="cpu")
    told: list[tuple[int, int]] = []
    found = quantisation(canvas, (4, 1), channels=2, progress=lambda *now: told.append(now))
    assert told[-1][0] == told[-1][1]
    assert found.frames.tolist() == [0, 2, 3, 5]
    text = repr(found)
    assert "4 bits  1 bit" in text
    assert "all together" in text
    assert "n = 4 frames" in text
    assert "<table>" in found._repr_html_()
    assert len(found.plot_errors().axes) >= 2
    table = found.to_frame()
    assert len(table) == 2 * len(found.layers)
    assert table.psnr[0] == found.layer_psnr[0, 0]
    lost = quantisation_loss(canvas, {"head_layer": 3, "decoder.1": 2}, frame=-1)
    assert lost.bits == {"head_layer": 3, "decoder.1.conv.upconv.0": 2}
    assert lost.frame == 5
    assert "head_layer: 3" in repr(lost)
    assert isinstance(lost.plot(signed=False), Axes)
    assert "4 layers at 1 bit" in repr(quantisation_loss(canvas, 1))


def test_a_progress_function_may_stop_it() -> None:
    def stop(done: int, planned: int) -> None:
        if done > 3:
            raise StopIteration

    with pytest.raises(StopIteration):
        quantisation(cw.trace(image(), "gated", device="cpu"), progress=stop)
