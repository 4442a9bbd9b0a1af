"""What contributions predict of the loss by quantised weights; `quantisation` says how."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.intervals import Interval, rank_correlation, spearman
from canvaswidget.analysis.least_contributing import totals_of_layers
from canvaswidget.analysis.quantiser import quantised
from canvaswidget.analysis.sampled import Accuracy, Sampling
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.layers import Layer

DoubleArray = npt.NDArray[np.float64]


def predict(
    canvas: Canvas,
    layers: Sequence[Layer],
    widths: Sequence[int],
    scheme: str,
    frames: Sequence[int],
    accuracy: Accuracy,
    seed: int,
    counted: Steps,
) -> tuple[dict[str, DoubleArray], Sampling | None]:
    """By layer, the prediction for each of its output channels ``(b, n_out)``; nan where the rule is not defined."""
    found = {layer.name: np.full((len(widths), layer.n_outputs), np.nan) for layer in layers}
    known = [layer for layer in layers if layer in list(canvas.traced_layers)]
    if not known:
        return found, None
    totals, sampling = totals_of_layers(canvas, known, frames, "kernel", accuracy, seed, counted)
    count = len(frames) * math.prod(canvas.inr.size)
    for layer, total in totals:
        weighted = canvas.matrix.capture.weighted[layer.name]
        mean = torch.from_numpy(total / count).reshape(layer.shape_of("kernel"))
        for row, width in enumerate(widths):
            part = _relative_errors(weighted, quantised(weighted, width, scheme).weight)
            found[layer.name][row] = weighted.added_up((part * mean) ** 2).numpy()
    return found, sampling


def _relative_errors(weighted: WeightedOp, changed: torch.Tensor) -> torch.Tensor:
    """Of each kernel ``(n_in, n_out / n_groups)``: the norm of its error by its own; 0 for one of zeros."""
    error, own = (
        weighted.by_kernel(values.abs().double().square()).sqrt().cpu()
        for values in (changed - weighted.weight, weighted.weight)
    )
    return torch.where(own > 0, error / own, 0)


def correlation(one: DoubleArray, other: DoubleArray) -> float:
    """Spearman's, over what is known; nan for fewer than two."""
    known = np.isfinite(one) & np.isfinite(other)
    return float(spearman(one[known, None], other[known, None])[0]) if known.sum() > 1 else math.nan


def channel_correlations(loss: DoubleArray, predicted: DoubleArray, n_outputs: int) -> tuple[Interval, ...]:
    """The rank correlation over channels at each bit width."""
    found = []
    for one, other in zip(loss, predicted, strict=True):
        if np.isfinite(other).all() and len(one) > 1:
            found.append(rank_correlation(one[:, None], other[:, None], n_outputs, 1)[0])
        else:
            found.append(Interval(math.nan, math.nan, math.nan, len(one), n_outputs))
    return tuple(found)
