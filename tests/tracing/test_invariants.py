"""`check()`: what it says of rounding, of half precision and of mistakes, asked for and by itself."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.rules.gated.rule import Gated
from tests.zoo import build

pytestmark = pytest.mark.slow


class Net(nn.Module):
    """Three layers that compute in half precision in one of the ways that people write it."""

    def __init__(self, how: str = "plain") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "autocast":
            with torch.autocast("cpu", torch.bfloat16):
                return self.hidden(x)
        if self.how == "cast":
            return self.hidden(x.float().to(self.a.weight.dtype)).float()
        return self.hidden(x)

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.sin(3 * self.a(x))
        if self.how == "inner":
            return self.c(torch.tanh(self.b(h).float()).to(h.dtype))
        return self.c(torch.tanh(self.b(h)))


class Cancelling(Net):
    """Hidden values of 1e5 that take each other off on the way to the image."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.b.weight[8:] = self.b.weight[:8]
            self.b.bias[8:] = self.b.bias[:8]
            self.c.weight[:, :8] = 1e5 + torch.rand(3, 8)
            self.c.weight[:, 8:] = -1e5

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(torch.sigmoid(self.b(torch.sin(3 * self.a(x)))))


def test_rounding_alone_is_no_failure() -> None:
    canvas = cw.trace(cw.INR.from_coords(Cancelling(), (6, 7)), "gated")
    checks = canvas.check()
    assert checks.all_hold
    assert any("in double precision" in one.note and "in single, by rounding" in one.note for one in checks)
    assert all(one.deviation < 1e-4 for one in checks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not canvas.summary("a").warning


def test_double_precision_gives_the_same_answers() -> None:
    for kind in ("wire", "hnerv", "skip_by_concatenation", "feature_grid"):
        inr = build(kind, 0)
        canvas = cw.trace(inr, "gated")
        wide = canvas.matrix.in_double()
        assert wide.capture.dtype == torch.float64
        for layer in canvas.traced_layers:
            neurons = all_neurons(layer, "kernel")
            expected = canvas.maps(layer, neurons)
            np.testing.assert_allclose(wide.maps(layer, neurons, 0, "sum"), expected, rtol=1e-6, atol=1e-7)


@functools.cache
def halved(how: str, dtype: torch.dtype) -> tuple[cw.Canvas, cw.Canvas]:
    """A net in half precision, and the same weights in single: each recorded once for all rules."""
    module = Net(how).to(dtype)
    single = Net(how)
    single.load_state_dict(module.state_dict())
    ours, theirs = (cw.INR.from_coords(one, (6, 7)) for one in (module, single.float()))
    return cw.trace(ours, "gated"), cw.trace(theirs, "gated")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("how", ["plain", "cast", "inner"])
@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_a_module_in_half_precision_is_computed_in_single(how: str, dtype: torch.dtype, rule: str) -> None:
    if rule == "xinc" and how != "plain":
        rule = "gated"  # XINC is defined on no chain with a cast in it
    canvas, expected = (one.under(rule) for one in halved(how, dtype))
    says_so(canvas, dtype)
    # The coordinates are rounded to half precision, and nothing else.
    for layer in canvas.traced_layers:
        ours = canvas.map(layer, 0)
        theirs = expected.map(layer.name, 0)
        np.testing.assert_allclose(ours, theirs, atol=0.05 * float(np.abs(theirs).max()))


def test_a_module_under_autocast_is_computed_in_single() -> None:
    says_so(cw.trace(cw.INR.from_coords(Net("autocast"), (6, 7)), "gated"), torch.bfloat16)


def says_so(canvas: cw.Canvas, dtype: torch.dtype) -> None:
    checks = canvas.check()
    assert checks.all_hold
    assert canvas.dtype == torch.float32
    name = str(dtype).removeprefix("torch.")
    assert f"the module computes in {name}, contributions in float32" in checks[0].note
    assert 0 < checks[0].deviation < 0.06
    assert checks[0].note in repr(checks)
    assert all(one.deviation < 1e-5 for one in checks[1:])


@functools.cache
def invariants(rule: str) -> list[tuple[str, str]]:
    """What is checked of an image of several rows and columns."""
    checks = cw.trace(cw.INR.from_coords(Net(), (4, 5)), rule).check()
    assert checks.all_hold, (rule, checks)
    return [(one.invariant, one.layer) for one in checks]


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (1, 1), (1, 3), (3, 1), (1, 2)])
def test_an_image_of_one_row_or_column_is_checked_like_others(size: tuple[int, int]) -> None:
    canvas = cw.trace(cw.INR.from_coords(Net(), size))
    for rule in ("xinc", "gated", "ablation"):
        checks = canvas.under(rule).check()
        assert checks.all_hold, (rule, checks)
        assert [(one.invariant, one.layer) for one in checks] == invariants(rule)


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize("grid", [(1, 1), (1, 4), (4, 1)])
def test_a_decoder_of_one_row_or_column_is_checked_like_others(grid: tuple[int, int], upscale: int) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(2, 3 * upscale**2, 3, padding=1),
        nn.PixelShuffle(upscale),
        nn.GELU(),
        nn.Conv2d(3, 3, 3, 1, 1),
    )
    embeddings = torch.randn(2, 2, *grid)
    canvas = cw.trace(cw.INR.from_embeddings(layers, embeddings))
    for rule in ("xinc", "gated", "ablation"):
        assert canvas.under(rule).check().all_hold


class Steep(Net):
    """A net whose gates are as large as its activation is steep where it meets 0."""

    def __init__(self, act: Callable[[torch.Tensor], torch.Tensor], seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.a, self.b, self.c = nn.Linear(2, 12), nn.Linear(12, 12), nn.Linear(12, 3)
        self.act = act

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.act(self.b(self.act(self.a(x)))))


@pytest.mark.parametrize(
    ("act", "seed", "in_double"),
    [
        (lambda z: 1 / (z.abs() + 1e-6), 0, False),
        (lambda z: torch.rsqrt(z * z + 1e-12), 0, False),
        (lambda z: torch.log(z.abs() + 1e-8), 2, False),
        (lambda z: torch.log(z.abs() + 1e-8), 3, True),
    ],
    ids=["inverse", "rsqrt", "log", "log that double precision helps"],
)
def test_contributions_that_float32_cannot_add_up_are_said(act: Any, seed: int, in_double: bool) -> None:
    canvas = cw.trace(cw.INR.from_coords(Steep(act, seed), (20, 30)), "gated")
    failed = [one for one in canvas.check() if not one.holds]
    assert {one.invariant for one in failed} == {"neurons add up in float32"}
    maps = sum(maps.sum(0, dtype=np.float64) for _, maps in canvas.iter("a", rgb="each", progress=False))
    image = canvas.frame()
    off = float(np.abs(maps + canvas.remainder("a") - image).max() / np.ptp(image))
    assert off > 0.01
    assert 0.2 * off < failed[0].deviation < 5 * off
    assert "cancel so much that float32 cannot add them up" in failed[0].note
    assert ("double precision (module.double())" in failed[0].note) == in_double
    assert ("rule 'ablation'" in failed[0].note) != in_double
    again = cw.trace(cw.INR.from_coords(Steep(act, seed), (20, 30)), "gated")
    with pytest.warns(
        UserWarning, match=r"layer a: the contributions cancel so much that float32.*times its range"
    ):
        assert "cancel" in again.summary("a").warning
    assert "cancel" in again.trouble["a"]
    if in_double:
        double = cw.trace(cw.INR.from_coords(Steep(act, seed).double(), (20, 30)), "gated")
        assert double.check().all_hold


def test_an_even_image_and_one_of_a_high_level_need_no_warning() -> None:
    for scale, level in ((0.0, 0.5), (1e-6, 0.5), (1.0, 1e4)):
        net = Net()
        with torch.no_grad():
            net.c.weight *= scale
            net.c.bias.fill_(level)
        assert cw.trace(cw.INR.from_coords(net, (6, 7)), "gated").check().all_hold, (scale, level)


# --- by itself ----------------------------------------------------------------------------------------------------


def test_the_first_sweep_of_a_layer_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    inr = cw.INR.from_coords(Net(), (6, 7))
    sound = cw.trace(inr, "gated")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "WARNING" not in repr(sound.summary("b"))
    assert not sound.trouble
    columns = Gated.columns

    def wrong(*arguments: Any, **keywords: Any) -> dict[str, torch.Tensor]:
        return {name: 1.01 * values for name, values in columns(*arguments, **keywords).items()}

    monkeypatch.setattr(Gated, "columns", wrong)
    for ask in (
        lambda canvas: canvas.summary("b"),
        lambda canvas: list(canvas.iter("b")),
        lambda canvas: canvas.summary("b", accuracy=0.3),
        lambda canvas: canvas.summaries(accuracy=0.3),
    ):
        canvas = cw.Canvas(sound.matrix.capture, sound.matrix.rule, sound.memory)
        with pytest.warns(UserWarning, match="layer b: 'row and column agree' fails by"):
            ask(canvas)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ask(canvas)  # once
        assert "row and column agree" in canvas.trouble["b"]
        assert "WARNING: b: 'row and column agree'" in repr(canvas)
        assert "row and column agree" in repr(canvas.summary("b"))
        assert "row and column agree" in repr(canvas.summary("b", accuracy=0.3))
        assert "row and column agree" in canvas.summaries(accuracy=0.3)["b"].warning
        assert "row and column agree" in repr(canvas.top(0, 0))
    assert not canvas.check().all_hold


def test_what_ends_in_an_opaque_op_is_said_with_the_first_sweep() -> None:
    canvas = cw.trace(build("opaque", 3), "gated")
    with pytest.warns(UserWarning, match="the residual is what ends in cumprod"):
        assert "cumprod" in canvas.summary("a").warning
