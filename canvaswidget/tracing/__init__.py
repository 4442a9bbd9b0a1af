"""The tracer: contributions of neurons to pixels."""

from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.errors import CaptureError, NotKeptError, UntraceableError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.protocol import CanvasLike
from canvaswidget.tracing.results import Saving
from canvaswidget.tracing.saved.opening import open_canvas
from canvaswidget.tracing.saved.reader import SavedCanvas
from canvaswidget.tracing.saved.store import SavedCanvasError
from canvaswidget.tracing.trace import trace

__all__ = [
    "Canvas",
    "CanvasLike",
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
