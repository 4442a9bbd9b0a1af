"""Figures of what the widget shows, for papers: plain arrays in, matplotlib figures out.

Figures are made as objects, never through pyplot, so that nobody's current figure is touched. Text stays text
in PDF and SVG (embedded TrueType), colours are safe for the colour blind, axes say their units, and a written file says
in words what is on it.
"""

from __future__ import annotations

import html
import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from canvaswidget.arguments import show
from canvaswidget.files import write_whole
from canvaswidget.plotting.frame_panel import draw_frame, drawn_values
from canvaswidget.plotting.palettes import DIVERGING, SEQUENTIAL, Palettes, colour_map, palettes
from canvaswidget.plotting.panels import (
    NAME_LINE,
    draw_bars,
    draw_curve,
    draw_maps,
    draw_points,
    draw_shares,
    draw_spectra,
    map_size,
    name_lines,
    scale_of,
)
from canvaswidget.plotting.run_frames import RunFrame, describe_frames, draw_run_frames, frames_height
from canvaswidget.plotting.style import INK, Page, drawn_ratio, style
from canvaswidget.plotting.view import Bar, Points, ShareCurve, View, view_size

__all__ = [
    "DIVERGING",
    "PANELS",
    "SEQUENTIAL",
    "Bar",
    "Palettes",
    "Points",
    "ShareCurve",
    "View",
    "colour_map",
    "palettes",
    "save",
    "view_figure",
]

Panel = Literal["frame", "pixel", "region", "spectrum", "maps", "neurons", "shares", "time", "scatter"]
PANELS: tuple[Panel, ...] = (
    *("frame", "pixel", "region", "spectrum"),
    *("maps", "neurons", "shares", "time", "scatter"),
)
FORMATS = ("png", "pdf", "svg")

WIDE = 5.0  # inches from which panels stand side by side
NARROWEST_PAIR = 4.0
TITLE, TITLE_LINE = 0.25, 0.13  # inches of a title, and of each line after its first
TITLE_LETTERS = 12.5  # of a title, an inch
PAGE = 10.5  # inches: a figure is no taller where smaller pictures can help that
PICTURES = ((1.9, 0.95), (1.1, 0.3))  # the tallest frame and map, in inches, from the usual to the smallest
LETTER = 0.05  # inches of a name under a map
WHOLE_ROW = ("maps", "neurons")
BARS = ("pixel", "region")
# Of the width, for the left one of two.
PARTS = {
    ("frame", "pixel"): 0.6,
    ("frame", "region"): 0.6,
    ("frame", "spectrum"): 0.6,
    ("shares", "time"): 0.4,
}

ABSENT = {
    "frame": "there is no picture",
    "pixel": "no pixel is pinned",
    "region": "no region is drawn",
    "spectrum": "no spectrum is measured",
    "maps": "no pixel is pinned",
    "shares": "no pixel is pinned",
    "neurons": "no neuron is shown",
    "time": "this is one image",
    "scatter": "there are no points",
}


def view_figure(
    view: View,
    width: float = 6.6,
    panels: Sequence[str] | None = None,
    columns: int | None = None,
    runs: Sequence[RunFrame] = (),
) -> Figure:
    """The widget's views on one page.

    Parameters
    ----------
    view : View
    width : float
        In inches; the text stays 5.5 to 7.5 points.
    panels : sequence of str, optional
        Which of `PANELS`, in this order; all that have anything to show by default.
    columns : {1, 2}, optional
        Two from 5 inches on by default. Rows of maps always take the whole width.
    runs : sequence of RunFrame
        In place of the one frame, where there are any.
    """
    if not 1 <= width <= 40:
        raise ValueError(f"width={width!r}: expected 1 to 40 inches")
    chosen = checked_panels(panels) or _usual(view)
    for name in chosen:
        if not _has(view, name):
            raise ValueError(f"panels: nothing to draw as {name!r}, since {ABSENT[name]}")
    view_size(view)
    whole = (*WHOLE_ROW, "frame") if runs else WHOLE_ROW
    rows = _rows(chosen, checked_columns(columns, width), whole)
    heights, tallest = _heights(view, rows, width, runs)
    with style():
        lines = textwrap.wrap(view.title, max(1, int(width * TITLE_LETTERS))) or [""]
        height = sum(heights) + TITLE + TITLE_LINE * (len(lines) - 1)
        figure = Page(figsize=(width, height), layout="constrained")
        figure.suptitle("\n".join(lines), fontsize=8, fontweight="bold", color=INK, x=0.012, ha="left")
        # A figure of its own for each row, so that the labels of one don't push the axes of another.
        parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)
        for part, row in zip(parts.ravel(), rows, strict=True):
            if runs and row[0][0] == "frame":
                draw_run_frames(part, runs, view.overlay_name, width)
                continue
            ratios = [share for _, share in row]
            axes = part.subplots(1, len(row), squeeze=False, width_ratios=ratios)
            for ax, (name, share) in zip(axes.ravel(), row, strict=True):
                _draw(ax, name, view, width * share, tallest)
    figure.words = describe(view, chosen, runs)
    return figure


def checked_panels(panels: Any) -> list[str]:
    """Names of panels; none where None is given."""
    if panels is None:
        return []
    found = [panels] if isinstance(panels, str) else list(panels)
    for name in found:
        if name not in PANELS:
            raise ValueError(f"panels={show(panels)}: expected some of {', '.join(map(repr, PANELS))}")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"panels={show(panels)}: expected at least one, each once")
    return found


def checked_columns(columns: Any, width: float) -> int:
    """One or two."""
    if columns is None:
        return 2 if width >= WIDE else 1
    if columns not in (1, 2) or isinstance(columns, bool):
        raise ValueError(f"columns={columns!r}: expected 1 or 2")
    if columns == 2 and width < NARROWEST_PAIR:
        raise ValueError(f"columns=2: needs a width of at least {NARROWEST_PAIR:g} inches, not {width:g}")
    return columns


def _usual(view: View) -> list[str]:
    """All that have anything to show: the region in the pixel's place, or where both are, beside the shares."""
    both = _has(view, "pixel") and _has(view, "region")
    order = [name for name in PANELS if not (both and name == "region")]
    if both:
        order.insert(order.index("shares"), "region")
    return [name for name in order if _has(view, name)]


def _has(view: View, name: str) -> bool:
    content = {
        "frame": view.image is not None or view.overlay is not None,
        "pixel": len(view.bars) > 0,
        "region": len(view.region_bars) > 0,
        "spectrum": view.spectra is not None,
        "maps": len(view.thumbnails) > 0,
        "neurons": len(view.neurons) > 0,
        "shares": len(view.shares) > 0,
        "time": len(view.frames) > 1,
        "scatter": view.points is not None,
    }
    return content[name]


def _rows(names: Sequence[str], columns: int, whole: Sequence[str]) -> list[list[tuple[str, float]]]:
    """The panels of each row with the part of the width that each takes."""
    rows: list[list[tuple[str, float]]] = []
    left: str | None = None
    for name in names:
        if columns == 1 or name in whole:
            rows += [[(one, 1.0)] for one in (left, name) if one is not None]
            left = None
        elif left is None:
            left = name
        else:
            part = PARTS.get((left, name), 0.5)
            rows.append([(left, part), (name, 1 - part)])
            left = None
    return [*rows, [(left, 1.0)]] if left is not None else rows


def _heights(
    view: View, rows: Sequence[Sequence[tuple[str, float]]], width: float, runs: Sequence[RunFrame]
) -> tuple[list[float], Any]:
    """Heights of the rows, and the tallest frame and map, in inches: as large as the page allows."""
    heights: list[float] = []
    tallest: Any = PICTURES[0]
    for shrunk in np.linspace(0, 1, 9):
        tallest = (np.array(PICTURES[0]) * (1 - shrunk) + np.array(PICTURES[1]) * shrunk) * max(
            1, width / 6.6
        )
        heights = [
            max(_height(view, name, width * part, tallest, runs) for name, part in row) for row in rows
        ]
        if sum(heights) + TITLE <= PAGE:
            break
    return heights, tallest


def _height(view: View, name: str, width: float, tallest: Any, runs: Sequence[RunFrame]) -> float:
    """Of a panel, in inches, where a frame and a map are no taller than `tallest`."""
    if name == "frame" and runs:
        return frames_height(runs, width, tallest[0])
    if name == "frame":
        return 0.6 + min(drawn_ratio(view_size(view)) * (width - 1.2), tallest[0])
    if name in BARS:
        return 0.65 + (0.15 if width >= 3.5 else 0.12) * len(_bars(view, name)[1])
    if name in WHOLE_ROW:
        maps = view.thumbnails if name == "maps" else view.neurons
        columns = _columns(maps, width)
        names = NAME_LINE * name_lines(maps) + 0.1
        return 0.35 + -(-len(maps) // columns) * (names + map_size(view, columns, width, tallest[1])[1])
    return {"shares": 1.75, "spectrum": 2.1, "time": 1.45, "scatter": min(2.6, 0.4 + 0.7 * width)}[name]


def _draw(ax: Axes, name: str, view: View, width: float, tallest: Any) -> None:
    if name == "frame":
        draw_frame(ax, view)
    elif name in BARS:
        of, bars = _bars(view, name)
        draw_bars(ax, bars, of, view.ranked_by)
    elif name == "maps":
        columns = _columns(view.thumbnails, width)
        title = f"their maps{f', {view.colour}' if view.colour else ''}"
        draw_maps(ax, view, view.thumbnails, title, columns, width, tallest=tallest[1])
    elif name == "neurons":
        columns, scale = _columns(view.neurons, width), _scale_name(view)
        draw_maps(ax, view, view.neurons, view.neurons_name, columns, width, scale, tallest[1])
    elif name == "spectrum" and view.spectra is not None:
        draw_spectra(ax, view.spectra)
    elif name == "shares":
        draw_shares(ax, view.shares, view.ranked_by, view.colour)
    elif name == "time":
        draw_curve(ax, view.frames, view.totals, view.time, view.changes, view.n_frames, width)
    elif view.points is not None:
        draw_points(ax, view.points, width)


def _bars(view: View, name: str) -> tuple[str, Sequence[Bar]]:
    """Of what the bars of a panel are, in words, and the bars."""
    colour = f", {view.colour}" if view.colour else ""
    if name == "pixel":
        return "" if view.pixel is None else f"pixel y={view.pixel[0]}, x={view.pixel[1]}{colour}", view.bars
    count = 0 if view.region is None else int(view.region.sum())
    size = f", mean of {count:,} pixel{'' if count == 1 else 's'}" if count else ""
    return f"the region{size}{colour}", view.region_bars


def _columns(maps: Sequence[Any], width: float) -> int:
    """Maps in a line: as many as their names leave room for."""
    longest = max(len(line) for name, _ in maps for line in name.split("  "))
    return min(len(maps), 6, max(2, int((width - 0.6) / (LETTER * longest + 0.05))))


def _scale_name(view: View) -> str:
    return "the layer's scale" if view.neurons_scale > 0 else "one scale"


# --- in words -------------------------------------------------------------------------------------------------


def describe(view: View, panels: Sequence[str], runs: Sequence[RunFrame] = ()) -> str:
    """What is on a figure, for who can't see it."""
    told = [view.title]
    for name in panels:
        if name == "frame" and runs:
            told.append(describe_frames(runs, view.overlay_name))
        elif name == "frame" and view.overlay is not None:
            shown = drawn_values(view.overlay, view.overlay_signed)
            low, high = float(shown.min()), float(shown.max())
            told.append(
                f"Frame with {view.overlay_name} over it, from {low:.3g} to {high:.3g}, {view.overlay_unit}"
            )
        elif name == "frame":
            told.append(f"Frame{': ' + view.overlay_name if view.overlay_name else ''}")
        elif name in BARS:
            of, listed = _bars(view, name)
            where = f" of {of}" if of else ""
            bars = ", ".join(
                f"{bar.layer} {bar.neuron} {bar.value:.3g}"
                + ("" if math.isnan(bar.share) else f" ({bar.share:.1%})")
                for bar in listed[:5]
            )
            by = f", chosen by {view.ranked_by}" if view.ranked_by else ""
            told.append(f"Strongest neurons{where}{by}: {bars}")
        elif name in WHOLE_ROW:
            maps = view.thumbnails if name == "maps" else view.neurons
            title = "Maps of the pixel's neurons" if name == "maps" else f"Maps of {view.neurons_name}"
            reach = f"{'one scale' if name == 'maps' else _scale_name(view)}"
            scale = f", on {reach} up to {scale_of(view, maps):.3g}" if view.one_scale else ""
            told.append(f"{title}{scale}: {', '.join(' '.join(each.split()) for each, _ in maps)}")
        elif name == "spectrum" and view.spectra is not None:
            means = [f"{line.name} {line.centroid:.3f}" for line in view.spectra.lines]
            told.append(f"Mean frequency of the power spectra, in cycles a pixel: {', '.join(means)}")
        elif name == "shares":
            halves = [f"{curve.layer} {_half(curve)}" for curve in view.shares]
            by = f", by {view.ranked_by}" if view.ranked_by else ""
            told.append(f"About so many neurons make half of the pixel{by}: {', '.join(halves)}")
        elif name == "time":
            at = int(np.argmax(view.totals))
            told.append(
                f"Total through time{_sampled(view)}: from {min(view.totals):.3g} to {max(view.totals):.3g}, "
                f"most at frame {view.frames[at]}"
            )
        elif view.points is not None:
            told.append(view.points.title)
    return ". ".join(told) + "."


def _half(curve: ShareCurve) -> int:
    """How many neurons make half; 0 where none makes anything."""
    reached = np.flatnonzero(np.asarray(curve.shares) >= 0.5)
    return curve.counts[int(reached[0])] if len(reached) else 0


def _sampled(view: View) -> str:
    return f" on {len(view.frames)} of {view.n_frames} frames" if view.n_frames > len(view.frames) else ""


# --- files ----------------------------------------------------------------------------------------------------


def save(figure: Figure, path: str | Path, dpi: float = 300) -> Path:
    """Write a figure as PNG, PDF or SVG, as the name ends; text in PDF and SVG stays text.

    What the figure shows is in the file in words too: the description of a PNG, the subject of a PDF, title and
    description of an SVG.
    """
    path = check_path(path)
    form = path.suffix.lower().lstrip(".")
    write_whole(path, drawn(figure, form, dpi))
    return path


def drawn(figure: Figure, form: str, dpi: float = 300) -> bytes:
    """A figure as the bytes of a file."""
    words = getattr(figure, "words", "")
    title = words.split(". ")[0]
    known = {"png": ("Title", "Description"), "pdf": ("Title", "Subject"), "svg": ("Title", "Description")}
    metadata = dict(zip(known[form], (title, words), strict=True)) if words else None
    written = io.BytesIO()
    with style():
        figure.savefig(written, format=form, dpi=dpi, metadata=metadata)
    data = written.getvalue()
    return _with_words(data, words) if form == "svg" and words else data


def _with_words(svg: bytes, words: str) -> bytes:
    """What a browser reads out, after the title that matplotlib writes."""
    head, end, rest = svg.decode("utf-8").partition("</title>")
    head = head.replace("<svg ", '<svg role="img" ', 1)
    return f"{head}{end}\n <desc>{html.escape(words)}</desc>{rest}".encode()


def check_path(path: str | Path) -> Path:
    """The path, if a figure can be written there."""
    path = Path(path)
    if path.suffix.lower().lstrip(".") not in FORMATS:
        endings = ", ".join(f".{ending}" for ending in FORMATS)
        raise ValueError(f"path={str(path)!r}: expected a name that ends in {endings}")
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    return path
