"""The weighted layers of a model, by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, overload

import numpy as np
import numpy.typing as npt

from canvaswidget import tables
from canvaswidget.arguments.kinds import (
    as_array,
    as_integer,
    checked_index,
    is_sequence,
    show,
    wrong_type,
    wrong_value,
)

IntArray = npt.NDArray[np.int64]
Neuron = int | tuple[int, int]  # a unit i, or a kernel (i, o)


@dataclass(frozen=True)
class Layer:
    """One weighted op as executed.

    Arrays with one value a kernel have the shape ``(n_units, n_outputs / n_groups)``. Without groups ``[i, o]`` is
    kernel ``(i, o)``. In a grouped convolution a unit has kernels to the outputs of its own group only, and ``[i, j]``
    is the kernel from unit ``i`` to the ``j``-th of them. `flat_index` and `neurons_at` translate.

    Attributes
    ----------
    name : str
        Its module path; a second call of the same module ends in ``#2``.
    op : str
        ``"linear"``, or ``"conv1d"`` to ``"conv3d"`` and ``"conv_transpose1d"`` to ``"conv_transpose3d"``.
    n_units : int
        Number of input features (channels).
    n_outputs : int
        Number of output features (channels).
    grid : (height, width) or None
        Size of the output grid of a convolution, one number a dimension; ``None`` for a linear layer.
    kernel_size : (height, width)
        Of a convolution, one number a dimension; ``(1, 1)`` for a linear layer.
    n_groups : int
        Of a convolution: units and outputs are divided into so many groups, and kernels stay within a group.
    units_are : {"inputs", "directions", "latents", "features"}
        What a unit is: an input of the layer; a direction, or a latent of a sparse autoencoder, which is a direction
        with an encoder, see `Canvas.directions`; or a feature of a level of a learned grid. All but inputs are the
        layer's neurons, not their kernels.
    """

    name: str
    op: str
    n_units: int
    n_outputs: int
    grid: tuple[int, ...] | None = None
    kernel_size: tuple[int, ...] = (1, 1)
    n_groups: int = 1
    units_are: str = "inputs"

    @property
    def has_directions(self) -> bool:
        """Whether its units are directions, those of latents among them."""
        return self.units_are in ("directions", "latents")

    @property
    def has_latents(self) -> bool:
        """Whether its units are latents of a sparse autoencoder."""
        return self.units_are == "latents"

    @property
    def has_features(self) -> bool:
        """Whether its units are features of a level of a learned grid, hash table or embedding."""
        return self.units_are == "features"

    @property
    def n_kernels(self) -> int:
        """Number of kernels ``(i, o)`` that exist: those within a group."""
        return self.n_units * self.outputs_per_unit

    @property
    def outputs_per_unit(self) -> int:
        """Number of outputs of a group, to each of which a unit of the group has a kernel."""
        return self.n_outputs // self.n_groups

    @property
    def neurons(self) -> tuple[int, ...]:
        """Shape of an array with one value for each of XINC's neurons.

        These are the kernels of a convolution, ``(n_units, n_outputs / n_groups)``, and the units of a linear layer,
        ``(n_units,)``, as are directions, latents and features of a grid.
        """
        return self.shape_of("kernel" if self.grid and self.units_are == "inputs" else "unit")

    def outputs_of(self, unit: int) -> range:
        """The outputs that a unit has kernels to: all, or those of its group."""
        number = as_integer(unit)
        if number is None:
            raise wrong_type("unit", unit, "an int")
        first = number * self.n_groups // self.n_units * self.outputs_per_unit
        return range(first, first + self.outputs_per_unit)

    def has(self, neuron: Sequence[int]) -> bool:
        """Whether a unit ``(i,)`` or a kernel ``(i, o)`` exists."""
        found = (
            [as_integer(one) for one in neuron] if is_sequence(neuron) and len(neuron) in (1, 2) else [None]
        )
        if None in found:
            raise wrong_type("neuron", neuron, "a unit (i,) or a kernel (i, o)")
        unit, *output = cast(list[int], found)
        return 0 <= unit < self.n_units and all(one in self.outputs_of(unit) for one in output)

    def flat_index(self, neurons: npt.ArrayLike) -> IntArray:
        """Where units ``(k,)`` or existing kernels ``(k, 2)`` stand in an array with one value a neuron, flattened."""
        found = _integers("neurons", neurons)
        if found.ndim < 2:
            return found
        if found.shape[-1] != 2:
            raise wrong_type("neurons", neurons, "units (k,) or kernels (k, 2)")
        return found[..., 0] * self.outputs_per_unit + found[..., 1] % self.outputs_per_unit

    def neurons_at(self, flat: npt.ArrayLike, granularity: str | None = None) -> IntArray:
        """The other way: units ``(k,)`` or kernels ``(k, 2)``."""
        return neurons_at(_integers("flat", flat), self.shape_of(granularity), self.n_groups)

    def neuron_at(self, flat: int, granularity: str | None = None) -> Any:
        """One unit ``i`` or kernel ``(i, o)``, as plain numbers."""
        shape = self.shape_of(granularity)
        found = neurons_at(checked_index("flat", flat, math.prod(shape)), shape, self.n_groups)
        return (int(found[0]), int(found[1])) if found.ndim else int(found)

    def shape_of(self, granularity: str | None) -> tuple[int, ...]:
        """Shape of the neurons at ``"unit"``, ``"kernel"`` or, for ``None``, XINC's granularity."""
        if granularity is None:
            return self.neurons
        if not isinstance(granularity, str):
            raise wrong_type("granularity", granularity, "'unit', 'kernel' or None")
        if granularity == "unit":
            return (self.n_units,)
        if granularity == "kernel":
            return (self.n_units, self.outputs_per_unit)
        raise wrong_value("granularity", granularity, "'unit', 'kernel' or None")


def _integers(name: str, value: Any) -> IntArray:
    """An int or several as an array; TypeError where they are none."""
    array = as_array(list(value) if isinstance(value, range) and is_sequence(value) else value)
    if array is None or (array.dtype.kind not in "iu" and array.size):
        raise wrong_type(name, value, "an int or an array of ints")
    return array.astype(np.int64, copy=False)


LayerKey = str | int | Layer  # a name, a unique part of it, an index, or the layer


def show_neuron(neuron: Neuron) -> str:
    """``"7"`` for a unit, ``"3 -> 7"`` for a kernel."""
    return f"{neuron[0]} -> {neuron[1]}" if isinstance(neuron, tuple) else str(neuron)


def neurons_at(flat: npt.ArrayLike, shape: tuple[int, ...], n_groups: int = 1) -> IntArray:
    """The units ``(k,)`` or kernels ``(k, 2)`` at places of a flattened array with one value a neuron, by its shape."""
    places = np.asarray(flat, np.int64)
    if len(shape) == 1:
        return places
    units, within = np.divmod(places, shape[1])
    return np.stack([units, units * n_groups // shape[0] * shape[1] + within], -1)


class Layers(Sequence[Layer]):
    """Layers in the order they are executed; found by name, by a unique part of it, or by index.

    `note` is printed below them: which share of the model's parameters they hold.
    """

    def __init__(self, layers: Sequence[Layer], note: str = "") -> None:
        self._layers = tuple(layers)
        self.note = note

    @property
    def first_of_weights(self) -> Layer:
        """The first layer that is no look-up of features in a table, if there is one."""
        return next((layer for layer in self._layers if not layer.has_features), self._layers[0])

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Layer]: ...
    def __getitem__(self, key: int | str | slice) -> Layer | Sequence[Layer]:
        if isinstance(key, slice):
            return Layers(self._layers[key])
        return self.find(key)

    def __len__(self) -> int:
        return len(self._layers)

    def find(self, key: int | str | Layer) -> Layer:
        """The layer that `key` names.

        Raises
        ------
        IndexError
            An index out of range.
        KeyError
            No layer, or more than one, has this name or part of a name.
        """
        if isinstance(key, Layer):
            key = key.name
        if not isinstance(key, str):
            index = as_integer(key)
            if index is None:
                raise wrong_type("layer", key, "a name, a unique part of one, or an index")
            if not -len(self) <= index < len(self):
                raise IndexError(f"layer={show(key)}: out of range, the model has {len(self)} layers")
            return self._layers[index]
        names = [layer.name for layer in self._layers]
        # Whole path components before mere parts, so that "net.1" is not also "net.10".
        for matches in (
            [name for name in names if name == key],
            [name for name in names if f".{key}." in f".{name}."],
            [name for name in names if key in name],
        ):
            if len(matches) == 1:
                return self._layers[names.index(matches[0])]
            if matches:
                raise KeyError(f"layer={show(key)}: could be any of {', '.join(matches)}")
        nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.3)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise KeyError(f"layer={show(key)}: no such layer; {hint}The layers are {', '.join(names)}")

    def find_all(self, keys: LayerKey | Sequence[LayerKey]) -> list[Layer]:
        """The layers that one key or several name, each once, in the order of the keys; see `find`."""
        several = [keys] if isinstance(keys, str | int | Layer) else keys
        return list(dict.fromkeys(self.find(key) for key in several))

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["", "layer", "op", "units", "kernels", "kernel size", "grid"]
        rows = []
        for index, layer in enumerate(self._layers):
            size = "x".join(map(str, layer.kernel_size)) if layer.grid else ""
            grid = "x".join(map(str, layer.grid)) if layer.grid else "per pixel"
            units = f"{layer.n_units:,}" + ("" if layer.units_are == "inputs" else f" {layer.units_are}")
            rows.append([str(index), layer.name, layer.op, units, f"{layer.n_kernels:,}", size, grid])
        return head, rows, (0, 3, 4, 5, 6)

    def __repr__(self) -> str:
        return tables.text(*self._table()) + (f"\n{self.note}" if self.note else "")

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.note)
