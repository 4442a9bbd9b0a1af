"""Canvases for tests: small real ones, and one whose every step can be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.models import FFN, NeRV
from canvaswidget.tracing.layers import Layer, Layers


def video(truth: bool = True) -> cw.INR:
    """A random NeRV: 6 frames of 16x32, convolutions."""
    torch.manual_seed(0)
    model = NeRV(embed="pe_1.25_4", fc_dim=6, fc_hw="4_8", dec_strds=(2, 2), lower_width=4, n_frames=6)
    signal = np.random.default_rng(0).random((6, 16, 32, 3), np.float32) if truth else None
    return cw.as_inr(model, truth=signal)


def image() -> cw.INR:
    """A random FFN: one image of 12x20, linear layers."""
    torch.manual_seed(1)
    return cw.as_inr(FFN(hidden=10, layers=3, scale=2.0, size=(12, 20)))


def clip(seed: int = 0) -> cw.INR:
    """A random MLP: 3 frames of 4x5 with a truth, linear layers "0" and "2"."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    return cw.INR.from_coords(module, (4, 5), n_frames=3, truth=torch.rand(3, 4, 5, 3).numpy())


def magnitudes(
    canvas: cw.Canvas, layer: int | str | Layer, frame: int, granularity: str | None, signed: bool = False
) -> np.ndarray:
    """How much each neuron contributes to each pixel: the magnitudes of the colours, added, where the rule knows them.

    With `signed`, as in the released code: the magnitude of the sum of the colours.
    """
    each = not signed and not canvas.why_no_colours(layer)
    rgb = "each" if each else "sum"
    maps = np.concatenate([m for _, m in canvas.iter(layer, frame, granularity=granularity, rgb=rgb)])
    return np.abs(maps).sum(-1) if each else np.abs(maps)


def coloured(maps: np.ndarray, rgb: str) -> np.ndarray:
    """Maps that are all red, as `rgb` asks for them."""
    if rgb == "each":
        return np.stack([maps, 0 * maps, 0 * maps], -1)
    return np.abs(maps) if rgb == "abs" else maps if rgb in ("sum", "red") else 0 * maps


class MapsCanvas:
    """A canvas whose maps are given, ``{layer: (*neurons, height, width)}`` or a list of those, one a frame."""

    can_sample = False

    def __init__(
        self,
        *frames: dict[str, np.ndarray],
        pictures: np.ndarray | None = None,
        chunk: int = 7,
        rule: str = "xinc",
    ) -> None:
        self.given = [
            {name: np.asarray(maps, np.float32) for name, maps in given.items()} for given in frames
        ]
        size = next(iter(self.given[0].values())).shape[-2:]
        self.pictures = pictures
        if pictures is None:
            self.pictures = np.random.default_rng(0).random((len(frames), *size, 3), np.float32)
        self.chunk, self.rule, self.device = chunk, rule, torch.device("cpu")
        self.trouble: dict[str, str] = {}
        self.n_channels = 3
        self.inr = SimpleNamespace(
            size=size,
            n_frames=len(frames),
            truth=None,
            name="given maps",
            frame_index=lambda frame: range(len(frames))[frame],
        )
        layers = [self._layer(name, maps.shape[:-2]) for name, maps in self.given[0].items()]
        self.layers = self.traced_layers = Layers(layers)
        self.sweeps = 0

    @staticmethod
    def _layer(name: str, shape: tuple[int, ...]) -> Layer:
        if len(shape) == 1:
            return Layer(name, "linear", shape[0], 3)
        return Layer(name, "conv2d", shape[0], shape[1], (2, 2), (3, 3))

    def frame(self, frame: int = 0) -> np.ndarray:
        return self.pictures[frame]

    def why_no_colours(self, layer: object) -> str:
        return ""

    def reduce(
        self, layer, function, frame: int = 0, *, granularity=None, rgb: str = "sum", progress=False
    ) -> Iterator[tuple[np.ndarray, object]]:
        found = self.layers.find(layer)
        maps = self.given[frame][found.name]
        assert granularity in (None, "kernel" if found.grid else "unit")
        self.sweeps += 1
        shape = maps.shape[:-2]
        places = np.arange(np.prod(shape))
        neurons = np.stack(np.unravel_index(places, shape), 1) if len(shape) > 1 else places
        flat = maps.reshape(-1, *maps.shape[-2:])
        for start in range(0, len(flat), self.chunk):
            part = slice(start, start + self.chunk)
            if callable(progress):
                progress(start, len(flat))
            yield neurons[part], function(torch.from_numpy(coloured(flat[part].copy(), rgb)))

    def iter(self, layer, frame: int = 0, *, progress=False):
        yield from self.reduce(layer, lambda maps: maps.numpy(), frame, progress=progress)

    def maps(self, layer, neurons, frame: int = 0, rgb: str = "sum") -> np.ndarray:
        found = self.given[frame][self.layers.find(layer).name]
        return coloured(found[tuple(np.asarray(neurons).reshape(len(neurons), -1).T)], rgb)


class StepCanvas:
    """Two layers, four frames of 4x6; a pass over a layer takes `STEPS` chunks, with `at_step` in each."""

    STEPS = 5

    def __init__(self, rule: str = "xinc") -> None:
        size, truth = (4, 6), np.full((4, 4, 6, 3), 0.5, np.float32)
        self.inr = SimpleNamespace(size=size, n_frames=4, truth=truth, name="steps", frame_index=int)
        self.rule, self.why, self.n_channels = rule, "", 3
        self.device = "cpu"
        self.clusters, self.frames, self.has_model = (), range(4), True
        self.trouble: dict[str, str] = {}
        convolution = Layer("net.conv", "conv2d", 3, 4, (2, 3), (3, 3))
        self.layers = self.traced_layers = Layers([convolution, Layer("net.linear", "linear", 7, 3)])
        self.at_step: Callable[[str, int], None] = lambda what, step: None
        self.spoiled: dict[str, float] = {}
        self.silent = ""  # a layer that adds nothing anywhere
        self.calls: list[str] = []

    def hold(self, frame: int | None) -> None:
        self.held = frame

    def kept(self, layer: str) -> np.ndarray:
        return np.arange(np.prod(self.layers.find(layer).neurons))

    def under(self, rule: str) -> StepCanvas:
        return StepCanvas(rule)

    def ablation(self) -> StepCanvas:
        raise cw.UntraceableError("its weights are not known")

    def frame(self, frame: int = 0) -> np.ndarray:
        self.calls.append(f"frame {frame}")
        self.at_step("frame", frame)
        return np.full((4, 6, 3), 0.1 * frame, np.float32) + np.float32(self.spoiled.get("frame", 0))

    def why_no_colours(self, layer: str) -> str:
        return ""

    def maps(self, layer: str, neurons: np.ndarray, frame: int = 0, rgb: str = "sum") -> np.ndarray:
        self.calls.append(f"maps {len(neurons)}")
        shape = self.layers.find(layer).neurons
        flat = neurons if neurons.ndim == 1 else np.ravel_multi_index(tuple(neurons.T), shape)
        ramp = np.arange(24, dtype=np.float32).reshape(4, 6) - 12 + self.spoiled.get("map", 0)
        ramp *= layer != self.silent
        return coloured((ramp * (np.asarray(flat)[:, None, None] + 1) * (frame + 1)).astype(np.float32), rgb)

    def pixel(
        self, y: int, x: int, frame: int = 0, layers: list[str] | None = None, rgb: str = "sum"
    ) -> dict[str, np.ndarray]:
        found = {}
        for name in layers or [layer.name for layer in self.layers]:
            shape = self.layers.find(name).neurons
            n = int(np.prod(shape))
            maps = self.maps(name, np.stack(np.unravel_index(np.arange(n), shape), 1).squeeze(), frame, rgb)
            found[name] = maps[:, y, x].reshape(*shape, *maps.shape[3:])
        return found

    def iter(self, layer: str, frame: int = 0, progress: Callable[[int, int], None] | None = None):
        shape = self.layers.find(layer).neurons
        places = np.arange(np.prod(shape))
        neurons = np.stack(np.unravel_index(places, shape), 1) if len(shape) > 1 else places
        for step, part in enumerate(np.array_split(neurons, self.STEPS)):
            self.at_step(layer, step)
            if progress is not None:
                progress(step, self.STEPS)
            yield part, self.maps(layer, part, frame)

    def reduce(self, layer, function, frame: int = 0, granularity=None, rgb="sum", progress=None):
        layer = self.layers.find(layer).name
        for neurons, maps in self.iter(layer, frame, progress):
            yield neurons, function(torch.from_numpy(coloured(maps, rgb)))

    def region(
        self, mask: np.ndarray, frame: int = 0, layers: list[str] | None = None, rgb="sum", progress=None
    ):
        found = {}
        for name in layers or [layer.name for layer in self.layers]:
            parts = [coloured(maps * mask, rgb).sum((1, 2)) for _, maps in self.iter(name, frame, progress)]
            whole = np.concatenate(parts)
            found[name] = whole.reshape(*self.layers.find(name).neurons, *whole.shape[1:])
        return found

    def summary(self, layer: str, frame: int = 0, rgb=None, progress=None):
        self.calls.append(f"summary {layer} {frame}")
        maps = np.concatenate([np.abs(maps) for _, maps in self.iter(layer, frame, progress)])
        return SimpleNamespace(
            neuron_abs=maps.sum((1, 2)).reshape(self.layers.find(layer).neurons),
            pixel_abs=maps.sum(0),
            half_width=0.0,
        )
