"""Which spatial frequencies a frame has, and which the selection's map: the lines of the spectrum panel."""

from __future__ import annotations

import math
from typing import Any, Literal, TypedDict, cast

from canvaswidget.kernel import spectra
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey, Selection
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection, in_channel
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


class SelectionSpectrumRequest(TypedDict):
    kind: Literal["selection_spectrum"]
    run: RunKey
    rule: str
    time: int
    selection: Selection


class SelectionSpectrumReply(TypedDict):
    """Of one neuron's map, or of the sum of the maps of several with signs, in the same bands.

    `each_colour` is whether colours were transformed one by one and their power added; else it is of the one that is
    selected, or of their sum.
    """

    kind: Literal["selection_spectrum"]
    time: int
    selection: Selection
    spectrum: Spectrum
    each_colour: bool


@answers(priority=4)
def picture_spectra(
    cached: CachedCanvas, body: PictureSpectraRequest, checkpoint: Report
) -> tuple[PictureSpectraReply, bytes]:
    time, bands = checked_frame(cached, body["time"]), spectra.bands_of(cached)
    found = {name: _on_wire(one) for name, one in spectra.picture_spectra(cached, time)}
    reply: PictureSpectraReply = {
        "kind": "picture_spectra",
        "time": time,
        "limits": bands.limits.tolist(),
        "frequencies": bands.frequencies.tolist(),
        "pictures": cast(Any, found),
    }
    return reply, b""


def _priority(body: SelectionSpectrumRequest) -> int:
    return 4 if body["selection"]["neuron"] is not None else 6


@answers(priority=_priority)
def selection_spectrum(
    cached: CachedCanvas, body: SelectionSpectrumRequest, checkpoint: Report
) -> tuple[SelectionSpectrumReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    if chosen.is_whole_layer:
        raise ValueError("selection: expected a neuron, several or a cluster, not the whole layer")
    cached = in_channel(cached, body["selection"], chosen.layer)
    reply: SelectionSpectrumReply = {
        "kind": "selection_spectrum",
        "time": time,
        "selection": body["selection"],
        "spectrum": _on_wire(spectra.selection_spectrum(cached, chosen, time, checkpoint)),
        "each_colour": cached.adds_each_colour(chosen.layer),
    }
    return reply, b""


def _on_wire(found: PowerSpectrum) -> Spectrum:
    return {
        "power": [_known(value) for value in found.power.tolist()],
        "centroid": _known(found.centroid),
        "bandwidth": _known(found.bandwidth),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
