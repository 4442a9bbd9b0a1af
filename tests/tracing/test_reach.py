"""The ways that `gated` computes few channels and few passes give the same numbers as whole terms do."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.utils import _pytree as pytree

import canvaswidget as cw
from canvaswidget.tracing.budget import Budget
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.interpreter import Program
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix
from canvaswidget.tracing.neurons import all_neurons, by_output
from canvaswidget.tracing.reduce import Totals, summarise
from canvaswidget.tracing.rules.gated.frozen import Frozen
from canvaswidget.tracing.rules.gated.responses import Suffix
from canvaswidget.tracing.rules.gated.rule import Gated
from canvaswidget.tracing.window import Window
from tests.tracing.same_in_every_way import same_in_every_way
from tests.zoo import build

CHANNELS = 4
Op = Callable[[random.Random, torch.Tensor], torch.Tensor]


class Decoder(nn.Module):
    """Convolutions with random ops between them that move, enlarge, join, cut, scale and mix channels."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        rng = random.Random(seed)
        self.seed = seed
        self.start = nn.Parameter(torch.randn(1, CHANNELS, 3, 4))
        self.scale = nn.Parameter(torch.randn(CHANNELS, 1, 1))
        self.convs = nn.ModuleList(
            nn.Conv2d(CHANNELS, CHANNELS * 4, size, padding=size // 2, groups=rng.choice([1, 1, 2]))
            for size in rng.choices([1, 3, 5], k=3)
        )
        self.down = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, 2, padding=1) for _ in range(3))
        self.wide = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, 1, "same", 2) for _ in range(3))
        self.up = nn.ModuleList(nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2) for _ in range(3))
        self.head = nn.Conv2d(CHANNELS, 3, 3, padding=1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        rng, x = random.Random(self.seed), self.start * (1 + t)
        for index, conv in enumerate(self.convs):
            before = F.interpolate(x, scale_factor=2)
            x = F.pixel_shuffle(conv(x), 2)
            for name in rng.choices(list(OPS), k=2):
                x = OPS[name](self, rng, x, before, index)
        return self.head(x)[0]


OPS: dict[str, Callable[[Decoder, random.Random, torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "gelu": lambda model, rng, x, before, index: F.gelu(x),
    "sine": lambda model, rng, x, before, index: torch.sin(3 * x),
    "skip": lambda model, rng, x, before, index: before - 2 * x,
    "twice": lambda model, rng, x, before, index: F.relu(x) + torch.sin(x),
    "reversed": lambda model, rng, x, before, index: torch.rsub(x, before, alpha=2),
    "scaled": lambda model, rng, x, before, index: model.scale * x / 3,
    "divided": lambda model, rng, x, before, index: x / (before.abs() + 1),
    "joined": lambda model, rng, x, before, index: torch.cat([before[:, :2], x[:, 1:3]], 1),
    "joined_whole": lambda model, rng, x, before, index: F.gelu(torch.cat([before, x], 1))[:, 2:6],
    "doubled": lambda model, rng, x, before, index: torch.cat([x, x], 1)[:, 1:5],
    "flattened": lambda model, rng, x, before, index: torch.sin(x.flatten(2)).view(x.shape),
    "turned": lambda model, rng, x, before, index: F.gelu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "flipped": lambda model, rng, x, before, index: x.flip(-1),
    "mirrored": lambda model, rng, x, before, index: F.pad(x, (1, 1, 1, 1), "reflect")[..., 1:-1, :-2],
    "padded": lambda model, rng, x, before, index: F.pad(x, (0, 2, 1, 0), value=0.3)[..., :-1, 2:],
    "smooth": lambda model, rng, x, before, index: F.avg_pool2d(
        F.interpolate(x, scale_factor=2, mode="bilinear"), 2
    ),
    "strided": lambda model, rng, x, before, index: F.interpolate(model.down[index](x), scale_factor=2),
    "dilated": lambda model, rng, x, before, index: F.gelu(model.wide[index](x)) + x,
    "transposed": lambda model, rng, x, before, index: F.avg_pool2d(model.up[index](x), 2),
    "mean": lambda model, rng, x, before, index: x - x.mean((2, 3), keepdim=True),
}


@functools.cache
def traced(seed: int) -> cw.Canvas:
    model = Decoder(seed).double()
    return cw.trace(cw.INR.from_frames(model, 2), "gated", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.repeats) for seed in range(10, 60))]
)
def test_random_decoders(seed: int) -> None:
    canvas = traced(seed)
    same_in_every_way(canvas, ("separate", "split", "drop")[seed % 3])
    assert canvas.check(1, progress=False).all_hold
    last = canvas.layers[-1]
    neurons = all_neurons(last, "kernel")
    ablated = canvas.under("ablation").maps(last, neurons, rgb="each")
    np.testing.assert_allclose(canvas.maps(last, neurons, rgb="each"), ablated, rtol=1e-5, atol=1e-5)


def suffix_of(canvas: cw.Canvas, layer: Layer) -> Suffix | None:
    rule = canvas.matrix.rule
    assert isinstance(rule, Gated)
    return rule.shared.of(canvas.matrix.capture.weighted[layer.name])


@pytest.fixture
def nerv() -> cw.Canvas:
    torch.manual_seed(0)
    model = cw.models.NeRV(embed="pe_1.25_4", fc_dim=12, fc_hw="3_4", dec_strds=(4, 2), n_frames=4)
    return cw.trace(model, "gated", progress=False)


def test_kernels_of_an_output_take_fewer_passes_than_kernels(
    nerv: cw.Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[object, int]] = []
    carry = Frozen.carry

    def counted(state: Frozen, program: Program, start: fx.Node, stop: fx.Node, terms: torch.Tensor) -> Any:
        found = carry(state, program, start, stop, terms)
        passes.append((program, len(pytree.tree_leaves(found)[0])))
        return found

    monkeypatch.setattr(Frozen, "carry", counted)
    for layer in nerv.traced_layers[1:-1]:
        suffix = suffix_of(nerv, layer)
        assert suffix is not None
        nerv.summary(layer, 1, progress=False)
        count = sum(n for program, n in passes if program is suffix.after)
        assert 0 < count < 0.7 * layer.n_kernels
    assert suffix_of(nerv, nerv.layers[-1]) is None  # nothing follows it


@pytest.mark.parametrize("rgb", ["abs", "sum", "red"])
def test_totals_are_those_of_the_maps_in_c_order(nerv: cw.Canvas, rgb: str) -> None:
    for layer in nerv.traced_layers:
        found = nerv.summary(layer, 2, rgb=rgb, progress=False)
        maps = "each" if rgb == "abs" else rgb
        sweep = nerv.matrix.sweep(layer, 2, None, maps, False, Totals.of)
        expected = summarise(layer, 2, None, nerv.inr.size, sweep, rgb)
        for name in ("neuron_abs", "neuron_sum", "pixel_abs", "pixel_sum"):
            ours, theirs = getattr(found, name), getattr(expected, name)
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


def test_a_small_memory_gives_the_same_totals(nerv: cw.Canvas) -> None:
    small = Canvas(nerv.matrix.capture, nerv.matrix.rule, 2**20)
    for layer in nerv.traced_layers[1:]:
        ours, theirs = (one.summary(layer, 3, progress=False) for one in (small, nerv))
        np.testing.assert_allclose(ours.neuron_abs, theirs.neuron_abs, rtol=1e-5)
    tiny = Budget(1000, 4, torch.device("cpu"))
    layer, window = nerv.layers[-2], Window.whole(nerv.inr.size)
    rule, state = nerv.matrix.rule, nerv.matrix.frame(3).state
    kernels = next(by_output(layer))
    maps = torch.cat([maps for _, maps in rule.maps_of_output(layer, state, kernels, window, "sum", tiny)])
    torch.testing.assert_close(maps, rule.maps(layer, state, kernels, window))


def test_spans_of_a_convolution_are_what_its_kernel_reads() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Tanh(), nn.Conv2d(2, 3, 3, padding=1))

    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.grid = model, nn.Parameter(torch.randn(1, 2, 5, 6))

        def forward(self, t: torch.Tensor) -> torch.Tensor:
            return self.model(self.grid * (1 + t))[0]

    canvas = cw.trace(cw.INR.from_frames(Picture(), 2), "gated", progress=False)
    suffix = suffix_of(canvas, canvas.layers[0])
    assert suffix is not None
    rows, columns = np.indices((5, 6))
    assert suffix.spans.widest == [3, 3]
    np.testing.assert_array_equal(suffix.spans.low, [np.maximum(rows - 1, 0), np.maximum(columns - 1, 0)])
    np.testing.assert_array_equal(suffix.spans.high, [np.minimum(rows + 1, 4), np.minimum(columns + 1, 5)])


ENLARGED: dict[str, tuple[bool, Callable[[torch.Tensor], torch.Tensor]]] = {
    "shuffle": (True, lambda x: F.pixel_shuffle(x, 2)),
    "shuffles": (True, lambda x: F.pixel_shuffle(F.pixel_shuffle(torch.cat([x, x], 1), 2), 2)),
    "nearest": (True, lambda x: F.interpolate(x, scale_factor=2)),
    "bilinear": (False, lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "bicubic": (False, lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")),
}


@pytest.mark.parametrize("kind", ENLARGED)
@pytest.mark.parametrize("alike", [True, False])
def test_spans_hold_all_positions_that_a_pixel_depends_on(kind: str, alike: bool) -> None:
    """By one term at each position of a layer's output; exactly those, but for interpolations, which may be wider."""
    is_exact, enlarge = ENLARGED[kind]

    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.grid, self.first = nn.Parameter(torch.randn(1, 2, 4, 5)), nn.Conv2d(2, 8, 1)
            self.last = nn.LazyConv2d(3, 3, padding=1)

        def forward(self, t: torch.Tensor) -> torch.Tensor:
            x = self.first(self.grid * (1 + t))
            if not alike:  # half of the channels depend on other positions
                x = torch.cat([x[:, :4], x[:, 4:].roll(1, -1)], 1)
            return self.last(enlarge(torch.sin(x)))[0]

    picture = Picture().double()
    picture(torch.zeros(1))
    canvas = cw.trace(cw.INR.from_frames(picture, 2), "gated", progress=False)
    rule, found = canvas.matrix.rule, canvas.matrix.capture.weighted[canvas.layers[0].name]
    assert isinstance(rule, Gated)
    spans = rule.shared.spans(found)
    assert spans is not None
    terms = torch.eye(20, dtype=torch.float64).reshape(20, 1, 1, 4, 5).expand(-1, -1, 8, -1, -1)
    reached = canvas.matrix.frame(0).state.forward(found, terms).abs().sum(1) > 1e-12
    places = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij")).flatten(1)
    low = torch.where(reached, places[:, :, None, None], 99).amin(1)
    high = torch.where(reached, places[:, :, None, None], -1).amax(1)
    assert bool((spans.low <= low).all())
    assert bool((spans.high >= high).all())
    if is_exact:
        torch.testing.assert_close(spans.low, low)
        torch.testing.assert_close(spans.high, high)


def test_an_estimate_of_the_time_measures_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first maps of a group wait for the passes that all of it shares."""
    canvas = cw.trace(build("nerv", 0), "gated")
    taken: list[int] = []

    def sweep(*arguments: Any, **keywords: Any) -> Any:
        for part, reduced in Matrix.sweep(canvas.matrix, *arguments, **keywords):
            for one in part.split(1):  # as where memory holds one map
                taken.append(len(one))
                yield one, reduced

    layer = next(one for one in canvas.traced_layers if canvas.matrix._together(one, None))
    monkeypatch.setattr(canvas.matrix, "sweep", sweep)
    monkeypatch.setattr("canvaswidget.tracing.matrix.time.perf_counter", itertools.count().__next__)
    assert canvas.estimate(layer).seconds > 0
    assert sum(taken) % layer.n_units == 0
