"""Summaries are kept within a part of the memory."""

from __future__ import annotations

import canvaswidget as cw
from canvaswidget.tracing.canvas import KEPT_SUMMARIES
from tests.canvases import video


def test_kept_summaries_are_bounded_by_their_bytes() -> None:
    canvas = cw.trace(video(), rule="xinc")
    layer = canvas.traced_layers[-1]
    first = canvas.summary(layer, 0)
    canvas.memory = int(3 * first.n_bytes / KEPT_SUMMARIES)
    for frame in range(6):
        canvas.summary(layer, frame)
    assert canvas._summary_bytes() <= KEPT_SUMMARIES * canvas.memory
    assert canvas.summary(layer, 5) is canvas.summary(layer, 5)
    assert canvas.summary(layer, 0) is not first
