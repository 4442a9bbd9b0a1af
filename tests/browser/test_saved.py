"""A saved canvas in a notebook that the command line wrote: what was kept is shown, what was not is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

import canvaswidget as cw
from canvaswidget import cli
from tests.browser.conftest import Opener
from tests.browser.page import FIND_WIDGET, TIMEOUT


@pytest.fixture
def server(lab_server):
    return lab_server


def test_a_saved_canvas_is_shown_and_says_what_it_has_not(
    open_notebook: Opener, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canvas = cw.trace(cw.demo.video())
    canvas.save(tmp_path / "clip.zarr", layers="head", frames=[3, 4], maps=4, progress=False)
    assert cli.main(["view", str(tmp_path / "clip.zarr"), "--folder", str(tmp_path), "--write-only"]) == 0
    notebook = open_notebook(Path(capsys.readouterr().out.strip()))
    notebook.run_all()
    notebook.execute(FIND_WIDGET)
    view = notebook.widget
    view.wait_frame(time=4)
    expect(view.part("facts")).to_contain_text("saved canvas", timeout=TIMEOUT)
    saved = cw.open(tmp_path / "clip.zarr")
    assert isinstance(saved, cw.SavedCanvas)
    kept = len(saved.kept("head"))
    expect(view.root.locator(".cw-thumb[data-neuron]")).to_have_count(kept, timeout=TIMEOUT)
    expect(view.part("curve")).to_have_attribute("data-done", "24", timeout=TIMEOUT)
    notebook.execute("_w.time = 9")
    expect(view.part("status")).to_contain_text("has no frame 9: it keeps 3, 4", timeout=TIMEOUT)
    notebook.execute("_w.time = 3")
    view.wait_frame(time=3)
    view.wait_settled()
