"""A recording with other weights gives what recording the other network gives."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import canvaswidget as cw
from canvaswidget.models import FFN
from canvaswidget.tracing.exchange import exchange
from tests.small_models import Branching
from tests.zoo import KINDS, build


@functools.cache
def recorded(kind: str, rule: str) -> cw.Canvas:
    return cw.trace(build(kind, 0), rule, progress=False)


def other_weights(inr: cw.INR, seed: int) -> dict[str, torch.Tensor]:
    """Weights of the same scale; whole numbers and buffers stay."""
    generator = torch.Generator().manual_seed(seed)
    learned = {name for name, _ in inr.module.named_parameters()}

    def other(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name not in learned or not tensor.is_floating_point():
            return tensor
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
        return tensor + 0.3 * noise * tensor.abs().mean()

    return {name: other(name, tensor) for name, tensor in inr.module.state_dict().items()}


FEW = (
    "mlp_sine",
    "mlp_gabor",
    "nerv",
    "weight_norm",
    "tied_weights",
    "modulated_siren",
    "rms_norm",
    "attention_by_hand",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in FEW else pytest.mark.repeats) for kind in KINDS]
)
def test_every_kind_gives_what_recording_anew_gives(kind: str) -> None:
    agree_with_recording_anew(kind, 1)


@pytest.mark.slow
@given(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 1000))
def test_any_weights_give_what_recording_anew_gives(kind: str, seed: int) -> None:
    agree_with_recording_anew(kind, seed)


def agree_with_recording_anew(kind: str, seed: int) -> None:
    before = recorded(kind, "gated")
    inr = before.inr.with_weights(other_weights(before.inr, seed))
    exchanged, anew = exchange(before, inr), cw.trace(inr, "gated", progress=False)
    np.testing.assert_allclose(exchanged.frame(), anew.frame(), rtol=1e-6, atol=1e-6)
    assert [layer.name for layer in exchanged.layers] == [layer.name for layer in anew.layers]
    assert exchanged.layers.note == anew.layers.note
    y, x = (side // 2 for side in inr.size)
    ours, theirs = exchanged.pixel(y, x, rgb="each"), anew.pixel(y, x, rgb="each")
    for layer in anew.traced_layers:
        np.testing.assert_allclose(ours[layer.name], theirs[layer.name], rtol=1e-5, atol=1e-6)
        neuron = (0, 0) if len(layer.neurons) == 2 else 0
        np.testing.assert_allclose(
            exchanged.map(layer, neuron), anew.map(layer, neuron), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_every_rule_takes_the_other_weights(rule: str) -> None:
    torch.manual_seed(0)
    inr = cw.as_inr(FFN(hidden=12, size=(6, 5)))
    other = inr.with_weights(other_weights(inr, 1))
    exchanged, anew = exchange(cw.trace(inr, rule), other), cw.trace(other, rule)
    assert exchanged.rule == rule
    for layer in anew.traced_layers:
        np.testing.assert_allclose(
            exchanged.summary(layer).neuron_abs, anew.summary(layer).neuron_abs, rtol=1e-5
        )


def test_what_was_recorded_keeps_its_weights() -> None:
    torch.manual_seed(0)
    inr = cw.as_inr(FFN(hidden=8, size=(4, 4)))
    canvas = cw.trace(inr, "gated")
    before = canvas.frame().copy(), canvas.pixel(1, 2)
    weights = copy.deepcopy(inr.module.state_dict())
    exchange(canvas, inr.with_weights(other_weights(inr, 3))).frame()
    after = cw.trace(inr, "gated")
    for one in (canvas, after):
        np.testing.assert_array_equal(one.frame(), before[0])
        for name, column in before[1].items():
            np.testing.assert_array_equal(one.pixel(1, 2)[name], column)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in inr.module.state_dict().items())


def test_ops_that_depend_on_weights_are_noticed() -> None:
    inr = cw.INR.from_coords(Branching(), (3, 4))
    canvas = cw.trace(inr, "gated")
    other = inr.with_weights({**inr.module.state_dict(), "side": torch.tensor(-1.0)})
    with pytest.raises(cw.CaptureError, match="what was recorded is not what the module does"):
        exchange(canvas, other).frame()


def test_a_network_of_other_shapes_is_refused() -> None:
    canvas = cw.trace(cw.as_inr(FFN(hidden=8, size=(4, 4))), "gated")
    with pytest.raises(cw.CaptureError, match="has shape"):
        exchange(canvas, cw.as_inr(FFN(hidden=9, size=(4, 4))))


def test_weights_that_hold_nan_are_refused_by_name() -> None:
    inr = cw.as_inr(FFN(hidden=8, size=(4, 4)))
    name = next(iter(dict(inr.module.named_parameters())))
    broken = inr.with_weights({**inr.module.state_dict(), name: inr.module.state_dict()[name] * float("nan")})
    with pytest.raises(ValueError, match=f"its weight '{name}' holds NaN"):
        exchange(cw.trace(inr, "gated"), broken)
