"""The export menu: what the kernel makes lands in the browser's downloads, and can be stopped."""

from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False, layer='decoder.2', time=9)\nw",
]


@pytest.fixture
def view(notebook: NotebookPage) -> WidgetView:
    notebook.widget.wait_settled()
    return notebook.widget


def save(view: WidgetView, part: str, path: Path) -> tuple[str, bytes]:
    """Choose something in the menu; the name and the bytes of what is saved."""
    menu = view.part("export")
    if not menu.evaluate("menu => menu.open"):
        menu.locator("summary").click()
    with view.page.expect_download(timeout=TIMEOUT) as waiting:
        view.part(part).click()
    waiting.value.save_as(path)
    return waiting.value.suggested_filename, path.read_bytes()


def test_files_are_saved(view: WidgetView, tmp_path: Path) -> None:
    name, figure = save(view, "export-pdf", tmp_path / "a")
    assert name.endswith(".pdf")
    assert figure.startswith(b"%PDF")
    view.part("export").locator("summary").click()
    view.page.get_by_label("Panel of the figure").select_option("time")
    _, panel = save(view, "export-svg", tmp_path / "a")
    assert b"the selection through time" in panel
    assert b"neurons of pixel" not in panel
    _, table = save(view, "export-csv", tmp_path / "a")
    assert table.startswith(b"layer,neuron,contribution,magnitude,share of layer")
    _, arrays = save(view, "export-npz", tmp_path / "a")
    assert np.load(io.BytesIO(arrays))["frame"].shape == (128, 256, 3)
    _, animation = save(view, "export-mp4", tmp_path / "a.mp4")
    assert len(animation) > 1000
    assert iio.imread(tmp_path / "a.mp4", plugin="pyav").shape[0] == 24
    name, page = save(view, "export-html", tmp_path / "a")
    assert name.endswith(".html")
    assert page.startswith(b"<!doctype html>")
    assert page.rstrip().endswith(b"</html>")
    expect(view.part("status")).to_contain_text("saved")
    expect(view.part("export-cancel")).to_be_hidden()


def test_a_animation_is_stopped(view: WidgetView) -> None:
    view.part("export").locator("summary").click()
    view.part("export-gif").click()
    cancel = view.part("export-cancel")
    cancel.click(timeout=TIMEOUT)
    expect(cancel).to_be_hidden(timeout=TIMEOUT)
    view.wait_settled()
    expect(view.part("status")).not_to_contain_text("saved")
