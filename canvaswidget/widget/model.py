"""The canvas that a widget shows, of whatever it is given."""

from __future__ import annotations

from typing import Any

from canvaswidget.inr.loading import with_truth
from canvaswidget.tracing import CanvasLike, trace


def canvas_of(model: Any, rule: str | None, device: str, memory: str | float, truth: Any) -> CanvasLike:
    """The canvas itself, or that of a model; under the rule, if one is named."""
    if isinstance(model, CanvasLike):
        check_given(device, memory, truth)
        if rule is None or rule == model.rule:
            return model
        return model.under(rule)
    return trace(with_truth(model, truth), rule, device, memory)


def check_given(device: str, memory: str | float, truth: Any) -> None:
    """Raise ValueError for what would be passed over where a canvas, or several, are given."""
    if truth is not None or (device, memory) != ("auto", "1 GiB"):
        raise ValueError("device, memory and truth are of the canvas that was given; leave them out here")
