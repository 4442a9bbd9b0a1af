"""What is selected shows in every view, in the colour that is chosen and at the frame it is of."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView

CELLS = [
    "import canvaswidget as cw",
    "w = cw.CanvasWidget(cw.demo.video(), faithfulness=False, layer='decoder.3', time=4,\n"
    "    regions={'left': ((60, 0), (128, 40)), 'clip': cw.demo.video().truth[..., 0] > 0.5})\nw",
]


def wait_regions(view: WidgetView, time: int) -> None:
    """Until the parts of the regions are of this frame."""
    regions = view.part("regions")
    expect(regions).to_have_attribute("data-time", str(time), timeout=TIMEOUT)
    expect(regions).not_to_have_attribute("data-stale", "", timeout=TIMEOUT)


def share(view: WidgetView, name: str) -> float:
    row = view.root.locator(f'[data-region="{name}"]')
    return float(row.get_attribute("data-share") or "nan")


def test_one_colour_in_every_view(notebook: NotebookPage) -> None:
    view = notebook.widget
    view.part("rule").select_option("gated")
    notebook.wait_for(lambda: notebook.ask("_w.rule"), "gated", "the rule")
    layer, neuron = notebook.ask("[_w.layer, list(_w.neuron)]")
    view.part("style").locator("summary").click()
    view.part("channel").locator("[data-value=green]").click()
    notebook.wait_for(lambda: notebook.ask("_w.channel"), "green", "the channel")
    view.wait_frame(selection=f"{layer}/{neuron[0]},{neuron[1]}:green")
    view.wait_settled()
    bars = view.bars()
    exact = notebook.ask(
        "[float(_w.canvas.map(l, tuple(n) if len(n) > 1 else n[0], _w.time, rgb='green')[_w.pixel]) for l, n in _b]",
        f"_b = {[[layer, neuron] for layer, neuron, _ in bars[:5]]!r}",
    )
    np.testing.assert_allclose([value for _, _, value in bars[:5]], exact, rtol=1e-3, atol=1e-6)
    total = notebook.ask("float(abs(_w.canvas.map(_w.layer, _w.neuron, _w.time, rgb='green')).sum())")
    expect(view.part("time-total")).to_have_text(f"total {total:.3g}", timeout=TIMEOUT)
    for panel in ("frame", "neurons", "pixel", "time"):
        expect(view.panel(panel).locator(".cw-label")).to_contain_text("green")
    # Under a rule that knows the sum only the choice is off, says why, and the views are of the sum.
    view.part("rule").select_option("xinc")
    expect(view.part("no-colours")).to_contain_text("does not follow", timeout=TIMEOUT)
    expect(view.part("channel").locator("[data-value=green]")).to_be_disabled()
    view.wait_frame(selection=f"{layer}/{neuron[0]},{neuron[1]}")
    assert notebook.ask("_w.channel") == "sum"


def test_regions_follow_the_selection_and_the_frame(notebook: NotebookPage) -> None:
    view = notebook.widget
    wait_regions(view, 4)
    expected = notebook.ask(
        "float(_m[_w.regions['left'].mask].sum() / _m.sum())",
        "_m = abs(_w.canvas.map(_w.layer, _w.neuron, 4))",
    )
    assert share(view, "left") == pytest.approx(expected, rel=1e-3)
    notebook.execute("_w.time = 9")
    wait_regions(view, 9)
    expected = notebook.ask(
        "float(_m[_w.regions['clip'].frames[9].mask].sum() / _m.sum())",
        "_m = abs(_w.canvas.map(_w.layer, _w.neuron, 9))",
    )
    assert share(view, "clip") == pytest.approx(expected, rel=1e-3)
    view.root.locator('[data-region="clip"]').click()
    notebook.wait_for(lambda: notebook.ask("_w.region == _w.regions['clip'].frames[9]"), True, "the region")
    expect(view.part("sort")).to_have_value("region")
    panel = view.panel("pixel")
    expect(panel.locator(".cw-label")).to_contain_text("mean of", timeout=TIMEOUT)
    first = panel.locator(".cw-bar").first
    values = notebook.ask(
        "[float(_r[n].max()) for n in _r]",
        "_s = _w.canvas.region(_w.region.mask, 9, rgb='each' if _w.rule == 'gated' else 'sum')\n"
        "_r = {n: abs(v).sum(-1) if _w.rule == 'gated' else abs(v) for n, v in _s.items()}",
    )
    title = first.get_attribute("title") or ""
    assert float(first.get_attribute("data-value") or "nan") != 0, title
    largest = max(values) / notebook.ask("int(_w.region.mask.sum())")
    assert abs(float(first.get_attribute("data-value") or "nan")) == pytest.approx(largest, rel=1e-2)
    notebook.execute("_w.neuron = None")
    wait_regions(view, 9)
    assert 0 < share(view, "clip") < 1


def test_the_scatter_and_the_order_by_change_are_of_the_frame_that_they_name(notebook: NotebookPage) -> None:
    view = notebook.widget
    label = view.panel("neurons").locator(".cw-label")
    view.part("sort").select_option("change")
    view.wait_settled()
    expect(label).to_contain_text("frame 4")
    notebook.execute("_w.time = 11")
    expect(label).to_contain_text("frame 11", timeout=TIMEOUT)
    view.wait_settled()
    best = notebook.ask(
        "[int(i) for i in _n.unravel_index(_d.argmax(), _w.canvas.layers.find(_w.layer).neurons)]",
        "import numpy as _n\n"
        "_before, _now = (_n.concatenate([abs(m) for _, m in _w.canvas.iter(_w.layer, t)]) for t in (10, 11))\n"
        "_d = abs(_now - _before).sum((1, 2))",
    )
    expect(view.root.locator('.cw-thumb[data-index="0"]')).to_have_attribute(
        "data-neuron", ",".join(map(str, best)), timeout=TIMEOUT
    )
    view.panel("neurons").locator("[data-value=scatter]").click()
    expect(label).to_contain_text("frame 11", timeout=TIMEOUT)
    notebook.execute("_w.time = 2")
    expect(label).to_contain_text("frame 2", timeout=TIMEOUT)


def test_neurons_sort_by_the_frequencies_of_their_maps(notebook: NotebookPage) -> None:
    view = notebook.widget
    view.part("sort").select_option("frequency")
    notebook.wait_for(lambda: notebook.ask("_w.sort"), "frequency", "the order")
    view.wait_settled()
    time = notebook.ask("_w.time")
    lowest = notebook.ask(
        "[[*map(int, _n.unravel_index(_f.argmin(), _f.shape))], float(_f.min()), int(_n.isnan(_c).sum())]",
        "import numpy as _n\n"
        f"_c = cw.analysis.spectrum(_w.canvas, _w.layer, {time}, sample=None).centroid\n"
        "_f = _n.nan_to_num(_c, nan=9)",
    )
    first = view.root.locator('.cw-thumb[data-index="0"]')
    expect(first).to_have_attribute("data-neuron", ",".join(map(str, lowest[0])), timeout=TIMEOUT)
    assert f"frequency: {lowest[1]:.3g} cycles a pixel" in (first.get_attribute("aria-label") or "")
    assert f"frequency: {lowest[1]:.3g} cycles a pixel" in (first.get_attribute("title") or "")
    # The keyboard goes to the highest: those without a frequency come after it, and say so.
    first.focus()
    first.press("End")
    last = view.root.locator(".cw-thumb:focus")
    words = "no frequency" if lowest[2] else "cycles a pixel"
    expect(last).to_have_attribute("aria-label", re.compile(words), timeout=TIMEOUT)
    view.part("sort").select_option("total")
    view.wait_settled()


def test_a_cluster_shows_in_every_view(notebook: NotebookPage) -> None:
    view = notebook.widget
    notebook.execute("_w.neuron = None")  # one that is selected stands before its cluster
    view.part("cluster-neurons").click()
    view.root.locator('.cw-chip[data-cluster="0"]').click()
    view.wait_frame(selection=f"{notebook.ask('_w.layer')}/cluster=0of6")
    for panel in ("frame", "neurons", "pixel"):  # the curve takes a pass over the layer for every frame
        expect(view.panel(panel)).to_have_attribute("data-state", "ready", timeout=TIMEOUT)
    thumbs = view.root.locator(".cw-thumb[data-neuron]")
    expect(thumbs.first).to_be_attached(timeout=TIMEOUT)
    expect(thumbs.and_(view.root.locator(':not([data-cluster="0"])'))).to_have_count(
        0
    )  # once they are painted
    assert thumbs.count() > 0
    layer = notebook.ask("_w.layer")
    bars = view.root.locator(f'.cw-bar:not([hidden])[data-layer="{layer}"]')
    for bar in bars.all():
        member = bar.get_attribute("data-cluster") == "0"
        assert (bar.get_attribute("data-member") is not None) == member
    expect(view.part("curve")).to_have_attribute("data-selection", f"{layer}/cluster=0of6", timeout=TIMEOUT)
