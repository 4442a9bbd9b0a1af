"""A file of the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict, runtime_checkable

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    ViewState,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.plotting import figures
from canvaswidget.plotting.figures import View
from canvaswidget.progress import Report

Form = Literal["png", "pdf", "svg", "npz", "csv", "mp4", "gif", "html"]


class ExportRequest(TypedDict):
    """A file of the view: `form` is how its name ends.

    `panels` are those of a figure, all when empty; `table` is that of a CSV; `first` and `last` are frames
    of an animation.
    """

    kind: Literal["export"]
    state: ViewState
    form: Form
    panels: list[str]
    table: str
    first: int
    last: int


class ExportReply(TypedDict):
    """Buffer: the file."""

    kind: Literal["export"]
    name: str


@runtime_checkable
class Unmade(Protocol):
    """A file that is still to be drawn: matplotlib's settings are of the process, and belong to the cells' thread."""

    def file(self) -> bytes:
        """The bytes of the file."""
        ...


@dataclass(frozen=True)
class Drawing:
    """A figure with everything computed that is on it."""

    view: View
    panels: Sequence[str] | None
    form: str

    def file(self) -> bytes:
        """The bytes of the file."""
        return figures.drawn(figures.view_figure(self.view, panels=self.panels), self.form)


@answers(priority=8)
def export(cached: CachedCanvas, body: ExportRequest, checkpoint: Report) -> tuple[ExportReply, bytes]:
    """The widget answers this one; see `Session`."""
    raise ValueError("kind='export': there is no widget to export from")
