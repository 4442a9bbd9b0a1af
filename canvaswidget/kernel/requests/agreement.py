"""Whether the selection's map can be believed: how alike it is to what the image loses without the selection."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import message_parts, signed_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report
from canvaswidget.tracing import NotKeptError

QUIET = 0.3  # seconds without any request, before it is measured


class AgreementRequest(TypedDict):
    """Whether the map of some neurons is what taking them out shows; asked for in the background."""

    kind: Literal["agreement"]
    run: RunKey
    rule: str
    time: int
    selection: message_parts.Chosen


class AgreementReply(TypedDict):
    """Pearson's correlation, over the pixels, of the contributions with what the image loses, the colours added.

    Null where one of the two is the same everywhere: nothing is lost without the neurons, say.
    """

    kind: Literal["agreement"]
    correlation: float | None


@answers(priority=11, quiet=QUIET)
def agreement(
    cached: CachedCanvas, body: AgreementRequest, checkpoint: Report
) -> tuple[AgreementReply, bytes]:
    if not cached.canvas.has_model:
        raise NotKeptError("agreement with ablation is measured on the model, which a saved canvas has not")
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    if chosen.is_whole_layer:
        raise ValueError("selection: expected a neuron, several or a cluster, not the whole layer")
    key = (cached.canvas.rule, "agreement", chosen.layer.name, *chosen[1:], time)
    known = cached.cache.get(key)
    if known is None:
        some = signed_maps.by_members(cached, chosen, time, checkpoint)
        ours, truth = (
            signed_maps.signed_map(cached, rule, some, time, checkpoint).values
            for rule in (cached.canvas.rule, signed_maps.TRUTH)
        )
        known = cached.cache.put(key, (signed_maps.correlation(ours, truth),))
    return {"kind": "agreement", "correlation": known[0]}, b""
