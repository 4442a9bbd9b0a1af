"""How far a layer's maps can be believed, measured when nobody asks for anything else.

The score is the rank correlation of `analysis.faithfulness` on a sample of the layer's neurons: as large as the
interval needs, and no larger than a short time allows. Like clusters it is of the frame at which it is first asked for.
"""

from __future__ import annotations

import math
import time
from typing import Any, Literal, TypedDict

from canvaswidget.analysis.faithfulness import Faithfulness, faithfulness
from canvaswidget.analysis.intervals import Interval
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests.checked_fields import checked_frame
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report
from canvaswidget.tracing import CanvasLike, NotKeptError
from canvaswidget.tracing.layers import Layer

HALF_WIDTH = 0.05
SECONDS = 20.0  # of work that a score may take, where maps are slow
LEAST, MOST = 16, 256  # neurons
QUIET = 0.5  # seconds without any request, before a score is measured, and between two steps of it


class FaithfulnessRequest(TypedDict):
    """How far the layer's maps can be believed; asked for in the background."""

    kind: Literal["faithfulness"]
    run: RunKey
    rule: str
    time: int
    layer: str


class Range(TypedDict):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class FaithfulnessReply(TypedDict):
    """Rank correlations with ablation, of `measured` neurons at a `frame`: of their totals, and pixel by pixel.

    Null where they are not defined; under `ablation` nothing is measured.
    """

    kind: Literal["faithfulness"]
    rule: str
    layer: str
    frame: int
    measured: int
    n_neurons: int
    totals: Range | None
    pixels: Range | None


@answers(priority=11, quiet=QUIET)
def faithfulness_score(
    cached: CachedCanvas, body: FaithfulnessRequest, checkpoint: Report
) -> tuple[FaithfulnessReply, bytes]:
    layer = cached.layers.find(body["layer"])
    return measure(cached, layer, checked_frame(cached, body["time"]), checkpoint), b""


def measure(cached: CachedCanvas, layer: Layer, frame: int, checkpoint: Report) -> FaithfulnessReply:
    """The score of the canvas's rule on a layer; under `ablation` there is nothing to measure."""
    rule = cached.canvas.rule
    if not cached.canvas.has_model:
        raise NotKeptError("a faithfulness score is measured on the model, which a saved canvas has not")
    key = _key(cached, layer)
    known = cached.cache.get(key)
    if known is None and rule != "ablation":
        limit = _affordable(cached.canvas, layer, frame, checkpoint)
        # A neuron at a time: whatever else is asked for waits for one map at most.
        found = faithfulness(
            cached.canvas,
            layer,
            frame,
            half_width=HALF_WIDTH,
            at_most=limit,
            subsets=0,
            batch=1,
            progress=checkpoint,
        )
        known = cached.cache.put(key, _told(found))
    frame, measured, n_neurons, totals, pixels = known or (frame, 0, math.prod(layer.neurons), None, None)
    return {
        "kind": "faithfulness",
        "rule": rule,
        "layer": layer.name,
        "frame": frame,
        "measured": measured,
        "n_neurons": n_neurons,
        "totals": totals,
        "pixels": pixels,
    }


def is_measured(cached: CachedCanvas, layer: Layer) -> bool:
    """Whether the score is known already."""
    return cached.canvas.rule == "ablation" or cached.cache.get(_key(cached, layer)) is not None


def known_score(cached: CachedCanvas, layer: str) -> float | None:
    """The rank correlation of totals, if it was measured already."""
    known = cached.cache.get((None, "faithfulness", cached.canvas.rule, layer))
    return known[3]["value"] if known and known[3] else None


def _key(cached: CachedCanvas, layer: Layer) -> tuple[Any, ...]:
    return None, "faithfulness", cached.canvas.rule, layer.name


def _told(found: Faithfulness) -> tuple[int, int, int, Range | None, Range | None]:
    return (
        found.frame,
        len(found.neurons),
        found.n_neurons,
        _interval(found.totals),
        _interval(found.per_pixel),
    )


def _interval(interval: Interval) -> Range | None:
    """None where the correlation is not defined."""
    if math.isnan(interval.value):
        return None
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _affordable(canvas: CanvasLike, layer: Layer, frame: int, checkpoint: Report) -> int:
    """How many neurons can be measured in `SECONDS`, by the time that one takes once the frame is known."""
    neuron = [0 if len(layer.neurons) == 1 else (0, 0)]
    taken = 0.0
    for each in (canvas, canvas.ablation()):
        checkpoint(0, 0)
        each.frame(frame)
        checkpoint(0, 0)
        each.maps(layer, neuron, frame)
        checkpoint(0, 0)
        started = time.perf_counter()
        each.maps(layer, neuron, frame)
        taken += time.perf_counter() - started
    return max(LEAST, min(MOST, int(SECONDS / max(taken, 1e-9))))
