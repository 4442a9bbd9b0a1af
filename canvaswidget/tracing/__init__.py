"""The tracer: contributions of neurons to pixels."""

from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture import CaptureError
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.saved import NotKeptError, SavedCanvas, open_canvas
from canvaswidget.tracing.saving import Saving
from canvaswidget.tracing.store import SavedCanvasError
from canvaswidget.tracing.trace import trace

__all__ = [
    "Canvas",
    "CaptureError",
    "Layer",
    "Layers",
    "NotKeptError",
    "SavedCanvas",
    "SavedCanvasError",
    "Saving",
    "UntraceableError",
    "open_canvas",
    "trace",
]
