"""All canvases of one recording share what is known of its frames, within one memory budget."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx

import canvaswidget as cw
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.rules import RULES

PIXEL = (5, 7)


@pytest.fixture
def canvas() -> cw.Canvas:
    torch.manual_seed(0)
    model = cw.models.NeRV(embed="pe_1.25_4", fc_dim=6, fc_hw="3_4", dec_strds=(2, 2), n_frames=12)
    return cw.trace(model, "gated", progress=False)


def test_one_canvas_for_a_rule_and_its_options(canvas: cw.Canvas) -> None:
    assert canvas.under("gated") is canvas
    assert canvas.under("gated", bias="separate") is canvas  # the default, by name
    split = canvas.under("gated", bias="split")
    assert split is not canvas
    assert split is canvas.under("gated", bias="split")
    ablation = canvas.under("ablation")
    assert ablation is canvas.ablation()
    assert ablation.under("gated") is canvas
    assert split.ablation("mean") is ablation.under("ablation", fill="mean")
    with pytest.raises(ValueError, match="bias='none'"):
        canvas.under("gated", bias="none")


def test_rules_share_what_both_need_of_a_frame(canvas: cw.Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[fx.Node] = []
    run = Capture.run

    def counted(self: Capture, frame: int, keep: Collection[fx.Node], *others: Any) -> Any:
        if len(keep) > 1:  # not a comparison of the recording with the module
            computed.extend(keep)
        return run(self, frame, keep, *others)

    monkeypatch.setattr(Capture, "run", counted)
    for rule in (*RULES, *RULES):
        canvas.under(rule).pixel(*PIXEL, 3)
    assert len(computed) == len(set(computed))
    assert computed.count(canvas.matrix.capture.output) == 1


@pytest.mark.parametrize("first", RULES)
def test_the_order_of_rules_changes_no_number(canvas: cw.Canvas, first: str) -> None:
    canvas.under(first).pixel(*PIXEL, 3)
    for rule in RULES:
        shared = canvas.under(rule)
        alone = cw.Canvas(canvas.matrix.capture, shared.matrix.rule, canvas.memory)
        for name, values in alone.pixel(*PIXEL, 3).items():
            np.testing.assert_array_equal(shared.pixel(*PIXEL, 3)[name], values)
        np.testing.assert_array_equal(shared.frame(3), alone.frame(3))


def test_frames_of_all_rules_stay_within_one_budget(canvas: cw.Canvas) -> None:
    frames = canvas.matrix.frames
    assert all(canvas.under(rule).matrix.frames is frames for rule in RULES)
    canvas.frame(0)
    frames.memory = 3 * frames.nbytes
    for number in range(canvas.inr.n_frames):
        for rule in RULES:
            canvas.under(rule).frame(number)
            assert frames.nbytes <= frames.memory
    canvas.under("xinc").hold(11)
    for number in range(11):
        canvas.frame(number)
    assert 11 in frames.numbers
