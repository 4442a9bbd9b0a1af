"""What a recorded graph is rewritten to gives the same numbers, whatever the equation."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.capture.precision import place
from canvaswidget.tracing.capture.recording import record
from canvaswidget.tracing.neurons import all_neurons
from tests.zoo import build

SIZE = (3, 4)


class Equation(nn.Module):
    """Features of each pixel, contracted with a weight, in any order of the axes; then added up to colours."""

    def __init__(self, equation: str, shape: list[int], feature_shape: list[int], weight_first: bool) -> None:
        super().__init__()
        self.lift = nn.Linear(2, int(torch.tensor(feature_shape).prod()))
        self.weight = nn.Parameter(torch.randn(shape))
        self.equation, self.feature_shape, self.weight_first = equation, feature_shape, weight_first

    def forward(self, coords: torch.Tensor) -> torch.Tensor:
        x = torch.sin(self.lift(coords)).unflatten(-1, self.feature_shape)
        operands = (self.weight, x) if self.weight_first else (x, self.weight)
        made = torch.einsum(self.equation, *operands)
        pixels = made.movedim(self.equation.split("->")[1].index("n"), 0).reshape(len(coords), -1)
        return torch.stack([pixels.sum(1), pixels[:, 0], pixels[:, -1]], 1)


@st.composite
def equations(draw: st.DrawFn) -> tuple[Equation, bool]:
    """An equation, and whether it is one of a linear layer: something summed over, something made, no shared axis."""
    features = draw(st.sampled_from(["a", "ab", "abc"]))
    sizes = dict(zip("abcde", (2, 3, 2, 4, 2), strict=True))
    in_weight = draw(st.lists(st.sampled_from(features), unique=True, min_size=1))
    made = draw(st.sampled_from(["", "d", "de"]))
    weight = draw(st.permutations([*in_weight, *made]))
    shared = draw(st.booleans()) if len(in_weight) > 1 else False
    kept = [letter for letter in features if letter not in in_weight] + (in_weight[:1] if shared else [])
    result = draw(st.permutations(["n", *kept, *made]))
    weight_first = draw(st.booleans())
    terms = ["".join(weight), "n" + features] if weight_first else ["n" + features, "".join(weight)]
    equation = f"{','.join(terms)}->{''.join(result)}"
    shape, feature_shape = [sizes[letter] for letter in weight], [sizes[letter] for letter in features]
    return Equation(equation, shape, feature_shape, weight_first), bool(made) and not shared


@given(equations())
def test_a_contraction_is_a_layer_where_it_can_be_and_the_picture_is_the_same(
    case: tuple[Equation, bool],
) -> None:
    module, is_layer = case
    canvas = cw.trace(cw.INR.from_coords(module.double(), SIZE), "gated")
    assert [layer.name for layer in canvas.layers] == ["lift", *["einsum"] * is_layer], module.equation
    assert canvas.check().all_hold, module.equation
    if is_layer:
        made = module.weight.numel()
        assert canvas.layers[1].n_units * canvas.layers[1].n_outputs == made


def _shuffled_by_views(x: torch.Tensor) -> torch.Tensor:
    n, channels, height, width = x.shape
    x = x.view(n, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3).contiguous()
    return x.view(n, channels // 4, 2 * height, 2 * width)


def _shuffled_by_reshape(x: torch.Tensor) -> torch.Tensor:
    n, channels, height, width = x.shape
    x = x.view(n, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(n, channels // 4, 2 * height, 2 * width)


def _shuffled_without_batch(x: torch.Tensor) -> torch.Tensor:
    channels, height, width = x.shape[-3:]
    x = x.reshape(channels // 4, 2, 2, height, width).permute(0, 3, 1, 4, 2)
    return x.reshape(channels // 4, 2 * height, 2 * width)


SHUFFLES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "views": _shuffled_by_views,
    "reshape": _shuffled_by_reshape,
    "unflatten": lambda x: x.unflatten(1, (-1, 2, 2)).permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3),
    "without_batch": lambda x: _shuffled_without_batch(x[0])[None],
    "batch_dropped": lambda x: _shuffled_without_batch(x.squeeze(0)),
    "torch_without_batch": lambda x: nn.functional.pixel_shuffle(x[0], 2),
}


class Upscaled(nn.Module):
    """Two convolutions with a pixel shuffle between them, by torch or by hand."""

    def __init__(self, shuffle: Callable[[torch.Tensor], torch.Tensor], batch: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.grid = nn.Parameter(torch.randn(1, 4, 2, 3))
        self.conv, self.head = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)
        self.shuffle, self.batch = shuffle, batch

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = self.grid * t if self.batch else self.grid[0] * t
        x = self.head(torch.relu(self.shuffle(self.conv(x))))
        return x if x.ndim == 4 else x[None]


def _shuffles(shuffle: Callable[[torch.Tensor], torch.Tensor], batch: bool = True) -> cw.Canvas:
    canvas = cw.trace(cw.INR.from_frames(Upscaled(shuffle, batch).double(), 2), "xinc")
    assert [layer.name for layer in canvas.traced_layers] == ["conv", "head"]
    return canvas


@pytest.mark.parametrize("how", SHUFFLES)
def test_a_pixel_shuffle_by_hand_is_a_pixel_shuffle(how: str) -> None:
    plain, by_hand = _shuffles(nn.PixelShuffle(2)), _shuffles(SHUFFLES[how])
    np.testing.assert_array_equal(plain.map("conv", (1, 2), 1), by_hand.map("conv", (1, 2), 1))


def test_xinc_takes_convolutions_without_a_batch_axis() -> None:
    plain = _shuffles(nn.PixelShuffle(2))
    for shuffle in (nn.PixelShuffle(2), _shuffled_without_batch):
        alone = _shuffles(shuffle, batch=False)
        np.testing.assert_array_equal(plain.map("conv", (1, 2), 1), alone.map("conv", (1, 2), 1))
        np.testing.assert_array_equal(plain.map("head", (1, 2), 1), alone.map("head", (1, 2), 1))


def test_another_order_of_the_values_is_no_pixel_shuffle() -> None:
    def turned(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pixel_shuffle(x.mT, 2).mT

    canvas = cw.trace(cw.INR.from_frames(Upscaled(turned).double(), 2), "xinc")
    assert [layer.name for layer in canvas.traced_layers] == ["head"]


class Compared(nn.Module):
    """The larger or smaller of two features, by a function that is given."""

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.first(x))
        return self.last(self.function(self.second(h), h))


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("maximum", (torch.max, torch.clamp_min, lambda a, b: torch.clamp(a, min=b))),
        ("minimum", (torch.min, torch.clamp_max, lambda a, b: torch.clamp(a, max=b))),
    ],
)
def test_the_larger_of_two_has_the_same_maps_by_every_name(
    name: str, others: tuple[Callable[..., torch.Tensor], ...]
) -> None:
    plain = cw.trace(cw.INR.from_coords(Compared(getattr(torch, name)), SIZE), "gated")
    for function in others:
        canvas = cw.trace(cw.INR.from_coords(Compared(function), SIZE), "gated")
        assert [layer.name for layer in canvas.traced_layers] == ["first", "second", "last"]
        for layer in canvas.traced_layers:
            np.testing.assert_array_equal(
                canvas.maps(layer, range(layer.n_units)), plain.maps(layer.name, range(layer.n_units))
            )


class WritesFromTheEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 6), nn.Linear(6, 3)

    def forward(self, coords: torch.Tensor) -> torch.Tensor:
        h = self.first(coords)
        h[..., -2:] *= torch.relu(h[..., :2])
        h[..., -5:-3] = torch.sin(h[..., -2:])
        return self.last(h)


def test_a_slice_counted_from_the_end_is_written_where_torch_writes_it() -> None:
    canvas = cw.trace(cw.INR.from_coords(WritesFromTheEnd().double(), SIZE), "gated")
    first = canvas.layers[0]
    total = canvas.maps(first, all_neurons(first, "unit"), rgb="each").sum(0) + canvas.remainder(first)
    np.testing.assert_allclose(total, canvas.frame(), rtol=1e-5, atol=1e-6)
    assert canvas.check().all_hold


class Products(nn.Module):
    """Products of features with a parameter, which are linear layers however they are written."""

    def __init__(self, how: str, *shape: int) -> None:
        super().__init__()
        self.lift, self.last = nn.Linear(2, 6), nn.Linear(6, 3)
        self.weight, self.how = nn.Parameter(torch.randn(shape)), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = torch.tanh(self.lift(x)), self.weight
        made = {
            "bmm": lambda: torch.bmm(h[None], w)[0],
            "matmul": lambda: (h[None] @ w.mT)[0],
            "spread": lambda: torch.bmm(h.unflatten(0, (3, 4)), w.expand(3, -1, -1)).flatten(0, 1),
            "repeated": lambda: torch.bmm(h.unflatten(0, (3, 4)), w.repeat(3, 1, 1)).flatten(0, 1),
            "baddbmm": lambda: torch.baddbmm(h[None], h[None], w, alpha=0.3)[0],
            "einsum": lambda: torch.einsum("bni,bio->bno", h.unflatten(0, (3, 4)), w).flatten(0, 1),
            "left": lambda: (w @ h.T).T,
            "left_of_three": lambda: torch.bmm(w, h.T[None])[0].T,
            "vector": lambda: h * h.mv(w)[:, None] + (h @ w)[:, None],
            "vector_of_pixels": lambda: h + w @ h,
            "linear_with_a_vector": lambda: h * nn.functional.linear(h, w)[:, None],
        }
        return self.last(torch.relu(made[self.how]()))


WRITTEN = {
    "bmm": (1, 6, 6),
    "matmul": (1, 6, 6),
    "spread": (1, 6, 6),
    "repeated": (6, 6),
    "baddbmm": (1, 6, 6),
    "einsum": (1, 6, 6),
    "left": (6, 6),
    "left_of_three": (1, 6, 6),
    "vector": (6,),
    "vector_of_pixels": (12,),
    "linear_with_a_vector": (6,),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_product_with_a_parameter_is_a_layer(how: str) -> None:
    torch.manual_seed(0)
    module, shape = Products(how, *WRITTEN[how]).double(), WRITTEN[how]
    inr = cw.INR.from_coords(module, SIZE)
    canvas = cw.trace(inr, "gated")
    assert len(canvas.layers) == (4 if how == "vector" else 3)
    assert canvas.layers.note == "100 % of " + canvas.layers.note.split("of ")[1]
    layer = canvas.layers[1]
    assert layer.n_units == shape[-1]
    ablation = canvas.under("ablation")
    assert canvas.check().all_hold
    assert ablation.check().all_hold
    if how == "vector":
        return  # two layers share the weight
    # A unit of a square matrix is a row of it where it stands to the right, a column where it stands to the left.
    column = how in ("matmul", "left", "left_of_three")
    cut = copy.deepcopy(module)
    cut.weight.data[(..., 2) if column or len(shape) == 1 else (..., 2, slice(None))] = 0
    lost = inr.frame() - cw.INR.from_coords(cut, SIZE).frame()
    np.testing.assert_allclose(ablation.map(layer, 2, rgb="each"), lost, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "kind", ["between_computed_bias", "between_differences", "between_cosine_similarity"]
)
def test_tensors_made_in_a_forward_are_on_the_device_that_computes(kind: str) -> None:
    graph = record(build(kind, 0), torch.device("cpu")).graph
    place(graph, torch.device("meta"), {})
    made = [node for node in graph.nodes if node.op == "call_function" and "device" in node.kwargs]
    assert made
    assert {node.kwargs["device"] for node in made} == {torch.device("meta")}
