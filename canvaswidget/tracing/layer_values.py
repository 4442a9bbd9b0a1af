"""Values of a layer itself: what it works on, its weight, and the part of the image that is not from its neurons."""

from __future__ import annotations

from typing import cast

from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import FloatArray, Matrix, as_numpy
from canvaswidget.tracing.rules import AdditiveRule


def activations(matrix: Matrix, layer: Layer, frame: int) -> FloatArray:
    """The values of a layer's units at each position, ``(n_positions, n_units)``."""
    found = matrix.capture.weighted[layer.name]
    number = matrix.inr.frame_index(frame)
    matrix.frame(number)  # which compares the recording with the module
    values = matrix.capture.run(number, [found.data])[found.data]
    moved = values.movedim(found.channel_axis, -1)
    return as_numpy(moved.reshape(-1, moved.shape[-1]))


def weight(matrix: Matrix, layer: Layer) -> FloatArray:
    """The weight of a layer as the network computes with it."""
    return as_numpy(matrix.capture.weighted[layer.name].weight.contiguous())


def remainder(matrix: Matrix, layer: Layer, frame: int) -> FloatArray:
    """What of the image does not come from a layer's neurons, ``(height, width, channels)``.

    Raises
    ------
    UntraceableError
        The rule does not divide the image.
    """
    if not matrix.rule.is_additive:
        raise UntraceableError(
            f"rule={matrix.rule.name!r}: its maps are not parts of the image, so they leave no remainder; "
            "rule 'gated' divides it"
        )
    found = cast(AdditiveRule, matrix.rule).remainder(layer, matrix.frame(frame).state)
    return as_numpy(found.permute(1, 2, 0))
