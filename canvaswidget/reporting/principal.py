"""What a report says of the directions that a layer's activations vary along."""

from __future__ import annotations

import numpy as np

from canvaswidget.analysis.directions import Directions, directions
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer

DIRECTIONS = (
    "The part of the sum of squares of what each layer works on, over the positions of the frame, that its first "
    "principal directions span. Where few span nearly all, units repeat each other: `Canvas.directions` traces the "
    "directions in their place."
)
MOST = 8  # directions
MOST_UNITS = 1024  # of more the directions take longer than a report's other findings


def principal_directions(canvas: Canvas, layer: Layer, frame: int, seed: int) -> Directions | None:
    """The first of them; None for features of a grid, complex activations, and layers of very many units."""
    if layer.has_features or layer.n_units > MOST_UNITS:
        return None
    activations = canvas.activations(layer, frame)
    if np.iscomplexobj(activations):
        return None
    return directions(canvas, layer, k=min(MOST, *activations.shape), frames=[frame], seed=seed)
