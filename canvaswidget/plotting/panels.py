"""The panels of a figure of the widget but the frame's: plain arrays in, drawn on given axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

from canvaswidget.plotting.palettes import scaled
from canvaswidget.plotting.style import (
    CLUSTER_COLOURS,
    CYCLE,
    INK,
    NEGATIVE,
    POSITIVE,
    QUIET,
    colour_bar,
    drawn_ratio,
    legend_below,
    legend_label,
    plain_numbers,
)
from canvaswidget.plotting.view import Bar, Points, ShareCurve, Spectra, View, view_size

Floats = npt.NDArray[np.floating]

# The part of all magnitudes that is within the limits that maps share: one pixel must not darken all others.
SHARED = 0.999
HALO = [withStroke(linewidth=2, foreground="white")]
NAME_LINE = 0.1  # inches
VALUES = "viridis"  # the palette of points that are coloured by a value
LETTERS = 15  # of a title, an inch
NYQUIST = 0.5  # cycles a pixel
LEAST_POWER = 1e-12  # of the largest
TALLEST_MAP = 0.95  # inches of a neuron's map


def draw_bars(ax: Axes, bars: Sequence[Bar], of: str = "", ranked_by: str = "") -> None:
    """The neurons of a pixel or a region, the largest contribution on top; sign by side and by colour."""
    places = np.arange(len(bars))
    values = np.array([bar.value for bar in bars])
    colours = np.where(values > 0, POSITIVE, NEGATIVE)
    ax.barh(places, values, color=colours, height=0.72)
    reaches = np.array([_reach(bar) for bar in bars])
    cancels = reaches != values
    if cancels.any():  # neurons are ordered by what the sum of the colours does not show
        ax.barh(places[cancels], reaches[cancels], color=colours[cancels], height=0.72, alpha=0.3, lw=0)
    ax.axvline(0, color=INK, lw=0.6)
    ax.set_yticks(places, [f"{bar.layer}  {bar.neuron}" for bar in bars])
    for label, bar in zip(ax.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if bar.selected else "normal")
    ax.set_ylim(len(bars) - 0.5, -0.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    low, high = min(reaches.min(), 0.0), max(reaches.max(), 0.0)
    room = 0.28 * ((high - low) or 1.0)  # for the numbers beside the bars
    ax.set_xlim(low - room if low < 0 else 0, high + room if high > 0 or low == 0 else 0)
    for place, bar, reach in zip(places, bars, reaches, strict=True):
        if math.isnan(bar.share):
            continue
        side = 1 if bar.value >= 0 else -1
        ax.annotate(
            f"{bar.share:.1%}",
            (reach, place),
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
    words = ["contribution (raw level)", *(["and its share of all of its layer"] if known else [])]
    if cancels.any():
        words.append("pale: magnitude over the colours, which orders them")
    ax.set_xlabel("\n".join(words))
    title = f"neurons of {of}" if of else "neurons"
    ax.set_title(f"{title}\nchosen by {ranked_by}" if ranked_by else title, color=INK)


def _reach(bar: Bar) -> float:
    """How far its bars go, on the side of its value: as far as the magnitude where colours cancel in the sum."""
    cancels = bar.magnitude > abs(bar.value) * 1.001  # not where it is NaN
    return math.copysign(bar.magnitude, bar.value) if cancels else bar.value


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
        shown, norm, cmap = scaled(values, view.signed, shared if view.one_scale else own, view.palette)
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
        _, norm, cmap = scaled(maps[0][1], view.signed, shared, view.palette)
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


def draw_shares(ax: Axes, shares: Sequence[ShareCurve], ranked_by: str = "", of_colour: str = "") -> None:
    """How many neurons of each layer make how much of the pixel, or of one colour of it."""
    for number, curve in enumerate(shares):
        colour = CYCLE[number % len(CYCLE)]
        name = legend_label(f"{curve.layer} ({curve.counts[-1]:,})")
        ax.plot(curve.counts, curve.shares, color=colour, lw=1.6 if curve.selected else 0.9, label=name)
    for level in (0.5, 0.9):
        ax.axhline(level, color=QUIET, lw=0.5, ls=":")
    pixel = f"pixel, {of_colour}" if of_colour else "pixel"
    ax.set(xscale="log", ylim=(0, 1.02), xlabel="strongest neurons", ylabel=f"share of the {pixel}")
    ax.set_yticks([0, 0.5, 0.9], ["0", "50 %", "90 %"])
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(ax)
    by = f"\nby {ranked_by}" if ranked_by else ""
    ax.set_title(f"how many neurons make it (of so many){by}", color=INK)


def draw_spectra(ax: Axes, spectra: Spectra) -> None:
    """Power over frequency of the frame's pictures and of the selection's map, with the mean frequency of the last."""
    most = max((float(np.nanmax(line.power, initial=0)) for line in spectra.lines), default=0.0)
    looks = iter(zip(("#c4c7cc", *CYCLE), (3.0, 1.1, 1.1, 1.1), strict=False))
    for line in spectra.lines:
        # Less than this is rounding, and would flatten all lines.
        power = np.where(line.power >= max(most * LEAST_POWER, 1e-300), line.power, np.nan)
        colour, wide = (CYCLE[2], 1.7) if line.selected else next(looks)
        ax.plot(spectra.frequencies, power, color=colour, lw=wide, label=legend_label(line.name))
        if line.selected and not math.isnan(line.centroid):
            ax.axvline(line.centroid, color=colour, lw=0.8, ls="--")
    if spectra.band is not None:
        ax.axvspan(spectra.band[0], min(spectra.band[1], NYQUIST), color=CYCLE[0], alpha=0.12, lw=0)
    if most > 0:
        ax.set_yscale("log")
    ax.set(xlim=(0, NYQUIST), xlabel="frequency (cycles a pixel)", ylabel="power a coefficient")
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(ax)
    ax.set_title("power spectra", color=INK)


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
    """Neurons as points, alike ones near each other, in the colours of their clusters or of a value."""
    many = len(points.labels) > 2000
    if points.values is not None:
        _draw_values(ax, points, points.values, many)
    for cluster in np.unique(points.labels) if points.values is None else ():
        x, y = points.places[points.labels == cluster].T
        colour = QUIET if cluster < 0 else CLUSTER_COLOURS[cluster % len(CLUSTER_COLOURS)]
        name = points.names[cluster] if 0 <= cluster < len(points.names) else None
        ax.scatter(x, 1 - y, s=4, lw=0, color=colour, label=name, rasterized=many)
        if cluster >= 0 and np.isfinite(x).any():  # for who cannot tell its colour; clusters may be scattered
            nearest = int(np.nanargmin((x - np.nanmedian(x)) ** 2 + (y - np.nanmedian(y)) ** 2))
            middle = float(x[nearest]), 1 - float(y[nearest])
            ax.annotate(
                str(cluster),
                middle,
                ha="center",
                va="center",
                fontsize=7,
                fontweight="bold",
                path_effects=HALO,
            )
    if points.selected:
        x, y = points.places[list(points.selected)].T
        ax.scatter(x, 1 - y, s=22, facecolors="none", edgecolors=INK, lw=0.9)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=5.5, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.5)
    ax.set(xticks=[], yticks=[], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    ax.set_title(wrapped(inches, *points.title.split(", ")), color=INK)


def _draw_values(ax: Axes, points: Points, values: Floats, many: bool) -> None:
    """Points in the colours of a value above 0, in equal factors, with its colour bar; grey where there is none."""
    known = np.isfinite(values)
    x, y = points.places[~known].T
    ax.scatter(x, 1 - y, s=4, lw=0, color=QUIET, rasterized=many)
    if known.any():
        x, y = points.places[known].T
        shown = ax.scatter(x, 1 - y, s=5, lw=0, c=values[known], cmap=VALUES, norm=LogNorm(), rasterized=many)
        colour_bar(ax, shown, points.values_name)
        axis = ax.child_axes[-1].yaxis
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FormatStrFormatter("%g"))
