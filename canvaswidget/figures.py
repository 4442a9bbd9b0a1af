"""Drawings of what the widget shows, for papers: plain arrays in, matplotlib figures out.

Figures are made as objects, never through pyplot, so that nobody's current figure is touched. Text stays text
in PDF and SVG (embedded TrueType), colours are safe for the colour blind, and axes say their units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from canvaswidget.drawing import INK, NEGATIVE, POSITIVE, QUIET, Page, colour_bar, plain_numbers, style

Floats = npt.NDArray[np.floating]

FORMATS = ("png", "pdf", "svg")
SEQUENTIAL = ("viridis", "magma", "cividis", "gray")
# The first two have a white middle, for paper and light pages; the last a black one, for dark pages.
DIVERGING = ("RdBu_r", "PuOr_r", "ice-fire")
_ICE_FIRE = ("#9bdcf5", "#3f8fd2", "#1d4478", "#0d0d12", "#6b2414", "#dd5a2b", "#ffd28a")

WIDE = 5.0  # inches from which the bars stand beside the frame
FRAME_PART = 0.6  # of the width, then
TITLE = 0.25  # inches


class Palettes(NamedTuple):
    """Colour maps as ``(n, 256, 3)`` bytes; `diverging` names those centred on zero."""

    names: tuple[str, ...]
    diverging: tuple[str, ...]
    tables: npt.NDArray[np.uint8]


@cache
def palettes() -> Palettes:
    """The colour maps that the widget and the figures offer."""
    names = (*SEQUENTIAL, *DIVERGING)
    steps = np.linspace(0, 1, 256)
    tables = np.stack([np.rint(colour_map(name)(steps)[:, :3] * 255).astype(np.uint8) for name in names])
    tables.flags.writeable = False
    return Palettes(names, DIVERGING, tables)


def colour_map(name: str) -> Colormap:
    """One of `palettes`, by name."""
    if name not in (*SEQUENTIAL, *DIVERGING):
        raise ValueError(
            f"palette={name!r}: expected one of {', '.join(map(repr, (*SEQUENTIAL, *DIVERGING)))}"
        )
    return LinearSegmentedColormap.from_list(name, _ICE_FIRE) if name == "ice-fire" else colormaps[name]


@dataclass(frozen=True)
class Bar:
    """A neuron's contribution to the pixel."""

    layer: str
    neuron: str
    value: float
    share: float
    selected: bool = False


@dataclass(frozen=True)
class View:
    """What `view_figure` draws; what is None, or empty, is left out.

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
        Whether the thumbnails, and the overlay, keep their sign: a diverging palette centred on 0.
    palette, opacity, contrast
        As in the widget.
    pixel : (y, x)
    bars : sequence of Bar
        The pixel's neurons, the largest contribution first.
    thumbnails : sequence of (name, (h, w) array)
    frames, totals : array
        The selection's total on some frames.
    time : int
        The current frame.
    """

    title: str
    image: Floats | None
    overlay: Floats | None = None
    overlay_name: str = ""
    overlay_unit: str = "contribution (RGB level)"
    signed: bool = False
    overlay_signed: bool = False
    palette: str = "viridis"
    opacity: float = 0.8
    contrast: float = 1.0
    pixel: tuple[int, int] | None = None
    bars: Sequence[Bar] = ()
    thumbnails: Sequence[tuple[str, Floats]] = ()
    frames: Sequence[int] = ()
    totals: Sequence[float] = ()
    time: int = 0


def view_figure(view: View, width: float = 6.6) -> Figure:
    """The widget's views on one page.

    Parameters
    ----------
    view : View
    width : float
        In inches; the text stays 6.5 to 7.5 points.
    """
    if not 1 <= width <= 40:
        raise ValueError(f"width={width!r}: expected 1 to 40 inches")
    rows = _page(view, width)
    with style():
        figure = Page(figsize=(width, sum(height for height, _ in rows) + TITLE), layout="constrained")
        figure.suptitle(view.title, fontsize=8, fontweight="bold", color=INK, x=0.012, ha="left")
        # A figure of its own for each row, so that the labels of one don't push the axes of another.
        parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=[height for height, _ in rows])
        for part, (_, names) in zip(parts.ravel(), rows, strict=True):
            ratios = [FRAME_PART, 1 - FRAME_PART] if len(names) == 2 else [1]
            axes = part.subplots(1, len(names), squeeze=False, width_ratios=ratios)
            for ax, name in zip(axes.ravel(), names, strict=True):
                _draw(ax, name, view, width)
    return figure


def _draw(ax: Axes, name: str, view: View, width: float) -> None:
    if name == "frame":
        draw_frame(ax, view)
    elif name == "bars":
        draw_bars(ax, view.bars, view.pixel)
    elif name == "thumbnails":
        draw_thumbnails(ax, view, _columns(view, width))
    else:
        draw_curve(ax, view.frames, view.totals, view.time)


def _page(view: View, width: float) -> list[tuple[float, list[str]]]:
    """The height of each row in inches, and what is in it: two columns where there is room."""
    height = view_size(view)[0] / view_size(view)[1]
    beside = width >= WIDE and len(view.bars) > 0
    frame = 0.6 + height * (width * (FRAME_PART if beside else 1) - 1.2)
    bars = 0.65 + 0.15 * len(view.bars)
    rows = [(max(frame, bars), ["frame", "bars"])] if beside else [(frame, ["frame"])]
    if view.bars and not beside:
        rows.append((bars, ["bars"]))
    if view.thumbnails:
        columns = _columns(view, width)
        lines = -(-len(view.thumbnails) // columns)
        rows.append((0.25 + lines * (0.26 + height * (width - 0.2) / columns), ["thumbnails"]))
    if len(view.frames) > 1:
        rows.append((1.2, ["curve"]))
    return rows


def _columns(view: View, width: float) -> int:
    """Thumbnails in a line."""
    return min(len(view.thumbnails), 6 if width >= WIDE else 3)


def view_size(view: View) -> tuple[int, int]:
    """Height and width of the frame."""
    shown = view.image if view.image is not None else view.overlay
    if shown is None:
        raise ValueError("view: has neither an image nor an overlay")
    return shown.shape[0], shown.shape[1]


# --- the panels ---------------------------------------------------------------------------------------------


def draw_frame(ax: Axes, view: View) -> None:
    """The frame, the selected contribution over it, and the pixel."""
    height, width = view_size(view)
    if view.image is None:
        ax.imshow(np.zeros((height, width, 3)))
    elif view.image.ndim == 3:
        ax.imshow(np.clip(view.image, 0, 1))
    else:
        shown = ax.imshow(view.image, cmap="gray", vmin=0)
        if view.overlay is None:
            colour_bar(ax, shown, "absolute error (RGB level)")
    if view.overlay is not None:
        values, norm, cmap = _scaled(view.overlay, view.overlay_signed, view.contrast, view.palette)
        top = max(abs(norm.vmin or 0), abs(norm.vmax or 0)) or 1
        strength = np.sqrt(np.clip(np.abs(values) / top, 0, 1)) * view.opacity
        ax.imshow(values, cmap=cmap, norm=norm, alpha=strength, interpolation="nearest")
        colour_bar(ax, ScalarMappable(norm, cmap), view.overlay_unit)
    if view.pixel is not None:
        y, x = view.pixel
        for line, colour in ((2.2, "black"), (1.0, "white")):
            ax.plot(x, y, "+", ms=9, mew=line, color=colour, clip_on=False)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xlabel="x (pixels)", ylabel="y (pixels)")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_title(view.overlay_name, color=INK)


def draw_bars(ax: Axes, bars: Sequence[Bar], pixel: tuple[int, int] | None = None) -> None:
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
    ax.set_xlabel("contribution (RGB level)\nand its share of all of its layer")
    ax.set_title("neurons" if pixel is None else f"neurons of pixel y={pixel[0]}, x={pixel[1]}", color=INK)


def draw_thumbnails(ax: Axes, view: View, columns: int = 6) -> None:
    """Maps side by side, each with its own range."""
    height, width = view.thumbnails[0][1].shape
    gap, below = 0.05 * width, 0.05 * width + 0.17 * width * min(columns, 6) / 6
    lines = -(-len(view.thumbnails) // columns)
    for place, (name, values) in enumerate(view.thumbnails):
        left, top = place % columns * (width + gap), place // columns * (height + below)
        shown, norm, cmap = _scaled(values, view.signed, view.contrast, view.palette)
        extent = (left, left + width, top + height, top)
        ax.imshow(shown, cmap=cmap, norm=norm, extent=extent, interpolation="nearest")
        ax.add_patch(Rectangle((left, top), width, height, fill=False, ec=QUIET, lw=0.4, clip_on=False))
        ax.annotate(
            name,
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
    ax.set_title(f"their maps, {what}, each on its own scale", color=INK)


def draw_curve(ax: Axes, frames: Sequence[int], totals: Sequence[float], time: int) -> None:
    """The selection's total on each frame, and the playhead."""
    ax.plot(frames, totals, color=NEGATIVE, lw=1.1, marker="o", ms=2)
    ax.axvline(time, color=POSITIVE, lw=0.8)
    ax.set_ylim(0, max([*totals, 0]) * 1.1 or 1)
    ax.set_xlim(min(frames) - 0.5, max(frames) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.yaxis.set_major_formatter(plain_numbers())
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("frame")
    ax.set_ylabel("total |contribution|\n(RGB level)")
    ax.set_title("the selection through time", color=INK)


def _scaled(
    values: Floats, signed: bool, contrast: float, palette: str
) -> tuple[Floats, Normalize, Colormap]:
    """What is drawn, its range and its colours: centred on 0 if signed, else magnitudes from 0 on."""
    top = float(np.abs(values).max()) / contrast or 1.0
    if signed:
        return values, Normalize(-top, top), colour_map(palette if palette in DIVERGING else DIVERGING[0])
    return np.abs(values), Normalize(0, top), colour_map(palette if palette in SEQUENTIAL else SEQUENTIAL[0])


def save(figure: Figure, path: str | Path, dpi: float = 300) -> Path:
    """Write a figure as PNG, PDF or SVG, as the name ends; text in PDF and SVG stays text."""
    path = check_path(path)
    with style():
        figure.savefig(path, format=path.suffix.lower().lstrip("."), dpi=dpi)
    return path


def check_path(path: str | Path) -> Path:
    """The path, if a figure can be written there."""
    path = Path(path)
    if path.suffix.lower().lstrip(".") not in FORMATS:
        endings = ", ".join(f".{ending}" for ending in FORMATS)
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {endings}")
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    return path
