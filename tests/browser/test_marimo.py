"""The widget in marimo, which has no Jupyter in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app_server import running, wait_until_said
from tests.browser.conftest import Pages
from tests.browser.page import TIMEOUT, WidgetView
from tools.server import HOST, free_port

APP = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import canvaswidget as cw

    w = cw.CanvasWidget(cw.demo.video(), time=3)
    w.observe(lambda change: print("w.pixel =", change.new, flush=True), "pixel")
    w.observe(lambda change: print("w.region =", int(change.new.mask.sum()), flush=True), "region")
    w
    return (w,)


@app.cell
def _(w):
    w.layer = "head_layer"
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture(scope="module")
def _app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    tmp_path = tmp_path_factory.mktemp("marimo")
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    port = free_port()
    options = ["--headless", "--no-token", "--host", HOST, "--port", str(port)]
    command = [sys.executable, "-m", "marimo", "run", str(tmp_path / "app.py"), *options]
    with running(command, tmp_path, f"http://{HOST}:{port}", "/health") as log:
        yield f"http://{HOST}:{port}", log


@pytest.fixture
def app(browser: Browser, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """The address of a running marimo app, and its log."""
    return request.getfixturevalue("_app")


def test_a_clicked_pixel_is_known_to_python_and_python_moves_the_page(
    app: tuple[str, Path], new_page: Pages
) -> None:
    url, log = app
    page = new_page()
    page.goto(url)
    root = page.locator(".cw-root").first
    expect(root).to_be_visible(timeout=2 * TIMEOUT)  # the app runs when the page is there, torch and all
    view = WidgetView(root)
    view.wait_settled()
    view.wait_frame(time=3)
    expect(view.part("layer-name")).to_have_text("head_layer", timeout=TIMEOUT)
    view.click_pixel(30, 40)
    view.wait_settled()
    assert len(view.bars()) > 5
    wait_until_said(page, log, r"w\.pixel = \(30, 40\)")


def test_the_brush_and_the_polygon_draw_a_region(app: tuple[str, Path], new_page: Pages) -> None:
    url, log = app
    page = new_page()
    page.goto(url)
    view = WidgetView(page.locator(".cw-root").first)
    expect(view.root).to_be_visible(timeout=2 * TIMEOUT)
    view.wait_settled()
    view.wait_frame(time=3)
    view.part("tool-brush").click()
    expect(view.part("brush-size")).to_have_attribute("aria-valuetext", "16 px")
    page.mouse.click(*view.point_at(90, 200))
    area = int(wait_until_said(page, log, r"w\.region = (\d+)")[1])
    assert abs(area - np.pi * 8**2) < 25
    view.root.press("Enter")
    expect(view.part("brush-bar")).to_be_hidden()
    view.part("tool-polygon").click()
    for corner in [(20, 40), (20, 160), (100, 100), (20, 40)]:
        page.mouse.click(*view.point_at(*corner))
    area = int(wait_until_said(page, log, r"w\.region = (\d{4,})")[1])
    assert abs(area - 120 * 80 / 2) < 150
    expect(view.panel("pixel")).to_have_attribute("data-of", "region", timeout=TIMEOUT)
    view.wait_settled()
    assert len(view.bars()) > 5


def test_its_light_theme_on_a_dark_system_shows_a_light_widget(
    app: tuple[str, Path], new_page: Pages
) -> None:
    url, _ = app
    page = new_page()
    page.emulate_media(color_scheme="dark")
    page.goto(url)
    root = page.locator(".cw-root").first
    expect(root).to_have_attribute("data-theme", "light", timeout=2 * TIMEOUT)
    expect(root).to_have_css("background-color", "rgb(255, 255, 255)")
