"""The files of the page's export menu."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from canvaswidget.exports import animation, data_files
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.exports.page import FORM, whole_page
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel import ablation, quantisation
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.requests.export import Drawing, ExportReply, ExportRequest, Unmade
from canvaswidget.kernel.view_checks import checked_choice
from canvaswidget.plotting import figures
from canvaswidget.progress import Report


def export_file(
    view: ExportedView, cached: CachedCanvas, body: ExportRequest, report: Report
) -> tuple[ExportReply, bytes | Unmade]:
    """The answer to a request for a file; `view` is the one that it states, checked."""
    form, state = body["form"], view.state
    span = animation.checked_range(body["first"], body["last"], state["fps"], cached.n_frames)
    name = _file_name(cached.canvas.inr.name, state, body["panels"])
    reply: ExportReply = {"kind": "export", "name": f"{name}.{form}"}
    if form in animation.FORMS:
        return reply, animation.animate(cached, state, span, form, report)
    if form in data_files.FORMS:
        table = checked_choice("table", body["table"], data_files.TABLES)
        return reply, data_files.data_file(cached, state, form, table, report)
    if form == FORM:
        return reply, whole_page(view, {}, report, reply["name"])
    panels = figures.checked_panels(body["panels"] or None) or None
    return reply, Drawing(figure_data(cached, state, panels, report, one_scale=True), panels, form)


def _file_name(title: str, state: dict[str, Any], panels: Sequence[str]) -> str:
    """What is shown, so that two views are two files: run, layer, selection, rule, frame, panels."""
    run = "" if state["run"] is None else f" run {state['run']}"
    without = f" {ablation.title(ablation.edits_of(state))}" if state["source"] in ablation.SOURCES else ""
    if state["source"] == quantisation.SOURCE:
        without = f" {quantisation.title(quantisation.grid_of(state))}"
    neuron, neurons = state["neuron"], state["neurons"]
    selected = f"{len(neurons)} neurons" if len(neurons) > 1 else ""
    if neuron is not None and not selected:
        selected = "-".join(map(str, neuron if isinstance(neuron, Sequence) else [neuron]))
    elif state["cluster"] >= 0:
        selected = selected or f"cluster {state['cluster']}"
    frame = f"frame {state['time']}"
    shown = " ".join([title + run, state["layer"], selected, state["rule"], frame + without, *panels])
    name = re.sub(r"[^\w.-]+", "_", shown).strip("_")
    return name[:80] or "canvas"
