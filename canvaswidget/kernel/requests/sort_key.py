"""What the neurons of a layer are sorted by, in a grid and as values; of a pixel or a region it has a sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from canvaswidget.kernel import (
    layer_totals,
    neuron_frequencies,
    ranking,
    view_checks,
)
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.counterparts import pairs_of
from canvaswidget.kernel.quantise import Floats
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.requests.checked_fields import (
    checked_look,
    in_channel,
)
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.results import Column


def sort_key(
    cached: CachedCanvas, body: Mapping[str, Any], time: int, checkpoint: Report
) -> tuple[Column, float]:
    """Values and magnitudes, and half the width of their 95% intervals as a part of them: 0 where they are exact.

    `body` is that of a request for a grid or for values.
    """
    layer = cached.layers.find(body["layer"])
    cached = in_channel(cached, body, layer)
    sort = view_checks.checked_choice("sort", body["sort"], view_checks.CHOICES["sort"])
    if sort == "index":
        places = np.arange(np.prod(layer.neurons))
        return Column(places, places), 0.0
    if sort == "pixel":
        if body["pixel"] is None:
            raise ValueError("pixel=None: sort='pixel' needs a pixel (y, x)")
        pixel = view_checks.checked_pixel(body["pixel"], cached.size)
        return ranking.pixel_columns(cached, [layer], pixel, time, checkpoint)[layer.name], 0.0
    if sort == "region":
        region = checked_region(body["region"], cached.size)
        if region is None:
            raise ValueError("region=None: sort='region' needs a region")
        columns, half_width = ranking.region_columns(cached, [layer], region, time, checkpoint)
        return columns[layer.name], half_width
    if sort == "difference":
        values = _differences(cached, layer, body, time, checkpoint)
        return Column(values, np.nan_to_num(values, nan=-1.0)), 0.0  # 0 is a value: of the same map
    if sort == "frequency":
        values = neuron_frequencies.frequencies(cached, layer, time, checkpoint)
        return Column(values, values), 0.0
    estimate = layer_totals.changes if sort == "change" else layer_totals.order
    values, half_width = estimate(cached, layer, time, checked_look(body), checkpoint)
    return Column(values, values), half_width


def _differences(
    cached: CachedCanvas, layer: Layer, body: Mapping[str, Any], time: int, checkpoint: Report
) -> Floats:
    """How little each neuron's map is like its counterpart's: 1 less their correlation, NaN without one."""
    run = body.get("beside")
    if run is None:
        raise ValueError("beside=None: sort='difference' needs a run to compare with")
    return 1 - pairs_of(cached, run, layer, time, checkpoint).correlations
