"""Python that makes the view again."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    ViewState,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class RecipeRequest(TypedDict):
    kind: Literal["recipe"]
    state: ViewState


class RecipeReply(TypedDict):
    """Python that makes the view again."""

    kind: Literal["recipe"]
    text: str


@answers(priority=0)
def recipe(cached: CachedCanvas, body: RecipeRequest, checkpoint: Report) -> tuple[RecipeReply, bytes]:
    """The widget answers this one: it knows how it was made; see `Session`."""
    raise ValueError("kind='recipe': there is no widget to make again")
