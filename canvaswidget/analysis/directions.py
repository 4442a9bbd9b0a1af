"""Directions that a layer's activations vary along: what to trace in the place of its units."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.arguments import checked, some_frames
from canvaswidget.plotting.style import CYCLE, QUIET, heading, new_axes, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.layers import LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

METHODS = ("pca", "nmf")
MOST_FRAMES = 8  # by default
MOST_POSITIONS = 200_000  # that a basis is computed from; more are drawn from
MOST_ITERATIONS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Directions(Printed):
    """Directions of a layer's activations, for `Canvas.directions`.

    Attributes
    ----------
    layer : str
    method : str
        ``"pca"``: the directions of largest variance, orthogonal, from the activations less their mean (Pearson, 1901).
        ``"nmf"``: non-negative directions whose non-negative combinations fit the activations best (Lee and Seung,
        1999).
    frames : tuple of int
        Whose activations they were found in.
    n_positions : int
        How many rows of activations that is.
    basis : (k, n_units)
        A direction a row, of length 1; from the one that explains most (``"pca"``), or writes most (``"nmf"``).
    explained : (k,)
        Which part of the activations' sum of squares lies in the space of the first direction, the first two, and so
        on. The mean of the activations counts: contributions are of activations, not of their deviations.
    converged : bool
        Whether the method ended by itself.
    """

    title: ClassVar[str] = "directions"
    layer: str
    method: str
    frames: tuple[int, ...]
    n_positions: int
    basis: FloatArray
    explained: FloatArray
    converged: bool

    def __len__(self) -> int:
        return len(self.basis)

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The part of the activations that the first directions span, by their number."""
        ax = ax or new_axes()
        count = np.arange(1, len(self.basis) + 1)
        with style():
            ax.axhline(1, color=QUIET, lw=0.6)
            ax.plot(count, self.explained, color=CYCLE[0], marker="o", ms=3, lw=1.2)
            ax.set(xlabel="directions", ylabel="part of the activations", ylim=(0, 1.05))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            heading(ax, self.layer, self.method.upper())
        return ax

    def to_frame(self) -> pandas.DataFrame:
        """One row a direction: what the first ones span, and a column for each unit; pandas is imported here."""
        import pandas

        units = {f"unit {unit}": column for unit, column in enumerate(self.basis.T)}
        index = pandas.RangeIndex(len(self.basis), name="direction")
        return pandas.DataFrame({"explained": self.explained, **units}, index=index)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`: the part of the activations that all directions span."""
        return {"explained": float(self.explained[-1])}

    def rows(self) -> list[list[str]]:
        several = ", ".join(map(str, self.frames))
        rows = [
            ["layer", self.layer],
            ["method", self.method],
            ["directions", "{:,} of {:,} units".format(*self.basis.shape)],
            ["activations", f"{self.n_positions:,} positions of frame {several}"],
            ["part of them that the first direction spans", f"{self.explained[0]:.1%}"],
            ["part that all span", f"{self.explained[-1]:.1%}"],
        ]
        if not self.converged:
            rows.append(["not converged", f"after {MOST_ITERATIONS:,} iterations; another seed may differ"])
        return rows


@over_runs
@checked(frames=some_frames)
def directions(
    canvas: CanvasLike,
    layer: LayerKey,
    method: str = "pca",
    k: int = 8,
    frames: Sequence[int] | None = None,
    *,
    seed: int = 0,
    progress: Progress = False,
) -> Directions:
    """Find the directions of a layer's units that its activations vary along.

    Parameters
    ----------
    canvas : Canvas or Runs
        Its model; its rule does not matter.
    layer : str, int or Layer
        What it works on: the units are its input features.
    method : {"pca", "nmf"}
        ``"nmf"`` needs activations of no negative value, as after a ReLU.
    k : int
        At most as many as units, and as positions.
    frames : sequence of int, optional
        Up to 8, evenly spread, by default.
    seed : int
        Of the positions that are drawn where there are more than 200,000, and of the method.
    progress : bool or callable
        As in `faithfulness`.

    Returns
    -------
    Directions
        Give it to `Canvas.directions`.

    Raises
    ------
    ValueError
        Another method, too many directions, or negative activations under ``"nmf"``.

    Examples
    --------
    >>> import canvaswidget as cw
    >>> canvas = cw.trace(cw.demo.video())  # doctest: +SKIP
    >>> found = cw.analysis.directions(canvas, "decoder.2", k=4)  # doctest: +SKIP
    >>> canvas.directions("decoder.2", found).map("decoder.2", 0)  # doctest: +SKIP
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected {' or '.join(map(repr, METHODS))}")
    found = canvas.layers.find(layer)
    chosen = _frames(canvas, frames)
    with steps(f"directions of {found.name}", "frame", progress) as counted:
        counted.plan(len(chosen) + 1)
        rng = np.random.default_rng(seed)
        parts = []
        for frame in chosen:
            values = canvas.activations(found, frame)
            most = MOST_POSITIONS // len(chosen)
            drawn = len(values) > most
            parts.append(values[np.sort(rng.permutation(len(values))[:most])] if drawn else values)
            counted.tell()
        activations = np.concatenate(parts).astype(np.float64)
        limit = min(activations.shape)
        if k > limit:
            raise ValueError(
                f"k={k}: at most {limit}, for {activations.shape[1]:,} units at {len(activations):,} positions"
            )
        if not np.isfinite(activations).all():
            raise ValueError(f"layer={found.name!r}: its activations hold NaN or infinity")
        basis, converged = _pca(activations, k) if method == "pca" else _nmf(activations, k, found.name, seed)
        counted.tell()
    return Directions(
        found.name,
        method,
        tuple(chosen),
        len(activations),
        basis.astype(np.float32),
        _explained(activations, basis).astype(np.float32),
        converged,
    )


def _frames(canvas: CanvasLike, frames: Sequence[int] | None) -> list[int]:
    known = canvas.inr.n_frames
    if frames is None:
        return sorted({round(place) for place in np.linspace(0, known - 1, min(known, MOST_FRAMES))})
    if not len(frames):
        raise ValueError(f"frames={frames!r}: at least one")
    return list(dict.fromkeys(canvas.inr.frame_index(frame) for frame in frames))


def _pca(activations: DoubleArray, k: int) -> tuple[DoubleArray, bool]:
    """Right singular vectors of the activations less their mean, the largest entry of each positive."""
    centred = activations - activations.mean(0)
    # Of as few numbers as there are units: their covariance has the same vectors.
    _, vectors = np.linalg.eigh(centred.T @ centred)
    basis = vectors.T[::-1][:k]
    largest = np.abs(basis).argmax(1)
    return basis * np.sign(basis[np.arange(k), largest])[:, None], True


def _nmf(activations: DoubleArray, k: int, layer: str, seed: int) -> tuple[DoubleArray, bool]:
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    negative = float((activations < 0).mean())
    if negative:
        raise ValueError(
            f"method='nmf': {negative:.1%} of the activations that {layer!r} works on are negative (the least is "
            f"{activations.min():.3g}); it takes those of no negative value, as after a ReLU. method='pca' takes any"
        )
    if not activations.any():
        raise ValueError(f"layer={layer!r}: all its activations are 0, so no direction is")
    model: Any = NMF(cast(Any, k), init="nndsvda", random_state=seed, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        amounts = model.fit_transform(activations)
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in caught)
    lengths = np.linalg.norm(model.components_, axis=1)
    if not lengths.all():
        raise ValueError(
            f"k={k}: {int((lengths == 0).sum())} of so many directions are empty; the activations need fewer"
        )
    order = np.argsort(-np.linalg.norm(amounts, axis=0) * lengths, kind="stable")
    return (model.components_ / lengths[:, None])[order], converged


def _explained(activations: DoubleArray, basis: DoubleArray) -> DoubleArray:
    """Part of the sum of squares in the span of the first rows, one number a row."""
    total = float((activations**2).sum())
    if not total:
        return np.full(len(basis), math.nan)
    spanning, _ = np.linalg.qr(basis.T)
    return np.minimum(np.cumsum(((activations @ spanning) ** 2).sum(0)) / total, 1)
