"""Where a layer contributes, beside how bright the picture is there and where its edges are (XINC section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from canvaswidget.analysis.intervals import spearman
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.partitions import GREY
from canvaswidget.analysis.sampled import (
    Accuracy,
    Draw,
    Estimated,
    PixelTotals,
    Sampling,
    draw,
    filled,
    of_saved,
    target_of,
)
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_accuracy
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

CORRELATION = "the rank correlations"
PERFECT = 1 - 1e-12  # Fisher's z is infinite at 1


@dataclass(frozen=True, eq=False, repr=False)
class Intensity(Estimated, Printed):
    """A layer's contributions beside the picture.

    Where it is estimated, `contribution` is exact at the pixels that were drawn, and NaN elsewhere; correlations
    are over these pixels.

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
    sampling : Sampling or None
        How it was estimated; None where it is exact.
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
    sampling: Sampling | None = None

    @property
    def difference(self) -> FloatArray:
        """Contribution less brightness: positive where a layer does more than the picture is bright."""
        return self.contribution - self.brightness

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The difference as a heat map; of an estimate each pixel shows the nearest one that was drawn."""
        ax = ax or new_picture(self.contribution.shape)
        with style():
            top = float(np.nanmax(np.abs(self.difference))) or 1.0
            shown = ax.imshow(
                filled(self.difference), cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest"
            )
            heading(ax, self.layer.name, f"frame {self.frame}", *self.estimated())
            pixels(ax)
            colour_bar(ax, shown, "contribution − brightness\n(each scaled to 0..1)")
        return ax

    def plot_all(self) -> Figure:
        """Contribution, brightness, edges, and the difference of the first two, side by side."""
        axes = new_pictures(4, self.contribution.shape)
        parts = (
            (f"|contribution| of {self.layer.name}", filled(self.contribution)),
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

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        Both rank correlations.
        """
        return {"with_brightness": self.with_brightness, "with_edges": self.with_edges}

    def rows(self) -> list[list[str]]:
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
            ["rank correlation with brightness", _signed(self.with_brightness)],
            ["rank correlation with edges (Sobel)", _signed(self.with_edges)],
            ["pixels", f"{self.contribution.size:,}"],
            *self.sampling_rows(),
        ]


@over_runs
@checked(accuracy=some_accuracy)
def intensity(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    *,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Intensity:
    """Compare where a layer contributes with how bright the model's frame is, and with its edges.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of each rank correlation is
        no wider than this. By default exact where that takes at most about 10 s, else 0.05. Rules that can't be sampled
        (all but `gated`) are always exact.
    seed : int
        Of the sample.
    progress : bool or callable
        As in `Canvas.iter`.
    """
    found, frame = find(canvas, layer, frame)
    target = target_of(canvas, found, frame, accuracy, granularity)
    if target is None:
        summary = canvas.summary(found, frame, granularity=granularity, progress=progress)
        exact = compare(found, frame, summary.pixel_abs, canvas.frame(frame), summary.rgb)
        return replace(exact, sampling=of_saved(summary))
    planned = Draw.of(canvas, found, frame, granularity, seed, target)
    totals, picture = PixelTotals(planned.columns), canvas.frame(frame)

    def compared() -> Intensity:
        return compare(found, frame, totals.images[0], picture, planned.columns.rgb)

    half_width = draw(
        planned, [totals], lambda: correlation_half_width(compared(), totals.n_pixels), progress
    )
    sampling = planned.sampling(CORRELATION, half_width, totals.n_pixels, is_part=False)
    return replace(compared(), sampling=sampling)


def compare(
    layer: Layer,
    frame: int,
    pixel_abs: npt.NDArray[np.floating],
    picture: npt.NDArray[np.floating],
    rgb: str = "sum",
) -> Intensity:
    """The same from a layer's total per pixel, which adds colours as `rgb` says, and a picture.

    A pixel whose total is NaN is not known, and counts in no correlation.
    """
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


def of_sample(found: Intensity, sampling: Sampling) -> Intensity:
    """What was compared, with what is known of the sample that its contributions are from."""
    half_width = correlation_half_width(found, sampling.n_pixels)
    return replace(
        found, sampling=replace(sampling, number=CORRELATION, half_width=half_width, is_part=False)
    )


def correlation_half_width(found: Intensity, n_pixels: int) -> float:
    """Half of the wider interval of the two correlations, over `n_pixels` drawn at random of all pixels.

    Fisher's z with the variance of Bonett and Wright (Psychometrika 65, 2000).
    """
    widest = 0.0
    for value in (found.with_brightness, found.with_edges):
        if not math.isnan(value):
            left = 1 - n_pixels / found.contribution.size
            error = math.sqrt((1 + value**2 / 2) / max(n_pixels - 3, 1e-9) * left)
            z = math.atanh(min(max(value, -PERFECT), PERFECT))
            widest = max(widest, (math.tanh(z + 1.96 * error) - math.tanh(z - 1.96 * error)) / 2)
    return widest


def _signed(correlation: float) -> str:
    return "not defined" if math.isnan(correlation) else f"{correlation:+.3f}"


def scaled(values: npt.NDArray[np.floating]) -> FloatArray:
    """From the least, 0, to the most, 1; zeros where all are equal, NaN stays."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return ((values - low) / ((high - low) or 1.0)).astype(np.float32)


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Spearman's rank correlation over all pixels where both are known; nan where one of the two is constant."""
    known = np.isfinite(a) & np.isfinite(b)
    return float(spearman(a[known].reshape(-1, 1), b[known].reshape(-1, 1))[0])
