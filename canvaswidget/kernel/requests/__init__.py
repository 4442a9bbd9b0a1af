"""Every kind of request that the page can make, each in a module of its own.

A new kind is a new module, with the types of its body and its reply and the function that answers it, and its name in
`MODULES`. Messages, their check, their order on the worker and the page's TypeScript follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.requests import (
    agreement,
    carried_region,
    clicked_pixel,
    clusters,
    contribution_map,
    export,
    faithfulness,
    film_strip,
    frame,
    neurons,
    paired_bars,
    paired_thumbnails,
    pairs,
    palettes,
    recipe,
    region_neurons,
    regions,
    rules,
    run_curve,
    scatter,
    spectrum,
    time_curve,
)
from canvaswidget.kernel.requests.registry import Answer, RequestKind
from canvaswidget.progress import Report

MODULES = (
    palettes,
    recipe,
    export,
    frame,
    contribution_map,
    neurons,
    clicked_pixel,
    region_neurons,
    regions,
    carried_region,
    paired_bars,
    paired_thumbnails,
    time_curve,
    run_curve,
    film_strip,
    clusters,
    scatter,
    spectrum,
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
