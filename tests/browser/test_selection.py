"""Regions and several neurons, selected with the mouse, in a real notebook."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView

CELLS = ["import canvaswidget as cw", "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False)\nw"]


def drag(view: WidgetView, *pixels: tuple[int, int]) -> None:
    """From the middle of one pixel to that of the next."""
    mouse = view.page.mouse
    mouse.move(*view.point_at(*pixels[0]))
    mouse.down()
    for pixel in pixels[1:]:
        mouse.move(*view.point_at(*pixel), steps=3)
    mouse.up()


def test_a_box_on_the_frame_is_a_region_in_python_and_orders_the_neurons(notebook: NotebookPage) -> None:
    view = notebook.widget
    notebook.page.keyboard.down("Shift")
    drag(view, (10, 20), (19, 39))
    notebook.page.keyboard.up("Shift")
    notebook.wait_for(
        lambda: notebook.ask("_w.region is not None and _w.sort == 'region'"), True, "the region"
    )
    mask = np.array(notebook.ask("[part.tolist() for part in _w.region.mask.nonzero()]"))
    assert (mask.min(1).tolist(), mask.max(1).tolist()) == ([10, 20], [19, 39])
    expect(view.part("region").locator("path")).to_have_count(2)
    view.wait_settled()
    best = notebook.ask(
        "[int(i) for i in _n.unravel_index(abs(_c).argmax(), _c.shape)]",
        "import numpy as _n; _c = _w.canvas.region(_w.region.mask, _w.time, [_w.layer])[_w.layer]",
    )
    first = view.root.locator('.cw-thumb[data-index="0"]')
    expect(first).to_have_attribute("data-neuron", ",".join(map(str, best)), timeout=TIMEOUT)


def test_a_lasso_and_its_end(notebook: NotebookPage) -> None:
    view = notebook.widget
    view.part("tool-lasso").click()
    drag(view, (10, 20), (10, 60), (40, 40), (10, 20))
    notebook.wait_for(lambda: notebook.ask("_w.region is not None"), True, "the region")
    area = notebook.ask("int(_w.region.mask.sum())")
    assert abs(area - 40 * 30 / 2) < 60
    view.part("clear-region").click()
    notebook.wait_for(lambda: notebook.ask("_w.region is None"), True, "no region")


def test_several_neurons_are_one_map(notebook: NotebookPage) -> None:
    view = notebook.widget
    thumbs = view.root.locator(".cw-thumb[data-neuron]")
    thumbs.nth(0).click()
    thumbs.nth(2).click(modifiers=["Shift"])
    notebook.wait_for(lambda: notebook.ask("len(_w.neurons)"), 2, "the number of neurons")
    chosen = notebook.ask("[list(n) for n in _w.neurons]")
    key = ";".join(",".join(map(str, neuron)) for neuron in chosen)
    view.wait_frame(selection=f"{notebook.ask('_w.layer')}/{key}")
    expect(view.root.locator('.cw-thumb[aria-pressed="true"]')).to_have_count(2)
    notebook.execute("_w.neurons = [_w.neurons[0]]")
    expect(view.root.locator('.cw-thumb[aria-pressed="true"]')).to_have_count(1, timeout=TIMEOUT)


def test_a_lasso_in_the_scatter_selects_neurons(notebook: NotebookPage) -> None:
    notebook.execute("_w.layer = -1")  # of few neurons: t-SNE takes long
    view = notebook.widget
    view.panel("neurons").locator("[data-value=scatter]").click()
    points = view.part("scatter")
    expect(points).to_have_attribute("data-method", "pca", timeout=TIMEOUT)
    box = points.bounding_box()
    assert box is not None
    mouse, inset = notebook.page.mouse, 2
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    places = [
        (
            box["x"] + inset + x * (box["width"] - 2 * inset),
            box["y"] + inset + y * (box["height"] - 2 * inset),
        )
        for x, y in corners
    ]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=2)
    mouse.up()
    alive = notebook.ask(
        "int(_a)",
        "_s = _w.canvas.summary(_w.layer, _w.time).neuron_abs; _a = (_s > 0).sum()",
    )
    notebook.wait_for(lambda: notebook.ask("len(_w.neurons)") >= 0.9 * alive, True, "all neurons")
    view.wait_settled()
    points.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    view.part("embedding").select_option("tsne")
    expect(points).to_have_attribute("data-method", "tsne", timeout=TIMEOUT)
