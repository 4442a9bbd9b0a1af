"""How contributions are spread: pixels of a neuron, neurons of a pixel (XINC section 4.1, figures 4 and 5).

Both stream; see `thresholds`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget.analysis.sweeps import find
from canvaswidget.analysis.thresholds import BINS, Bracket, Counter, Totals, add_totals, masses_of
from canvaswidget.drawing import colour_bar, heading, new_axes, new_picture, pixels, style
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas, LayerKey, Progress
from canvaswidget.tracing.layers import Layer

FloatArray = npt.NDArray[np.float32]

LEVELS = (0.1, 0.5)


@dataclass(frozen=True, eq=False, repr=False)
class Distribution(Printed):
    """How a layer's contributions are spread over neurons and pixels.

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
        Number of neurons that contribute at least the threshold to the pixel; none in a layer that is dead.
    as_released : bool
        Whether the thresholds are those of the layer before.
    """

    title: ClassVar[str] = "distribution"
    layer: Layer
    frame: int
    neuron_abs: FloatArray
    pixel_abs: FloatArray
    pixels_per_neuron: npt.NDArray[np.int64]
    levels: tuple[float, ...]
    thresholds: FloatArray
    neurons_per_pixel: npt.NDArray[np.int32]
    as_released: bool = False

    @property
    def n_neurons(self) -> int:
        """Number of neurons, dead ones counted."""
        return self.neuron_abs.size

    @property
    def share_of_neurons(self) -> FloatArray:
        """`neurons_per_pixel` as shares of all neurons."""
        return (self.neurons_per_pixel / self.n_neurons).astype(np.float32)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Pixels per neuron, the neuron with the most first. Layers share axes: give the same `ax` to each."""
        ax = ax or new_axes()
        shares = np.sort(self.pixels_per_neuron.ravel())[::-1] / self.pixel_abs.size
        places = np.arange(1, len(shares) + 1) / len(shares)
        with style():
            ax.plot(places, shares, lw=1.2, label=f"{self.layer.name} (n = {self.n_neurons:,})")
            ax.set(xlim=(0, 1), xlabel="neurons, sorted (share of the layer)")
            ax.set_ylim(0, max(ax.get_ylim()[1], float(shares.max(initial=0)) * 1.05))
            ax.set_ylabel("pixels where the neuron\ngives more than its share")
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            ax.legend(frameon=False, fontsize=6, handlelength=1.2)
        return ax

    def plot_pixels(self, ax: Axes | None = None, level: float | None = None) -> Axes:
        """Neurons per pixel as a heat map, for one of `levels` (the first)."""
        place = self._place(self.levels[0] if level is None else level)
        ax = ax or new_picture(self.pixel_abs.shape)
        with style():
            shown = ax.imshow(self.share_of_neurons[place], vmin=0, cmap="viridis", interpolation="nearest")
            part = f"{1 - self.levels[place]:.0%}"
            said = f"neurons that make {part} of {self.layer.name}"
            if self.as_released:
                said = f"neurons of {self.layer.name} over the {part} threshold of the layer before"
            heading(ax, said, f"n = {self.n_neurons:,}")
            pixels(ax)
            colour_bar(ax, shown, "share of neurons")
            ax.child_axes[-1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        return ax

    def _place(self, level: float) -> int:
        if level not in self.levels:
            raise ValueError(f"level={level!r}: expected one of {', '.join(map(str, self.levels))}")
        return self.levels.index(level)

    def rows(self) -> list[list[str]]:
        low, middle, high = np.percentile(self.pixels_per_neuron, (25, 50, 75))
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["neurons", f"{self.n_neurons:,}"],
            [
                "pixels per neuron: median (quartiles)",
                f"{middle:,.0f} ({low:,.0f} to {high:,.0f}) of {self.pixel_abs.size:,}",
            ],
        ]
        whose = " of the layer before" if self.as_released else ""
        for level, threshold, counts in zip(
            self.levels, self.thresholds, self.neurons_per_pixel, strict=True
        ):
            low, middle, high = np.percentile(counts, (25, 50, 75))
            rows += [
                [f"smallest contribution of those that make {1 - level:.0%}{whose}", f"{threshold:.4g}"],
                [
                    "neurons per pixel with at least that: median (quartiles)",
                    f"{middle:,.0f} ({low:,.0f} to {high:,.0f})",
                ],
            ]
        return rows


def distribution(
    canvas: Canvas,
    layer: LayerKey,
    frame: int = 0,
    levels: Sequence[float] = LEVELS,
    *,
    granularity: str | None = None,
    as_released: bool = False,
    progress: Progress = False,
) -> Distribution:
    """Count the pixels of every neuron and the neurons of every pixel.

    Streaming, and exact up to the rounding of the totals: no sample decides a threshold, it only says where to look.
    It takes two sweeps over the layer, and never more than six: more where very many contributions are equal, or
    where a threshold is not where the sample says.

    Parameters
    ----------
    canvas : Canvas
    layer : str, int or Layer
    frame : int
    levels : sequence of float
        Between 0 and 1: the part of the total that the smallest contributions make together, and that is left out.
    granularity : {"unit", "kernel"}, optional
    as_released : bool
        Count the neurons of a pixel with the thresholds of the layer before, as the published notebook does for its
        heat map of the third layer. The first layer has none before it.
    progress : bool or callable
        As in `Canvas.iter`; it starts again with each sweep.

    Raises
    ------
    ValueError
        A level out of range, `as_released` of the first layer, or a contribution that is infinite or no number.
    """
    chosen = tuple(float(level) for level in levels)
    if not chosen or not all(0 < level < 1 for level in chosen):
        raise ValueError(f"levels={levels!r}: expected one or more numbers between 0 and 1, such as {LEVELS}")
    found, frame = find(canvas, layer, frame)
    n_neurons = math.prod(found.shape_of(granularity))
    height, width = canvas.inr.size

    def sweep(function: Any) -> Any:
        chunks = canvas.reduce(found, function, frame, granularity=granularity, progress=progress)
        return (reduced for _, reduced in chunks)

    totals = add_totals(sweep(Totals.of), n_neurons, height * width, found)
    if as_released:
        before = _layer_before(canvas, found)
        asked_before = distribution(
            canvas, before, frame, chosen, granularity=granularity, progress=progress
        ).thresholds
        brackets = [Bracket(0.0, 0, height * width, threshold=float(level)) for level in asked_before]
    else:
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
    shape = found.shape_of(granularity)
    return Distribution(
        found,
        frame,
        totals.neuron_abs.reshape(shape),
        totals.pixel_abs.reshape(height, width).astype(np.float32),
        pixels_per_neuron.reshape(shape),
        chosen,
        np.array([bracket.threshold for bracket in brackets], np.float32),
        np.stack([bracket.pixels.reshape(height, width) for bracket in brackets]),
        as_released,
    )


def _layer_before(canvas: Canvas, layer: Layer) -> Layer:
    place = [one.name for one in canvas.traced_layers].index(layer.name)
    if not place:
        raise ValueError(
            f"layer={layer.name!r}: the first layer has none before it, whose thresholds as_released=True takes"
        )
    return canvas.traced_layers[place - 1]
