"""The names of recorded ops and of the modules they are called in, as users know them."""

from __future__ import annotations

import operator
from typing import cast

from torch import fx

from canvaswidget.tracing.capture.editing import WRITTEN


def op_name(node: fx.Node) -> str:
    """``"conv2d"`` for ``aten.conv2d.default``; one of several results is called as the op that gives it."""
    if WRITTEN in node.meta:
        return node.meta[WRITTEN]
    if node.target is operator.getitem:
        return op_name(cast(fx.Node, node.args[0]))
    parts = str(node.target).split(".")
    name = parts[1] if len(parts) > 1 else getattr(node.target, "__name__", parts[0])
    return "batch_norm" if "batch_norm" in name else name


def module_path(node: fx.Node) -> str:
    """The path of the module an op was called in."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = stack[-1][0] if stack else ""
    return path.removeprefix("module").removeprefix(".")


def module_class(node: fx.Node) -> str:
    """The class of the module an op was called in, with its package."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    given = stack[-1][1] if stack else ""
    return given if isinstance(given, str) else f"{given.__module__}.{given.__qualname__}"
