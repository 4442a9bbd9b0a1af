"""The quick-start notebook as a user meets it, in JupyterLab and in Notebook 7.

Each test has the widget as the notebook left it. What the page shows is compared with what the kernel
computes on a canvas of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Pages, SharedLab, put_notebook
from tests.browser.page import FIND_WIDGET, TIMEOUT, NotebookPage, WidgetView, pixels
from tests.conftest import ROOT
from tools.server import JupyterServer

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"

CELL_COUNT = "() => window.jupyterapp.shell.currentWidget.content.model.cells.length"
PREPARE = (
    FIND_WIDGET
    + """
_canvas = _cw.trace(_w.canvas.inr, rule=_w.rule)
_start = {name: getattr(_w, name) for name in (
    "layer", "neuron", "time", "pixel", "cluster", "n_clusters", "source", "maps", "palette", "opacity",
    "contrast", "sort", "playing", "fps")}
"""
)
RESET = """
with _w.hold_sync():
    _w.playing = False
    _w.neuron = None
    _w.cluster = -1
    for _name, _value in _start.items():
        setattr(_w, _name, _value)
"""


def same_picture(view: WidgetView, expected: np.ndarray) -> bool:
    """Within one level: values half way between two may be rounded either way."""
    shown = pixels(view.frame)[..., :3].astype(int)
    return shown.shape == expected.shape and int(np.abs(shown - expected).max()) <= 1


class Quickstart:
    """The notebook, its first widget, and the canvas that the test compares with."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.ask, self.execute = notebook.ask, notebook.execute
        self.view = notebook.widget
        self.execute(PREPARE)

    def wait_trait(self, name: str, wanted: Any) -> None:
        expression = f"list(_w.{name})" if isinstance(wanted, list) else f"_w.{name}"
        self.notebook.wait_for(lambda: self.ask(expression), wanted, f"w.{name}")

    def frame(self, time: int) -> np.ndarray:
        """What the canvas says a frame looks like, in 8 bits."""
        image = self.notebook.ask_array(f"_canvas.frame({time})")
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)

    def map(self, layer: str, neuron: list[int], time: int) -> np.ndarray:
        which = tuple(neuron) if len(neuron) > 1 else neuron[0]
        return self.notebook.ask_array(f"_canvas.map({layer!r}, {which!r}, {time})")

    def key(self, neuron: list[int]) -> str:
        return f"{self.ask('_w.layer')}/{','.join(map(str, neuron))}"


@pytest.fixture(scope="module", params=["lab", pytest.param("notebook", marks=pytest.mark.repeats)])
def _opened(
    request: pytest.FixtureRequest, _browser: Browser | None, shared_lab: SharedLab
) -> Iterator[tuple[Quickstart, Pages | SharedLab] | None]:
    if _browser is None:  # the tests skip, each
        yield None
        return
    server: JupyterServer = request.getfixturevalue(f"{request.param}_server")
    name = put_notebook(server, NOTEBOOK)
    if request.param == "lab":
        notebook = shared_lab.show(name)
        notebook.run_all()
        yield Quickstart(notebook), shared_lab
        return
    pages = Pages(_browser)
    with server.ending_kernels():
        notebook = NotebookPage(pages(), server.url(name)).open()
        notebook.run_all()
        yield Quickstart(notebook), pages
        pages.close()


@pytest.fixture
def quick(
    request: pytest.FixtureRequest, browser: Browser, _opened: tuple[Quickstart, Pages | SharedLab]
) -> Iterator[Quickstart]:
    quickstart, shown_in = _opened
    quickstart.execute(RESET)
    quickstart.page.mouse.move(0, 0)
    quickstart.view.wait_settled()
    yield quickstart
    shown_in.finish_test(request.node)


@pytest.fixture
def view(quick: Quickstart) -> WidgetView:
    return quick.view


def test_shows_itself_without_being_asked(quick: Quickstart, view: WidgetView) -> None:
    time = quick.ask("_w.time")
    view.wait_frame(time=time, source="reconstruction")
    height, width = quick.ask("list(_w.canvas.inr.size)")
    assert pixels(view.frame).shape == (height, width, 4)
    assert pixels(view.frame)[..., :3].std() > 5
    expect(view.root.locator(".cw-thumb[data-neuron]").first).to_be_visible()


@pytest.mark.parametrize("pixel", [(0, 0), (41, 77)])
def test_clicked_pixel_names_its_neurons(quick: Quickstart, view: WidgetView, pixel: tuple[int, int]) -> None:
    view.click_pixel(*pixel)
    quick.wait_trait("pixel", list(pixel))
    time = quick.ask("_w.time")
    expect(view.panel("pixel")).to_have_attribute("data-time", str(time))
    shown = view.bars()
    assert len(shown) >= 10
    truth = quick.ask(
        f"[(n.layer, list(n.neuron) if isinstance(n.neuron, tuple) else [n.neuron], n.value)"
        f" for n in _canvas.top({pixel[0]}, {pixel[1]}, k={len(shown)}, frame={time})]"
    )
    assert [(layer, neuron) for layer, neuron, _ in shown] == [(layer, neuron) for layer, neuron, _ in truth]
    np.testing.assert_allclose([value for *_, value in shown], [value for *_, value in truth], rtol=1e-4)


def test_bar_selects_its_neuron(quick: Quickstart, view: WidgetView) -> None:
    view.click_pixel(41, 77)
    layer, neuron, _ = view.bars()[1]
    view.root.locator(".cw-bar:not([hidden])").nth(1).click()
    quick.page.mouse.move(0, 0)
    view.wait_frame(selection=f"{layer}/{','.join(map(str, neuron))}")
    quick.wait_trait("layer", layer)


def test_dragging_time_shows_the_frames(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.opacity = 0.0; _w.time = 0")
    view.wait_frame(time=0)
    slider = view.part("time")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    quick.page.mouse.move(box["x"] + 8, middle)
    quick.page.mouse.down()
    for step in range(1, 13):
        quick.page.mouse.move(box["x"] + 8 + (box["width"] - 16) * step / 16, middle)
    quick.page.mouse.up()
    quick.page.mouse.move(0, 0)
    # The last move of the pointer may reach the page with its next frame: wait until all three agree.
    quick.notebook.wait_for(
        lambda: len({slider.input_value(), str(quick.ask("_w.time")), view.frame.get_attribute("data-time")}),
        1,
        "the number of different times",
    )
    time = int(slider.input_value())
    assert time > 0
    expected = quick.frame(time)
    quick.notebook.wait_for(lambda: same_picture(view, expected), True, "same pixels")
    assert not np.allclose(quick.frame(0), expected, atol=2)


def test_other_layer(quick: Quickstart, view: WidgetView) -> None:
    names = quick.ask("[layer['name'] for layer in _w._canvas['layers']]")
    at = names.index(quick.ask("_w.layer"))
    step, other = ("ArrowRight", at + 1) if at + 1 < len(names) else ("ArrowLeft", at - 1)
    view.part("layer").press(step)
    quick.wait_trait("layer", names[other])
    view.wait_frame(selection=f"{names[other]}/*")
    view.wait_settled()
    shape = quick.ask("next(l['neurons'] for l in _w._canvas['layers'] if l['name'] == _w.layer)")
    shown = view.root.locator(".cw-thumb[data-neuron]").first.get_attribute("data-neuron")
    assert shown is not None
    neuron = [int(n) for n in shown.split(",")]
    assert len(neuron) == len(shape)
    assert all(n < of for n, of in zip(neuron, shape, strict=True))


def test_thumbnail_shows_its_map_over_the_frame(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.opacity = 1.0; _w.contrast = 1.0; _w.palette = 'viridis'; _w.maps = 'magnitude'")
    view.wait_settled()
    before = pixels(view.frame)
    thumb = view.root.locator(".cw-thumb[data-neuron]").nth(2)
    neuron = [int(n) for n in (thumb.get_attribute("data-neuron") or "").split(",")]
    thumb.click()
    quick.page.mouse.move(0, 0)
    view.wait_frame(selection=quick.key(neuron))
    quick.wait_trait("neuron", neuron if len(neuron) > 1 else neuron[0])
    expect(thumb).to_have_attribute("aria-pressed", "true")
    after, time = pixels(view.frame)[..., :3].astype(int), quick.ask("_w.time")
    assert (after != before[..., :3]).any()
    strength = np.abs(quick.map(quick.ask("_w.layer"), neuron, time))
    strongest = np.unravel_index(strength.argmax(), strength.shape)
    assert np.abs(after[strongest] - (253, 231, 37)).max() <= 2, (
        "the strongest pixel has viridis' last colour"
    )
    nothing = strength < strength.max() * 1e-6
    # Zero lies within half a level of 255, so its alpha is at most sqrt(1 / 510).
    frame = quick.frame(time)[nothing].astype(float)
    grey = frame @ (0.2126, 0.7152, 0.0722)
    faded = frame + 0.75 * (grey[:, None] - frame)  # at an opacity of 1
    untouched = np.abs(after[nothing] - faded) <= 255 / 510**0.5 + 1
    assert untouched.all(), "where the neuron adds nothing the frame has lost colour, and is as it was else"


def test_cluster(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.neuron = None")
    view.part("cluster-neurons").click()
    chip = view.root.locator('.cw-chip[data-cluster="1"]')
    expect(chip).to_be_visible(timeout=TIMEOUT)
    chip.click()
    quick.wait_trait("cluster", 1)
    count = quick.ask("_w.n_clusters")
    view.wait_frame(selection=f"{quick.ask('_w.layer')}/cluster=1of{count}")
    view.wait_settled()
    thumbs = view.root.locator(".cw-thumb[data-neuron]")
    clusters = thumbs.evaluate_all("all => all.map(thumb => thumb.dataset.cluster)")
    assert clusters
    assert set(clusters) == {"1"}
    chip.click()
    quick.wait_trait("cluster", -1)


def test_keys_work_and_stay_in_the_widget(quick: Quickstart, view: WidgetView) -> None:
    before = quick.page.evaluate(CELL_COUNT)
    quick.execute("_w.time = 3; _w.pixel = (10, 12)")
    view.wait_frame(time=3)
    names = quick.ask("[layer['name'] for layer in _w._canvas['layers']]")
    quick.execute(f"_w.layer = {names[0]!r}; _w.neuron = None")
    view.wait_frame(selection=f"{names[0]}/*")
    view.root.focus()
    keys = quick.page.keyboard
    keys.press("ArrowRight")
    quick.wait_trait("time", 4)
    keys.press("ArrowLeft")
    quick.wait_trait("time", 3)
    keys.press("Shift+ArrowDown")
    quick.wait_trait("pixel", [11, 12])
    keys.press("]")
    quick.wait_trait("layer", names[1])
    keys.press("[")
    quick.wait_trait("layer", names[0])
    keys.press("/")
    shape = quick.ask("_w._canvas['layers'][0]['neurons']")
    expect(view.part("search")).to_be_focused()
    neuron = [0] * len(shape)
    keys.type(",".join(map(str, neuron)))
    keys.press("Enter")
    view.wait_frame(selection=f"{names[0]}/{','.join(map(str, neuron))}")
    keys.press("Escape")
    keys.press("Escape")
    view.wait_frame(selection=f"{names[0]}/*")
    assert quick.page.evaluate(CELL_COUNT) == before


@pytest.mark.parametrize(
    "focus", [None, "[data-testid=layer]", ".cw-thumb[data-neuron]", "[data-testid=sort]"]
)
def test_no_key_reaches_the_notebook(quick: Quickstart, view: WidgetView, focus: str | None) -> None:
    """In command mode the notebook takes keys first, unless the focused element itself forbids it."""
    quick.page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    before = quick.page.evaluate(CELL_COUNT)
    target = view.root.locator(focus).first if focus else view.root
    target.focus()
    for key in ("b", "ArrowRight", "a"):  # new cell below, next heading, new cell above
        quick.page.keyboard.press(key)
    assert quick.page.evaluate("() => document.activeElement.closest('.cw-root') !== null"), "focus stays"
    assert quick.page.evaluate(CELL_COUNT) == before


def test_help_opens_and_closes(quick: Quickstart, view: WidgetView) -> None:
    view.root.focus()
    quick.page.keyboard.press("?")
    expect(view.root.get_by_role("dialog")).to_be_visible()
    quick.page.keyboard.press("Escape")
    expect(view.root.get_by_role("dialog")).to_be_hidden()


def test_export(quick: Quickstart, view: WidgetView) -> None:
    view.part("export").locator("summary").click()
    with quick.page.expect_download(timeout=TIMEOUT) as download:
        view.part("export-png").click()
    assert download.value.suggested_filename.endswith(".png")
    data = download.value.path().read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) > 10_000


def test_playing_and_pausing(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.time = 0; _w.fps = 10")
    view.wait_frame(time=0)
    view.part("play").click()
    quick.wait_trait("playing", True)
    passed = "() => document.querySelector('.cw-root [data-testid=frame]').dataset.time >= 3"
    quick.page.wait_for_function(passed, polling="raf", timeout=TIMEOUT)  # looked at often: it goes on
    view.part("play").click()
    quick.wait_trait("playing", False)
    time = int(view.part("time").input_value())
    quick.wait_trait("time", time)
    view.wait_frame(time=time)


def test_python_stops_the_clip_and_learns_where_or_chooses_a_frame(
    quick: Quickstart, view: WidgetView
) -> None:
    moves = "at => document.querySelector('.cw-root [data-testid=time]').value !== at"
    slider = view.part("time")
    for last in ("", "; _w.time = 0"):
        at = slider.input_value()
        quick.execute("_w.fps = 30; _w.playing = True")
        quick.page.wait_for_function(moves, arg=at, polling="raf", timeout=TIMEOUT)
        quick.execute(f"_w.playing = False{last}")
        quick.notebook.wait_for(
            lambda: str(quick.ask("_w.time")) == slider.input_value(), True, "whether both agree"
        )
    assert quick.ask("_w.time") == 0


def test_curve_is_the_total_per_frame(quick: Quickstart, view: WidgetView) -> None:
    view.root.locator(".cw-thumb[data-neuron]").first.click()
    quick.page.mouse.move(0, 0)
    frames = quick.ask("_w.canvas.inr.n_frames")
    expect(view.part("curve")).to_have_attribute("data-done", str(frames), timeout=TIMEOUT)
    line = view.part("curve").locator(".cw-chart-line.cw-line-total")
    expect(line).to_have_attribute("d", re.compile(rf"^[^L]*(L[^L]*){{{frames - 1}}}$"))


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        ("_w.time = 5", {"time": 5}),
        ("_w.source = 'truth'", {"source": "truth"}),
        ("_w.source = 'error'", {"source": "error"}),
        ("_w.source = 'off'", {"source": "off"}),
        (
            "_w.neuron = next(r.neuron for r in _w.canvas.top(9, 9, layers=_w.layer) if r.neuron != _w.neuron)",
            {},
        ),
        ("_w.neuron = None", {}),
        ("_w.palette = 'gray'", {}),
        ("_w.maps = 'signed'", {}),
        ("_w.opacity = 0.0", {}),
        ("_w.contrast = 8.0", {}),
    ],
)
def test_python_moves_the_page(
    quick: Quickstart, view: WidgetView, code: str, frame: dict[str, object]
) -> None:
    quick.notebook.wait_for(lambda: bool(view.frame.get_attribute("data-selection")), True, "has a map")
    before = pixels(view.frame)
    quick.execute(code)
    view.wait_frame(**frame)
    quick.notebook.wait_for(lambda: bool((pixels(view.frame) != before).any()), True, "other pixels")


def test_python_pins_a_pixel(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.pixel = (7, 8)")
    expect(view.panel("pixel")).to_have_attribute("data-pixel", "7,8", timeout=TIMEOUT)
    assert view.bars()


def test_truth_is_the_clip(quick: Quickstart, view: WidgetView) -> None:
    quick.execute("_w.opacity = 0.0; _w.source = 'truth'; _w.time = 2")
    view.wait_frame(time=2, source="truth")
    truth = quick.notebook.ask_array("_w.canvas.inr.truth[2]")
    expected = np.rint(np.clip(truth, 0, 1) * 255).astype(np.uint8)
    quick.notebook.wait_for(lambda: same_picture(view, expected), True, "same pixels")
