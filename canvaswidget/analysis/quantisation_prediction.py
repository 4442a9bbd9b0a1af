"""What contributions predict of the loss by quantised weights; `quantisation` says how."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.intervals import Interval, rank_correlation, spearman
from canvaswidget.analysis.quantiser import quantised
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.layers import Layer

DoubleArray = npt.NDArray[np.float64]


def predicted_by(
    canvas: Canvas,
    layers: Sequence[Layer],
    widths: Sequence[int],
    scheme: str,
    frames: Sequence[int],
    n_pixels: int,
    seed: int,
    counted: Steps,
) -> dict[str, DoubleArray]:
    """By layer, the squared error of each of its output channels ``(b, n_out)``; nan where the rule is not defined."""
    found = {layer.name: np.full((len(widths), layer.n_outputs), np.nan) for layer in layers}
    known = [layer for layer in layers if layer in list(canvas.traced_layers)]
    if canvas.can_sample:
        energies = _energies_of_columns(canvas, known, frames, n_pixels, seed, counted)
    else:
        energies = {layer.name: _energies_of_maps(canvas, layer, frames, counted) for layer in known}
    for layer in known:
        weighted = canvas.matrix.capture.weighted[layer.name]
        energy = torch.from_numpy(energies[layer.name].reshape(layer.shape_of("kernel")))
        for row, width in enumerate(widths):
            part = _relative_errors(weighted, quantised(weighted, width, scheme).weight)
            found[layer.name][row] = weighted.added_up(part**2 * energy).numpy()
    return found


def _energies_of_columns(
    canvas: Canvas,
    layers: Sequence[Layer],
    frames: Sequence[int],
    n_pixels: int,
    seed: int,
    counted: Steps,
) -> dict[str, DoubleArray]:
    """By layer, the mean square of each kernel's contributions to random pixels: a backward gives all at one pixel."""
    rng, (height, width) = np.random.default_rng(seed), canvas.inr.size
    places = {frame: rng.permutation(height * width)[:n_pixels] for frame in frames}
    count = sum(map(len, places.values()))
    found = {layer.name: np.zeros(layer.shape_of("kernel")) for layer in layers}
    if not found:
        return found
    counted.plan(count)
    for frame, some in places.items():
        for y, x in zip(*np.divmod(some, width), strict=True):
            columns = canvas.pixel(int(y), int(x), frame, list(layers), granularity="kernel", rgb="each")
            for name, column in columns.items():
                found[name] += (column.astype(np.float64) ** 2).mean(-1) / count
            counted.take()
    return found


def _energies_of_maps(canvas: Canvas, layer: Layer, frames: Sequence[int], counted: Steps) -> DoubleArray:
    """The mean square of every kernel's whole map, over colours where the rule knows them."""
    rgb = "sum" if canvas.why_no_colours(layer) else "each"
    counted.plan(len(frames) * layer.n_kernels)
    total = np.zeros(layer.n_kernels)
    for frame in frames:
        report = counted.part(layer.n_kernels)
        sweep = canvas.reduce(layer, _energy, frame, granularity="kernel", rgb=rgb, progress=report)
        total += np.concatenate([energy for _, energy in sweep])
    return total / len(frames)


def _energy(maps: torch.Tensor) -> DoubleArray:
    return maps.double().square().flatten(1).mean(1).cpu().numpy()


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
