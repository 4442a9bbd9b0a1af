"""A copy of a model in which some neurons write more, or less, than they did."""

from __future__ import annotations

from typing import Any

import torch

from canvaswidget.analysis.changed_copy import Change, changed_copy
from canvaswidget.analysis.least_contributing import require_model
from canvaswidget.arguments import checked
from canvaswidget.inr import INR, as_inr
from canvaswidget.tracing import trace
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.edits import Edits, factors_by_layer, scaled


@checked
def edited(inr: Any, edits: Edits, *, canvas: Canvas | None = None) -> INR:
    """Copy a model with the outgoing weights of some neurons scaled: `Canvas.edit` as a module.

    Parameters
    ----------
    inr : INR or reference model
        It is not changed.
    edits : {layer: {neuron: factor}}
        Units or kernels. By 0 a neuron is ablated, by 1 nothing changes; biases stay.
    canvas : Canvas, optional
        Of the model or of another of the same build, so that it is not recorded anew to find its layers.

    Returns
    -------
    INR

    Raises
    ------
    UntraceableError
        A layer's weight is no plain parameter of the module, but made in the forward, or used in several places; or its
        units are directions.
    TypeError, ValueError
        `edits` is no such mapping, or a factor no finite number.
    """
    given = as_inr(inr)
    if canvas is None:
        canvas = trace(given, "ablation", device="cpu", progress=False)
    require_model(canvas)
    capture = canvas.matrix.capture
    factors = factors_by_layer(capture.layers, edits)
    changes = {capture.layers.find(name): _scaled(some) for name, some in factors.items()}
    return changed_copy(given, capture, changes)


def _scaled(factors: torch.Tensor) -> Change:
    def change(found: WeightedOp) -> torch.Tensor:
        return scaled(found, factors)

    return change
