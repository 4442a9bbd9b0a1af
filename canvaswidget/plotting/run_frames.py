"""The frames of several runs side by side, of one selection on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from canvaswidget.plotting.frame_panel import bar_ends, draw_frame, frame_colours, frame_scale
from canvaswidget.plotting.style import INK, QUIET, drawn_ratio, finish_bar
from canvaswidget.plotting.view import View, view_size

NARROWEST = 1.15  # inches of a frame
ABOVE, BELOW = 0.27, 0.05  # inches: the name of a run, and the gap under a frame
NOTE_LINE = 0.1  # inches
LETTERS = 17  # of a name or a note, an inch
BAR = 0.65  # inches of a colour bar


@dataclass(frozen=True)
class RunFrame:
    """A run's frame with the selection over it.

    Attributes
    ----------
    name : str
    view : View
    note : str
        Why the selection is not over it; empty where it is.
    """

    name: str
    view: View
    note: str = ""


def shared_scale(frames: Sequence[RunFrame]) -> float:
    """The largest magnitude over all."""
    return max(frame_scale(frame.view) for frame in frames)


def in_a_line(frames: Sequence[RunFrame], width: float) -> int:
    """How many stand side by side, as equal in number from line to line as can be."""
    most = max(1, int((width - BAR) / NARROWEST))
    lines = -(-len(frames) // most)
    return -(-len(frames) // lines)


def frames_height(frames: Sequence[RunFrame], width: float, tallest: float) -> float:
    """Of all lines, in inches."""
    columns = in_a_line(frames, width)
    cell = (width - BAR) / columns
    picture = min(drawn_ratio(view_size(frames[0].view)) * (cell - 0.1), tallest)
    notes = NOTE_LINE * max(len(_lines(frame.note, cell)) for frame in frames)
    return -(-len(frames) // columns) * (ABOVE + picture + notes + BELOW) + 0.25


def draw_run_frames(part: Any, frames: Sequence[RunFrame], title: str, width: float) -> None:
    """Draw frames in lines on a part of a figure, with one colour bar."""
    columns = in_a_line(frames, width)
    cell = (width - BAR) / columns
    part.suptitle(title, fontsize=7.5, color=INK, x=0.012, ha="left")
    all_axes = part.subplots(-(-len(frames) // columns), columns, squeeze=False).ravel()
    scale = shared_scale(frames)
    for ax, frame in zip(all_axes, frames, strict=False):
        draw_frame(ax, frame.view, scale, bar=False)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title("\n".join(_lines(frame.name, cell)), fontsize=6.5, color=INK)
        if frame.note:
            ax.set_xlabel("\n".join(_lines(frame.note, cell)), fontsize=6, color=QUIET, loc="left")
    scaled = [frame.view for frame in frames if frame_scale(frame.view) > 0]
    if scaled:  # the bar has the colours as they lie over one of the pictures
        unit = scaled[-1].grey_unit if scaled[-1].overlay is None else scaled[-1].overlay_unit
        colours, extend = frame_colours(scaled[-1], scale), bar_ends(scaled[-1], scale, scale)
        bar = part.colorbar(colours, ax=list(all_axes), aspect=30, pad=0.01, extend=extend)
        finish_bar(bar, unit.replace(" (", "\n("))
    for ax in all_axes[len(frames) :]:
        ax.remove()


def describe_frames(frames: Sequence[RunFrame], title: str) -> str:
    """What is on them, for who can't see it."""
    view = next((frame.view for frame in frames if frame.view.overlay is not None), None)
    over = "" if view is None else f" with {title} over them, {view.overlay_unit}, on one scale up to"
    reach = f"{over} {shared_scale(frames):.3g}" if over else ""
    named = [f"{frame.name} ({frame.note})" if frame.note else frame.name for frame in frames]
    return f"Frames of {len(frames)} runs{reach}: {'; '.join(named)}"


def _lines(text: str, inches: float) -> list[str]:
    return wrap(text, max(8, int(LETTERS * inches)))
