"""Gates of pointwise functions: exact near 0, refused where there is none, and the same on any number of threads."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import canvaswidget as cw
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.rules.gated.gates import Pointwise, gate
from tests.tracing.pointwise import Net
from tests.zoo import build

Function = Callable[[Any], Any]
# A function and ``act(z) - act(0)`` without cancellation, by other formulas.
DIFFERENCES: dict[str, tuple[Function, Function]] = {
    "sigmoid": (torch.sigmoid, lambda z: np.tanh(z / 2) / 2),
    "sigmoid_by_hand": (lambda z: 1 / (1 + torch.exp(-z)), lambda z: np.tanh(z / 2) / 2),
    "centred_sigmoid": (lambda z: torch.sigmoid(z) - 0.5, lambda z: np.tanh(z / 2) / 2),
    "cos": (torch.cos, lambda z: -2 * np.sin(z / 2) ** 2),
    "sin": (torch.sin, np.sin),
    "tanh": (torch.tanh, np.tanh),
    "exp": (torch.exp, np.expm1),
    "gauss": (lambda z: torch.exp(-(z**2)), lambda z: np.expm1(-(z**2))),
    "gabor": (
        lambda z: torch.cos(z) * torch.exp(-(z**2)),
        lambda z: -2 * np.sin(z / 2) ** 2 * np.exp(-(z**2)) + np.expm1(-(z**2)),
    ),
    "softplus_by_hand": (
        lambda z: torch.log(1 + torch.exp(z)),
        lambda z: np.log1p(np.expm1(z) / 2),
    ),
    "softsign": (lambda z: z / (1 + z.abs()), lambda z: z / (1 + np.abs(z))),
    "root": (lambda z: (1 + z * z).sqrt(), lambda z: z * z / (np.sqrt(1 + z * z) + 1)),
    "relu": (torch.relu, lambda z: np.maximum(z, 0)),
    "shifted_abs": (lambda z: (z.abs() + 3) * 2, lambda z: 2 * np.abs(z)),
}
MAGNITUDES = np.concatenate([np.logspace(-30, 3, 133), [1e-3, 5e-3, 1e-7]])


def pointwise(function: Function, example: torch.Tensor) -> Pointwise:
    graph = make_fx(function)(example).graph
    ops = [node for node in graph.nodes if node.op == "call_function"]
    return Pointwise(next(iter(graph.nodes)), tuple(ops))


def sharpened(function: Function, by: float) -> Function:
    return lambda z: function(by * z)


def complex_gabor(omega: float, scale: float) -> Function:
    return lambda z: torch.exp(1j * omega * z - (scale * z).abs().square())


def test_a_gate_equals_the_formula_at_every_magnitude() -> None:
    for name, (function, difference) in DIFFERENCES.items():
        for sharpness in (1.0, 30.0, 1000.0):
            for dtype in (torch.float32, torch.float64):
                z = torch.tensor(np.concatenate([-MAGNITUDES, [0.0], MAGNITUDES]), dtype=dtype)
                act = sharpened(function, sharpness)
                values = act(z)
                found, start = gate(pointwise(act, z), z, {})
                usable = torch.isfinite(values)
                assert torch.isfinite(found[usable]).all(), name
                eps = torch.finfo(dtype).eps
                off = (found * z + start - values).abs() / (1 + values.abs())
                assert off[usable].max() < 16 * eps, (name, sharpness, dtype)
                wide = z.double().numpy()
                with np.errstate(all="ignore"):
                    exact = difference(sharpness * wide) / wide
                known = usable.numpy() & (wide != 0)
                # The function itself rounds its argument: by eps s z, which is eps s of the quotient.
                error = np.abs(found.double().numpy() - exact)[known]
                limit = 128 * eps * (sharpness + np.abs(exact[known]))
                assert (error < limit).all(), (name, sharpness, dtype, wide[known][np.argmax(error / limit)])


def test_a_complex_gate_equals_the_formula() -> None:
    def expm1(z: np.ndarray) -> np.ndarray:
        real = np.expm1(z.real) * np.cos(z.imag) - 2 * np.sin(z.imag / 2) ** 2
        return real + 1j * np.exp(z.real) * np.sin(z.imag)

    magnitudes = np.logspace(-30, 0, 121)
    turned = [magnitudes * np.exp(1j * angle) for angle in (0.0, 0.3, 1.7, 3.1, -1.2)]
    for omega, scale in ((4.0, 2.0), (20.0, 30.0)):
        for dtype in (torch.complex64, torch.complex128):
            z = torch.tensor(np.concatenate([[0.0], *turned]), dtype=dtype)
            act = complex_gabor(omega, scale)
            found, start = gate(pointwise(act, z), z, {})
            eps = torch.finfo(dtype).eps
            assert (found * z + start - act(z)).abs().max() < 32 * eps
            wide = z.to(torch.complex128).numpy()[1:]
            exact = expm1(1j * omega * wide - np.abs(scale * wide) ** 2) / wide
            assert np.abs(found.to(torch.complex128).numpy()[1:] - exact).max() < 100 * eps * (omega + scale)
            assert abs(complex(found[0]) - 1j * omega) < 100 * eps * omega


def test_a_step_at_zero_counts_as_a_constant() -> None:
    z = torch.tensor([-1e-45, 0.0, 1e-45, 2.0])
    found, start = gate(pointwise(torch.sign, z), z, {})
    assert torch.equal(found * z + start, torch.sign(z))
    found, start = gate(pointwise(lambda z: z.abs().sqrt(), z), z, {})
    assert torch.allclose(found * z + start, z.abs().sqrt())


def divides(canvas: cw.Canvas, close: float = 1e-5) -> None:
    """Rows and columns are of one matrix, and add up to the image."""
    height, width = canvas.inr.size
    for layer in canvas.traced_layers:
        neurons = all_neurons(layer, "kernel")
        maps = canvas.maps(layer, neurons, rgb="each")
        scale = max(1.0, float(np.abs(maps).max()))
        total = maps.sum(0) + canvas.remainder(layer)
        if not canvas.coverage().of("opaque"):
            np.testing.assert_allclose(total, canvas.frame(), atol=close * scale)
        for y, x in ((0, 0), (height - 1, width // 2)):
            column = canvas.pixel(y, x, layers=layer, granularity="kernel", rgb="each")[layer.name]
            np.testing.assert_allclose(column.reshape(-1, 3), maps[:, y, x], atol=close * scale)


@pytest.mark.parametrize(
    ("function", "culprit"),
    [
        (lambda z: z.abs().log(), "log"),
        (lambda z: 1 / z, "reciprocal"),
        (lambda z: (z * z).rsqrt(), "rsqrt"),
        (lambda z: z**-2, "pow"),
        (lambda z: torch.sin(z).abs().log2().nan_to_num(0.0), "log2"),
    ],
)
def test_a_function_that_is_infinite_at_zero_is_opaque(function: Function, culprit: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Net(function).double(), (4, 5)), "gated")
    assert [op.name for op in canvas.coverage().of("opaque")] == [culprit]
    with pytest.raises(cw.UntraceableError, match=f"opaque op '{culprit}'"):
        canvas.map("a", 0)
    assert np.isfinite(canvas.remainder("b")).all()
    assert canvas.check().all_hold
    divides(canvas)


def test_a_function_without_a_derivative_is_opaque() -> None:
    """Not an error when an answer is asked: an ablation's neurons are ranked by the layers that `gated` follows."""
    canvas = cw.trace(
        cw.INR.from_coords(Net(lambda z: torch.sin(torch.remainder(1.0, z * z + 1.3))), (4, 5)), "gated"
    )
    assert [op.name for op in canvas.coverage().of("opaque")] == ["remainder"]
    assert [layer.name for layer in canvas.traced_layers] == ["b", "c"]
    assert canvas.check().all_hold
    divides(canvas)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z * z.abs().log(),
        lambda z: torch.exp(-1 / (z * z)),
        lambda z: torch.cos(1000 * z),
        lambda z: z + (z.round() - z).detach(),
        lambda z: torch.relu(z).detach() + z,
        lambda z: z * torch.sigmoid(z).detach(),
        lambda z: z // 0.3,
        lambda z: torch.floor_divide(z, torch.tensor(0.3)).sin(),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_function_with_a_gate_divides_the_image(function: Function, dtype: torch.dtype) -> None:
    canvas = cw.trace(cw.INR.from_coords(Net(function).to(dtype), (4, 5)), "gated")
    assert not canvas.coverage().of("opaque")
    divides(canvas)


def test_columns_do_not_take_over_the_rounding_of_steep_gates() -> None:
    """``act(0)`` is a million times the image: what the last layer works on is not put together from its parts."""
    canvas = cw.trace(cw.INR.from_coords(Net(lambda z: torch.rsqrt(z * z + 1e-12)), (4, 5)), "gated")
    for layer in ("b", "c"):
        maps = canvas.maps(layer, range(5), rgb="each")
        column = canvas.pixel(1, 2, layers=layer, rgb="each")[layer]
        np.testing.assert_allclose(column[:5], maps[:, 1, 2], rtol=1e-4, atol=1e-6)


def test_an_infinite_factor_that_is_not_chosen_takes_no_part() -> None:
    net = Net(lambda z: torch.where(z == 0, 0.0, z * z.abs().log()))
    with torch.no_grad():
        net.a.bias.zero_()
    canvas = cw.trace(cw.INR.from_coords(net.double(), (5, 5)), "gated")  # 0 at the pixel in the middle
    column = canvas.pixel(2, 2, layers="a", rgb="each")["a"]
    np.testing.assert_allclose(column, canvas.maps("a", [0, 1], rgb="each")[:, 2, 2], atol=1e-6)
    assert np.isfinite(canvas.remainder("a")).all()


MASK = torch.tensor([True, False, False, True, False, False])
INFINITE: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "softmax_by_hand": lambda h, z: (
        (e := torch.exp(z.masked_fill(MASK, -torch.inf))) / e.sum(-1, keepdim=True) * h
    ),
    "causal_attention": lambda h, z: (
        (e := torch.exp((z @ h.T).masked_fill(torch.ones(20, 20).triu(1).bool(), -torch.inf)))
        / e.sum(-1, keepdim=True)
        @ h
    ),
    "exp_of_where": lambda h, z: torch.exp(torch.where(MASK, -torch.inf, z)),
    "exp_with_added_mask": lambda h, z: torch.exp(z + torch.zeros(6).masked_fill(MASK, -torch.inf)),
    "sigmoid": lambda h, z: torch.sigmoid(z.masked_fill(MASK, -torch.inf)),
    "tanh": lambda h, z: torch.tanh(z.masked_fill(MASK, torch.inf)) * h,
    "smallest_number": lambda h, z: torch.exp(z.masked_fill(MASK, torch.finfo(torch.float32).min)),
    "quotient_by_infinity": lambda h, z: h * z / torch.where(h > 0.1, torch.inf, 1 + h * h),
    "quotient_by_0_not_chosen": lambda h, z: torch.where(h > 0.1, h * z / torch.relu(h - 0.1), h),
    "quotient_by_0_clamped": lambda h, z: torch.tanh(h * z / torch.relu(h - 0.1).clamp_max(1)).nan_to_num(0),
    "root_not_chosen": lambda h, z: torch.where(z > 0.2, torch.sqrt(z - 0.2), z),
    "smaller_than_infinity": lambda h, z: torch.minimum(z.masked_fill(MASK, torch.inf), h),
}


class InfiniteBetween(nn.Module):
    """Values between two layers are infinite, and the image is finite."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(2 * self.a(x))
        if self.name == "layer_of_infinities":
            chosen = h[:, :1] > 0
            return self.c(torch.where(chosen, self.b(h.masked_fill(~chosen, -torch.inf)), h))
        return self.c(INFINITE[self.name](h, self.b(h)))


@pytest.mark.parametrize("name", [*INFINITE, "layer_of_infinities"])
def test_infinite_values_that_the_image_takes_nothing_from_make_no_nan(name: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(InfiniteBetween(name), (4, 5)), "gated")
    assert [layer.name for layer in canvas.traced_layers] == ["a", "b", "c"]
    assert canvas.check().all_hold
    divides(canvas)
    for layer in canvas.traced_layers:
        assert np.isfinite(canvas.region(np.ones((4, 5)), layers=layer)[layer.name]).all()
        assert np.isfinite(canvas.summary(layer).neuron_abs).all()
    assert np.isfinite([one.share for one in canvas.top(1, 2)]).all()


def test_a_gate_at_infinity_is_a_constant() -> None:
    z = torch.tensor([-torch.inf, -1.0, 0.0, torch.inf])
    for function in (torch.exp, torch.sigmoid, torch.tanh, torch.relu):
        found, start = gate(pointwise(function, z), z, {})
        usable = torch.isfinite(function(z))
        assert torch.isfinite(found).all()
        total = torch.where(torch.isfinite(z), found * z, 0) + start
        assert torch.allclose(total[usable], function(z)[usable])


@pytest.mark.parametrize(
    "norm",
    [
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        nn.InstanceNorm2d(4, affine=False, track_running_stats=True),
        nn.InstanceNorm2d(4, affine=True),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.GroupNorm(2, 4),
    ],
)
def test_a_norm_divides_the_image(norm: nn.Module) -> None:
    torch.manual_seed(1)
    for values in (*norm.parameters(), *norm.buffers()):
        if values.is_floating_point():
            nn.init.uniform_(values, 0.5, 2.0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), norm, nn.ReLU(), nn.Conv2d(4, 3, 1)).double().eval()
    grid = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    canvas = cw.trace(cw.INR(net, lambda frame: grid, (4, 5)), "gated")
    assert len(canvas.traced_layers) == 2
    divides(canvas)


# --- threads ------------------------------------------------------------------------------------------------------


def test_no_warning_of_torch_reaches_the_user() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "rule 'gated', layer a: .*the residual is what ends in cumprod")
        for kind in ("hnerv", "wire", "opaque"):
            for rule in ("gated", "ablation"):
                canvas = cw.trace(build(kind, 0), rule)
                for layer in canvas.traced_layers:
                    canvas.summary(layer)
                    canvas.pixel(0, 0, layers=layer)
