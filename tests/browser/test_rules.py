"""Another rule, chosen in the page or in Python while the kernel is slow: every number on screen is that rule's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView, last_number

LAYER, NEURON, TIME = "decoder.3", (5, 38), 9

# Every answer about a rule takes its time, and each another one.
SLOW = """
import random, time
import canvaswidget as cw
from canvaswidget.kernel import layer_totals, neuron_maps, ranking, selection_maps
_random, _undo = random.Random(0), []
for _module, _name in (
    (neuron_maps, "maps"), (ranking, "pixel_columns"), (selection_maps, "total_and_change"), (layer_totals, "totals")
):
    _undo.append((_module, _name, getattr(_module, _name)))
    def _slow(*arguments, _real=getattr(_module, _name), **keywords):
        time.sleep(_random.uniform(0, 0.05))
        return _real(*arguments, **keywords)
    setattr(_module, _name, _slow)
"""
UNDO = "for place in _undo: setattr(*place)"
CELLS = [
    SLOW,
    f"w = cw.CanvasWidget(cw.demo.video(), layer={LAYER!r}, time={TIME}, neuron={NEURON}, faithfulness=False)\nw",
]


@pytest.fixture
def server(lab_server):
    return lab_server


def shown(view: WidgetView) -> dict[str, Any]:
    """What the page says: the frame's maximum, bars, thumbnails, the curve's total."""
    thumbs = view.root.locator(".cw-thumb[data-neuron]").evaluate_all(
        "all => all.slice(0, 6).map(one => [one.dataset.neuron.split(',').map(Number),"
        " one.getAttribute('aria-label').split(', ')[1]])"
    )
    return {
        "under": view.frame.get_attribute("data-under"),
        "top": last_number(view.part("colourbar").locator(".cw-bar-high").text_content()),
        "bars": [(layer, tuple(neuron), value) for layer, neuron, value in view.bars()][:6],
        "thumbs": {tuple(neuron): last_number(value) for neuron, value in thumbs},
        "total": last_number(view.part("time-total").text_content()),
    }


def expected(notebook: NotebookPage, rule: str) -> dict[str, Any]:
    """The same from a canvas of its own; under ablation the pixel's neurons are ranked by gated."""
    code = f"""
_canvas = cw.trace(w.inr, rule={rule!r})
_ranks = _canvas.under("gated") if {rule!r} == "ablation" else _canvas
_y, _x = w.pixel
_map = _canvas.map(w.layer, w.neuron, w.time)
_column = _ranks.pixel(_y, _x, w.time, [w.layer])[w.layer]
_top = [(r.layer, r.neuron, float(_canvas.map(r.layer, r.neuron, w.time)[_y, _x]))
        for r in _ranks.top(_y, _x, 24, w.time)]
_top = sorted(_top, key=lambda one: -abs(one[2]))
"""
    return notebook.ask(
        "{'top': float(abs(_map).max()), 'total': float(abs(_map).sum()), 'bars': _top[:6],"
        " 'column': _column.tolist()}",
        code,
    )


@pytest.mark.parametrize("by", ["page", pytest.param("python", marks=pytest.mark.repeats)])
def test_every_number_is_that_of_the_rule(notebook: NotebookPage, by: str) -> None:
    view = notebook.widget
    tops = {}
    for rule in ("gated", "ablation", "xinc"):
        if by == "page":
            view.part("rule").select_option(rule)
        else:
            notebook.execute(f"w.rule = {rule!r}")
        expect(view.frame).to_have_attribute("data-under", rule, timeout=TIMEOUT)
        view.wait_settled()
        expect(view.part("status")).to_have_text("ready", timeout=TIMEOUT)
        expect(view.part("curve")).to_have_attribute("data-done", "24", timeout=TIMEOUT)
        # Thumbnails are painted a moment after their answer.
        expect(view.part("grid")).to_have_attribute("data-under", rule, timeout=TIMEOUT)
        expect(view.root.locator(".cw-thumb[data-neuron]").nth(5)).to_be_attached(timeout=TIMEOUT)
        page, kernel = shown(view), expected(notebook, rule)
        tops[rule] = page["top"]
        assert notebook.ask("w.rule") == page["under"] == rule
        assert page["top"] == pytest.approx(kernel["top"], rel=0.01)
        assert page["total"] == pytest.approx(kernel["total"], rel=0.01)
        assert [value for _, _, value in page["bars"]] == pytest.approx(
            [value for _, _, value in kernel["bars"]], rel=1e-3
        )
        assert len(page["thumbs"]) == 6
        column = np.array(kernel["column"])
        for neuron, value in page["thumbs"].items():
            assert value == pytest.approx(column[neuron], rel=0.01)
    assert tops == pytest.approx({"gated": 0.734, "ablation": 0.753, "xinc": 1.45}, rel=0.01)
