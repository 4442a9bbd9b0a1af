"""The frame view of several runs: of one selection, and where a run has not got that, why."""

from __future__ import annotations

from typing import Any

import numpy as np

from canvaswidget.arguments import as_integer, show
from canvaswidget.arguments.kinds import is_sequence
from canvaswidget.exports.figure_data import (
    chosen_of,
    figure_data,
    image_of,
    mask_of,
    run_label,
    shown_psnr,
    shows_contributions,
)
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel import ablation, quantisation, selection_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.plotting.run_frames import RunFrame
from canvaswidget.plotting.view import View
from canvaswidget.progress import Report
from canvaswidget.runs import RunError
from canvaswidget.tracing import NotKeptError, UntraceableError
from canvaswidget.tracing.layers import show_neuron

NO_PICTURE = 0.9  # the grey of a run that can't be made


def checked_runs(view: ExportedView, runs: Any) -> list[RunKey]:
    """Keys of runs, each once, in the order that was given; all of them where that is ``"all"``."""
    known = view.runs
    if known is None:
        raise ValueError(f"runs={show(runs)}: this widget shows one network; give it a canvaswidget.Runs")
    if isinstance(runs, str) and runs == "all":
        return list(known)
    if not is_sequence(runs):
        raise TypeError(f"runs={show(runs)}: expected a list of keys of runs, or 'all'")
    keys: list[RunKey] = []
    for run in runs:
        key = run if isinstance(run, str) else as_integer(run)
        if key is None:
            raise TypeError(f"runs={show(run)}: expected keys of runs, steps or names")
        known.facts(key)
        keys.append(key)
    if not keys:
        raise ValueError("runs: at least one is needed")
    return list(dict.fromkeys(keys))


def frame_of(view: ExportedView, run: RunKey, report: Report) -> RunFrame:
    """A run's frame with the selection over it; to be used on the worker's thread."""
    state = {**view.state, "run": run}
    name = run_label(run)
    try:
        cached = view.session.of(run, state["rule"])
        note = absent(cached, state)
        if not note and run != view.state["run"] and shows_cluster(state):
            # Each run has clusters of its own: those of the shown run are followed by their neurons.
            some = neurons_of_cluster(view.session.of(view.state["run"], state["rule"]), state, report)
            note = "" if cached.same_neurons and some else f"cluster {state['cluster']} is of another run"
            state |= {"neurons": some, "cluster": -1}
        if not note:
            shown = figure_data(cached, state, ("frame",), report)
            return RunFrame(_with_psnr(name, cached, state), shown)
    except (RunError, UntraceableError, NotKeptError) as error:
        grey = np.full((*view.facts.size, 3), NO_PICTURE, np.float32)
        return RunFrame(name, View("", grey, pixel=state["pixel"], region=mask_of(state)), str(error))
    if state["source"] in ("truth", "error", "off", quantisation.SOURCE, *ablation.SOURCES):
        state["source"] = "reconstruction"
    alone = View("", image_of(cached, state), pixel=state["pixel"], region=mask_of(state))
    return RunFrame(_with_psnr(name, cached, state), alone, note)


def shows_cluster(state: dict[str, Any]) -> bool:
    """Whether the map of a cluster is over the frame."""
    return shows_contributions(state) and state["neuron"] is None and state["cluster"] >= 0


def neurons_of_cluster(cached: CachedCanvas, state: dict[str, Any], report: Report) -> tuple[Neuron, ...]:
    """What is in the cluster that is selected in the run that is shown."""
    chosen = chosen_of(cached, state)
    places = selection_maps.members(cached, chosen, state["time"], report)
    return tuple(chosen.layer.neuron_at(place) for place in places)


def absent(cached: CachedCanvas, state: dict[str, Any]) -> str:
    """What of a view a run has not got; empty where it has all."""
    layers = {layer.name: layer for layer in cached.layers}
    layer = layers.get(state["layer"])
    if layer is None:
        return f"it has no layer {state['layer']}"
    missing = [neuron for neuron in state["neurons"] if not view_checks.fits(layer, neuron)]
    if missing:
        return f"layer {layer.name} has no neuron {show_neuron(missing[0])}"
    if state["channel"] != "sum" and (why := cached.canvas.why_no_colours(layer)):
        return why
    if state["source"] in ("truth", "error") and cached.canvas.inr.truth is None:
        return "it has no truth"
    if state["source"] == quantisation.SOURCE and (why := quantisation.facts_of(cached.canvas)["why_not"]):
        return why
    if state["source"] in ablation.SOURCES:
        removable = {layer.name: layer for layer in ablation.removable(cached.canvas)}
        for name, neurons in ablation.edits_of(state).items():
            if name not in removable or not all(view_checks.fits(removable[name], one) for one in neurons):
                return "what is ablated or scaled is not in it"
    return ""


def _with_psnr(name: str, cached: CachedCanvas, state: dict[str, Any]) -> str:
    psnr = shown_psnr(cached, state)
    return name if psnr is None else f"{name}, {psnr:.1f} dB"
