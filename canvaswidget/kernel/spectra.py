"""Power spectra of the pictures of a frame and of a selection's map, as `analysis.spectrum` has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from canvaswidget.analysis.fourier import Bands, Measure, Measured, even_edges, measure_picture
from canvaswidget.analysis.measured_neurons import ROUNDING
from canvaswidget.analysis.spectrum import DoubleArray, mean_power, pictures_of
from canvaswidget.kernel import neuron_maps, pictures, sampled_maps, selection_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.progress import Report


class PowerSpectrum(NamedTuple):
    """Of one picture.

    Attributes
    ----------
    power : (b,)
        Mean over the coefficients of each band, colours added; NaN for a band that has none.
    centroid, bandwidth : float
        Mean and standard deviation of the frequency, weighted by power, in cycles a pixel; NaN for a picture that is 0
        or the same everywhere.
    """

    power: DoubleArray
    centroid: float
    bandwidth: float

    @classmethod
    def of(cls, measured: Measured, bands: Bands) -> PowerSpectrum:
        """Of the first of the pictures that were measured."""
        power = mean_power(measured, bands)[0]
        return cls(power, float(measured.centroids[0]), float(measured.bandwidths[0]))


def bands_of(cached: CachedCanvas) -> Bands:
    """The bands that `analysis.spectrum` has by default."""
    return Bands(cached.size, even_edges(cached.size))


def picture_spectra(cached: CachedCanvas, time: int) -> tuple[tuple[str, PowerSpectrum], ...]:
    """By name, of the truth where it is known, of the output, and of output less truth with its sign.

    Raises
    ------
    ValueError
        A picture holds NaN or infinity.
    """

    def compute() -> tuple[tuple[str, PowerSpectrum], ...]:
        bands = bands_of(cached)
        return tuple(
            (name, PowerSpectrum.of(measure_picture(bands, picture), bands))
            for name, picture in pictures_of(cached.canvas, time).items()
        )

    return cached.cache.remember((None, "picture spectra", time), compute)


def selection_spectrum(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> PowerSpectrum:
    """Of a neuron's map; of several neurons or a cluster, of the sum of their maps with signs.

    Magnitudes would have other frequencies than what the neurons add to the picture. Each colour is transformed by
    itself where all are shown and the rule knows them.
    """

    def compute() -> PowerSpectrum:
        bands = bands_of(cached)
        least = ROUNDING * float(np.abs(pictures.frame(cached, time)).max())
        values = _signed(cached, chosen, time, checkpoint)
        return PowerSpectrum.of(Measured(Measure(bands, "cpu", least)(torch.from_numpy(values)[None])), bands)

    key = cached.key("selection spectrum", chosen.layer.name, *chosen[1:], time)
    return cached.cache.remember(key, compute)


def _signed(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Floats:
    """``(h, w, channels)`` or ``(h, w)``: the sum of the maps; see `neuron_maps.coloured`."""
    layer = chosen.layer
    if chosen.neuron is not None:
        return neuron_maps.coloured(cached, layer, layer.flat_index([chosen.neuron]), time)[0].copy()
    neurons = selection_maps.members(cached, chosen, time, checkpoint)
    if sampled_maps.is_long(cached, layer, len(neurons)) and cached.adds_each_colour(layer):
        return sampled_maps.signed(cached, layer, neurons, time).copy()
    if sampled_maps.is_long(cached, layer, len(neurons)) and cached.channel != "abs":
        return selection_maps.signed_sum(cached, chosen, time, checkpoint).copy()
    total: Floats = np.zeros(cached.size, np.float64)
    for first, block in neuron_maps.blocks(cached, neurons):
        checkpoint(first, len(neurons))
        part = neuron_maps.coloured(cached, layer, block, time).sum(0, dtype=np.float64)
        total = total + part if first else part
    return total.astype(np.float32)
