"""Run ops of a recorded graph: each in its turn, on the values of the ops before it.

Everything that evaluates recorded ops does it here. What is special to a caller is a function it hands over: how an op
gets its value (`compute`), where the values come from that the run does not make itself (`given`), and which values
are returned (`keep`); all others are freed after the last op that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, cast

from torch import fx

from canvaswidget.inr.module_state import random_state_kept
from canvaswidget.tracing.capture.randomness import draws_as_recorded

Lookup = Callable[[fx.Node], Any]
Compute = Callable[[fx.Node, Lookup], Any]


def call(node: fx.Node, value: Lookup) -> Any:
    """What an op makes of the values of its arguments."""
    arguments, keywords = fx.map_arg((node.args, node.kwargs), value)
    return cast(Any, node.target)(*arguments, **keywords)


class Program:
    """Some ops of a graph, to be run in the order given, as often as wanted and on several threads.

    This is not an `fx.Interpreter`, which sets a global current node that a `torch.export` on another thread would pick
    up.

    Parameters
    ----------
    nodes : iterable of fx.Node
        In order of execution.
    reads : callable
        The ops whose values an op uses: by default its arguments.
    """

    def __init__(
        self,
        nodes: Iterable[fx.Node],
        reads: Callable[[fx.Node], Iterable[fx.Node]] = lambda node: node.all_input_nodes,
    ) -> None:
        self.nodes = tuple(nodes)
        last = {source: node for node in self.nodes for source in (node, *reads(node))}
        own = set(self.nodes)
        self._draws = any(map(draws_as_recorded, self.nodes))
        # The values that no later op reads, by the last op that does.
        self._spent: dict[fx.Node, list[fx.Node]] = {node: [] for node in self.nodes}
        for source, node in last.items():
            if source in own:
                self._spent[node].append(source)

    def run(
        self,
        given: Lookup,
        keep: Collection[fx.Node],
        compute: Compute = call,
        after_each: Callable[[], None] = lambda: None,
    ) -> dict[fx.Node, Any]:
        """The values of the ops in `keep`.

        Parameters
        ----------
        given : callable
            The value of an op that is not of this program.
        compute : callable
            ``compute(node, value)`` is the value of an op, where ``value(other)`` is that of another one.
        after_each : callable
            Called between two ops; it may raise to end the run.
        """
        known: dict[fx.Node, Any] = {}
        wanted = set(keep)

        def value(node: fx.Node) -> Any:
            return known[node] if node in known else given(node)

        with random_state_kept(self._draws):
            for node in self.nodes:
                known[node] = compute(node, value)
                for spent in self._spent[node]:
                    if spent not in wanted:
                        del known[spent]
                after_each()
        return {node: value(node) for node in keep}
