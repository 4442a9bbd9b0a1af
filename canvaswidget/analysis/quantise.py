"""A copy of a model whose weights take few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from canvaswidget.analysis.changed_copy import Change, changed_copy
from canvaswidget.analysis.least_contributing import require_model
from canvaswidget.analysis.quantiser import PER_TENSOR, Quantised, check_scheme, quantised, widths_by_layer
from canvaswidget.arguments import checked
from canvaswidget.inr import INR, as_inr
from canvaswidget.tracing import trace
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layer_weight import parameter_of, stored_type
from canvaswidget.tracing.layers import Layer, LayerKey


@checked(bits=widths_by_layer, scheme=check_scheme)
def quantise(
    inr: Any,
    bits: int | Mapping[LayerKey, int] = 8,
    scheme: str = PER_TENSOR,
    *,
    canvas: Canvas | None = None,
) -> INR:
    """Copy a model with the weights of its layers on uniform grids of few values.

    A grid spans the weights from the least to the largest in ``2**bits - 1`` equal steps, as in the code of HNeRV, and
    each weight goes to the nearest value. The type of the weights stays. Biases, norms and whatever else is no weight
    of a layer are as they were. The model itself is not changed.

    Parameters
    ----------
    inr : INR or reference model
    bits : int or {layer: int}
        From 1 to 16: of every layer whose weight is a parameter of the module, or of those that are named, among which
        may be a buffer, such as the matrix of Fourier features.
    scheme : {"per-tensor", "per-channel"}
        One grid for each layer, or one for each of its output channels.
    canvas : Canvas, optional
        Of the model or of another of the same build, so that it is not recorded anew to find its layers.

    Returns
    -------
    INR

    Raises
    ------
    UntraceableError
        A layer's weight is no plain parameter of the module, but made in the forward, or used in several places.
    ValueError
        A weight holds NaN or infinity.
    """
    given = as_inr(inr)
    if canvas is None:
        canvas = trace(given, "ablation", device="cpu", progress=False)
    require_model(canvas)
    capture = canvas.matrix.capture
    widths = widths_of(capture, bits)
    return changed_copy(given, capture, {layer: _rounded(width, scheme) for layer, width in widths.items()})


def _rounded(width: int, scheme: str) -> Change:
    return lambda found: quantised(found, width, scheme).weight


def widths_of(capture: Capture, bits: int | Mapping[LayerKey, int]) -> dict[Layer, int]:
    """The bit width of each layer that is quantised; of all whose weights are trained, where one width is given."""
    if isinstance(bits, Mapping):
        return {capture.layers.find(key): int(width) for key, width in bits.items()}
    return {layer: int(bits) for layer in capture.layers if _is_trained(capture, layer)}


def _is_trained(capture: Capture, layer: Layer) -> bool:
    """Whether a layer's weight is a parameter, not a buffer and not what is looked up in a table."""
    return not layer.has_features and parameter_of(capture, layer)[0] in dict(
        capture.inr.module.named_parameters()
    )


def quantisable(
    canvas: Canvas, layers: LayerKey | Sequence[LayerKey] | None
) -> tuple[list[Layer], dict[str, str]]:
    """The layers to quantise, and why others are left out: none of those that are given.

    Raises
    ------
    UntraceableError
        The weight of one that is given can't be changed alone, or no layer's can.
    """
    ablation = canvas.under("ablation")
    if layers is not None:
        chosen = canvas.layers.find_all(layers)
        for layer in chosen:
            ablation.matrix.rule.require(layer)
            parameter_of(canvas.matrix.capture, layer)
        return chosen, {}
    chosen, left_out = [], {}
    for layer in ablation.traced_layers:
        if layer.has_features:
            left_out[layer.name] = "its units are looked up in a table, and are read by no weights of its own"
            continue
        try:
            is_trained = _is_trained(canvas.matrix.capture, layer)
        except UntraceableError as error:
            left_out[layer.name] = str(error).partition(": ")[2]
        else:
            if is_trained:
                chosen.append(layer)
            else:
                left_out[layer.name] = "its weight is a buffer, which no training changes"
    if not chosen:
        name, why = next(iter(left_out.items()))
        raise UntraceableError(f"layer={name!r}: {why}; so it is with every layer of this model")
    return chosen, left_out


def on_grid_of(
    capture: Capture, layer: Layer, bits: int, scheme: str, kept: torch.Tensor | None = None
) -> Quantised:
    """A layer's weight on a grid, rounded to the type of its parameter."""
    return quantised(capture.weighted[layer.name], bits, scheme, kept, stored_type(capture, layer))
