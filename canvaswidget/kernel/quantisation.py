"""What a frame loses when the model's weights are quantised, and whether they can be.

`kernel.quantise` is another thing: the 8-bit levels that arrays are sent as.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from canvaswidget.analysis.quantisation_loss import quantisation_loss
from canvaswidget.analysis.quantise import quantisable
from canvaswidget.analysis.quantiser import MOST_BITS
from canvaswidget.kernel import pictures, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Quantisable, Quantiser
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.tracing import CanvasLike, UntraceableError
from canvaswidget.tracing.canvas import Canvas

SOURCE = "quantisation"
UNIT = "absolute difference (raw level)"
SAVED = "a saved canvas does not contain the weights"


class Grid(NamedTuple):
    """Bits for every weight, and which weights share a grid: see `canvaswidget.quantise`."""

    bits: int
    scheme: str


def checked_bits(bits: Any) -> int:
    """A bit width, 1 to 16."""
    return view_checks.checked_count("bits", bits, 1, MOST_BITS)


def from_wire(given: Quantiser | None) -> Grid:
    """As a request states it."""
    if given is None:
        raise ValueError(f"quantised: missing; source={SOURCE!r} is of the bits and the scheme that it names")
    scheme = view_checks.checked_choice("scheme", given["scheme"], view_checks.CHOICES["scheme"])
    return Grid(checked_bits(given["bits"]), scheme)


def grid_of(state: Mapping[str, Any]) -> Grid:
    """That of a view."""
    return Grid(state["bits"], state["scheme"])


def _has_weights(canvas: CanvasLike) -> TypeGuard[Canvas]:
    return canvas.has_model


def facts_of(canvas: CanvasLike) -> Quantisable:
    """Whether weights can be quantised, and those of which layers can't."""
    if not _has_weights(canvas):
        return {"why_not": SAVED, "left_out": {}}
    try:
        return {"why_not": "", "left_out": quantisable(canvas, None)[1]}
    except UntraceableError as error:
        return {"why_not": str(error), "left_out": {}}


def picture(cached: CachedCanvas, grid: Grid, time: int) -> Floats:
    """The raw output ``(h, w, channels)`` with the weights on their grids, whatever the rule.

    Raises
    ------
    ValueError
        The canvas does not contain the weights.
    UntraceableError
        The weights of no layer can be quantised.
    """

    def compute() -> Floats:
        if not _has_weights(cached.canvas):
            raise ValueError(f"source={SOURCE!r}: {SAVED}")
        image = quantisation_loss(cached.canvas, grid.bits, grid.scheme, frame=time).picture
        check_finite(f"frame {time} {title(grid)}", image)
        return image

    return cached.cache.remember((None, SOURCE, time, *grid), compute)


def loss(cached: CachedCanvas, grid: Grid, time: int) -> Floats:
    """Absolute difference of the two clipped pictures, the mean over channels, ``(h, w)``."""
    made, whole = (np.clip(one, 0, 1) for one in (picture(cached, grid, time), pictures.frame(cached, time)))
    return np.abs(made - whole).mean(2)


def psnr(cached: CachedCanvas, grid: Grid, time: int) -> float:
    """Of the picture with quantised weights: against the truth, or the reconstruction where there is none."""
    return pictures.psnr_of_changed(cached, picture(cached, grid, time), time)


def title(grid: Grid) -> str:
    """In a figure's heading."""
    return f"with weights of {grid.bits} bit{'' if grid.bits == 1 else 's'} {grid.scheme.replace('-', ' ')}"
