"""The panels of a figure of the widget: plain arrays in, drawn on given axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from canvaswidget.plotting.palettes import DIVERGING, SEQUENTIAL, colour_map
from canvaswidget.plotting.style import (
    CYCLE,
    INK,
    NEGATIVE,
    POSITIVE,
    QUIET,
    colour_bar,
    drawn_ratio,
    legend_below,
    legend_label,
    pixel_aspect,
    pixels,
    plain_numbers,
)

Floats = npt.NDArray[np.floating]

UNIT = "contribution (raw level)"
GREY_UNIT = "absolute error (raw level)"
# The part of all magnitudes that is within the limits that maps share: one pixel must not darken all others.
SHARED = 0.999
NAME_LINE = 0.1  # inches
LETTERS = 15  # of a title, an inch
# How much of its colour an image loses under a map of full opacity, so that nobody takes its colours for the map's.
FADED = 0.75
LUMA = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709
CONTOURS = (0.25, 0.5, 0.75)  # of the magnitude at which colours end
TALLEST_MAP = 0.95  # inches of a neuron's map


@dataclass(frozen=True)
class Bar:
    """A neuron's contribution to the pixel, and its share of those of its layer; NaN where that is not known."""

    layer: str
    neuron: str
    value: float
    share: float
    selected: bool = False


@dataclass(frozen=True)
class ShareCurve:
    """How much the strongest `counts` neurons of a layer make of the pixel."""

    layer: str
    counts: Sequence[int]
    shares: Sequence[float]
    selected: bool = False


@dataclass(frozen=True)
class Points:
    """A layer's neurons on a plane.

    Attributes
    ----------
    places : (n, 2) array
        In [0, 1]; NaN for those that are not shown.
    labels : (n,) array
        The cluster of each, -1 for none.
    names : sequence of str
        Of the clusters; empty where they are not known.
    selected : sequence of int
    title : str
    """

    places: Floats
    labels: npt.NDArray[np.integer]
    names: Sequence[str] = ()
    selected: Sequence[int] = ()
    title: str = ""


@dataclass(frozen=True)
class View:
    """What `canvaswidget.plotting.figures.view_figure` draws; what is None, or empty, is left out.

    Attributes
    ----------
    title : str
        Of the whole figure.
    image : (h, w, 3) or (h, w) array
        In [0, 1] with colours; one channel is drawn in grey with its range. None for a dark ground.
    overlay : (h, w) array
        The selected contribution, drawn over the image.
    overlay_name, overlay_unit : str
    signed, overlay_signed : bool
        Whether the maps of neurons, and the overlay, keep their sign: a diverging palette centred on 0.
    palette, opacity, contrast
        As in the widget.
    limit : float
        The magnitude at which the colours of the overlay end; with None its own largest, less with more contrast.
    contours : bool
        Whether lines on the overlay tell where a quarter, a half and three quarters of that magnitude are reached.
    pixel : (y, x)
    region : (h, w) array of bool
        Outlined on the image.
    bars : sequence of Bar
        The pixel's neurons, the largest contribution first.
    thumbnails, neurons : sequence of (name, (h, w) array)
        Maps of the pixel's neurons, and of the layer's.
    neurons_name : str
    shares : sequence of ShareCurve
        Of the pixel, by layer.
    points : Points
    frames, totals, changes : array
        The selection's total on some frames, and how much it differs from the frame before; None where not known.
    time : int
        The current frame.
    ranked_by : str
        The rule that chose `bars`, and that `shares` are of, where it is another one than the view's.
    n_frames : int
        Of the clip; `frames` may be fewer of them.
    one_scale : bool
        Whether the maps of a panel share their limits, and have a colour bar; else each has its own.
    neurons_scale : float
        The magnitude that the limits of `neurons` reach: the scale that the widget has for their layer. With 0 it is
        found from the maps that are shown.
    """

    title: str
    image: Floats | None
    overlay: Floats | None = None
    overlay_name: str = ""
    overlay_unit: str = UNIT
    signed: bool = False
    overlay_signed: bool = False
    palette: str = "viridis"
    opacity: float = 0.8
    contrast: float = 1.0
    limit: float | None = None
    contours: bool = False
    pixel: tuple[int, int] | None = None
    region: npt.NDArray[np.bool_] | None = None
    bars: Sequence[Bar] = ()
    thumbnails: Sequence[tuple[str, Floats]] = ()
    neurons: Sequence[tuple[str, Floats]] = ()
    neurons_name: str = ""
    shares: Sequence[ShareCurve] = ()
    points: Points | None = None
    frames: Sequence[int] = ()
    totals: Sequence[float] = ()
    changes: Sequence[float | None] = field(default=())
    time: int = 0
    ranked_by: str = ""
    n_frames: int = 0
    one_scale: bool = False
    neurons_scale: float = 0.0


def view_size(view: View) -> tuple[int, int]:
    """Height and width of the frame."""
    shown = view.image if view.image is not None else view.overlay
    if shown is None:
        raise ValueError("view: has neither an image nor an overlay")
    return shown.shape[0], shown.shape[1]


def frame_scale(view: View) -> float:
    """The largest magnitude over the image; without any there, that of an image in grey."""
    if view.overlay is not None:
        return float(np.abs(view.overlay).max())
    return 0.0 if view.image is None or view.image.ndim == 3 else float(view.image.max())


def colour_limit(view: View, scale: float) -> float:
    """The magnitude at which the colours of the overlay end, on the scale of some frames."""
    return scale / view.contrast if view.limit is None else view.limit


def drawn_values(values: Floats, signed: bool) -> Floats:
    """What colours and lines stand for: signed values, or magnitudes."""
    return values if signed else np.abs(values)


def contour_levels(view: View, scale: float) -> list[float]:
    """The values of the overlay that have a line, from the lowest up; none for a picture of one row or column."""
    if not view.contours or view.overlay is None or min(view.overlay.shape) < 2:
        return []
    limit = colour_limit(view, scale)
    overlay = drawn_values(view.overlay, view.overlay_signed)
    signs = (-1, 1) if view.overlay_signed else (1,)
    levels = sorted(sign * part * limit for sign in signs for part in CONTOURS)
    return [level for level in levels if overlay.min() < level < overlay.max()]


def draw_frame(ax: Axes, view: View, scale: float | None = None, bar: bool = True) -> None:
    """The frame, the selected contribution over it, and the pixel; `scale` is its own `frame_scale` by default."""
    height, width = view_size(view)
    scale = frame_scale(view) if scale is None else scale
    aspect = pixel_aspect((height, width))
    if view.image is None:
        ax.imshow(np.zeros((height, width, 3)), aspect=aspect)
    elif view.image.ndim == 3:
        ax.imshow(under_map(np.clip(view.image, 0, 1), view), aspect=aspect)
    else:
        top = scale if view.overlay is None else None
        shown = ax.imshow(view.image, cmap="gray", vmin=0, vmax=top, aspect=aspect)
        if view.overlay is None and bar:
            colour_bar(ax, shown, GREY_UNIT)
    if view.overlay is not None:
        limit = colour_limit(view, scale)
        values, norm, cmap = _scaled(view.overlay, view.overlay_signed, limit, view.palette)
        reach = max(abs(norm.vmin or 0), abs(norm.vmax or 0)) or 1
        alpha = _alpha(np.clip(np.abs(values) / reach, 0, 1), view)
        ax.imshow(values, cmap=cmap, norm=norm, alpha=alpha, interpolation="nearest", aspect=aspect)
        if bar:
            is_beyond = np.abs(view.overlay).max() > (1 + 1e-6) * limit
            extend = "neither" if not is_beyond else "both" if view.overlay_signed else "max"
            colour_bar(ax, frame_colours(view, scale), view.overlay_unit, extend=extend)
        if levels := contour_levels(view, scale):
            for line, colour in ((1.4, "black"), (0.6, "white")):
                ax.contour(values, levels=levels, colors=colour, linewidths=line, linestyles="solid")
    if view.region is not None:
        _outline(ax, view.region)
    if view.pixel is not None:
        y, x = view.pixel
        for line, colour in ((2.2, "black"), (1.0, "white")):
            ax.plot(x, y, "+", ms=9, mew=line, color=colour, clip_on=False)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    pixels(ax)
    ax.set_title(view.overlay_name, color=INK)


def _outline(ax: Axes, region: npt.NDArray[np.bool_]) -> None:
    """Between the pixels that are in a region and those that are not."""
    height, width = region.shape
    edges = np.pad(region, 1).repeat(2, 0).repeat(2, 1).astype(float)
    ys, xs = (np.arange(2 * size + 4) / 2 - 1.25 for size in (height, width))
    for line, colour in ((2.0, "black"), (1.0, "white")):
        ax.contour(xs, ys, edges, levels=[0.5], colors=colour, linewidths=line)


def under_map(image: Floats, view: View) -> Floats:
    """An image with values of 0 to 1 as it lies under the map of the view, with less colour; without a map as it is."""
    if view.overlay is None or image.ndim == 2:
        return image
    return image + FADED * view.opacity * ((image @ np.asarray(LUMA))[..., None] - image)


def frame_colours(view: View, scale: float) -> ScalarMappable:
    """The colours of a scale as they lie over the image; without anything over it, those of an image in grey."""
    if view.overlay is None:
        return ScalarMappable(Normalize(0, scale), "gray")
    _, norm, cmap = _scaled(view.overlay, view.overlay_signed, colour_limit(view, scale), view.palette)
    return ScalarMappable(norm, _over_image(cmap, view))


def _alpha(strength: Floats, view: View) -> Floats:
    """How much of the image a part of the largest contribution hides; the same as in the widget."""
    return view.opacity * strength * (2 - strength) if view.image is not None else np.ones_like(strength)


def _over_image(cmap: Colormap, view: View) -> Colormap:
    """The colours of the overlay as they lie over the mean colour of the image, for its colour bar."""
    if view.image is None:
        return cmap
    image = np.clip(view.image, 0, 1)
    if image.ndim == 2:  # drawn in grey from 0 to its largest value
        image = np.repeat(image[..., None] / (image.max() or 1), 3, 2)
    places = np.linspace(0, 1, 256)
    alpha = _alpha(np.abs(2 * places - 1) if view.overlay_signed else places, view)[:, None]
    return ListedColormap(alpha * cmap(places)[:, :3] + (1 - alpha) * under_map(image, view).mean((0, 1)))


def draw_bars(
    ax: Axes, bars: Sequence[Bar], pixel: tuple[int, int] | None = None, ranked_by: str = ""
) -> None:
    """The neurons of a pixel, the largest contribution on top; sign by side and by colour."""
    places = np.arange(len(bars))
    values = np.array([bar.value for bar in bars])
    ax.barh(places, values, color=np.where(values > 0, POSITIVE, NEGATIVE), height=0.72)
    ax.axvline(0, color=INK, lw=0.6)
    ax.set_yticks(places, [f"{bar.layer}  {bar.neuron}" for bar in bars])
    for label, bar in zip(ax.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if bar.selected else "normal")
    ax.set_ylim(len(bars) - 0.5, -0.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    room = 0.28 * ((high - low) or 1.0)  # for the numbers beside the bars
    ax.set_xlim(low - room if low < 0 else 0, high + room if high > 0 or low == 0 else 0)
    for place, bar in zip(places, bars, strict=True):
        if math.isnan(bar.share):
            continue
        side = 1 if bar.value >= 0 else -1
        ax.annotate(
            f"{bar.share:.1%}",
            (bar.value, place),
            (2 * side, 0),
            textcoords="offset points",
            va="center",
            ha="left" if side > 0 else "right",
            fontsize=5.5,
            color=QUIET,
        )
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(plain_numbers())
    known = any(not math.isnan(bar.share) for bar in bars)
    ax.set_xlabel("contribution (raw level)" + ("\nand its share of all of its layer" if known else ""))
    title = "neurons" if pixel is None else f"neurons of pixel y={pixel[0]}, x={pixel[1]}"
    ax.set_title(f"{title}\nchosen by {ranked_by}" if ranked_by else title, color=INK)


def draw_maps(
    ax: Axes,
    view: View,
    maps: Sequence[tuple[str, Floats]],
    title: str,
    columns: int = 6,
    inches: float = 6.6,
    scale_name: str = "one scale",
    tallest: float = TALLEST_MAP,
) -> None:
    """Maps side by side: on one scale, with its colour bar, or each on its own."""
    # In inches, as the axes are as wide as the page but for the colour bar.
    width, height, gap = map_size(view, columns, inches, tallest)
    below = name_lines(maps) * NAME_LINE + 0.06
    lines = -(-len(maps) // columns)
    shared = scale_of(view, maps)
    for place, (name, values) in enumerate(maps):
        left, top = place % columns * (width + gap), place // columns * (height + below)
        own = float(np.abs(values).max()) / view.contrast
        shown, norm, cmap = _scaled(values, view.signed, shared if view.one_scale else own, view.palette)
        extent = (left, left + width, top + height, top)
        ax.imshow(shown, cmap=cmap, norm=norm, extent=extent, interpolation="nearest")
        ax.add_patch(Rectangle((left, top), width, height, fill=False, ec=QUIET, lw=0.4, clip_on=False))
        ax.annotate(
            name.replace("  ", "\n"),
            (left + width / 2, top + height),
            (0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6,
        )
    ax.set(xlim=(0, columns * (width + gap) - gap), ylim=(lines * (height + below), 0))
    ax.set_axis_off()
    what = "signed" if view.signed else "magnitudes"
    scale = f"on {scale_name} (raw level)" if view.one_scale else "each on its own scale"
    ax.set_title(wrapped(inches, title, f"{what} {scale}"), color=INK)
    if view.one_scale:
        _, norm, cmap = _scaled(maps[0][1], view.signed, shared, view.palette)
        extend = "both" if view.signed else "max"
        colour_bar(ax, ScalarMappable(norm, cmap), "", width=0.1 / columns, extend=extend)


def map_size(
    view: View, columns: int, inches: float, tallest: float = TALLEST_MAP
) -> tuple[float, float, float]:
    """Width and height of a map among `columns` of them, and the gap between two, in inches."""
    cell = max(inches - (0.6 if view.one_scale else 0.2), 0.5) / columns
    ratio = drawn_ratio(view_size(view))
    width = min(cell / 1.05, tallest / ratio)
    return width, width * ratio, cell - width


def name_lines(maps: Sequence[tuple[str, Floats]]) -> int:
    """Lines of the names under maps: the layer stands over its neuron."""
    return 2 if any("  " in name for name, _ in maps) else 1


def scale_of(view: View, maps: Sequence[tuple[str, Floats]]) -> float:
    """The limit that the maps of a panel share, less with more contrast.

    Of the layer's neurons it is the scale of their layer, as in the widget; of the pixel's, which are of several
    layers, a magnitude that few pixels of these maps exceed.
    """
    if maps is view.neurons and view.neurons_scale > 0:
        return view.neurons_scale / view.contrast
    if not maps:
        return 0.0
    magnitudes = np.concatenate([np.abs(values).ravel() for _, values in maps])
    return float(np.quantile(magnitudes, SHARED) or magnitudes.max()) / view.contrast


def wrapped(inches: float, *parts: str) -> str:
    """A title in one line where it fits, else a line for each part."""
    line = ", ".join(parts)
    return line if len(line) <= LETTERS * inches else "\n".join(parts)


def draw_shares(ax: Axes, shares: Sequence[ShareCurve], ranked_by: str = "") -> None:
    """How many neurons of each layer make how much of the pixel."""
    for number, curve in enumerate(shares):
        colour = CYCLE[number % len(CYCLE)]
        name = legend_label(f"{curve.layer} ({curve.counts[-1]:,})")
        ax.plot(curve.counts, curve.shares, color=colour, lw=1.6 if curve.selected else 0.9, label=name)
    for level in (0.5, 0.9):
        ax.axhline(level, color=QUIET, lw=0.5, ls=":")
    ax.set(xscale="log", ylim=(0, 1.02), xlabel="strongest neurons", ylabel="share of the pixel")
    ax.set_yticks([0, 0.5, 0.9], ["0", "50 %", "90 %"])
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(ax)
    by = f"\nby {ranked_by}" if ranked_by else ""
    ax.set_title(f"how many neurons make it (of so many){by}", color=INK)


def draw_curve(
    ax: Axes,
    frames: Sequence[int],
    totals: Sequence[float],
    time: int,
    changes: Sequence[float | None] = (),
    n_frames: int | None = None,
    inches: float = 6.6,
) -> None:
    """The selection's total on each frame and its change to the frame before, and the playhead.

    The title says it where `frames` are fewer than the `n_frames` of the clip.
    """
    ax.plot(frames, totals, color=NEGATIVE, lw=1.1, marker="o", ms=2, label="total")
    known = [(frame, change) for frame, change in zip(frames, changes, strict=False) if change is not None]
    if known:
        ax.plot(*zip(*known, strict=True), color=CYCLE[1], lw=0.9, marker="o", ms=1.5, label="change")
        legend_below(ax)
    ax.axvline(time, color=POSITIVE, lw=0.8)
    ax.set_ylim(0, max([*totals, *(change for _, change in known), 0]) * 1.1 or 1)
    ax.set_xlim(min(frames) - 0.5, max(frames) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.yaxis.set_major_formatter(plain_numbers())
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("frame")
    ax.set_ylabel("total |contribution|\n(raw level)")
    sampled = [f"{len(frames)} of {n_frames} frames"] if (n_frames or 0) > len(frames) else []
    ax.set_title(wrapped(inches, "the selection through time", *sampled), color=INK)


def draw_points(ax: Axes, points: Points, inches: float = 6.6) -> None:
    """Neurons as points, alike ones near each other, in the colours of their clusters."""
    for cluster in np.unique(points.labels):
        x, y = points.places[points.labels == cluster].T
        colour = QUIET if cluster < 0 else CYCLE[cluster % len(CYCLE)]
        name = points.names[cluster] if 0 <= cluster < len(points.names) else None
        ax.scatter(x, 1 - y, s=4, lw=0, color=colour, label=name, rasterized=len(points.labels) > 2000)
    if points.selected:
        x, y = points.places[list(points.selected)].T
        ax.scatter(x, 1 - y, s=22, facecolors="none", edgecolors=INK, lw=0.9)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=5.5, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.5)
    ax.set(xticks=[], yticks=[], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    ax.set_title(wrapped(inches, *points.title.split(", ")), color=INK)


def _scaled(values: Floats, signed: bool, top: float, palette: str) -> tuple[Floats, Normalize, Colormap]:
    """What is drawn, its range and its colours: centred on 0 if signed, else magnitudes from 0 on."""
    top = top or 1.0
    if signed:
        return values, Normalize(-top, top), colour_map(palette if palette in DIVERGING else DIVERGING[0])
    return np.abs(values), Normalize(0, top), colour_map(palette if palette in SEQUENTIAL else SEQUENTIAL[0])
