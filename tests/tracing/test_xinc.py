"""The rule `xinc` against the plain oracle and against what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from tests.small_models import Cnn, Mlp, SmallModel, cnns, mlps
from tests.zoo.kind import Function

EXACT = {"rtol": 1e-5, "atol": 1e-6}  # answers leave the package in single precision
calm = settings(suppress_health_check=list(HealthCheck))


def last_frame(small: SmallModel) -> int:
    return small.inr.n_frames - 1


@calm
@given(st.one_of(mlps(), cnns()))
def test_every_map_equals_the_oracle(small: SmallModel) -> None:
    canvas = cw.trace(small.inr)
    assert [layer.name for layer in canvas.traced_layers] == list(small.maps)
    for name, expected in small.maps.items():
        flat = expected.flatten(0, -3).numpy()
        chunks = list(canvas.iter(name, last_frame(small)))
        neurons = np.concatenate([neurons for neurons, _ in chunks])
        maps = np.concatenate([maps for _, maps in chunks])
        np.testing.assert_allclose(maps, flat, **EXACT)
        np.testing.assert_array_equal(
            neurons.reshape(len(flat), -1), np.argwhere(np.ones(expected.shape[:-2], bool))
        )
        summary = canvas.summary(name, last_frame(small), rgb="sum")
        np.testing.assert_allclose(summary.neuron_abs, expected.abs().sum((-2, -1)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(summary.neuron_sum, expected.sum((-2, -1)), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(summary.pixel_abs, np.abs(flat).sum(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(summary.pixel_sum, flat.sum(0), rtol=1e-4, atol=1e-4)


@calm
@given(st.one_of(mlps(), cnns()), st.data())
def test_row_and_column_agree(small: SmallModel, data: st.DataObject) -> None:
    height, width = small.inr.size
    y, x = data.draw(st.integers(-height, height - 1)), data.draw(st.integers(-width, width - 1))
    columns = cw.trace(small.inr).pixel(y, x, last_frame(small))
    assert list(columns) == list(small.maps)
    for name, expected in small.maps.items():
        np.testing.assert_allclose(columns[name], expected[..., y, x], **EXACT)


@calm
@given(st.one_of(mlps(), cnns()))
def test_the_last_layers_maps_sum_to_the_raw_output(small: SmallModel) -> None:
    canvas = cw.trace(small.inr)
    last, frame = canvas.traced_layers[-1], last_frame(small)
    image = canvas.frame(frame)
    each = np.concatenate([maps for _, maps in canvas.iter(last, frame, rgb="each")]).sum(0)
    np.testing.assert_allclose(each, image, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(canvas.summary(last, frame).pixel_sum, image.sum(-1), rtol=1e-4, atol=1e-5)
    magnitude = np.concatenate([maps for _, maps in canvas.iter(last, frame, granularity="unit", rgb="abs")])
    units = np.concatenate([maps for _, maps in canvas.iter(last, frame, granularity="unit", rgb="each")])
    np.testing.assert_allclose(magnitude, np.abs(units).sum(-1), **EXACT)


@calm
@given(cnns())
def test_kernels_of_a_unit_sum_to_the_unit(small: SmallModel) -> None:
    canvas = cw.trace(small.inr)
    for name, expected in small.maps.items():
        units = np.concatenate([maps for _, maps in canvas.iter(name, last_frame(small), granularity="unit")])
        np.testing.assert_allclose(units, expected.sum(1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(canvas.map(name, 0, last_frame(small)), units[0], rtol=1e-4, atol=1e-5)


@calm
@given(st.one_of(mlps(), cnns()), st.data())
def test_a_region_is_the_sum_over_its_pixels(small: SmallModel, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1000))
    weights = np.random.default_rng(seed).normal(size=small.inr.size)
    regions = cw.trace(small.inr).region(weights, last_frame(small))
    for name, expected in small.maps.items():
        np.testing.assert_allclose(
            regions[name], (expected.numpy() * weights).sum((-2, -1)), rtol=1e-4, atol=1e-4
        )


@calm
@given(cnns(head_sizes=(1,)))
def test_locality(small: SmallModel) -> None:
    """Before the mean filter a map is activation(0) off its phase: with 1x1 filters that is what is left."""
    canvas = cw.trace(small.inr)
    model = small.inr.module
    assert isinstance(model, Cnn)
    layer = canvas.traced_layers[-2]
    upscale = small.inr.size[0] // layer.grid[0]
    rest = float(model.activation(torch.zeros(1, dtype=torch.float64)))
    for neurons, maps in canvas.iter(layer):
        for (_, output), one in zip(neurons, maps, strict=True):
            phase = output % upscale**2
            off = np.ones(small.inr.size, bool)
            off[phase // upscale :: upscale, phase % upscale :: upscale] = False
            np.testing.assert_allclose(one[off], rest, **EXACT)


@calm
@given(st.one_of(mlps(), cnns()), st.sampled_from(["1 MiB", "7 MiB", "1 GiB"]))
def test_any_budget_gives_the_same_numbers(small: SmallModel, memory: str) -> None:
    ours, reference = cw.trace(small.inr, memory=memory), cw.trace(small.inr)
    for name in small.maps:
        for one, other in zip(ours.iter(name), reference.iter(name), strict=False):
            np.testing.assert_allclose(one[1], other[1][: len(one[1])], rtol=1e-6, atol=1e-7)


@calm
@given(mlps(min_hidden=1))
def test_permuting_hidden_neurons_permutes_their_maps(small: SmallModel) -> None:
    model = small.inr.module
    assert isinstance(model, Mlp)
    before = cw.trace(small.inr)
    order = torch.randperm(model.layers[1].in_features)
    maps = before.maps("layers.1", list(range(len(order))))
    with torch.no_grad():
        model.layers[0].weight.copy_(model.layers[0].weight[order])
        if model.layers[0].bias is not None:
            model.layers[0].bias.copy_(model.layers[0].bias[order])
        model.layers[1].weight.copy_(model.layers[1].weight[:, order])
    after = cw.trace(small.inr).maps("layers.1", list(range(len(order))))
    np.testing.assert_allclose(after, maps[order.numpy()], **EXACT)


class Cropped(nn.Module):
    """A decoder that makes more than the image and crops and turns it."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, 2, 3, 4))
        self.conv = nn.Conv2d(2, 8, 3, padding=1)
        self.head = nn.Conv2d(2, 3, 3, padding=1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.relu(nn.functional.pixel_shuffle(self.conv(self.grid * (1 + t)), 2))
        return torch.sigmoid(self.head(x)[:, :, 1:6, 2:].transpose(2, 3))


def test_an_output_that_is_cropped_and_turned() -> None:
    torch.manual_seed(0)
    model = Cropped()
    canvas = cw.trace(cw.INR.from_frames(model, 1, size=(6, 5)))
    raw = torch.logit(torch.from_numpy(canvas.frame())).numpy()
    each = np.concatenate([maps for _, maps in canvas.iter("head", rgb="each")]).sum(0)
    np.testing.assert_allclose(each, raw, rtol=1e-4, atol=1e-5)
    column = canvas.pixel(4, 1)["conv"]
    np.testing.assert_allclose(column[1, 5], canvas.map("conv", (1, 5))[4, 1], **EXACT)


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        return self.last(x + torch.relu(self.second(x)))


def test_what_xinc_does_not_define_is_named() -> None:
    canvas = cw.trace(cw.INR.from_coords(Skip(), (4, 4)), "xinc")
    assert [layer.name for layer in canvas.traced_layers] == ["last"]
    with pytest.raises(cw.UntraceableError, match=r"second.*not defined.*'add'"):
        canvas.map("second", 0)
    assert {op.path: op.status for op in canvas.coverage()}["second"] == "frozen"


def test_a_model_without_a_weighted_output_is_refused() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 3), nn.Linear(2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) * self.b(x)

    with pytest.raises(cw.UntraceableError, match="'mul'"):
        cw.trace(cw.INR.from_coords(Product(), (4, 4)), "xinc")


def test_strided_and_grouped_convolutions_are_refused() -> None:
    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid = nn.Parameter(torch.randn(1, 6, 4, 4))
            self.head = nn.Conv2d(6, 3, 3, padding=1, groups=3)

        def forward(self, t: torch.Tensor) -> torch.Tensor:
            return self.head(self.grid * t)

    with pytest.raises(cw.UntraceableError, match=r"'head'.*3 groups"):
        cw.trace(cw.INR.from_frames(Grouped(), 1), "xinc")


class Copied(nn.Module):
    """Two functions between two layers, with an op between them that changes no value."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.between = nn.Linear(2, 5), nn.Linear(5, 3), between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.sin(self.between(torch.relu(self.first(x)))))


def test_an_op_between_two_activations_that_changes_no_value_changes_no_map() -> None:
    expected = cw.trace(cw.INR.from_coords(Copied(nn.Identity()), (3, 4)), "xinc").map("first", 1)
    for between in (nn.Dropout(0.5), Function(torch.clone), Function(torch.detach)):
        canvas = cw.trace(cw.INR.from_coords(Copied(between).eval(), (3, 4)), "xinc")
        np.testing.assert_array_equal(canvas.map("first", 1), expected)
