"""Neurons of a layer grouped by where they write."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.kmeans import MAX_STEPS, kmeans

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Progress = Callable[[int, int], None]
Neuron = int | tuple[int, int]

POOLED = 16  # maps are averaged to this many rows and columns before they are compared
MAX_BYTES = 128 * 2**20  # of all pooled maps; beyond, they are pooled to half as many rows and columns


@dataclass(frozen=True)
class Clusters:
    """Groups of neurons whose maps look alike, the largest first.

    Attributes
    ----------
    layer, frame
        What was clustered.
    labels : array
        The cluster of each neuron, in the shape of the layer's neurons; -1 for a dead one, whose map is the
        same everywhere.
    counts : (k,) array
        Neurons in each cluster.
    centres : (k, rows, columns) array
        The mean of each cluster's absolute maps, each scaled to [0, 1] and pooled.
    exemplars : tuple
        The neuron nearest to each centre; shorter than `k` where there were fewer different maps.
    """

    layer: str
    frame: int
    labels: npt.NDArray[np.int16]
    counts: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float32]
    exemplars: tuple[Neuron, ...]

    def __repr__(self) -> str:
        dead = int((self.labels < 0).sum())
        sizes = ", ".join(f"{count:,}" for count in self.counts)
        return f"Clusters({self.layer}, frame {self.frame}: {sizes} neurons, {dead:,} dead)"

    def plot(self, ax: Axes | None = None) -> Axes:
        """The mean map of each cluster side by side, with its number and size."""
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6.6, 1.4), layout="constrained").subplots()
        k, rows, columns = self.centres.shape
        strip = np.full((rows, k * (columns + 1) - 1), np.nan, np.float32)
        for number, centre in enumerate(self.centres):
            start = number * (columns + 1)
            strip[:, start : start + columns] = centre
        image = ax.imshow(strip, vmin=0, cmap="viridis", interpolation="nearest")
        ax.set_xticks(
            [number * (columns + 1) + columns / 2 - 0.5 for number in range(k)],
            [f"{number}\n({count:,})" for number, count in enumerate(self.counts)],
        )
        ax.set_yticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel(f"cluster of {self.layer} (neurons)")
        ax.figure.colorbar(image, ax=ax, label="mean |contribution|,\nscaled", pad=0.01)
        return ax


def cluster(
    canvas: Any, layer: Any, k: int, frame: int = 0, seed: int = 0, progress: Progress | None = None
) -> Clusters:
    """Group a layer's neurons by k-means on what their maps look like.

    Each neuron's absolute map is scaled to [0, 1] and averaged to a 16 x 16 grid, so that neurons meet by
    where they write, not by how much.

    Parameters
    ----------
    canvas : Canvas
    layer : str or int
        Name, unique part of it, or index.
    k : int
        Number of clusters.
    frame : int
    seed : int
        Of the first centres; the same seed gives the same clusters.
    progress : callable, optional
        ``progress(done, total)`` is called between chunks and between steps of k-means; it may raise to stop.

    Returns
    -------
    Clusters
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k={k!r}: expected a number of clusters, at least 1")
    shape, name = _layer_of(canvas, layer)
    # Importing takes a second; beside the sweep it costs nothing, and nobody who waits for `progress` waits for it.
    loading = threading.Thread(target=importlib.import_module, args=("sklearn.cluster",), daemon=True)
    loading.start()
    features, alive = pooled_maps(canvas, layer, shape, frame, progress)
    while loading.is_alive():
        loading.join(0.02)
        if progress is not None:
            progress(0, MAX_STEPS)
    rows, columns = features.shape[1:]
    points = features[alive].reshape(int(alive.sum()), rows * columns)

    labels = np.full(alive.size, -1, np.int16)
    counts = np.zeros(k, np.int64)
    centres = np.zeros((k, rows * columns), np.float32)
    exemplars: tuple[Neuron, ...] = ()
    if len(points):
        found, found_centres = kmeans(points, k, seed, progress)
        order = np.argsort(-np.bincount(found, minlength=len(found_centres)), kind="stable")
        found, found_centres = np.argsort(order)[found], found_centres[order]
        labels[alive] = found
        counts[: len(order)] = np.bincount(found, minlength=len(order))
        centres[: len(order)] = found_centres
        indices = np.flatnonzero(alive)
        exemplars = tuple(
            _neuron(indices[found == number], points[found == number], centre, shape)
            for number, centre in enumerate(found_centres)
            if counts[number]
        )
    return Clusters(
        name, int(frame), labels.reshape(shape), counts, centres.reshape(k, rows, columns), exemplars
    )


def _layer_of(canvas: Any, layer: Any) -> tuple[tuple[int, ...], str]:
    found = canvas.layers[layer]
    return tuple(found.neurons), found.name


def pooled_maps(
    canvas: Any, layer: Any, shape: tuple[int, ...], frame: int, progress: Progress | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """``(n, rows, columns)``: each neuron's scaled and pooled map; and which neurons are alive, in C order."""
    count = int(np.prod(shape))
    side = POOLED if count * POOLED**2 * 4 <= MAX_BYTES else POOLED // 2
    features = np.zeros((count, 1, 1), np.float32)
    alive = np.zeros(count, bool)
    for neurons, maps in canvas.iter(layer, frame=frame, progress=progress):
        magnitude = np.abs(np.asarray(maps, np.float32))
        height, width = magnitude.shape[1:]
        if features.shape[1:] == (1, 1):
            features = np.zeros((count, min(side, height), min(side, width)), np.float32)
        low = magnitude.min((1, 2))
        span = magnitude.max((1, 2)) - low
        pooled = _block_means(magnitude, features.shape[1:])
        indices = _flat(np.asarray(neurons), shape)
        alive[indices] = span > 0
        features[indices] = (pooled - low[:, None, None]) / np.where(span > 0, span, 1)[:, None, None]
    return features, alive


def _block_means(maps: npt.NDArray[np.float32], size: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Means over a grid of blocks that differ by at most a pixel in size."""
    starts = [
        np.linspace(0, length, parts + 1).astype(int)[:-1]
        for length, parts in zip(maps.shape[1:], size, strict=True)
    ]
    sums = np.add.reduceat(np.add.reduceat(maps, starts[0], axis=1), starts[1], axis=2)
    lengths = [np.diff([*start, length]) for start, length in zip(starts, maps.shape[1:], strict=True)]
    return (sums / np.outer(*lengths)).astype(np.float32)


def _flat(neurons: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    if neurons.ndim == 1:
        return neurons.astype(np.intp)
    return np.asarray(np.ravel_multi_index(tuple(neurons.T.astype(np.intp)), shape))


def _neuron(
    indices: npt.NDArray[np.intp],
    points: npt.NDArray[np.float32],
    centre: npt.NDArray[np.float32],
    shape: tuple[int, ...],
) -> Neuron:
    """The neuron whose point is nearest to the centre."""
    nearest = indices[((points - centre) ** 2).sum(1).argmin()]
    neuron = tuple(int(part) for part in np.unravel_index(nearest, shape))
    return neuron[0] if len(neuron) == 1 else (neuron[0], neuron[1])
