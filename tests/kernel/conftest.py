"""Pages that ask, and canvases that they ask about."""

from __future__ import annotations

from typing import Any

import pytest

import canvaswidget as cw
from tests.canvases import StepCanvas, video
from tests.kernel.page import Page


@pytest.fixture
def pages():
    opened: list[Page] = []

    def open_page(canvas: Any, **keywords: Any) -> Page:
        opened.append(Page(canvas, **keywords))
        return opened[-1]

    yield open_page
    for page in opened:
        page.session.close()


@pytest.fixture(scope="package")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture
def page(pages, canvas) -> Page:
    return pages(canvas)


@pytest.fixture
def w(widgets, canvas) -> cw.CanvasWidget:
    return widgets(canvas)


@pytest.fixture
def steps(pages) -> Page:
    return pages(StepCanvas())
