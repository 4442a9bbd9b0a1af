"""Neurons as points of a plane, near each other where their maps look alike."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes

from canvaswidget.analysis.vectors import Vectors, check_comparable
from canvaswidget.arguments import checked, vectors_by_run
from canvaswidget.plotting.style import CYCLE, heading, legend_below, legend_label, new_axes, style
from canvaswidget.tables import Printed
from canvaswidget.tracing.layers import Neuron, show_neuron

if TYPE_CHECKING:
    import pandas

Points = npt.NDArray[np.float32]

METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
MOST = 3000  # points that t-SNE arranges itself; the others are placed among their nearest of those
NEIGHBOURS = 3  # that such a point is placed among
NEAREST = 5  # neurons that are looked at around each
MARGIN = 0.03


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Printed):
    """The neurons of several runs as points of one plane.

    Attributes
    ----------
    method : {"pca", "tsne", "umap"}
    kind : str
        Of the vectors.
    runs : tuple
        Their keys, in order.
    layers : tuple of str
        The layer of each run.
    run : (n,)
        Of each point, the place of its run in `runs`.
    neurons : tuple of neurons
        Of each point, in its layer.
    places : (n, 2)
        The points ``(x, y)``, within 0 and 1.
    n_constant : (r,)
        Neurons of each run whose map is the same everywhere; they are left out.
    same_run : float
        Share of each neuron's five nearest neurons that are of its own run, mean over neurons: 1 where no neuron has
        one of another run among them. Distances are those of the vectors, not of the plane. nan for a single neuron.
    same_run_by_chance : float
        The same where runs say nothing about vectors.
    """

    title: ClassVar[str] = "embedding"
    method: str
    kind: str
    runs: tuple[Any, ...]
    layers: tuple[str, ...]
    run: npt.NDArray[np.intp]
    neurons: tuple[Neuron, ...]
    places: Points
    n_constant: npt.NDArray[np.int64]
    same_run: float
    same_run_by_chance: float

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron: its run, its layer, and where it lies; pandas is imported here."""
        import pandas

        return pandas.DataFrame(
            {
                "run": [self.runs[place] for place in self.run],
                "layer": [self.layers[place] for place in self.run],
                "neuron": list(map(show_neuron, self.neurons)),
                "x": self.places[:, 0],
                "y": self.places[:, 1],
            }
        )

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The neurons as points in the colour of their run."""
        ax = ax or new_axes(height=3.3)
        with style():
            for place, run in enumerate(self.runs):
                points = self.places[self.run == place]
                name = legend_label(f"{run} (n = {len(points):,})")
                ax.scatter(*points.T, s=6, color=self._colour(place), lw=0, alpha=0.7, label=name)
            ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
            ax.set(xlabel=f"{METHODS[self.method]} 1", ylabel=f"{METHODS[self.method]} 2")
            heading(ax, *dict.fromkeys(self.layers), f"by {self.kind} vectors")
            legend_below(ax, markerscale=2)
        return ax

    def _colour(self, place: int) -> Any:
        """The colour of a run: distinct colours for a few runs, else a scale from dark to light in their order."""
        if len(self.runs) <= len(CYCLE):
            return CYCLE[place]
        return colormaps["viridis"](place / (len(self.runs) - 1))

    def rows(self) -> list[list[str]]:
        counts = np.bincount(self.run, minlength=len(self.runs))
        rows = [["method", METHODS[self.method]], ["vectors", self.kind]]
        for run, layer, count, constant in zip(self.runs, self.layers, counts, self.n_constant, strict=True):
            left_out = f" ({constant:,} with a constant map left out)" if constant else ""
            rows.append([f"neurons of {run}", f"{count:,} of {layer}{left_out}"])
        return [
            *rows,
            [f"nearest {NEAREST} neurons (of the vectors) in the same run", f"{self.same_run:.1%}"],
            ["the same by chance", f"{self.same_run_by_chance:.1%}"],
        ]


@checked(sources=vectors_by_run)
def embed(
    sources: Mapping[Any, Vectors] | Sequence[Vectors], method: str = "tsne", seed: int = 0
) -> Embedding:
    """Arrange the neurons of several runs in one plane, near each other where their vectors are alike.

    Parameters
    ----------
    sources : mapping or sequence of Vectors
        Of the same kind and length, by run: ``analysis.vectors(runs, layer)`` gives such a mapping. Those of a sequence
        are called by their layers, with a number before them where these are not distinct. Vectors by colours or edges
        compare only if their regions are the same.
    method : {"pca", "tsne", "umap"}
        UMAP needs the package `umap-learn`.
    seed : int
        The same seed gives the same plane.
    """
    if isinstance(sources, Mapping):
        keys, parts = tuple(sources), list(sources.values())
    else:
        parts = list(sources)
        names = [part.layer.name for part in parts]
        distinct = len(set(names)) == len(names)
        keys = tuple(name if distinct else f"{place}: {name}" for place, name in enumerate(names))
    check_comparable("sources", parts)
    if method not in methods():
        known = ", ".join(map(repr, methods()))
        more = "; UMAP needs the package umap-learn" if "umap" not in methods() else ""
        raise ValueError(f"method={method!r}: expected one of {known}{more}")
    points = np.concatenate([part.values[part.alive] for part in parts])
    counts = np.array([int(part.alive.sum()) for part in parts])
    run = np.repeat(np.arange(len(parts)), counts)
    n = len(points)
    return Embedding(
        method,
        parts[0].kind,
        keys,
        tuple(part.layer.name for part in parts),
        run,
        tuple(part.neuron(int(place)) for part in parts for place in np.flatnonzero(part.alive)),
        arrange(points, method, seed),
        np.array([len(part.alive) for part in parts]) - counts,
        _same_run(points, run),
        float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else np.nan,
    )


def _same_run(points: Points, run: npt.NDArray[np.intp]) -> float:
    from sklearn.neighbors import NearestNeighbors

    if len(points) < 2:
        return float("nan")
    near = NearestNeighbors(n_neighbors=min(NEAREST, len(points) - 1)).fit(points)
    others = near.kneighbors(return_distance=False)  # without the point itself
    return float((run[others] == run[:, None]).mean())


def methods() -> list[str]:
    """What can be asked for here: UMAP needs the package `umap-learn`."""
    return ["pca", "tsne", *(["umap"] if importlib.util.find_spec("umap") else [])]


def arrange(points: Points, method: str, seed: int = 0) -> Points:
    """``(n, 2)`` in [0, 1], from ``(n, features)``; the same seed gives the same picture."""
    if len(points) < 4:
        return np.stack([np.linspace(0, 1, len(points) + 2)[1:-1], np.full(len(points), 0.5)], 1).astype(
            np.float32
        )
    function = {"pca": _pca, "tsne": _tsne, "umap": _umap}[method]
    return _fitted(np.asarray(function(points, seed), np.float32))


def _pca(points: Points, seed: int) -> Points:
    centred = points - points.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, np.argsort(-values)[:2]]
    axes = axes * np.sign(
        axes[np.abs(axes).argmax(0), [0, 1][: axes.shape[1]]]
    )  # or the sign would be chance
    found = centred @ axes
    return found if found.shape[1] == 2 else np.pad(found, ((0, 0), (0, 1)))


def _tsne(points: Points, seed: int) -> Points:
    from sklearn.manifold import TSNE
    from sklearn.neighbors import NearestNeighbors

    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:MOST])
    sample = points[chosen]
    start: Any = _pca(sample, seed)
    start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4  # as small as t-SNE wants it
    perplexity = min(30.0, (len(sample) - 1) / 3)
    placed = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(sample)
    if len(sample) == len(points):
        return placed
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(sample)
    distances, indices = near.kneighbors(points)
    weights = 1 / np.maximum(distances, 1e-9)
    found = (placed[indices] * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)
    found[chosen] = placed
    return found


def _umap(points: Points, seed: int) -> Points:
    umap: Any = importlib.import_module("umap")
    return umap.UMAP(n_neighbors=min(15, len(points) - 1), random_state=seed).fit_transform(points)


def _fitted(found: Points) -> Points:
    """Into the unit square, in proportion, with a margin."""
    low, high = found.min(0), found.max(0)
    span = max(float((high - low).max()), 1e-12)
    return (0.5 + (found - (low + high) / 2) / span * (1 - 2 * MARGIN)).astype(np.float32)
