"""`exchange`: the canvas of a network that differs from a traced one in its weights only."""

from __future__ import annotations

from canvaswidget.inr import INR
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.exchange import exchanged
from canvaswidget.tracing.rules import make_rule


def exchange(canvas: Canvas, inr: INR) -> Canvas:
    """The canvas of another INR under the rule of this one, whose recording it takes over.

    Parameters
    ----------
    canvas : Canvas
    inr : INR
        Its module has the same ops and other weights, as another checkpoint of a training has; see
        `INR.with_weights`. The recording is compared with the module before it answers.

    Raises
    ------
    CaptureError
        The module has other weights, by name or shape; or, when a frame is first asked for, other ops.
    """
    capture = exchanged(canvas.matrix.capture, inr)
    return Canvas(capture, make_rule(capture, canvas.rule, canvas.options), canvas.memory, canvas.why)
