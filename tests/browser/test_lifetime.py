"""Several views, a page opened anew, a restarted kernel, a closed widget: each shows something sensible."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.page import FIND_WIDGET, TIMEOUT, NotebookPage, WidgetView, pixels

# JupyterLab and Notebook 7 differ in how they show views, save pages and restart kernels; the rest is seen in one.
in_lab = pytest.mark.parametrize("server", ["lab"], indirect=True)

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\nw"]

CLOSE = """
import gc, weakref
module = weakref.ref(w.canvas.inr.module)
w.close()
del w, _w
Out.clear()
_ = __ = ___ = None
gc.collect()
"""


def test_two_views_show_the_same(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=[*CELLS, "w"])
    notebook.run_all()
    roots = notebook.page.locator(".cw-root")
    expect(roots).to_have_count(2, timeout=TIMEOUT)
    first, second = notebook.views()
    first.wait_settled()
    first.click_pixel(30, 40)
    second.root.scroll_into_view_if_needed()
    expect(second.panel("pixel")).to_have_attribute("data-pixel", "30,40", timeout=TIMEOUT)
    notebook.execute("w.time = 4")
    first.wait_frame(time=4)
    second.wait_frame(time=4)


def test_page_opened_anew_finds_the_widget_as_it_was(notebook: NotebookPage) -> None:
    notebook.widget.click_pixel(30, 40)
    notebook.execute("w.time = 4")
    notebook.save()
    notebook.open()
    view = notebook.widget
    view.wait_frame(time=4)
    expect(view.panel("pixel")).to_have_attribute("data-pixel", "30,40", timeout=TIMEOUT)
    view.click_pixel(50, 60)
    notebook.execute(FIND_WIDGET)
    notebook.wait_for(lambda: notebook.ask("list(_w.pixel)"), [50, 60], "w.pixel")


RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
# The neurons of a pixel are never told.
STUCK = """
import threading
from canvaswidget.kernel import ranking
ranking.pixel_columns = lambda *arguments: threading.Event().wait()
"""


def expect_gone(view: WidgetView) -> None:
    """The page says that the kernel is gone, and lets nothing be chosen; no panel waits, or says it has an answer."""
    said = view.part("status")
    expect(said).to_contain_text("The kernel is gone: run the cell again", timeout=TIMEOUT)
    expect(said).to_have_attribute("data-kind", "error")
    expect(view.root).to_have_attribute("data-gone", "")
    for part in (".cw-toolbar", ".cw-panels"):
        assert view.root.locator(part).evaluate("part => part.inert")
    expect(view.root.locator('[data-panel][data-state="loading"]')).to_have_count(0)
    expect(view.frame).to_be_visible()


def test_restarted_kernel_is_said_and_run_again_works(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=CELLS)
    notebook.run_all()
    view = notebook.widget
    notebook.execute(STUCK)
    notebook.page.mouse.click(*view.point_at(30, 40))
    pixel = view.panel("pixel")
    expect(pixel).to_have_attribute("data-state", "loading", timeout=TIMEOUT)
    notebook.page.evaluate(RESTART)
    notebook.wait_idle()
    expect_gone(view)
    expect(pixel).to_have_attribute("data-state", "error")  # what it was asked for never came
    expect(pixel).not_to_have_attribute("data-pixel", "30,40")
    notebook.run_all()
    notebook.widget.click_pixel(30, 40)


@in_lab
def test_a_kernel_that_is_shut_down_is_said_and_nothing_can_be_chosen(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=CELLS)
    notebook.run_all()
    view = notebook.widget
    shown = [panel.get_attribute("data-pixel") for panel in (view.panel("pixel"), view.part("grid"))]
    picture = pixels(view.frame)
    notebook.page.evaluate(SHUT_DOWN)
    expect_gone(view)
    notebook.page.mouse.click(*view.point_at(30, 40))
    view.page.keyboard.press("ArrowRight")
    expect_gone(view)
    assert [panel.get_attribute("data-pixel") for panel in (view.panel("pixel"), view.part("grid"))] == shown
    assert (pixels(view.frame) == picture).all()


def test_closed_widget_frees_its_model(notebook: NotebookPage) -> None:
    notebook.widget.click_pixel(30, 40)
    notebook.execute(CLOSE)
    assert notebook.ask("module() is None")


SAVED_PICTURES = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
  .flatMap(({outputs}) => outputs ?? []).map(({data}) => data?.["text/plain"] ?? "")
  .filter(text => [text].flat().join("").startsWith("<picture of CanvasWidget("))"""


def test_saved_notebook_shows_the_last_view_without_a_kernel(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=CELLS)
    notebook.run_all()
    view, page = notebook.widget, notebook.page
    picture = page.locator("[class^=cw-picture-] img")
    notebook.wait_for(lambda: len(page.evaluate(SAVED_PICTURES)), 1, "the number of pictures")
    expect(picture).to_be_hidden()
    view.click_pixel(30, 40)
    notebook.wait_for(lambda: "pixel=(30, 40)" in page.evaluate(SAVED_PICTURES)[0], True, "the picture of it")
    notebook.save()
    page.evaluate(SHUT_DOWN)
    notebook.open()
    expect(picture).to_be_visible(timeout=TIMEOUT)
    assert picture.evaluate("image => image.naturalWidth") > 500
    assert "pixel=(30, 40)" in str(picture.get_attribute("alt"))
    notebook.run_all()
    assert notebook.widget.root.is_visible()
    expect(picture).to_be_hidden()
