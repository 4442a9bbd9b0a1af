"""Rewrite ops that compute the same as another op to that op, so that rules need to know one of them."""

from __future__ import annotations

from typing import Any

from torch import fx

from canvaswidget.tracing.capture.editing import WRITTEN
from canvaswidget.tracing.capture.ops import aten

_SAME: dict[Any, tuple[Any, dict[str, Any]]] = {
    aten.max.other: (aten.maximum.default, {}),
    aten.min.other: (aten.minimum.default, {}),
    # torch can differentiate the quotient, but not `floor_divide`.
    aten.floor_divide.default: (aten.div.Tensor_mode, {"rounding_mode": "floor"}),
    aten.floor_divide.Scalar: (aten.div.Scalar_mode, {"rounding_mode": "floor"}),
    aten.clamp_min.Tensor: (aten.maximum.default, {}),
    aten.clamp_max.Tensor: (aten.minimum.default, {}),
}


def _as_the_other(node: fx.Node) -> None:
    node.meta[WRITTEN] = str(node.target).split(".")[1]
    node.target, node.kwargs = _SAME[node.target]


BY_OP = dict.fromkeys(_SAME, _as_the_other)
