"""The view as a figure for a paper, and as a PNG, PDF or SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from canvaswidget.exports.figure_data import figure_data, title_of
from canvaswidget.exports.over_runs import checked_runs, frame_of
from canvaswidget.exports.page_contents import checked_frames
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.view_checks import checked_choice
from canvaswidget.plotting import figures
from canvaswidget.plotting.run_frames import RunFrame
from canvaswidget.progress import Progress, steps

LIMITS = ("shared", "own")


def draw_figure(
    view: ExportedView,
    panels: str | Sequence[str] | None = None,
    width: float = 6.6,
    columns: int | None = None,
    limits: str = "shared",
    frames: Any = None,
    runs: Any = None,
    progress: Progress = True,
) -> Figure:
    """See `CanvasWidget.figure`."""
    checked_choice("limits", limits, LIMITS)
    chosen = figures.checked_panels(panels) or None
    keys = [] if runs is None else checked_runs(view, runs)
    if keys:
        chosen = chosen or ["frame"]
        if "frame" not in chosen:
            raise ValueError(
                f"panels={panels!r}: runs stand side by side in the panel 'frame', which is not among them"
            )
    figures.checked_columns(columns, width)
    followed = _followed(view.cached(), frames)
    with steps("figure", "it", progress) as counted:
        drawn = view.compute(
            lambda cached, report: figure_data(
                cached, view.state, chosen, report, limits == "shared", followed
            ),
            counted.report,
        )
        counted.plan(len(keys))
        beside: list[RunFrame] = []
        for run in keys:
            beside.append(
                view.session.call(lambda report, run=run: frame_of(view, run, counted.within(report)))
            )
            counted.take()
        if chosen == ["frame"] and beside:
            drawn = replace(drawn, title=title_of(view.cached(), view.state, says_run=False))
    return figures.view_figure(drawn, width, chosen, columns, beside)


def save_figure(
    view: ExportedView, path: str | Path, dpi: float | None, drawing: Mapping[str, Any], progress: Progress
) -> None:
    """Write a figure; `drawing` are arguments of `draw_figure`, None where the default is meant."""
    figures.check_path(path)
    given = {name: value for name, value in drawing.items() if value is not None}
    figures.save(draw_figure(view, **given, progress=progress), path, 300 if dpi is None else dpi)


def _followed(cached: CachedCanvas, frames: Any) -> list[int] | None:
    """The frames of a curve of time; None for a sample."""
    if frames is None:
        return None
    if isinstance(frames, str):
        if frames != "all":
            raise ValueError(f"frames={frames!r}: expected a range or a list of frames, 'all', or None")
        return list(cached.canvas.frames)
    return list(checked_frames(cached.n_frames, frames))
