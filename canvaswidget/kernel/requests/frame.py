"""A picture: what the map lies on."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, cast

import numpy as np

from canvaswidget.kernel import ablation, pictures, quantisation, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    Edit,
    Quantiser,
    Removed,
    RunKey,
    Source,
)
from canvaswidget.kernel.quantise import colours, quantise
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class PlainFrameRequest(TypedDict):
    kind: Literal["frame"]
    run: RunKey
    time: int
    source: Source


class FrameRequest(PlainFrameRequest, total=False):
    """The sources `ablated` and `difference` are of the picture without what is `ablated`, and with `edits`.

    `quantisation` is of the picture with weights as `quantised` says, which it needs.
    """

    ablated: list[Removed]
    edits: list[Edit]
    quantised: Quantiser


class FrameReply(TypedDict):
    """Buffer: `height * width * channels` bytes. With one channel they are levels of `low .. high`.

    `psnr` is against the truth. Of a picture without some neurons, or with quantised weights, it is against the
    original reconstruction where there is no truth; `psnr_before` is that of the original, against the truth alone.
    """

    kind: Literal["frame"]
    time: int
    source: Source
    height: int
    width: int
    channels: int
    low: float
    high: float
    psnr: float | None
    psnr_before: float | None


@answers(priority=1)
def frame(cached: CachedCanvas, body: FrameRequest, checkpoint: Report) -> tuple[FrameReply, bytes]:
    time = checked_frame(cached, body["time"])
    source = view_checks.checked_choice("source", body["source"], view_checks.CHOICES["source"])
    edits: ablation.Edits = {}
    grid = quantisation.from_wire(body.get("quantised")) if source == quantisation.SOURCE else None
    if source in ablation.SOURCES:
        removable = cached.cache.remember(
            (None, "removable layers"), lambda: ablation.removable(cached.canvas)
        )
        edits = ablation.from_wire(removable, body.get("ablated", []), body.get("edits", []))

    def compute() -> tuple[FrameReply, bytes]:
        low, high = 0.0, 1.0
        psnr = None if source == "off" else pictures.psnr(cached, time)
        if edits:
            psnr = ablation.psnr(cached, edits, time)
        elif grid:
            psnr = quantisation.psnr(cached, grid, time)
        if source == "ablated":
            levels = colours(ablation.edited_picture(cached, edits, time))
        elif source == "difference":
            levels, low, high = quantise(ablation.difference(cached, edits, time))
        elif grid:
            levels, low, high = quantise(quantisation.loss(cached, grid, time), low=0.0)
        elif source == "reconstruction":
            levels = colours(pictures.frame(cached, time))
        elif source == "truth":
            levels = colours(pictures.truth(cached, time))
        elif source == "error":
            levels, low, high = quantise(pictures.error(cached, time), low=0.0)
        else:
            levels = np.zeros(cached.size, np.uint8)
        reply: FrameReply = {
            "kind": "frame",
            "time": time,
            "source": cast(Any, source),
            "height": cached.size[0],
            "width": cached.size[1],
            "channels": 3 if levels.ndim == 3 else 1,
            "low": low,
            "high": high,
            "psnr": psnr,
            "psnr_before": pictures.psnr(cached, time) if edits or grid else None,
        }
        return reply, levels.tobytes()

    return cached.cache.remember((None, "picture", time, source, *ablation.key_of(edits), grid), compute)
