"""What a view may be set to: each function returns what is given as a plain value, or objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, overload

import numpy as np
import torch

from canvaswidget.analysis.fourier import HIGHEST
from canvaswidget.arguments import (
    as_array,
    as_integer,
    checked_index,
    is_finite,
    is_listed,
    is_number,
    show,
    wrong_type,
)
from canvaswidget.kernel.message_parts import (
    Channel,
    ColourBy,
    Comparison,
    Maps,
    Overlay,
    PanelTab,
    Scheme,
    Sort,
    Source,
)
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import require_kernel

Neuron = int | tuple[int, int]
Pixel = tuple[int, int]

CHOICES: dict[str, tuple[str, ...]] = {
    "source": get_args(Source),
    "scheme": get_args(Scheme),
    "sort": get_args(Sort),
    "maps": get_args(Maps),
    "overlay": get_args(Overlay),
    "channel": get_args(Channel),
    "panel": get_args(PanelTab),
    "colour_by": get_args(ColourBy),
    "comparison": get_args(Comparison),
}
RANGES: dict[str, tuple[float, float]] = {"opacity": (0, 1), "contrast": (1, 32), "fps": (1, 60)}
MAX_NEURONS = 20_000
LONGEST_NAME = 40
MIN_CLUSTERS, MAX_CLUSTERS = 2, 12  # more colours can't be told apart


def checked_neuron(layer: Layer, neuron: Any) -> Neuron:
    """A unit of a linear layer, an int, or a kernel of a convolution, ``(i, o)``; may be negative."""
    shape = (layer.n_units, layer.n_outputs)[: len(layer.neurons)]
    parts = tuple(neuron) if is_listed(neuron) else (neuron,)
    if len(parts) != len(shape):
        form = "a kernel (i, o)" if len(shape) == 2 else "a unit, an int"
        raise ValueError(f"neuron={show(neuron)}: layer {layer.name!r} takes {form}, of {_by(shape)}")
    names = ("neuron",) if len(shape) == 1 else ("neuron[0]", "neuron[1]")
    found = tuple(checked_index(name, part, n) for name, part, n in zip(names, parts, shape, strict=True))
    require_kernel(layer, found, neuron)
    return found[0] if len(found) == 1 else (found[0], found[1])


def checked_neurons(layer: Layer, neurons: Any) -> tuple[Neuron, ...]:
    """Different neurons of one layer, in the order given; the last one stands for them."""
    if neurons is None:
        return ()
    if not is_listed(neurons):
        raise TypeError(f"neurons={show(neurons)}: expected a sequence of neurons of layer {layer.name!r}")
    given = neurons
    if isinstance(neurons, torch.Tensor | np.ndarray):
        array = as_array(neurons)
        if array is None:
            raise wrong_type("neurons", neurons, f"a sequence of neurons of layer {layer.name!r}")
        given = array.tolist()
    found = dict.fromkeys(checked_neuron(layer, neuron) for neuron in given)
    if len(found) > MAX_NEURONS:
        raise ValueError(f"neurons: {len(found):,} of them; at most {MAX_NEURONS:,} are taken")
    return tuple(found)


def fits(layer: Layer, neuron: Neuron) -> bool:
    """Whether the layer has this neuron."""
    try:
        checked_neuron(layer, neuron)
    except (TypeError, ValueError, IndexError):
        return False
    return True


@overload
def on_wire(neuron: Neuron) -> list[int]: ...
@overload
def on_wire(neuron: None) -> None: ...
@overload
def on_wire(neuron: Neuron | None) -> list[int] | None: ...
def on_wire(neuron: Neuron | None) -> list[int] | None:
    """A neuron as messages have it: ``[unit]`` or ``[i, o]``."""
    if neuron is None:
        return None
    return list(neuron) if isinstance(neuron, tuple) else [neuron]


def checked_pixel(pixel: Any, size: Sequence[int]) -> Pixel:
    """``(y, x)`` within the frame; negative ones count from the end."""
    parts = tuple(pixel) if is_listed(pixel) else ()
    if len(parts) != 2:
        raise ValueError(f"pixel={show(pixel)}: expected (y, x), within {_by(size)}")
    return checked_index("pixel[0]", parts[0], size[0]), checked_index("pixel[1]", parts[1], size[1])


def checked_loop(loop: Any, n_frames: int) -> tuple[int, int]:
    """``(first, last)`` frame, at least two of them."""
    parts = tuple(loop) if is_listed(loop) else ()
    if len(parts) != 2:
        raise ValueError(f"loop={show(loop)}: expected (first, last), frames from 0 to {n_frames - 1}")
    first, last = (
        checked_index(name, part, n_frames) for name, part in zip(("loop[0]", "loop[1]"), parts, strict=True)
    )
    if first >= last:
        raise ValueError(f"loop=({first}, {last}): expected the first frame to be before the last")
    return first, last


def checked_names(names: Any) -> dict[str, list[str]]:
    """Names of clusters, by ``"layer/n_clusters"``: a list with "" for those that have none."""
    problem = f"cluster_names={show(names)}: expected {{'layer/n_clusters': [name, ...]}}"
    if not isinstance(names, Mapping):
        raise TypeError(problem)
    for key, row in names.items():
        good = isinstance(key, str) and isinstance(row, list | tuple) and len(row) <= MAX_CLUSTERS
        if not good or not all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in row):
            raise ValueError(f"{problem}, names of at most {LONGEST_NAME} characters")
    return {key: list(row) for key, row in names.items()}


def checked_count(argument: str, count: Any, low: int, high: int) -> int:
    """A whole number within bounds."""
    number = as_integer(count)
    if number is None:
        raise TypeError(f"{argument}={show(count)}: expected an int from {low} to {high}")
    if not low <= number <= high:
        raise ValueError(f"{argument}={show(number)}: expected {low} to {high}")
    return number


def checked_choice(argument: str, value: Any, choices: Sequence[str]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{argument}={show(value)}: expected one of {', '.join(map(repr, choices))}")
    return value


def checked_number(argument: str, value: Any) -> float:
    """A finite number within `RANGES`."""
    low, high = RANGES[argument]
    if not is_number(value):
        raise TypeError(f"{argument}={show(value)}: expected a number from {low} to {high}")
    if not (is_finite(value) and low <= value <= high):
        raise ValueError(f"{argument}={show(value)}: expected {low} to {high}")
    return float(value)


def checked_band(band: Any) -> tuple[float, float]:
    """``(low, high)``: frequencies in cycles a pixel, up to those of diagonal waves."""
    parts = tuple(band) if is_listed(band) else ()
    if len(parts) != 2 or not all(map(is_number, parts)):
        raise TypeError(f"band={show(band)}: expected (low, high) in cycles a pixel, or None")
    low, high = map(float, parts)
    if not 0 <= low < high <= HIGHEST:
        raise ValueError(
            f"band={show(band)}: expected 0 <= low < high <= {HIGHEST} cycles a pixel; 0.5 is a wave of two pixels"
        )
    return low, high


def checked_limit(limit: Any) -> float:
    """A finite number above 0."""
    if not is_number(limit):
        raise TypeError(f"limit={show(limit)}: expected a number above 0, or None")
    if not (is_finite(limit) and limit > 0):
        raise ValueError(f"limit={show(limit)}: expected a number above 0, or None for each map's own")
    return float(limit)


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
