"""The default rule: which rule a canvas has when none is given."""

from __future__ import annotations

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.rules import Rule, make_rule


def default_rule(capture: Capture, options: dict[str, str]) -> tuple[Rule, str]:
    """Choose a rule for a model: it and why it was chosen.

    `xinc` where it is defined on more than half of the layers, else `gated`, else `ablation`.

    Raises
    ------
    UntraceableError
        No rule is defined on any layer of the model.
    """
    try:
        xinc = make_rule(capture, "xinc", options)
        # Features of grids are no layers of the paper's: they are not counted.
        counted = [layer for layer in capture.layers if not layer.has_features]
        defined, total = len(xinc.layers), len(counted)
        if 2 * defined > total:
            return xinc, f"rule xinc: it is defined on {defined} of {total} layers"
        left_out = [layer.name for layer in counted if layer.name in xinc.undefined]
        name, reason = left_out[0], xinc.undefined[left_out[0]]
        why = f"rule gated: xinc is defined on {defined} of {total} layers only ({name}: {reason})"
    except UntraceableError as error:
        why = f"rule gated: {error}"
    try:
        return make_rule(capture, "gated", options), why
    except UntraceableError as error:
        why = f"rule ablation: {why.removeprefix('rule gated: ')}; {error}"
        return make_rule(capture, "ablation", options), why
