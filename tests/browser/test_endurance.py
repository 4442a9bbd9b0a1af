"""What a long session does: views leave the page and come back, and a thousand interactions keep nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.page import TIMEOUT, pixels

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\nw"]

# How the notebook takes cells out of the page that are not in sight; as it was before.
SET_WINDOWING = """mode => {
  const {content} = window.jupyterapp.shell.currentWidget;
  const before = content.notebookConfig.windowingMode;
  content.notebookConfig = {...content.notebookConfig, windowingMode: mode};
  return before;
}"""

SCROLL_TO = """cell => {
  const {content} = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = cell;  // the active cell is never taken out
  return content.scrollToItem(cell);
}"""


@pytest.fixture
def server(lab_server):
    return lab_server


def test_a_view_that_was_scrolled_out_comes_back_as_it_should_be(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=[*CELLS, *(["\n" * 30] * 12)])
    windowing = notebook.page.evaluate(SET_WINDOWING, "full")
    notebook.run_all()
    notebook.page.evaluate(SCROLL_TO, 1)
    view = notebook.widget
    view.click_pixel(30, 40)
    notebook.page.evaluate(SCROLL_TO, 13)
    expect(notebook.page.locator(".cw-root:visible")).to_have_count(0, timeout=TIMEOUT)
    notebook.execute("w.time = 4")
    notebook.page.evaluate(SCROLL_TO, 1)
    view = notebook.widget
    view.wait_frame(time=4)
    expect(view.panel("pixel")).to_have_attribute("data-pixel", "30,40", timeout=TIMEOUT)
    assert pixels(view.frame)[..., :3].std() > 5
    view.click_pixel(50, 60)
    notebook.page.evaluate(SET_WINDOWING, windowing)


# Keys as fast as a page can take them: the frames, the layers, the pixel, there and back again.
INTERACT = """async ([root, count]) => {
  const keys = ['ArrowRight', 'ArrowRight', ']', 'ArrowRight', '^ArrowDown', '[', 'ArrowLeft', 'ArrowLeft',
    '^ArrowUp', 'ArrowLeft'];
  for (let i = 0; i < count; i++) {
    const key = keys[i % keys.length];
    root.dispatchEvent(new KeyboardEvent('keydown', {
      key: key.replace('^', ''), shiftKey: key.startsWith('^'), bubbles: true, cancelable: true,
    }));
    if (i % 2) await new Promise(requestAnimationFrame);
  }
}"""


@pytest.mark.repeats  # of what the tests of single interactions do
def test_a_thousand_interactions_leave_memory_flat(open_notebook: Opener) -> None:
    notebook = open_notebook(cells=CELLS)
    notebook.run_all()
    view, page = notebook.widget, notebook.page
    devtools = page.context.new_cdp_session(page)

    def interact(count: int) -> None:
        root = view.root.element_handle()
        page.evaluate(INTERACT, [root, count])
        view.wait_settled()

    def memory() -> tuple[float, int, float]:
        """MB of the page; its listeners and elements; MB of the kernel, but for the answers that it keeps."""
        for _ in range(2):
            devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")
        counters = devtools.send("Memory.getDOMCounters")
        kernel = notebook.ask(
            "_psutil.Process().memory_info().rss - w.stats()['cache_bytes']",
            "import gc as _gc, psutil as _psutil; _gc.collect()",
        )
        page_bytes = heap["usedSize"] + heap.get("backingStorageSize", 0)
        return page_bytes / 1e6, counters["jsEventListeners"] + counters["nodes"], kernel / 1e6

    interact(300)  # what is kept is kept by now
    before = memory()
    interact(1000)
    after = memory()
    growth = [then - now for then, now in zip(after, before, strict=True)]
    assert growth[0] < 8, f"the page grew from {before[0]:.0f} to {after[0]:.0f} MB"
    assert growth[1] < 300, f"listeners and elements grew from {before[1]} to {after[1]}"
    assert growth[2] < 80, f"the kernel grew from {before[2]:.0f} to {after[2]:.0f} MB"
