"""Which neuron of one layer, seed or model is which of another: the assignment that makes most pairs most alike.

An optimal assignment finds likeness in anything, so it is held against the same assignment to neurons whose features
are out of place: each pooled map is moved by a random number of rows and columns, each other vector is shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget.analysis.intervals import median
from canvaswidget.analysis.vectors import Vectors
from canvaswidget.arguments import checked
from canvaswidget.plotting.style import (
    CYCLE,
    QUIET,
    heading,
    legend_below,
    new_axes,
    style,
)
from canvaswidget.tables import Printed
from canvaswidget.tracing.layers import Neuron, show_neuron

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

MOST = 1000
CONSTANT = 1e-6  # length of a centred vector up to which it counts as constant


@dataclass(frozen=True, eq=False, repr=False)
class Matching(Printed):
    """Pairs of neurons, the most alike first.

    Attributes
    ----------
    one, other : Vectors
        What was matched.
    pairs : tuple of (neuron, neuron)
        One for each neuron of the side with fewer neurons. Neurons with a constant vector are left out of both sides:
        their correlation is not defined.
    likeness : (m,)
        Pearson's correlation of the two vectors of each pair.
    by_chance : (m,)
        The same, sorted, when the features of `other` are out of place.
    """

    title: ClassVar[str] = "matching"
    one: Vectors
    other: Vectors
    pairs: tuple[tuple[Neuron, Neuron], ...]
    likeness: FloatArray
    by_chance: FloatArray

    def numbers(self) -> dict[str, float]:
        """Sum it up: the number of pairs, the median of their correlations, and of those by chance."""
        return {
            "pairs": float(len(self.pairs)),
            "correlation": median(self.likeness),
            "correlation_by_chance": median(self.by_chance),
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row a pair; pandas is imported here."""
        import pandas

        one, other = ([show_neuron(pair[side]) for pair in self.pairs] for side in (0, 1))
        return pandas.DataFrame({"one": one, "other": other, "correlation": self.likeness})

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Likeness of the pairs, sorted, and by chance."""
        ax = ax or new_axes()
        with style():
            places = np.arange(1, len(self.likeness) + 1)
            ax.plot(places, self.likeness, color=CYCLE[0], lw=1.2, label="matched")
            ax.plot(places, self.by_chance, color=QUIET, lw=1, ls="--", label="out of place")
            ax.set(xlabel=f"pairs, sorted (n = {len(places):,})", ylabel="correlation of the two maps")
            ax.set_ylim(min(0.0, float(np.min(self.by_chance, initial=0))), 1.02)
            heading(ax, self.one.layer.name, self.other.layer.name)
            legend_below(ax)
        return ax

    def rows(self) -> list[list[str]]:
        rows = [
            ["layers", f"{self.one.layer.name} and {self.other.layer.name}"],
            ["vectors", self.one.kind],
            [
                "pairs",
                f"{len(self.pairs):,} (of {len(self.one.alive):,} and {len(self.other.alive):,} neurons)",
            ],
        ]
        constant = [int((side.alive & ~_varies(side.values)).sum()) for side in (self.one, self.other)]
        if any(constant):
            rows.append(
                [
                    "constant vectors, correlation not defined",
                    f"{constant[0]:,} and {constant[1]:,} (left out)",
                ]
            )
        if self.pairs:
            rows += [
                ["correlation of a pair: median", f"{np.median(self.likeness):.3f}"],
                ["the same with features out of place", f"{np.median(self.by_chance):.3f}"],
            ]
        return rows


@checked
def match(one: Vectors, other: Vectors, most: int = MOST, seed: int = 0) -> Matching:
    """Match neurons one to one so that the sum of correlations of their vectors is as large as can be.

    Parameters
    ----------
    one, other : Vectors
        Of the same kind and length: of two layers, of two seeds or of two models, whatever their architectures. With
        ``found = analysis.vectors(runs, layer)`` it is ``match(found["one"], found["other"])``. Means over regions
        compare only if the regions are the same: give `canvaswidget.analysis.vectors` the same `masks`.
    most : int
        Neurons of each side that are matched: those that contribute most. Neurons with a constant vector are left
        out.
    seed : int
        Of what is put out of place.
    """
    if one.kind != other.kind or one.values.shape[1] != other.values.shape[1]:
        raise ValueError(
            f"other: has {other.values.shape[1]} features of kind {other.kind!r}; expected {one.values.shape[1]} of "
            f"kind {one.kind!r}"
        )
    if one.kind != "pooled" and not np.array_equal(one.cells, other.cells):
        raise ValueError("other: its regions are not those of `one`; give both the same masks")
    if most < 1:
        raise ValueError(f"most={most!r}: expected at least 1")
    places = [_strongest(side, most) for side in (one, other)]
    values = [_standard(side.values[chosen]) for side, chosen in zip((one, other), places, strict=True)]
    rows, columns, likeness = _assigned(*values)
    moved = _standard(_out_of_place(other, places[1], np.random.default_rng(seed)))
    _, _, by_chance = _assigned(values[0], moved)
    order = np.argsort(-likeness, kind="stable")
    ends = places[0][rows[order]].tolist(), places[1][columns[order]].tolist()
    pairs = tuple((one.neuron(row), other.neuron(column)) for row, column in zip(*ends, strict=True))
    return Matching(one, other, pairs, likeness[order], np.sort(by_chance)[::-1])


def _strongest(side: Vectors, most: int) -> npt.NDArray[np.intp]:
    living = np.flatnonzero(side.alive & _varies(side.values))
    return np.sort(living[np.argsort(-side.strength[living], kind="stable")[:most]])


def _varies(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows are not constant: a constant has no correlation with anything."""
    return np.linalg.norm(values - values.mean(1, keepdims=True), axis=1) > CONSTANT


def _standard(values: FloatArray) -> FloatArray:
    """Rows of mean 0 and length 1, of rows that are not constant."""
    centred = values - values.mean(1, keepdims=True)
    return (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)


def _assigned(
    one: FloatArray, other: FloatArray
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatArray]:
    from scipy.optimize import linear_sum_assignment

    likeness = one @ other.T
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    return rows, columns, likeness[rows, columns]


def _out_of_place(side: Vectors, places: npt.NDArray[np.intp], rng: np.random.Generator) -> FloatArray:
    values = side.values[places]
    if side.kind != "pooled":
        return rng.permuted(values, axis=1)
    shape = side.cells.shape
    moved = [np.roll(one.reshape(shape), rng.integers(0, shape), (0, 1)).ravel() for one in values]
    return np.array(moved, np.float32).reshape(values.shape)
