"""The neurons of a layer in an order, as a grid of thumbnails."""

from __future__ import annotations

import math
from typing import Literal, TypedDict

import numpy as np

from canvaswidget.kernel import (
    neuron_maps,
    ranking,
    sampled_maps,
    selection_maps,
    view_checks,
)
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.message_parts import (
    Channel,
    Region,
    RunKey,
    Sort,
)
from canvaswidget.kernel.quantise import Floats, fitted
from canvaswidget.kernel.requests.checked_fields import (
    checked_cluster_count,
    checked_frame,
    checked_side,
    in_channel,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.requests.sort_key import sort_key
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.progress import Report


class PlainGridRequest(TypedDict):
    """Thumbnails `first .. first + count` of the layer's neurons in the order `sort`, within the cluster if any."""

    kind: Literal["grid"]
    run: RunKey
    rule: str
    time: int
    layer: str
    cluster: int
    n_clusters: int
    sort: Sort
    channel: Channel
    pixel: list[int] | None
    region: Region | None
    first: int
    count: int
    side: int


class GridRequest(PlainGridRequest, total=False):
    """`find` asks for the place of a neuron in that order, too.

    `look` is which estimate of totals or changes neurons are sorted by, where exact ones would take long: 0 for the
    first, which comes soon. The page asks for the next one, with a `count` of 0, as long as `half_width` says that it
    is rough, and gets smaller. Without it they are sorted by what can be had in a few seconds. `beside` is the run that
    `difference` is from.
    """

    find: list[int]
    look: int
    beside: RunKey


class GridReply(TypedDict):
    """Buffer: one `height * width` thumbnail of levels after the other, each with its own `low` and `high`.

    `values` is the sort key, null where a neuron has none: these come last. A frequency is in cycles a pixel, and the
    lowest comes first; of all else the largest magnitude does. `totals` the sum of each absolute map. `scale` and
    `top_total` are the largest magnitude and the largest total of the thumbnails of the layer's strongest neurons,
    whichever are asked for and in whatever order. `place` is that of the neuron to find, None where it is not among
    these. `warning` says what failed when a few of the layer's neurons were checked; empty where all held.
    `half_width` is half that of a 95% interval of what neurons are sorted by, as a part of it, in the median over
    neurons, where that is estimated; else 0.
    """

    kind: Literal["grid"]
    time: int
    layer: str
    first: int
    n_neurons: int
    neurons: list[list[int]]
    values: list[float | None]
    height: int
    width: int
    low: list[float]
    high: list[float]
    totals: list[float]
    scale: float
    top_total: float
    place: int | None
    half_width: float
    warning: str


MAX_THUMBNAILS = 4096
COMPARED = 12  # neurons whose thumbnails decide about the scale of all of their layer's
LONG_SORTS = ("region", "total", "change", "frequency", "difference")


def _priority(body: GridRequest) -> int:
    if body["count"] == 0 and body.get("look"):  # a better order, which nobody waits for
        return 9
    needs_pass = body["sort"] in LONG_SORTS or body["cluster"] != -1
    return 6 if needs_pass else 4


@answers(priority=_priority)
def grid(cached: CachedCanvas, body: GridRequest, checkpoint: Report) -> tuple[GridReply, bytes]:
    time, layer = checked_frame(cached, body["time"]), cached.layers.find(body["layer"])
    n_clusters = checked_cluster_count(body)
    cluster = view_checks.checked_count("cluster", body["cluster"], -1, n_clusters - 1)
    side = checked_side(body)
    first = view_checks.checked_count("first", body["first"], 0, 2**53)
    count = view_checks.checked_count("count", body["count"], 0, MAX_THUMBNAILS)

    (values, sizes), half_width = sort_key(cached, body, time, checkpoint)
    order = _order(body["sort"], values, sizes)
    if cluster >= 0:
        members = selection_maps.members(cached, Chosen(layer, None, cluster, n_clusters), time, checkpoint)
        order = order[np.isin(order, members)]
    order = order[np.isin(order, cached.canvas.kept(layer))]
    places = order[first : first + count]
    coloured = in_channel(cached, body, layer)
    thumbnails = neuron_maps.thumbnails(coloured, layer, places, side, time, checkpoint)
    # One scale for the layer, that does not depend on which of its neurons are in sight.
    compared = ranking.strongest(cached, layer, COMPARED, time, checkpoint)
    strongest = neuron_maps.thumbnails(coloured, layer, compared, side, time, checkpoint)
    wanted = body.get("find")
    at = (
        []
        if wanted is None
        else np.flatnonzero(order == layer.flat_index([view_checks.checked_neuron(layer, wanted)]))
    )
    height, width = fitted(cached.size, side)
    reply: GridReply = {
        "kind": "grid",
        "time": time,
        "layer": layer.name,
        "first": first,
        "n_neurons": len(order),
        "neurons": [view_checks.on_wire(layer.neuron_at(place)) for place in places],
        "values": [None if math.isnan(value) else float(value) for value in values[places]],
        "height": height,
        "width": width,
        "low": [thumbnail.low for thumbnail in thumbnails],
        "high": [thumbnail.high for thumbnail in thumbnails],
        "totals": [thumbnail.total for thumbnail in thumbnails],
        "scale": max((thumbnail.reach for thumbnail in strongest), default=0.0),
        "top_total": max((thumbnail.total for thumbnail in strongest), default=0.0),
        "place": int(at[0]) if len(at) else None,
        "half_width": sampled_maps.finite_width(half_width),
        "warning": cached.canvas.trouble.get(layer.name, ""),
    }
    return reply, b"".join(thumbnail.levels.tobytes() for thumbnail in thumbnails)


def _order(sort: Sort, values: Indices | Floats, sizes: Indices | Floats) -> Indices:
    """The flat indices of the neurons, sorted; those without a value last."""
    if sort == "index":
        return np.asarray(values, np.intp)
    return np.argsort(values if sort == "frequency" else -sizes, kind="stable")  # NaN comes last
