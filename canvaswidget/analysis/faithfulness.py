"""How far a rule's maps can be believed: measured against taking the neurons out and rendering again.

A sample of a layer's neurons is drawn, and grows until the rank correlations are known as closely as was asked for, or
every neuron is in. The interval of `intervals` says how far the correlation over all neurons may be from the sample's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget.analysis.intervals import Interval
from canvaswidget.analysis.measured_neurons import MeasuredNeurons
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_sample
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
from canvaswidget.tracing.accuracy import EXACT_SECONDS
from canvaswidget.tracing.colours import COLOURS_SAID
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import all_neurons, count_neurons
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Sample = int | Literal["auto"] | None

FIRST = 32  # neurons; the sample doubles from there
MOST = 256  # neurons, by default, of a layer where ablating all takes long
PIXELS = 1024


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness(Printed):
    """How a rule's maps of one layer compare with what the image loses without the neurons.

    Attributes
    ----------
    layer : Layer
    frame : int
    rule : str
    fill : str
        What stood in the place of a neuron that was taken out.
    n_neurons : int
        Of the layer.
    neurons : (k,) or (k, 2)
        Those that were measured, in the order they were drawn.
    rule_totals, ablation_totals : (k,)
        Sum over pixels and colours of the magnitudes under the rule (over pixels only, of the sum of the colours,
        where the rule does not know them), and of the change without the neuron.
    totals : Interval
        Spearman's rank correlation of the two, with its interval and the number of neurons behind it.
    per_pixel : Interval
        The same of the absolute contributions to one pixel, mean over the pixels where it is defined.
    pixels : (p, 2)
        The pixels ``(y, x)`` that were looked at, drawn evenly.
    pixel_correlations : (p,)
        At each of them; nan where all neurons contribute the same.
    infidelity : float
        Expected squared difference, a pixel, between the sum of the contributions of a random set of neurons and the
        change when they are taken out together (Yeh et al., 2019): added over colours, or of the sum of the colours
        where the rule does not know them.
    infidelity_share : float
        The same as a part of the expected squared change: 0 is exact, 1 no better than claiming nothing.
    infidelity_scaled : float
        That part after the contributions are multiplied by the one number that makes it least: for rules whose maps are
        not in the unit of the image.
    subset_size : int
        Neurons in each random set.
    residual : float
        What under `gated` the layer's neurons and the remainder lack of the image, relative to its largest value; nan
        where `gated` is not defined on the layer.
    rgb : str
        How the rule's magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of
        their sum, where the rule does not know colours. Changes are always those of each colour.
    is_limited : bool
        Whether no more neurons were measured, although the intervals are wider than asked for, since these would take
        long: ``at_most=None`` goes on.
    """

    title: ClassVar[str] = "faithfulness"
    layer: Layer
    frame: int
    rule: str
    fill: str
    n_neurons: int
    neurons: IntArray
    rule_totals: FloatArray
    ablation_totals: FloatArray
    totals: Interval
    per_pixel: Interval
    pixels: IntArray
    pixel_correlations: FloatArray
    infidelity: float
    infidelity_share: float
    infidelity_scaled: float
    subset_size: int
    residual: float
    rgb: str
    is_limited: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every neuron of the layer was measured."""
        return len(self.neurons) == self.n_neurons

    @property
    def silent(self) -> npt.NDArray[np.bool_]:
        """``(k,)``: whose map is 0 everywhere under the rule, in every colour it knows."""
        return self.rule_totals == 0

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """``(k,)``: without which the image is the same, in every colour."""
        return self.ablation_totals == 0

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Each neuron's rank under the rule over its rank under ablation; on the diagonal where they agree."""
        from scipy.stats import rankdata

        ax = ax or new_axes(height=2.6)
        count = len(self.neurons)
        across, up = rankdata(self.ablation_totals), rankdata(self.rule_totals)
        wrong = self.silent & ~self.dead
        with style():
            ax.plot([1, max(count, 2)], [1, max(count, 2)], color=QUIET, lw=0.6, zorder=0)
            ax.scatter(across[~wrong], up[~wrong], s=7, color=CYCLE[0], lw=0)
            if wrong.any():
                ax.scatter(
                    across[wrong], up[wrong], s=7, color=CYCLE[1], lw=0, label="map all 0, yet it matters"
                )
                legend_below(ax)
            ax.set(xlabel="rank by change without the neuron", ylabel=f"rank by {self.rule} total")
            heading(ax, self.layer.name, f"rank correlation {self.totals}")
        return ax

    def to_frame(self) -> pandas.DataFrame:
        """One row a measured neuron: its totals under the rule and under ablation; pandas is imported here."""
        shape = self.layer.shape_of("kernel" if self.neurons.ndim == 2 else "unit")
        columns = {"rule_total": self.rule_totals, "ablation_total": self.ablation_totals}
        flat = self.layer.flat_index(self.neurons)
        return neuron_frame(columns, shape, self.layer.n_groups, flat)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        Both rank correlations; infidelity as a part of the squared change; the completeness residual; the shares of
        neurons whose map is 0, and of those that change nothing.
        """
        return {
            "totals": self.totals.value,
            "per_pixel": self.per_pixel.value,
            "infidelity_share": self.infidelity_share,
            "residual": self.residual,
            "silent_share": float(self.silent.mean()),
            "dead_share": float(self.dead.mean()),
        }

    def estimated(self) -> tuple[str, ...]:
        """A part of a heading; none where every neuron was measured."""
        if self.is_whole:
            return ()
        reach = self.totals.half_width
        return ("estimated",) if math.isnan(reach) else (f"estimated, ± {reach:.3f}",)

    def rows(self) -> list[list[str]]:
        silent, matter = int(self.silent.sum()), int((self.silent & ~self.dead).sum())
        limited = "; at_most=None measures more of them" if self.is_limited else ""
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["rule", self.rule],
            ["colours of the rule's maps", COLOURS_SAID[self.rgb]],
            ["neurons measured", f"{len(self.neurons):,} of {self.n_neurons:,}{limited}"],
            ["rank correlation with ablation, totals", str(self.totals)],
            [f"the same per pixel (mean of {len(self.pixels):,})", str(self.per_pixel)],
            [
                "maps that are 0 everywhere",
                f"{silent:,}" + (f" ({matter:,} of them matter)" if silent else ""),
            ],
            ["neurons that change nothing", f"{int(self.dead.sum()):,}"],
        ]
        if not math.isnan(self.infidelity):
            rows.append(
                [
                    f"infidelity over random sets of {self.subset_size:,}",
                    f"{self.infidelity:.3g} ({self.infidelity_share:.3g} of the squared change; "
                    f"{self.infidelity_scaled:.3g} at the best scale)",
                ]
            )
        if not math.isnan(self.residual):
            rows.append(["completeness residual of gated", f"{self.residual:.1e}"])
        return rows


@over_runs
@checked(at_most=some_sample)
def faithfulness(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    *,
    half_width: float = 0.05,
    at_most: Sample = "auto",
    subsets: int = 16,
    subset: float = 0.1,
    granularity: str | None = None,
    fill: str = "zero",
    batch: int | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Faithfulness:
    """Compare the canvas's rule with ablation on one layer and frame.

    Contributions are compared by magnitude: the sum over colours of the magnitudes, so that a neuron that shifts only
    the hue counts. Where the rule does not know colours (see `Canvas.why_no_colours`), its maps count by the magnitude
    of their sum. Changes smaller than rounding count as none.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    half_width : float
        How closely the rank correlations are wanted: neurons are drawn until half of each 95% interval is at most
        this, or all are in. Fewer than 64 of many neurons never suffice for 0.05: they may all agree by chance.
    at_most : int, "auto" or None
        Neurons to measure even if that is not reached; None for all. By default there is no limit where ablating all
        neurons takes at most about 10 s, else it is 256: the result says so (`is_limited`).
    subsets : int
        Random sets for the infidelity, drawn from the neurons that were measured. With 0 that, and the residual, are
        left out: they are nan.
    subset : float
        Part of those neurons that are in each set.
    granularity : {"unit", "kernel"}, optional
    fill : {"zero", "mean"}
        What stands in the place of what is taken out, as in `Canvas.ablate`.
    batch : int, optional
        Neurons between two calls of `progress`; as many as is fastest by default.
    seed : int
    progress : bool or callable
        A bar, or ``progress(done, planned)``; an exception raised there ends the work and leaves nothing behind.

    Returns
    -------
    Faithfulness

    Raises
    ------
    UntraceableError
        The rule is not defined on this layer.
    ValueError
        A map holds NaN or infinity, or an argument is out of range.
    """
    found, frame = find(canvas, layer, frame)
    _check(half_width, subsets, subset, batch)
    rng = np.random.default_rng(seed)
    order = all_neurons(found, granularity).numpy()
    order = order[rng.permutation(len(order))]
    sample = MeasuredNeurons(canvas, found, frame, fill, _places(canvas.inr.size, rng), batch)
    limit = len(order) if at_most is None else min(len(order), _most(sample, at_most, len(order)))
    with steps(f"faithfulness of {found.name}", "pass", progress) as counted:
        counted.tell()
        sample.truth.frame(frame)  # or the first neuron would take two passes
        counted.tell()
        while True:
            size = min(max(FIRST, 2 * len(sample.neurons)), limit)
            # A sample of nearly all might as well be all.
            size = limit if 4 * size > 3 * limit else size
            sample.add(order[len(sample.neurons) : size], counted)
            totals = sample.totals_interval(len(order), counted)
            per_pixel, correlations = sample.pixel_interval(len(order), counted)
            close = all(part.half_width <= half_width for part in (totals, per_pixel))
            if len(sample.neurons) == limit or close:
                break
        count = max(1, round(subset * len(sample.neurons)))
        infidelity, residual = (math.nan, math.nan, math.nan), math.nan
        if subsets:
            infidelity = _infidelity(*sample.subsets(subsets, count, rng, counted))
            residual = completeness(canvas, found, frame)
    width = canvas.inr.size[1]
    return Faithfulness(
        found,
        frame,
        canvas.rule,
        fill,
        len(order),
        sample.neurons,
        sample.rule_totals,
        sample.ablation_totals,
        totals,
        per_pixel,
        np.stack(np.divmod(sample.places, width), 1),
        correlations.astype(np.float32),
        *infidelity,
        count,
        residual,
        "sum" if sample.rgb == "sum" else "abs",
        at_most == "auto" and not close and limit < len(order),
    )


@checked
def completeness(canvas: CanvasLike, layer: LayerKey, frame: int = 0) -> float:
    """What under `gated` a layer's neurons and the remainder lack of the image, relative to its largest value.

    nan where `gated` is not defined on the layer. Rounding in a model `gated` follows whole; what ends in opaque parts
    elsewhere.
    """
    found, frame = find(canvas, layer, frame)
    try:
        gated = canvas if canvas.rule == "gated" else canvas.under("gated")
    except UntraceableError:
        return math.nan
    for _, name, total, expected in gated.sums(frame):
        if name == found.name:
            scale = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
            return float(np.abs(total - expected).max()) / scale
    return math.nan


def _infidelity(claimed: DoubleArray, changed: DoubleArray) -> tuple[float, float, float]:
    """Mean square of the difference; as a part of the change's; the same at the best scale."""
    squared = float(((claimed - changed) ** 2).sum(-1).mean())
    change, claim = float((changed**2).sum(-1).mean()), float((claimed**2).sum(-1).mean())
    if change == 0:
        return squared, math.inf if claim else 0.0, 0.0
    explained = float((claimed * changed).sum(-1).mean()) ** 2 / (change * claim) if claim else 0.0
    return squared, squared / change, max(1 - explained, 0.0)


def _places(size: tuple[int, int], rng: np.random.Generator) -> IntArray:
    return rng.permutation(size[0] * size[1])[:PIXELS]


def _most(sample: MeasuredNeurons, at_most: Sample, count: int) -> int:
    """Neurons of a layer to measure at most."""
    if isinstance(at_most, int):
        return at_most
    if count <= MOST:
        return count
    # A rule's own map costs no more than ablating the neuron.
    layer, truth = sample.layer, sample.truth
    seconds = truth.estimate(layer, sample.frame).seconds * count / count_neurons(layer, None)
    return count if seconds <= EXACT_SECONDS else MOST


def _check(half_width: float, subsets: int, subset: float, batch: int | None) -> None:
    if not half_width > 0:
        raise ValueError(f"half_width={half_width!r}: more than 0")
    if subsets < 0:
        raise ValueError(f"subsets={subsets!r}: at least 0")
    if batch is not None and batch < 1:
        raise ValueError(f"batch={batch!r}: at least 1, or None")
    if not 0 < subset <= 1:
        raise ValueError(f"subset={subset!r}: more than 0 and at most 1")
