"""The quantiser, and copies of models on its grids."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.models import FFN, load_weights
from tests.canvases import image, video
from tests.zoo import build

SIZE = (5, 6)


def on_grid(weight: np.ndarray, bits: int) -> np.ndarray:
    """The quantiser in plain NumPy, of one grid."""
    low, high = weight.min(), weight.max()
    if low == high:
        return weight
    step = (high - low) / (2**bits - 1)
    return low + step * np.round((weight - low) / step)


def linear(weight: Any, bias: bool = False) -> cw.INR:
    """An image of one linear layer with these weights."""
    values = torch.as_tensor(weight)
    module = nn.Linear(values.shape[1], values.shape[0], bias, dtype=values.dtype)
    module.weight.data = values.clone()
    return cw.INR.from_coords(module, SIZE)


def weight_of(inr: cw.INR) -> np.ndarray:
    return next(inr.module.parameters()).detach().numpy()


# --- the values -------------------------------------------------------------------------------------------------


def test_weights_on_the_grid_stay() -> None:
    step, low = 2.0**-4, -0.5
    grid = low + step * np.array([[0, 15], [3, 8], [11, 5]], np.float32)
    np.testing.assert_array_equal(weight_of(cw.quantise(linear(grid), 4)), grid)
    coarser = weight_of(cw.quantise(linear(grid), 3))
    assert not np.array_equal(coarser, grid)
    np.testing.assert_array_equal(weight_of(cw.quantise(linear(grid), 16)), grid)


def test_by_hand() -> None:
    weight = np.array([[0.0, 0.25], [0.4, 0.9], [-0.3, 0.61]], np.float32)
    # From -0.3 to 0.9 in three steps of 0.4: -0.3, 0.1, 0.5, 0.9.
    expected = [[0.1, 0.1], [0.5, 0.9], [-0.3, 0.5]]
    np.testing.assert_allclose(weight_of(cw.quantise(linear(weight), 2)), expected, atol=1e-6)
    # Two weights a channel are both ends of its grid.
    np.testing.assert_allclose(weight_of(cw.quantise(linear(weight), 2, "per-channel")), weight, atol=1e-7)
    # One bit: the nearer of the least and the largest.
    expected = [[-0.3, -0.3], [0.9, 0.9], [-0.3, 0.9]]
    np.testing.assert_allclose(weight_of(cw.quantise(linear(weight), 1)), expected, atol=1e-6)


@pytest.mark.parametrize("bits", [2, 4, 7])
def test_uniform_weights_have_the_error_of_a_uniform_quantiser(bits: int) -> None:
    """Mean squared error of ``step**2 / 12`` (Bennett 1948)."""
    weight = np.random.default_rng(bits).random((3, 20_000)) - 0.3
    module = nn.Linear(20_000, 3, bias=False).double()
    module.weight.data = torch.from_numpy(weight)
    inr = cw.INR(module, lambda frame: torch.zeros(6, 20_000, dtype=torch.float64), (2, 3))
    error = weight_of(cw.quantise(inr, bits)) - weight
    step = np.ptp(weight) / (2**bits - 1)
    assert (error**2).mean() == pytest.approx(step**2 / 12, rel=0.02)
    assert np.abs(error).max() <= step / 2 * (1 + 1e-9)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from(["per-tensor", "per-channel"]))
def test_as_in_plain_numpy(seed: int, bits: int, scheme: str) -> None:
    weight = np.random.default_rng(seed).normal(size=(3, 2)) * 10.0 ** (seed % 5 - 2)
    found = weight_of(cw.quantise(linear(weight), bits, scheme))
    rows = [weight] if scheme == "per-tensor" else list(weight)
    np.testing.assert_allclose(
        found, np.concatenate([np.atleast_2d(on_grid(row, bits)) for row in rows]), atol=1e-12, rtol=1e-9
    )
    again = weight_of(cw.quantise(linear(found), bits, scheme))
    np.testing.assert_allclose(again, found, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.37, -1e-30])
def test_equal_weights_stay(value: float) -> None:
    weight = np.full((3, 2), value, np.float32)
    for scheme in ("per-tensor", "per-channel"):
        for bits in (1, 8):
            np.testing.assert_array_equal(weight_of(cw.quantise(linear(weight), bits, scheme)), weight)


class Product(nn.Module):
    """Weights ``(n_in, n_out)``, as ``x @ w`` takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 6), nn.Linear(5, 3)
        self.weight = nn.Parameter(torch.randn(6, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(torch.relu(self.first(x)) @ self.weight))


@pytest.mark.parametrize(
    ("first", "axis"),
    [
        (lambda: nn.Conv2d(6, 4, 3, padding=1, groups=2), 0),
        (lambda: nn.Conv2d(6, 4, 1), 0),
        (lambda: nn.ConvTranspose2d(6, 4, 3, padding=1), 1),
        (Product, 1),
    ],
    ids=["grouped", "convolution", "transposed", "product"],
)
def test_the_axis_of_output_channels(first: Any, axis: int) -> None:
    torch.manual_seed(0)
    module = first()
    if isinstance(module, Product):
        inr, own = cw.INR.from_coords(module, SIZE), module.weight
    else:
        inr = cw.INR(nn.Sequential(module, nn.Conv2d(4, 3, 1)), lambda frame: torch.ones(1, 6, 3, 4), (3, 4))
        own = module.weight
    made = cw.quantise(inr, 2, "per-channel").module
    changed = (made if isinstance(module, Product) else made[0]).weight.detach().numpy()
    before = own.detach().numpy()
    assert np.abs(changed - before).max() > 0.01
    for found, own_before in zip(np.moveaxis(changed, axis, 0), np.moveaxis(before, axis, 0), strict=True):
        np.testing.assert_allclose(found, on_grid(own_before, 2), atol=1e-6)


def test_a_grouped_transposed_convolution() -> None:
    """Its weight is ``(n_in, n_out / n_groups, ...)``: output ``o`` has column ``o % 2`` of its group's rows."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2), nn.Conv2d(4, 3, 1))
    inr = cw.INR(module, lambda frame: torch.ones(1, 6, 3, 4), (6, 8))
    before = module[0].weight.detach().numpy()
    after = cw.quantise(inr, 2, "per-channel").module[0].weight.detach().numpy()
    for output in range(4):
        rows = slice(3 * (output // 2), 3 * (output // 2) + 3)
        np.testing.assert_allclose(after[rows, output % 2], on_grid(before[rows, output % 2], 2), atol=1e-7)


def test_complex_weights_have_one_grid_for_both_parts() -> None:
    inr = build("wire", 1)
    before = {name: value.detach() for name, value in inr.module.named_parameters()}
    made = cw.quantise(inr, 2)
    changed = {name: value.detach() for name, value in made.module.named_parameters()}
    complex_ones = [name for name, value in before.items() if value.is_complex() and value.ndim > 1]
    assert complex_ones
    for name in complex_ones:
        parts = torch.view_as_real(before[name].resolve_conj()).numpy()
        np.testing.assert_allclose(torch.view_as_real(changed[name]).numpy(), on_grid(parts, 2), atol=1e-12)


# --- the copy -----------------------------------------------------------------------------------------------------


def test_the_model_itself_and_all_but_the_weights_stay() -> None:
    inr = video()
    inr.module.train()
    before = copy.deepcopy(inr.module.state_dict())
    made = cw.quantise(inr, 4)
    assert all(torch.equal(value, before[name]) for name, value in inr.module.state_dict().items())
    assert inr.module.training
    changed = {
        name for name, value in made.module.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {name for name in before if name.endswith(".weight")}
    assert all(parameter.requires_grad for parameter in made.module.parameters())
    assert made.truth is inr.truth
    assert made.frame(2).shape == inr.frame(2).shape


def test_some_layers_by_name() -> None:
    inr = image()
    canvas = cw.trace(inr, "gated", device="cpu")
    made = cw.quantise(inr, {"net.1": 2, canvas.layers["net.2"]: 5}, canvas=canvas)
    counts = [len(np.unique(layer.linear.weight.detach())) for layer in made.module.net]
    assert counts[0] > 32
    assert counts[1] == 4
    assert counts[2] <= 32
    # The matrix of Fourier features is a buffer: it stays unless it is named.
    features = inr.module.positional_encoding.B
    assert torch.equal(cw.quantise(inr, 2).module.positional_encoding.B, features)
    named = cw.quantise(inr, {"positional_encoding": 2})
    assert len(named.module.positional_encoding.B.unique()) == 4


def test_a_compiled_module() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    inr = cw.INR.from_coords(module, SIZE)
    compiled = cw.INR(torch.compile(module), inr.inputs, SIZE)  # type: ignore[arg-type]
    made = cw.quantise(compiled, 2)
    np.testing.assert_array_equal(made.frame(0), cw.quantise(inr, 2).frame(0))


def test_another_model_of_the_same_build() -> None:
    one, other = image(), image()
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter += 0.5
    canvas = cw.trace(one, "gated", device="cpu")
    found = cw.quantise(other.module, 3, canvas=canvas)
    np.testing.assert_array_equal(found.frame(0), cw.quantise(other, 3).frame(0))
    with pytest.raises(ValueError, match=r"inr=Linear: has no parameter 'net\.0"):
        cw.quantise(linear(np.eye(3, 2)), 3, canvas=canvas)
    with torch.no_grad():
        other.module.net[0].linear.weight[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"inr=FFN: its weight 'net\.0\.linear\.weight' holds NaN"):
        cw.quantise(other, 3, canvas=canvas)


def test_it_agrees_with_the_reader_of_quantised_checkpoints(tmp_path: Path) -> None:
    """To the bit: what HNeRV's code stores of a tensor is read as the values of `quantise`."""
    torch.manual_seed(3)
    inr = cw.as_inr(FFN(hidden=9, size=SIZE))
    stored: dict[str, Any] = dict(inr.module.state_dict())
    for name in [name for name in stored if name.endswith("weight")]:
        weight = stored[name]
        low, scale = weight.min(), (weight.max() - weight.min()) / (2**6 - 1)
        symbols = ((weight - low) / scale).round().clamp(0, 2**6 - 1)
        stored[name] = {"quant": symbols.to(torch.uint8), "min": low, "scale": scale}
    torch.save({"model": stored}, tmp_path / "q.pt")
    read, made = load_weights(tmp_path / "q.pt"), cw.quantise(inr, 6).module.state_dict()
    assert read.keys() == made.keys()
    assert all(torch.equal(read[name], made[name]) for name in made)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_keep_their_type(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3)).to(dtype)
    made = cw.quantise(cw.INR.from_coords(module, SIZE), 3)
    for before, after in zip(module.parameters(), made.module.parameters(), strict=True):
        assert after.dtype == dtype
        if after.ndim > 1:
            expected = on_grid(before.detach().double().numpy(), 3)
            room = max(torch.finfo(dtype).eps, 1e-7) * np.abs(expected).max()
            np.testing.assert_allclose(after.detach().double().numpy(), expected, atol=room)
            assert len(after.unique()) <= 8


# --- what can't be quantised --------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.again = nn.Linear(4, 4)
        self.again.weight = self.middle.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.middle(torch.relu(self.first(x))))
        return self.last(torch.relu(self.again(x)))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: build("weight_norm", 0), r"layer='first'.*_weight_norm"),
        (lambda: build("quantised_and_masked", 0), r"layer='conv'.*made"),
        (lambda: cw.INR.from_coords(Tied(), SIZE), r"layer='middle'.*2 places"),
    ],
    ids=["weight norm", "rounded in the forward", "tied"],
)
def test_a_weight_that_is_no_plain_parameter(make: Any, why: str) -> None:
    inr = make()
    with pytest.raises(cw.UntraceableError, match=why):
        cw.quantise(inr, 4)


def test_the_other_layers_of_such_a_model() -> None:
    made = cw.quantise(cw.INR.from_coords(Tied(), SIZE), {"last": 1})
    assert len(made.module.last.weight.unique()) == 2
    assert made.module.again.weight is made.module.middle.weight


def test_mistakes() -> None:
    inr = image()
    with pytest.raises(ValueError, match=r"bits=0: expected an int of at least 1"):
        cw.quantise(inr, 0)
    with pytest.raises(ValueError, match=r"bits=17: expected an int of at least 1 of at most 16"):
        cw.quantise(inr, 17)
    with pytest.raises(TypeError, match=r"bits='4': expected an int from 1 to 16, or \{layer: int\}"):
        cw.quantise(inr, "4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"bits\['net.1'\]=0"):
        cw.quantise(inr, {"net.1": 0})
    with pytest.raises(KeyError, match=r"layer='nett\.1'.*did you mean 'net\.1"):
        cw.quantise(inr, {"nett.1": 4})
    with pytest.raises(ValueError, match="scheme='channel': expected one of 'per-tensor', 'per-channel'"):
        cw.quantise(inr, 4, "channel")
    with torch.no_grad():
        inr.module.net[0].linear.weight[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        cw.quantise(inr, 4)
