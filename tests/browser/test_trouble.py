"""Errors, lost connections, dead kernels, cells that take long: the widget says what is the case, and heals."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import Pages, put_notebook
from tests.browser.page import CLOSE_WIDGETS, TIMEOUT, NotebookPage, WidgetView
from tools.server import JupyterServer

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\nw"]

BREAK = """
def _broken(*arguments, **keywords):
    raise ValueError("the disk is full, make room")
from canvaswidget.kernel import ranking
_working = ranking.pixel_columns
ranking.pixel_columns = _broken
"""

# Sets traits while the page does, so that both ends of the wire are busy at once.
HEAVY = """
import time as _time
_end = _time.time() + 2.5
while _time.time() < _end:
    sum(range(200_000))  # some milliseconds: Jupyter's server drops what is over 1,000 messages a second
    w.opacity = 0.5 + (_time.time() % 0.4)
w.opacity = 0.75
"""

BEGIN = """code => {
  const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
  window.ended = null;
  kernel.requestExecute({code, stop_on_error: false}).done.then(({content}) => window.ended = content.status);
}"""

SUBSHELLS = "mode => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = mode; }"


@pytest.fixture
def server(lab_server):
    return lab_server


def test_an_error_is_told_in_its_panel_and_can_be_tried_again(notebook: NotebookPage) -> None:
    view = notebook.widget
    notebook.execute(BREAK)
    notebook.page.mouse.click(*view.point_at(30, 40))
    notebook.page.mouse.move(0, 0)
    for name in ("pixel", "neurons"):  # in the order of this pixel
        alert = view.panel(name).get_by_role("alert")
        expect(alert).to_contain_text("the disk is full, make room", timeout=TIMEOUT)
    expect(view.part("status")).to_contain_text("the disk is full")
    notebook.execute("ranking.pixel_columns = _working")
    for name in ("pixel", "neurons"):
        view.panel(name).get_by_role("button", name="Try again").click()
    expect(view.panel("pixel")).to_have_attribute("data-pixel", "30,40", timeout=TIMEOUT)
    view.wait_settled()


class Connection:
    """The web socket between the page and the kernel, as long as it is not cut."""

    def __init__(self) -> None:
        self.cut = False

    def route(self, page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        page_side.on_message(lambda message: None if self.cut else server_side.send(message))
        server_side.on_message(lambda message: None if self.cut else page_side.send(message))


@pytest.mark.usefixtures("_kernels")
def test_a_lost_connection_is_told_and_what_was_asked_meanwhile_is_shown_in_the_end(
    server: JupyterServer, new_page: Pages
) -> None:
    page, connection = new_page(), Connection()
    page.clock.install()
    page.route_web_socket(re.compile("/channels"), connection.route)
    notebook = NotebookPage(page, server.url(put_notebook(server, cells=CELLS))).open()
    notebook.run_all()
    view = notebook.widget
    connection.cut = True
    page.mouse.click(*view.point_at(30, 40))
    page.mouse.move(0, 0)
    said = view.part("status")
    for seconds, words in ((25, "The kernel is busy: no answer for 20 s"), (90, "check the connection")):
        page.clock.fast_forward(seconds * 1000)
        expect(said).to_contain_text(words, timeout=TIMEOUT)
    expect(said).to_have_attribute("data-kind", "error")
    expect(view.frame).to_be_visible()
    connection.cut = False

    def look() -> str | None:
        page.clock.fast_forward(10_000)  # it is asked again, after longer and longer
        return view.panel("pixel").get_attribute("data-pixel")

    notebook.wait_for(look, "30,40", "the pixel")
    expect(said).to_have_text("ready", timeout=TIMEOUT)


def test_a_kernel_that_died_is_told(notebook: NotebookPage) -> None:
    view = notebook.widget
    os.kill(notebook.ask("os.getpid()", "import os"), signal.SIGKILL)
    notebook.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click(timeout=TIMEOUT)
    expect(view.part("status")).to_contain_text("run the cell again", timeout=TIMEOUT)
    expect(view.frame).to_be_visible()
    notebook.wait_idle()
    notebook.run_all()
    notebook.widget.click_pixel(30, 40)


def drag_time(view: WidgetView, mouse_at: float) -> None:
    box = view.part("time").bounding_box()
    assert box is not None
    view.page.mouse.move(box["x"] + 4 + mouse_at * (box["width"] - 8), box["y"] + box["height"] / 2)


@pytest.mark.parametrize("subshells", ["perCommTarget", pytest.param("disabled", marks=pytest.mark.repeats)])
def test_dragging_while_a_cell_runs(notebook: NotebookPage, subshells: str) -> None:
    page = notebook.page
    page.evaluate(SUBSHELLS, subshells)
    notebook.execute(CLOSE_WIDGETS)
    notebook.run_all()
    view = notebook.widget
    page.evaluate(BEGIN, HEAVY)
    drag_time(view, 0.5)
    page.mouse.down()
    step = 0
    while page.evaluate("() => window.ended") is None:
        step += 1
        drag_time(view, step * 0.07 % 1)
    drag_time(view, 1)
    page.mouse.up()
    assert page.evaluate("() => window.ended") == "ok"
    view.wait_frame(time=23)
    view.wait_settled()
    notebook.wait_for(lambda: notebook.ask("[w.time, w.opacity]"), [23, 0.75], "the state")
    expect(view.part("opacity")).to_have_value("0.75")
    assert notebook.ask("w.stats()")["failed"] == 0
    view.click_pixel(30, 40)
    page.evaluate(SUBSHELLS, "perCommTarget")
