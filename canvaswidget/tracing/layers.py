"""The weighted layers of a model, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from canvaswidget import tables


@dataclass(frozen=True)
class Layer:
    """One weighted op as executed.

    Attributes
    ----------
    name : str
        Its module path; a second call of the same module ends in ``#2``.
    op : str
        ``"linear"``, ``"conv1d"``, ``"conv2d"``, ``"conv3d"`` or ``"conv_transpose2d"``.
    n_units : int
        Number of input features (channels).
    n_outputs : int
        Number of output features (channels).
    grid : (height, width) or None
        Size of the output grid of a convolution, one number a dimension; ``None`` for a linear layer.
    kernel_size : (height, width)
        Of a convolution, one number a dimension; ``(1, 1)`` for a linear layer.
    """

    name: str
    op: str
    n_units: int
    n_outputs: int
    grid: tuple[int, ...] | None = None
    kernel_size: tuple[int, ...] = (1, 1)

    @property
    def n_kernels(self) -> int:
        """Number of kernels ``(i, o)``."""
        return self.n_units * self.n_outputs

    @property
    def neurons(self) -> tuple[int, ...]:
        """Shape of XINC's neurons: ``(n_units, n_outputs)`` for a convolution, ``(n_units,)`` for a linear layer."""
        return (self.n_units, self.n_outputs) if self.grid else (self.n_units,)

    def shape_of(self, granularity: str | None) -> tuple[int, ...]:
        """Shape of the neurons at ``"unit"``, ``"kernel"`` or, for ``None``, XINC's granularity."""
        if granularity is None:
            return self.neurons
        if granularity == "unit":
            return (self.n_units,)
        if granularity == "kernel":
            return (self.n_units, self.n_outputs)
        raise ValueError(f"granularity={granularity!r}: expected 'unit', 'kernel' or None")


class Layers(Sequence[Layer]):
    """Layers in the order they are executed; found by name, by a unique part of it, or by index."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)

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
            try:
                return self._layers[key]
            except IndexError:
                raise IndexError(f"layer={key}: out of range, the model has {len(self)} layers") from None
            except TypeError:
                raise TypeError(
                    f"layer={key!r}: expected a name, a unique part of one, or an index"
                ) from None
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
                raise KeyError(f"layer={key!r}: could be any of {', '.join(matches)}")
        nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.3)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise KeyError(f"layer={key!r}: no such layer; {hint}The layers are {', '.join(names)}")

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["", "layer", "op", "units", "kernels", "kernel size", "grid"]
        rows = []
        for index, layer in enumerate(self._layers):
            size = "x".join(map(str, layer.kernel_size)) if layer.grid else ""
            grid = "x".join(map(str, layer.grid)) if layer.grid else "per pixel"
            rows.append(
                [str(index), layer.name, layer.op, f"{layer.n_units:,}", f"{layer.n_kernels:,}", size, grid]
            )
        return head, rows, (0, 3, 4, 5, 6)

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.markup(*self._table())
