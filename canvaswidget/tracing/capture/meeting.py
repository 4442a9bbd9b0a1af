"""Whether a value of a recorded graph can become a layer's output without a change to what rules say of others.

The rule `gated` takes what no layer reaches for constants. When a value becomes a layer's, ops behind it become steps
of their own: a sine of ``relu(z) + f`` is one function of ``z`` as long as ``f`` is a constant, and one of the sum when
it is not. Both divide the image, but not into the same maps. So what is looked up becomes a layer only where it meets
what other layers make in ops that are taken the same way in both cases.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import fx

from canvaswidget.tracing.capture.dependence import reached
from canvaswidget.tracing.capture.ops import (
    ADD,
    CHOICE,
    EINSUM,
    FROZEN,
    LAYERS,
    LINEAR,
    POINTWISE,
    PRODUCTS,
    SCALE,
    UNARY,
    is_linear,
    overloads,
)

_JOINS = overloads("cat stack")
# Those among the pointwise ops that have no gate around 0 end a contribution, which marks what is made of it.
_NO_GATE = overloads("log log2 log10 log1p rsqrt reciprocal pow lgamma digamma acosh logit")
_FOLLOWED = (UNARY - _NO_GATE) | ADD | SCALE | CHOICE | set(PRODUCTS) | EINSUM | FROZEN


class Neighbours:
    """The layers of a graph, and what they reach.

    Parameters
    ----------
    varying : set of fx.Node
        See `find_varying`.
    """

    def __init__(self, graph: fx.Graph, varying: set[fx.Node]) -> None:
        self._varying = varying
        self._layers = {node for node in graph.nodes if self._is_layer(node)}
        self._reached = reached(graph, self._layers)

    def stay_as_they_are(self, node: fx.Node) -> bool:
        """Whether nothing about the layers changes when a value becomes the output of a layer of its own."""
        if node in self._reached:  # looked up at places that other layers make
            return False
        waiting, seen = [node], {node}
        while waiting:
            source = waiting.pop()
            for user in source.users:
                if not self._takes(user, source):
                    return False
                if user.op == "output" or user in seen or user in self._reached or user.target in FROZEN:
                    continue
                seen.add(user)
                waiting.append(user)
        return True

    def _takes(self, user: fx.Node, source: fx.Node) -> bool:
        """Whether an op behind the value takes it in the same way as before."""
        if user.op == "output":
            return True
        if user in self._layers:  # as its data, not as its weight or bias
            return user.args[0] is source and source not in user.args[1:]
        others = [one for one in user.all_input_nodes if one is not source]
        is_fixed = source not in self._varying
        if is_fixed and user.target not in _JOINS and not self._varying.isdisjoint(others):
            return False  # what is added is a layer's bias, and what is multiplied a part of its gate
        if user not in self._reached:
            return user.target in _FOLLOWED or is_linear(user) or _is_item(user)
        return self._meets(user, others)

    def _meets(self, user: fx.Node, others: Collection[fx.Node]) -> bool:
        """Whether an op that layers reach takes their terms alike, whether its other arguments are fixed or not."""
        if user.target in ADD:
            return all(self._is_straight(one) for one in others)
        if user.target in FROZEN:
            return True
        return user.target not in POINTWISE and (
            user.target in LINEAR or user.target in PRODUCTS or user.target in EINSUM
        )

    def _is_straight(self, node: fx.Node) -> bool:
        """Whether a value is no function of a layer's output but itself, scaled or moved, or sums of such."""
        if node not in self._reached or node.target not in POINTWISE:
            return True
        return node.target in ADD | SCALE and all(self._is_straight(one) for one in node.all_input_nodes)

    def _is_layer(self, node: fx.Node) -> bool:
        target: Any = node.target
        return target in LAYERS and node.args[0] in self._varying and node.args[1] not in self._varying


def _is_item(node: fx.Node) -> bool:
    return getattr(node.target, "__name__", "") == "getitem"
