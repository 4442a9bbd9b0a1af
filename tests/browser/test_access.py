"""For everyone: by keyboard alone, for screen readers, in both themes, in narrow and wide pages, magnified."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Position, expect

from tests.browser.conftest import SharedLab
from tests.browser.page import TIMEOUT, NotebookPage, WidgetView
from tests.conftest import ROOT

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
CELLS = [
    "import canvaswidget as cw",
    "regions = {'left': ((60, 0), (128, 40)), 'a longer name': ((0, 0), (30, 256))}",
    "w = cw.CanvasWidget(cw.demo.video(), regions=regions)",
    "w",
]

THEME = """async theme => {
  await window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${theme}`});
}"""

# What axe finds wrong, and whether its rules found anything to look at.
CHECK = """async () => {
  const {violations, passes} = await axe.run('.cw-root');
  const told = violations.flatMap(({id, help, nodes}) => nodes.map(({html}) => `${id}: ${help}: ${html}`));
  return [told, passes.map(({id}) => id)];
}"""

FOCUS = """root => {
  const at = document.activeElement;
  if (!root.contains(at)) return null;
  const {outlineStyle, outlineWidth} = getComputedStyle(at);
  const name = at.getAttribute('aria-label') ?? at.labels?.[0]?.textContent ?? at.textContent;
  return {name: name.trim(), seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1};
}"""

RESIZE = """(root, [width, zoom]) => {
  const output = root.closest('.jp-OutputArea-output');
  Object.assign(output.style, {flex: 'none', overflow: 'visible', width: `${width}px`, zoom: String(zoom)});
}"""

# The chart and the frame have taken the size of what they are in.
FITTED = """() => {
  const find = name => document.querySelector(`.cw-root .${name}`);
  const [stage, canvas] = ['cw-stage', 'cw-frame-canvas'].map(name => find(name).getBoundingClientRect());
  const free = [stage.width - canvas.width, stage.height - canvas.height];
  return find('cw-curve > .cw-lines').viewBox.baseVal.width === find('cw-curve').clientWidth
    && Math.min(...free) > -1 && Math.min(...free) < 1;
}"""

# Texts and controls that leave the widget, are cut off, or lie on one another; what scrolls may be cut off.
PROBLEMS = """root => {
  const bounds = root.getBoundingClientRect();
  const scrolls = element => /auto|scroll/.test(getComputedStyle(element).overflow);
  const clipped = element => {
    let {left, top, right, bottom} = element.getBoundingClientRect();
    for (let at = element.parentElement; at !== root; at = at.parentElement)
      if (scrolls(at)) {
        const box = at.getBoundingClientRect();
        [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
        [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
      }
    return {left, top, right, bottom};
  };
  const name = element => `${element.className} "${element.textContent.slice(0, 30)}"`;
  const told = [];
  const slip = 1.5 * (root.currentCSSZoom || 1);  // neighbours may share their border
  const found = [...root.querySelectorAll(
    'button, input, select, summary, output, h3, th, td'
    + ', .cw-label, .cw-readout, .cw-status-text, .cw-facts, .cw-bar-high'
  )].filter(element => element.checkVisibility({visibilityProperty: true}));
  const boxes = found.map(clipped);
  found.forEach((element, i) => {
    const box = boxes[i];
    if (box.right - box.left < 1 || box.bottom - box.top < 1) return;
    if (box.left < bounds.left - 1 || box.right > bounds.right + 1 || box.bottom > bounds.bottom + 1)
      told.push(`${name(element)} leaves the widget`);
    const style = getComputedStyle(element);
    const named = element.title && !element.matches('.cw-label');  // what is cut off can be read where it points
    if (style.overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1 && !named
        && !element.matches('input, select'))
      told.push(`${name(element)} is cut off`);
    for (let j = 0; j < i; j++) {
      if (element.contains(found[j]) || found[j].contains(element)) continue;
      if (element.matches('.cw-loop-end + .cw-loop-end')) continue;  // two thumbs on one track
      const other = boxes[j];
      const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      if (Math.min(across, down) > slip) told.push(`${name(element)} lies on ${name(found[j])}`);
    }
  });
  return told;
}"""


@pytest.fixture(scope="module")
def _opened(shared_lab: SharedLab | None) -> Iterator[NotebookPage | None]:
    if shared_lab is None:  # there is no browser: the tests skip, each
        yield None
        return
    notebook = shared_lab.show_cells(CELLS)
    notebook.page.set_viewport_size({"width": 2100, "height": 1500})
    notebook.run_all()
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    notebook.widget.panel("neurons").get_by_role("button", name="Cluster neurons").click()
    yield notebook
    notebook.page.evaluate(THEME, "Light")


@pytest.fixture
def view(
    request: pytest.FixtureRequest, browser: Browser, shared_lab: SharedLab, _opened: NotebookPage
) -> Iterator[WidgetView]:
    yield _opened.widget
    shared_lab.finish_test(request.node)


def set_theme(view: WidgetView, theme: str) -> None:
    view.page.evaluate(THEME, theme)
    expect(view.root).to_have_attribute("data-theme", theme.lower(), timeout=TIMEOUT)


def ablate(view: WidgetView) -> None:
    view.root.focus()
    view.page.keyboard.press("k")
    view.wait_frame(source="ablated", out=1)


def compare_rules(view: WidgetView) -> None:
    view.root.focus()
    view.page.keyboard.press("r")
    expect(view.part("rules")).to_have_attribute("data-state", "ready", timeout=TIMEOUT)


def put_back(view: WidgetView) -> None:
    view.root.focus()
    view.page.keyboard.press("Shift+K")
    view.wait_frame(source="reconstruction")
    expect(view.part("ablation-bar")).to_be_hidden()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(view: WidgetView, theme: str) -> None:
    set_theme(view, theme)

    def check(what: str, dialog: bool = False) -> None:
        violations, looked_at = view.page.evaluate(CHECK)
        # In JupyterLab axe sees no colours in a modal dialog: `test_page` checks those of the help.
        assert {"button-name", *([] if dialog else ["color-contrast", "aria-roles"])} <= set(looked_at)
        assert not violations, f"{what}:\n" + "\n".join(violations)

    check("as it opens")
    view.part("style").locator("summary").click()
    check("the style menu")
    view.part("style").locator("summary").click()
    view.part("help-button").click()
    check("the help", dialog=True)
    view.page.keyboard.press("Escape")
    view.root.locator("[data-term=cluster]").first.hover()
    expect(view.part("term-card")).to_be_visible()
    check("the card of a term")
    view.page.keyboard.press("Escape")
    view.part("faithfulness").locator("summary").click()
    check("the faithfulness score")
    view.page.keyboard.press("Escape")
    view.root.get_by_role("tab", name="spectrum").click()
    expect(view.part("spectrum-table").locator("[data-line=selection]")).to_have_count(1, timeout=TIMEOUT)
    view.part("band-low").press("PageUp")
    expect(view.part("clear-band")).to_be_visible()
    check("the spectrum, with a band")
    view.part("band-low").press("Escape")
    view.root.get_by_role("tab", name="pixel").click()
    ablate(view)
    view.part("ablated").locator("summary").click()
    check("what is ablated")
    view.page.keyboard.press("Escape")
    put_back(view)
    compare_rules(view)
    check("the rules side by side", dialog=True)
    view.page.keyboard.press("Escape")
    scatter = view.panel("neurons").locator("[data-value=scatter]")
    scatter.click()
    expect(view.part("scatter")).to_have_attribute("data-method", "pca", timeout=TIMEOUT)
    check("the scatter")
    view.panel("neurons").locator("[data-value=grid]").click()


def test_axe_finds_nothing_in_forced_colours(view: WidgetView) -> None:
    view.page.emulate_media(forced_colors="active")
    try:
        ablate(view)
        violations, looked_at = view.page.evaluate(CHECK)
        assert {"button-name", "color-contrast", "aria-roles"} <= set(looked_at)
        assert violations == []
        put_back(view)
    finally:
        view.page.emulate_media(forced_colors="none")


def test_everything_is_reached_by_keyboard_and_left_again(view: WidgetView) -> None:
    page, steps = view.page, []
    view.root.focus()
    for _ in range(150):
        page.keyboard.press("Tab")
        focus = view.root.evaluate(FOCUS)
        if focus is None:
            break
        steps.append(focus)
    else:
        raise AssertionError("Tab never leaves the widget")
    names = [step["name"] for step in steps]
    assert all(names)
    assert all(step["seen"] for step in steps), [step["name"] for step in steps if not step["seen"]]
    for name in (
        "Layer",
        "Play",
        "Time",
        "Cluster",
        "truth",
        "Find a neuron by its number",
        "scatter",
        "Help",
    ):
        assert name in names
    page.keyboard.press("Shift+Tab")
    assert view.root.evaluate(FOCUS)["name"] == names[-1]

    view.part("help-button").focus()
    page.keyboard.press("Enter")
    dialog = view.part("help")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    for key in ("Keys", "Mouse"):
        expect(dialog.get_by_role("heading", name=key)).to_be_in_viewport()
    term = dialog.get_by_text("wheel, drag, double click").bounding_box()
    assert term is not None
    assert term["height"] < 20  # on one line, whatever the notebook does to lists of terms
    page.keyboard.press("Tab")
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert view.root.evaluate(FOCUS)["name"] == "Help"


def test_a_term_is_explained_under_the_pointer_and_in_the_help(view: WidgetView) -> None:
    page, card = view.page, view.part("term-card")
    view.root.locator("[data-term=rule]").first.hover()
    expect(card).to_contain_text("How a contribution is computed")
    card.get_by_role("link").hover()  # how long it stays then is seen in the front end's tests
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    view.root.focus()
    page.keyboard.press("?")
    words = view.part("words")
    last = words.get_by_role("link").last
    for _ in range(100):
        page.keyboard.press("Tab")
        if last.evaluate("link => link === document.activeElement"):
            break
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(words).to_be_hidden()


def test_what_happens_is_said(view: WidgetView) -> None:
    said = view.part("status")
    expect(said).to_have_attribute("aria-live", "polite")
    expect(said).to_have_role("status")
    view.root.focus()
    view.page.keyboard.press("/")
    view.page.keyboard.type("no number")
    view.page.keyboard.press("Enter")
    expect(view.part("search")).to_have_attribute("aria-invalid", "true")
    view.part("search").fill("")
    stage = view.panel("frame").get_by_role("img")
    before = stage.get_attribute("aria-label")
    view.root.focus()
    view.page.keyboard.press("ArrowRight")
    expect(stage).not_to_have_attribute("aria-label", before or "", timeout=TIMEOUT)


def test_nothing_moves_by_itself_where_that_is_not_wanted(view: WidgetView) -> None:
    line = view.panel("frame").locator(".cw-loading")
    moves = "line => { line.parentElement.dataset.state = 'loading'; return getComputedStyle(line).animationName; }"
    view.page.emulate_media(reduced_motion="no-preference")
    assert line.evaluate(moves) == "cw-slide"
    view.page.emulate_media(reduced_motion="reduce")
    assert line.evaluate(moves) == "none"
    line.evaluate("line => { line.parentElement.dataset.state = 'ready'; }")


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.repeats)])
@pytest.mark.parametrize(("width", "zoom"), [(600, 1), (1600, 1), (920, 1), (300, 2), (800, 2)])
def test_nothing_is_cut_off_or_lies_on_something_else(
    view: WidgetView, width: int, zoom: int, theme: str
) -> None:
    set_theme(view, theme)
    view.root.evaluate(RESIZE, [width, zoom])
    view.page.wait_for_function(FITTED, timeout=TIMEOUT)
    view.wait_settled()
    box = view.root.bounding_box()
    assert box is not None
    assert abs(box["width"] - width * zoom) <= 1
    assert view.root.evaluate(PROBLEMS) == []
    ablate(view)
    view.page.wait_for_function(FITTED, timeout=TIMEOUT)
    assert view.root.evaluate(PROBLEMS) == []
    put_back(view)
    y, x = (100, 200) if theme == "Light" else (100, 20)
    frame = view.frame.bounding_box()
    assert frame is not None
    position = Position(x=(x + 0.5) * frame["width"] / 256, y=(y + 0.5) * frame["height"] / 128)
    view.frame.click(position=position)  # which waits until nothing moves
    expect(view.panel("pixel")).to_have_attribute("data-pixel", f"{y},{x}", timeout=TIMEOUT)
    view.root.evaluate(RESIZE, ["", ""])
