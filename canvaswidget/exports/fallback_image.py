"""The image below the live view: what a saved notebook shows where no kernel runs.

It is an output of its own, below the live one, which hides it as long as there is one. A notebook prefers the
live view of an output to everything else in it, even where it can't show it; and an output of its own can be
replaced without drawing the live view anew.
"""

from __future__ import annotations

import asyncio
import base64
import html
import io
import logging
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from IPython.display import display, update_display
from matplotlib.figure import Figure
from PIL import Image

from canvaswidget.plotting import figures
from canvaswidget.plotting.style import SCREEN_DPI, style

log = logging.getLogger(__name__)

QUIET = 2.0  # seconds without a change, after which the picture is drawn again

WIDTH = 6.6  # inches


class FallbackImage:
    """One widget's image in a notebook.

    Parameters
    ----------
    redraw : bound method
        Called when the view has not changed for a while. It computes the view in its own time, and calls `replace`. It
        is referred to weakly.
    """

    def __init__(self, redraw: Callable[[], None]) -> None:
        self.name = f"cw-picture-{uuid.uuid4().hex[:12]}"  # of the output, and a CSS class in it
        self._redraw = weakref.WeakMethod(redraw)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: asyncio.TimerHandle | None = None

    def show(self, view: figures.View, text: str) -> None:
        """Put the picture into the output of the cell that runs, and from now on, keep it up to date."""
        display(mimebundle(view, text, self.name), raw=True, display_id=self.name)
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def changed(self, change: Any = None) -> None:
        """The view has changed; may be called on any thread."""
        self._on_loop(self._postpone)

    def replace(self, view: figures.View, text: str) -> None:
        """Show another view; may be called on any thread."""
        self._on_loop(lambda: self._replace(view, text))

    def stop(self) -> None:
        """What is in the notebook stays as it is."""
        self._on_loop(self._forget)
        self._loop = None

    # Everything below happens on the loop of the cell that showed the widget: matplotlib's settings are of the
    # whole process, and this is the thread where the user draws.

    def _postpone(self) -> None:
        self._forget()
        if self._loop is not None:
            self._due = self._loop.call_later(QUIET, self._refresh)

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _refresh(self) -> None:
        self._due = None
        redraw = self._redraw()
        if redraw is not None:
            redraw()

    def _replace(self, view: figures.View, text: str) -> None:
        try:
            update_display(mimebundle(view, text, self.name), raw=True, display_id=self.name)
        except Exception:
            log.exception("the picture for reading without a kernel could not be replaced")

    def _on_loop(self, call: Callable[[], None]) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the view changed after the event loop had ended")


def mimebundle(view: figures.View, text: str, name: str) -> dict[str, str]:
    """A picture as a notebook's output; `text` tells what is on it."""
    data = base64.b64encode(png(figures.view_figure(view, WIDTH))).decode("ascii")
    words = html.escape(text, quote=True)
    picture = f'<img src="data:image/png;base64,{data}" alt="{words}">'
    return {
        "text/html": f'<div class="{name}">{picture}</div>',
        "image/png": data,  # for what prints notebooks
        "text/plain": f"<picture of {text}>",
    }


def png(figure: Figure) -> bytes:
    """The figure as a small PNG, in true colour: a palette of 256 left a colour bar seven of its colours."""
    drawn, reduced = io.BytesIO(), io.BytesIO()
    with style():
        figure.savefig(drawn, format="png", dpi=SCREEN_DPI)
    Image.open(drawn).convert("RGB").save(reduced, "png", optimize=True)
    return reduced.getvalue()
