"""A training in a real notebook: a slider over its checkpoints, and two of them beside each other, to the pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView, pixels
from tests.browser.test_access import AXE, CHECK, PROBLEMS, RESIZE, set_theme

CELLS = [
    "import canvaswidget as cw, numpy as np",
    "runs = cw.demo.training()",
    "w = cw.CanvasWidget(runs, pixel=(60, 90), opacity=0.0, faithfulness=False)",
    "w",
]


def picture(notebook: NotebookPage, run: Any) -> np.ndarray:
    """A run's picture as it should be on screen, from a canvas that is traced on its own."""
    code = f"_f = np.clip(cw.trace(runs[{run!r}].inr).frame(w.time), 0, 1) * 255"
    return notebook.ask_array("np.round(_f).astype(np.uint8)", code)


def choose(view: WidgetView, step: int, steps: list[int]) -> None:
    """Move the slider to a step."""
    view.part("run").evaluate(
        "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input', {bubbles: true})) }",
        steps.index(step),
    )


def numbers(notebook: NotebookPage, run: Any) -> dict[str, Any]:
    """The selected neuron's total and the strongest neurons of the pixel in a run, from a canvas of its own."""
    code = f"""
_canvas = cw.trace(runs[{run!r}].inr, rule=w.rule)
_top = [(one.layer, list(one.neuron) if isinstance(one.neuron, tuple) else [one.neuron], float(one.value))
        for one in _canvas.top(*w.pixel, 5, w.time)]
_sum = _canvas.map(w.layer, w.neuron, w.time)
"""
    return notebook.ask("{'bars': _top, 'largest': float(abs(_sum).max())}", code)


def test_a_slider_over_checkpoints_shows_each_to_the_pixel(notebook: NotebookPage) -> None:
    view = notebook.widget
    steps = notebook.ask("runs.steps")
    assert notebook.ask("w.run") == steps[-1]
    for step in (12, 518, 0):
        choose(view, step, steps)
        view.wait_frame(run=step)
        view.wait_settled()
        assert np.abs(pixels(view.frame)[..., :3].astype(int) - picture(notebook, step)).max() <= 1
        notebook.wait_for(lambda: notebook.ask("w.run"), step, "the run")
        exact = numbers(notebook, step)
        shown = view.bars()[:5]
        assert [(layer, neuron) for layer, neuron, _ in shown] == [tuple(one[:2]) for one in exact["bars"]]
        assert [value for *_, value in shown] == pytest.approx([one[2] for one in exact["bars"]], rel=1e-3)
    view.root.focus()
    view.page.keyboard.press(".")
    view.wait_frame(run=steps[1])
    notebook.execute("w.run = 2400")
    view.wait_frame(run=2400)
    expect(view.part("run-label")).to_have_text("2400")
    # The curve over the runs, and a click on it.
    expect(view.part("run-curve")).to_have_attribute("data-done", str(len(steps)), timeout=TIMEOUT)
    box = view.part("run-curve").bounding_box()
    assert box is not None
    view.page.mouse.click(box["x"] + 60, box["y"] + box["height"] / 2)
    view.wait_frame(run=steps[0])


def test_a_step_is_compared_with_another(notebook: NotebookPage) -> None:
    view, second = notebook.widget, notebook.widget.part("compared")
    view.part("compare").select_option("112")
    expect(second).to_have_attribute("data-run", "112", timeout=TIMEOUT)
    ours, theirs = picture(notebook, 2400), picture(notebook, 112)
    assert np.abs(pixels(view.frame)[..., :3].astype(int) - ours).max() <= 1
    assert np.abs(pixels(second)[..., :3].astype(int) - theirs).max() <= 1
    # One zoom: both pictures lie alike on their stages.
    view.frame.hover()
    view.page.mouse.wheel(0, -400)
    places = (
        "canvas => { const {width, height} = canvas.style; return [width, height, canvas.style.transform] }"
    )
    assert view.frame.evaluate(places) == second.evaluate(places)
    # A click on either pins the pixel in both.
    box = second.bounding_box()
    assert box is not None
    second.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    notebook.wait_for(lambda: notebook.ask("w.pixel != (60, 90)"), True, "another pixel")
    view.root.locator(".cw-comparison [data-value=picture]").click()
    expect(second).to_have_attribute("data-mode", "picture", timeout=TIMEOUT)
    notebook.wait_for(lambda: notebook.ask("w.comparison"), "picture", "the difference")
    apart = np.abs(ours.astype(float) - theirs).mean(-1)
    shown = pixels(second)[..., 0].astype(float)
    assert np.abs(shown - apart / apart.max() * 255).max() <= 2
    notebook.execute("w.compare = None")
    expect(second).to_be_hidden()


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.repeats)])
def test_axe_finds_nothing_and_nothing_is_cut_off(notebook: NotebookPage, theme: str) -> None:
    view = notebook.widget
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    try:
        set_theme(view, theme)
        view.part("compare").select_option("112")
        expect(view.part("compared")).to_have_attribute("data-run", "112", timeout=TIMEOUT)
        for mode in ("side", "wipe", "picture", "map"):
            view.root.locator(f".cw-comparison [data-value={mode}]").click()
            expect(view.part("compared")).to_have_attribute("data-mode", mode, timeout=TIMEOUT)
            violations, looked_at = notebook.page.evaluate(CHECK)
            assert {"button-name", "color-contrast"} <= set(looked_at)
            assert not violations, f"{mode}:\n" + "\n".join(violations)
        for width in (600, 1400):
            view.root.evaluate(RESIZE, [width, 1])
            notebook.wait_for(lambda: view.root.evaluate(PROBLEMS), [], f"what is wrong at {width} px")
    finally:
        notebook.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            "JupyterLab Light",
        )
