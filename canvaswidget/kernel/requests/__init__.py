"""Every kind of request that the page can make, each in a module of its own.

A new kind is a new module of the kind's name, with the types of its body and its reply and the function that answers
it, and its name in `MODULES`. Messages, their check, their order on the worker and the page's TypeScript follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests import (
    agreement,
    bars,
    carry,
    clusters,
    curve,
    export,
    faithfulness,
    frame,
    grid,
    pairs,
    palettes,
    picture_spectra,
    pixel,
    recipe,
    region_neurons,
    regions,
    rules,
    run_curve,
    scatter,
    selection_spectrum,
    strip,
    thumbnails,
    values,
)
from canvaswidget.kernel.requests import (
    map as map_,
)
from canvaswidget.kernel.requests.registry import Answer, RequestKind
from canvaswidget.progress import Report

MODULES = (
    palettes,
    recipe,
    export,
    frame,
    map_,
    grid,
    values,
    pixel,
    region_neurons,
    regions,
    carry,
    bars,
    thumbnails,
    curve,
    run_curve,
    strip,
    clusters,
    scatter,
    picture_spectra,
    selection_spectrum,
    rules,
    pairs,
    faithfulness,
    agreement,
)
KINDS = {
    found.name: found
    for module in MODULES
    for found in vars(module).values()
    if isinstance(found, RequestKind)
}


def answer(cached: CachedCanvas, body: Mapping[str, Any], checkpoint: Report) -> Answer:
    """The reply to a request about one canvas, and its bytes, empty for some.

    Both depend on the request's body and the model alone. The body has the types of its kind.
    """
    _, rule = subject_of(body)
    if rule not in (None, cached.canvas.rule):
        raise ValueError(f"rule={rule!r}: these are the contributions under {cached.canvas.rule!r}")
    return KINDS[body["kind"]].answer(cached, body, checkpoint)


def subject_of(body: Mapping[str, Any]) -> tuple[RunKey, str | None]:
    """The run and the rule that the answer depends on, where it does; a file and a recipe name them in their state."""
    stated = body.get("state", body)
    return stated.get("run"), stated.get("rule")
