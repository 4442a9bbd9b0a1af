"""One row a layer: how a network's neurons change over its depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from canvaswidget import tables
from canvaswidget.analysis.fourier import Bands, Measure, Measured, even_edges
from canvaswidget.analysis.intervals import Interval, mean_interval, rank_correlation, share_interval
from canvaswidget.analysis.least_contributing import require_model
from canvaswidget.analysis.measured_neurons import BATCH_BYTES, ROUNDING
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.quantiser import by_output
from canvaswidget.arguments import checked
from canvaswidget.plotting.style import CYCLE, heading, new_panels, style
from canvaswidget.progress import Progress, Steps, steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.colours import rgb_of_magnitudes
from canvaswidget.tracing.layers import Layer, LayerKey, Layers
from canvaswidget.tracing.neurons import all_neurons

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

NEURONS = 64  # measured in a layer, by default
PIXELS = 24
# The number of a layer, and the heading of its panel.
QUANTITIES = (
    ("dead_share", "dead neurons, share"),
    ("effective_share", "effective neurons a pixel, share"),
    ("stable_rank", "stable rank of the weight"),
    ("centroid", "centroid frequency, cycles a pixel"),
    ("kept", "energy kept without one neuron"),
    ("faithfulness", "faithfulness, rank correlation"),
)
COLUMNS = 3  # of panels


class LayerProfile(NamedTuple):
    """What a layer's neurons are like on a frame; each interval is for all neurons of the layer, or all pixels.

    Attributes
    ----------
    layer : Layer
    n_neurons : int
        XINC's: the kernels of a convolution, the units of a linear layer.
    dead_share : Interval
        Of the neurons: without which the image is the same, in every colour.
    effective : Interval
        Effective number of neurons a pixel, mean over pixels: ``exp(H)`` of the entropy ``H = - sum p log p`` of the
        shares ``p = abs(C) / sum abs(C)``. It is 1 where one neuron makes all of a pixel, and `n_neurons` where all
        make the same. A pixel to which the layer contributes nothing has none.
    stable_rank : float
        Of the weight as a matrix, a row an output: ``||W||_F^2 / ||W||_2^2`` (Rudelson and Vershynin, 2007), between 1
        and its rank. The columns of a grouped convolution are the inputs of a group. NaN for weights that are all 0.
    centroid : Interval
        Centroid frequency of a neuron's map in cycles a pixel, mean over neurons, see `canvaswidget.analysis.spectrum`.
    kept : Interval
        Part of the picture's energy that stays when one neuron is ablated, mean over neurons: 1 less the sum of
        squares of the change by that of the picture less its mean colour. NaN for a picture of one colour.
    faithfulness : Interval
        Rank correlation of the totals of maps with those of ablation, as `canvaswidget.analysis.faithfulness` has it.
    """

    layer: Layer
    n_neurons: int
    dead_share: Interval
    effective: Interval
    stable_rank: float
    centroid: Interval
    kept: Interval
    faithfulness: Interval

    @property
    def effective_share(self) -> Interval:
        """The effective number as a share of the layer's neurons."""
        value, low, high = (
            number / self.n_neurons
            for number in (self.effective.value, self.effective.low, self.effective.high)
        )
        return Interval(value, low, high, self.effective.n, self.effective.n_all)


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """A network over its depth, a row a layer.

    Attributes
    ----------
    frame : int
    rule : str
        Of the maps; dead neurons, what is kept, and what faithfulness compares with are of ablation.
    layers : tuple of LayerProfile
        In order of execution.
    """

    frame: int
    rule: str
    layers: tuple[LayerProfile, ...]

    def __getitem__(self, layer: LayerKey) -> LayerProfile:
        found = Layers([row.layer for row in self.layers]).find(layer)
        return next(row for row in self.layers if row.layer == found)

    def __len__(self) -> int:
        return len(self.layers)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`: each number of each layer, as ``"decoder.2 centroid"``."""
        return {
            f"{row.layer.name} {name}": _value(getattr(row, name))
            for row in self.layers
            for name in (*dict(QUANTITIES), "effective")
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row a layer, intervals as ``..._low`` and ``..._high``; pandas is imported here."""
        import pandas

        rows = []
        for row in self.layers:
            made: dict[str, Any] = {
                "units": row.layer.n_units,
                "outputs": row.layer.n_outputs,
                "neurons": row.n_neurons,
                "stable_rank": row.stable_rank,
            }
            for name in ("dead_share", "effective", "centroid", "kept", "faithfulness"):
                found: Interval = getattr(row, name)
                made |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
            rows.append(made)
        return pandas.DataFrame(
            rows, index=pandas.Index([row.layer.name for row in self.layers], name="layer")
        )

    @checked
    def plot(self) -> Figure:
        """A panel a number, over the layers; bars are 95% intervals."""
        axes = new_panels(len(QUANTITIES), COLUMNS, height=1.7)
        places = np.arange(len(self.layers))
        names = [row.layer.name for row in self.layers]
        with style():
            for number, (ax, (name, label)) in enumerate(zip(axes, QUANTITIES, strict=True)):
                found = [getattr(row, name) for row in self.layers]
                values = np.array([_value(one) for one in found])
                ax.plot(places, values, color=CYCLE[0], lw=1, marker="o", ms=3)
                for place, one in zip(places, found, strict=True):
                    if isinstance(one, Interval) and math.isfinite(one.low + one.high):
                        ax.plot([place, place], [one.low, one.high], color=CYCLE[0], lw=2.5, alpha=0.35)
                heading(ax, label)
                ax.set_xlim(-0.5, len(places) - 0.5)
                below = names if number >= len(QUANTITIES) - COLUMNS else [""] * len(names)
                ax.set_xticks(places, below, rotation=40, ha="right", rotation_mode="anchor")
                if name in ("dead_share", "effective_share"):
                    ax.set_ylim(bottom=0)
                if not np.isfinite(values).any():
                    ax.text(0.5, 0.5, "not defined", ha="center", va="center", transform=ax.transAxes)
        figure = axes[0].figure
        assert isinstance(figure, Figure)
        return figure

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["layer", "neurons", "dead", "effective", "stable rank", "centroid", "kept", "faithful"]
        rows = [
            [
                row.layer.name,
                f"{row.n_neurons:,}",
                _said(row.dead_share, ".0%"),
                _said(row.effective, ",.1f"),
                "not defined" if math.isnan(row.stable_rank) else f"{row.stable_rank:.1f}",
                _said(row.centroid, ".3f"),
                _said(row.kept, ".3%"),
                _said(row.faithfulness, "+.2f"),
            ]
            for row in self.layers
        ]
        return head, rows, tuple(range(1, len(head)))

    @property
    def note(self) -> str:
        """What the columns are, in a few lines."""
        measured = max((row.dead_share.n for row in self.layers), default=0)
        pixels = max((row.effective.n for row in self.layers), default=0)
        return (
            f"Frame {self.frame}, rule {self.rule}, up to {measured:,} neurons a layer and {pixels:,} pixels, drawn at "
            "random; ± is the wider side of a 95% interval.\n"
            "dead: neurons without which the image is the same. effective: number of neurons a pixel, exp of the "
            "entropy of their shares.\n"
            "centroid: mean frequency of the maps, cycles a pixel. kept: energy of the picture that stays without one "
            "neuron, in the mean.\n"
            "faithful: rank correlation of totals with ablation."
        )

    def __repr__(self) -> str:
        return f"{tables.text(*self._table())}\n{self.note}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.note.replace("\n", " "))


@over_runs
@checked
def profile(
    canvas: Canvas,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    frame: int = 0,
    *,
    at_most: int = NEURONS,
    pixels: int = PIXELS,
    seed: int = 0,
    progress: Progress = False,
) -> Profile:
    """Measure the neurons of every layer on a frame: how many work, how many share a pixel, how fine they draw.

    The maps of a sample of each layer's neurons are computed, and the picture without each of them.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layers : optional
        All that the rule is defined on, by default.
    frame : int
    at_most : int
        Neurons of a layer that are measured, drawn at random.
    pixels : int
        Pixels, drawn at random, at which the effective number of neurons is measured.
    seed : int
    progress : bool or callable
        As in `faithfulness`.

    Returns
    -------
    Profile
    """
    require_model(canvas)
    chosen = tuple(canvas.traced_layers) if layers is None else tuple(canvas.layers.find_all(layers))
    for layer in chosen:
        canvas.matrix.rule.require(layer)
    frame, rng = canvas.inr.frame_index(frame), np.random.default_rng(seed)
    height, width = canvas.inr.size
    places = rng.permutation(height * width)[: min(pixels, height * width)]
    with steps("profile", "pass", progress) as counted:
        counted.plan(len(places))
        effective: dict[str, list[float]] = {layer.name: [] for layer in chosen}
        for place in places:
            for name, number in _effective(canvas, chosen, frame, divmod(int(place), width)).items():
                effective[name].append(number)
            counted.take()
        rows = []
        for layer in chosen:
            sample = _measured(canvas, layer, frame, at_most, rng, counted)
            spread = mean_interval(np.array(effective[layer.name]), height * width)
            rows.append(_row(canvas, layer, sample, spread))
    return Profile(frame, canvas.rule, tuple(rows))


class _Sample(NamedTuple):
    """Of some neurons of a layer: totals of their maps and of the changes without them, and what else is measured."""

    n_neurons: int
    totals: FloatArray
    changes: FloatArray
    kept: DoubleArray
    centroids: DoubleArray


def _measured(
    canvas: Canvas, layer: Layer, frame: int, at_most: int, rng: np.random.Generator, counted: Steps
) -> _Sample:
    everyone = all_neurons(layer, None).numpy()
    neurons = everyone[rng.permutation(len(everyone))[:at_most]]
    counted.plan(2 * len(neurons))
    image = canvas.frame(frame)
    largest = float(np.abs(image).max())
    floor = ROUNDING * max(largest, 1.0)  # what rendering again may change by itself, as in `faithfulness`
    energy = float(((image.astype(np.float64) - image.mean((0, 1), np.float64)) ** 2).sum())
    size = (int(canvas.inr.size[0]), int(canvas.inr.size[1]))
    measure = Measure(Bands(size, even_edges(size)), "cpu", ROUNDING * largest)
    rgb = "sum" if canvas.why_no_colours(layer) else "each"
    batch = max(1, BATCH_BYTES // (4 * image.size))
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    for start in range(0, len(neurons), batch):
        some = neurons[start : start + batch]
        maps = canvas.maps(layer, some, frame, rgb=rgb)
        counted.take(len(some))
        changes = canvas.ablation().maps(layer, some, frame, rgb="each")
        changes[np.abs(changes) <= floor] = 0
        counted.take(len(some))
        lost = (changes.astype(np.float64) ** 2).sum((1, 2, 3))
        kept = 1 - lost / energy if energy else np.full(len(some), math.nan)
        sizes = [np.abs(values).reshape(len(some), -1).sum(1) for values in (maps, changes)]
        parts.append((*sizes, kept, Measured(measure(torch.from_numpy(maps))).centroids))
    return _Sample(len(everyone), *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _effective(
    canvas: Canvas, layers: Sequence[Layer], frame: int, pixel: tuple[int, int]
) -> dict[str, float]:
    """Exponential of the entropy of the neurons' shares in a pixel, by layer."""
    found: dict[str, float] = {}
    by_rgb: dict[str, list[Layer]] = {}
    for layer in layers:
        by_rgb.setdefault(rgb_of_magnitudes(canvas, layer), []).append(layer)
    for rgb, some in by_rgb.items():
        for name, column in canvas.pixel(*pixel, frame, some, rgb=rgb).items():
            found[name] = effective_number(np.abs(column.ravel()).astype(np.float64))
    return found


def effective_number(sizes: DoubleArray) -> float:
    """``exp(- sum p log p)`` of shares ``p``; NaN where all are 0."""
    total = float(sizes.sum())
    if not total:
        return math.nan
    shares = sizes[sizes > 0] / total
    return math.exp(-float((shares * np.log(shares)).sum()))


def _row(canvas: Canvas, layer: Layer, sample: _Sample, effective: Interval) -> LayerProfile:
    count = sample.n_neurons
    return LayerProfile(
        layer,
        count,
        share_interval(int((sample.changes == 0).sum()), len(sample.changes), count),
        effective,
        _stable_rank(canvas, layer),
        mean_interval(sample.centroids, count),
        mean_interval(sample.kept, count),
        rank_correlation(sample.totals[:, None], sample.changes[:, None], count, 1)[0],
    )


@torch.no_grad()
def _stable_rank(canvas: Canvas, layer: Layer) -> float:
    found = canvas.matrix.capture.weighted[layer.name]
    rows = by_output(found, found.weight)
    largest = float(torch.linalg.matrix_norm(rows, 2))
    return float(torch.linalg.matrix_norm(rows)) ** 2 / largest**2 if largest else math.nan


def _value(found: float | Interval) -> float:
    return found.value if isinstance(found, Interval) else found


def _said(found: Interval, form: str) -> str:
    if math.isnan(found.value):
        return "not defined"
    reach = max(found.high - found.value, found.value - found.low)  # the wider side
    if not reach:
        return format(found.value, form)
    return (
        f"{found.value:{form}} ± {reach:{form.lstrip('+')}}"
        if math.isfinite(reach)
        else f"{found.value:{form}} ± ?"
    )
