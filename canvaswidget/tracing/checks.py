"""What must hold of a rule, tried on one model (the invariants that need no second model)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.results import Check, Checks

if TYPE_CHECKING:
    from canvaswidget.tracing.canvas import Canvas

_SAMPLE, _PLACES = 32, 4
_TOLERANCE = 1e-4


def check(canvas: Canvas, frame: int) -> Checks:
    """A table of deviations, relative to the largest value compared."""
    image = canvas.inr.render(frame)
    rendered = image.permute(1, 2, 0).float().cpu().numpy()
    # A module in half precision rounds at every op, what was captured does not.
    checks = [
        _judged(
            "what was captured renders the frame",
            "",
            canvas.frame(frame),
            rendered,
            "the model was changed after it was traced, or what it renders is random",
            tolerance=max(_TOLERANCE, 8 * torch.finfo(image.dtype).eps),
        )
    ]
    checks += _rows_and_columns(canvas, frame)
    opaque = ", ".join(sorted({op.name for op in canvas.coverage().of("opaque")}))
    note = f"the residual is what ends in {opaque}" if opaque else ""
    for invariant, layer, ours, expected in canvas.sums(frame):
        checks.append(_judged(invariant, layer, ours, expected, note))
    return Checks(checks)


def _rows_and_columns(canvas: Canvas, frame: int) -> Iterator[Check]:
    generator = torch.Generator().manual_seed(0)
    height, width = canvas.inr.size
    # Where a column is no shorter way than the maps themselves, there is nothing to compare.
    for layer in canvas.traced_layers if canvas.rule != "ablation" else ():
        neurons = all_neurons(layer, None)
        some = torch.randperm(len(neurons), generator=generator)[:_SAMPLE].sort().values
        maps = canvas.maps(layer, neurons[some], frame)
        rows, columns = [], []
        for place in torch.randint(height * width, (_PLACES,), generator=generator).tolist():
            y, x = divmod(place, width)
            rows.append(maps[:, y, x])
            columns.append(canvas.pixel(y, x, frame, layer)[layer.name].ravel()[some.numpy()])
        yield _judged("row and column agree", layer.name, np.stack(columns), np.stack(rows))


def _judged(
    invariant: str,
    layer: str,
    ours: np.ndarray,
    expected: np.ndarray,
    note: str = "",
    tolerance: float = _TOLERANCE,
) -> Check:
    scale = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    deviation = float(np.abs(ours - expected).max()) / scale
    return Check(invariant, layer, deviation, deviation < tolerance, note)
