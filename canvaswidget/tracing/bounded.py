"""Totals of a layer's neurons from a limited number of passes."""

from __future__ import annotations

from dataclasses import replace

from canvaswidget.progress import Progress
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.protocol import CanvasLike
from canvaswidget.tracing.reduce import Summary

WIDEST = 0.999  # half-width that an accuracy can be


def bounded_totals(
    canvas: CanvasLike,
    layer: Layer,
    frame: int,
    accuracy: float,
    most: float,
    *,
    granularity: str | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Summary:
    """Estimate totals of neurons to an accuracy, or from about `most` passes; without those of pixels."""
    looks = canvas.improving_summaries(
        layer, frame, accuracy, granularity=granularity, seed=seed, progress=progress
    )
    found = next(looks)[layer.name]
    while found.half_width > accuracy and found.passes < most:
        found = next(looks)[layer.name]
    return found


def bounded_summary(
    canvas: CanvasLike, layer: Layer, frame: int, accuracy: float, most: float, progress: Progress = False
) -> Summary:
    """The same with the totals of pixels."""
    found = bounded_totals(canvas, layer, frame, accuracy, most, progress=progress)
    # As accurate as it is already: that adds no passes for neurons.
    reached = min(WIDEST, max(accuracy, 1.001 * found.half_width))
    whole = canvas.summary(layer, frame, reached, more=found, progress=progress)
    return whole if whole.is_exact else replace(whole, accuracy=accuracy)
