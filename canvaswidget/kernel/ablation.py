"""What is edited: neurons that are taken out of the model or scaled, and the picture that it makes then.

It is asked for with every frame, so that no picture is ever of another set than the one it was asked for with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from canvaswidget.arguments import is_listed, is_number, show
from canvaswidget.kernel import pictures, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Edit, Removed
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.tracing import CanvasLike
from canvaswidget.tracing.edits import FORM
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layers, show_neuron

Ablated = dict[str, tuple[Neuron, ...]]
Edits = dict[str, dict[Neuron, float]]  # by layer and neuron, what its contributions are multiplied by

SOURCES = ("ablated", "difference")
_FORMS = "{layer: [neuron, ...]} or a sequence of pairs (layer, neuron)"
MOST = 1000.0  # the largest factor


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
    problem = f"ablated={show(value)}: expected {_FORMS}"
    if not is_listed(value):
        raise TypeError(problem)
    pairs = list(value)
    if not all(isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2 for pair in pairs):
        raise ValueError(problem)
    return ((layer, [neuron]) for layer, neuron in pairs)


def on_wire(ablated: Ablated) -> dict[str, list[list[int]]]:
    """As the page has the trait."""
    return {name: [view_checks.on_wire(neuron) or [] for neuron in some] for name, some in ablated.items()}


def checked_edits(layers: Layers, value: Any) -> Edits:
    """``{layer: {neuron: factor}}`` in the order of the layers, without factors of 1."""
    if value is None:
        return {}
    found: Edits = {}
    for key, neuron, factor in _factors(value):
        layer = layers.find(key)
        chosen = view_checks.checked_neuron(layer, neuron)
        found.setdefault(layer.name, {})[chosen] = _checked_factor(layer.name, neuron, factor)
    kept = {name: {one: by for one, by in some.items() if by != 1} for name, some in found.items()}
    if (count := count_of(kept)) > view_checks.MAX_NEURONS:
        raise ValueError(f"edits: {count:,} neurons; at most {view_checks.MAX_NEURONS:,} are taken")
    return {layer.name: kept[layer.name] for layer in layers if kept.get(layer.name)}


def _factors(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    if is_listed(value) and all(map(_is_edit, value)):
        yield from ((edit["layer"], edit["neuron"], edit["factor"]) for edit in value)
        return
    if not isinstance(value, Mapping) or not all(isinstance(some, Mapping) for some in value.values()):
        raise TypeError(f"edits={show(value)}: expected {FORM}")
    for key, some in value.items():
        yield from ((key, neuron, factor) for neuron, factor in some.items())


def _is_edit(value: Any) -> bool:
    return (
        isinstance(value, Mapping) and set(value) == set(Edit.__annotations__) and is_listed(value["neuron"])
    )


def _checked_factor(layer: str, neuron: Any, factor: Any) -> float:
    named = f"edits[{layer!r}][{show(neuron)}]={show(factor)}"
    if not is_number(factor):
        raise TypeError(f"{named}: expected a number, such as 0.5")
    if not abs(factor) <= MOST:
        raise ValueError(f"{named}: expected a number from -{MOST:g} to {MOST:g}")
    return float(factor)


def edits_on_wire(edits: Edits) -> list[Edit]:
    """As the page has the trait."""
    return [
        {"layer": name, "neuron": view_checks.on_wire(neuron) or [], "factor": factor}
        for name, some in edits.items()
        for neuron, factor in some.items()
    ]


def all_edits(ablated: Ablated, edits: Edits) -> Edits:
    """Both in one: what is ablated is scaled by 0, whatever its factor."""
    out = {name: dict.fromkeys(neurons, 0.0) for name, neurons in ablated.items()}
    return {name: edits.get(name, {}) | out.get(name, {}) for name in [*edits, *out]}


def edits_of(state: Mapping[str, Any]) -> Edits:
    """Those of a view."""
    return all_edits(state["ablated"], state["edits"])


def from_wire(layers: Layers, removed: Sequence[Removed], edits: Sequence[Edit]) -> Edits:
    """As a request has it."""
    ablated = checked_ablated(layers, {part["layer"]: part["neurons"] for part in removed})
    found = all_edits(ablated, checked_edits(layers, edits))
    if not found:
        raise ValueError(
            "ablated, edits: both are empty, and source='ablated' and 'difference' are of what is left then"
        )
    return found


def key_of(edits: Edits) -> tuple[Any, ...]:
    """Equal for equal edits, and hashable."""
    return tuple(sorted((name, tuple(some.items())) for name, some in edits.items()))


def count_of(edits: Edits) -> int:
    """Of neurons."""
    return sum(map(len, edits.values()))


def title(edits: Edits) -> str:
    """In a figure's heading; one neuron by its name."""
    (name, neuron), *more = [(name, neuron) for name, some in edits.items() for neuron in some]
    if not more:
        factor, label = edits[name][neuron], f"neuron {show_neuron(neuron).replace('->', '→')} of {name}"
        return f"with {label} scaled by {factor:g}" if factor else f"without {label}"
    factors = [factor for some in edits.values() for factor in some.values()]
    out, scaled = factors.count(0), len(factors) - factors.count(0)
    parts = [f"without {out:,} neuron{'' if out == 1 else 's'}"] if out else []
    if scaled:
        equal = f" by {next(by for by in factors if by):g}" if len({*factors} - {0.0}) == 1 else ""
        parts.append(f"with {scaled:,} neuron{'' if scaled == 1 else 's'} scaled{equal}")
    return " and ".join(parts)


# --- pictures -----------------------------------------------------------------------------------------------


def edited_picture(cached: CachedCanvas, edits: Edits, time: int) -> Floats:
    """The raw output ``(h, w, 3)`` with neurons out or scaled, whatever the rule."""

    def compute() -> Floats:
        if any(factor for some in edits.values() for factor in some.values()):
            made = cached.canvas.edit(edits, time)
        else:
            made = cached.canvas.ablate({name: tuple(some) for name, some in edits.items()}, time)
        image = np.asarray(made, np.float32)
        check_finite(f"frame {time} {title(edits)}", image)
        return image

    return cached.cache.remember((None, "edited", time, *key_of(edits)), compute)


def difference(cached: CachedCanvas, edits: Edits, time: int) -> Floats:
    """What is lost, ``(h, w)``: the output less the edited one, the colours added, as in maps."""
    return (pictures.frame(cached, time) - edited_picture(cached, edits, time)).sum(2)


def psnr(cached: CachedCanvas, edits: Edits, time: int) -> float:
    """Of the edited picture: against the truth, or the original reconstruction where there is none."""
    return pictures.psnr_of_changed(cached, edited_picture(cached, edits, time), time)
