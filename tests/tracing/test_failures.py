"""An error of torch's within one rule names the op and its module, and leaves the other rules as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.kernel import ranking
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.tracing import rules
from canvaswidget.tracing.capture import recording
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.rules.gated.frozen_ops import FrozenOps

FOREIGN = (KeyError("div"), RuntimeError("shape"), ValueError("x not in list"), TypeError("unhashable"))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.sin(self.inner(x)).cumsum(-1)


def inr() -> cw.INR:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), Block(), nn.Linear(4, 3), nn.Sigmoid())
    return cw.INR.from_coords(net, (3, 4))


def failing(error: Exception) -> Any:
    def fail(*arguments: Any, **keywords: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", FOREIGN, ids=repr)
def test_a_rule_that_fails_on_a_model_is_said_not_to_be_defined_on_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules.Gated, "__init__", failing(error))
    with pytest.raises(cw.UntraceableError, match=rf"rule='gated': .*{type(error).__name__}: .*Another rule"):
        cw.trace(inr(), "gated")
    canvas = cw.trace(inr(), "xinc")
    assert canvas.under("ablation").map("2", 0).any()
    with pytest.raises(cw.UntraceableError, match="rule='gated'"):
        canvas.under("gated")


@pytest.mark.parametrize("error", FOREIGN, ids=repr)
@pytest.mark.parametrize("part", ["_add", "_linear", "_made"])
def test_an_error_of_an_op_under_gated_names_the_op_and_its_module(
    error: Exception, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = cw.trace(inr(), "gated")
    monkeypatch.setattr(FrozenOps, part, failing(error))
    op = {"_add": "'add' in '1'", "_linear": "'cumsum' in '1'", "_made": "'(sin' in '1|sigmoid' in '3)'"}[
        part
    ]
    named = rf"rule='gated': .*{op}: {type(error).__name__}: .*ablation"
    for ask in (
        lambda: canvas.map("1.inner", 0),
        lambda: canvas.maps("1.inner", [0, 1]),
        lambda: canvas.pixel(0, 0, layers="1.inner"),
        lambda: canvas.remainder("1.inner"),
        lambda: canvas.summary("1.inner"),
        lambda: canvas.check(),
    ):
        with pytest.raises(cw.UntraceableError, match=named):
            ask()
    assert canvas.under("ablation").check().all_hold
    assert canvas.under("xinc").map("2", 0).any()


def test_an_error_of_an_op_under_ablation_names_the_op_and_its_module() -> None:
    canvas = cw.trace(inr(), "ablation")
    canvas.ablate({"1.inner": [0]})
    canvas.frame()
    node = next(node for node in canvas.matrix.capture.graph.nodes if node.target is aten.cumsum.default)
    node.target = failing(RuntimeError("vmap: in-place"))
    node.meta["written"] = "cumsum"
    for ask in (
        lambda: canvas.map("1.inner", 0),
        lambda: canvas.maps("1.inner", [0, 1]),
        lambda: canvas.pixel(0, 0, layers="1.inner"),
        lambda: canvas.ablate({"1.inner": [0]}),
        lambda: canvas.check(),
    ):
        with pytest.raises(
            cw.UntraceableError, match=r"rule='ablation': .*'cumsum' in '1': RuntimeError: vmap"
        ):
            ask()
    assert canvas.map("2", 0).any()


class Unbatched(nn.Module):
    """An op between two layers that torch can run, but not in a batch."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.how = nn.Linear(2, 4), nn.Linear(4, 3), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        if self.how == "fill_diagonal":
            return self.last((h * 1).fill_diagonal_(0.7))
        return self.last(aten._foreach_add.List([h], [torch.sin(h)], alpha=2)[0])


@pytest.mark.parametrize("how", ["fill_diagonal", "foreach_add"])
def test_ablation_runs_ops_one_by_one_that_torch_does_not_batch(how: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Unbatched(how), (3, 4)), "ablation")
    together = canvas.maps("first", [0, 1], rgb="each")
    for unit, found in enumerate(together):
        np.testing.assert_allclose(found, canvas.map("first", unit, rgb="each"), rtol=1e-6)
        lost = canvas.frame() - canvas.ablate({"first": [unit]})
        np.testing.assert_allclose(found, lost, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("broken", ["xinc", "gated", "ablation"])
def test_the_widget_opens_with_the_rules_that_work(
    broken: str, widgets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = cw.trace(inr(), "xinc" if broken != "xinc" else "gated")
    monkeypatch.setattr(rules.RULES[broken], "__init__", failing(KeyError("div")))
    w = widgets(canvas)
    offered = [rule for rule in ("xinc", "gated", "ablation") if rule != broken]
    assert w._canvas["rules"] == offered
    for rule in offered:
        w.rule = rule
        assert w.canvas.map("2", 0).any()
    with pytest.raises(cw.UntraceableError, match=f"rule='{broken}': .*KeyError: 'div'"):
        w.rule = broken
    assert w.rule == offered[-1]


class Drawing(nn.Module):
    """Draws with a generator of its own, which is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x) + torch.randn(3, generator=torch.Generator().manual_seed(0))


def test_what_can_not_be_recorded_or_read_is_said_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(cw.CaptureError, match=r"module=Drawing: .*Generator.*inputs="):
        cw.trace(cw.INR.from_coords(Drawing(), (3, 4)))
    monkeypatch.setattr(recording, "rewrite", failing(KeyError("slice_2")))
    with pytest.raises(cw.CaptureError, match=r"module=Sequential: .*could not be read: KeyError: 'slice_2'"):
        cw.trace(inr())


class Multiplied(nn.Module):
    """Layers that end in a product of all, one that passes beside it, and one behind it."""

    def __init__(self, behind: bool) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.behind = behind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.first(x))
        return self.last(torch.cumprod(self.second(h), -1)) if self.behind else self.last(h).cumprod(-1)


def test_under_ablation_the_widget_orders_layers_that_gated_does_not_follow_by_ablation(widgets: Any) -> None:
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_coords(Multiplied(True), (3, 4)), "ablation")
    assert widgets(canvas)._canvas["ranked_by"] == "gated"
    cached = CachedCanvas(canvas, ByteCache(2**20))
    for name in ("first", "second", "last"):
        column = ranking.pixel_columns(cached, [cached.layers.find(name)], (1, 2), 0, lambda *_: None)[name]
        expected = (canvas if name != "last" else canvas.under("gated")).pixel(1, 2, layers=name, rgb="each")[
            name
        ]
        np.testing.assert_allclose(column.values, expected.sum(-1), rtol=1e-5, atol=1e-7)


def test_a_model_that_only_ablation_follows_is_traced_and_shown(widgets: Any) -> None:
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_coords(Multiplied(False), (3, 4)))
    assert canvas.rule == "ablation"
    assert "xinc" in canvas.why
    assert "opaque op 'cumprod'" in canvas.why
    w = widgets(canvas)
    assert (w._canvas["rules"], w._canvas["ranked_by"]) == (["ablation"], "ablation")
    assert w.neuron is not None
