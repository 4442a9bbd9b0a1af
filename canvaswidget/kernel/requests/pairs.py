"""Which neuron of a second run is which of the first."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.counterparts import counterpart_layer, pairs_of
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests.checked_fields import checked_frame
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class PairsRequest(TypedDict):
    """The counterparts of a layer's neurons in the run `other`, by their maps; asked for in the background."""

    kind: Literal["pairs"]
    run: RunKey
    rule: str
    time: int
    layer: str
    other: RunKey


class PairsReply(TypedDict):
    """Buffer, little-endian, by neuron in C order: flat indices of counterparts in `other_layer`, int32, -1 for none.

    After them the correlations of the two maps, float32, NaN for none.
    """

    kind: Literal["pairs"]
    time: int
    layer: str
    other_layer: str


@answers(priority=10)
def pairs(cached: CachedCanvas, body: PairsRequest, checkpoint: Report) -> tuple[PairsReply, bytes]:
    time, layer = checked_frame(cached, body["time"]), cached.layers.find(body["layer"])
    other = cached.of_run(body["other"])
    found = pairs_of(cached, body["other"], layer, time, checkpoint)
    reply: PairsReply = {
        "kind": "pairs",
        "time": time,
        "layer": layer.name,
        "other_layer": counterpart_layer(layer.name, cached.layers, other.layers).name,
    }
    return reply, found.places.astype("<i4").tobytes() + found.correlations.astype("<f4").tobytes()
