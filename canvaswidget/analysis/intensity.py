"""Where a layer contributes, beside how bright the picture is there and where its edges are (XINC section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from canvaswidget.analysis.intervals import spearman
from canvaswidget.analysis.partitions import GREY
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked
from canvaswidget.inr.outputs import in_colour
from canvaswidget.plotting.style import (
    colour_bar,
    heading,
    new_picture,
    new_pictures,
    pixels,
    style,
)
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Intensity(Printed):
    """A layer's contributions beside the picture.

    Attributes
    ----------
    layer : Layer
    frame : int
    contribution : (height, width)
        Sum over neurons of the absolute contributions, from its least, 0, to its most, 1.
    brightness : (height, width)
        Sum of the model's RGB, scaled in the same way.
    edges : (height, width)
        Sobel magnitude of the model's grey frame, scaled in the same way.
    with_brightness, with_edges : float
        Spearman's rank correlation over pixels of the contribution with each; nan where one of the two is constant.
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    """

    title: ClassVar[str] = "contribution and intensity"
    layer: Layer
    frame: int
    contribution: FloatArray
    brightness: FloatArray
    edges: FloatArray
    with_brightness: float
    with_edges: float
    rgb: str = "sum"

    @property
    def difference(self) -> FloatArray:
        """Contribution less brightness: positive where a layer does more than the picture is bright."""
        return self.contribution - self.brightness

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The difference as a heat map."""
        ax = ax or new_picture(self.contribution.shape)
        with style():
            top = float(np.abs(self.difference).max()) or 1.0
            shown = ax.imshow(self.difference, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            heading(ax, self.layer.name, f"frame {self.frame}")
            pixels(ax)
            colour_bar(ax, shown, "contribution − brightness\n(each scaled to 0..1)")
        return ax

    def plot_all(self) -> Figure:
        """Contribution, brightness, edges, and the difference of the first two, side by side."""
        axes = new_pictures(4, self.contribution.shape)
        parts = (
            (f"|contribution| of {self.layer.name}", self.contribution),
            ("brightness", self.brightness),
            ("edges (Sobel)", self.edges),
        )
        with style():
            for ax, (words, values) in zip(axes, parts, strict=False):
                shown = ax.imshow(values, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
                heading(ax, words)
                pixels(ax)
                colour_bar(ax, shown, "scaled to 0..1")
        self.plot(axes[3])
        return cast(Figure, axes[0].figure)

    def rows(self) -> list[list[str]]:
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
            ["rank correlation with brightness", _signed(self.with_brightness)],
            ["rank correlation with edges (Sobel)", _signed(self.with_edges)],
            ["pixels", f"{self.contribution.size:,}"],
        ]


@checked
def intensity(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    *,
    granularity: str | None = None,
    progress: Progress = False,
) -> Intensity:
    """Compare where a layer contributes with how bright the model's frame is, and with its edges.

    Parameters
    ----------
    canvas : Canvas
    layer : str, int or Layer
    frame : int
    granularity : {"unit", "kernel"}, optional
    progress : bool or callable
        As in `Canvas.iter`.
    """
    found, frame = find(canvas, layer, frame)
    summary = canvas.summary(found, frame, granularity=granularity, progress=progress)
    return compare(found, frame, summary.pixel_abs, canvas.frame(frame), summary.rgb)


def compare(
    layer: Layer,
    frame: int,
    pixel_abs: npt.NDArray[np.floating],
    picture: npt.NDArray[np.floating],
    rgb: str = "sum",
) -> Intensity:
    """The same from a layer's total per pixel, which adds colours as `rgb` says, and a picture."""
    from skimage.filters import sobel

    contribution, brightness = scaled(pixel_abs), scaled(picture.sum(-1))
    edges = scaled(sobel(np.asarray(in_colour(picture) @ np.array(GREY), np.float64)))
    return Intensity(
        layer,
        frame,
        contribution,
        brightness,
        edges,
        rank_correlation(contribution, brightness),
        rank_correlation(contribution, edges),
        rgb,
    )


def _signed(correlation: float) -> str:
    return "not defined" if math.isnan(correlation) else f"{correlation:+.3f}"


def scaled(values: npt.NDArray[np.floating]) -> FloatArray:
    """From the least, 0, to the most, 1; zeros where all are equal."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / ((high - low) or 1.0)).astype(np.float32)


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Spearman's rank correlation over all pixels; nan where one of the two is constant."""
    return float(spearman(a.reshape(-1, 1), b.reshape(-1, 1))[0])
