"""How far clusters depend on their random start."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.clustering import group
from canvaswidget.analysis.intervals import mean
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling
from canvaswidget.analysis.vectors import Vectors, vectors
from canvaswidget.arguments import canvas_or_vectors, checked, some_accuracy, some_groups
from canvaswidget.plotting.style import (
    CYCLE,
    QUIET,
    heading,
    new_axes,
    style,
)
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Estimated):
    """How far clusters depend on their random start.

    Attributes
    ----------
    layer, frame, k, kind
        What was clustered.
    seeds : tuple of int
    scores : (s, s) array
        Adjusted Rand index of the clusters of each two seeds: 1 for the same groups, about 0 for chance; nan where
        fewer than two neurons have a map that varies.
    sampling : Sampling or None
        How the vectors that are clustered were estimated; None where they are exact.
    """

    layer: str
    frame: int
    k: int
    kind: str
    seeds: tuple[int, ...]
    scores: FloatArray
    sampling: Sampling | None = None

    @property
    def pairs(self) -> FloatArray:
        """The scores of different seeds."""
        return self.scores[np.triu_indices(len(self.seeds), 1)]

    def to_frame(self) -> pandas.DataFrame:
        """One row a pair of seeds; pandas is imported here."""
        import pandas

        rows = list(itertools.combinations(self.seeds, 2))
        return pandas.DataFrame(rows, columns=["seed", "other"]).assign(rand_index=self.pairs)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The adjusted Rand index, mean over pairs of seeds.
        """
        return {"rand_index": mean(self.pairs.astype(np.float64))}

    def __repr__(self) -> str:
        score = "not defined"
        if np.isfinite(self.pairs).all():
            low, high = self.pairs.min(), self.pairs.max()
            score = (
                f"mean {self.pairs.mean():.2f} (least {low:.2f}, most {high:.2f}) of {len(self.pairs)} pairs"
            )
        of_estimates = ""
        if self.sampling is not None and not self.is_exact:
            of_estimates = f"; vectors estimated {self.sampling.said}, accuracy=None computes exact ones"
        return (
            f"Stability({self.layer}, frame {self.frame}, {self.k} clusters by {self.kind}: adjusted Rand index "
            f"{score} over {len(self.seeds)} seeds{of_estimates})"
        )

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """A histogram of the scores."""
        ax = ax or new_axes(height=1.7)
        known = self.pairs[np.isfinite(self.pairs)]
        with style():
            ax.hist(
                known, bins=np.linspace(min(0.0, float(known.min(initial=0))), 1, 21).tolist(), color=CYCLE[0]
            )
            ax.axvline(0, color=QUIET, lw=0.8)
            ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.set(xlabel="adjusted Rand index (0: chance)", ylabel=f"pairs of {len(self.seeds)} seeds")
            heading(ax, self.layer, f"{self.k} clusters by {self.kind}", *self.estimated())
        return ax


@over_runs
@checked(canvas=canvas_or_vectors, k=some_groups, accuracy=some_accuracy)
def stability(
    canvas: CanvasLike | Vectors,
    layer: LayerKey | None = None,
    k: int = 6,
    frame: int = 0,
    seeds: Sequence[int] = SEEDS,
    *,
    kind: str = "pooled",
    within: str = "vectors",
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    progress: Report | None = None,
) -> Stability:
    """Compare the clusters of different random starts.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`. Or the vectors of a layer, which say its frame and kind themselves:
        ``stability(vectors, k=6)``.
    layer : str, int or Layer
    k, frame, kind, within, granularity, accuracy, progress
        As in `cluster`; vectors that are given stay as they are.
    seeds : sequence of int
        Of the first centres; at least two.
    """
    from sklearn.metrics import adjusted_rand_score

    if len(seeds) < 2:
        raise ValueError(f"seeds={list(seeds)!r}: expected at least two")
    if isinstance(canvas, Vectors) and isinstance(layer, int):
        k = layer
    if isinstance(canvas, Vectors):
        source = canvas
    elif layer is None:
        raise ValueError("layer=None: expected the name, the index or the Layer whose neurons are clustered")
    else:
        source = vectors(
            canvas,
            layer,
            kind,
            frame,
            granularity=granularity,
            accuracy=accuracy,
            progress=progress or False,
        )
    every = [
        group([source], k, seed, progress, within=within)[0].labels.ravel()[source.alive] for seed in seeds
    ]
    scores = np.eye(len(seeds), dtype=np.float32)
    for one, other in itertools.combinations(range(len(seeds)), 2):
        scores[one, other] = scores[other, one] = adjusted_rand_score(every[one], every[other])
    if source.alive.sum() < 2:
        scores[:] = np.nan  # there is one way only to group them
    return Stability(
        source.layer.name, source.frame, k, source.kind, tuple(seeds), scores, sampling=source.sampling
    )
