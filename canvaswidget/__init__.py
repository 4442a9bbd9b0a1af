"""The implicit neural canvas, live in a notebook.

An implicit neural representation (INR) is a network that is one image or video. `canvaswidget` shows which neurons
make a pixel, which pixels a neuron makes, and how both change from frame to frame.

>>> import canvaswidget as cw
>>> cw.CanvasWidget(cw.demo.video())  # doctest: +SKIP
"""

from canvaswidget import analysis, demo, media, models
from canvaswidget.analysis.pruning import prune
from canvaswidget.fit import fit
from canvaswidget.inr import INR, as_inr
from canvaswidget.load import load
from canvaswidget.report import Report, report
from canvaswidget.tracing import (
    Canvas,
    CaptureError,
    Layer,
    NotKeptError,
    SavedCanvas,
    SavedCanvasError,
    UntraceableError,
    trace,
)
from canvaswidget.tracing import open_canvas as open
from canvaswidget.vector_math import settle
from canvaswidget.widget import CanvasWidget, MaskPainter

__version__ = "0.1.0"

__all__ = [
    "INR",
    "Canvas",
    "CanvasWidget",
    "CaptureError",
    "Layer",
    "MaskPainter",
    "NotKeptError",
    "Report",
    "SavedCanvas",
    "SavedCanvasError",
    "UntraceableError",
    "analysis",
    "as_inr",
    "demo",
    "fit",
    "load",
    "media",
    "models",
    "open",
    "prune",
    "report",
    "trace",
]

settle()
