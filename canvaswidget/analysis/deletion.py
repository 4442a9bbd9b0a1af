"""What is left of the picture when neurons go one after another, in the order of a rule's totals, and by chance.

An order is good when the picture falls apart at once if the first go first, and lasts if the last do. Inserting
needs no measurement of its own: inserting only the first ``k`` neurons is deleting all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget import media
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling, target_of, totals
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_accuracy
from canvaswidget.plotting.style import (
    CYCLE,
    QUIET,
    heading,
    legend_below,
    new_axes,
    style,
)
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

ALIKE = 60.0  # dB: two pictures closer than that, or equal, count as this close where an area is taken
POINTS = 12


@dataclass(frozen=True, eq=False, repr=False)
class Deletion(Estimated, Printed):
    """PSNR in dB while neurons are deleted in the order of a rule's totals.

    Attributes
    ----------
    layer : Layer
    frame : int
    rule : str
    against : str
        What the picture is compared with: ``"model"``, the model's own whole rendering, or ``"truth"``.
    n_neurons : int
    counts : (p,)
        Neurons deleted at each point, from 0 to all; symmetric, so that inserting has the same points.
    most_first, least_first : (p,)
        PSNR when those with the largest totals go first, and when they go last; inf where nothing is different.
    random : (s, p)
        When they go in random order, a row a seed.
    rgb : str
        How the totals add colours, as in `canvaswidget.tracing.reduce.Summary`.
    sampling : Sampling or None
        How the totals were estimated; None where they are exact.
    """

    title: ClassVar[str] = "deletion"
    layer: Layer
    frame: int
    rule: str
    against: str
    n_neurons: int
    counts: npt.NDArray[np.int64]
    most_first: FloatArray
    least_first: FloatArray
    random: FloatArray
    rgb: str
    sampling: Sampling | None = None

    @property
    def shares(self) -> FloatArray:
        """`counts` as parts of the layer."""
        return (self.counts / self.n_neurons).astype(np.float32)

    @property
    def inserted(self) -> dict[str, FloatArray]:
        """The same curves read backwards, by what goes in first: what is left when all others are deleted.

        Their areas are those of deleting: inserting the most contributing first is deleting the least first.
        """
        return {
            "most first": self.least_first[::-1],
            "least first": self.most_first[::-1],
            "random": self.random[:, ::-1],
        }

    @property
    def areas(self) -> dict[str, float]:
        """Mean PSNR over the share deleted, at most 60 dB a point: low for an order that finds what matters."""
        return {
            "most first": area(self.shares, self.most_first),
            "least first": area(self.shares, self.least_first),
            "random": float(np.mean([area(self.shares, curve) for curve in self.random])),
        }

    @checked
    def plot(self, ax: Axes | None = None, inserted: bool = False) -> Axes:
        """PSNR over the share that is deleted, or inserted; random order with the range of its seeds."""
        ax = ax or new_axes()
        most, least, chance = self.most_first, self.least_first, self.random
        if inserted:
            most, least, chance = self.inserted.values()
        # The whole picture is equal to itself: a point that would only press the others down.
        drawn = np.isfinite(most) | np.isfinite(least) | np.isfinite(chance).any(0)
        shares = self.shares[drawn]
        with style():
            shown = _shown(chance[:, drawn])
            ax.fill_between(shares, shown.min(0), shown.max(0), color=QUIET, alpha=0.25, lw=0)
            ax.plot(shares, shown.mean(0), color=QUIET, lw=1, label="random order")
            for curve, colour, label in ((most, CYCLE[1], "most first"), (least, CYCLE[0], "least first")):
                ax.plot(shares, _shown(curve[drawn]), color=colour, lw=1.2, marker="o", ms=2, label=label)
            ax.set(xlim=(0, 1), xlabel=f"share of neurons {'inserted' if inserted else 'deleted'}")
            ax.set_ylabel(f"PSNR against the {self.against} (dB)")
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            heading(
                ax, self.layer.name, f"by {self.rule} total", f"n = {self.n_neurons:,}", *self.estimated()
            )
            legend_below(ax)
        return ax

    def to_frame(self) -> pandas.DataFrame:
        """One row a point and an order of deletion, for plots by order; pandas is imported here."""
        import pandas

        orders = {"most first": self.most_first, "least first": self.least_first}
        orders |= {f"random {row}": curve for row, curve in enumerate(self.random)}
        parts = [
            pandas.DataFrame({"order": name, "deleted": self.counts, "share": self.shares, "psnr": curve})
            for name, curve in orders.items()
        ]
        return pandas.concat(parts, ignore_index=True)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The areas, in dB.
        """
        return {f"area_{order.replace(' ', '_')}": value for order, value in self.areas.items()}

    def rows(self) -> list[list[str]]:
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["neurons", f"{self.n_neurons:,}"],
            ["order", f"totals under {self.rule}, colours {COLOURS_SAID[self.rgb]}"],
            ["PSNR against", self.against],
        ]
        for order, value in self.areas.items():
            seeds = f" (mean of {len(self.random)} seeds)" if order == "random" else ""
            rows.append([f"mean PSNR over the share deleted, {order}", f"{value:.2f} dB{seeds}"])
        rows.append(["", f"points above {ALIKE:.0f} dB count as {ALIKE:.0f} dB"])
        return rows + self.sampling_rows()


@over_runs
@checked(accuracy=some_accuracy)
def deletion(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    *,
    against: str = "model",
    points: int = POINTS,
    seeds: Sequence[int] = (0, 1, 2),
    granularity: str | None = None,
    fill: str = "zero",
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Deletion:
    """Delete a layer's neurons in the order of their totals under the canvas's rule, and in random order.

    The totals of all neurons are needed first: exactly, under `gated` and `ablation`, about a pass of the model for
    each.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    against : {"model", "truth"}
        What the PSNR is against: the model's own whole rendering, or the signal itself.
    points : int
        Of each curve, after the first.
    seeds : sequence of int
        Of the random orders.
    granularity : {"unit", "kernel"}, optional
    fill : {"zero", "mean"}
        What stands in the place of what is deleted, as in `Canvas.ablate`.
    accuracy : float, "auto" or None
        Of the totals that neurons are ordered by: None for exact ones. Otherwise half of the 95% interval of a
        neuron's total is this part of it, in the median over neurons. By default exact where that takes at most about
        10 s, else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    seed : int
        Of the sample.
    progress : bool or callable
        As in `faithfulness`.
    """
    found, frame = find(canvas, layer, frame)
    if points < 1:
        raise ValueError(f"points={points!r}: at least 1")
    check_seeds(seeds)
    target = target_picture(canvas, frame, against)
    neurons = all_neurons(found, granularity).numpy()
    counts = _counts(len(neurons), points)
    with steps(f"deletion in {found.name}", "pass", progress) as counted:
        counted.plan(len(neurons) + len(counts) * (2 + len(seeds)))
        report = counted.part(len(neurons))
        wanted = target_of(canvas, found, frame, accuracy, granularity)
        ranked = totals(canvas, found, frame, granularity, wanted, seed, report)
        report(len(neurons), len(neurons))  # it may have been known
        # Stable, so that equal totals keep the order of the neurons.
        falling = np.argsort(-ranked.values, kind="stable")
        orders = [falling, falling[::-1]]
        orders += [np.random.default_rng(seed).permutation(len(neurons)) for seed in seeds]
        curves = np.empty((len(orders), len(counts)), np.float32)
        for row, order in enumerate(orders):
            for column, count in enumerate(counts):
                left = canvas.ablate({found: neurons[order[:count]]}, frame, fill=fill)
                curves[row, column] = psnr(left, target)
                counted.take()
    return Deletion(
        found,
        frame,
        canvas.rule,
        against,
        len(neurons),
        counts,
        curves[0],
        curves[1],
        curves[2:],
        ranked.rgb,
        ranked.sampling,
    )


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise ValueError without any: random orders are what others are held against."""
    if not len(seeds):
        raise ValueError(f"seeds={seeds!r}: at least one, for the random order that others are held against")


def target_picture(canvas: CanvasLike, frame: int, against: str) -> FloatArray:
    """What a picture is compared with.

    Raises
    ------
    ValueError
        `against` is unknown, or asks for a truth that the INR does not have.
    """
    if against == "model":
        return canvas.frame(frame)
    if against != "truth":
        raise ValueError(f"against={against!r}: expected 'model' or 'truth'")
    if canvas.inr.truth is None:
        raise ValueError("against='truth': this INR has none; give it as INR(..., truth=), or say 'model'")
    return canvas.inr.truth[frame]


def psnr(picture: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> float:
    """In dB, of pictures as they are shown: clipped to [0, 1]. inf where they are equal."""
    return media.psnr(np.clip(picture, 0, 1), np.clip(target, 0, 1))


def area(shares: npt.NDArray[np.floating], curve: npt.NDArray[np.floating]) -> float:
    """Mean of a curve over its shares, in dB, with at most 60 dB a point."""
    from scipy.integrate import trapezoid

    width = float(shares[-1] - shares[0])
    return float(trapezoid(_shown(curve), shares)) / width if width else float(_shown(curve)[0])


def _shown(curve: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.minimum(curve, ALIKE)


def _counts(n_neurons: int, points: int) -> npt.NDArray[np.int64]:
    """From 0 to all, evenly and symmetric."""
    half = np.floor(np.linspace(0, n_neurons, points + 1) + 0.5 - 1e-9).astype(np.int64)
    return np.unique(np.concatenate([half, n_neurons - half]))
