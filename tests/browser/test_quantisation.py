"""What quantised weights lose, in a real notebook: the grey picture is that of a copy with these bits."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests.browser.page import NotebookPage, pixels

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False, layer='decoder.2')\nw",
]
# A copy is rendered by itself, without the canvas.
COPY = """import numpy as _n
def copy(bits, scheme):
    return _n.clip(cw.quantise(_w.inr, bits, scheme).frame(_w.time), 0, 1)
def lost(bits, scheme):
    off = _n.abs(copy(bits, scheme) - _n.clip(_w.canvas.frame(_w.time), 0, 1)).mean(2)
    return _n.rint(off / off.max() * 255).astype(_n.uint8)
def psnr(image):
    return float(-10 * _n.log10(((_n.clip(image, 0, 1) - _w.inr.truth[_w.time]) ** 2).mean()))
"""


def test_the_bits_are_chosen_and_the_picture_is_the_loss_of_a_copy(notebook: NotebookPage) -> None:
    notebook.execute(COPY)
    view = notebook.widget
    before = pixels(view.frame)
    expect(view.part("quantisation-bar")).to_be_hidden()
    view.panel("frame").locator("[data-value=quantisation]").click()
    view.wait_frame(source="quantisation")
    notebook.wait_for(lambda: notebook.ask("[_w.source, _w.bits]"), ["quantisation", 4], "the state")
    four = pixels(view.frame)[..., 0].astype(int)
    expected = notebook.ask_array("lost(4, 'per-tensor')").astype(int)
    np.testing.assert_allclose(four, expected, atol=1)
    now, then = notebook.ask("[psnr(copy(4, 'per-tensor')), psnr(_w.canvas.frame(_w.time))]")
    quality = view.part("quantisation-psnr")
    expect(quality).to_have_text(f"{now:.1f} dB, was {then:.1f} dB")

    view.part("bits").focus()
    for _ in range(2):
        notebook.page.keyboard.press("ArrowLeft")
    view.panel("frame").locator("[data-value=per-channel]").click()
    wanted = [2, "per-channel"]
    notebook.wait_for(lambda: notebook.ask("[_w.bits, _w.scheme]"), wanted, "the bits and the scheme")
    now = notebook.ask("psnr(copy(2, 'per-channel'))")
    expect(quality).to_have_text(f"{now:.1f} dB, was {then:.1f} dB")
    view.wait_settled()
    two = pixels(view.frame)[..., 0].astype(int)
    np.testing.assert_allclose(two, notebook.ask_array("lost(2, 'per-channel')").astype(int), atol=1)
    assert (two != four).any()

    view.panel("frame").locator(".cw-tools [data-value=reconstruction]").click()
    view.wait_frame(source="reconstruction")
    view.wait_settled()
    np.testing.assert_array_equal(pixels(view.frame), before)
    expect(view.part("quantisation-bar")).to_be_hidden()
