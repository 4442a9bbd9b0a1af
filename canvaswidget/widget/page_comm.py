"""The way of the kernel's answers to the page."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref

import anywidget

from canvaswidget.error_text import one_line
from canvaswidget.kernel.messages import FromKernel
from canvaswidget.kernel.requests.export import Unmade
from canvaswidget.kernel.session import Buffers
from canvaswidget.widget.flushing import send_now

log = logging.getLogger(__name__)


class AnswersPage:
    """Takes answers from the worker's thread to the page, on the loop that the request came on."""

    def __init__(self, widget: anywidget.AnyWidget) -> None:
        self._widget = weakref.ref(widget)
        self._context = contextvars.copy_context()  # says which message is answered
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __call__(self, message: FromKernel, buffers: Buffers) -> None:
        if self._loop is None:
            self._send(message, buffers)
            return
        try:
            self._loop.call_soon_threadsafe(self._send, message, buffers, context=self._context)
        except RuntimeError:
            log.debug("an answer came after the event loop had ended")

    def _send(self, message: FromKernel, buffers: Buffers) -> None:
        widget = self._widget()
        if widget is not None and widget.comm is not None:
            widget.send(*made(message, buffers))
            if self._loop is not None:
                send_now(widget.comm)


def made(message: FromKernel, buffers: Buffers) -> tuple[FromKernel, list[bytes]]:
    """A reply whose file is still to be drawn; what goes wrong is the reply then."""
    try:
        return message, [part.file() if isinstance(part, Unmade) else part for part in buffers]
    except Exception as error:
        log.exception("a file of the view could not be made")
        return {"type": "error", "id": message["id"], "message": one_line(error)}, []
