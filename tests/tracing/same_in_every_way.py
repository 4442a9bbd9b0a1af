"""Compare the ways in which `gated` computes the same numbers."""

from __future__ import annotations

from typing import Any

import torch

import canvaswidget as cw
from canvaswidget.tracing.budget import Budget
from canvaswidget.tracing.neurons import all_neurons, by_output
from canvaswidget.tracing.rules.base import share_of_bias
from canvaswidget.tracing.rules.gated.rule import Gated
from canvaswidget.tracing.window import Window

SMALL = Budget(2**20, 8, torch.device("cpu"))


def same_in_every_way(canvas: cw.Canvas, bias: str = "separate") -> None:
    """Compare whole terms, slices, and what kernels of an output share, all in double precision."""
    canvas = canvas if bias == "separate" else canvas.under("gated", bias=bias)
    rule, window = canvas.matrix.rule, Window.whole(canvas.inr.size)
    assert isinstance(rule, Gated)
    state: Any = canvas.matrix.frame(1 % canvas.inr.n_frames).state
    for layer in canvas.traced_layers:
        found = canvas.matrix.capture.weighted[layer.name]
        kernels = all_neurons(layer, "kernel")
        with torch.no_grad():
            terms = found.terms(state.data(found), kernels, share_of_bias(found, bias))
            dense = state.forward(found, terms).permute(0, 2, 3, 1)
            close: Any = {"rtol": 1e-9, "atol": 1e-11 * float(dense.abs().max()) + 1e-300}
            torch.testing.assert_close(rule.maps(layer, state, kernels, window, "each"), dense, **close)
            parts = [
                rule.maps_of_output(layer, state, part, window, "each", SMALL) for part in by_output(layer)
            ]
            for some, maps in [pair for part in parts for pair in part]:
                torch.testing.assert_close(maps, dense[layer.flat_index(some.numpy())], **close)
