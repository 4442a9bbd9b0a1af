"""Find the layers of a recorded graph: the ops that multiply features by weights, and their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.dependence import inputs, reached
from canvaswidget.tracing.capture.editing import TABLE
from canvaswidget.tracing.capture.naming import module_class, module_path, op_name
from canvaswidget.tracing.capture.ops import (
    LAYERS,
    LINEAR,
    MATRIX_PRODUCTS,
    POINTWISE,
    SOFTMAX,
    overloads,
)
from canvaswidget.tracing.capture.weighted import Directed, WeightedOp, bias_added_to
from canvaswidget.tracing.layers import Layer

_LINEAR = overloads("linear")


def find_layers(capture: Capture) -> dict[str, WeightedOp]:
    """The layers by name, in order of execution."""
    at: dict[fx.Node, WeightedOp] = {}
    layers: dict[str, WeightedOp] = {}
    aside = {name for one in capture.directed for name in (one.reading, one.rebuilt, one.product)}
    candidates = [node for node in capture.graph.nodes if node.target in LAYERS and node.name not in aside]
    # Tables are named last: a layer is called as it would be without them.
    for node in sorted(candidates, key=lambda node: TABLE in node.meta):
        found = _weighted(capture, node, LAYERS[node.target], layers)
        if found is not None:
            layers[found.layer.name] = at[node] = found
    layers = {at[node].layer.name: at[node] for node in candidates if node in at}
    for one in capture.directed:
        layers[one.layer] = _of_directions(capture, layers[one.layer], one)
    return layers


def _of_directions(capture: Capture, rest: WeightedOp, given: Directed) -> WeightedOp:
    """A layer whose units are directions, from the op that works on the rest of its units."""
    nodes = {node.name: node for node in capture.graph.nodes}
    product, total = nodes[given.product], nodes[given.total]
    weight = capture.parameter(product.args[1])
    assert weight is not None
    output, bias = total, rest.bias
    if bias is None and rest.layer.op == "linear":
        output, bias = bias_added_to(total, capture.parameter, rest.layer.n_outputs)
    layer = dataclasses.replace(
        rest.layer, n_units=given.count, units_are="latents" if given.is_encoded else "directions"
    )
    return WeightedOp(layer, product, output, nodes[given.reading], weight, bias, rest.table)


def _weighted(capture: Capture, node: fx.Node, op: str, others: Collection[str]) -> WeightedOp | None:
    """The layer that `node` is, if it multiplies something by a weight that no input changes."""
    target = str(node.target).split(".")[1]
    data, weight = (cast(fx.Node, argument) for argument in node.args[:2])
    given = cast(Any, node.args[2] if len(node.args) > 2 and op != "matmul" else None)
    tensor = capture.parameter(weight)
    if tensor is None or data not in capture.varying:
        return None
    if target in ("mm", "matmul"):
        if tensor.ndim != 2:
            return None
        tensor = tensor.T
    elif op == "linear" and tensor.ndim != 2:
        return None
    table = node.meta.get(TABLE, "")
    name = table.removesuffix(".weight") if table else _name(capture, node, weight)
    layer = _describe(node, op, _unused_name(name, others), tensor)
    if table:
        layer = dataclasses.replace(layer, units_are="features")
        return WeightedOp(layer, node, node, data, tensor, None, table)
    bias = capture.parameter(given)
    output = node
    if bias is None and given is None:
        output, bias = bias_added_to(node, capture.parameter, layer.n_outputs)
        if layer.op != "linear":
            output, bias = node, None
    return WeightedOp(layer, node, output, data, tensor, bias)


def _name(capture: Capture, node: fx.Node, weight: fx.Node) -> str:
    """The path of the module whose weight it is, else of the module it is called in, with the op."""
    owners, waiting = set(), [weight]
    while waiting:
        source = waiting.pop()
        owner, dot, name = capture.target(source).replace(".parametrizations", "").partition(".weight")
        owners |= {owner} if dot and (not name or name.startswith(".")) else set()
        waiting.extend([] if source.target in LAYERS else source.all_input_nodes)
    path = module_path(node)
    if len(owners) == 1:
        owner = owners.pop()
        # A weight of several modules is named by its first; a call is of the module that is called.
        parameters = dict(capture.inr.module.named_parameters(remove_duplicate=False))
        shared = [parameters.get(f"{name}.weight") for name in (owner, path)]
        return path if shared[0] is not None and shared[0] is shared[1] else owner
    if path and module_class(node).startswith("torch."):
        return path
    op = op_name(node)
    op = "matmul" if op == "mm" else op
    return f"{path}.{op}" if path else op


def _unused_name(wanted: str, others: Collection[str]) -> str:
    name = wanted
    for number in range(2, len(others) + 2):
        if name not in others:
            break
        name = f"{wanted}#{number}"
    return name


def find_varying(graph: fx.Graph, constants: Collection[str]) -> set[fx.Node]:
    """What depends on the inputs, or on a layer of constants that makes features and not a weight.

    The features of a learned grid, of a latent code or of constant tokens are a layer's data like any other; what a
    network makes of constants to use it as the weight of a layer is a part of that layer.
    """
    roots = inputs(graph, constants)
    varying = reached(graph, roots)
    weights: set[Any] = set()
    attention = {node for node in graph.nodes if _is_attention(node, varying)}
    for node in reversed(graph.nodes):
        if node in weights or (node.target in LAYERS and node not in attention):
            parts = node.all_input_nodes if node in weights else node.args[1:3]
            weights.update(part for part in parts if isinstance(part, fx.Node) and part not in varying)
    for node in graph.nodes:
        if node.target in LAYERS and node not in varying and node not in weights:
            roots.add(cast(fx.Node, node.args[0]))
    for factor in {cast(fx.Node, factor) for node in attention for factor in node.args[:2]} - varying:
        roots.update(cast(fx.Node, maker.args[0]) for maker in _makers(factor))
    return reached(graph, roots)


def _is_attention(node: fx.Node, varying: set[fx.Node]) -> bool:
    """Whether a product's second factor, which no input changes, is features of tokens: a key or a value, no weight.

    A layer makes it, and the product goes to a softmax or comes from one, or a layer makes the first factor from
    constants too.
    """
    is_linear = (
        node.target in _LINEAR
    )  # `F.linear` of two features is the product of one with the other turned
    if not (is_linear or node.target in MATRIX_PRODUCTS) or node.args[1] in varying:
        return False
    data, second = (cast(fx.Node, factor) for factor in node.args[:2])
    if not _makers(second):
        return False
    if second.meta["val"].ndim != 2:
        return True  # no layer: weights of a layer have two axes
    between = POINTWISE | set(LINEAR)
    around = {data, *_next_to(data, between, False), *_next_to(node, between, True)}
    if any(one.target in SOFTMAX for one in around):
        return True
    # Without a softmax, what `F.linear` multiplies by is the weight that a hypernetwork makes.
    return not is_linear and data not in varying and bool(_makers(data))


def _makers(node: fx.Node) -> set[fx.Node]:
    """The layers that a value comes from, not by way of their own weights."""
    return {one for one in _before(node) if one.target in LAYERS}


def _before(node: fx.Node) -> set[fx.Node]:
    """An op and those that its value comes from, of a layer by way of its data only."""
    found, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(one.all_input_nodes[:1] if one.target in LAYERS else one.all_input_nodes)
    return found


def _next_to(node: fx.Node, through: set[Any], forward: bool) -> set[fx.Node]:
    """The first ops after a node (or before it) that are not among `through`."""
    found, seen, waiting = set(), {node}, [node]
    while waiting:
        one = waiting.pop()
        if one is not node and one.target not in through:
            found.add(one)
            continue
        if not forward and one is node and one.target not in through:
            continue
        neighbours = list(one.users) if forward else one.all_input_nodes
        waiting.extend(other for other in neighbours if other not in seen)
        seen.update(neighbours)
    return found


def _describe(node: fx.Node, op: str, name: str, weight: torch.Tensor) -> Layer:
    if op == "linear":
        return Layer(name, op, int(weight.shape[1]), int(weight.shape[0]))
    groups = cast(int, node.args[6]) if len(node.args) > 6 else 1
    kernel_size = tuple(int(n) for n in weight.shape[2:])
    grid = tuple(int(n) for n in node.meta["val"].shape[-len(kernel_size) :])
    n_in, n_out = int(weight.shape[1]) * groups, int(weight.shape[0])
    if op.startswith("conv_transpose"):
        n_in, n_out = int(weight.shape[0]), int(weight.shape[1]) * groups
    return Layer(name, op, n_in, n_out, cast(Any, grid), cast(Any, kernel_size), groups)
