"""Write what was recorded in fewer kinds of ops, which change no value, so that rules know fewer of them.

One module a family of ops. `decompositions` is for `torch.export`; the others change the recorded graph in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch import fx

from canvaswidget.tracing.capture.dependence import inputs, reached
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.rewrite import extremes, norms, products, synonyms, views, writes

_BY_OP: dict[Any, Callable[[fx.Node], None]] = {
    **synonyms.BY_OP,
    **writes.BY_OP,
    **views.BY_OP,
    **extremes.BY_OP,
    **norms.BY_OP,
}


def rewrite(graph: fx.Graph, constants: Collection[str], parameters: Collection[str]) -> None:
    """Change a recorded graph in place.

    Parameters
    ----------
    constants : collection of str
        The inputs of the graph that are no inputs of the model.
    parameters : collection of str
        Those of them that are the model's parameters.
    """
    varying = reached(graph, inputs(graph, constants))
    weights = reached(graph, {node for node in graph.nodes if node.name in parameters})
    for node in list(graph.nodes):
        if node.target in _BY_OP:
            _BY_OP[node.target](node)
        elif node.target in products.PRODUCTS_WITH_WEIGHTS:
            products.as_layers(node, varying, weights)
    for node in list(graph.nodes):
        if node.target in (aten.reshape.default, aten.unsqueeze.default):
            views.as_pixel_shuffle(node)
    graph.eliminate_dead_code()
