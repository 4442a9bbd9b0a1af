"""How a network learns its picture: when neurons come and go, and when their maps settle."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from canvaswidget.analysis.correlation import row_correlations
from canvaswidget.analysis.over_runs import each_run
from canvaswidget.analysis.quartiles import quartiles
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import canvases_by_run, checked
from canvaswidget.error_text import one_line
from canvaswidget.plotting.style import CYCLE, Page, heading, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID, rgb_of_magnitudes
from canvaswidget.tracing.errors import NotKeptError
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

ALIVE = 0.01  # of the layer's mean total
SETTLED = 0.9  # correlation of a map with the final one
AT_ONCE = 2**28  # bytes of maps that are compared at once


@dataclass(frozen=True, eq=False, repr=False)
class Training(Printed):
    """How the neurons of a layer came to contribute what they do.

    Attributes
    ----------
    layer : Layer
    frame : int
    steps : tuple
        The keys of the runs, in order; the last is the final one.
    totals : (s, n)
        Sum over pixels of each neuron's absolute contributions.
    stability : (s, n)
        Pearson correlation over pixels of each neuron's map with its final one; nan where one of the two is the same
        everywhere.
    alive : (s, n)
        Whether the neuron's total is over a hundredth of the layer's mean total at that step.
    contribution_change : (s - 1,)
        Sum over neurons and pixels of the absolute difference from the step before, as a part of that sum of the
        absolute contributions at the later step.
    weight_change : (s - 1,)
        Norm of the difference of the layer's weight from the step before, as a part of the norm at the later step; nan
        where weights are not known.
    rgb : str
        How totals add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum. Maps
        are compared with their colours added.
    errors : dict of str
        By key, why a run could not be made; it is none of `steps`.
    """

    title: ClassVar[str] = "training"
    layer: Layer
    frame: int
    steps: tuple[Any, ...]
    totals: FloatArray
    stability: FloatArray
    alive: npt.NDArray[np.bool_]
    contribution_change: FloatArray
    weight_change: FloatArray
    rgb: str
    errors: Mapping[Any, str] = field(default_factory=dict)

    @property
    def half_step(self) -> list[Any]:
        """By neuron, the first step from which its total stays at half of its final one or more; None without one."""
        reached = (self.totals >= self.totals[-1] / 2) & (self.totals[-1] > 0)
        first = len(self.steps) - np.cumprod(reached[::-1], 0).sum(0)
        return [self.steps[place] if place < len(self.steps) else None for place in first]

    @property
    def born(self) -> npt.NDArray[np.bool_]:
        """The neurons that are not alive at the first step and are at the last."""
        return ~self.alive[0] & self.alive[-1]

    @property
    def died(self) -> npt.NDArray[np.bool_]:
        """The neurons that are alive at some step and not at the last."""
        return self.alive.any(0) & ~self.alive[-1]

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron; pandas is imported here."""
        import pandas

        index = [str(self.layer.neuron_at(place)) for place in range(self.totals.shape[1])]
        return pandas.DataFrame(
            {
                "first_total": self.totals[0],
                "final_total": self.totals[-1],
                "half_step": self.half_step,
                "first_stability": self.stability[0],
                "alive_at_first": self.alive[0],
                "alive_at_last": self.alive[-1],
                "born": self.born,
                "died": self.died,
            },
            index=pandas.Index(index, name="neuron"),
        )

    @checked
    def plot(self) -> Figure:
        """Totals, stability and changes along the steps: medians and quartiles of the neurons."""
        with style():
            figure = Page(figsize=(3.4, 4.6), layout="constrained")
            axes = figure.subplots(3, sharex=True)
            places = np.arange(len(self.steps))
            with np.errstate(invalid="ignore", divide="ignore"):
                shares = np.where(self.totals[-1] > 0, self.totals / self.totals[-1], np.nan)
            for ax, values, label in (
                (axes[0], shares, "total\n(share of the final one)"),
                (axes[1], self.stability, "correlation with\nthe final map"),
            ):
                low, middle, high = quartiles(values)
                ax.plot(places, middle, color=CYCLE[0], lw=1.2, marker="o", ms=2)
                ax.fill_between(places, low, high, color=CYCLE[0], alpha=0.15, lw=0)
                ax.set_ylabel(label)
            axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes[0].set_ylim(bottom=0)
            for values, label, colour in (
                (self.contribution_change, "contributions", CYCLE[1]),
                (self.weight_change, "weights", CYCLE[2]),
            ):
                if np.isfinite(values).any():
                    axes[2].plot(places[1:], values, color=colour, lw=1.2, marker="o", ms=2, label=label)
            axes[2].set_ylabel("change from the\nstep before")
            axes[2].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes[2].set_ylim(bottom=0)
            axes[2].set_xticks(places, [str(step) for step in self.steps], rotation=60)
            axes[2].set_xlabel("step; above, median and quartiles of neurons")
            figure.legend(loc="outside lower center", ncols=2, frameon=False)
            heading(axes[0], self.layer.name, f"frame {self.frame}", f"n = {self.totals.shape[1]:,}")
        return figure

    def rows(self) -> list[list[str]]:
        count = self.totals.shape[1]
        known = [step for step in self.half_step if step is not None]
        middle = sorted(map(self.steps.index, known))[len(known) // 2] if known else None
        settled = np.flatnonzero(quartiles(self.stability)[1] >= SETTLED)
        half = "none" if middle is None else str(self.steps[middle])
        first = str(self.steps[settled[0]]) if len(settled) else "none"
        alive = f"{self.alive[0].sum():,} and {self.alive[-1].sum():,} of {count:,}"
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
            ["steps", f"{len(self.steps)}, {self.steps[0]} to {self.steps[-1]}"],
            ["neurons alive at the first and the last step", alive],
            ["born, died", f"{self.born.sum():,}, {self.died.sum():,}"],
            ["step with half of the final total: median of neurons", half],
            [f"first step with a median correlation of {SETTLED} with the final map", first],
            *([f"step {step}, left out", why] for step, why in self.errors.items()),
        ]


@checked(runs=canvases_by_run)
def training(
    runs: Mapping[Any, CanvasLike],
    layer: LayerKey,
    frame: int = 0,
    *,
    granularity: str | None = None,
    progress: Progress = False,
) -> Training:
    """Follow the neurons of a layer through the checkpoints of a training.

    Parameters
    ----------
    runs : Runs
        Checkpoints of one network, in the order of their steps; see `canvaswidget.Runs.from_checkpoints`. Those that
        can't be made are left out, and named.
    layer : str, int or Layer
    frame : int
    granularity : {"unit", "kernel"}, optional
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in runs.

    Raises
    ------
    ValueError
        There are fewer than two runs, or their layers differ.
    """
    made = dict(each_run(runs, lambda canvas: None))
    errors = {key: one_line(error, whole=True) for key, error in made.items() if error is not None}
    keys = tuple(key for key in made if key not in errors)
    if len(keys) < 2:
        said = "".join(f"; {why}" for why in errors.values())
        raise ValueError(f"runs: there are {len(keys)}; expected at least two steps of a training{said}")
    found, frame = find(runs[keys[-1]], layer, frame)
    shape = found.shape_of(granularity)
    count = math.prod(shape)
    totals = np.empty((len(keys), count), np.float32)
    stability = np.empty((len(keys), count), np.float32)
    change, size, weight_change = (
        np.zeros(len(keys) - 1),
        np.zeros(len(keys) - 1),
        np.full(len(keys) - 1, np.nan),
    )
    rgb = rgb_of_magnitudes(runs[keys[-1]], found)
    pixels = math.prod(runs[keys[-1]].inr.size)
    at_once = max(1, AT_ONCE // (4 * 9 * pixels))  # three maps, each with its colours
    chunks = [range(start, min(start + at_once, count)) for start in range(0, count, at_once)]
    with steps("training", "run", progress, len(keys) * len(chunks)) as counted:
        counted.tell()
        for chunk in chunks:
            final, before = _maps(runs[keys[-1]], found, chunk, frame, granularity, rgb)[0], None
            for place, key in enumerate(keys):
                canvas = runs[key]
                _check_layer(key, canvas, found)
                maps, totals[place, chunk] = _maps(canvas, found, chunk, frame, granularity, rgb)
                stability[place, chunk] = row_correlations(maps, final)
                if before is not None:
                    change[place - 1] += np.abs(maps - before).sum(dtype=np.float64)
                    size[place - 1] += np.abs(maps).sum(dtype=np.float64)
                before = maps
                counted.take()
    for place, (first, second) in enumerate(itertools.pairwise(keys)):
        weight_change[place] = _weight_change(runs[first], runs[second], found)
    alive = totals > ALIVE * totals.mean(1, keepdims=True)
    relative = np.where(size > 0, change / np.where(size > 0, size, 1), np.nan)
    return Training(
        found,
        frame,
        keys,
        totals,
        stability,
        alive,
        relative.astype(np.float32),
        weight_change.astype(np.float32),
        rgb,
        errors,
    )


def _check_layer(key: Any, canvas: CanvasLike, layer: Layer) -> None:
    other = canvas.layers.find(layer.name)
    if other.neurons != layer.neurons:
        raise ValueError(
            f"runs: layer {layer.name!r} has {other.neurons} neurons in run {key!r} and {layer.neurons} in the last; "
            "expected checkpoints of one network"
        )


def _maps(
    canvas: CanvasLike, layer: Layer, chunk: range, frame: int, granularity: str | None, rgb: str
) -> tuple[FloatArray, FloatArray]:
    """The maps of some neurons with their colours added, flat: ``(k, pixels)``; and the totals ``(k,)``."""
    shape = layer.shape_of(granularity)
    neurons: Sequence[Any] = list(chunk)
    if len(shape) == 2:
        neurons = [tuple(map(int, np.unravel_index(place, shape))) for place in chunk]
    if rgb == "abs":
        each = canvas.maps(layer.name, neurons, frame, rgb="each")
        maps, magnitudes = each.sum(-1), np.abs(each)
    else:
        maps = canvas.maps(layer.name, neurons, frame)
        magnitudes = np.abs(maps)
    totals = magnitudes.reshape(len(maps), -1).sum(1, dtype=np.float64)
    return maps.reshape(len(maps), -1), totals.astype(np.float32)


def _weight_change(before: CanvasLike, after: CanvasLike, layer: Layer) -> float:
    try:
        one, other = (canvas.weight(layer.name).astype(np.float64) for canvas in (before, after))
    except NotKeptError:
        return math.nan
    norm = float(np.linalg.norm(other))
    return float(np.linalg.norm(other - one)) / norm if norm > 0 else math.nan
