"""Every way of writing an INR: what is found in it, what is followed, and that the numbers add up."""

from __future__ import annotations

import copy
import functools
import re
import sys

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.sampling import enumerated
from canvaswidget.tracing.summaries import Asked
from tests.tracing.same_in_every_way import same_in_every_way
from tests.zoo import KINDS, build

pytestmark = pytest.mark.slow

EVERY = pytest.mark.parametrize("kind", KINDS)
# One random model of each kind, recorded once for all tests of this file, says what two or three say.
SEEDS = pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.repeats)])
# Models whose last layer an activation follows: taking a neuron out changes that gate.
BENT = {"skip_by_addition", "two_branches", "list_out", "nerv", "hnerv"} | {
    name for name in KINDS if KINDS[name].layers[:1] == ("stem",) and name != "permuted_stem"
}


@functools.cache
def traced(kind: str, seed: int) -> cw.Canvas:
    return cw.trace(build(kind, seed), "gated")


def changeable(canvas: cw.Canvas, layer: Layer) -> bool:
    """Whether a layer's weight can be changed from outside: not shared, nor grouped, nor made in the forward."""
    parameters = dict(canvas.inr.module.named_parameters(remove_duplicate=False))
    weight = parameters.get(f"{layer.name}.weight", torch.empty(0))
    shapes = (layer.n_outputs, layer.n_units), (layer.n_units, layer.n_outputs)
    shared = f"{layer.name}#2" in [other.name for other in canvas.layers]
    shared |= sum(other is weight for other in parameters.values()) > 1
    return weight.shape[:2] in shapes and not shared and "#" not in layer.name


@EVERY
def test_layers_and_coverage(kind: str) -> None:
    expected, canvas = KINDS[kind], traced(kind, 0)
    inr, before = canvas.inr, build(kind, 0).module.state_dict()
    names = tuple(layer.name for layer in canvas.layers)
    assert names == (expected.layers or names)
    assert tuple(layer.name for layer in canvas.traced_layers) == (expected.traced or names)
    assert tuple(op.name for op in canvas.coverage().of("opaque")) == expected.opaque
    np.testing.assert_allclose(canvas.frame(), inr.frame(), rtol=1e-6, atol=1e-6)
    after = inr.module.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    # Every parameter is in one part of the note.
    parts = [float(part) for part in re.findall(r"(?:^|; )([\d.e-]+) %", canvas.layers.note)]
    assert abs(sum(parts) - 100) < 2, canvas.layers.note


@EVERY
def test_a_rule_is_chosen_and_says_why(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = traced(kind, 0).matrix.capture
    module = sys.modules["canvaswidget.tracing.trace"]  # the package has a function of this name
    monkeypatch.setattr(module, "record", lambda *arguments: recorded)  # not recorded again
    canvas = cw.trace(recorded.inr)
    assert canvas.rule in ("xinc", "gated")
    assert canvas.why.startswith(f"rule {canvas.rule}: ")
    layer = canvas.traced_layers[-1]
    columns = canvas.pixel(0, 0, layers=layer)[layer.name]
    np.testing.assert_allclose(
        [maps[0, 0] for maps in canvas.maps(layer, all_neurons(layer, None))],
        columns.ravel(),
        rtol=1e-5,
        atol=1e-6,
    )


@EVERY
@SEEDS
def test_gated_divides_the_image(kind: str, seed: int) -> None:
    canvas = traced(kind, seed)
    inr, frame = canvas.inr, canvas.inr.n_frames - 1
    y, x = seed % inr.size[0], seed // 7 % inr.size[1]
    for layer in canvas.traced_layers:
        units = canvas.maps(layer, all_neurons(layer, "unit"), frame, rgb="each")
        kernels = canvas.maps(layer, all_neurons(layer, "kernel"), frame, rgb="each")
        scale = float(np.abs(kernels).max()) + float(np.abs(canvas.frame(frame)).max())
        close = {"rtol": 1e-5, "atol": 3e-6 * scale}
        # Neurons and the remainder are the image; a unit's kernels are the unit.
        if "b" not in KINDS[kind].opaque and not (KINDS[kind].opaque and layer is not canvas.layers[-1]):
            np.testing.assert_allclose(
                units.sum(0) + canvas.remainder(layer, frame), canvas.frame(frame), **close
            )
        np.testing.assert_allclose(
            kernels.reshape(layer.n_units, -1, *units.shape[1:]).sum(1), units, **close
        )
        # Rows and columns are of one matrix, by unit and by kernel, by pixel and by region.
        for granularity, maps in (("unit", units), ("kernel", kernels)):
            column = canvas.pixel(y, x, frame, layer, granularity=granularity, rgb="each")[layer.name]
            np.testing.assert_allclose(column.reshape(len(maps), 3), maps[:, y, x], **close)
        mask = np.random.default_rng(seed).random(inr.size)
        region = canvas.region(mask, frame, layer, granularity="kernel")[layer.name]
        expected = (kernels.sum(-1) * mask).sum((1, 2))
        np.testing.assert_allclose(region.ravel(), expected, rtol=1e-5, atol=3e-5 * scale)


@EVERY
def test_whole_terms_slices_and_what_kernels_share_are_the_same(kind: str) -> None:
    same_in_every_way(traced(kind, 0))


@EVERY
def test_a_split_bias_leaves_less_of_the_rest(kind: str) -> None:
    canvas = traced(kind, 0).under("gated", bias="split")
    for layer in canvas.traced_layers:
        units = canvas.maps(layer, all_neurons(layer, "unit"), rgb="each")
        kernels = canvas.maps(layer, all_neurons(layer, "kernel"), rgb="each")
        close = {"rtol": 1e-5, "atol": 1e-5 * max(1.0, float(np.abs(kernels).max()))}
        np.testing.assert_allclose(
            kernels.reshape(layer.n_units, -1, *units.shape[1:]).sum(1), units, **close
        )
        column = canvas.pixel(-1, -1, layers=layer, granularity="kernel", rgb="each")[layer.name]
        np.testing.assert_allclose(column.reshape(-1, 3), kernels[:, -1, -1], **close)
        if not KINDS[kind].opaque:
            np.testing.assert_allclose(units.sum(0) + canvas.remainder(layer), canvas.frame(), **close)


@pytest.mark.parametrize(
    "kind", sorted(set(KINDS) - {"quantised_and_masked"})
)  # its weights depend on each other
@SEEDS
def test_ablation_is_the_model_without_the_neuron(kind: str, seed: int) -> None:
    canvas = traced(kind, seed).under("ablation")
    inr, frame = canvas.inr, canvas.inr.n_frames - 1
    whole = inr.render(frame)
    for layer in canvas.traced_layers:
        if not changeable(canvas, layer):
            continue
        weight = f"{layer.name}.weight"
        unit, output = seed % layer.n_units, seed // 3 % layer.n_outputs
        transposed = layer.op.startswith("conv_transpose")
        for neuron, place in (
            (unit, (unit,) if transposed else (slice(None), unit)),
            ((unit, output), (unit, output) if transposed else (output, unit)),
        ):
            cut = copy.deepcopy(inr.module)
            cut.get_parameter(weight).data[place] = 0
            lost = whole - cw.INR(cut, inr.inputs, inr.size, inr.n_frames, inr.output).render(frame)
            map_ = canvas.map(layer, neuron, frame, rgb="each")
            np.testing.assert_allclose(map_, lost.permute(1, 2, 0).numpy(), rtol=1e-5, atol=1e-6)


@EVERY
def test_ablation_of_several_is_that_of_each(kind: str) -> None:
    canvas = traced(kind, 0).under("ablation")
    for layer in canvas.traced_layers:
        neurons = all_neurons(layer, None)[:3]
        each = [canvas.map(layer, neuron, rgb="each") for neuron in neurons.tolist()]
        maps = canvas.maps(layer, neurons, rgb="each")
        np.testing.assert_allclose(maps, each, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(maps).max())))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - BENT))
@SEEDS
def test_gated_is_ablation_where_no_gate_follows(kind: str, seed: int) -> None:
    gated = traced(kind, seed)
    ablation, layer = gated.under("ablation"), gated.traced_layers[-1]
    neurons = all_neurons(layer, "kernel")
    for bias in ("separate", "split"):
        ours = gated.under("gated", bias=bias).maps(layer, neurons, rgb="each")
        truth = ablation.under("ablation", bias=bias).maps(layer, neurons, rgb="each")
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(ours).max())))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"quantised_and_masked"}))
def test_without_several_neurons_of_several_layers(kind: str) -> None:
    canvas = traced(kind, 0)
    inr, frame = canvas.inr, canvas.inr.n_frames - 1
    cut, removed = copy.deepcopy(inr.module), {}
    for layer in canvas.layers:
        if not changeable(canvas, layer):
            continue
        transposed = layer.op.startswith("conv_transpose")
        weight = cut.get_parameter(f"{layer.name}.weight").data
        if len(removed) % 2:
            removed[layer] = [layer.n_units - 1]
            weight[-1 if transposed else (slice(None), -1)] = 0
        else:
            removed[layer] = [(0, 0), (layer.n_units - 1, layer.n_outputs - 1), (0, 0)]
            weight[0, 0] = weight[-1, -1] = 0
    expected = cw.INR(cut, inr.inputs, inr.size, inr.n_frames, inr.output).frame(frame)
    np.testing.assert_allclose(canvas.ablate(removed, frame), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(canvas.ablate({}, frame), inr.frame(frame), rtol=1e-6, atol=1e-6)


@EVERY
def test_without_one_neuron_is_what_ablation_takes(kind: str) -> None:
    canvas = traced(kind, 0)
    for fill in ("zero", "mean"):
        ablation = canvas.under("ablation", fill=fill)
        for layer in ablation.traced_layers:
            for neuron in (layer.n_units - 1, (layer.n_units - 1, layer.n_outputs - 1)):
                image = canvas.ablate({layer: [neuron]}, fill=fill)
                lost = canvas.frame() - image
                np.testing.assert_allclose(
                    lost,
                    ablation.map(layer, neuron, rgb="each"),
                    rtol=1e-5,
                    atol=1e-6 * max(1, np.abs(lost).max()),
                )


def test_what_an_opaque_op_costs_is_told() -> None:
    canvas = cw.trace(build("opaque", 3), "gated")
    with pytest.raises(cw.UntraceableError, match=r"layer='b'.*opaque op 'cumprod'"):
        canvas.map("b", 0)
    checks = {check.layer: check for check in canvas.check() if "the remainder" in check.invariant}
    assert checks["c"].holds
    assert not checks["a"].holds
    assert "cumprod" in checks["a"].note
    assert "residual" in repr(canvas.check())
    assert canvas.under("ablation").map("b", 0).any()


def test_an_activation_between_counts_as_one_gate() -> None:
    canvas = cw.trace(build("mlp_finer", 0), "gated")
    assert not canvas.coverage().of("opaque")
    assert canvas.check().all_hold


@EVERY
@SEEDS
def test_totals_of_all_pixels_at_once_are_those_of_all_maps(kind: str, seed: int) -> None:
    canvas = traced(kind, seed)
    for layer in canvas.traced_layers:
        spacing, (height, width) = canvas.matrix.rule.spacing(layer), canvas.inr.size
        if spacing == (height, width) and height * width > 40:
            continue  # one pixel a pass, as `pixel` has it
        found = enumerated(canvas.matrix, layer, Asked(0, None, "sum").sample(), False)
        maps = np.concatenate([maps for _, maps in canvas.iter(layer)])
        scale = max(1e-6, float(np.abs(maps).sum((1, 2)).max()))
        totals = np.abs(maps).sum((1, 2))
        np.testing.assert_allclose(found.neuron_abs.ravel(), totals, rtol=1e-4, atol=1e-5 * scale)
        np.testing.assert_allclose(found.pixel_abs, np.abs(maps).sum(0), rtol=1e-4, atol=1e-5 * scale)
