"""The centroid frequency of every neuron's map, as `analysis.spectrum` measures it without a sample."""

from __future__ import annotations

import math
from time import monotonic

import numpy as np

from canvaswidget.analysis.fourier import Bands, Measure, Measured
from canvaswidget.analysis.measured_neurons import ROUNDING
from canvaswidget.kernel import pictures
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer

FIRST_LOOK = 5.0  # seconds of work after which it is known how long all of it takes
MOST_SECONDS = 120.0  # that the maps of a layer may take


def frequencies(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Floats:
    """The mean frequency of each neuron's map weighted by its power, in cycles a pixel, in C order.

    NaN where a map is 0 or the same everywhere. Every map is measured; colours by themselves where all are shown and
    the rule knows them.

    Raises
    ------
    ValueError
        The maps would take more than `MOST_SECONDS`, or hold NaN or infinity.
    NotKeptError
        A saved canvas does not have all maps of the layer.
    """
    return cached.cache.remember(
        cached.key("frequencies", layer.name, time), lambda: _frequencies(cached, layer, time, checkpoint)
    )


def _frequencies(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Floats:
    # Of frequencies the centroid alone is wanted: one band has all of them.
    least = ROUNDING * float(np.abs(pictures.frame(cached, time)).max())
    measure = Measure(Bands(cached.size, ()), cached.canvas.device, least)
    parts = cached.canvas.reduce(
        layer.name,
        measure,
        time,
        rgb=cached.rgb_of(cached.canvas, layer),
        progress=_Limit(layer, checkpoint),
    )
    values = np.concatenate([part for _, part in parts])
    broken = int((~np.isfinite(values[:, :-2])).any(1).sum())
    if broken:
        raise ValueError(
            f"sort='frequency': the maps of {broken:,} neurons of layer {layer.name!r}, frame {time}, hold NaN or "
            "infinity; they have no frequency"
        )
    return Measured(values).centroids.astype(np.float32)


class _Limit:
    """Reports progress, and ends what would take too long: a part of the neurons would be no order of the layer."""

    def __init__(self, layer: Layer, checkpoint: Report) -> None:
        self._layer, self._checkpoint = layer, checkpoint
        self._worked, self._since = 0.0, monotonic()

    def __call__(self, done: int, planned: int) -> None:
        self._worked += monotonic() - self._since
        if 0 < done < planned and self._worked >= FIRST_LOOK:
            takes = self._worked / done * planned
            if takes > MOST_SECONDS:
                raise ValueError(
                    f"sort='frequency': the {math.prod(self._layer.neurons):,} maps of layer {self._layer.name!r} "
                    f"would take about {math.ceil(takes / 60)} minutes, and a part of them is no order; choose another "
                    "layer or rule, or measure a sample with cw.analysis.spectrum"
                )
        self._checkpoint(done, planned)
        self._since = monotonic()  # urgent requests are answered at a checkpoint: their time does not count
