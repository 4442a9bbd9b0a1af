"""Neurons as index tensors: units ``(k,)`` or kernels ``(k, 2)``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.arguments import checked_index, show
from canvaswidget.tracing.layers import Layer, Neuron

Neurons = Sequence[Neuron] | npt.NDArray[np.integer[Any]] | torch.Tensor


def parse_neuron(layer: Layer, neuron: Any) -> torch.Tensor:
    """A unit ``i`` or a kernel ``(i, o)`` of `layer`, as one row; negative indices count from the end."""
    if isinstance(neuron, int | np.integer) and not isinstance(neuron, bool):
        return torch.tensor([checked_index("neuron", int(neuron), layer.n_units)])
    try:
        unit, output = cast(Any, neuron)
    except (TypeError, ValueError):
        raise TypeError(
            f"neuron={show(neuron)}: expected a unit i or a kernel (i, o) of {layer.name!r}"
        ) from None
    try:
        kernel = checked_index("i", unit, layer.n_units), checked_index("o", output, layer.n_outputs)
    except IndexError as error:
        raise IndexError(
            f"neuron={show(neuron)}: {error}; {layer.name!r} has kernels (i, o) with i < {layer.n_units}, "
            f"o < {layer.n_outputs}"
        ) from None
    require_kernel(layer, kernel, neuron)
    return torch.tensor([kernel])


def require_kernel(layer: Layer, kernel: tuple[int, ...], given: Any) -> None:
    """Raise where a grouped convolution has no such kernel; `given` is how the neuron was given."""
    if not layer.has(kernel):
        own = layer.outputs_of(kernel[0])
        raise IndexError(
            f"neuron={show(given)}: layer {layer.name!r} has no such kernel: it has {layer.n_groups} groups, and unit "
            f"{kernel[0]} has kernels to outputs {own.start} to {own.stop - 1} only"
        )


def parse_neurons(layer: Layer, neurons: Neurons) -> torch.Tensor:
    """Units ``(k,)`` or kernels ``(k, 2)``; all of one kind."""
    if isinstance(neurons, torch.Tensor):
        neurons = neurons.cpu().numpy()
    if isinstance(neurons, int) or (isinstance(neurons, np.ndarray) and neurons.ndim == 0):
        raise TypeError(f"neurons={show(neurons)}: expected several units or kernels; for one there is map()")
    parsed = [parse_neuron(layer, neuron) for neuron in neurons]
    if not parsed:
        return torch.empty((0, 2) if len(layer.neurons) == 2 else (0,), dtype=torch.long)
    if len({part.ndim for part in parsed}) > 1:
        raise TypeError("neurons: units and kernels are mixed; give all of one kind")
    return torch.cat(parsed)


def all_neurons(layer: Layer, granularity: str | None) -> torch.Tensor:
    """Every neuron of a layer in C order."""
    return torch.from_numpy(layer.neurons_at(np.arange(count_neurons(layer, granularity)), granularity))


def count_neurons(layer: Layer, granularity: str | None) -> int:
    """How many neurons a layer has at a granularity."""
    return math.prod(layer.shape_of(granularity))


def chunks(layer: Layer, granularity: str | None, count: int) -> Iterator[torch.Tensor]:
    """All neurons in parts of about `count`; a part of kernels holds whole units, or lies within one."""
    neurons, shape = all_neurons(layer, granularity), layer.shape_of(granularity)
    if len(shape) == 1:
        yield from torch.split(neurons, count)
        return
    _, per_unit = shape
    within = -(-per_unit // -(-per_unit // count))
    for some in torch.split(neurons, max(1, count // per_unit) * per_unit):
        yield from torch.split(some, within if count < per_unit else len(some))


def by_output(layer: Layer) -> Iterator[torch.Tensor]:
    """All kernels, those that write to one output in a part."""
    kernels = all_neurons(layer, "kernel")
    kernels = kernels[torch.argsort(kernels[:, 1], stable=True)]
    yield from torch.split(kernels, layer.n_units // layer.n_groups)


def at_granularity(kernels: torch.Tensor, layer: Layer, granularity: str | None) -> torch.Tensor:
    """Values of kernels ``(n_in, n_out / n_groups, ...)`` as those of neurons: a unit is the sum of its kernels."""
    return kernels if len(layer.shape_of(granularity)) == 2 else kernels.sum(1)
