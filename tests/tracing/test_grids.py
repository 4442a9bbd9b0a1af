"""Features of learned grids as layers: by hand, against surgery on the table, and left alone where they must be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.neurons import all_neurons
from tests.small_models import Cnn

ROUNDED: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


class Bilinear(nn.Module):
    """Nothing but a grid that is sampled, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, 4, 2, 3))
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sampled = F.grid_sample(self.grid, x.flip(-1)[None, None], align_corners=True)
        return self.head(sampled[0, :, 0].T)


class Hashed(nn.Module):
    """Instant-NGP: a table a level, places hashed by integer arithmetic, corners weighted, levels joined, an MLP."""

    def __init__(self, separate: bool = True, n_levels: int = 3, n_features: int = 2) -> None:
        super().__init__()
        sizes = [8 * (separate or n_levels)] * (n_levels if separate else 1)
        self.tables = nn.ParameterList(torch.randn(size, n_features) for size in sizes)
        self.resolutions = [2 * 2**level for level in range(n_levels)]
        self.first = nn.Linear(n_levels * n_features, 5)
        self.last = nn.Linear(5, 3)

    def level(self, table: torch.Tensor, offset: int, resolution: int, x: torch.Tensor) -> torch.Tensor:
        place = (x + 1) / 2 * resolution
        low = place.floor().long()
        part = place - low
        corners, weights = [], []
        for dy in (0, 1):
            for dx in (0, 1):
                y, column = low[:, 0] + dy, low[:, 1] + dx
                corners.append(table[offset + torch.bitwise_xor(y, column * 2654435761) % 8])
                weights.append(
                    (part[:, 0] if dy else 1 - part[:, 0]) * (part[:, 1] if dx else 1 - part[:, 1])
                )
        return (torch.stack(corners, 1) * torch.stack(weights, 1)[..., None]).sum(1)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        several = len(self.tables) > 1
        return torch.cat(
            [
                self.level(self.tables[level if several else 0], 0 if several else 8 * level, resolution, x)
                for level, resolution in enumerate(self.resolutions)
            ],
            -1,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(self.encode(x))))


class AllLevels(nn.Module):
    """The levels of one table looked up at once, and flattened as ``(levels * features)``."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(3 * 8, 2))
        self.register_buffer("scales", torch.tensor([2.0, 4.0, 8.0]))
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = (x[:, None] + 1) * self.get_buffer("scales")[:, None]
        low, high = place.floor().long(), place.ceil().long()
        offset = 8 * torch.arange(3, device=x.device)
        part = (place - low)[..., :1]

        def at(corner: torch.Tensor) -> torch.Tensor:
            return self.table[offset + (corner[..., 0] * 3 + corner[..., 1]) % 8]

        return self.last(torch.relu(torch.flatten(at(low) * (1 - part) + at(high) * part, -2)))


class Temporal(nn.Module):
    """FFNeRV: grids of several temporal resolutions, interpolated between two of their frames, joined, convolved."""

    def __init__(self, channels_last: bool = False) -> None:
        super().__init__()
        shape = (2, 3, 4)
        self.channels_last = channels_last
        self.grids = nn.ParameterList(
            torch.randn(n, *((*shape[1:], shape[0]) if channels_last else shape)) for n in (2, 3)
        )
        self.conv, self.head = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(2, 3, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        found = []
        for grid in self.grids:
            place = t * (len(grid) - 1)
            low = place.floor().long().clamp(max=len(grid) - 2)
            part = (place - low).reshape(-1, 1, 1, 1)
            value = grid[low] * (1 - part) + grid[low + 1] * part
            found.append(value.permute(0, 3, 1, 2) if self.channels_last else value)
        x = F.gelu(F.pixel_shuffle(self.conv(torch.cat(found, 1)), 2))
        return self.head(x)


class Embedded(nn.Module):
    """A code for each frame, added to what a layer makes of the coordinates; and learned maps, enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.codes, self.first = nn.Embedding(2, 4), nn.Linear(2, 4)
        self.maps = nn.ParameterList([torch.randn(1, 2, 2, 3), torch.randn(1, 1, 3, 4)])
        self.last = nn.Linear(7, 3)

    def forward(self, x: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
        hidden = torch.sin(2 * self.first(x) + self.codes(frame))
        maps = [F.interpolate(one, size=(3, 4), mode="bilinear") for one in self.maps]
        return self.last(torch.cat([hidden, torch.cat(maps, 1)[0].flatten(1).T], 1))


def of_coordinates(make: Callable[[], nn.Module], seed: int = 0) -> cw.INR:
    torch.manual_seed(seed)
    return cw.INR.from_coords(make().double(), (3, 4))


def temporal(channels_last: bool = False, seed: int = 0) -> cw.INR:
    torch.manual_seed(seed)
    return cw.INR.from_frames(Temporal(channels_last).double(), n_frames=3)


def embedded(seed: int = 0) -> cw.INR:
    torch.manual_seed(seed)
    places = cw.INR.from_coords(nn.Linear(2, 3).double(), (3, 4)).inputs
    return cw.INR(Embedded().double(), lambda frame: (places(0), torch.tensor([frame])), (3, 4), 2)


# A model, and of each of its levels by layer: the parameter, and where in it the features of a unit are.
Places = Callable[[int], Any]
MODELS: dict[str, tuple[Callable[[int], cw.INR], dict[str, tuple[str, Places]]]] = {
    "bilinear": (lambda seed: of_coordinates(Bilinear, seed), {"grid": ("grid", lambda c: np.s_[:, c])}),
    "hashed": (
        lambda seed: of_coordinates(Hashed, seed),
        {f"tables.{level}": (f"tables.{level}", lambda c: np.s_[:, c]) for level in range(3)},
    ),
    "one table for all levels": (
        lambda seed: of_coordinates(lambda: Hashed(separate=False), seed),
        {
            "tables.0": ("tables.0", lambda c: np.s_[:8, c]),
            "tables.0#2": ("tables.0", lambda c: np.s_[8:16, c]),
            "tables.0#3": ("tables.0", lambda c: np.s_[16:, c]),
        },
    ),
    "all levels at once": (
        lambda seed: of_coordinates(AllLevels, seed),
        {"table": ("table", lambda c: np.s_[8 * (c // 2) : 8 * (c // 2) + 8, c % 2])},
    ),
    "temporal": (
        lambda seed: temporal(False, seed),
        {f"grids.{level}": (f"grids.{level}", lambda c: np.s_[:, c]) for level in range(2)},
    ),
    "temporal, channels last": (
        lambda seed: temporal(True, seed),
        {f"grids.{level}": (f"grids.{level}", lambda c: np.s_[..., c]) for level in range(2)},
    ),
    "embedded": (
        embedded,
        {
            "codes": ("codes.weight", lambda c: np.s_[:, c]),
            "maps.0": ("maps.0", lambda c: np.s_[:, c]),
            "maps.1": ("maps.1", lambda c: np.s_[:, c]),
        },
    ),
}


def without(inr: cw.INR, parameter: str, places: Any, frame: int) -> np.ndarray:
    """The image of a copy of a model with some entries of a table at 0."""
    module = copy.deepcopy(inr.module)
    with torch.no_grad():
        dict(module.named_parameters())[parameter][places] = 0
    return cw.INR(module, inr.inputs, inr.size, inr.n_frames).frame(frame)


def test_a_feature_makes_the_interpolated_table_times_the_head_by_hand() -> None:
    inr = of_coordinates(Bilinear)
    canvas = cw.trace(inr, "gated", progress=False)
    (layer, _) = canvas.layers
    assert (layer.name, layer.neurons, layer.units_are) == ("grid", (4,), "features")
    table = inr.module.grid.detach().numpy()[0]
    head = inr.module.head.weight.detach().numpy()
    expected = np.zeros((4, 3, 4, 3))
    for row in range(3):
        for column in range(4):
            coordinates = inr.arguments(0)[0][0].reshape(3, 4, 2)[row, column].numpy()
            y, x = (coordinates + 1) / 2 * (1, 2)  # from corner to corner of 2 x 3 entries
            low_y, low_x = min(int(y), 0), min(int(x), 1)
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(y - low_y - dy)) * (1 - abs(x - low_x - dx))
                    entry = table[:, low_y + dy, low_x + dx]
                    expected[:, row, column] += weight * entry[:, None] * head.T
    np.testing.assert_allclose(canvas.maps("grid", range(4), rgb="each"), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(canvas.activations("grid"), canvas.activations("head"), rtol=1e-6)
    np.testing.assert_array_equal(canvas.weight("grid"), np.eye(4))
    assert "4 features" in repr(canvas.layers)
    assert canvas.layers.note == "100 % of 39 parameters are in layers"


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_levels_divide_the_image_and_ablation_is_surgery_on_the_table(name: str, data: st.DataObject) -> None:
    make, levels = MODELS[name]
    inr = make(data.draw(st.integers(0, 99)))
    canvas = cw.trace(inr, "gated", progress=False)
    assert {layer.name for layer in canvas.layers if layer.has_features} == set(levels)
    frame = data.draw(st.integers(0, inr.n_frames - 1))
    image = canvas.frame(frame)
    close = {"rtol": 1e-5, "atol": 1e-5 * float(np.abs(image).max())}
    np.testing.assert_allclose(image, inr.frame(frame), **close)
    assert canvas.check(frame, progress=False).all_hold
    ablated = canvas.under("ablation")
    y, x = (data.draw(st.integers(0, side - 1)) for side in inr.size)
    columns = canvas.pixel(y, x, frame)
    for layer, (parameter, places) in levels.items():
        n_units = canvas.layers.find(layer).n_units
        maps = canvas.maps(layer, range(n_units), frame, rgb="each")
        np.testing.assert_allclose(maps.sum(0) + canvas.remainder(layer, frame), image, **close)
        np.testing.assert_allclose(columns[layer], maps.sum(-1)[:, y, x], **close)
        unit = data.draw(st.integers(0, n_units - 1))
        expected = inr.frame(frame) - without(inr, parameter, places(unit), frame)
        np.testing.assert_allclose(ablated.map(layer, unit, frame, rgb="each"), expected, **close)
        np.testing.assert_allclose(
            canvas.ablate({layer: [unit]}, frame), without(inr, parameter, places(unit), frame), **close
        )


# --- other layers are as they were ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_other_layers_keep_their_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inr = MODELS[name][0](1)
    canvas = cw.trace(inr, progress=False)
    monkeypatch.setattr("canvaswidget.tracing.capture.recording.with_grids", lambda *given: None)
    plain = cw.trace(inr, progress=False)
    assert canvas.rule == plain.rule
    others = [layer for layer in canvas.layers if not layer.has_features]
    assert others == list(plain.layers)
    frame = inr.n_frames - 1
    for rule in ("xinc", "gated", "ablation"):
        mine, its = canvas.under(rule), plain.under(rule)
        kept = [layer for layer in mine.traced_layers if not layer.has_features]
        assert kept == list(its.traced_layers)
        assert rule != "xinc" or len(mine.traced_layers) == len(kept)
        for layer in kept:
            scale = float(np.abs(its.maps(layer, all_neurons(layer, None), frame)).max())
            np.testing.assert_allclose(
                mine.maps(layer, all_neurons(layer, None), frame),
                its.maps(layer, all_neurons(layer, None), frame),
                rtol=1e-5,
                atol=1e-6 * scale,
            )


class Reads(nn.Module):
    """A table that is looked up for each pixel, and what a function makes of its features and a hidden layer."""

    def __init__(
        self, function: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor], features: int = 4
    ) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(3, features))
        self.register_buffer("fixed", torch.randn(3, 4))
        self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = (x[:, 0] + 1).round().long()
        return self.last(self.function(self, place, self.first(x)))


@pytest.mark.parametrize(
    ("function", "is_layer"),
    [
        (lambda net, place, z: torch.relu(z) + net.fixed[place], False),  # no parameter
        (lambda net, place, z: torch.relu(z) * (1 + net.table[:1]), False),  # not looked up
        (lambda net, place, z: z + net.table[place], True),
        (lambda net, place, z: torch.sin(z + 2 * net.table[place]), True),
        # A sine of a rectified value and a constant is one gate; with a layer's output it would be another.
        (lambda net, place, z: torch.sin(torch.relu(z) + net.table[place]), False),
        (lambda net, place, z: torch.sin(z * net.table[place]), False),
        (lambda net, place, z: torch.maximum(z, net.table[place]), False),
        # The same row for all pixels is a part of the bias.
        (lambda net, place, z: z + net.table[torch.tensor([1])], False),
        # A weight that is looked up is a weight.
        (lambda net, place, z: F.linear(z, net.table[torch.tensor([0, 1, 2, 0])]), False),
        # Looked up at places that a layer makes.
        (lambda net, place, z: net.table[z.argmax(1) % 3], False),
    ],
)
def test_what_is_no_grid_or_would_change_others_is_left_alone(
    function: Callable[..., torch.Tensor], is_layer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    inr = of_coordinates(lambda: Reads(function))
    canvas = cw.trace(inr, "gated", progress=False)
    assert any(layer.has_features for layer in canvas.layers) == is_layer
    monkeypatch.setattr("canvaswidget.tracing.capture.recording.with_grids", lambda *given: None)
    plain = cw.trace(inr, "gated", progress=False)
    for layer in plain.traced_layers:
        np.testing.assert_allclose(
            canvas.maps(layer.name, all_neurons(layer, None)),
            plain.maps(layer, all_neurons(layer, None)),
            **ROUNDED,
        )


def test_a_learned_input_on_a_small_grid_is_none() -> None:
    inr = cw.INR.from_frames(Cnn([2, 2], [3], [2], (2, 3), nn.GELU, True).double(), n_frames=2)
    assert [layer.name for layer in cw.trace(inr, progress=False).layers] == ["convs.0", "head"]


def test_a_name_that_a_layer_has_goes_to_the_layer() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tied, self.last = nn.Embedding(3, 4), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.tied((x[:, 0] + 1).round().long()) @ self.tied.weight.T))

    canvas = cw.trace(of_coordinates(Tied), "gated", progress=False)
    assert [(layer.name, layer.units_are) for layer in canvas.layers] == [
        ("tied#2", "features"),
        ("tied", "inputs"),
        ("last", "inputs"),
    ]


# --- what other functions make of them ------------------------------------------------------------------------------


def test_weights_of_a_table_are_refused_and_left_out_by_default() -> None:
    inr = of_coordinates(Hashed)
    canvas = cw.trace(inr, "gated", progress=False)
    with pytest.raises(UntraceableError, match="features that are looked up in 'tables.1'"):
        cw.analysis.prune(inr, canvas, 0.5, "tables.1")
    with pytest.raises(UntraceableError, match="features that are looked up in 'tables.1'"):
        cw.quantise(inr, {"tables.1": 4}, canvas=canvas)
    with pytest.raises(UntraceableError, match="features that are looked up in 'tables.1'"):
        cw.edited(inr, {"tables.1": {0: 0.5}})
    pruned = cw.analysis.prune(inr, canvas, 0.5).module
    assert all(torch.equal(one, other) for one, other in zip(pruned.tables, inr.module.tables, strict=True))
    assert torch.equal(pruned.first.weight, inr.module.first.weight)  # the first layer of weights, as before
    assert (pruned.last.weight == 0).any()
    rounded = cw.quantise(inr, 4, canvas=canvas).module
    assert all(torch.equal(one, other) for one, other in zip(rounded.tables, inr.module.tables, strict=True))
    assert not torch.equal(rounded.first.weight, inr.module.first.weight)


def test_directions_of_features_are_directions_of_what_reads_them() -> None:
    canvas = cw.trace(of_coordinates(Bilinear), "gated", progress=False)
    basis = np.random.default_rng(0).normal(size=(2, 4))
    turned = canvas.directions("grid", basis)
    assert turned.layers.find("grid").has_directions
    np.testing.assert_allclose(
        turned.maps("grid", range(2)), canvas.directions("head", basis).maps("head", range(2)), **ROUNDED
    )
    np.testing.assert_allclose(canvas.edit({"grid": {1: 0}}), canvas.ablate({"grid": [1]}), **ROUNDED)


def test_they_are_saved_as_what_they_are(tmp_path: Path) -> None:
    canvas = cw.trace(temporal(), "gated", progress=False)
    canvas.save(tmp_path / "canvas", progress=False)
    saved = cw.open(tmp_path / "canvas")
    assert list(saved.layers) == list(canvas.layers)
    np.testing.assert_allclose(saved.map("grids.0", 1), canvas.map("grids.0", 1), rtol=1e-2, atol=1e-3)


def test_a_table_of_very_many_features_has_none() -> None:
    inr = of_coordinates(lambda: Reads(lambda net, place, z: z + net.table[place][:, :4], features=4000))
    assert [layer.name for layer in cw.trace(inr, "gated", progress=False).layers] == ["first", "last"]
