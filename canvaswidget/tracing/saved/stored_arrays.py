"""The arrays of a saved canvas: pictures, maps, columns and totals, each by its place in the store."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import coloured
from canvaswidget.tracing.saved.description import Description
from canvaswidget.tracing.saved.store import Reader
from canvaswidget.tracing.saved.writer import BY_NEURON, BY_PIXEL, INTERVALS

FloatArray = npt.NDArray[np.float32]

CHUNK_BYTES = 2**21  # of maps that are read at once


class StoredArrays:
    """What `Canvas.save` wrote, read when it is asked for. A frame is given by its place among those stored (`at`).

    Parameters
    ----------
    reader : Reader
    about : Description
    """

    def __init__(self, reader: Reader, about: Description) -> None:
        self._reader, self._about = reader, about
        self._n_frames, self._size = len(about.frames), about.inr.size

    def frame(self, at: int) -> FloatArray:
        """The raw output ``(height, width, channels)``."""
        return self._read("frames", (*self._size, self._about.n_channels), at)

    def maps(self, layer: Layer, at: int, rows: npt.NDArray[Any], rgb: str) -> FloatArray:
        """The maps in some rows of those stored, ``(k, height, width)``; with `rgb` "each" a last axis of colours."""
        colours, kept = self._colours(layer), len(self._about.neurons[layer.name])
        if len(rows):
            maps = self._read(f"{self._name(layer)}/maps", (kept, *colours, *self._size), (at, rows))
        else:
            maps = np.empty((0, *colours, *self._size), np.float32)
        return coloured(torch.from_numpy(maps), rgb).numpy() if colours else maps

    def all_maps(self, layer: Layer, at: int, rgb: str) -> Iterator[tuple[npt.NDArray[np.int64], FloatArray]]:
        """Flat indices and maps of a layer that has all of them stored, in chunks."""
        count, step = math.prod(layer.neurons), max(1, CHUNK_BYTES // (4 * math.prod(self._size)))
        for first in range(0, count, step):
            rows = np.arange(first, min(first + step, count))
            yield rows, self.maps(layer, at, rows, rgb)

    def column(self, layer: Layer, at: int, index: int, rgb: str) -> FloatArray:
        """Every neuron's contribution to a pixel, or a region after all pixels, in the shape of the neurons."""
        count, colours = len(self._about.pixels) + len(self._about.regions), self._colours(layer)
        shape = (count, *colours, math.prod(layer.neurons))
        column = self._read(f"{self._name(layer)}/columns", shape, (at, index))
        if colours:
            column = coloured(torch.from_numpy(column.T.copy())[..., None, None], rgb)[:, 0, 0].numpy()
        return column.reshape(*layer.neurons, *column.shape[1:])

    def totals(self, layer: Layer, at: int) -> dict[str, Any]:
        """The sums of a summary by their names, over all maps and over all pixels, with the intervals of estimates."""
        name, count = self._name(layer), math.prod(layer.neurons)
        by_neuron = {
            key: self._read(f"{name}/{key}", (count,), at).reshape(layer.neurons) for key in BY_NEURON
        }
        found = by_neuron | {key: self._read(f"{name}/{key}", self._size, at) for key in BY_PIXEL}
        estimated = self._about.estimated.get(layer.name)
        if estimated is None:
            return found
        found |= {"passes": estimated.passes[at], "accuracy": estimated.accuracy[at]}
        if estimated.accuracy[at] is None:  # exact totals took no more passes
            return found
        for key in INTERVALS:
            of_pixels = key.startswith("pixel")
            values = self._read(f"{name}/{key}", self._size if of_pixels else (count,), at)
            found[key] = values if of_pixels else values.reshape(layer.neurons)
        return found

    def _read(self, name: str, shape: tuple[int, ...], index: Any) -> FloatArray:
        """A part of an array whose first axis is that of the frames."""
        return self._reader.read(name, (self._n_frames, *shape), "float32", index)

    def _name(self, layer: Layer) -> str:
        return f"layers/{list(self._about.neurons).index(layer.name)}"

    def _colours(self, layer: Layer) -> tuple[int, ...]:
        """The axis of colours that maps and columns of a layer have."""
        return () if self._about.why_no_colours[layer.name] else (3,)
