"""What is shown first of a saved canvas: something that it has."""

from __future__ import annotations

from typing import Any

from canvaswidget.kernel import view
from canvaswidget.kernel.arrays import Arrays, neuron_at
from canvaswidget.kernel.view import Neuron, Pixel
from canvaswidget.tracing import CanvasLike, NotKeptError
from canvaswidget.tracing.layers import Layer


def of_saved(canvas: CanvasLike) -> dict[str, Any]:
    """The frame and the pixel."""
    pixel = canvas.pixels[0] if canvas.pixels else None
    return {"time": canvas.frames[len(canvas.frames) // 2], "pixel": pixel}


def strongest_kept(
    arrays: Arrays, layer: Layer, pixel: Pixel | None, time: int, checkpoint: Any
) -> Neuron | None:
    """The neuron with a map that contributes most to the pixel, or else in all; None where no map is kept."""
    kept = arrays.kept(layer)
    if not len(kept):
        return None
    try:
        if pixel is None:
            raise NotKeptError
        sizes = arrays.columns([layer], pixel, time, checkpoint)[layer.name].magnitudes
    except NotKeptError:
        sizes = arrays.totals(layer, time, checkpoint)
    return view.checked_neuron(layer, neuron_at(layer, int(kept[sizes[kept].argmax()])))
