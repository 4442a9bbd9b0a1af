"""The tracer: contributions of neurons to pixels."""

from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture import CaptureError
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.trace import trace

__all__ = ["Canvas", "CaptureError", "Layer", "Layers", "UntraceableError", "trace"]
