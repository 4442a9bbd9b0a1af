"""Quick series of changes while the kernel is slow: in the end every number on screen is that of the last state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, WidgetView, last_number

# Every answer takes its time, and each another one.
SLOW = """
import random, time
import torch
import canvaswidget as cw
from canvaswidget.models import NeRV
from canvaswidget.kernel import (
    ablation, layer_totals, neuron_maps, pictures, ranking, selection_maps, similarity
)
_random, _undo = random.Random(1), []
def _slowed(place, name):
    real = getattr(place, name)
    _undo.append((place, name, real))
    def slow(*arguments, **keywords):
        time.sleep(_random.uniform(0, 0.1))
        return real(*arguments, **keywords)
    setattr(place, name, slow)
for _module, _names in {
    neuron_maps: ("maps", "signed_and_sizes"),
    ranking: ("pixel_columns", "region_columns"),
    selection_maps: ("total_and_change", "sums"),
    layer_totals: ("totals",),
    similarity: ("clusters",),
    pictures: ("frame",),
    ablation: ("edited_picture",),
}.items():
    for _name in _names:
        _slowed(_module, _name)
torch.manual_seed(0)
_inr = cw.as_inr(NeRV(embed="pe_1.25_4", fc_dim=6, fc_hw="4_8", dec_strds=(2, 2), lower_width=4, n_frames=6))
"""
UNDO = "for place in _undo: setattr(*place)"
CELLS = [SLOW, "w = cw.CanvasWidget(_inr, rule='gated', pixel=(5, 6), sort='total', faithfulness=False)\nw"]

# What a canvas of its own says about the state that the kernel has, and about the neurons that the page shows.
EXPECTED = """
import json
import numpy as np
_canvases = {}
def _exact(bars, thumbs, of):
    canvas = _canvases.setdefault(w.rule, cw.trace(w.inr, rule=w.rule))
    state = {n: w.get_state([n])[n] for n in ("layer", "time", "neuron", "channel", "sort", "source")}
    signed = state["channel"]
    sized = "abs" if signed == "sum" else signed
    def map_of(layer, neuron, rgb):
        return canvas.map(layer, neuron[0] if len(neuron) == 1 else tuple(neuron), w.time, rgb=rgb)
    def value(neuron):
        if w.sort == "total":
            return float(abs(map_of(w.layer, neuron, sized)).sum())
        map = map_of(w.layer, neuron, signed)
        return float((map * w.region.mask).sum()) if w.sort == "region" else float(map[tuple(w.pixel)])
    def bar(map):
        return map[tuple(w.pixel)] if of == "pixel" else map[w.region.mask].mean()
    state["bars"] = [float(bar(map_of(layer, neuron, signed))) for layer, neuron in bars]
    state["thumbs"] = [] if w.sort == "index" else [value(neuron) for neuron in thumbs]
    if w.neuron is None:
        state["total"] = float(canvas.summary(w.layer, frame=w.time, rgb=sized).neuron_abs.sum())
    else:
        state["total"] = float(abs(map_of(w.layer, state["neuron"], sized)).sum())
        if w.source != "ablated":
            state["top"] = float(abs(map_of(w.layer, state["neuron"], signed)).max())
    if w.source == "ablated":
        left, whole = canvas.ablate(w.ablated, w.time), canvas.frame(w.time)
        state["psnr"] = float(-10 * np.log10(((np.clip(left, 0, 1) - np.clip(whole, 0, 1)) ** 2).mean()))
    state["clusters"] = w.n_clusters
    return state
"""


@pytest.fixture
def server(lab_server):
    return lab_server


def slide(view: WidgetView, name: str, values: list[int]) -> None:
    """What a hand does to a slider, all at once."""
    view.part(name).evaluate(
        """(slider, values) => {
  for (const value of values) {
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
  }
  slider.dispatchEvent(new Event('change', {bubbles: true}));
}""",
        values,
    )


def choose(view: WidgetView, name: str, values: list[str]) -> None:
    for value in values:
        view.part(name).select_option(value)


def press(view: WidgetView, keys: list[str]) -> None:
    view.root.focus()
    for key in keys:
        view.page.keyboard.press(key)


def click_thumbs(view: WidgetView, places: list[int]) -> None:
    for place in places:
        view.root.locator(f'.cw-thumb[data-index="{place}"][data-neuron]').click()


def click_colours(view: WidgetView, colours: list[str]) -> None:
    view.part("style").locator("summary").click()
    for colour in colours:
        view.part("channel").locator(f'[data-value="{colour}"]').click()
    view.page.keyboard.press("Escape")


def draw_regions(view: WidgetView, boxes: list[tuple[int, int, int, int]]) -> None:
    mouse = view.page.mouse
    view.page.keyboard.down("Shift")
    for top, left, bottom, right in boxes:
        mouse.move(*view.point_at(top, left))
        mouse.down()
        mouse.move(*view.point_at(bottom, right), steps=3)
        mouse.up()
    view.page.keyboard.up("Shift")
    mouse.move(0, 0)


# By trait, a series from the page and one from Python, with what is the case in the end.
SERIES: dict[str, tuple[Callable[[WidgetView], Any], str, Any]] = {
    "time": (lambda v: slide(v, "time", [1, 4, 2, 5, 3]), "for t in (1, 4, 2, 5, 3): w.time = t", 3),
    "channel": (
        lambda v: click_colours(v, ["red", "abs", "green"]),
        "for c in ('red', 'abs', 'green'): w.channel = c",
        "green",
    ),
    "neuron": (
        lambda v: click_thumbs(v, [1, 3, 2, 4]),
        "for n in ((0, 1), (2, 3), (1, 0)): w.neuron = n",
        None,
    ),
    "sort": (
        lambda v: choose(v, "sort", ["pixel", "index", "total", "pixel"]),
        "for s in ('index', 'total', 'pixel'): w.sort = s",
        "pixel",
    ),
    "region": (
        lambda v: draw_regions(v, [(2, 3, 8, 9), (1, 10, 6, 20), (6, 4, 12, 24)]),
        "for b in (8, 6, 14): w.region = ((1, 2), (b, b + 4))\nw.sort = 'region'",
        None,
    ),
    "ablated": (
        lambda v: press(v, ["k", "k", "k"]),
        "for n in (0, 1, 2): w.ablated = {w.layer: [(n, 1), (0, n)]}",
        None,
    ),
    "n_clusters": (
        lambda v: choose(v, "n-clusters", ["3", "5", "2", "4"]),
        "for n in (3, 5, 2, 4): w.n_clusters = n",
        4,
    ),
    "layer": (
        lambda v: (press(v, ["[", "]", "[", "[", "]"]), click_thumbs(v, [2])),
        "for l in (0, 2, -1, -2): w.layer = l\nw.neuron = (3, 2)",
        None,
    ),
}


def neurons_of(view: WidgetView) -> list[tuple[list[int], float]]:
    """The first thumbnails, and what they are sorted by."""
    thumbs = view.root.locator(".cw-thumb[data-neuron]").evaluate_all(
        "all => all.sort((a, b) => a.dataset.index - b.dataset.index).slice(0, 5).map(one =>"
        " [one.dataset.neuron.split(',').map(Number), one.getAttribute('aria-label').split(', ')[1]])"
    )
    return [(neuron, last_number(value)) for neuron, value in thumbs]


def differs(notebook: NotebookPage, view: WidgetView) -> list[str]:
    """What the page shows that is not what a canvas of its own says about the kernel's state."""
    bars, thumbs, frame = view.bars()[:5], neurons_of(view), view.frame
    of = view.panel("pixel").get_attribute("data-of")
    exact = notebook.ask(f"_exact({[bar[:2] for bar in bars]!r}, {[one for one, _ in thumbs]!r}, {of!r})")
    said: dict[str, Any] = {
        "time": int(frame.get_attribute("data-time") or -1),
        "source": frame.get_attribute("data-source"),
        "sort": view.part("sort").input_value(),
        "bars": [value for _, _, value in bars],
        "thumbs": [value for _, value in thumbs] if exact["thumbs"] else [],
        "total": last_number(view.part("time-total").text_content()),
        "clusters": view.root.locator(".cw-chip[data-cluster]").count(),
    }
    if "top" in exact:
        said["top"] = last_number(view.part("colourbar").locator(".cw-bar-high").text_content())
    if "psnr" in exact:
        said["psnr"] = last_number(
            (view.part("ablation-psnr").text_content() or "").split("(")[0].split(" dB")[0]
        )
    wrong = []
    for name, value in said.items():
        numeric = name in ("bars", "thumbs", "total", "top", "psnr")
        if value != (pytest.approx(exact[name], rel=0.01, abs=1e-4) if numeric else exact[name]):
            wrong.append(f"{name}: the page says {value!r} and not {exact[name]!r}")
    if not bars or not thumbs:
        wrong.append("no bars or no thumbnails")
    if exact["sort"] != "index" and list(np.abs(said["thumbs"])) != sorted(
        np.abs(said["thumbs"]), reverse=True
    ):
        wrong.append("thumbnails are not in order")
    return wrong


@pytest.mark.parametrize("by", ["page", pytest.param("python", marks=pytest.mark.repeats)])
def test_the_last_state_is_shown(notebook: NotebookPage, by: str) -> None:
    view = notebook.widget
    notebook.execute(EXPECTED)
    view.part("cluster-neurons").click()
    for name, (from_page, from_python, last) in SERIES.items():
        if by == "page":
            from_page(view)
        else:
            notebook.execute(from_python)
        if last is not None:
            notebook.wait_for(lambda name=name: notebook.ask(f"w.{name}"), last, name)

        def is_right() -> list[str]:
            view.wait_settled()
            expect(view.part("curve")).to_have_attribute("data-done", "6", timeout=TIMEOUT)
            return differs(notebook, view)

        notebook.wait_for(is_right, [], f"after a series of {name}s, what is wrong")
