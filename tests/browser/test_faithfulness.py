"""The faithfulness score in a real notebook: it comes by itself, is that of the analysis, and nobody waits for it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, pixels

# The score is held up until the test lets it go; every step is a checkpoint, as in a slow model.
SLOW = """
import threading
import time
import canvaswidget as cw
from canvaswidget.analysis import faithfulness as real
from canvaswidget.kernel.requests import faithfulness as score
go = threading.Event()
def faithfulness(*args, progress, **more):
    while not go.is_set():
        progress(2, 64)
        time.sleep(0.001)
    return real(*args, progress=progress, **more)
score.faithfulness = faithfulness
"""
UNDO = "score.faithfulness = real"
CELLS = [SLOW, "w = cw.CanvasWidget(cw.demo.video(), layer='decoder.3', rule='gated')\nw"]


def test_it_comes_by_itself_and_nothing_waits_for_it(notebook: NotebookPage) -> None:
    view = notebook.widget
    line = view.part("faithfulness").locator("summary")
    # The selection's own number comes before the layer's.
    measuring = re.compile(r"^(faithfulness: measuring|this map \d\.\d\d · ranking: measuring)$")
    expect(line).to_have_text(measuring, timeout=TIMEOUT)
    expect(view.part("faithfulness")).to_contain_text("1 neurons so far", timeout=TIMEOUT)

    view.click_pixel(40, 100)
    view.root.focus()
    notebook.page.keyboard.press("ArrowRight")
    time = int(view.part("time").input_value())
    view.wait_frame(time=time)
    notebook.page.keyboard.press("k")
    view.wait_frame(source="ablated", time=time)
    notebook.page.keyboard.press("k")
    view.wait_frame(source="reconstruction", time=time)
    view.wait_settled()
    assert notebook.ask("_w.figure() is not None")
    expect(line).to_have_text(measuring)

    notebook.execute("go.set()")
    expect(line).to_have_text(
        re.compile(r"(faithfulness|ranking) (high|fair|low|none) .* · gated · decoder\.3 · "), timeout=TIMEOUT
    )
    totals, rule = notebook.ask("[_w.stats()['faithfulness']['totals'], _w.stats()['faithfulness']['rule']]")
    assert rule == "gated"
    expect(line).to_contain_text(f"{totals['value']:.2f}")
    expect(line).to_contain_text(re.compile(r"^this map \d\.\d\d · "), timeout=TIMEOUT)
    agreement = notebook.ask(
        "float(_n.corrcoef(_ours.ravel(), _lost.ravel())[0, 1])",
        "import numpy as _n\n"
        "_ours = _w.canvas.map(_w.layer, _w.neuron, _w.time)\n"
        "_lost = (_w.canvas.frame(_w.time) - _w.canvas.ablate({_w.layer: [_w.neuron]}, _w.time)).sum(2)",
    )
    expect(line).to_contain_text(f"this map {agreement:.2f}")

    view.part("rule").select_option("ablation")
    expect(line).to_have_text("faithfulness: ground truth · ablation · decoder.3", timeout=TIMEOUT)
    line.click()
    view.part("faithfulness-switch").click()
    expect(line).to_have_text("faithfulness: off")
    notebook.wait_for(lambda: notebook.ask("_w.faithfulness"), False, "whether it is measured")
    notebook.execute("_w.rule = 'gated'; _w.faithfulness = True")
    expect(line).to_contain_text(f"{totals['value']:.2f}", timeout=TIMEOUT)  # known already


def test_rules_side_by_side(notebook: NotebookPage) -> None:
    view = notebook.widget
    notebook.execute("go.set(); import numpy as _n; _w.layer = 'decoder.2'; _w.neuron = (0, 23)")
    view.wait_frame(selection=f"{notebook.ask('_w.layer')}/0,23")
    view.root.focus()
    notebook.page.keyboard.press("r")
    dialog = view.part("rules")
    expect(dialog).to_have_attribute("data-state", "ready", timeout=TIMEOUT)
    limits = view.part("rules-limits")
    maps, totals = {}, {}
    for rule in ("xinc", "gated", "ablation"):
        ask = f"_w.canvas.under({rule!r}).map(_w.layer, _w.neuron, _w.time"
        maps[rule] = notebook.ask_array(f"{ask})").ravel()
        # A total adds the magnitudes of each colour, where the rule knows colours.
        each = "" if rule == "xinc" else ", rgb='each'"
        totals[rule] = notebook.ask(f"float(abs({ask}{each})).sum())")
    lost = maps["ablation"]
    top = max(np.abs(part).max() for values in maps.values() for part in (values, values - lost))
    expect(limits).to_contain_text(f"{top:.3g}")
    for rule, values in maps.items():
        shown = view.part(f"rule-{rule}")
        total = float(shown.get_attribute("data-total") or "nan")
        assert total == pytest.approx(totals[rule], rel=1e-3)
        colours = pixels(shown)[..., :3].reshape(-1, 3).astype(int)
        # Diverging: red where it adds, blue where it takes away, so that the colours order the values.
        warm = colours[:, 0] - colours[:, 2]
        strong = np.abs(values) > 0.2 * top
        assert not strong.any() or (np.sign(warm[strong]) == np.sign(values[strong])).all()
        if rule != "ablation":
            known = np.corrcoef(values, lost)[0, 1]
            expect(dialog.locator(f'[data-rule="{rule}"]')).to_contain_text(f"{abs(known):.2f}")
    time = notebook.ask("_w.time")
    notebook.page.keyboard.press("ArrowRight")
    expect(dialog).to_have_attribute("data-time", str(time + 1), timeout=TIMEOUT)
    notebook.wait_for(lambda: notebook.ask("_w.time"), time + 1, "the time")
    notebook.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    notebook.execute("_w.layer = 0; _w.neuron = (0, 0)")
    view.wait_frame(selection=f"{notebook.ask('_w.layer')}/0,0")
    view.part("rules-button").click()
    expect(dialog.locator('[data-rule="xinc"]')).to_contain_text("Not defined here: ", timeout=TIMEOUT)
    expect(view.part("rule-gated")).to_have_attribute("data-total", re.compile(r"\d"))
