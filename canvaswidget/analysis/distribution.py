"""How contributions are spread: pixels of a neuron, neurons of a pixel (XINC section 4.1, figures 4 and 5).

Both stream; see `thresholds`. Estimates are from columns at some pixels; see `sampled_spread`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget.analysis.intervals import median
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sampled import Accuracy, Draw, Estimated, Sampling, filled, target_of
from canvaswidget.analysis.sampled_spread import sampled_spread
from canvaswidget.analysis.sweeps import find
from canvaswidget.analysis.thresholds import BINS, Bracket, Counter, Over, Totals, add_totals, masses_of
from canvaswidget.arguments import checked, show, some_accuracy
from canvaswidget.plotting.style import (
    colour_bar,
    heading,
    legend_below,
    legend_label,
    new_axes,
    new_picture,
    pixels,
    style,
)
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID, rgb_of_magnitudes
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

LEVELS = (0.1, 0.5)


@dataclass(frozen=True, eq=False, repr=False)
class Distribution(Estimated, Printed):
    """How a layer's contributions are spread over neurons and pixels.

    Where it is estimated (`is_exact` is False), its pixels are those whose columns were drawn: `pixel_abs` is exact
    there, and NaN elsewhere; `neurons_per_pixel` is known at some of them, and NaN elsewhere.

    Attributes
    ----------
    layer : Layer
    frame : int
    neuron_abs : (n,) or (n_in, n_out)
        Sum over pixels of the absolute contributions.
    pixel_abs : (height, width)
        Sum over neurons of the absolute contributions.
    pixels_per_neuron : (n,) or (n_in, n_out)
        Number of pixels where the neuron's share of all absolute contributions to the pixel is larger than
        ``1 / n_neurons``.
    levels : (k,)
        What may be left out: 0.1 asks for the largest contributions that make nine tenths of the layer's total.
    thresholds : (k,)
        The smallest of those contributions.
    neurons_per_pixel : (k, height, width)
        Number of neurons that contribute at least the threshold to the pixel; none in a layer that is dead. With
        `as_released` those that contribute more than the threshold.
    as_released : bool
    counted : Layer
        The layer whose neurons are counted in `neurons_per_pixel`: `layer` itself, but for the third layer of an MLP
        with `as_released`, where it is the second.
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    low, high : as `pixels_per_neuron`, or None
        95% intervals of these; None where they are exact.
    neuron_low, neuron_high : as `neuron_abs`, or None
        The same of the sums.
    sampling : Sampling or None
        How it was estimated; None where it is exact.
    """

    title: ClassVar[str] = "distribution"
    layer: Layer
    frame: int
    neuron_abs: FloatArray
    pixel_abs: FloatArray
    pixels_per_neuron: npt.NDArray[np.number]
    levels: tuple[float, ...]
    thresholds: FloatArray
    neurons_per_pixel: npt.NDArray[np.number]
    as_released: bool
    counted: Layer
    rgb: str
    low: FloatArray | None = None
    high: FloatArray | None = None
    neuron_low: FloatArray | None = None
    neuron_high: FloatArray | None = None
    sampling: Sampling | None = None

    @property
    def n_neurons(self) -> int:
        """Number of neurons, dead ones counted."""
        return self.neuron_abs.size

    @property
    def share_of_neurons(self) -> FloatArray:
        """`neurons_per_pixel` as shares of all neurons of `layer`."""
        return (self.neurons_per_pixel / self.n_neurons).astype(np.float32)

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Pixels per neuron, the neuron with the most first. Layers share axes: give the same `ax` to each."""
        ax = ax or new_axes()
        shares = np.sort(self.pixels_per_neuron.ravel())[::-1] / self.pixel_abs.size
        places = np.arange(1, len(shares) + 1) / len(shares)
        with style():
            name = legend_label(f"{self.layer.name} (n = {self.n_neurons:,})")
            ax.plot(places, shares, lw=1.2, label=name)
            ax.set(xlim=(0, 1), xlabel="neurons, sorted (share of the layer)")
            ax.set_ylim(0, max(ax.get_ylim()[1], float(shares.max(initial=0)) * 1.05))
            ax.set_ylabel("pixels where the neuron\ngives more than its share")
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            if self.sampling is not None:
                heading(ax, *self.estimated())
            legend_below(ax)
        return ax

    @checked
    def plot_pixels(self, ax: Axes | None = None, level: float | None = None) -> Axes:
        """Neurons per pixel as a heat map, for one of `levels` (the first).

        Of an estimate each pixel shows the nearest one that is known.
        """
        place = self._place(self.levels[0] if level is None else level)
        ax = ax or new_picture(self.pixel_abs.shape)
        with style():
            shown = ax.imshow(
                filled(self.share_of_neurons[place]), vmin=0, cmap="viridis", interpolation="nearest"
            )
            part = f"{1 - self.levels[place]:.0%}"
            said = f"neurons that make {part} of {self.layer.name}"
            if self.as_released:
                said = f"neurons of {self.counted.name} over the {part} threshold of {self.layer.name}"
            heading(ax, said, f"n = {self.n_neurons:,}", *self.estimated())
            pixels(ax)
            of_what = f"count / neurons of {self.layer.name}"
            colour_bar(ax, shown, of_what if self._crossed else "share of neurons")
            ax.child_axes[-1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        return ax

    @property
    def _crossed(self) -> bool:
        return self.counted.name != self.layer.name

    def _place(self, level: float) -> int:
        if level not in self.levels:
            raise ValueError(f"level={level!r}: expected one of {', '.join(map(str, self.levels))}")
        return self.levels.index(level)

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron: its total and its pixels, with the intervals of an estimate; pandas is imported here."""
        columns: dict[str, Any] = {"total": self.neuron_abs, "pixels": self.pixels_per_neuron}
        for name, low, high in (
            ("total", self.neuron_low, self.neuron_high),
            ("pixels", self.low, self.high),
        ):
            if low is not None and high is not None:
                columns |= {f"{name}_low": low, f"{name}_high": high}
        return neuron_frame(columns, self.neuron_abs.shape, self.layer.n_groups)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The layer's total, the share of neurons whose map is 0, the median neuron's pixels, the median pixel's share of
        neurons for each level.
        """
        shares = zip(self.levels, self.share_of_neurons, strict=True)
        return {
            "total": float(self.neuron_abs.sum(dtype=np.float64)),
            "dead_share": float((self.neuron_abs == 0).mean()),
            "pixels_per_neuron": median(self.pixels_per_neuron),
            **{f"share_of_neurons_{100 * (1 - level):g}%": median(share) for level, share in shares},
        }

    def rows(self) -> list[list[str]]:
        low, middle, high = np.percentile(self.pixels_per_neuron, (25, 50, 75))
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
            ["neurons", f"{self.n_neurons:,}"],
            [
                "pixels per neuron: median (quartiles)",
                f"{middle:,.0f} ({low:,.0f} to {high:,.0f}) of {self.pixel_abs.size:,}",
            ],
        ]
        neurons = f"neurons of {self.counted.name}" if self._crossed else "neurons"
        words = f"{neurons} per pixel with {'more than' if self.as_released else 'at least'} that"
        for level, threshold, counts in zip(
            self.levels, self.thresholds, self.neurons_per_pixel, strict=True
        ):
            low, middle, high = np.nanpercentile(counts, (25, 50, 75))
            rows += [
                [f"smallest contribution of those that make {1 - level:.0%}", f"{threshold:.4g}"],
                [f"{words}: median (quartiles)", f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"],
            ]
        if self.as_released:
            rows.append(["", "as the published notebooks computed it"])
        return rows + self.sampling_rows()


@over_runs
@checked(accuracy=some_accuracy)
def distribution(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    levels: Sequence[float] = LEVELS,
    *,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    seed: int = 0,
    as_released: bool = False,
    progress: Progress = False,
) -> Distribution:
    """Count the pixels of every neuron and the neurons of every pixel.

    Exact numbers are streamed, and exact up to the rounding of the totals: no sample decides a threshold, it only says
    where to look. They take two sweeps over the layer, and never more than six: more where very many contributions are
    equal, or where a threshold is not where the sample says. `as_released` takes one more.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    levels : sequence of float
        Between 0 and 1: the part of the total that the smallest contributions make together, and that is left out.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of a neuron's number of
        pixels is this part of it, in the median over neurons. By default exact where that takes at most about 10 s,
        else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    seed : int
        Of the sample.
    as_released : bool
        Always exact. Count the neurons of a pixel as the published notebooks do: those that contribute more than the
        threshold, where the definition counts those that contribute at least the threshold; and for the third layer of
        an MLP, by a slip, the contributions of the *second* layer over the third layer's threshold, as a share of the
        third layer's neurons. All other layers have their own contributions and their own threshold.
    progress : bool or callable
        As in `Canvas.iter`; it starts again with each sweep.

    Raises
    ------
    ValueError
        A level out of range, an accuracy with `as_released`, or a contribution that is infinite or no number.
    """
    chosen = tuple(float(level) for level in levels)
    if not chosen or not all(0 < level < 1 for level in chosen):
        raise ValueError(
            f"levels={show(levels)}: expected one or more numbers between 0 and 1, such as {LEVELS}"
        )
    found, frame = find(canvas, layer, frame)
    n_neurons = math.prod(found.shape_of(granularity))
    height, width = canvas.inr.size
    shape = found.shape_of(granularity)
    target = target_of(canvas, found, frame, accuracy, granularity, 2, as_released)
    if target is not None:
        planned = Draw.of(canvas, found, frame, granularity, seed, target)
        spread = sampled_spread(planned, chosen, progress)
        return Distribution(
            found,
            frame,
            spread.neuron_abs.reshape(shape),
            spread.pixel_abs,
            spread.pixels_per_neuron.reshape(shape),
            chosen,
            spread.thresholds,
            spread.neurons_per_pixel,
            False,
            found,
            planned.columns.rgb,
            *(
                part.reshape(shape)
                for part in (spread.low, spread.high, spread.neuron_low, spread.neuron_high)
            ),
            sampling=spread.sampling,
        )
    rgb = "sum" if as_released else rgb_of_magnitudes(canvas, found)

    def sweep(function: Any) -> Any:
        chunks = canvas.reduce(found, function, frame, granularity=granularity, rgb=rgb, progress=progress)
        return (reduced for _, reduced in chunks)

    totals = add_totals(sweep(Totals.of), n_neurons, height * width, found)
    brackets = [Bracket.around(totals, level, height * width) for level in chosen]
    fair = torch.from_numpy((totals.pixel_abs / n_neurons).astype(np.float32)).to(canvas.device)
    pixels_per_neuron: npt.NDArray[np.int64] | None = None
    while pixels_per_neuron is None or not all(bracket.settled for bracket in brackets):
        counts = np.zeros(n_neurons, np.int64)
        asked = [bracket for bracket in brackets if not bracket.settled]
        if any(bracket.misses > 1 for bracket in asked):
            masses = np.zeros(BINS)
            for part in sweep(masses_of):
                masses += part
            for bracket in asked:
                bracket.pin(masses)
        counter = Counter(None if pixels_per_neuron is not None else fair, asked)
        done = 0
        for own_pixels, parts in sweep(counter):
            if own_pixels is not None:
                counts[done : done + len(own_pixels)] = own_pixels
                done += len(own_pixels)
            for bracket, part in zip(asked, parts, strict=True):
                bracket.add(part)
        pixels_per_neuron = counts if pixels_per_neuron is None else pixels_per_neuron
        for bracket in asked:
            bracket.settle()
    thresholds = np.array([bracket.threshold for bracket in brackets], np.float32)
    counted = _counted(canvas, found) if as_released else found
    if as_released:
        over = Over(thresholds)
        neurons_per_pixel = np.zeros((len(chosen), height * width), np.int32)
        chunks = canvas.reduce(counted, over, frame, granularity=granularity, rgb=rgb, progress=progress)
        for _, part in chunks:
            neurons_per_pixel += part
    else:
        neurons_per_pixel = np.stack([bracket.pixels for bracket in brackets])
    return Distribution(
        found,
        frame,
        totals.neuron_abs.reshape(shape),
        totals.pixel_abs.reshape(height, width).astype(np.float32),
        pixels_per_neuron.reshape(shape),
        chosen,
        thresholds,
        neurons_per_pixel.reshape(-1, height, width),
        as_released,
        counted,
        rgb,
    )


def _counted(canvas: CanvasLike, layer: Layer) -> Layer:
    """The layer whose contributions the published code counts: the second one for the third of an MLP."""
    place = [one.name for one in canvas.traced_layers].index(layer.name)
    return canvas.traced_layers[1] if place == 2 and layer.grid is None else layer
