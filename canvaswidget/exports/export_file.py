"""The files of the page's export menu."""

from __future__ import annotations

import re
from typing import Any

from canvaswidget.exports import animation, data_files
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.kernel import ablation
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.requests.export import Drawing, ExportReply, ExportRequest
from canvaswidget.kernel.view_checks import checked_choice
from canvaswidget.plotting import figures
from canvaswidget.progress import Report


def export_file(
    cached: CachedCanvas, state: dict[str, Any], body: ExportRequest, report: Report
) -> tuple[ExportReply, bytes | Drawing]:
    """The answer to a request for a file; `state` is the view that it states, checked."""
    form = body["form"]
    span = animation.checked_range(body["first"], body["last"], state["fps"], cached.n_frames)
    reply: ExportReply = {"kind": "export", "name": f"{_file_name(cached.canvas.inr.name, state)}.{form}"}
    if form in animation.FORMS:
        return reply, animation.animate(cached, state, span, form, report)
    if form in data_files.FORMS:
        table = checked_choice("table", body["table"], data_files.TABLES)
        return reply, data_files.data_file(cached, state, form, table, report)
    panels = figures.checked_panels(body["panels"] or None) or None
    return reply, Drawing(figure_data(cached, state, panels, report, one_scale=True), panels, form)


def _file_name(title: str, state: dict[str, Any]) -> str:
    run = "" if state["run"] is None else f" run {state['run']}"
    without = f" {ablation.title(ablation.edits_of(state))}" if state["source"] in ablation.SOURCES else ""
    shown = f"{title}{run} {state['layer']} frame {state['time']}{without}"
    name = re.sub(r"[^\w.-]+", "_", shown).strip("_")
    return name[:80] or "canvas"
