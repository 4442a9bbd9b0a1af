"""What some neurons contribute to a pixel, whether they are strong there or not."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import neuron_maps, ranking, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Channel, RunKey
from canvaswidget.kernel.requests.checked_fields import checked_frame, in_channel
from canvaswidget.kernel.requests.pixel import MAX_RANKED
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class NamedNeuron(TypedDict):
    layer: str
    neuron: list[int]


class BarsRequest(TypedDict):
    """The neurons of another run that stand beside the strongest of one; see `PixelRequest`."""

    kind: Literal["bars"]
    run: RunKey
    rule: str
    time: int
    pixel: list[int]
    channel: Channel
    neurons: list[NamedNeuron]


class BarsReply(TypedDict):
    """The signed value of each, in the order of the request: all to the colour that was asked for, or it is refused."""

    kind: Literal["bars"]
    time: int
    pixel: list[int]
    values: list[float]


@answers(priority=3)
def bars(cached: CachedCanvas, body: BarsRequest, checkpoint: Report) -> tuple[BarsReply, bytes]:
    time = checked_frame(cached, body["time"])
    pixel = view_checks.checked_pixel(body["pixel"], cached.size)
    view_checks.checked_count("the number of neurons", len(body["neurons"]), 0, MAX_RANKED)
    values = []
    for done, one in enumerate(body["neurons"]):
        checkpoint(done, len(body["neurons"]))
        layer = cached.layers.find(one["layer"])
        place = layer.flat_index([view_checks.checked_neuron(layer, one["neuron"])])
        coloured = in_channel(cached, body, layer)
        if cached.ranks is cached.canvas:
            column = ranking.pixel_columns(coloured, [layer], pixel, time, checkpoint)[layer.name]
            values.append(float(column.values[place[0]]))
        else:  # the rule that ranks is another one
            values.append(float(neuron_maps.signed_and_sizes(coloured, layer, place, time)[0][0][pixel]))
    reply: BarsReply = {"kind": "bars", "time": time, "pixel": list(pixel), "values": values}
    return reply, b""
