"""Small pictures of some frames."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import pictures
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.quantise import fitted
from canvaswidget.kernel.requests.checked_fields import (
    checked_frames,
    checked_side,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class StripRequest(TypedDict):
    """Small pictures of some frames, of the reconstruction."""

    kind: Literal["strip"]
    run: RunKey
    frames: list[int]
    side: int


class StripReply(TypedDict):
    """Buffer: one picture of `height * width * 3` bytes after the other."""

    kind: Literal["strip"]
    frames: list[int]
    height: int
    width: int


@answers(priority=10)
def strip(cached: CachedCanvas, body: StripRequest, checkpoint: Report) -> tuple[StripReply, bytes]:
    frames = checked_frames(cached, body["frames"])
    side = checked_side(body)
    small: list[bytes] = []
    for done, frame in enumerate(frames):
        checkpoint(done, len(frames))
        small.append(pictures.small_frame(cached, frame, side).tobytes())
    height, width = fitted(cached.size, side)
    reply: StripReply = {"kind": "strip", "frames": frames, "height": height, "width": width}
    return reply, b"".join(small)
