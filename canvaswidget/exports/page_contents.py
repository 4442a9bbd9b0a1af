"""What a page is asked to keep of each run: layers, frames and neurons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from canvaswidget.arguments import checked_index, show
from canvaswidget.kernel import view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.tracing.budget import parse_memory
from canvaswidget.tracing.layers import Layer, Layers


@dataclass(frozen=True)
class Contents:
    """What the user asked for, checked."""

    layers: tuple[Layer, ...]
    frames: tuple[int, ...]
    neurons: Mapping[str, Indices] | int | None
    budget: int


def checked_contents(
    cached: CachedCanvas,
    layers: Any,
    frames: Any,
    neurons: Any,
    budget: str | float,
) -> Contents:
    """The layers, frames and neurons that are meant; errors name what is accepted."""
    chosen = _layers(cached.layers, layers)
    numbers = tuple(cached.canvas.frames) if frames is None else checked_frames(cached.n_frames, frames)
    return Contents(chosen, numbers, _neurons(chosen, neurons), parse_memory(budget, "budget"))


def _layers(known: Any, layers: Any) -> tuple[Layer, ...]:
    if layers is None:
        return tuple(known)
    if isinstance(layers, str | int):
        layers = [layers]
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers={layers!r}: expected names or indices of layers, or None for all")
    meant = {known.find(key).name for key in layers}
    if not meant:
        raise ValueError("layers: at least one is needed")
    return tuple(layer for layer in known if layer.name in meant)


def checked_frames(n_frames: int, frames: Any) -> tuple[int, ...]:
    """Frames in order, each once."""
    if hasattr(frames, "__index__"):
        frames = [frames]
    if not isinstance(frames, Iterable) or isinstance(frames, str):
        raise TypeError(f"frames={frames!r}: expected a range or a list of frames, or None for all")
    found = sorted({checked_index("frames", frame, n_frames) for frame in frames})
    if not found:
        raise ValueError("frames: at least one is needed")
    return tuple(found)


def _neurons(layers: Sequence[Layer], neurons: Any) -> Mapping[str, Indices] | int | None:
    if neurons is None:
        return None
    if isinstance(neurons, Mapping):
        known = Layers(list(layers))
        found = {layer.name: np.empty(0, np.intp) for layer in layers}
        for key, some in neurons.items():
            layer = known.find(key)
            found[layer.name] = layer.flat_index(view_checks.checked_neurons(layer, some))
        return found
    if isinstance(neurons, bool) or not hasattr(neurons, "__index__"):
        raise TypeError(
            f"neurons={show(neurons)}: expected how many of each layer, {{layer: [neuron, ...]}}, or None"
        )
    return view_checks.checked_count("neurons", neurons, 1, view_checks.MAX_NEURONS)


def same_contents(cached: CachedCanvas, run: Any, asked: Mapping[str, Any], first: Contents) -> Contents:
    """The same of another run, which may have other layers; `first` is what was asked for, checked on the one shown.

    Raises
    ------
    ValueError
        It has none of the layers that were asked for.
    """
    known = {layer.name: layer for layer in cached.layers}
    named = [layer.name for layer in first.layers]
    layers = tuple(known[name] for name in known if asked["layers"] is None or name in named)
    if not layers:
        raise ValueError(
            f"layers: run {run!r} has none of {', '.join(named)}; leave out the run, or the layers"
        )
    frames = tuple(cached.canvas.frames) if asked["frames"] is None else first.frames
    neurons = first.neurons
    if isinstance(neurons, Mapping):
        meant = {
            layer.name: [layer.neuron_at(place) for place in neurons[layer.name]] for layer in first.layers
        }
        neurons = {layer.name: fitting(layer, meant.get(layer.name, [])) for layer in layers}
    return Contents(layers, frames, neurons, first.budget)


def fitting(layer: Layer, neurons: Iterable[view_checks.Neuron]) -> Indices:
    """The places of those neurons that the layer has."""
    found = [neuron for neuron in neurons if view_checks.fits(layer, neuron)]
    return layer.flat_index(found) if found else np.empty(0, np.intp)
