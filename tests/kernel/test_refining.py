"""Orders by estimated totals that get better from look to look, and what comes in between."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.kernel import layer_totals, sampled_maps
from tests.canvases import video
from tests.kernel.page import Page, grid


@pytest.fixture
def page(pages: Any, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A layer as slow as a large one: its totals are estimated, and exact ones cost more than that."""
    monkeypatch.setattr("canvaswidget.kernel.sampled_maps.LARGE", 0)
    monkeypatch.setattr("canvaswidget.tracing.sampling.exact_cost", lambda *_: math.inf)
    return pages(cw.trace(video(), "gated"))


def look(page: Page, number: int, **changes: Any) -> dict[str, Any]:
    layer = page.session.canvas.traced_layers[1].name
    return grid(layer, sort="total", look=number, **changes)


def order(page: Page, number: int) -> tuple[Any, ...]:
    body, _ = page.ask(**look(page, number))
    return body["neurons"], body["values"], body["half_width"]


def test_looks_get_better_until_they_are_settled(page: Page) -> None:
    canvas = page.session.canvas
    layer = canvas.traced_layers[1]
    exact = canvas.summary(layer, 1).neuron_abs.ravel()
    widths, replies = [], []
    while not widths or widths[-1] > 0.05:
        body, _ = page.ask(**look(page, len(widths), count=layer.n_kernels))
        widths.append(body["half_width"])
        replies.append(body)
    assert widths[0] > widths[len(widths) // 2] > widths[-1] > 0
    last = dict(zip(map(tuple, replies[-1]["neurons"]), replies[-1]["values"], strict=True))
    guess = np.array([last[tuple(map(int, layer.neuron_at(place)))] for place in range(layer.n_kernels)])
    assert np.median(np.abs(guess / exact - 1)) < 0.05
    beyond, _ = page.ask(**look(page, len(widths) + 3, count=layer.n_kernels))
    assert (beyond["half_width"], beyond["values"]) == (widths[-1], replies[-1]["values"])


def test_a_look_is_the_same_however_it_is_come_to(page: Page, pages: Any) -> None:
    step_by_step = [order(page, number) for number in range(4)]
    other = pages(page.session.canvas)
    assert order(other, 3) == step_by_step[3]
    assert order(other, 1) == step_by_step[1]
    assert order(other, 3) == step_by_step[3]


def test_each_pass_is_computed_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas, begun = page.session.canvas, []
    started = canvas.improving_summaries
    monkeypatch.setattr(
        canvas, "improving_summaries", lambda *given, **named: begun.append(1) or started(*given, **named)
    )
    for number in range(4):
        page.ask(**look(page, number))
    page.ask(**look(page, 2, first=0, count=3))
    assert len(begun) == 1


def test_a_click_is_answered_before_a_better_order(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.ask(**look(page, 0))
    canvas, clicks = page.session.canvas, []
    weighted = canvas.matrix.rule.weighted

    def clicked(*given: Any) -> Any:
        """The first pass of the look: the user clicks while it is computed."""
        if not clicks:
            clicks.append(page.send(kind="frame", time=3, source="reconstruction"))
        return weighted(*given)

    monkeypatch.setattr(canvas.matrix.rule, "weighted", clicked)
    refining = page.send("refine", **look(page, 2, count=0))
    assert page.end(refining)[0]["type"] == "reply"
    assert page.order[-2:] == [(clicks[0], "reply"), (refining, "reply")]


def test_a_look_that_was_cancelled_can_be_asked_for_again(
    page: Page, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = order(pages(page.session.canvas), 3)
    page.ask(**look(page, 1))
    rule, stopped = page.session.canvas.matrix.rule, []
    contributions = rule.contributions

    def stop(*given: Any) -> Any:
        if not stopped:
            stopped.append(True)
            page.session.handle({"type": "cancel", "id": refining[0]}, page.reply)
        return contributions(*given)

    monkeypatch.setattr(rule, "contributions", stop)
    refining: list[int] = []
    # The worker is busy until the request has its number.
    page.session.call(lambda checkpoint: refining.append(page.send("refine", **look(page, 3, count=0))))
    assert page.end(refining[0])[0]["type"] == "cancelled"
    assert order(page, 3) == expected


def test_a_large_layer_is_sorted_by_estimated_change(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = page.session.canvas
    layer = canvas.traced_layers[1]
    maps = [
        np.concatenate([abs(part) for _, part in canvas.iter(layer, time, rgb="each")]) for time in (0, 1)
    ]
    exact = np.abs(maps[1].sum(-1) - maps[0].sum(-1)).sum((1, 2))
    monkeypatch.setattr(canvas, "maps", None)  # no sweep
    ask = {"time": 1, "layer": layer.name, "sort": "change", "channel": "sum", "pixel": None, "region": None}
    body, data = page.ask(kind="values", **ask)
    assert 0 < body["half_width"] <= 0.05
    assert np.median(np.abs(data.view("<f4") / exact - 1)) < 0.05


class StillColumns:
    """Columns of two frames that are alike, of 40 pixels in ten lattices."""

    n_neurons, size, frames, passes_a_draw = 3, (4, 10), (0, 1), 1

    def __len__(self) -> int:
        return 10

    def lattice(self, number: int) -> np.ndarray:
        return np.stack([np.arange(4), np.full(4, number)], 1)

    def at(self, pixels: np.ndarray) -> Any:
        values = torch.ones(len(pixels), self.n_neurons)
        yield slice(0, len(pixels)), [values, values]


@pytest.mark.parametrize(("most", "half_width"), [(4, 1.0), (768, 0.0)])
def test_no_change_at_some_pixels_is_no_exact_answer(
    most: int, half_width: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled_maps, "MOST_PASSES", most)
    canvas = SimpleNamespace(columns=lambda layer, frames, rgb: StillColumns())
    cached: Any = SimpleNamespace(canvas=canvas, size=(4, 10), channel="sum")
    layer: Any = SimpleNamespace(name="layer")
    found, said = layer_totals.Changing(cached, layer, 1).at(9, lambda done, total: None)
    assert found.tolist() == [0, 0, 0]
    assert said == half_width
