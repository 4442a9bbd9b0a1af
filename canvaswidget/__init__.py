"""The implicit neural canvas, live in a notebook.

An implicit neural representation (INR) is a network that is one image or video. `canvaswidget` shows which neurons
make a pixel, which pixels a neuron makes, and how both change from frame to frame.

>>> import canvaswidget as cw
>>> cw.CanvasWidget(cw.demo.video())  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from canvaswidget.version import __version__ as __version__

if TYPE_CHECKING:
    from canvaswidget import analysis as analysis
    from canvaswidget import demo as demo
    from canvaswidget import media as media
    from canvaswidget import models as models
    from canvaswidget import surveys as surveys
    from canvaswidget.analysis.edited import edited as edited
    from canvaswidget.analysis.pruning import prune as prune
    from canvaswidget.analysis.quantise import quantise as quantise
    from canvaswidget.fitting.fit import fit as fit
    from canvaswidget.inr import INR as INR
    from canvaswidget.inr import as_inr as as_inr
    from canvaswidget.inr.loading import load as load
    from canvaswidget.masks import MaskPainter as MaskPainter
    from canvaswidget.reporting.report import Report as Report
    from canvaswidget.reporting.report import report as report
    from canvaswidget.runs import Recorder as Recorder
    from canvaswidget.runs import RunError as RunError
    from canvaswidget.runs import Runs as Runs
    from canvaswidget.surveys import Job as Job
    from canvaswidget.surveys import Survey as Survey
    from canvaswidget.surveys import survey as survey
    from canvaswidget.surveys.opening import open_store as _open_store
    from canvaswidget.tracing import Canvas as Canvas
    from canvaswidget.tracing import CaptureError as CaptureError
    from canvaswidget.tracing import Layer as Layer
    from canvaswidget.tracing import NotKeptError as NotKeptError
    from canvaswidget.tracing import SavedCanvas as SavedCanvas
    from canvaswidget.tracing import SavedCanvasError as SavedCanvasError
    from canvaswidget.tracing import UntraceableError as UntraceableError
    from canvaswidget.tracing import trace as trace
    from canvaswidget.widget import CanvasWidget as CanvasWidget

    open = _open_store

# Where each public name is: above for type checkers, which don't run `__getattr__`, and here for Python. It is imported
# when it is first asked for, so that importing the package, and what needs no torch (`canvaswidget --help`), takes no
# time.
_PLACES = {
    "INR": "inr",
    "Canvas": "tracing",
    "CanvasWidget": "widget",
    "CaptureError": "tracing",
    "Job": "surveys",
    "Layer": "tracing",
    "MaskPainter": "masks",
    "NotKeptError": "tracing",
    "Recorder": "runs",
    "Report": "reporting.report",
    "RunError": "runs",
    "Runs": "runs",
    "SavedCanvas": "tracing",
    "SavedCanvasError": "tracing",
    "Survey": "surveys",
    "UntraceableError": "tracing",
    "analysis": "analysis",
    "as_inr": "inr",
    "demo": "demo",
    "edited": "analysis.edited",
    "fit": "fitting.fit",
    "load": "inr.loading",
    "media": "media",
    "models": "models",
    "open": "surveys.opening",
    "prune": "analysis.pruning",
    "quantise": "analysis.quantise",
    "report": "reporting.report",
    "survey": "surveys",
    "surveys": "surveys",
    "trace": "tracing",
}

if not TYPE_CHECKING:
    __all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_PLACES[name]}")
    value = module if _PLACES[name] == name else getattr(module, "open_store" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
