"""The rule `gated` against independent ways to get its numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.neurons import all_neurons
from tests.small_models import Cnn, Mlp, SmallModel, cnns, mlps
from tests.zoo import coordinates

calm = settings()
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


@contextmanager
def hooked(*hooks: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook.remove)
        yield


def by_surgery(inr: cw.INR, layer: str, neuron: tuple[int, int], frame: int) -> torch.Tensor:
    """A kernel's map by the definition: a copy of the model with gates for activations, no biases, one kernel."""
    module = copy.deepcopy(inr.module)
    changed = cw.INR(module, inr.inputs, inr.size, inr.n_frames)
    gates: list[torch.Tensor] = []
    given: list[torch.Tensor] = []
    target = module.get_submodule(layer)

    def record(activation: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        (z,) = inputs
        start = activation.forward(torch.zeros(1, dtype=z.dtype))
        gates.append(torch.where(z == 0, torch.ones_like(z), (output - start) / z))

    hooks = [part.register_forward_hook(record) for part in module.modules() if part is module.activation]
    hooks.append(target.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0])))
    with hooked(*hooks):
        changed.render(frame)
    with torch.no_grad():
        kept = target.weight[neuron[1], neuron[0]].clone()
        target.weight.zero_()
        target.weight[neuron[1], neuron[0]] = kept
        for part in module.modules():
            if isinstance(getattr(part, "bias", None), torch.Tensor):
                part.bias.zero_()
    remaining = iter(gates)
    hooks = [
        module.activation.register_forward_hook(lambda _, inputs, output: inputs[0] * next(remaining)),
        target.register_forward_pre_hook(lambda _, inputs: (given[0],)),
    ]
    with hooked(*hooks):
        return changed.render(frame).permute(1, 2, 0)


@calm
@given(small=st.one_of(mlps(), cnns()), data=st.data())
def test_equals_a_model_with_gates_for_activations(small: SmallModel, data: st.DataObject) -> None:
    canvas, frame = cw.trace(small.inr, "gated"), small.inr.n_frames - 1
    for layer in canvas.layers:
        kernel = data.draw(st.integers(0, layer.n_units - 1)), data.draw(st.integers(0, layer.n_outputs - 1))
        expected = by_surgery(small.inr, layer.name, kernel, frame).numpy()
        np.testing.assert_allclose(canvas.map(layer, kernel, frame, rgb="each"), expected, **CLOSE)
        np.testing.assert_allclose(canvas.map(layer, kernel, frame), expected.sum(-1), **CLOSE)
        np.testing.assert_allclose(
            canvas.map(layer, kernel, frame, rgb="abs"), np.abs(expected).sum(-1), **CLOSE
        )


@pytest.mark.parametrize("activation", sorted(coordinates.ACTIVATIONS))
def test_equals_the_formula_of_an_mlp(activation: str) -> None:
    """Row by matrix products in double precision: ``W3 G2 W2 G1 W1[:, i] x_i``."""
    torch.manual_seed(5)
    act = coordinates.ACTIVATIONS[activation]
    model = coordinates.Mlp([2, 6, 5, 3], coordinates.Function(act)).double()
    inr = cw.INR.from_coords(model, (4, 5))
    canvas = cw.trace(inr, "gated")
    first, second, third = (model.get_submodule(name) for name in ("net.0.0", "net.1.0", "net.2"))
    (x,), _ = inr.arguments(0)
    with torch.no_grad():
        start = act(torch.zeros(1, dtype=torch.float64))
        z1 = first(x)
        z2 = second(act(z1))
        g1, g2 = (act(z1) - start) / z1, (act(z2) - start) / z2
        path2 = torch.einsum("co,po->pco", third.weight, g2)
        path1 = torch.einsum("pco,oh,ph->pch", path2, second.weight, g1)
        expected = {
            "net.0.0": torch.einsum("pch,hi,pi->ipc", path1, first.weight, x),
            "net.1.0": torch.einsum("pco,oh,ph->hpc", path2, second.weight, act(z1)),
            "net.2": torch.einsum("ch,ph->hpc", third.weight, act(z2)),
        }
    for name, maps in expected.items():
        units = np.arange(len(maps))
        ours = canvas.maps(name, units, rgb="each").reshape(len(units), -1, 3)
        np.testing.assert_allclose(ours, maps, **CLOSE)
        columns = np.stack(
            [canvas.pixel(y, x, layers=name, rgb="each")[name] for y in range(4) for x in range(5)], 1
        )
        np.testing.assert_allclose(columns, maps, **CLOSE)


@pytest.mark.parametrize("activation", ["relu", "leaky"])
def test_equals_weights_times_gradients_where_gates_are_slopes(activation: str) -> None:
    """Of a piecewise linear network autograd on the module itself gives the same."""
    torch.manual_seed(2)
    model = coordinates.Mlp([2, 7, 6, 3], coordinates.Function(coordinates.ACTIVATIONS[activation])).double()
    inr = cw.INR.from_coords(model, (4, 5))
    canvas = cw.trace(inr, "gated")
    weights = torch.rand(4, 5, dtype=torch.float64)
    (x,), _ = inr.arguments(0)
    total = (inr.image(model(x)).sum(0) * weights).sum()
    for name in ("net.0.0", "net.1.0", "net.2"):
        weight = model.get_submodule(name).weight
        (slope,) = torch.autograd.grad(total, weight, retain_graph=True)
        column = canvas.region(weights, layers=name, granularity="kernel")[name]
        np.testing.assert_allclose(column, (weight * slope).detach().T, **CLOSE)


@calm
@given(small=st.one_of(mlps(min_hidden=1), cnns()), seed=st.integers(0, 100))
def test_permuting_hidden_neurons_permutes_their_maps(small: SmallModel, seed: int) -> None:
    torch.manual_seed(seed)
    module, frame = copy.deepcopy(small.inr.module), small.inr.n_frames - 1
    inr = cw.INR(module, small.inr.inputs, small.inr.size, small.inr.n_frames)
    chain = list(module.layers) if isinstance(module, Mlp) else [*module.convs, module.head]
    first, second = chain[-2], chain[-1]
    order = torch.randperm(second.weight.shape[1])
    # A pixel shuffle takes its output channels in blocks.
    blocks = first.weight.shape[0] // len(order)
    rows = (order[:, None] * blocks + torch.arange(blocks)).flatten()
    with torch.no_grad():
        second.weight.copy_(second.weight[:, order].clone())
        first.weight.copy_(first.weight[rows].clone())
        if first.bias is not None:
            first.bias.copy_(first.bias[rows].clone())
    before, after = cw.trace(small.inr, "gated"), cw.trace(inr, "gated")
    last = before.layers[-1]
    np.testing.assert_allclose(
        after.maps(last, all_neurons(last, "unit"), frame), before.maps(last, order, frame), **CLOSE
    )
    previous = before.layers[-2]
    ours = after.maps(previous, [(0, o) for o in range(previous.n_outputs)], frame)
    np.testing.assert_allclose(ours, before.maps(previous, [(0, int(o)) for o in rows], frame), **CLOSE)


@calm
@given(seed=st.integers(0, 10**6), factor=st.floats(0.05, 20))
def test_rescaling_relus_changes_nothing(seed: int, factor: float) -> None:
    torch.manual_seed(seed)
    model = Mlp([2, 6, 5, 3], nn.ReLU, bias=True).double()
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled.layers[0].weight *= factor
        scaled.layers[0].bias *= factor
        scaled.layers[1].weight /= factor
    canvas, other = (cw.trace(cw.INR.from_coords(one, (4, 4)), "gated") for one in (model, scaled))
    for layer in canvas.layers:
        neurons = all_neurons(layer, "kernel")
        np.testing.assert_allclose(canvas.maps(layer, neurons), other.maps(layer, neurons), **CLOSE)


@calm
@given(seed=st.integers(0, 10**6), upscale=st.integers(1, 2), size=st.sampled_from([1, 3, 5]))
def test_no_map_reaches_outside_the_receptive_field(seed: int, upscale: int, size: int) -> None:
    torch.manual_seed(seed)
    grid = (6, 7)
    model = Cnn([2, 2, 2], [size, 3, size], [upscale, 2], grid, nn.GELU, bias=True).double()
    y, x = seed % grid[0], seed // 10 % grid[1]
    with torch.no_grad():
        lit = torch.zeros_like(model.grid)
        lit[..., y, x] = 1
        model.grid.copy_(lit)
    inr = cw.INR.from_frames(model, 1)
    reach = copy.deepcopy(model)
    reach.activation = nn.Identity()
    with torch.no_grad():
        for parameter in (*reach.convs.parameters(), *reach.head.parameters()):
            parameter.fill_(1.0 if parameter.ndim > 1 else 0.0)
    field = cw.INR.from_frames(reach, 1).frame()[..., 0] != 0
    for rule in ("gated", "ablation"):
        canvas = cw.trace(inr, rule)
        for kernel in ((0, 0), (1, 1)):
            map_ = canvas.map("convs.0", kernel)
            assert np.abs(map_[~field]).max(initial=0) < 1e-12


@calm
@given(small=st.one_of(mlps(), cnns()))
def test_any_budget_gives_the_same_numbers(small: SmallModel) -> None:
    wide = cw.trace(small.inr, "gated")
    narrow = cw.trace(small.inr, "gated", memory="1 MiB")
    for layer in wide.layers:
        for granularity in ("unit", "kernel"):
            ours, theirs = (canvas.summary(layer, granularity=granularity) for canvas in (wide, narrow))
            np.testing.assert_allclose(ours.neuron_abs, theirs.neuron_abs, rtol=1e-6)
            each = not wide.why_no_colours(layer)
            maps = np.abs(wide.maps(layer, all_neurons(layer, granularity), rgb="each" if each else "sum"))
            maps = maps.sum(-1) if each else maps
            np.testing.assert_allclose(ours.neuron_abs.ravel(), maps.sum((1, 2)), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(ours.pixel_abs, maps.sum(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_however_it_is_written_it_is_the_same_layer(rule: str) -> None:
    torch.manual_seed(4)
    widths, size = [2, 5, 4, 3], (3, 4)
    linear = Mlp(widths, nn.ReLU, bias=True).double()
    others = [
        coordinates.RawLinear(widths).double(),
        coordinates.Matmul(widths).double(),
        coordinates.Pointwise(widths, size).double(),
    ]
    weights = [(layer.weight, layer.bias) for layer in linear.layers]
    with torch.no_grad():
        for raw in others[:2]:
            for index, (weight, bias) in enumerate(weights):
                raw.weights[index].copy_(weight)
                raw.biases[index].copy_(bias)
        for conv, (weight, bias) in zip(others[2].convs, weights, strict=True):
            conv.weight.copy_(weight[:, :, None, None])
            conv.bias.copy_(bias)
    expected = cw.trace(cw.INR.from_coords(linear, size), rule)
    for other in others:
        canvas = cw.trace(cw.INR.from_coords(other, size), rule)
        for mine, layer in zip(canvas.layers, expected.layers, strict=True):
            # Of convolutions `xinc` has no units, only kernels, whose activations come one by one.
            neurons = all_neurons(layer, "kernel")
            np.testing.assert_allclose(canvas.maps(mine, neurons), expected.maps(layer, neurons), **CLOSE)
            column = canvas.pixel(1, 2, layers=mine, granularity="kernel")[mine.name]
            wanted = expected.pixel(1, 2, layers=layer, granularity="kernel")[layer.name]
            np.testing.assert_allclose(column, wanted, **CLOSE)


def test_gates_at_zero_are_slopes() -> None:
    """Where ``z`` is 0 or nearly so, ``(act(z) - act(0)) / z`` is the slope there and not noise."""
    for name, act in coordinates.ACTIVATIONS.items():
        model = coordinates.Mlp([2, 1, 3], coordinates.Function(act)).double()
        with torch.no_grad():
            model.get_submodule("net.0.0").weight.copy_(torch.tensor([[1e-9, 0.0]]))
            model.get_submodule("net.0.0").bias.zero_()
        inr = cw.INR.from_coords(model, (3, 1))
        canvas = cw.trace(inr, "gated")
        z = torch.tensor(1e-7, dtype=torch.float64)
        slope = (act(z) - act(-z)) / (2 * z) if name not in ("relu", "leaky") else act(z) / z
        weights = model.get_submodule("net.1").weight[:, 0]
        (x,), _ = inr.arguments(0)
        expected = (weights * slope * 1e-9 * x[-1, 0]).detach()
        np.testing.assert_allclose(
            canvas.map("net.0.0", 0, rgb="each")[-1, 0], expected, rtol=1e-4, atol=1e-13, err_msg=name
        )


def test_the_rest_is_only_of_a_rule_that_divides() -> None:
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, True), (3, 3)), "xinc")
    with pytest.raises(cw.UntraceableError, match="rule='xinc'.*not parts of the image.*'gated'"):
        canvas.remainder(0)


def test_half_precision_and_frozen_weights_and_inference_mode() -> None:
    torch.manual_seed(0)
    model = Mlp([2, 6, 3], nn.GELU, bias=True).to(torch.bfloat16)
    model.layers[0].weight.requires_grad_(False)
    canvas = cw.trace(cw.INR.from_coords(model, (3, 4)), "gated")
    assert canvas.check().all_hold
    assert canvas.pixel(0, 0)["layers.0"].dtype == np.float32
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, True, True, True]
    with torch.inference_mode():
        inside = cw.trace(cw.INR.from_coords(model, (3, 4)), "gated")
        np.testing.assert_allclose(inside.pixel(1, 1)["layers.0"], canvas.pixel(1, 1)["layers.0"], rtol=1e-5)
