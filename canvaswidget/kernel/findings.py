"""What may lie over the frame in place of the selection's map: a finding about the layer, or a slope of the picture."""

from __future__ import annotations

from canvaswidget.kernel import layer_totals, slopes
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer


def finding(
    cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report
) -> tuple[Floats, str]:
    """``(height, width)``, and by which method a slope was computed; empty where there is one way only."""
    if overlay in slopes.OVERLAYS:
        return slopes.slope_map(cached, overlay, time, checkpoint)
    return layer_totals.heat_map(cached, layer, overlay, time, checkpoint), ""
