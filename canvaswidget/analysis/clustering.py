"""Neurons grouped by where they write (XINC section 4.5)."""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget.analysis.embedding import arrange, methods
from canvaswidget.analysis.intervals import mean
from canvaswidget.analysis.kmeans import STEPS, kmeans
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling
from canvaswidget.analysis.vectors import Vectors, check_comparable, vectors
from canvaswidget.arguments import checked, integer, is_clusters, some_accuracy, some_groups
from canvaswidget.plotting.style import (
    INK,
    TALLEST,
    drawn_ratio,
    heading,
    new_axes,
    style,
)
from canvaswidget.progress import Report
from canvaswidget.tracing.colours import rgb_of_magnitudes
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import LayerKey, Neuron, neurons_at, show_neuron
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

TALLEST_MAP, SPACE = 1.2, 0.42  # inches of an exemplar: its height, and its width with its name


@dataclass(frozen=True, eq=False, repr=False)
class Clusters(Estimated):
    """Groups of neurons whose maps look alike, the largest first.

    Attributes
    ----------
    layer, frame
        What was clustered.
    labels : array
        The cluster of each neuron, in the shape of the layer's neurons; -1 for a neuron with a constant map.
    counts : (k,) array
        Neurons in each cluster.
    centres : (k, rows, columns) array
        The mean of each cluster's absolute maps, each scaled to [0, 1]: pooled, or averaged over regions.
    exemplars : tuple
        The neuron nearest to each centre; shorter than `k` where there were fewer different maps.
    distances : array
        From each neuron to the centre of its cluster; nan for a neuron in no cluster.
    kind, within : str
        Of the vectors, and where k-means looked at them: ``"vectors"``, or the method of an embedding.
    n_groups : int
        Of the layer.
    size : (height, width), optional
        Of the frame, whose shape `plot` draws; that of the centres where it is not given.
    sampling : Sampling or None
        How the vectors were estimated; None where they are exact.
    """

    layer: str
    frame: int
    labels: npt.NDArray[np.int16]
    counts: npt.NDArray[np.int64]
    centres: FloatArray
    exemplars: tuple[Neuron, ...]
    distances: FloatArray
    kind: str = "pooled"
    within: str = "vectors"
    n_groups: int = 1
    size: tuple[int, int] | None = None
    sampling: Sampling | None = None

    @checked(number=integer(), count=integer(0))
    def nearest(self, number: int, count: int | None = None) -> tuple[Neuron, ...]:
        """The neurons nearest to the centre of a cluster, the nearest first; by default all of the cluster."""
        places = np.flatnonzero(self.labels.ravel() == number)
        order = places[np.argsort(self.distances.ravel()[places], kind="stable")][:count]
        found = neurons_at(order, self.labels.shape, self.n_groups).tolist()
        return tuple((neuron[0], neuron[1]) if isinstance(neuron, list) else neuron for neuron in found)

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron: its cluster, -1 for none, and the distance to its centre; pandas is imported here."""
        columns = {"cluster": self.labels, "distance": self.distances}
        return neuron_frame(columns, self.labels.shape, self.n_groups)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The share of the largest cluster, the share of neurons in none, the mean distance to a centre.
        """
        clustered = int(self.counts.sum())
        return {
            "largest_share": int(self.counts.max()) / clustered if clustered else math.nan,
            "constant_share": float((self.labels < 0).mean()),
            "distance": mean(self.distances.ravel().astype(np.float64)),
        }

    def __repr__(self) -> str:
        constant = int((self.labels < 0).sum())
        sizes = ", ".join(f"{count:,}" for count in self.counts)
        words = f"Clusters({self.layer}, frame {self.frame}: {sizes} neurons; {constant:,} with a constant map in none"
        if self.sampling is None:
            return f"{words})"
        return f"{words}{''.join(f'; {what}: {how}' for what, how in self.sampling.rows())})"

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The mean map of each cluster side by side, with its number and size."""
        k, rows, columns = self.centres.shape
        # Whatever the grid that maps are pooled to, they are drawn in the shape of the frame.
        tall = drawn_ratio(self.size or (rows, columns)) * columns / rows
        gap = max(1, columns // 16)
        wide = k * (columns + gap) - gap
        ax = ax or new_axes(6.6, 0.75 + min(max(5.4 * rows * tall / wide, 0.8), TALLEST))
        strip = np.full((rows, wide), np.nan, np.float32)
        for number, centre in enumerate(self.centres):
            start = number * (columns + gap)
            strip[:, start : start + columns] = centre
        with style():
            image = ax.imshow(strip, vmin=0, cmap="viridis", interpolation="nearest", aspect=tall)
            ax.set_xticks(
                [number * (columns + gap) + columns / 2 - 0.5 for number in range(k)],
                [f"{number}\n({count:,})" for number, count in enumerate(self.counts)],
            )
            ax.set_yticks([])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            if not self.is_exact:
                heading(ax, *self.estimated())
            ax.set_xlabel(f"cluster of {self.layer} (neurons)")
            ax.figure.colorbar(image, ax=ax, label="mean |contribution|,\nscaled", pad=0.01)
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class Exemplars:
    """Maps of the neurons nearest to the centres of clusters.

    Attributes
    ----------
    clusters : Clusters
    neurons : tuple of tuples
        Of each cluster that has any, the nearest first.
    maps : tuple of (m, height, width) arrays
        Their absolute maps, which add the magnitudes of the colours where the rule knows them, as clusters do.
    """

    clusters: Clusters
    neurons: tuple[tuple[Neuron, ...], ...]
    maps: tuple[FloatArray, ...]

    def __repr__(self) -> str:
        shown = sum(map(len, self.neurons))
        return f"Exemplars({self.clusters.layer}: {shown} maps of {len(self.neurons)} clusters)"

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """A sheet: a row for each cluster, the absolute maps of its neurons, each on its own scale."""
        most = max(map(len, self.neurons), default=1)
        ratio = drawn_ratio(self.maps[0].shape[1:]) if self.maps else 1.0
        # In inches: a map, and what is between two.
        width = min(5.8 / most / 1.06, TALLEST_MAP / ratio)
        height, gap_y, gap_x = width * ratio, 0.16, max(0.06 * width, SPACE - width)
        ax = ax or new_axes(6.6, (height + gap_y) * max(len(self.maps), 1) + 0.3)
        with style():
            for row, (neurons, maps) in enumerate(zip(self.neurons, self.maps, strict=True)):
                top = row * (height + gap_y)
                for column, (neuron, values) in enumerate(zip(neurons, maps, strict=True)):
                    left = column * (width + gap_x)
                    extent = (left, left + width, top + height, top)
                    ax.imshow(values, cmap="viridis", vmin=0, extent=extent, interpolation="nearest")
                    ax.text(
                        left + width / 2,
                        top + height,
                        show_neuron(neuron),
                        va="top",
                        ha="center",
                        fontsize=5.5,
                    )
                number = self.clusters.labels[neurons[0]]
                words = f"{number}\n({self.clusters.counts[number]:,})"
                ax.text(-gap_x, top + height / 2, words, ha="right", va="center", fontsize=6.5)
            ax.set(
                xlim=(0, most * (width + gap_x)),
                ylim=(max(len(self.maps), 1) * (height + gap_y), -0.02),
            )
            ax.set_axis_off()
            words = "neurons nearest to each cluster's centre, |maps|, each on its own scale"
            ax.set_title(f"{self.clusters.layer}: {words}", color=INK, fontsize=6.5)
        return ax


@over_runs
@checked(k=some_groups, accuracy=some_accuracy)
def cluster(
    canvas: CanvasLike,
    layer: LayerKey,
    k: int,
    frame: int = 0,
    seed: int = 0,
    progress: Report | None = None,
    *,
    kind: str = "pooled",
    within: str = "vectors",
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
) -> Clusters:
    """Group a layer's neurons by k-means on what their maps look like.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    k : int
        Number of clusters.
    frame : int
    seed : int
        Of the first centres, and of the sample; the same seed gives the same clusters.
    progress : bool or callable, optional
        ``progress(done, total)`` is called between chunks and between steps of k-means; it may raise to stop.
    kind : {"pooled", "colours", "gabor"}
        Of the vectors; see `canvaswidget.analysis.vectors`.
    within : {"vectors", "pca", "tsne", "umap"}
        Where k-means looks: at the vectors, or, as the published code does, at their places in a plane, where
        distances say less. UMAP needs the package `umap-learn`.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        Of the vectors; see `canvaswidget.analysis.vectors`.

    Returns
    -------
    Clusters
    """
    # Importing takes a second; beside the sweep it costs nothing, and nobody who waits for `progress` waits for it.
    loading = threading.Thread(target=importlib.import_module, args=("sklearn.cluster",), daemon=True)
    loading.start()
    found = vectors(
        canvas,
        layer,
        kind,
        frame,
        seed=seed if kind == "pooled" else 0,  # regions of colours and edges have a random start of their own
        granularity=granularity,
        accuracy=accuracy,
        progress=progress or False,
    )
    while loading.is_alive():
        loading.join(0.02)
        if callable(progress):
            progress(0, STEPS)
    return group([found], k, seed, progress, within=within)[0]


@checked(k=some_groups)
def group(
    sources: Sequence[Vectors],
    k: int,
    seed: int = 0,
    progress: Report | None = None,
    *,
    within: str = "vectors",
) -> list[Clusters]:
    """Group the neurons of several layers, seeds or models together, by their vectors.

    Returns
    -------
    list of Clusters
        One for each of `sources`; cluster 3 of one is cluster 3 of the others. The largest of all comes first.
    """
    check_comparable("sources", sources)
    if within not in ("vectors", *methods()):
        known = ", ".join(map(repr, ("vectors", *methods())))
        raise ValueError(f"within={within!r}: expected one of {known}")
    values = np.concatenate([source.values[source.alive] for source in sources])
    points = values if within == "vectors" or not len(values) else arrange(values, within, seed)
    labels, distances = np.zeros(len(values), np.intp), np.zeros(len(values), np.float32)
    centres = np.zeros((k, values.shape[1]), np.float32)
    if len(points):
        labels, middles = kmeans(points, k, seed, progress if callable(progress) else None)
        order = np.argsort(-np.bincount(labels, minlength=len(middles)), kind="stable")
        labels, middles = np.argsort(order)[labels], middles[order]
        distances = np.sqrt(((points - middles[labels]) ** 2).sum(1))
        for number in range(len(middles)):
            if (labels == number).any():
                centres[number] = values[labels == number].mean(0)
    parts, start = [], 0
    for source in sources:
        part = slice(start, start + int(source.alive.sum()))
        start = part.stop
        parts.append(_clusters(source, k, labels[part], distances[part], centres, within))
    return parts


@checked(clusters=is_clusters)
def exemplars(canvas: CanvasLike, clusters: Clusters, count: int = 5) -> Exemplars:
    """Compute the maps of the neurons nearest to each cluster's centre."""
    filled = [number for number in range(len(clusters.counts)) if clusters.counts[number]]
    neurons = tuple(clusters.nearest(number, count) for number in filled)
    rgb = rgb_of_magnitudes(canvas, canvas.layers.find(clusters.layer))
    maps = tuple(np.abs(canvas.maps(clusters.layer, each, clusters.frame, rgb=rgb)) for each in neurons)
    return Exemplars(clusters, neurons, maps)


def _clusters(
    source: Vectors,
    k: int,
    found: npt.NDArray[np.intp],
    distances: FloatArray,
    centres: FloatArray,
    within: str,
) -> Clusters:
    labels = np.full(len(source.alive), -1, np.int16)
    labels[source.alive] = found
    every = np.full(len(source.alive), np.nan, np.float32)
    every[source.alive] = distances
    clusters = Clusters(
        source.layer.name,
        source.frame,
        labels.reshape(source.shape),
        np.bincount(found, minlength=k),
        centres[:, source.cells],
        (),
        every.reshape(source.shape),
        source.kind,
        within,
        source.layer.n_groups,
        source.size,
        source.sampling,
    )
    nearest = [clusters.nearest(number, 1) for number in range(k) if clusters.counts[number]]
    return Clusters(**{**vars(clusters), "exemplars": tuple(neuron for (neuron,) in nearest)})
