"""Summaries are kept within a part of the memory, and are the same by rows and by columns."""

from __future__ import annotations

import canvaswidget as cw
from canvaswidget.tracing.summaries import KEPT
from tests.canvases import video


def test_kept_summaries_are_bounded_by_their_bytes() -> None:
    canvas = cw.trace(video(), rule="xinc")
    layer = canvas.traced_layers[-1]
    first = canvas.summary(layer, 0)
    canvas.matrix.memory = int(3 * first.n_bytes / KEPT)
    for frame in range(6):
        canvas.summary(layer, frame)
    assert canvas._summaries.n_bytes <= KEPT * canvas.matrix.memory
    assert canvas.summary(layer, 5) is canvas.summary(layer, 5)
    assert canvas.summary(layer, 0) is not first


def test_summaries_are_exact_where_no_accuracy_is_asked_for() -> None:
    canvas = cw.trace(video(), rule="gated")
    for name, summary in canvas.summaries(accuracy=None).items():
        assert summary.is_exact
        assert (summary.neuron_abs == canvas.summary(name).neuron_abs).all()
