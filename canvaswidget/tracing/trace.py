"""`trace`: capture a model and choose the rule."""

from __future__ import annotations

from typing import Any

import torch

from canvaswidget.arguments import checked
from canvaswidget.inr import as_inr
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing import budget
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.recording import record
from canvaswidget.tracing.rules import make_rule
from canvaswidget.tracing.rules.default import default_rule


@checked
def trace(
    model: Any,
    rule: str | None = None,
    device: str | torch.device = "auto",
    memory: str | float = "1 GiB",
    *,
    bias: str | None = None,
    border: str | None = None,
    fill: str | None = None,
    progress: Progress = True,
) -> Canvas:
    """Trace the contributions of every neuron of an INR to every pixel, lazily.

    Parameters
    ----------
    model : INR or reference model
        See `canvaswidget.as_inr`. The module is neither changed nor moved.
    rule : {"xinc", "gated", "ablation"}, optional
        How a contribution is defined. By default ``"xinc"`` where it is defined on more than half of the layers, else
        ``"gated"`` where it follows any layer to the image, else ``"ablation"``; ``canvas.why`` says which and why.
    device : str or torch.device
        Where to compute; ``"auto"`` takes a GPU where there is one.
    memory : str or number of bytes
        Working memory that a sweep over a layer may use.
    bias : {"split", "separate", "drop"}, optional
        Whether every neuron takes an equal share of its layer's bias along, ``b / n_in``, as in the released code of
        XINC (default under `xinc`); or the bias stays out of the maps and is among `Canvas.remainder` (default under
        `gated` and `ablation`); or it is in neither.
    border : {"released", "valid"}, optional
        Of the mean filter of `xinc`: zeros beyond the border are counted, which darkens it, as in the released code
        (default), or the mean is over the pixels that are there.
    fill : {"zero", "mean"}, optional
        What `ablation` puts in the place of a neuron's term: nothing (default), or its mean over the positions.
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in steps of the recording, which may raise
        to stop.

    Returns
    -------
    Canvas
        Nothing is computed yet but the shapes.

    Raises
    ------
    UntraceableError
        The rule is defined on no layer of this model.
    CaptureError
        ``torch.export`` cannot record the module.
    ValueError
        An option that the rule does not have, or a value that it does not take.
    """
    options = {"bias": bias, "border": border, "fill": fill}
    options = {name: value for name, value in options.items() if value is not None}
    size = budget.parse_memory(memory)
    found = _checked_device(device)
    if rule is not None:
        make_rule(None, rule, options)  # a mistake shows before the model is captured
    with steps("trace", "it", progress) as counted:
        capture = record(as_inr(model), found, counted.report)
    if rule is not None:
        return Canvas(capture, make_rule(capture, rule, options), size)
    chosen, why = default_rule(capture, options)
    return Canvas(capture, chosen, size, why)


def _checked_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={device!r}: not available here: {str(error).splitlines()[0]}") from None
    return found
