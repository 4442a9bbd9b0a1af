"""A layer's neurons as points of a plane, those that look alike near each other."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, cast

from canvaswidget.analysis.embedding import methods
from canvaswidget.kernel import similarity, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    Embedding,
    RunKey,
)
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class ScatterRequest(TypedDict):
    """The layer's neurons as points, near each other where their maps of this frame look alike."""

    kind: Literal["scatter"]
    run: RunKey
    rule: str
    time: int
    layer: str
    method: Embedding


class ScatterReply(TypedDict):
    """Buffer: `x, y` in [0, 1] of each neuron in C order, little-endian float32; NaN for a dead neuron."""

    kind: Literal["scatter"]
    time: int
    layer: str
    method: Embedding


@answers(priority=9)
def scatter(cached: CachedCanvas, body: ScatterRequest, checkpoint: Report) -> tuple[ScatterReply, bytes]:
    time, layer = checked_frame(cached, body["time"]), cached.layers.find(body["layer"])
    method = view_checks.checked_choice("method", body["method"], tuple(methods()))
    points = similarity.points(cached, layer, method, time, checkpoint)
    reply: ScatterReply = {
        "kind": "scatter",
        "time": time,
        "layer": layer.name,
        "method": cast(Any, method),
    }
    return reply, points.astype("<f4").tobytes()
