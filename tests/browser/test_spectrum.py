"""The spectrum panel in a notebook: its numbers are the kernel's, for what is selected and the frame that is shown."""

from __future__ import annotations

import re

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


# The largest magnitude of the map within the band.
LARGEST = """
def _largest():
    values = _w.canvas.map(_w.layer, _w.neuron, _w.time).astype(float)
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, values.shape), indexing="ij"))
    low, high = _w.band
    part = np.fft.ifft2(np.fft.fft2(values) * ((frequency > low + 1e-9) & (frequency <= high + 1e-9)))
    return float(abs(part).max())
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


def drag_a_band(notebook: NotebookPage, view: WidgetView) -> None:
    """The frame shows the band of the map, as a transform of it in the kernel has it, and Esc gives the map back."""
    box = view.part("spectrum").bounding_box()
    assert box is not None
    across = box["width"] - 48 - 14
    mouse, y = notebook.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + 48 + 0.1 / 0.5 * across, y)
    mouse.down()
    mouse.move(box["x"] + 48 + 0.2 / 0.5 * across, y, steps=4)
    mouse.up()
    notebook.wait_for(lambda: notebook.ask("list(_w.band or ())"), [0.1, 0.2], "the band")
    label = view.panel("frame").locator(".cw-label")
    expect(label).to_contain_text("0.10 to 0.20 cycles a pixel", timeout=TIMEOUT)
    view.part("band-high").press("ArrowRight")
    expect(label).to_contain_text("0.10 to 0.21 cycles a pixel", timeout=TIMEOUT)
    largest = notebook.ask("_largest()", LARGEST)
    expect(view.part("colourbar").locator(".cw-bar-high")).to_have_text(f"{largest:.3g}", timeout=TIMEOUT)
    view.part("band-high").press("Escape")
    notebook.wait_for(lambda: notebook.ask("_w.band"), None, "no band")
    expect(label).not_to_contain_text("cycles a pixel")


def colour_by_frequency(notebook: NotebookPage, view: WidgetView) -> None:
    """Thumbnails have borders, and the scatter points, in colours that a bar explains."""
    notebook.ask("None", "_w.layer = 'head_layer'")
    view.root.locator(".cw-colour-by [data-value=frequency]").click()
    notebook.wait_for(lambda: notebook.ask("_w.colour_by"), "frequency", "the colours")
    bar = view.part("frequency-bar")
    expect(bar.locator(".cw-bar-high")).not_to_be_empty(timeout=TIMEOUT)
    low, high = notebook.ask(
        "[f'{float(f(cw.analysis.spectrum(_w.canvas, _w.layer, _w.time, sample=None).centroid)):.3f}'"
        " for f in (np.nanmin, np.nanmax)]"
    )
    expect(bar.locator(".cw-bar-low")).to_have_text(low)
    expect(bar.locator(".cw-bar-high")).to_have_text(high)
    thumb = view.root.locator(".cw-thumb[data-frequency]").first
    expect(thumb).to_have_attribute("aria-label", re.compile("frequency: 0.* cycles a pixel"))
    view.root.get_by_role("button", name="scatter", exact=True).click()
    expect(view.root.locator("canvas[data-coloured=frequency]")).to_be_visible(timeout=TIMEOUT)


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
    drag_a_band(notebook, view)
    colour_by_frequency(notebook, view)
    notebook.ask("None", "_w.panel = 'pixel'")
    expect(view.root.locator(".cw-spectrum")).to_be_hidden()
    expect(view.panel("pixel").locator(".cw-bar").first).to_be_visible(timeout=TIMEOUT)
