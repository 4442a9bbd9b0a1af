"""The colour tables of all palettes."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.plotting.figures import palettes as known_palettes
from canvaswidget.progress import Report


class PalettesRequest(TypedDict):
    kind: Literal["palettes"]


class PalettesReply(TypedDict):
    """Buffer: `len(names) * 256 * 3` bytes of RGB. `diverging` names those centred on zero."""

    kind: Literal["palettes"]
    names: list[str]
    diverging: list[str]


@answers(priority=0)
def palettes(cached: CachedCanvas, body: PalettesRequest, checkpoint: Report) -> tuple[PalettesReply, bytes]:
    found = known_palettes()
    reply: PalettesReply = {
        "kind": "palettes",
        "names": list(found.names),
        "diverging": list(found.diverging),
    }
    return reply, found.tables.tobytes()
