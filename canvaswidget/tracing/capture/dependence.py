"""Which ops of a recorded graph depend on which."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from torch import fx


def inputs(graph: fx.Graph, constants: Collection[str]) -> set[fx.Node]:
    """What the model is called with, as against its weights, buffers and literals."""
    return {node for node in graph.nodes if node.op == "placeholder" and node.name not in constants}


def reached(graph: fx.Graph, roots: Iterable[fx.Node]) -> set[fx.Node]:
    """Some ops, and all that depend on them."""
    found = set(roots)
    for node in graph.nodes:
        if not found.isdisjoint(node.all_input_nodes):
            found.add(node)
    return found


def leading_to(node: fx.Node) -> set[fx.Node]:
    """An op, and all that it depends on."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(one.all_input_nodes)
    return found
