"""Directions of a layer's units against surgery on the weights, and against what must hold for any basis."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.layer_weight import magnitudes
from tests.small_models import Cnn, Mlp, SmallModel, cnns, mlps

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


class Transposed(nn.Module):
    """A layer of every other kind: a transposed convolution, and matrix products with weights of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(1, 12)
        self.up = nn.ConvTranspose2d(3, 4, 2, stride=2)
        self.mix = nn.Parameter(torch.randn(4, 5))
        self.shift = nn.Parameter(torch.randn(5))
        self.last = nn.Linear(5, 3, bias=False)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.stem(t)).reshape(-1, 3, 2, 2)
        x = torch.nn.functional.gelu(self.up(x)).permute(0, 2, 3, 1)
        x = torch.relu(x @ self.mix + self.shift)
        return self.last(x).permute(0, 3, 1, 2)


def transposed() -> cw.INR:
    torch.manual_seed(3)
    return cw.INR.from_frames(Transposed().double(), n_frames=2)


def projected_out(inr: cw.INR, layer: str, basis: np.ndarray, direction: int, frame: int) -> np.ndarray:
    """The image of a copy whose layer reads ``x - D[:, d] a[d]``, by surgery on its weight."""
    module = copy.deepcopy(inr.module)
    basis = basis / np.linalg.norm(basis, axis=1, keepdims=True)
    reader = np.linalg.pinv(basis)
    kept = torch.from_numpy(np.eye(basis.shape[1]) - np.outer(basis[direction], reader[:, direction]))
    with torch.no_grad():
        if layer == "mix":
            module.mix.copy_(kept.T @ module.mix)
        elif isinstance(target := module.get_submodule(layer), nn.ConvTranspose2d):
            target.weight.copy_(torch.einsum("io...,ij->jo...", target.weight, kept))
        else:
            target.weight.copy_(torch.einsum("oi...,ij->oj...", target.weight, kept))
    return cw.INR(module, inr.inputs, inr.size, inr.n_frames).frame(frame)


@given(small=st.one_of(mlps(), cnns()), data=st.data())
def test_every_rule_against_surgery_and_each_other(small: SmallModel, data: st.DataObject) -> None:
    inr, frame = small.inr, small.inr.n_frames - 1
    gated = cw.trace(inr, "gated", progress=False)
    layer = data.draw(st.sampled_from(list(gated.layers)))
    count = data.draw(st.integers(1, layer.n_units + 2))
    basis = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(count, layer.n_units))
    direction = data.draw(st.integers(0, count - 1))
    traced = gated.directions(layer.name, basis)
    ablated = traced.under("ablation")
    expected = gated.frame(frame) - projected_out(inr, layer.name, basis, direction, frame)
    scale = max(float(np.abs(expected).max()), float(np.abs(gated.frame(frame)).max()))
    np.testing.assert_allclose(
        ablated.map(layer.name, direction, frame, rgb="each") / scale, expected / scale, rtol=1e-5, atol=2e-6
    )
    if layer.name == gated.layers[-1].name:  # where gated is ablation
        np.testing.assert_allclose(
            traced.map(layer.name, direction, frame, rgb="each") / scale,
            expected / scale,
            rtol=1e-5,
            atol=2e-6,
        )
    checks = traced.check(frame, progress=False)
    assert checks.all_hold, checks
    maps = traced.maps(layer.name, range(count), frame, rgb="each")
    total = maps.sum(0) + traced.remainder(layer.name, frame)
    np.testing.assert_allclose(total / scale, gated.frame(frame) / scale, rtol=1e-4, atol=1e-5)
    y, x = (data.draw(st.integers(0, side - 1)) for side in inr.size)
    column = traced.pixel(y, x, frame, granularity="unit")[layer.name]
    np.testing.assert_allclose(column / scale, maps.sum(-1)[:, y, x] / scale, rtol=1e-4, atol=1e-5)
    for other in gated.layers:
        if other.name != layer.name:
            np.testing.assert_allclose(
                traced.map(other.name, 0, frame),
                gated.map(other.name, 0, frame),
                rtol=1e-4,
                atol=1e-5 * scale,
            )


@given(small=st.one_of(mlps(), cnns()), data=st.data())
def test_unit_vectors_give_the_units(small: SmallModel, data: st.DataObject) -> None:
    for rule in ("xinc", "gated", "ablation"):
        canvas = cw.trace(small.inr, rule, progress=False)
        layer = data.draw(st.sampled_from(list(canvas.traced_layers)))
        order = np.random.default_rng(0).permutation(layer.n_units)
        traced = canvas.directions(layer, np.eye(layer.n_units)[order] * 3)
        assert traced.layers.find(layer.name).neurons == (layer.n_units,)
        np.testing.assert_allclose(
            traced.maps(layer.name, range(layer.n_units)), canvas.maps(layer, order), **CLOSE
        )
        assert [one.name for one in traced.traced_layers] == [one.name for one in canvas.traced_layers]


@given(small=st.one_of(mlps(min_hidden=1), cnns()), seed=st.integers(0, 99))
def test_directions_of_a_complete_basis_add_up_to_the_units(small: SmallModel, seed: int) -> None:
    canvas = cw.trace(small.inr, "gated", progress=False)
    layer = canvas.layers[-1]
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(layer.n_units,) * 2))[0]
    traced = canvas.directions(layer, turned)
    units = canvas.maps(layer, range(layer.n_units)).sum(0)
    np.testing.assert_allclose(traced.maps(layer.name, range(layer.n_units)).sum(0), units, **CLOSE)


@pytest.mark.parametrize("layer", ["up", "mix", "last", "stem"])
def test_layers_of_every_form(layer: str) -> None:
    inr = transposed()
    canvas = cw.trace(inr, "gated", progress=False)
    name = canvas.layers.find(layer if layer != "mix" else "matmul").name
    units = canvas.layers.find(name).n_units
    basis = np.random.default_rng(1).normal(size=(min(2, units), units))
    traced = canvas.directions(name, basis)
    assert traced.check(1, progress=False).all_hold
    expected = canvas.frame(1) - projected_out(inr, layer, basis, 0, 1)
    np.testing.assert_allclose(traced.under("ablation").map(name, 0, 1, rgb="each"), expected, **CLOSE)
    np.testing.assert_allclose(
        traced.region(np.ones(inr.size), 1)[name].ravel(),
        traced.maps(name, range(len(basis)), 1).sum((1, 2)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_what_else_is_asked_of_a_canvas(tmp_path) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_frames(Cnn([2, 4, 3], [3, 3, 3], [2, 1], (3, 4), nn.ReLU, True).double(), 2)
    canvas = cw.trace(inr, "gated", progress=False)
    layer = canvas.layers[1].name
    traced = canvas.directions(layer, np.random.default_rng(0).normal(size=(3, 4)))
    exact, sampled = traced.summary(layer), traced.summary(layer, accuracy=0.2)
    assert exact.neuron_abs.shape == (3,)
    np.testing.assert_allclose(sampled.neuron_abs, exact.neuron_abs, rtol=0.5)
    assert "\n" in repr(traced.top(1, 1, k=3))
    assert cw.analysis.faithfulness(traced, layer, subsets=2).n_neurons == 3
    assert cw.analysis.cluster(traced, layer, k=2).labels.shape == (3,)
    assert "3 directions" in repr(traced.layers)
    traced.save(tmp_path / "turned.zarr", maps="all", progress=False)
    saved = cw.open(tmp_path / "turned.zarr")
    assert saved.layers.find(layer).has_directions
    np.testing.assert_allclose(saved.map(layer, 2), traced.map(layer, 2), rtol=2e-2, atol=1e-3)
    assert not canvas.layers.find(layer).has_directions  # the canvas it was made of is as it was
    np.testing.assert_array_equal(canvas.map(layer, 0), cw.trace(inr, "gated", progress=False).map(layer, 0))


def test_other_weights_take_the_same_directions() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([2, 6, 5, 3], nn.ReLU, True), (4, 5))
    other = {
        name: tensor + 0.1 * torch.randn_like(tensor) for name, tensor in inr.module.state_dict().items()
    }
    basis = np.random.default_rng(0).normal(size=(2, 5))
    exchanged = cw.tracing.exchange.exchange(
        cw.trace(inr, "gated", progress=False).directions("layers.2", basis), inr.with_weights(other)
    )
    expected = cw.trace(inr.with_weights(other), "gated", progress=False).directions("layers.2", basis)
    np.testing.assert_allclose(exchanged.maps("layers.2", [0, 1]), expected.maps("layers.2", [0, 1]), **CLOSE)


def sloped(dtype: torch.dtype = torch.float32) -> cw.Canvas:
    torch.manual_seed(0)
    return cw.trace(
        cw.INR.from_coords(Mlp([2, 6, 5, 3], nn.ReLU, True).to(dtype), (4, 5)), "gated", progress=False
    )


@pytest.mark.parametrize("lengths", [(1e-17, 1, 1), (1e40, 1, -1), (1e-300, 1e300, 1), (3, 2, 1)])
def test_lengths_and_signs_do_not_matter(lengths: tuple[float, ...]) -> None:
    canvas, basis = sloped(), np.random.default_rng(0).normal(size=(3, 5))
    expected = canvas.directions("layers.2", basis)
    found = canvas.directions("layers.2", basis * np.array(lengths)[:, None])
    np.testing.assert_allclose(found.maps("layers.2", range(3)), expected.maps("layers.2", range(3)), **CLOSE)
    np.testing.assert_allclose(  # by which neurons are pruned
        magnitudes(found.matrix.capture, "layers.2"), magnitudes(expected.matrix.capture, "layers.2"), **CLOSE
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_direction_given_twice_is_shared_also_where_one_is_rounded(dtype: torch.dtype) -> None:
    canvas = sloped(dtype)
    one = np.random.default_rng(0).normal(size=5).astype(np.float32)
    alone = canvas.directions("layers.2", one[None]).map("layers.2", 0)
    found = canvas.directions("layers.2", np.stack([one, one / np.float32(3), one * np.float32(-1.1)]))
    np.testing.assert_allclose(found.maps("layers.2", range(3)), np.stack([alone / 3] * 3), **CLOSE)
    assert found.check(progress=False).all_hold


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("apart", [0.1, 0.01])
def test_directions_that_are_much_alike_are_not_refused_for_rounding(
    dtype: torch.dtype, apart: float
) -> None:
    rng, canvas = np.random.default_rng(5), sloped(dtype)
    for layer in ("layers.0", "layers.1", "layers.2"):
        units = canvas.layers.find(layer).n_units
        basis = rng.normal(size=units) + apart * rng.normal(size=(2, units))
        found = canvas.directions(layer, basis)
        np.testing.assert_allclose(found.frame(), canvas.frame(), rtol=1e-4, atol=1e-5)
        assert found.check(progress=False).all_hold


def test_a_tensor_of_any_type_is_a_basis() -> None:
    canvas, basis = sloped(), torch.eye(5)[1:3]
    expected = canvas.maps("layers.2", [1, 2])
    for dtype in (torch.bfloat16, torch.half, torch.float64, torch.int8, torch.bool):
        found = canvas.directions("layers.2", basis.to(dtype)).maps("layers.2", [0, 1])
        np.testing.assert_allclose(found, expected, **CLOSE)


def test_activations_are_what_the_layer_works_on() -> None:
    torch.manual_seed(0)
    model = Cnn([2, 4, 3], [3, 3, 3], [2, 1], (3, 4), nn.ReLU, True)
    inr, given = cw.INR.from_frames(model, 2), []
    hook = model.convs[1].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    inr.render(1)
    hook.remove()
    found = cw.trace(inr, progress=False).activations("convs.1", 1)
    np.testing.assert_allclose(found, given[0][0].detach().flatten(1).T, **CLOSE)


@pytest.mark.parametrize(
    ("basis", "error", "words"),
    [
        (np.ones((2, 5)), ValueError, r"basis: has shape \(2, 5\); expected directions as rows"),
        (np.ones(4), ValueError, "basis: has shape"),
        (np.empty((0, 4)), ValueError, "basis: has shape"),
        ([[1, 0, 0, 0], [0, 0, 0, 0]], ValueError, "basis: row 1 is all 0"),
        ([[1, 0, 0, np.nan]], ValueError, "basis: holds NaN"),
        ("pca", TypeError, "basis=str: expected directions"),
        ([[1, 0, 0, 1j]], TypeError, "basis=list"),
    ],
)
def test_refused_bases(basis: Any, error: type[Exception], words: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, True), (3, 3)), progress=False)
    with pytest.raises(error, match=words):
        canvas.directions("layers.1", basis)


def test_refused_layers() -> None:
    grouped = nn.Sequential(nn.Conv2d(2, 4, 1, groups=2), nn.Conv2d(4, 3, 1))
    inr = cw.INR(grouped, lambda frame: torch.ones(1, 2, 3, 3), (3, 3))
    canvas = cw.trace(inr, "gated", progress=False)
    with pytest.raises(cw.UntraceableError, match="2 groups"):
        canvas.directions("0", np.eye(2))
    with pytest.raises(cw.UntraceableError, match="directions already"):
        canvas.directions("1", np.eye(4)).directions("1", np.eye(4))


def test_any_thread_may_ask_for_directions() -> None:
    canvas = sloped()
    bases = [np.random.default_rng(seed).normal(size=(2, 5)) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda basis: canvas.directions("layers.2", basis), bases))
    for one, basis in zip(found, bases, strict=True):
        expected = canvas.directions("layers.2", basis)
        np.testing.assert_array_equal(one.map("layers.2", 1), expected.map("layers.2", 1))
