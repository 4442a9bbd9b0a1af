"""Programs that need no decomposition.

`run_decompositions` records a program once more, which takes as long as the first time. Of a program whose ops all stay
it would change three things: a reshape becomes a view, what nothing uses goes, and so do slices that keep everything.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch import fx
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from canvaswidget.tracing.capture.composite_ops import preserved
from canvaswidget.tracing.capture.ops import aten

_COMPOSITE = "CompositeImplicitAutograd"


def simplified(program: ExportedProgram, decomposed: Collection[Any]) -> bool:
    """Do to a program what `run_decompositions` would do.

    Parameters
    ----------
    program : ExportedProgram
        Its graph is changed.
    decomposed : collection of OpOverload
        The ops that are to be written in others.

    Returns
    -------
    bool
        False where an op does not stay, or where this torch does not say so; the program is as it was then.
    """
    if any(spec.kind is InputKind.CUSTOM_OBJ for spec in program.graph_signature.input_specs):
        return False  # as a generator of random numbers, which no op may be left to take
    kept = preserved()
    ops = [node for node in program.graph.nodes if node.op not in ("placeholder", "output")]
    if not all(node.op == "call_function" and _stays(node, decomposed, kept) for node in ops):
        return False
    for node in ops:
        if node.target is aten.reshape.default:
            node.target = aten.view.default
    program.graph.eliminate_dead_code()
    return True


def _stays(node: fx.Node, decomposed: Collection[Any], kept: Collection[Any]) -> bool:
    op = node.target
    if op is operator.getitem:
        return True
    if not isinstance(op, OpOverload) or op in decomposed:
        return False
    if op is aten.reshape.default:
        return _is_view(node)
    if op is aten.slice.Tensor and _value(node).shape == _value(node.args[0]).shape:
        return False
    if op._schema.is_mutable:
        return False
    return op in kept or not torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), _COMPOSITE)


def _is_view(node: fx.Node) -> bool:
    """Whether a reshape copies nothing."""
    try:
        _value(node.args[0]).view(_value(node).shape)
    except (RuntimeError, ValueError):  # as tensors without values say it
        return False
    return True


def _value(node: Any) -> torch.Tensor:
    """A tensor with the shape and strides of a node's, and without its values."""
    return node.meta["val"]
