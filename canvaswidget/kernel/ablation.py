"""What is ablated: neurons that are taken out of the model, and the picture that is left of it.

It is asked for with every frame, so that no picture is ever of another set than the one it was asked for with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from canvaswidget.arguments import is_listed
from canvaswidget.kernel import pictures, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Removed
from canvaswidget.kernel.quantise import Floats, check_finite, psnr_of
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.tracing import CanvasLike
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layers

Ablated = dict[str, tuple[Neuron, ...]]

SOURCES = ("ablated", "difference")
_FORMS = "{layer: [neuron, ...]} or a sequence of pairs (layer, neuron)"


def removable(canvas: CanvasLike) -> Layers:
    """The layers whose neurons can be taken out: all that the image depends on, whatever the rule."""
    if not canvas.has_model:
        return Layers(())
    try:
        return Layers((canvas if canvas.rule == "ablation" else canvas.under("ablation")).traced_layers)
    except UntraceableError:
        return Layers(())


def checked_ablated(layers: Layers, value: Any) -> Ablated:
    """``{layer: (neuron, ...)}`` in the order of the layers, none of them empty; from it, or from pairs."""
    if value is None:
        return {}
    found: dict[str, dict[Neuron, None]] = {}
    for key, neurons in _items(value):
        layer = layers.find(key)
        chosen = view_checks.checked_neurons(layer, neurons)
        found.setdefault(layer.name, {}).update(dict.fromkeys(chosen))
    count = sum(map(len, found.values()))
    if count > view_checks.MAX_NEURONS:
        raise ValueError(f"ablated: {count:,} neurons; at most {view_checks.MAX_NEURONS:,} are taken")
    return {layer.name: tuple(found[layer.name]) for layer in layers if found.get(layer.name)}


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    problem = f"ablated={value!r:.80}: expected {_FORMS}"
    if not is_listed(value):
        raise TypeError(problem)
    pairs = list(value)
    if not all(isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2 for pair in pairs):
        raise ValueError(problem)
    return ((layer, [neuron]) for layer, neuron in pairs)


def on_wire(ablated: Ablated) -> dict[str, list[list[int]]]:
    """As the page has the trait."""
    return {name: [view_checks.on_wire(neuron) or [] for neuron in some] for name, some in ablated.items()}


def from_wire(layers: Layers, removed: Sequence[Removed]) -> Ablated:
    """As a request has it."""
    found = checked_ablated(layers, {part["layer"]: part["neurons"] for part in removed})
    if not found:
        raise ValueError("ablated: is empty, and source='ablated' and 'difference' are of what is left then")
    return found


def title(ablated: Ablated) -> str:
    """In a figure's heading."""
    count = sum(map(len, ablated.values()))
    return f"without {count:,} neuron{'s' if count > 1 else ''}"


# --- pictures -----------------------------------------------------------------------------------------------


def ablated_picture(cached: CachedCanvas, ablated: Ablated, time: int) -> Floats:
    """The raw output ``(h, w, 3)`` without the neurons, whatever the rule."""

    def compute() -> Floats:
        image = np.asarray(cached.canvas.ablate(ablated, time), np.float32)
        check_finite(f"frame {time} without {sum(map(len, ablated.values())):,} neurons", image)
        return image

    return cached.cache.remember((None, "ablated", time, *ablated.items()), compute)


def difference(cached: CachedCanvas, ablated: Ablated, time: int) -> Floats:
    """What is lost, ``(h, w)``: the output less the one without the neurons, the colours added, as in maps."""
    return (pictures.frame(cached, time) - ablated_picture(cached, ablated, time)).sum(2)


def psnr(cached: CachedCanvas, ablated: Ablated, time: int) -> float:
    """Without the neurons: against the truth, or the original reconstruction where there is none."""
    truth = cached.canvas.inr.truth
    expected = np.clip(pictures.frame(cached, time), 0, 1) if truth is None else pictures.truth(cached, time)
    return psnr_of(ablated_picture(cached, ablated, time), expected)
