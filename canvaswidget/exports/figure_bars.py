"""The neurons of a pixel or of a region, as a figure has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from canvaswidget.exports.names import label
from canvaswidget.kernel import neuron_maps, ranking, requests, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.ranked_neurons import share_of
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.plotting.figures import Bar, ShareCurve
from canvaswidget.progress import Report
from canvaswidget.tracing.results import Ranked

BARS, THUMBNAILS = 12, 6


def of_pixel(
    cached: CachedCanvas,
    chosen: Chosen,
    pixel: tuple[int, int] | None,
    time: int,
    short: dict[str, str],
    wanted: Sequence[str],
    checkpoint: Report,
) -> tuple[list[Bar], list[tuple[str, Any]], list[ShareCurve]]:
    """Bars of a pixel's neurons, their maps, and how many of each layer make it, as far as they are `wanted`."""
    if pixel is None or not {"pixel", "maps", "shares"} & set(wanted):
        return [], [], []
    columns = ranking.pixel_columns(cached, cached.layers, pixel, time, checkpoint)
    ranked: Sequence[Ranked] = ranking.under_own_rule(cached, ranking.top(cached, columns, BARS), pixel, time)
    bars = [
        Bar(
            short[each.layer],
            label(each.neuron),
            each.value,
            each.share,
            (each.layer, each.neuron) == (chosen.layer.name, chosen.neuron),
            each.magnitude,
        )
        for each in ranked
    ]
    thumbnails = []
    for each in ranked if "maps" in wanted else ():
        layer = cached.layers.find(each.layer)
        place = int(layer.flat_index([each.neuron])[0])
        if len(thumbnails) == THUMBNAILS or place not in cached.canvas.kept(layer):
            continue
        values = neuron_maps.maps(cached, layer, np.array([place]), time)[0]
        thumbnails.append((f"{short[each.layer]}  {label(each.neuron)}", values))
    curves = [share_of(name, column.magnitudes) for name, column in columns.items() if "shares" in wanted]
    shares = [
        ShareCurve(short[one["layer"]], one["counts"], one["shares"], one["layer"] == chosen.layer.name)
        for one in curves
    ]
    return bars, thumbnails, shares


def beside_frame(state: dict[str, Any]) -> str:
    """What the widget shows beside the frame: the pixel's neurons, those of the region if there is one, or spectra."""
    return "pixel" if state["panel"] == "region" and state["region"] is None else state["panel"]


def of_region(
    cached: CachedCanvas, chosen: Chosen, state: dict[str, Any], short: dict[str, str], checkpoint: Report
) -> list[Bar]:
    """The region's neurons as the widget lists them; `cached` is that of the sum of colours."""
    if state["region"] is None:
        return []
    body: Any = {
        "kind": "region_neurons",
        "rule": cached.canvas.rule,
        "time": state["time"],
        "region": state["region"].on_wire(),
        "k": BARS,
        "channel": state["channel"],
    }
    found, _ = requests.answer(cached, body, checkpoint)
    bars = []
    for each in found["neurons"]:
        neuron = view_checks.checked_neuron(cached.layers.find(each["layer"]), each["neuron"])
        selected = (each["layer"], neuron) == (chosen.layer.name, chosen.neuron)
        share = math.nan if each["share"] is None else each["share"]
        bars.append(
            Bar(short[each["layer"]], label(neuron), each["value"], share, selected, each["magnitude"])
        )
    return bars
