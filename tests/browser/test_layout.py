"""What has how much room in the widget, and that nothing in it moves by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

import canvaswidget as cw
from tests.browser.page import small_targets
from tests.browser.saved_page import SavedPage

# What moved, from where to where.
SHIFTS = """() => {
  window.shifts = [];
  const place = ({left, top, width, height}) => [left, top, width, height].join(' ');
  new PerformanceObserver(list => {
    for (const entry of list.getEntries())
      for (const {node, previousRect, currentRect} of entry.sources) {
        const name = node?.className ?? node?.parentElement?.className;
        window.shifts.push(`${name}: ${place(previousRect)} to ${place(currentRect)}`);
      }
  }).observe({type: 'layout-shift'});
}"""
# How far from the middle of an end of the loop, a thumb, the pointer is on it: to the left, right, top and bottom.
REACH = """([end, part]) => {
  const {left, top, width, height} = end.getBoundingClientRect();
  const middle = [left + height / 2 + part * (width - height), top + height / 2];
  return [[-1, 0], [1, 0], [0, -1], [0, 1]].map(([x, y]) => {
    let far = 0;
    while (far < 100 && document.elementFromPoint(middle[0] + x * far, middle[1] + y * far) === end) far += 0.5;
    return far;
  });
}"""
SCROLLABLE = "() => { document.querySelector('#kept').style.height = '3000px'; }"


@pytest.fixture
def opened(browser: Browser, demo_page: Path) -> Iterator[SavedPage]:
    page = SavedPage(browser, demo_page)
    yield page
    page.close()


def box(opened: SavedPage, selector: str) -> dict[str, float]:
    found: Any = opened.page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return found


@pytest.fixture(scope="module")
def _measured(_browser: Browser | None, demo_page: Path) -> Iterator[SavedPage | None]:
    if _browser is None:
        yield None
        return
    page = SavedPage(_browser, demo_page)
    yield page
    page.close()


@pytest.fixture
def measured(browser: Browser, _measured: SavedPage) -> SavedPage:
    """One page for tests that only make it narrower and measure it."""
    return _measured


@pytest.mark.parametrize(
    ("width", "least"), [(1400, 0.25), (1000, 0.2), (780, 0.14), (600, 0.16)], ids=lambda value: str(value)
)
def test_the_picture_has_the_room_and_the_pixel_is_beside_it(
    measured: SavedPage, width: int, least: float
) -> None:
    measured.page.set_viewport_size({"width": width, "height": 1000})
    root, frame, pixel = (
        box(measured, s) for s in (".cw-root", '[data-panel="frame"]', '[data-panel="pixel"]')
    )
    picture = box(measured, ".cw-frame-canvas")
    assert picture["width"] * picture["height"] >= least * root["width"] * root["height"]
    # A hover and its answer are on one screen of a small laptop.
    top = min(frame["y"], pixel["y"])
    assert max(frame["y"] + frame["height"], pixel["y"] + pixel["height"]) - top <= 680
    if width >= 780:
        assert pixel["y"] == frame["y"]
        assert pixel["height"] == pytest.approx(frame["height"], abs=1)


@pytest.mark.parametrize("width", [780, 960, 1000, 1220, 1400, 1660, 1700, 2200])
def test_it_is_no_taller_than_its_width_asks_for_in_a_tall_window(measured: SavedPage, width: int) -> None:
    measured.page.set_viewport_size({"width": width, "height": 1600})
    measured.settle()
    assert 520 <= box(measured, ".cw-root")["height"] <= 900


@pytest.mark.parametrize("width", [560, 640, 690])
def test_a_hover_and_its_answer_are_seen_at_once_where_they_are_below_each_other(
    measured: SavedPage, width: int
) -> None:
    measured.page.set_viewport_size({"width": width, "height": 800})
    assert box(measured, '[data-panel="pixel"]')["y"] > box(measured, '[data-panel="frame"]')["y"]
    bars = measured.panel("pixel").locator(".cw-bar:not([hidden])")
    list_ = box(measured, ".cw-bars")
    top, bottom = box(measured, '[data-panel="frame"]')["y"], 0.0
    for at in range(5):
        bar = bars.nth(at).bounding_box()
        assert bar is not None
        bottom = bar["y"] + bar["height"]
        assert bottom <= list_["y"] + list_["height"]
    assert bottom - top <= 700  # with the line under it, in a window 800 px high


@pytest.mark.parametrize("width", [560, 780, 1000, 1400])
def test_the_steps_of_the_layer_have_names(measured: SavedPage, width: int) -> None:
    measured.page.set_viewport_size({"width": width, "height": 900})
    steps = measured.page.locator(".cw-steps > span")
    expect(steps).to_have_count(4)
    places = [steps.nth(at).bounding_box() for at in range(4)]
    slider = box(measured, ".cw-stepped")
    ends = [(one["x"], one["x"] + one["width"]) for one in places if one is not None]
    assert ends[0][0] >= slider["x"]
    assert ends[-1][1] <= slider["x"] + slider["width"]
    assert all(left[1] + 2 <= right[0] for left, right in pairwise(ends))
    assert steps.nth(3).get_attribute("title") == "head_layer"


@pytest.mark.parametrize("width", [640, 680, 700, 720, 800])
def test_the_counts_are_below_the_head_of_the_pixel(measured: SavedPage, width: int) -> None:
    measured.page.set_viewport_size({"width": width, "height": 1000})
    expect(measured.page.locator(".cw-shares")).to_be_visible()
    head, counts = (
        box(measured, f".cw-panel-pixel > .cw-{part}") for part in ("heading", "foot:has(.cw-shares)")
    )
    assert counts["y"] >= head["y"] + head["height"] - 1


@pytest.mark.parametrize(("finger", "least"), [(False, 28), (True, 40)], ids=["mouse", "finger"])
def test_what_is_pressed_is_large_enough(browser: Browser, demo_page: Path, finger: bool, least: int) -> None:
    opened = SavedPage(browser, demo_page, finger=finger)
    assert opened.page.evaluate("() => matchMedia('(pointer: coarse)').matches") == finger
    opened.part("style").locator("summary").click()
    assert small_targets(opened.page, least) == []
    opened.page.keyboard.press("Escape")
    for end, part in (("loop-first", 0), ("loop-last", 20 / 23)):
        left, right, up, down = opened.part(end).evaluate(f"(end, part) => ({REACH})([end, part])", part)
        assert min(left + right, up + down) >= least - 1, end
        assert (left, up) == pytest.approx((right, down), abs=1), end
    opened.close()


def test_nothing_moves_while_it_plays(opened: SavedPage) -> None:
    opened.page.evaluate(SHIFTS)
    opened.play_through(6)
    assert set(opened.page.evaluate("() => window.shifts")) == set()


def test_one_frame_has_no_panel_of_time(browser: Browser, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    w = cw.CanvasWidget(cw.INR.from_coords(model, (16, 24)), layer="2")
    w.save(tmp_path / "image.html", progress=False)
    w.close()
    opened = SavedPage(browser, tmp_path / "image.html")
    expect(opened.panel("time")).to_be_hidden()
    expect(opened.panel("frame").locator(".cw-label")).to_contain_text("total")
    opened.close()


def test_the_frame_is_made_wider_and_stays_so(opened: SavedPage) -> None:
    line = opened.part("splitter-columns")
    before = box(opened, '[data-panel="frame"]')["width"]
    place = line.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x - 150, y, steps=4)
    opened.page.mouse.up()
    dragged = box(opened, '[data-panel="frame"]')["width"]
    assert dragged == pytest.approx(before - 150, abs=16)
    opened.page.keyboard.press("ArrowRight")
    wider = box(opened, '[data-panel="frame"]')["width"]
    assert wider > dragged + 10
    opened.page.reload()
    opened.requests.pop()
    opened.settle()
    assert box(opened, '[data-panel="frame"]')["width"] == pytest.approx(wider, abs=2)
    opened.part("splitter-columns").dblclick()
    assert box(opened, '[data-panel="frame"]')["width"] == pytest.approx(before, abs=2)
    # Neither the frame nor the notebook has taken the keys.
    expect(opened.part("frame")).to_have_attribute("data-time", "4")


def test_the_wheel_scrolls_the_page_until_the_picture_is_clicked(opened: SavedPage) -> None:
    opened.page.evaluate(SCROLLABLE)
    opened.page.mouse.wheel(0, 120)
    opened.page.wait_for_function("() => window.scrollY > 0")
    picture = box(opened, ".cw-frame-canvas")
    opened.page.mouse.move(picture["x"] + 100, picture["y"] + 150)
    scrolled = opened.page.evaluate("() => window.scrollY")
    opened.page.mouse.wheel(0, -60)
    opened.page.wait_for_function("before => window.scrollY < before", arg=scrolled)
    expect(opened.part("zoom-fit")).to_have_text("1×")
    expect(opened.page.get_by_text("Click the picture, or hold Ctrl, to zoom")).to_have_css("opacity", "1")
    opened.page.mouse.click(picture["x"] + 100, picture["y"] + 190)
    opened.page.mouse.wheel(0, -60)
    expect(opened.part("zoom-fit")).not_to_have_text("1×")
    opened.part("zoom-fit").click()
    expect(opened.part("zoom-fit")).to_have_text("1×")
    opened.part("zoom-in").click()
    expect(opened.part("zoom-fit")).to_have_text("1.5×")


def test_choices_are_undone(opened: SavedPage) -> None:
    frame, thumbs = opened.part("frame"), opened.panel("neurons").locator(".cw-thumb")
    first = frame.get_attribute("data-selection")
    assert first is not None
    expect(opened.part("undo")).to_have_attribute("aria-disabled", "true")
    chosen = thumbs.nth(1).get_attribute("data-neuron")
    assert not first.endswith(f"/{chosen}")
    thumbs.nth(1).click()
    expect(frame).to_have_attribute("data-selection", f"decoder.2.conv.upconv.0/{chosen}")
    opened.page.wait_for_timeout(500)  # a click soon after another is one choice with it
    opened.slide("layer", 0)
    expect(frame).to_have_attribute("data-selection", "decoder.1.conv.upconv.0/*")
    opened.part("undo").click()
    expect(frame).to_have_attribute("data-selection", f"decoder.2.conv.upconv.0/{chosen}")
    opened.page.keyboard.press("Control+z")
    expect(frame).to_have_attribute("data-selection", first)
    opened.page.keyboard.press("Control+Shift+z")
    expect(frame).to_have_attribute("data-selection", f"decoder.2.conv.upconv.0/{chosen}")


def test_a_new_user_is_told_what_to_do_until_the_first_click(opened: SavedPage) -> None:
    coach = opened.part("coach")
    expect(coach).to_be_visible()
    expect(coach.locator("li")).to_have_count(3)
    before = box(opened, '[data-panel="frame"]')
    opened.panel("neurons").locator(".cw-thumb").nth(1).click()
    expect(coach).to_be_hidden()
    assert box(opened, '[data-panel="frame"]') == before
