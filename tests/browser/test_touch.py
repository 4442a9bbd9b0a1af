"""Regions drawn with a finger, in a real notebook: the page under it must not scroll instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import NotebookPage, WidgetView
from tests.browser.touch import swipe, tap

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\nw"]


@pytest.fixture
def view(notebook: NotebookPage) -> Iterator[WidgetView]:
    """Without a region; the picture stays in sight, where the fingers are."""
    notebook.execute("_w.region = None; _w.layer = -1")
    view = notebook.widget
    view.wait_settled()
    view.frame.scroll_into_view_if_needed()
    yield view
    view.root.press("Escape")


def drawn(notebook: NotebookPage) -> np.ndarray:
    """The region's mask, once there is one; it is taken away."""
    notebook.wait_for(lambda: notebook.ask("_w.region is not None"), True, "the region")
    mask = np.array(notebook.ask("_w.region.mask.tolist()"), bool)
    notebook.execute("_w.region = None")
    return mask


def test_a_box_and_a_lasso_go_in_every_direction(notebook: NotebookPage, view: WidgetView) -> None:
    view.part("tool-box").click()
    corners = [(10, 20), (10, 60), (40, 60), (40, 20)]
    for number, start in enumerate(corners):
        end = corners[(number + 2) % 4]
        swipe(view.page, view.point_at(*start), view.point_at(*end))
        rows, columns = drawn(notebook).nonzero()
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 40, 20, 60), (start, end)
    view.part("tool-lasso").click()
    for turn in (1, -1):
        path = [view.point_at(*corner) for corner in [*corners[::turn], corners[::turn][0]]]
        swipe(view.page, *path)
        assert abs(int(drawn(notebook).sum()) - 30 * 40) < 100


def test_the_brush_paints_under_a_finger(notebook: NotebookPage, view: WidgetView) -> None:
    view.part("tool-brush").click()
    expect(view.part("brush-size")).to_have_attribute("aria-valuetext", "16 px")
    where = view.frame.bounding_box()
    swipe(view.page, view.point_at(30, 100), view.point_at(90, 100))  # a page that scrolls would go along
    mask = drawn(notebook)
    assert view.frame.bounding_box() == where
    rows, columns = np.indices(mask.shape) + 0.5
    nearest = np.clip(rows, 30.5, 90.5)
    expected = np.hypot(rows - nearest, columns - 100.5) <= 8
    assert (mask ^ expected).sum() < 0.1 * expected.sum()
    view.part("brush-erase").click()
    notebook.execute("_w.region = ((20, 80), (60, 120))")
    expect(view.part("region").locator("path")).to_have_count(2)
    tap(view.page, view.point_at(40, 100))
    notebook.wait_for(lambda: notebook.ask("bool(_w.region.mask[40, 100])"), False, "the erased pixels")
    assert drawn(notebook)[25, 85]


def test_a_polygon_is_closed_by_a_tap_on_its_first_corner(notebook: NotebookPage, view: WidgetView) -> None:
    view.part("tool-polygon").click()
    corners = [(20, 40), (20, 160), (100, 100)]
    for corner in corners:
        tap(view.page, view.point_at(*corner))
    expect(view.part("polygon-close")).not_to_have_attribute("aria-disabled", "true")
    tap(view.page, view.point_at(*corners[0]))
    assert abs(int(drawn(notebook).sum()) - 120 * 80 / 2) < 150
