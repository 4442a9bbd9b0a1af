"""Change a recorded graph, op by op."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

from torch import fx

# Of a node's meta: the op that the model has in its place; set where that is several ops, and this is not the last.
WRITTEN, PART = "written", "part"
# The parameter whose features an op passes on, see `with_grids`.
TABLE = "table"


def insert_before(node: fx.Node, target: Callable[..., Any], *arguments: Any, **keywords: Any) -> fx.Node:
    """A new op right before `node`, said to be of the same module."""
    with node.graph.inserting_before(node):
        made = node.graph.call_function(target, arguments, keywords)
    made.meta.update({name: value for name, value in node.meta.items() if name != "val"})
    values = fx.map_arg(arguments, lambda source: source.meta["val"])
    made.meta["val"] = target(*values, **keywords)
    return made


def replace(node: fx.Node, by: fx.Node) -> None:
    """Put a value in the place of another one, which is removed."""
    node.replace_all_uses_with(by)
    node.graph.erase_node(node)


def is_open(node: fx.Node) -> bool:
    """Whether values decide the shape of a value."""
    return not all(isinstance(n, int) for n in node.meta["val"].shape)


def shape_of(node: fx.Node) -> list[int]:
    """The shape of a value."""
    return [int(n) for n in node.meta["val"].shape]


def result(node: fx.Node, number: int) -> fx.Node | None:
    """The op that takes one of several results; None where it is not used."""
    return next((user for user in node.users if _is_item(user, number)), None)


def _is_item(node: fx.Node, number: int) -> bool:
    return node.target is operator.getitem and cast(int, node.args[1]) == number
