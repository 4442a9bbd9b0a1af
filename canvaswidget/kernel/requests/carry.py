"""The region of one frame as it is at another, moved with optical flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypedDict

import numpy as np

from canvaswidget.analysis.carrying import displacement, moved
from canvaswidget.analysis.motion import picture
from canvaswidget.arguments import checked_index
from canvaswidget.kernel import message_parts
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.requests.checked_fields import checked_frame
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report

MOST_PAIRS = 16  # of frames whose flow is computed for one answer: between distant frames some are left out


class CarryRequest(TypedDict):
    """The region of the frame `time` as it is at the frame `to`."""

    kind: Literal["carry"]
    run: RunKey
    time: int
    to: int
    region: message_parts.Region


class CarryReply(TypedDict):
    """`region` is null where it has left the frame."""

    kind: Literal["carry"]
    region: message_parts.Region | None


@answers(priority=6)
def carry(cached: CachedCanvas, body: CarryRequest, checkpoint: Report) -> tuple[CarryReply, bytes]:
    time, to = checked_frame(cached, body["time"]), checked_index("to", body["to"], cached.n_frames)
    region = checked_region(body["region"], cached.size)
    assert region is not None
    if time == to:
        return {"kind": "carry", "region": region.on_wire()}, b""
    displaced = cached.cache.remember(
        (None, "displacement", time, to), lambda: displacement(_pictures(cached, time, to, checkpoint))
    )
    mask = moved(region.mask, displaced)
    found = checked_region(mask, cached.size) if mask.any() else None
    return {"kind": "carry", "region": None if found is None else found.on_wire()}, b""


def frames_between(time: int, to: int) -> list[int]:
    """From one frame to the other, not more than `MOST_PAIRS` steps apart."""
    steps = min(abs(to - time), MOST_PAIRS)
    return [int(frame) for frame in np.rint(np.linspace(time, to, steps + 1))]


def _pictures(cached: CachedCanvas, time: int, to: int, checkpoint: Report) -> Iterator[Any]:
    frames = frames_between(time, to)
    for done, frame in enumerate(frames):
        checkpoint(done, len(frames))
        yield picture(cached.canvas, frame)
