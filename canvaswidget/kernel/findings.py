"""What may lie over the frame in place of the selection's map: a finding, the picture, or frequencies of either."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from canvaswidget.analysis.fourier import band_part
from canvaswidget.kernel import layer_totals, neuron_maps, pictures, selection_maps, slopes
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats
from canvaswidget.kernel.sampled_maps import SampledMap
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer


class Finding(NamedTuple):
    """What lies over the frame.

    Attributes
    ----------
    values : (height, width)
    by : str
        By which method a slope was computed; empty where there is one way only.
    sampled : SampledMap or None
        What it is interpolated from; None where it is exact.
    """

    values: Floats
    by: str = ""
    sampled: SampledMap | None = None


def finding(
    cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report, look: int | None = None
) -> Finding:
    """A finding about a whole layer, the picture, or a derivative of it."""
    if overlay == "picture":
        return Finding(pictures.frame(cached, time).sum(-1))
    if overlay in slopes.OVERLAYS:
        return Finding(*slopes.slope_map(cached, overlay, time, checkpoint))
    values, sampled = layer_totals.heat_map(cached, layer, overlay, time, checkpoint, look)
    return Finding(values, sampled=sampled)


Band = tuple[float, float]
HAVE_BANDS = ("selection", "picture")  # what lies over the frame whose frequencies can be chosen


def within_band(
    cached: CachedCanvas, chosen: Chosen, overlay: str, band: Band, time: int, checkpoint: Report
) -> Floats:
    """``(height, width)``: the frequencies of a band in the selection's map, or in the sum of the picture's colours.

    The map of more than one neuron is the sum of their maps with signs: what they add to the picture.
    """
    if overlay not in HAVE_BANDS:
        raise ValueError(
            f"band={band}: overlay={overlay!r} is a finding; a band is of 'selection' or 'picture'"
        )
    if overlay == "picture":
        whole = finding(cached, chosen.layer, overlay, time, checkpoint).values
    elif chosen.neuron is not None:
        place = chosen.layer.flat_index([chosen.neuron])
        whole = neuron_maps.maps(cached, chosen.layer, place, time)[0]
    else:
        whole = selection_maps.signed_sum(cached, chosen, time, checkpoint)
    return band_part(whole, *band).astype(np.float32)


def band_in_words(band: Band) -> str:
    """``0.10 to 0.20 cycles a pixel``."""
    low, high = (f"{limit:.2f}" if round(limit, 2) == limit else f"{limit:.3g}" for limit in band)
    return f"{low} to {high} cycles a pixel"
