"""Objects drawn with the mouse, in a real notebook."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener
from tests.browser.page import TIMEOUT, pixels

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\npainter = cw.MaskPainter(w)\npainter",
]


@pytest.fixture
def server(lab_server):
    return lab_server


def at(canvas: Locator, y: float, x: float) -> tuple[float, float]:
    """Where on the page a point of the frame, of 128x256 pixels, lies."""
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 128


def test_an_object_is_painted_copied_and_the_region_of_the_widget(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=CELLS)
    notebook.run_all()
    page = notebook.page
    canvas = page.locator(".widget-vbox canvas")
    expect(canvas).to_be_visible(timeout=TIMEOUT)
    canvas.scroll_into_view_if_needed()
    notebook.wait_for(lambda: bool(pixels(canvas)[..., 3].all()), True, "the frame")
    before = pixels(canvas)

    page.mouse.move(*at(canvas, 40.5, 60.5))
    page.mouse.down()
    page.mouse.move(*at(canvas, 40.5, 100.5), steps=4)
    page.mouse.up()
    # A bar, 40 pixels long and 6 or 7 high, with round ends.
    notebook.wait_for(lambda: notebook.ask("220 < int(painter.mask().sum()) < 340"), True, "the size of it")
    ys, xs = notebook.ask("[part.tolist() for part in painter.mask().nonzero()]")
    assert abs(np.mean(ys) - 40) < 1
    assert abs(np.mean(xs) - 80) < 1
    assert notebook.ask("bool((w.region.mask == painter.mask()).all())")

    mask = notebook.ask_array("painter.mask()")
    scale = before.shape[0] // mask.shape[0]

    def seen() -> bool:
        changed = (pixels(canvas) != before).any(-1)
        return not (changed & ~np.kron(mask, np.ones((scale, scale), bool))).any() and (
            changed[::scale, ::scale][mask].mean() > 0.95
        )

    notebook.wait_for(seen, True, "that it is seen")

    time, area = notebook.ask("[painter.time, int(painter.masks.sum())]")
    page.get_by_role("button", name="copy to next").click()
    notebook.wait_for(
        lambda: notebook.ask("[painter.time, int(painter.masks.sum()), w.time]"),
        [time + 1, 2 * area, time + 1],
        "the copy",
    )
    page.get_by_role("button", name="undo").click()
    notebook.wait_for(lambda: notebook.ask("int(painter.masks.sum())"), area, "what is left")
