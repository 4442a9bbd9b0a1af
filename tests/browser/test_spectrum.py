"""The spectrum panel in a notebook: its numbers are the kernel's, for what is selected and the frame that is shown."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), rule='gated', faithfulness=False, layer='decoder.3', time=4)\nw",
]

# Of the selected neuron's map, from NumPy's transform: centroid and bandwidth.
EXPECTED = """
import numpy as np
def _expected():
    maps = _w.canvas.map(_w.layer, _w.neuron, _w.time, rgb="each").astype(float)
    h, w = maps.shape[:2]
    window = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (h, w)))[..., None]
    mean = (maps * window**2).sum((0, 1)) / (window**2).sum()
    power = (abs(np.fft.fft2((maps - mean) * window, axes=(0, 1))) ** 2).sum(-1)
    power[0, 0] = 0
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
    centroid = (power * frequency).sum() / power.sum()
    spread = np.sqrt((power * (frequency - centroid) ** 2).sum() / power.sum())
    return [f"{value:.3f}" for value in (centroid, spread)]
"""


def line(view: WidgetView, name: str) -> list[str]:
    row = view.part("spectrum-table").locator(f'[data-line="{name}"]')
    expect(row).to_have_count(1, timeout=TIMEOUT)
    return row.locator("td").all_text_contents()


def wait_selection(view: WidgetView, neuron: list[int]) -> None:
    """Until the selection's line is that of the neuron."""
    shown = view.root.locator(".cw-spectrum")
    key = f"decoder.3.conv.upconv.0/{','.join(map(str, neuron))}"
    expect(shown).to_have_attribute("data-selection", key, timeout=TIMEOUT)


def test_its_lines_and_words_are_of_what_is_shown(notebook: NotebookPage) -> None:
    view = notebook.widget
    tab = view.root.get_by_role("tab", name="spectrum")
    view.root.get_by_role("tab", name="pixel").focus()
    view.root.get_by_role("tab", name="pixel").press("ArrowRight")
    expect(tab).to_be_focused()
    notebook.wait_for(lambda: notebook.ask("_w.panel"), "spectrum", "the panel")
    neuron = notebook.ask("list(_w.neuron)")
    wait_selection(view, neuron)
    assert line(view, "selection") == notebook.ask("_expected()", EXPECTED)
    paths = view.part("spectrum").locator("path.cw-chart-line")
    expect(paths).to_have_count(4)
    assert all(path.count("L") > 40 for path in (one.get_attribute("d") or "" for one in paths.all()))
    before = line(view, "output")
    notebook.ask("None", "_w.time = 20; _w.neuron = _w.canvas.layers.find(_w.layer).neuron_at(40)")
    expect(view.panel("pixel").locator(".cw-label")).to_contain_text("frame 20", timeout=TIMEOUT)
    wait_selection(view, notebook.ask("list(_w.neuron)"))
    assert line(view, "selection") == notebook.ask("_expected()", EXPECTED)
    assert line(view, "output") != before
    notebook.ask("None", "_w.panel = 'pixel'")
    expect(view.root.locator(".cw-spectrum")).to_be_hidden()
    expect(view.panel("pixel").locator(".cw-bar").first).to_be_visible(timeout=TIMEOUT)
