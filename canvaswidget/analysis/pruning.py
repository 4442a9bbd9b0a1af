"""Take out of a model what contributes least: what the maps are good for, and another test of them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget import tables
from canvaswidget.analysis.changed_copy import Change, changed_copy
from canvaswidget.analysis.deletion import ALIKE, check_seeds, psnr, target_picture
from canvaswidget.analysis.least_contributing import (
    check_shares,
    chosen_frames,
    chosen_layers,
    least,
    require_model,
    totals_of_layers,
)
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling, together
from canvaswidget.arguments import checked, some_accuracy, some_frames
from canvaswidget.inr import INR, as_inr
from canvaswidget.media.quality import mean_psnr
from canvaswidget.plotting.style import (
    CYCLE,
    QUIET,
    heading,
    legend_below,
    new_axes,
    style,
)
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layer_weight import magnitudes, parameter_of
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import count_neurons, parse_neurons

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

RULES = ("xinc", "gated", "ablation")
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, eq=False, repr=False)
class Pruning(Estimated):
    """PSNR in dB of a model without its least contributing neurons.

    Attributes
    ----------
    layers : tuple of Layer
        From each the same share was removed.
    frames : (t,)
        What the contributions, and the PSNR, are of.
    against : str
        ``"model"`` or ``"truth"``.
    granularity : str
    shares : (p,)
    curves : dict of str to (p,)
        By rule, and ``"magnitude"``: the neurons with the smallest outgoing weights go. Mean over `frames` of the PSNR
        of each, as `canvaswidget.media.mean_psnr` defines it; inf where nothing is different on any frame.
    random : (s, p)
        Neurons drawn at random go, a row a seed.
    where : dict of str to tuple of Layer
        By rule, the layers it is defined on, of `layers`. Under a rule with fewer of them neurons go from those alone,
        and `curves` has random order from the same layers beside it.
    sampling : Sampling or None
        How the contributions were estimated, of the layer and the rule where they are known least; None where all are
        exact.
    """

    layers: tuple[Layer, ...]
    frames: npt.NDArray[np.int64]
    against: str
    granularity: str
    shares: FloatArray
    curves: dict[str, FloatArray]
    random: FloatArray
    where: dict[str, tuple[Layer, ...]]
    sampling: Sampling | None = None

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """A curve for each order; random order with the range of its seeds."""
        ax = ax or new_axes()
        with style():
            chance = np.minimum(self.random, ALIKE)
            ax.fill_between(self.shares, chance.min(0), chance.max(0), color=QUIET, alpha=0.25, lw=0)
            ax.plot(self.shares, chance.mean(0), color=QUIET, lw=1, label="random")
            for place, (name, curve) in enumerate(self.curves.items()):
                colour = CYCLE[place % len(CYCLE)]
                dash = "-" if name in self.where else "--" if name == "magnitude" else ":"
                ax.plot(
                    self.shares,
                    np.minimum(curve, ALIKE),
                    dash,
                    color=colour,
                    lw=1.2,
                    marker="o",
                    ms=2,
                    label=name,
                )
            ax.set(xlabel=f"share of {self.granularity}s removed from each layer")
            ax.set_ylabel(f"PSNR against the {self.against} (dB)")
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            names = ", ".join(layer.name for layer in self.layers)
            heading(ax, names if len(names) < 60 else f"{len(self.layers)} layers", *self.estimated())
            legend_below(ax)
        return ax

    def to_frame(self) -> pandas.DataFrame:
        """One row a share and an order of pruning, for plots by order; pandas is imported here."""
        import pandas

        orders = {**self.curves, **{f"random, seed {row}": curve for row, curve in enumerate(self.random)}}
        parts = [
            pandas.DataFrame({"order": name, "share": self.shares, "psnr": curve})
            for name, curve in orders.items()
        ]
        return pandas.concat(parts, ignore_index=True)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The PSNR of each order in dB, mean over the shares, at most 60 dB a point.
        """
        curves = {**self.curves, "random": np.minimum(self.random, ALIKE).mean(0)}
        return {f"psnr_{name}": float(np.minimum(curve, ALIKE).mean()) for name, curve in curves.items()}

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["removed", *self.curves, "random"]
        rows = []
        for place, share in enumerate(self.shares):
            random = mean_psnr(self.random[:, place])
            values = [*(curve[place] for curve in self.curves.values()), random]
            rows.append([f"{share:.0%}", *(f"{value:.2f}" for value in values)])
        return head, rows, tuple(range(len(head)))

    @property
    def note(self) -> str:
        """What was removed and what the numbers are, in one line."""
        names = ", ".join(layer.name for layer in self.layers)
        count = len(self.frames)
        return (
            f"PSNR in dB against the {self.against}, mean of n = {count} frame{'s' if count > 1 else ''}, without the "
            f"least contributing {self.granularity}s of {names}; random: {len(self.random)} seeds. "
            "Contributions add colours by magnitude where a rule knows them"
            + "".join(f"; {what}: {how}" for what, how in self.sampling_rows())
        )

    @property
    def partial(self) -> str:
        """Which rules are not defined on all layers, and what that means; empty where all are."""
        parts = [
            f"{rule} is defined on {len(own)} of {len(self.layers)} layers "
            f"({', '.join(layer.name for layer in own)}): neurons go from these alone, so compare it with "
            f"'{_random_of(rule)}'."
            for rule, own in self.where.items()
            if len(own) < len(self.layers)
        ]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return "\n".join(part for part in (self.partial, tables.text(*self._table()), self.note) if part)

    def _repr_html_(self) -> str:
        first = f"<p>{html.escape(self.partial)}</p>" if self.partial else ""
        return first + tables.markup(*self._table(), note=self.note)


@checked(frames=some_frames, accuracy=some_accuracy)
def prune(
    inr: Any,
    canvas: Canvas,
    share: float,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    *,
    frames: Sequence[int] | None = None,
    granularity: str = "unit",
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> INR:
    """Copy a model without the neurons that contribute least under the canvas's rule.

    Their outgoing weights are 0 in the copy; biases stay. The model itself is not changed.

    Parameters
    ----------
    inr : INR or reference model
        What is copied: what the canvas is of, or another of the same build.
    canvas : Canvas
    share : float
        Of each layer's neurons, from 0 to 1.
    layers : optional
        All that are traced, by default, but the model's first, whose units are its inputs.
    frames : sequence of int, optional
        What the contributions are summed over: up to four, evenly spread, by default.
    granularity : {"unit", "kernel"}
    accuracy : float, "auto" or None
        Of the contributions of each layer: None for exact ones. Otherwise half of the 95% interval of a neuron's total
        is this part of it, in the median over neurons. By default exact where that takes at most about 10 s for a
        layer, else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    seed : int
        Of the sample.
    progress : bool or callable
        As in `faithfulness`.

    Returns
    -------
    INR

    Raises
    ------
    UntraceableError
        A layer's weight is no plain parameter of the module, but made in the forward, or used in several places.
    """
    check_shares([share])
    require_model(canvas)
    given = as_inr(inr)
    chosen, several = chosen_layers([canvas], layers), chosen_frames(canvas, frames)
    capture = canvas.matrix.capture
    for layer in chosen:
        parameter_of(capture, layer)  # refuse before the work starts
    with steps("prune", "map", progress) as counted:
        totals, _ = totals_of_layers(canvas, chosen, several, granularity, accuracy, seed, counted)
    removed = least(totals, share, granularity)
    changes = {capture.layers.find(layer): _without(neurons) for layer, neurons in removed.items()}
    return changed_copy(given, capture, changes)


def _without(neurons: Any) -> Change:
    def change(found: WeightedOp) -> torch.Tensor:
        chosen = parse_neurons(found.layer, neurons).to(found.weight.device)
        return torch.where(found.mask(chosen), 0, found.weight)

    return change


@over_runs
@checked(frames=some_frames, accuracy=some_accuracy)
def pruning(
    canvas: Canvas,
    shares: Sequence[float] = SHARES,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    *,
    rules: Sequence[str] | None = None,
    frames: Sequence[int] | None = None,
    against: str = "model",
    seeds: Sequence[int] = (0, 1, 2),
    granularity: str = "unit",
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Pruning:
    """Measure what is left of the picture when neurons are pruned by each rule, by magnitude, and at random.

    Parameters
    ----------
    canvas : Canvas or Runs
        Its model; its rule does not matter.
    shares : sequence of float
    layers, frames, granularity, accuracy, seed, progress
        As in `prune`.
    rules : sequence of str, optional
        Those of ``xinc``, ``gated`` and ``ablation`` that are defined on the model, by default.
    against : {"model", "truth"}
    seeds : sequence of int
        Of the random orders.
    """
    check_shares(shares)
    require_model(canvas)
    check_seeds(seeds)
    under = canvases_by_rule(canvas, rules)
    chosen, several = chosen_layers(list(under.values()) or [canvas], layers), chosen_frames(canvas, frames)
    where = {rule: defined_on(one, chosen) for rule, one in under.items()}
    if rules is not None:
        where = {rule: chosen if layers is not None else own for rule, own in where.items()}
    under = {rule: one for rule, one in under.items() if where[rule]}
    where = {rule: where[rule] for rule in under}
    targets = [target_picture(canvas, frame, against) for frame in several]
    with steps("pruning", "pass", progress) as counted:
        fewer = {_random_of(rule): own for rule, own in where.items() if own != chosen}
        counted.plan(len(shares) * (len(under) + 1 + len(seeds) * (1 + len(fewer))) * len(several))
        scores: dict[str, list[tuple[Layer, DoubleArray]]] = {}
        samplings: list[Sampling | None] = []
        for rule, one in under.items():
            scores[rule], sampling = totals_of_layers(
                one, where[rule], several, granularity, accuracy, seed, counted
            )
            samplings.append(sampling)
        scores["magnitude"] = [
            (layer, magnitudes(canvas.matrix.capture, layer, granularity).ravel().astype(np.float64))
            for layer in chosen
        ]
        drawn = {"random": chosen, **fewer}
        for name, own in drawn.items():
            for seed in seeds:
                rng = np.random.default_rng(seed)
                scores[f"{name} {seed}"] = [
                    (layer, rng.permutation(count_neurons(layer, granularity)).astype(np.float64))
                    for layer in own
                ]
        curves: dict[str, FloatArray] = {}
        for name, totals in scores.items():
            curves[name] = np.empty(len(shares), np.float32)
            for place, share in enumerate(shares):
                removed, each = least(totals, share, granularity), []
                for frame, target in zip(several, targets, strict=True):
                    each.append(psnr(canvas.ablate(removed, frame), target))
                    counted.take()
                curves[name][place] = mean_psnr(each)
    chance = {name: np.stack([curves.pop(f"{name} {seed}") for seed in seeds]) for name in drawn}
    curves |= {name: _mean_over_seeds(chance[name]) for name in fewer}
    return Pruning(
        tuple(chosen),
        np.array(several),
        against,
        granularity,
        np.array(shares, np.float32),
        curves,
        chance["random"],
        {rule: tuple(own) for rule, own in where.items()},
        together(samplings),
    )


def _random_of(rule: str) -> str:
    return f"random where {rule} is defined"


def _mean_over_seeds(curves: FloatArray) -> FloatArray:
    return np.array([mean_psnr(column) for column in curves.T], np.float32)


def defined_on(canvas: Canvas, layers: Sequence[Layer]) -> list[Layer]:
    """Those of some layers that the canvas traces."""
    traced = list(canvas.traced_layers)
    return [layer for layer in layers if layer in traced]


def canvases_by_rule(canvas: Canvas, rules: Sequence[str] | None) -> dict[str, Canvas]:
    """The canvas under each of some rules; by default under those that are defined on the model."""
    found = {}
    for rule in RULES if rules is None else rules:
        try:
            found[rule] = canvas if rule == canvas.rule else canvas.under(rule)
        except UntraceableError:
            if rules is not None:
                raise
    return found
