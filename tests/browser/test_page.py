"""A saved page, opened from disk without a network: it is driven like the live view, and says what it has not got."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import canvaswidget as cw
from canvaswidget.kernel import requests
from tests.browser.conftest import demo_view
from tests.browser.saved_page import ASK, TIMEOUT, SavedPage
from tests.browser.test_access import AXE, CHECK, PROBLEMS


@pytest.fixture(scope="module")
def written(demo_page: Path) -> Iterator[tuple[Path, cw.CanvasWidget]]:
    w = demo_view()
    yield demo_page, w
    w.close()


@pytest.fixture
def opened(browser: Browser, written: tuple[Path, cw.CanvasWidget]) -> Iterator[SavedPage]:
    page = SavedPage(browser, written[0])
    yield page
    page.close()


def test_it_is_driven_like_the_live_view(opened: SavedPage) -> None:
    page, frame = opened.page, opened.part("frame")
    expect(frame).to_have_attribute("data-time", "4")  # the nearest to 3
    expect(opened.part("time-label")).to_have_text("4 (5 of 24)")
    before = opened.colours()
    opened.slide("time", 12)
    expect(frame).to_have_attribute("data-time", "12")
    assert opened.colours() != before
    opened.slide("layer", 0)
    expect(frame).to_have_attribute("data-selection", r"decoder.1.conv.upconv.0/*", timeout=TIMEOUT)
    opened.slide("cluster", 2)
    expect(frame).to_have_attribute(
        "data-selection", r"decoder.1.conv.upconv.0/cluster=2of6", timeout=TIMEOUT
    )
    expect(opened.panel("neurons").locator(".cw-chip[data-cluster]")).to_have_count(6)
    opened.slide("cluster", -1)
    opened.settle()

    thumbs = opened.panel("neurons").locator(".cw-thumb")
    expect(thumbs).to_have_count(6)
    neuron = thumbs.nth(2).get_attribute("data-neuron")
    thumbs.nth(2).click()
    expect(frame).to_have_attribute("data-selection", f"decoder.1.conv.upconv.0/{neuron}", timeout=TIMEOUT)
    thumbs.nth(3).click(modifiers=["Shift"])
    expect(frame).to_have_attribute(
        "data-selection", f"decoder.1.conv.upconv.0/{neuron};{thumbs.nth(3).get_attribute('data-neuron')}"
    )
    opened.settle()

    plain = opened.colours()
    opened.part("style").locator("summary").click()
    opened.part("palette").select_option("magma")
    opened.page.wait_for_function(
        "before => document.querySelector('[data-testid=frame]').toDataURL() !== before", arg=plain.decode()
    )
    page.keyboard.press("Escape")
    opened.panel("frame").locator("[data-value=truth]").click()
    expect(frame).to_have_attribute("data-source", "truth")
    opened.panel("frame").locator("[data-value=error]").click()
    expect(frame).to_have_attribute("data-source", "error")
    for sort in ("total", "index", "pixel"):
        opened.part("sort").select_option(sort)
        opened.settle()
        expect(thumbs).to_have_count(6)


def test_it_plays(opened: SavedPage) -> None:
    opened.play_through(6)
    expect(opened.part("play")).to_have_attribute("aria-label", "Play")


def test_the_pixel_under_the_pointer_is_read_out(opened: SavedPage) -> None:
    box = opened.part("frame").bounding_box()
    assert box is not None
    opened.page.mouse.move(box["x"] + (200.5 / 256) * box["width"], box["y"] + (30.5 / 128) * box["height"])
    readout = opened.part("readout")
    expect(readout).to_contain_text("(30, 200)")
    expect(readout).to_contain_text("≈")
    expect(readout).to_contain_text("RGB")
    pixel = opened.panel("pixel")
    expect(pixel).to_have_attribute("data-pixel", "30,200", timeout=TIMEOUT)
    expect(pixel.locator(".cw-label")).to_contain_text("as at (")
    opened.page.mouse.move(0, 0)
    expect(pixel).to_have_attribute("data-pixel", "70,120", timeout=TIMEOUT)
    expect(pixel.locator(".cw-label")).not_to_contain_text("as at (")
    assert pixel.locator(".cw-bar-row:visible, [data-neuron]:visible").count() >= 8


def test_what_it_has_not_got_it_does_not_offer(opened: SavedPage) -> None:
    root = opened.page.locator(".cw-root")
    before = opened.colours()
    root.focus()
    for key in ("k", "K", "r"):
        opened.page.keyboard.press(key)
    expect(opened.part("rules")).to_be_hidden()
    for name in ("ablate", "ablation-bar", "rules-button", "keep-region", "n-clusters", "rule"):
        expect(opened.part(name)).to_be_hidden()
    expect(opened.panel("neurons").locator("[data-value=scatter]")).to_be_hidden()
    opened.part("style").locator("summary").click()
    expect(opened.part("palette")).to_be_visible()
    for name in ("overlay", "channel", "no-colours"):
        expect(opened.part(name)).to_be_hidden()
    opened.page.keyboard.press("Escape")
    assert opened.colours() == before
    assert opened.page.evaluate("() => window.canvaswidget.model.get('ablated')") == {}

    root.focus()
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("7,7")
    opened.page.keyboard.press("Enter")
    expect(opened.part("status")).to_have_text("This page does not keep the map of this neuron")
    assert opened.colours() == before
    opened.part("cluster-neurons").click()
    expect(opened.panel("neurons").locator(".cw-chip[data-cluster]")).to_have_count(6)
    words = "needs the notebook: this page keeps"
    for body, what in (
        ({"kind": "frame", "time": 0, "source": "ablated", "ablated": []}, "reconstruction and truth"),
        ({"kind": "frame", "time": 2, "source": "truth"}, "frames 0, 4, … 20"),
    ):
        said = opened.page.evaluate(f"body => ({ASK})(body).catch(error => error.message)", body)
        assert said == f"{words} {what}"


# Uses the control of a number, if there still is one: found and used in one step, since controls come and go.
USE = """number => {
  const one = [...document.querySelectorAll('.cw-root :is(button, select, input[type=range])')]
    .filter(each => each.checkVisibility({visibilityProperty: true}))[number];
  if (!one || one.closest('.cw-status, .cw-popover')) return false;
  if (one.tagName === 'BUTTON') one.click();
  else {
    if (one.tagName === 'SELECT') one.selectedIndex = one.options.length - 1;
    else one.value = one.max;
    for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind, {bubbles: true}));
  }
  return true;
}"""


def test_nothing_that_it_offers_is_an_error(opened: SavedPage) -> None:
    """Every button, list and slider is used once."""
    opened.part("cluster-neurons").click()
    opened.part("style").locator("summary").click()
    used = 0
    for number in range(
        opened.page.locator(".cw-root :is(button, select, input[type=range]):visible").count()
    ):
        used += opened.page.evaluate(USE, number)
        expect(opened.page.locator("[data-panel][data-state=error]")).to_have_count(0)
    assert used > 30
    # All that was asked for has come, or an error.
    expect(opened.page.locator("[data-panel][data-state=loading]")).to_have_count(0, timeout=TIMEOUT)
    expect(opened.page.locator("[data-panel][data-state=error]")).to_have_count(0)


def test_its_answers_are_the_kernels(opened: SavedPage, written: tuple[Path, cw.CanvasWidget]) -> None:
    w = written[1]
    cached = w._live.cached

    def kernel(**body: Any) -> tuple[Any, np.ndarray]:
        answer, data = w._live.call(lambda report: requests.answer(cached, body, report))
        return answer, np.frombuffer(data, np.uint8)

    kernel(kind="clusters", time=4, layer=w.layer, n_clusters=6)  # as of the frame that the page shows first
    for source in ("reconstruction", "truth"):
        _, ours = opened.ask(kind="frame", time=8, source=source)
        _, theirs = kernel(kind="frame", time=8, source=source)
        np.testing.assert_array_equal(ours, theirs)
    mine, error = opened.ask(kind="frame", time=8, source="error")
    truth, other = kernel(kind="frame", time=8, source="error")
    values = [a["low"] + d / 255 * (a["high"] - a["low"]) for a, d in ((mine, error), (truth, other))]
    assert np.abs(values[0] - values[1]).max() < 2.5 / 255
    assert w.neuron is not None
    selection = {"layer": w.layer, "neuron": list(w.neuron), "neurons": [], "cluster": -1, "n_clusters": 6}
    whole = {**selection, "neuron": None}
    for one in (selection, whole, {**whole, "cluster": 1}):
        (mine, ours), (truth, theirs) = (
            opened.ask(kind="map", time=8, selection=one),
            kernel(kind="map", time=8, selection=one),
        )
        assert (mine["height"], mine["width"]) == (truth["height"], truth["width"])
        assert mine["total"] == pytest.approx(truth["total"], rel=1e-4)
        assert len(ours) == len(theirs)
        assert np.corrcoef(ours[: 128 * 256], theirs[: 128 * 256])[0, 1] > 0.9
        curve, _ = opened.ask(kind="curve", frames=[0, 4, 8], selection=one)
        expected, _ = kernel(kind="curve", frames=[0, 4, 8], selection=one)
        assert curve["totals"] == pytest.approx(expected["totals"], rel=1e-4)
    mine, _ = opened.ask(kind="pixel", time=8, pixel=[70, 120], k=5, selection=selection)
    truth, _ = kernel(kind="pixel", time=8, pixel=[70, 120], k=5, selection=selection)
    assert [each["neuron"] for each in mine["neurons"]] == [each["neuron"] for each in truth["neurons"]]
    for ours, theirs in zip(mine["neurons"], truth["neurons"], strict=True):
        assert ours["value"] == pytest.approx(theirs["value"], rel=1e-3)
        assert ours["share"] == pytest.approx(theirs["share"], rel=1e-3)
    assert opened.ask(kind="recipe")[0]["text"] == w.recipe()
    clusters, labels = opened.ask(kind="clusters", time=8, layer=w.layer, n_clusters=6)
    truth, theirs = kernel(kind="clusters", time=8, layer=w.layer, n_clusters=6)
    assert clusters["counts"] == truth["counts"]
    np.testing.assert_array_equal(labels, theirs)
    box = {"points": [[10, 20], [10, 60], [40, 60], [40, 20]], "runs": []}
    runs = [number for y in range(10, 40) for number in (y * 256 + 20, 40)]
    grid = {
        "kind": "grid",
        "time": 8,
        "layer": w.layer,
        "cluster": -1,
        "n_clusters": 6,
        "sort": "region",
        "pixel": None,
        "first": 0,
        "count": 12,
        "side": 64,
    }
    drawn, _ = opened.ask(**grid, region=box)
    masked, _ = opened.ask(**grid, region={"points": [], "runs": runs})
    assert drawn["neurons"] == masked["neurons"]
    assert drawn["values"] == pytest.approx(masked["values"], rel=1e-4)


def test_the_frame_is_exported_from_the_page(opened: SavedPage, tmp_path: Path) -> None:
    opened.part("export").locator("summary").click()
    with opened.page.expect_download() as waiting:
        opened.part("export-png").click()
    waiting.value.save_as(tmp_path / "frame.png")
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")


# `test_access` looks at both themes.
THEMES = pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.repeats)])


@THEMES
def test_for_everyone(browser: Browser, written: tuple[Path, cw.CanvasWidget], theme: str) -> None:
    opened = SavedPage(browser, written[0], theme)
    expect(opened.page.locator(".cw-root")).to_have_attribute("data-theme", theme)
    for width in (1400, 600):
        opened.page.set_viewport_size({"width": width, "height": 1000})
        opened.settle()
        assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert opened.page.locator(".cw-root").evaluate(PROBLEMS) == []
    opened.page.evaluate(AXE.read_text(encoding="utf-8"))
    for help_is_open in (False, True):
        violations, looked_at = opened.page.evaluate(CHECK.replace("axe.run('.cw-root')", "axe.run()"))
        assert "color-contrast" in looked_at
        assert violations == []
        if not help_is_open:
            opened.part("help-button").click()
    opened.close()


def test_without_scripts_there_is_the_picture(
    browser: Browser, written: tuple[Path, cw.CanvasWidget]
) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(written[0].as_uri())
    expect(page.locator("noscript img, img")).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    "part", [0.02, 0.6, 0.9999, *(pytest.param(part, marks=pytest.mark.repeats) for part in (0.2, 0.97))]
)
def test_a_file_that_was_cut_off_says_so(
    browser: Browser, written: tuple[Path, cw.CanvasWidget], tmp_path: Path, part: float
) -> None:
    whole = written[0].read_bytes()
    cut = tmp_path / "cut.html"
    cut.write_bytes(whole[: int(part * len(whole))])
    page = browser.new_page()
    page.goto(cut.as_uri())
    expect(page.get_by_text("the file is incomplete")).to_be_visible()
    page.close()


def test_a_whole_file_does_not_even_without_scripts(
    browser: Browser, written: tuple[Path, cw.CanvasWidget]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written[0].as_uri())
    expect(page.get_by_text("the file is incomplete")).to_be_hidden()
    expect(page.locator("noscript img")).to_be_visible()
    context.close()


def test_a_file_that_lost_bytes_in_the_middle_says_so(
    browser: Browser, written: tuple[Path, cw.CanvasWidget], tmp_path: Path
) -> None:
    whole = written[0].read_text(encoding="utf-8")
    first, second = (
        whole.index('class="cw-data"', start) for start in (0, whole.index('class="cw-data"') + 1)
    )
    (tmp_path / "lost.html").write_text(whole[:first] + whole[second:], encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "lost.html").as_uri())
    expect(page.locator("#canvas")).to_contain_text("This page is damaged")
    page.close()


def test_all_bars_have_one_zero_and_one_scale(opened: SavedPage) -> None:
    bars = opened.panel("pixel").locator(".cw-bar:visible")
    bars.nth(1).click()
    expect(bars.nth(1)).to_have_attribute("aria-pressed", "true")
    tracks = bars.evaluate_all(
        """all => all.map(bar => {
          const {left, width} = bar.querySelector('.cw-bar-track').getBoundingClientRect();
          return [left, width];
        })"""
    )
    assert len(tracks) > 5
    np.testing.assert_allclose(tracks, [tracks[0]] * len(tracks), atol=0.01)


@THEMES
def test_forced_colours_show_bars_tracks_and_what_is_pressed(
    browser: Browser, written: tuple[Path, cw.CanvasWidget], theme: str
) -> None:
    shown = SavedPage(browser, written[0], theme)
    shown.page.emulate_media(forced_colors="active")
    colours = """(element, name) => getComputedStyle(element)[name]"""
    ground = shown.page.locator(".cw-root").evaluate(colours, "background-color")
    pixel = shown.panel("pixel")
    assert pixel.locator(".cw-bar-fill:visible").first.evaluate(colours, "background-color") != ground
    assert pixel.locator(".cw-bar-track:visible").first.evaluate(colours, "outline-style") == "solid"
    assert shown.part("time").evaluate("element => getComputedStyle(element).forcedColorAdjust") == "none"
    sources = shown.panel("frame").locator("[aria-label='What lies under the contributions'] button:visible")
    pressed = sources.evaluate_all(
        "all => all.map(one => [one.ariaPressed, getComputedStyle(one).backgroundColor])"
    )
    (chosen,) = {colour for state, colour in pressed if state == "true"}
    assert chosen not in {colour for state, colour in pressed if state == "false"}
    shown.page.evaluate(AXE.read_text(encoding="utf-8"))
    violations, looked_at = shown.page.evaluate(CHECK.replace("axe.run('.cw-root')", "axe.run()"))
    assert "button-name" in looked_at
    assert violations == []
    shown.close()


def test_a_light_host_on_a_dark_system_shows_a_light_widget(
    browser: Browser, written: tuple[Path, cw.CanvasWidget]
) -> None:
    shown = SavedPage(browser, written[0], "dark")
    root = shown.page.locator(".cw-root")
    expect(root).to_have_attribute("data-theme", "dark")
    shown.page.evaluate("() => { document.body.style.background = '#fff'; }")
    expect(root).to_have_attribute("data-theme", "light")
    expect(root).to_have_css("background-color", "rgb(255, 255, 255)")
    shown.close()
