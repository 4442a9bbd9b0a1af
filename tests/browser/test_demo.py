"""What `make demo` runs shows a notebook with every cell run, and its widgets are alive."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from tests.browser.conftest import Pages
from tests.browser.page import FIND_WIDGET, NotebookPage
from tests.conftest import ROOT

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.image())\nw", "1 + 1"]


@contextmanager
def running_demo(notebook: Path, work: Path) -> Iterator[str]:
    """Run the demo without a browser; gives the address that it prints."""
    command = [sys.executable, "-m", "tools.demo", str(notebook), "--work", str(work)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "BROWSER": "none"}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            address = re.search(r"http://127\.0\.0\.1:\d+/lab/tree/\S+", line)
            if address:
                yield address.group()
                break
        else:
            pytest.fail("the demo ended early:\n" + "".join(said))
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=240)[0]
    assert "Stopped." in rest


def test_cells_are_run_and_the_widget_answers(new_page: Pages, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "short.ipynb")
    with running_demo(tmp_path / "short.ipynb", tmp_path / "work") as address:
        notebook = NotebookPage(new_page(), address).open()
        counts = notebook.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                .filter(cell => cell.type === 'code').map(cell => cell.executionCount)"""
        )
        assert counts == list(range(1, len(counts) + 1))
        view = notebook.widget
        view.click_pixel(20, 30)
        notebook.execute(FIND_WIDGET)
        notebook.wait_for(lambda: notebook.ask("list(_w.pixel)"), [20, 30], "the pixel")
        assert view.bars()
