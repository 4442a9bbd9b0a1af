"""The reply to a click: the neurons that make a pixel."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, cast

import numpy as np

from canvaswidget.kernel import neuron_maps, pictures, ranking, similarity, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    Channel,
    LayerShare,
    RankedNeuron,
    RunKey,
    Selection,
)
from canvaswidget.kernel.quantise import absolute_sum
from canvaswidget.kernel.ranked_neurons import shares, told
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
    checked_selection,
    in_channel,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.progress import Report
from canvaswidget.tracing.results import Column

MAX_RANKED = 1000


class PixelRequest(TypedDict):
    kind: Literal["pixel"]
    run: RunKey
    rule: str
    time: int
    pixel: list[int]
    k: int
    selection: Selection


class PixelReply(TypedDict):
    """`rgb` is the raw output; `selected` the selection's exact contribution to this pixel.

    Of more than one neuron it sums magnitudes, and `selected_signed` values with their sign. `channel` is that of
    `neurons` and `layers`: the selection's where every layer has colours, else the sum.
    They are of the pixel `ranked_at`: a saved page knows them of some pixels only, and gives those of the nearest.
    """

    kind: Literal["pixel"]
    time: int
    pixel: list[int]
    channel: Channel
    ranked_at: list[int]
    rgb: list[float]
    truth: list[float] | None
    selected: float | None
    selected_signed: float | None
    neurons: list[RankedNeuron]
    layers: list[LayerShare]


@answers(priority=3)
def pixel(cached: CachedCanvas, body: PixelRequest, checkpoint: Report) -> tuple[PixelReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    y, x = pixel = view_checks.checked_pixel(body["pixel"], cached.size)
    k = view_checks.checked_count("k", body["k"], 0, MAX_RANKED)
    cached.hold(time)
    coloured = in_channel(cached, body["selection"], chosen.layer)
    if cached.has_all_colours:
        cached = coloured
    columns = ranking.pixel_columns(cached, cached.layers, pixel, time, checkpoint)
    truth = cached.canvas.inr.truth
    column = ranking.pixel_columns(coloured, [chosen.layer], pixel, time, checkpoint)[chosen.layer.name]
    selected = _selected(coloured, chosen, column, pixel, time)
    reply: PixelReply = {
        "kind": "pixel",
        "time": time,
        "pixel": [y, x],
        "channel": cast(Any, cached.channel),
        "ranked_at": [y, x],
        "rgb": pictures.frame(cached, time)[y, x].astype(float).tolist(),
        "truth": None if truth is None else truth[time][y, x].astype(float).tolist(),
        "selected": None
        if selected is None
        else absolute_sum(selected.magnitudes)
        if np.ndim(selected.values)
        else float(selected.values),
        "selected_signed": None if selected is None else float(selected.values.sum(dtype=np.float64)),
        "neurons": told(ranking.under_own_rule(cached, ranking.top(cached, columns, k), pixel, time)),
        "layers": shares(columns),
    }
    return reply, b""


def _selected(
    cached: CachedCanvas, chosen: Chosen, column: Column, pixel: tuple[int, int], time: int
) -> Column | None:
    """The contributions of the selected neurons; None where they would take long to know."""
    if cached.ranks is not cached.canvas:
        if chosen.neuron is None:
            return None
        place = chosen.layer.flat_index([chosen.neuron])
        maps, sizes = neuron_maps.signed_and_sizes(cached, chosen.layer, place, time)
        return Column(maps[0][pixel], sizes[0][pixel])
    if chosen.neuron is None and not chosen.neurons and chosen.cluster < 0:
        return column
    some: Any
    if chosen.neuron is not None:
        some = int(chosen.layer.flat_index([chosen.neuron])[0])
    elif chosen.neurons:
        some = chosen.layer.flat_index(chosen.neurons).tolist()
    else:
        clusters = similarity.known_clusters(cached, chosen.layer, chosen.n_clusters)
        if clusters is None:
            return None
        some = clusters.labels.ravel() == chosen.cluster
    return Column(column.values[some], column.magnitudes[some])
