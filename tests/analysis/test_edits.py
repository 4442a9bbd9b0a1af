"""Scaled neurons against ablation, against surgery on the weights, and against directions."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from tests.small_models import Cnn, Mlp, SmallModel, cnns, mlps

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


def by_surgery(inr: cw.INR, layer: str, unit: int, output: int | None, factor: float) -> cw.INR:
    module = copy.deepcopy(inr.module)
    weight = module.get_submodule(layer).weight
    with torch.no_grad():
        weight[slice(None) if output is None else output, unit] *= factor
    return cw.INR(module, inr.inputs, inr.size, inr.n_frames)


@given(small=st.one_of(mlps(), cnns()), data=st.data())
def test_an_edit_is_the_model_with_scaled_weights(small: SmallModel, data: st.DataObject) -> None:
    frame = small.inr.n_frames - 1
    canvas = cw.trace(small.inr, data.draw(st.sampled_from(["gated", "xinc", "ablation"])), progress=False)
    layer = data.draw(st.sampled_from(list(canvas.layers)))
    unit, output = (
        data.draw(st.integers(0, layer.n_units - 1)),
        data.draw(st.integers(0, layer.n_outputs - 1)),
    )
    factor = data.draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0]))
    for neuron, kernel in ((unit, None), ((unit, output), output)):
        edits = {layer.name: {neuron: factor}}
        expected = by_surgery(small.inr, layer.name, unit, kernel, factor)
        scale = max(1.0, float(np.abs(expected.frame(frame)).max()))
        np.testing.assert_allclose(
            canvas.edit(edits, frame) / scale, expected.frame(frame) / scale, rtol=1e-5, atol=2e-6
        )
        made = cw.edited(small.inr, edits, canvas=canvas)
        for own, other in zip(made.module.parameters(), expected.module.parameters(), strict=True):
            torch.testing.assert_close(own, other)
    if factor == 0:
        np.testing.assert_allclose(
            canvas.edit({layer.name: {unit: 0}}, frame), canvas.ablate({layer.name: [unit]}, frame), **CLOSE
        )


@pytest.fixture(scope="module")
def inr() -> cw.INR:
    torch.manual_seed(0)
    return cw.INR.from_frames(Cnn([2, 4, 3], [3, 3, 3], [2, 1], (3, 4), nn.ReLU, True), 2)


def test_several_layers_and_neurons_at_once(inr: cw.INR) -> None:
    canvas = cw.trace(inr, progress=False)
    edits = {"convs.0": {1: 0.5, (1, 3): 2, -1: 1}, "head": {(0, 2): -1.5}}
    one = by_surgery(by_surgery(inr, "convs.0", 1, None, 0.5), "convs.0", 1, 3, 2)
    expected = by_surgery(one, "head", 0, 2, -1.5)
    np.testing.assert_allclose(canvas.edit(edits, 1), expected.frame(1), **CLOSE)
    np.testing.assert_array_equal(canvas.edit({}, 1), canvas.frame(1))
    np.testing.assert_array_equal(canvas.edit({0: {0: 1.0}}, 1), canvas.frame(1))
    before = copy.deepcopy(inr.module.state_dict())
    cw.edited(inr, edits)
    assert all(torch.equal(before[name], own) for name, own in inr.module.state_dict().items())


def test_in_the_last_layer_the_picture_is_linear_in_the_factor() -> None:
    torch.manual_seed(0)
    canvas = cw.trace(
        cw.INR.from_coords(Mlp([2, 6, 3], nn.GELU, True).double(), (4, 5)), "gated", progress=False
    )
    basis = np.random.default_rng(0).normal(size=(2, 6))
    for one in (canvas, canvas.directions("layers.1", basis)):
        own = one.map("layers.1", 1, rgb="each")
        np.testing.assert_allclose(one.edit({"layers.1": {1: 2.5}}), one.frame() + 1.5 * own, **CLOSE)


def test_grouped_convolutions() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(6, 3, 1))
    inr = cw.INR(module, lambda frame: torch.ones(1, 4, 3, 3), (3, 3))
    canvas = cw.trace(inr, "gated", progress=False)
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed[0].weight[4, 1] *= 0.25  # output 4 is of the second group, whose second unit is unit 3
    expected = cw.INR(changed, inr.inputs, inr.size)
    np.testing.assert_allclose(canvas.edit({"0": {(3, 4): 0.25}}), expected.frame(), **CLOSE)
    torch.testing.assert_close(cw.edited(inr, {"0": {(3, 4): 0.25}}).module[0].weight, changed[0].weight)


@pytest.mark.parametrize(
    ("edits", "error", "words"),
    [
        ([("head", 0)], TypeError, "edits=list: expected {layer: {neuron: factor}}"),
        ({"head": [0]}, TypeError, r"edits\['head'\]=list: expected {layer"),
        ({"head": {0: "half"}}, TypeError, r"edits\['head'\]\[0\]='half': expected a number"),
        ({"head": {0: True}}, TypeError, "expected a number"),
        ({"head": {0: math.inf}}, ValueError, r"edits\['head'\]\[0\]=inf: expected a finite number"),
        ({"head": {0: 10**400}}, ValueError, "expected a finite number"),
        (
            {"head": {0: 1e39}},
            ValueError,
            r"edits\['head'\]: the largest factor is 1e\+39, .* too large for float32",
        ),
        ({"head": {99: 1}}, IndexError, "neuron"),
        ({"tail": {0: 1}}, KeyError, "no such layer"),
    ],
)
def test_refused(inr: cw.INR, edits: Any, error: type[Exception], words: str) -> None:
    canvas = cw.trace(inr, progress=False)
    with pytest.raises(error, match=words):
        canvas.edit(edits)
    with pytest.raises(error, match=words):
        cw.edited(inr, edits, canvas=canvas)


def test_what_no_parameter_holds_is_edited_in_the_picture_only(inr: cw.INR) -> None:
    turned = cw.trace(inr, progress=False).directions("head", np.eye(3)[:2])
    assert turned.edit({"head": {0: 0.5}}).shape == (*inr.size, 3)
    with pytest.raises(cw.UntraceableError, match="units are directions"):
        cw.edited(inr, {"head": {0: 0.5}}, canvas=turned)


def test_weights_that_the_parameter_can_not_hold_are_refused() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, True).half(), (2, 3))
    with pytest.raises(ValueError, match="layer='layers.1': its new weight is too large for float16"):
        cw.edited(inr, {"layers.1": {0: 1e8}})
