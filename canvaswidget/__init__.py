"""The implicit neural canvas, live in a notebook.

An implicit neural representation (INR) is a network that is one image or video. `canvaswidget` shows which neurons
make a pixel, which pixels a neuron makes, and how both change from frame to frame.

>>> import canvaswidget as cw
>>> cw.CanvasWidget(cw.demo.video())  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from canvaswidget.version import __version__

if TYPE_CHECKING:
    from canvaswidget import analysis, demo, media, models
    from canvaswidget.analysis.pruning import prune
    from canvaswidget.fitting.fit import fit
    from canvaswidget.inr import INR, as_inr
    from canvaswidget.inr.loading import load
    from canvaswidget.masks import MaskPainter
    from canvaswidget.reporting.report import Report, report
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
    from canvaswidget.widget import CanvasWidget

# Where each public name is. It is imported when it is first asked for, so that importing the package, and what needs
# no torch (`canvaswidget --help`), takes no time.
_PLACES = {
    "INR": "inr",
    "Canvas": "tracing",
    "CanvasWidget": "widget",
    "CaptureError": "tracing",
    "Layer": "tracing",
    "MaskPainter": "masks",
    "NotKeptError": "tracing",
    "Report": "reporting.report",
    "SavedCanvas": "tracing",
    "SavedCanvasError": "tracing",
    "UntraceableError": "tracing",
    "analysis": "analysis",
    "as_inr": "inr",
    "demo": "demo",
    "fit": "fitting.fit",
    "load": "inr.loading",
    "media": "media",
    "models": "models",
    "open": "tracing",
    "prune": "analysis.pruning",
    "report": "reporting.report",
    "trace": "tracing",
}

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
    "__version__",
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


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_PLACES[name]}")
    value = module if _PLACES[name] == name else getattr(module, "open_canvas" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
