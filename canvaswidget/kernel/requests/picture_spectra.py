"""Which spatial frequencies the frame, the truth and their difference have."""

from __future__ import annotations

import math
from typing import Any, Literal, TypedDict, cast

from canvaswidget.kernel import spectra
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests.checked_fields import checked_frame
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.spectra import PowerSpectrum
from canvaswidget.progress import Report


class PictureSpectraRequest(TypedDict):
    kind: Literal["picture_spectra"]
    run: RunKey
    time: int


class Spectrum(TypedDict):
    """`power` a band, null where a band has no coefficient; its mean frequency, and the standard deviation of that.

    Both are in cycles a pixel, weighted by power, and null for a picture that is 0 or the same everywhere.
    """

    power: list[float | None]
    centroid: float | None
    bandwidth: float | None


class PictureSpectra(TypedDict, total=False):
    """`error` is output less truth, with its sign."""

    truth: Spectrum
    output: Spectrum
    error: Spectrum


class PictureSpectraReply(TypedDict):
    """Band `b` has the frequencies above `limits[b]` up to and with `limits[b + 1]`, in cycles a pixel.

    `frequencies` has the mean frequency of each band's coefficients. Power is as `analysis.spectrum` has it.
    """

    kind: Literal["picture_spectra"]
    time: int
    limits: list[float]
    frequencies: list[float]
    pictures: PictureSpectra


@answers(priority=4)
def picture_spectra(
    cached: CachedCanvas, body: PictureSpectraRequest, checkpoint: Report
) -> tuple[PictureSpectraReply, bytes]:
    time, bands = checked_frame(cached, body["time"]), spectra.bands_of(cached)
    found = {name: on_wire(one) for name, one in spectra.picture_spectra(cached, time)}
    reply: PictureSpectraReply = {
        "kind": "picture_spectra",
        "time": time,
        "limits": bands.limits.tolist(),
        "frequencies": bands.frequencies.tolist(),
        "pictures": cast(Any, found),
    }
    return reply, b""


def on_wire(found: PowerSpectrum) -> Spectrum:
    return {
        "power": [_known(value) for value in found.power.tolist()],
        "centroid": _known(found.centroid),
        "bandwidth": _known(found.bandwidth),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
