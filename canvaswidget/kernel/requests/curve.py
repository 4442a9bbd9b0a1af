"""The selection's total, and its change, frame by frame."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import selection_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    RunKey,
    Selection,
)
from canvaswidget.kernel.requests.checked_fields import (
    checked_frames,
    checked_selection,
    in_channel,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.selection_maps import Totals
from canvaswidget.progress import Report


class CurveRequest(TypedDict):
    """The selection's total and change on some frames; the page asks for a few at a time."""

    kind: Literal["curve"]
    run: RunKey
    rule: str
    frames: list[int]
    selection: Selection


class CurveReply(TypedDict):
    """`changes` sums the differences of magnitude to the frame before; null for the first one.

    Of frames that a saved canvas has not, both are null. `half_widths` are half of the 95 % intervals of totals, as a
    part of them, and `change_half_widths` those of changes: 0 where they are exact.
    """

    kind: Literal["curve"]
    frames: list[int]
    totals: list[float | None]
    changes: list[float | None]
    half_widths: list[float]
    change_half_widths: list[float]


@answers(priority=8)
def curve(cached: CachedCanvas, body: CurveRequest, checkpoint: Report) -> tuple[CurveReply, bytes]:
    chosen, frames = checked_selection(cached, body["selection"]), checked_frames(cached, body["frames"])
    cached = in_channel(cached, body["selection"], chosen.layer)
    found: list[Totals | None] = []
    kept = cached.canvas.frames
    for done, frame in enumerate(frames):
        checkpoint(done, len(frames))
        is_kept = frame in kept
        found.append(selection_maps.total_and_change(cached, chosen, frame, checkpoint) if is_kept else None)
    reply: CurveReply = {
        "kind": "curve",
        "frames": frames,
        "totals": [one and one.total for one in found],
        "changes": [one and one.change for one in found],
        "half_widths": [0.0 if one is None else one.half_width for one in found],
        "change_half_widths": [0.0 if one is None else one.change_half_width for one in found],
    }
    return reply, b""
