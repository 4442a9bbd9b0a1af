"""Neurons ablated in a real notebook: the pixels are those of `Canvas.ablate`, and come back exactly."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView, pixels, small_targets

# Nothing lies over the pictures.
CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False, layer='decoder.2', opacity=0)\nw",
]
LEFT = "_w.canvas.ablate(_w.ablated, _w.time)"
# How far a picture of the kernel's is from the truth.
SHOWN = """import numpy as _n
def psnr(image):
    return float(-10 * _n.log10(((_n.clip(image, 0, 1) - _w.inr.truth[_w.time]) ** 2).mean()))
"""


@pytest.fixture
def notebook(notebook: NotebookPage) -> NotebookPage:
    notebook.execute(SHOWN)
    return notebook


def expected(notebook: NotebookPage, image: str) -> np.ndarray:
    return notebook.ask_array(f"_n.rint(_n.clip({image}, 0, 1) * 255).astype(_n.uint8)")


def shown(view: WidgetView) -> np.ndarray:
    return pixels(view.frame)[..., :3]


def test_the_pixels_are_those_without_the_neurons_and_come_back_exactly(notebook: NotebookPage) -> None:
    view = notebook.widget
    before = pixels(view.frame)
    np.testing.assert_array_equal(shown(view), expected(notebook, "_w.canvas.frame(_w.time)"))
    view.root.focus()
    notebook.page.keyboard.press("k")
    view.wait_frame(source="ablated", out=1)
    notebook.wait_for(lambda: notebook.ask("len(_w.ablated)"), 1, "the layers with neurons out")
    one = expected(notebook, LEFT)
    np.testing.assert_array_equal(shown(view), one)
    assert (one != before[..., :3]).any()

    # The strongest neuron of the pixel in another layer, with the mouse.
    view.root.locator('.cw-bar:not([hidden]):not([data-layer*="decoder.2"])').first.click()
    view.part("ablate").click()
    view.wait_frame(out=2)
    notebook.wait_for(lambda: notebook.ask("len(_w.ablated)"), 2, "the layers with neurons out")
    two = expected(notebook, LEFT)
    np.testing.assert_array_equal(shown(view), two)
    assert (two != one).any()
    now, then = notebook.ask("[psnr(_w.canvas.ablate(_w.ablated, _w.time)), psnr(_w.canvas.frame(_w.time))]")
    expect(view.part("ablation-psnr")).to_have_text(f"{now:.1f} dB, was {then:.1f} dB")

    view.panel("frame").locator("[data-value=difference]").click()
    view.wait_frame(source="difference", out=2)
    assert (pixels(view.frame)[..., :3] != two).any()
    view.panel("frame").locator("[data-value=ablated]").click()
    view.wait_frame(source="ablated", out=2)

    # Other frames too; then back.
    view.root.focus()
    time = notebook.ask("_w.time")
    for _ in range(2):
        notebook.page.keyboard.press("ArrowRight")
    view.wait_frame(time=time + 2, source="ablated", out=2)
    notebook.wait_for(lambda: notebook.ask("_w.time"), time + 2, "the time")
    np.testing.assert_array_equal(shown(view), expected(notebook, LEFT))
    for _ in range(2):
        notebook.page.keyboard.press("ArrowLeft")
    notebook.page.keyboard.press("Shift+K")
    view.wait_frame(time=time, source="reconstruction")
    notebook.wait_for(lambda: notebook.ask("[_w.ablated, _w.source]"), [{}, "reconstruction"], "the state")
    np.testing.assert_array_equal(pixels(view.frame), before)
    expect(view.part("ablation-bar")).to_be_hidden()


def test_a_cluster_and_what_python_takes_out(notebook: NotebookPage) -> None:
    view = notebook.widget
    view.part("cluster-neurons").click()
    view.root.locator('.cw-chip[data-cluster="1"]').click()
    view.root.focus()
    expect(view.part("ablate")).to_have_attribute("aria-label", "Ablate cluster 1 (k)", timeout=TIMEOUT)
    view.part("ablate").click()
    members = notebook.ask(
        "_n.argwhere(_k.labels == 1).tolist()",
        "from canvaswidget.kernel.similarity import known_clusters\n"
        "_c = _w._live.cached; _k = known_clusters(_c, _c.layers.find(_w.layer), _w.n_clusters)",
    )
    view.wait_frame(source="ablated", out=len(members))
    notebook.wait_for(lambda: notebook.ask("list(_w.ablated.values())"), [members], "the cluster's neurons")
    np.testing.assert_array_equal(shown(view), expected(notebook, LEFT))

    notebook.execute("_w.ablated = {-1: [(0, 0)], 'decoder.1': [(0, 1), (2, 0)]}")
    view.wait_frame(source="ablated", out=3)
    view.part("ablated").locator("summary").click()
    rows = view.part("ablated").locator("li")
    expect(rows).to_have_count(3)
    assert small_targets(notebook.page, 28) == []
    rows.first.get_by_role("button", name="Put back").click()
    view.wait_frame(out=2)
    notebook.wait_for(lambda: notebook.ask("sum(map(len, _w.ablated.values()))"), 2, "what is out")
    np.testing.assert_array_equal(shown(view), expected(notebook, LEFT))
    notebook.execute("_w.ablated = {}")
    view.wait_frame(source="reconstruction")
    np.testing.assert_array_equal(shown(view), expected(notebook, "_w.canvas.frame(_w.time)"))


def test_a_neuron_is_scaled_by_a_slider(notebook: NotebookPage) -> None:
    view = notebook.widget
    view.root.focus()
    notebook.page.keyboard.press("k")
    view.wait_frame(source="ablated", out=1)
    slider = view.part("factor")
    slider.focus()
    # One key, so one step of undo: keys that come slowly, as on a busy machine, are steps of their own.
    notebook.page.keyboard.press("End")
    notebook.wait_for(
        lambda: notebook.ask("[list(by.values()) for by in _w.edits.values()]"), [[2]], "the factor"
    )
    assert notebook.ask("_w.ablated") == {}
    view.wait_settled()
    bar = view.part("ablation-bar")
    expect(bar).to_contain_text("1 scaled")
    expect(bar).to_contain_text("× 2.00")
    scaled = expected(notebook, "_w.canvas.edit(_w.edits, _w.time)")
    np.testing.assert_array_equal(shown(view), scaled)
    assert (scaled != expected(notebook, "_w.canvas.frame(_w.time)")).any()
    notebook.page.keyboard.press("Control+z")
    notebook.wait_for(lambda: notebook.ask("len(_w.edits)"), 0, "what was before")
    view.part("restore-all").click()
    view.wait_frame(source="reconstruction")
    np.testing.assert_array_equal(shown(view), expected(notebook, "_w.canvas.frame(_w.time)"))
