"""What must hold of a rule, tried on one model (the invariants that need no second model)."""

from __future__ import annotations

import torch

from canvaswidget.tracing.capture import Capture
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.results import Check, Checks
from canvaswidget.tracing.rules import Xinc
from canvaswidget.tracing.window import Window

_SAMPLE = 64


@torch.no_grad()
def check(capture: Capture, rule: Xinc, frame: int) -> Checks:
    """A table of deviations, relative to the largest value compared."""
    values = capture.run(frame, [*rule.inputs.values(), rule.output_of_last])
    whole = Window.whole(capture.inr.size)
    generator = torch.Generator().manual_seed(0)
    checks = []
    for layer in rule.layers:
        x = values[rule.inputs[layer.name]]
        neurons = all_neurons(layer, None)
        some = neurons[torch.randperm(len(neurons), generator=generator)[:_SAMPLE]].to(capture.device)
        maps = rule.maps(layer, x, some, whole)
        height, width = capture.inr.size
        worst = 0.0
        for place in torch.randint(height * width, (8,), generator=generator).tolist():
            y, x_position = divmod(place, width)
            column = rule.maps(layer, x, some, Window.pixel(y, x_position, whole.size))[:, 0, 0]
            worst = max(worst, _deviation(column, maps[:, y, x_position]))
        checks.append(_judged("row and column agree", layer.name, worst, x.dtype))
    last = rule.layers[-1]
    x = values[rule.inputs[last.name]]
    total = rule.maps(last, x, torch.arange(last.n_units, device=capture.device), whole, "each").sum(0)
    raw = rule.raw_output(values[rule.output_of_last])
    checks.append(_judged("maps sum to the raw output", last.name, _deviation(total, raw), x.dtype))
    return Checks(checks)


def _deviation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(torch.finfo(b.dtype).tiny))


def _judged(invariant: str, layer: str, deviation: float, dtype: torch.dtype) -> Check:
    return Check(invariant, layer, deviation, deviation < 1e5 * torch.finfo(dtype).eps / 100)
