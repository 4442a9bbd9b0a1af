"""Which spatial frequencies the map of the selected neurons has."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import spectra
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey, Selection
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection, in_channel
from canvaswidget.kernel.requests.picture_spectra import Spectrum, on_wire
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


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
        "spectrum": on_wire(spectra.selection_spectrum(cached, chosen, time, checkpoint)),
        "each_colour": cached.adds_each_colour(chosen.layer),
    }
    return reply, b""
