"""Chunks computed side by side: what happens to those that nobody waits for any more."""

from __future__ import annotations

import threading

import pytest
import torch

import canvaswidget as cw
from canvaswidget.tracing import parallel
from canvaswidget.tracing.capture.interpreter import Program, call
from canvaswidget.tracing.parallel import DroppedError, in_order, stop_if_dropped

CPU = torch.device("cpu")


def test_a_part_under_way_ends_when_the_iteration_is_left() -> None:
    ended = threading.Event()

    def compute(part: int) -> int:
        try:
            while part:
                stop_if_dropped()
        except DroppedError:
            ended.set()
            raise
        return part

    parts = in_order(compute, [0, 1], CPU)
    assert next(parts) == 0
    parts.close()  # pyright: ignore[reportAttributeAccessIssue]: it is a generator
    assert ended.wait(600)
    assert list(in_order(lambda part: part * 2, [1, 2, 3], CPU)) == [2, 4, 6]
    stop_if_dropped()  # on a thread that computes no part nothing ends


def test_passes_of_a_sweep_that_was_left_end_between_two_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = cw.models.NeRV(embed="pe_1.25_4", fc_dim=12, fc_hw="3_4", dec_strds=(2, 2), n_frames=2)
    canvas = cw.trace(model, "gated", progress=False)
    run, checked = Program.run, []

    def counted(self, given, keep, compute=call, after_each=lambda: None):
        checked.append(after_each is parallel.stop_if_dropped)
        return run(self, given, keep, compute, after_each)

    layer = canvas.traced_layers[1]
    canvas.summary(layer, progress=False)
    monkeypatch.setattr(Program, "run", counted)
    canvas.map(layer, (0, 0))
    assert checked == [True]
