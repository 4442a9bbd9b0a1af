"""The spectra of neurons' maps: of all neurons of a layer, or of a random sample."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.fourier import Bands, Measure
from canvaswidget.analysis.measured_neurons import BATCH_BYTES, ROUNDING
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.accuracy import EXACT_SECONDS
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import count_neurons
from canvaswidget.tracing.protocol import CanvasLike

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating]
Sample = int | Literal["auto"] | None

SAMPLE = 256  # neurons of a layer whose sweep takes long


def neuron_spectra(
    canvas: CanvasLike,
    layer: Layer,
    frame: int,
    bands: Bands,
    rgb: str,
    *,
    granularity: str | None,
    sample: Sample,
    seed: int,
    progress: Progress,
) -> tuple[IntArray, FloatArray]:
    """Measure the maps of a layer's neurons.

    Returns
    -------
    neurons : (k,)
        Flat indices of those that were measured, ascending.
    values : (k, b + 3)
        As `canvaswidget.analysis.fourier.Measure` gives them; see `Measured`.

    Raises
    ------
    ValueError
        A map holds NaN or infinity.
    """
    neurons = _drawn(canvas, layer, frame, granularity, sample, seed)
    least = ROUNDING * float(np.abs(canvas.frame(frame)).max())
    if neurons is None:
        neurons = np.arange(count_neurons(layer, granularity))
        measure = Measure(bands, canvas.device, least)
        parts = canvas.reduce(layer, measure, frame, granularity=granularity, rgb=rgb, progress=progress)
        values = np.concatenate([part for _, part in parts])
    else:
        measure = Measure(bands, "cpu", least)
        values = _of_sample(canvas, layer, frame, granularity, neurons, rgb, measure, progress)
    broken = int((~np.isfinite(values[:, :-2])).any(1).sum())
    if broken:
        raise ValueError(
            f"layer={layer.name!r}: the maps of {broken:,} neurons hold NaN or infinity; they have no spectrum"
        )
    return neurons, values


def _drawn(
    canvas: CanvasLike, layer: Layer, frame: int, granularity: str | None, sample: Sample, seed: int
) -> IntArray | None:
    """Flat indices of the neurons to measure, ascending; None for all."""
    count = count_neurons(layer, granularity)
    if sample == "auto":
        if count <= SAMPLE or not canvas.has_model:
            return None
        part = count / count_neurons(layer, None)
        if canvas.estimate(layer, frame).seconds * part <= EXACT_SECONDS:
            return None
        sample = SAMPLE
    if sample is None or sample >= count:
        return None
    return np.sort(np.random.default_rng(seed).permutation(count)[:sample]).astype(np.int64)


def _of_sample(
    canvas: CanvasLike,
    layer: Layer,
    frame: int,
    granularity: str | None,
    drawn: IntArray,
    rgb: str,
    measure: Measure,
    progress: Progress,
) -> FloatArray:
    neurons = layer.neurons_at(drawn, granularity)
    height, width = canvas.inr.size
    batch = max(1, BATCH_BYTES // (4 * height * width * canvas.n_channels))
    parts: list[FloatArray] = []
    with steps(f"spectrum of {layer.name}", "neuron", progress, len(drawn)) as counted:
        counted.tell()
        for start in range(0, len(neurons), batch):
            maps = canvas.maps(layer, neurons[start : start + batch], frame, rgb=rgb)
            parts.append(measure(torch.from_numpy(maps)))
            counted.take(len(maps))
    return np.concatenate(parts)
