"""What of a view stays when another run or another rule is shown, and what can't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canvaswidget.kernel import ablation, quantisation, view_checks
from canvaswidget.kernel.counterparts import counterpart_layer
from canvaswidget.kernel.facts import Facts
from canvaswidget.tracing.layers import Layers


def carried_over(view: Mapping[str, Any], before: Facts, after: Facts) -> tuple[dict[str, Any], str]:
    """What has to change in a view, in the order it is set, and that in words.

    Parameters
    ----------
    view : dict
        The traits by name.
    before, after : Facts
        Of what is shown, and of what will be.

    Returns
    -------
    dict
        Traits by name. Neurons that the layer lacks are deselected.
    str
        What could not stay; empty where all of it could.
    """
    changes: dict[str, Any] = {}
    notices: list[str] = []
    name = view["layer"]
    if name not in [layer.name for layer in after.layers]:
        if view["neurons"]:
            changes["neurons"] = ()
        changes["layer"] = counterpart_layer(name, before.layers, after.layers).name
        notices.append(f"layer {name} is not in it: {changes['layer']} is shown")
    else:
        layer = after.layers.find(name)
        fitting = tuple(neuron for neuron in view["neurons"] if view_checks.fits(layer, neuron))
        if fitting != view["neurons"]:
            changes["neurons"] = fitting
            notices.append("the selected neurons are not in it")
    if view["channel"] != "sum" and after.why_no_colours[changes.get("layer", name)]:
        changes["channel"] = "sum"
        notices.append("its colours can't be told apart")
    ablated = _still_there(view["ablated"], after.removable)
    if ablated != view["ablated"]:
        changes["ablated"] = ablated
        notices.append("neurons that are not in it are no longer ablated")
    edits = _factors_still_there(view["edits"], after.removable)
    if edits != view["edits"]:
        changes["edits"] = edits
        notices.append("neurons that are not in it are no longer scaled")
    if view["source"] in ("truth", "error") and not after.has_truth:
        changes["source"] = "reconstruction"
        notices.append("it has no truth")
    if view["source"] == quantisation.SOURCE and after.quantisation["why_not"]:
        changes["source"] = "reconstruction"
        notices.append("its weights can't be quantised")
    return changes, "; ".join(notices)


def _still_there(ablated: ablation.Ablated, layers: Layers) -> ablation.Ablated:
    """The neurons that the layers still have."""
    found: ablation.Ablated = {}
    known = {layer.name: layer for layer in layers}
    for name, neurons in ablated.items():
        if name in known:
            fitting = tuple(neuron for neuron in neurons if view_checks.fits(known[name], neuron))
            if fitting:
                found[name] = fitting
    return found


def _factors_still_there(edits: ablation.Edits, layers: Layers) -> ablation.Edits:
    kept = _still_there({name: tuple(some) for name, some in edits.items()}, layers)
    return {name: {one: edits[name][one] for one in neurons} for name, neurons in kept.items()}
