"""A saved notebook, converted or shown by a viewer without widgets: the last view is there as a picture."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, expect

CELLS = ("import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.image(), pixel=(60, 90))\nw")


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    return notebook


def test_a_plain_viewer_finds_a_picture(executed: nbformat.NotebookNode) -> None:
    pictures = [output.data for output in executed.cells[1].outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1
    assert base64.b64decode(pictures[0]["image/png"]).startswith(b"\x89PNG")
    assert "<img" in pictures[0]["text/html"]
    assert "application/vnd.jupyter.widget-view+json" not in pictures[0]


def test_nbconvert_shows_the_picture_on_screen_and_in_print(
    executed: nbformat.NotebookNode, browser: Browser, tmp_path: Path
) -> None:
    page_text, _ = HTMLExporter().from_notebook_node(executed)
    (tmp_path / "a.html").write_text(page_text, encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "a.html").as_uri(), wait_until="domcontentloaded")
    picture = page.locator("[class^=cw-picture-] img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert "CanvasWidget" in (picture.get_attribute("alt") or "")
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert b"/Image" in printed
    context.close()
