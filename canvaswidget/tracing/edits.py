"""Neurons whose outgoing weights are scaled: by 0 they are ablated, by 1 nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from canvaswidget.arguments import is_finite, is_number, show
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.neurons import parse_neuron

Edits = Mapping[Any, Mapping[Any, float]]
FORM = "{layer: {neuron: factor}}, such as {'head': {3: 0.5, (0, 2): 2}}"


def factors_by_layer(layers: Layers, edits: Edits) -> dict[str, torch.Tensor]:
    """By layer, the factor of every kernel, ``(n_units, n_outputs / n_groups)``; layers with all at 1 are left out.

    A unit's factor is that of all its kernels; a kernel that is named itself is multiplied by both.

    Raises
    ------
    TypeError, ValueError
        `edits` is no such mapping, or a factor no finite number.
    KeyError, IndexError
        There is no such layer or neuron.
    """
    if not isinstance(edits, Mapping):
        raise TypeError(f"edits={type(edits).__name__}: expected {FORM}")
    found: dict[str, torch.Tensor] = {}
    for key, by_neuron in edits.items():
        layer = layers.find(key)
        if not isinstance(by_neuron, Mapping):
            raise TypeError(f"edits[{key!r}]={type(by_neuron).__name__}: expected {FORM}")
        factors = found.setdefault(layer.name, torch.ones(layer.shape_of("kernel"), dtype=torch.float64))
        for neuron, factor in by_neuron.items():
            factors[_places(layer, neuron)] *= _checked_factor(key, neuron, factor)
    return {name: factors for name, factors in found.items() if (factors != 1).any()}


def _checked_factor(key: Any, neuron: Any, factor: Any) -> float:
    if not is_number(factor):
        raise TypeError(
            f"edits[{key!r}][{neuron!r}]={show(factor)}: expected a number, 0 to ablate the neuron"
        )
    if not is_finite(factor):
        raise ValueError(
            f"edits[{key!r}][{neuron!r}]={show(factor)}: expected a finite number, 0 to ablate the neuron"
        )
    return float(factor)


def _places(layer: Layer, neuron: Any) -> Any:
    """Where a unit's kernels, or one kernel, stand in an array of kernels."""
    index = parse_neuron(layer, neuron)
    if index.ndim == 1:
        return int(index[0])
    return int(index[0, 0]), int(index[0, 1]) % layer.outputs_per_unit


def edited_weights(capture: Capture, edits: Edits) -> dict[str, torch.Tensor]:
    """The weights of the layers that edits change, in the shape of `WeightedOp.weight`."""
    made = {}
    for name, factors in factors_by_layer(capture.layers, edits).items():
        made[name] = scaled(capture.weighted[name], factors)
    return made


def scaled(found: WeightedOp, factors: torch.Tensor) -> torch.Tensor:
    """A layer's weight times the factors of its kernels; ValueError where it can't hold that."""
    weight = found.weight * found.for_weights(factors).to(found.weight)
    if not torch.isfinite(weight).all():
        dtype = str(weight.dtype).removeprefix("torch.")
        largest = float(factors.abs().max())
        raise ValueError(
            f"edits[{found.layer.name!r}]: the largest factor is {largest:.3g}, which makes weights too large for "
            f"{dtype}; expected a smaller one"
        )
    return weight
