"""What a rule follows of a model, op by op."""

from __future__ import annotations

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.editing import PART
from canvaswidget.tracing.capture.naming import module_path, op_name
from canvaswidget.tracing.capture.parameters import unfollowed_note
from canvaswidget.tracing.results import Coverage, Op
from canvaswidget.tracing.rules import Rule


def coverage(capture: Capture, rule: Rule, why: str = "") -> Coverage:
    """Every op in order of execution; `why` says why this rule was chosen."""
    ops = []
    for node in capture.graph.nodes:
        if node.op == "call_function" and PART not in node.meta:
            status, note = rule.status(node)
            ops.append(Op(op_name(node), module_path(node), status, note))
    unfollowed = unfollowed_note(capture, rule.name, rule.undefined)
    return Coverage(ops, why, "; ".join(filter(None, [capture.layers.note, unfollowed])))
