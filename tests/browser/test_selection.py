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


def test_a_lasso_in_the_scatter_is_drawn_with_keys(notebook: NotebookPage) -> None:
    notebook.execute("_w.layer = -1; _w.neurons = []")
    view = notebook.widget
    panel = view.panel("neurons")
    panel.locator("[data-value=scatter]").click()
    expect(view.part("scatter")).to_have_attribute("data-method", "pca", timeout=TIMEOUT)
    stage, said = panel.locator(".cw-scatter-stage"), view.part("lasso-said")
    box = stage.bounding_box()
    assert box is not None
    across, up = (int(box[side] / 32) + 1 for side in ("width", "height"))
    stage.focus()
    stage.press("l")
    expect(said).to_contain_text("space sets a corner")
    # From the lower left corner around all neurons, which no corner can leave out.
    walk = [("Left", across), ("Down", up), (None, 0), ("Right", across), (None, 0), ("Up", up), (None, 0)]
    for arrow, times in [*walk, ("Left", across), (None, 0)]:
        if arrow is None:
            stage.press("Space")
        for _ in range(times):
            stage.press(f"Shift+Arrow{arrow}")
    alive = notebook.ask(
        "int(_a)",
        "_s = _w.canvas.summary(_w.layer, _w.time).neuron_abs; _a = (_s > 0).sum()",
    )
    expect(said).to_contain_text("4 corners")
    stage.press("Enter")
    notebook.wait_for(lambda: notebook.ask("len(_w.neurons)"), alive, "all neurons")
    expect(view.part("status")).to_have_text(f"selected {alive} neurons")
    expect(said).to_be_empty()
    panel.locator("[data-value=grid]").click()


def test_the_scatter_zooms_and_shows_the_map_of_the_point_under_the_pointer(notebook: NotebookPage) -> None:
    notebook.execute("_w.layer = -1; _w.neurons = []")
    view = notebook.widget
    panel = view.panel("neurons")
    panel.locator("[data-value=scatter]").click()
    points = view.part("scatter")
    expect(points).to_have_attribute("data-method", "pca", timeout=TIMEOUT)
    stage = panel.locator(".cw-scatter-stage")
    stage.focus()
    for _ in range(3):
        stage.press("ArrowRight")
    tip, pointed = panel.locator(".cw-tip output"), view.part("pointed-map")
    expect(pointed).to_be_visible(timeout=TIMEOUT)
    neuron = tip.inner_text().split()[0]
    assert "→" in neuron
    fit = view.part("scatter-zoom-fit")
    view.part("scatter-zoom-in").click()
    view.part("scatter-zoom-in").click()
    expect(fit).to_have_text("2.3×")
    expect(tip).to_contain_text(neuron)  # it is still the one that the keys came to
    stage.press("Enter")
    i, o = map(int, neuron.split("→"))
    notebook.wait_for(lambda: notebook.ask("_w.neuron and list(_w.neuron)"), [i, o], "the neuron")
    fit.click()
    expect(fit).to_have_text("1×")
    panel.locator("[data-value=grid]").click()


def test_several_neurons_are_selected_without_a_key_held(notebook: NotebookPage) -> None:
    view = notebook.widget
    thumbs = view.root.locator(".cw-thumb[data-neuron]")
    thumbs.nth(0).click()
    view.part("several").click()
    thumbs.nth(1).click()
    thumbs.nth(2).click()
    notebook.wait_for(lambda: notebook.ask("len(_w.neurons)"), 3, "the number of neurons")
    view.part("several").click()
    thumbs.nth(1).click()
    notebook.wait_for(lambda: notebook.ask("len(_w.neurons)"), 1, "one neuron again")


def test_contours_lie_where_the_map_reaches_parts_of_its_end(notebook: NotebookPage) -> None:
    view = notebook.widget
    notebook.execute("_w.layer = 'decoder.3'; _w.neuron = (5, 38); _w.time = 9; _w.contours = True")
    view.wait_frame(time=9, selection=f"{notebook.ask('_w.layer')}/5,38")
    lines = view.part("contours").locator("path").first
    view.page.wait_for_function(
        "path => path.getAttribute('d').length > 100", arg=lines.element_handle(), timeout=TIMEOUT
    )
    path = lines.get_attribute("d") or ""
    ends = np.array(
        [[float(x) for x in end.split()] for part in path.split("M")[1:] for end in part.split("L")]
    )
    magnitudes = np.abs(
        notebook.ask(
            "_w.canvas.map('decoder.3', (5, 38), 9).tolist()",
        )
    )
    parts = magnitudes / magnitudes.max()
    y, x = (ends[:, ::-1] - 0.5).T
    rows, columns = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(rows + 1, parts.shape[0] - 1), np.minimum(columns + 1, parts.shape[1] - 1)
    corners = np.stack([parts[a, b] for a in (rows, below) for b in (columns, right)])
    tolerance = 1 / 255
    crossed = [
        (corners.min(0) <= part + tolerance) & (corners.max(0) >= part - tolerance)
        for part in (0.25, 0.5, 0.75)
    ]
    assert np.any(crossed, axis=0).all()
    notebook.execute("_w.contours = False")
    expect(lines).to_have_attribute("d", "", timeout=TIMEOUT)


def near(y: float, x: float, radius: float, size: tuple[int, int] = (128, 256)) -> np.ndarray:
    """The pixels whose middle is within a disc."""
    rows, columns = np.indices(size) + 0.5
    return np.hypot(rows - y, columns - x) <= radius


def test_what_the_brush_paints_is_a_mask_in_python_and_can_be_carried(notebook: NotebookPage) -> None:
    notebook.execute("_w.region = None; _w.time = 4; _w.layer = -1")
    view = notebook.widget
    view.wait_settled()
    view.part("tool-brush").click()
    size = view.part("brush-size")
    expect(size).to_have_attribute("aria-valuetext", "16 px")

    def mask() -> np.ndarray:
        return np.array(notebook.ask("None if _w.region is None else _w.region.mask.tolist()"), bool)

    # One dab on the larger flower, a second that erases its middle; the tests of the page have the strokes between.
    mouse, keyboard = notebook.page.mouse, notebook.page.keyboard
    dabs = [(90, 200, 8.0, False), (90, 200, 2.0, True)]
    expected = np.zeros((128, 256), bool)
    for y, x, radius, erases in dabs:
        if erases:
            for _ in range(4):
                keyboard.press("[")
            expect(size).to_have_attribute("aria-valuetext", "4 px")
            keyboard.down("Alt")
        mouse.move(*view.point_at(y, x))
        mouse.down()
        mouse.up()
        keyboard.up("Alt")
        disc = near(y + 0.5, x + 0.5, radius)
        expected = expected & ~disc if erases else expected | disc
        notebook.wait_for(lambda: notebook.ask("_w.region is not None"), True, "the region")
        area = int(expected.sum())
        notebook.wait_for(lambda area=area: abs(int(mask().sum()) - area) < 25, True, "the pixels")
    # The pointer is on a pixel's middle up to a pixel of the screen: only the edges of a disc can differ.
    assert (mask() ^ expected).sum() < 0.15 * expected.sum()
    assert not (mask() & near(90.5, 200.5, 1.0)).any()
    assert notebook.ask("_w.sort") == "region"

    keyboard.press("Control+z")
    whole = near(90.5, 200.5, 8.0)
    notebook.wait_for(lambda: bool(mask()[90, 200]), True, "the erased pixels")
    keyboard.press("Enter")
    expect(view.part("brush-bar")).to_be_hidden()

    notebook.execute("_w.time = 7")
    carry = view.part("carry")
    expect(carry).to_have_text("carry the region from frame 4", timeout=TIMEOUT)
    before = mask()
    carry.click()
    expect(carry).to_be_hidden(timeout=TIMEOUT)
    notebook.wait_for(lambda: bool((mask() != before).any()), True, "the carried region")
    moved = notebook.ask(
        "cw.analysis.carry(_m, list(cw.demo.clip().frames[4:8])).tolist()",
        f"import numpy as _n; _m = _n.zeros((128, 256), bool); _m.flat[{np.flatnonzero(before).tolist()}] = True",
    )
    assert (mask() == np.array(moved)).all()
    assert (mask() & whole).sum() > 0.3 * whole.sum()  # it moves by a few pixels
    notebook.execute("_w.region = None; _w.time = 0")
