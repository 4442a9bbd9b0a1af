"""Widgets on a small video and on a canvas whose every step can be watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import canvaswidget as cw
from canvaswidget.kernel import facts
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import StepCanvas, clip, video


@pytest.fixture(scope="package")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture(scope="module")
def widget() -> Iterator[CanvasWidget]:
    """Of two runs of a small clip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("canvaswidget.widget.live_view.bundled", lambda name: f"/* {name} */")
        made = CanvasWidget(cw.Runs({"one": clip(0), "two": clip(1)}, rule="gated"))
    yield made
    made.close()


@pytest.fixture
def w(widgets, canvas) -> CanvasWidget:
    return widgets(canvas)


@pytest.fixture
def stepped(widgets, monkeypatch: pytest.MonkeyPatch) -> CanvasWidget:
    """On a `StepCanvas`; it can be traced anew under "other", where it has one layer, and not under "undefined"."""

    def under(self: StepCanvas, rule: str) -> StepCanvas:
        if rule != "other":
            raise cw.UntraceableError(f"rule={rule!r}: not defined on this model")
        traced = StepCanvas(rule)
        traced.traced_layers = cw.tracing.Layers([traced.layers[1]])
        return traced

    monkeypatch.setattr(live_view, "canvas_of", lambda *_: StepCanvas())
    monkeypatch.setattr(StepCanvas, "memory", 2**20, raising=False)
    monkeypatch.setattr(StepCanvas, "under", under, raising=False)
    monkeypatch.setattr(facts, "RULES", {"xinc": None, "other": None, "undefined": None})
    return widgets(None)
