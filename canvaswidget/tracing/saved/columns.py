"""Columns of a saved canvas: as they are stored, or from the maps of a layer that has all of them stored."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.saved.contents import Contents
from canvaswidget.tracing.saved.description import Description, listed
from canvaswidget.tracing.saved.stored_arrays import StoredArrays

FloatArray = npt.NDArray[np.float32]


class StoredColumns:
    """Every neuron's contribution to a pixel or a region; `NotKeptError` where it is not stored.

    A frame is given by its place among those stored (`at`).

    Parameters
    ----------
    arrays : StoredArrays
    contents : Contents
    about : Description
    """

    def __init__(self, arrays: StoredArrays, contents: Contents, about: Description) -> None:
        self._arrays, self._contents, self._about = arrays, contents, about

    def pixel(self, layers: list[Layer], at: int, pixel: tuple[int, int], rgb: str) -> dict[str, FloatArray]:
        """The columns of a pixel, by layer."""
        pixels = self._about.pixels
        missing = (
            f"does not know what makes pixel {pixel}: it keeps {listed(pixels)}. Keep it with "
            f"save(..., pixels=[{pixel}]), or"
        )
        index = pixels.index(pixel) if pixel in pixels else None
        return self._columns(layers, at, rgb, index, lambda maps: maps[:, pixel[0], pixel[1]], missing)

    def region(
        self, layers: list[Layer], at: int, weights: npt.NDArray[np.generic], rgb: str
    ) -> dict[str, FloatArray]:
        """The sums of the columns of a region, by layer."""
        regions = self._about.regions
        names = [name for name, stored in regions.items() if np.array_equal(stored, weights)]
        index = len(self._about.pixels) + list(regions).index(names[0]) if names else None
        missing = f"has no such region: it keeps {listed(regions)}. Keep it with save(..., regions={{name: mask}}), or"
        if rgb == "abs":  # the sums over a region do not tell
            index, missing = None, "does not keep the magnitudes of single pixels of a region: keep"

        def summed(maps: FloatArray) -> FloatArray:
            return np.einsum("kyx...,yx->k...", maps, weights.astype(np.float32))

        return self._columns(layers, at, rgb, index, summed, missing)

    def _columns(
        self,
        layers: list[Layer],
        at: int,
        rgb: str,
        index: int | None,
        take: Callable[[FloatArray], FloatArray],
        missing: str,
    ) -> dict[str, FloatArray]:
        found: dict[str, FloatArray] = {}
        for layer in layers:
            self._contents.require_colours(layer, rgb)
            if index is not None:
                found[layer.name] = self._arrays.column(layer, at, index, rgb)
                continue
            self._contents.require_whole(layer, missing)
            parts = np.concatenate([take(maps) for _, maps in self._arrays.all_maps(layer, at, rgb)])
            found[layer.name] = parts.astype(np.float32).reshape(*layer.neurons, *parts.shape[1:])
        return found
