"""Grouped convolutions: the neurons of a layer are the kernels that exist, everywhere."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.kernel import ranking, requests
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.tracing.layer_weight import magnitudes
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import all_neurons, chunks

SIZE = (6, 7)


def told(done: int, total: int) -> None:
    """Progress that nobody looks at."""


# (module, units, outputs, groups): grouped, depthwise, with several outputs a unit, transposed.
SHAPES = [
    (nn.Conv2d, 6, 4, 2),
    (nn.Conv2d, 6, 6, 6),
    (nn.Conv2d, 4, 12, 4),
    (nn.ConvTranspose2d, 6, 4, 2),
    (nn.ConvTranspose2d, 4, 8, 4),
    (nn.Conv2d, 3, 5, 1),
]
EVERY = pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda shape: f"{shape[0].__name__}-{'-'.join(map(str, shape[1:]))}"
)


class Decoder(nn.Module):
    """A grid, a grouped convolution and a head."""

    def __init__(self, kind: type[nn.Module], n_in: int, n_out: int, groups: int) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, n_in, *SIZE))
        self.middle = kind(n_in, n_out, 3, padding=1, groups=groups)
        self.head = nn.Conv2d(n_out, 3, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.middle(self.grid * (1 + t))))


def traced(shape: tuple[type[nn.Module], int, int, int], rule: str = "gated", **options: str) -> cw.Canvas:
    torch.manual_seed(sum(shape[1:]))
    return cw.trace(cw.INR.from_frames(Decoder(*shape).double().eval(), 2), rule, **options)


def kernels_by_hand(shape: tuple[type[nn.Module], int, int, int]) -> list[tuple[int, int]]:
    """``(i, o)`` of every slice of the weight, read off a module whose weight is 0 elsewhere."""
    kind, n_in, n_out, groups = shape
    module = kind(n_in, n_out, 1, groups=groups, bias=False)
    found = []
    for index in np.ndindex(*module.weight.shape[:2]):
        with torch.no_grad():
            module.weight.zero_()
            module.weight[index] = 1
            for unit in range(n_in):
                x = torch.zeros(1, n_in, 1, 1)
                x[0, unit] = 1
                found += [
                    (unit, output) for output in torch.nonzero(module(x)[0, :, 0, 0]).flatten().tolist()
                ]
    return sorted(found)


@EVERY
def test_neurons_are_the_kernels_that_exist(shape: tuple[type[nn.Module], int, int, int]) -> None:
    layer = traced(shape).layers[0]
    expected = kernels_by_hand(shape)
    assert (layer.n_units, layer.n_outputs, layer.n_groups) == shape[1:]
    assert layer.n_kernels == len(expected) == np.prod(layer.neurons)
    assert [tuple(kernel) for kernel in all_neurons(layer, None).tolist()] == expected
    assert [layer.neuron_at(place) for place in range(layer.n_kernels)] == expected
    np.testing.assert_array_equal(layer.flat_index(expected), np.arange(layer.n_kernels))
    assert {pair for pair in np.ndindex(layer.n_units, layer.n_outputs) if layer.has(pair)} == set(expected)
    for count in (1, 2, 3, 5, 100):
        parts = list(chunks(layer, None, count))
        assert torch.cat(parts).tolist() == [list(kernel) for kernel in expected]
        assert max(map(len, parts)) <= max(count, 1)


@EVERY
@pytest.mark.parametrize("bias", ["separate", "split"])
def test_rows_columns_and_units(shape: tuple[type[nn.Module], int, int, int], bias: str) -> None:
    canvas = traced(shape, bias=bias)
    layer, close = canvas.layers[0], {"rtol": 1e-5, "atol": 1e-6}
    kernels = canvas.maps(layer, all_neurons(layer, "kernel"), 1, rgb="each")
    units = canvas.maps(layer, range(layer.n_units), 1, rgb="each")
    np.testing.assert_allclose(kernels.reshape(layer.n_units, -1, *SIZE, 3).sum(1), units, **close)
    np.testing.assert_allclose(units.sum(0) + canvas.remainder(layer, 1), canvas.frame(1), **close)
    column = canvas.pixel(2, 3, 1, layer, rgb="each")[layer.name]
    assert column.shape == (*layer.neurons, 3)
    np.testing.assert_allclose(column.reshape(-1, 3), kernels[:, 2, 3], **close)
    whole = canvas.region(np.ones(SIZE), 1, layer, granularity="unit")[layer.name]
    np.testing.assert_allclose(whole, units.sum((1, 2, 3)), rtol=1e-5, atol=1e-5)
    assert canvas.check(1).all_hold


@EVERY
def test_ablation_by_hand_and_counts(shape: tuple[type[nn.Module], int, int, int]) -> None:
    canvas = traced(shape, "ablation")
    layer, module, inr = canvas.layers[0], canvas.inr.module, canvas.inr
    per_unit, per_group = layer.outputs_per_unit, layer.n_units // layer.n_groups
    sizes = magnitudes(canvas.matrix.capture, layer)
    for place, (unit, output) in enumerate(kernels_by_hand(shape)):
        at = (unit, output % per_unit) if "Transpose" in shape[0].__name__ else (output, unit % per_group)
        cut = copy.deepcopy(module)
        weight = cut.get_parameter("middle.weight").data
        assert sizes.ravel()[place] == pytest.approx(float(weight[at].abs().sum()))
        weight[at] = 0
        without = cw.INR(cut, inr.inputs, inr.size, inr.n_frames, inr.output).frame(0)
        np.testing.assert_allclose(canvas.ablate({layer: [(unit, output)]}), without, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            canvas.map(layer, (unit, output), rgb="each"), canvas.frame() - without, rtol=1e-5, atol=1e-6
        )
        edited = cw.edited(inr, {layer.name: {(unit, output): 0}}, canvas=canvas).module
        assert torch.equal(edited.get_parameter("middle.weight"), weight)


def test_findings_count_the_kernels_that_exist() -> None:
    canvas = traced((nn.Conv2d, 12, 12, 12))
    layer, name = canvas.layers[0], "middle"
    faith = cw.analysis.faithfulness(canvas, layer, progress=False)
    assert faith.n_neurons == 12
    assert len(faith.neurons) == 12
    assert cw.analysis.distribution(canvas, layer).n_neurons == 12
    assert cw.analysis.deletion(canvas, layer, progress=False).n_neurons == 12
    assert canvas.summary(layer).neuron_abs.size == 12
    pruned = cw.prune(canvas.inr, canvas, share=0.75, layers=layer, granularity="kernel", progress=False)
    weight = pruned.module.get_parameter("middle.weight")
    assert int((weight.flatten(1) == 0).all(1).sum()) == 9
    clusters = cw.analysis.cluster(canvas, layer, 3)
    assert clusters.counts.sum() == 12
    assert all(i == o for i, o in clusters.exemplars)
    assert all(ranked.neuron[0] == ranked.neuron[1] for ranked in canvas.top(1, 2, layers=layer))
    assert next(row for row in repr(canvas.layers).splitlines() if name in row).split().count("12") >= 2


def test_a_kernel_across_groups_is_refused() -> None:
    canvas = traced((nn.Conv2d, 6, 4, 2))
    for ask in (
        lambda: canvas.map("middle", (0, 3)),
        lambda: canvas.maps("middle", [(0, 0), (5, 1)]),
        lambda: canvas.ablate({"middle": [(2, 2)]}),
        lambda: canvas.edit({"middle": {(2, 2): 0}}),
    ):
        with pytest.raises(IndexError, match=r"2 groups, and unit \d has kernels to outputs \d to \d only"):
            ask()
    assert canvas.map("middle", (-1, -1)).shape == SIZE


def test_a_saved_canvas_keeps_the_same_neurons(tmp_path: Path) -> None:
    canvas = traced((nn.Conv2d, 4, 12, 4))
    layer = canvas.layers[0]
    clusters = cw.analysis.cluster(canvas, layer, 2)
    path = tmp_path / "grouped.zarr"
    canvas.save(path, layers=[0], maps="all", clusters=[clusters], progress=False)
    saved = cw.open(path)
    assert saved.layers[0] == layer
    np.testing.assert_allclose(saved.map(0, (2, 7)), canvas.map(0, (2, 7)), rtol=1e-6)
    with pytest.raises(IndexError, match="4 groups"):
        saved.map(0, (2, 2))
    y, x = saved.pixels[0]
    assert [one.neuron for one in saved.top(y, x, 5)] == [one.neuron for one in canvas.top(y, x, 5, layers=0)]
    assert saved.clusters[0].exemplars == clusters.exemplars
    assert [row.tolist() for row, _ in saved.iter(0)] == [all_neurons(layer, None).tolist()]


def test_places_of_a_layer_that_is_not_square() -> None:
    layer = Layer("a", "conv2d", 6, 9, (2, 2), (3, 3), 3)
    assert layer.neurons == (6, 3)
    assert [list(layer.outputs_of(unit)) for unit in (0, 1, 2, 5)] == [
        [0, 1, 2],
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
    ]
    assert layer.neuron_at(17) == (5, 8)
    assert int(layer.flat_index([(2, 4)])[0]) == 7
    assert layer.neurons_at([0, 5], "unit").tolist() == [0, 5]


def test_the_widget_shows_the_kernels_that_exist() -> None:
    canvas = traced((nn.Conv2d, 6, 4, 2))
    layer = canvas.layers[0]
    cached = CachedCanvas(canvas, ByteCache(2**24))
    body = {"layer": "middle", "n_clusters": 3, "cluster": -1, "pixel": (2, 3), "time": 0}
    grid, _ = requests.answer(
        cached, {"kind": "grid", **body, "sort": "index", "first": 0, "count": 20, "side": 4}, told
    )
    assert grid["n_neurons"] == 12
    assert grid["neurons"] == all_neurons(layer, None).tolist()
    columns = ranking.pixel_columns(cached, [layer], (2, 3), 0, told)
    for one in ranking.top(cached, columns, 12):
        assert one.value == pytest.approx(float(canvas.map(layer, one.neuron)[2, 3]), rel=1e-5, abs=1e-7)
    widget = cw.CanvasWidget(canvas, layer="middle", neuron=(5, 3))
    assert widget.neuron == (5, 3)
    with pytest.raises(IndexError, match="unit 5 has kernels to outputs 2 to 3 only"):
        widget.neuron = (5, 0)
    widget.close()
