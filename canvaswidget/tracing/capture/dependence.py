"""Which ops of a recorded graph depend on which."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable

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


def leading_to(nodes: Iterable[fx.Node], known: Container[fx.Node] = ()) -> set[fx.Node]:
    """Some ops, and all that they depend on, other than by way of those that are `known`."""
    found: set[fx.Node] = set()
    waiting = [node for node in nodes if node not in known]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(source for source in one.all_input_nodes if source not in known)
    return found
