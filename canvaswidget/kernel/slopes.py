"""How steep and how curved the picture of the INR is at each pixel: of no layer and no rule."""

from __future__ import annotations

from canvaswidget.analysis.derivatives import derivatives
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.progress import Report

OVERLAYS = ("gradient", "laplacian")


def slope_map(cached: CachedCanvas, overlay: str, time: int, checkpoint: Report) -> tuple[Floats, str]:
    """``(height, width)``: the gradient's magnitude or the Laplacian, and by which method it was computed."""

    def compute() -> tuple[Floats, Floats, str]:
        found = derivatives(cached.canvas, time, progress=checkpoint)
        for name, values in (("gradient", found.gradient), ("Laplacian", found.laplacian)):
            check_finite(f"the {name} of frame {time}", values)
        return found.gradient, found.laplacian, found.method

    *maps, method = cached.cache.remember((None, "derivatives", time), compute)
    return maps[OVERLAYS.index(overlay)], method
