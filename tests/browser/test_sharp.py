"""On a screen with two pixels to a CSS pixel: the same layout, and nothing is drawn with half of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener, Pages
from tests.browser.page import TIMEOUT, NotebookPage
from tests.browser.test_access import AXE, CHECK
from tools.server import JupyterServer

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False, layer='decoder.2', "
    "regions={'left': ((60, 0), (128, 40))})\nw",
]

# Where things stand in the widget; what scrolls is as it was scrolled.
LAYOUT = """root => {
  const {left, top} = root.getBoundingClientRect();
  const parts = root.querySelectorAll('[data-panel], .cw-tools, .cw-label, .cw-foot, .cw-region-row, .cw-status');
  return [...parts].map(element => {
    const box = element.getBoundingClientRect();
    // What is hidden stands nowhere: its place would be how far the page is scrolled.
    if (!element.getClientRects().length) return [element.className, 'hidden'];
    return [element.className, box.left - left, box.top - top, box.width, box.height].map(
      value => typeof value === 'number' ? Math.round(value) : value);
  });
}"""

# What is drawn by size, as the number of drawn pixels to a CSS pixel.
DENSITY = """canvas => [canvas.width / canvas.clientWidth, canvas.height / canvas.clientHeight]"""

RENDERING = """canvas => [getComputedStyle(canvas).imageRendering, canvas.width, canvas.height]"""


def wait_film(notebook: NotebookPage) -> None:
    film = notebook.widget.part("film")
    expect(film).to_have_attribute("data-drawn", re.compile(r"^([1-9]\d*)/\1$"), timeout=TIMEOUT)


def density(canvas: Locator) -> Any:
    return canvas.evaluate(DENSITY)


@pytest.fixture
def server(lab_server: JupyterServer) -> JupyterServer:
    return lab_server


def test_pictures_are_crisp_and_the_layout_is_the_same(open_notebook: Opener, new_page: Pages) -> None:
    plain = open_notebook(cells=CELLS)
    plain.run_all()
    wait_film(plain)
    plain.save()
    sharp = NotebookPage(new_page(2), plain.url).open()  # the same kernel and widget, on another screen
    wait_film(sharp)
    view = sharp.widget
    assert sharp.page.evaluate("devicePixelRatio") == 2

    # Maps and frames have their own pixels, which are not blurred.
    assert view.frame.evaluate(RENDERING) == ["pixelated", 256, 128]
    assert view.root.locator(".cw-thumb-map").first.evaluate(RENDERING) == ["pixelated", 64, 32]
    # What is drawn to a size is drawn with all pixels that the screen has there.
    assert density(view.part("film")) == pytest.approx([2, 2], abs=0.05)
    assert density(plain.widget.part("film")) == pytest.approx([1, 1], abs=0.05)

    assert view.root.evaluate(LAYOUT) == plain.widget.root.evaluate(LAYOUT)

    sharp.page.evaluate(AXE.read_text(encoding="utf-8"))
    violations, looked_at = sharp.page.evaluate(CHECK)
    assert "color-contrast" in looked_at
    assert not violations, "\n".join(violations)

    view.root.locator("[data-value=scatter]").click()
    expect(view.part("scatter")).to_have_attribute("data-method", "pca", timeout=TIMEOUT)
    assert density(view.part("scatter")) == pytest.approx([2, 2], abs=0.05)
