"""The tracer: contributions of neurons to pixels."""

from canvaswidget.tracing.canvas import Canvas, trace
from canvaswidget.tracing.capture import CaptureError
from canvaswidget.tracing.chain import UntraceableError
from canvaswidget.tracing.layers import Layer, Layers

__all__ = ["Canvas", "CaptureError", "Layer", "Layers", "UntraceableError", "trace"]
