"""Learned grids, hash tables and embeddings as layers, whose units are the features of one level.

What a network looks up in a parameter and interpolates, ``f = sum_i w_i table[i]``, is linear in the table as long as
the weights ``w_i`` are made of no parameter. Where such a value goes on to the network, the recording is given an op
that changes nothing,

    f' = I f

with the identity as its weight. It is a layer like any other, which every rule follows: unit ``c`` is feature ``c`` of
the level, and its term is what column ``c`` of the table makes at each place. Its op is found by `TABLE` in the meta.

A value is left as it is where such an op would change what a rule says of other layers, see `meeting`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.axes import LOOKUPS, axis_after, feature_axes
from canvaswidget.tracing.capture.dependence import leading_to, reached
from canvaswidget.tracing.capture.editing import TABLE, WRITTEN, insert_before, is_open, shape_of
from canvaswidget.tracing.capture.find_layers import find_varying
from canvaswidget.tracing.capture.meeting import Neighbours
from canvaswidget.tracing.capture.ops import (
    ADD,
    DIVIDE,
    EINSUM,
    LAYERS,
    LINEAR,
    MATRIX_PRODUCTS,
    MULTIPLY,
    NEGATE,
    NUMBER,
    UNARY,
    aten,
    is_linear,
    overloads,
)

MOST_FEATURES = 2048  # the identity of more would take more memory than many a network
_CONVOLUTIONS: dict[str, Any] = {
    "conv1d": aten.conv1d.default,
    "conv2d": aten.conv2d.default,
    "conv3d": aten.conv3d.default,
}
_JOINS = overloads("cat")


@dataclass(frozen=True)
class Level:
    """A value that a table's features go on to the network as.

    Attributes
    ----------
    table : str
        The name of the parameter.
    node : fx.Node
    axis : int
        Of its features.
    reader : fx.Node or None
        The layer behind it that reads this axis as its units.
    """

    table: str
    node: fx.Node
    axis: int
    reader: fx.Node | None

    @property
    def count(self) -> int:
        """How many features."""
        return shape_of(self.node)[self.axis]


def with_grids(
    graph: fx.Graph,
    constants: dict[str, torch.Tensor],
    targets: Mapping[str, str],
    parameters: Collection[str],
) -> None:
    """Give a recorded graph an op for each level of its learned grids, in place.

    Parameters
    ----------
    constants : dict of str to torch.Tensor
        By graph input; the identities are added to them.
    targets : mapping of str to str
        The name of the module's parameter or buffer, by graph input.
    parameters : collection of str
        The inputs of the graph that are parameters.
    """
    neighbours = Neighbours(graph, find_varying(graph, constants))
    tables = [node for node in graph.nodes if node.op == "placeholder" and node.name in parameters]
    learned = reached(graph, tables)
    found = [level for table in tables for level in _levels(graph, table, targets[table.name], learned)]
    result = next(node for node in reversed(graph.nodes) if node.op == "output")
    used = leading_to([result])
    for level in [one for one in found if one.node in used and neighbours.stay_as_they_are(one.node)]:
        _insert(graph, constants, level)


# --- find them ------------------------------------------------------------------------------------------------------


def _levels(graph: fx.Graph, table: fx.Node, name: str, learned: set[fx.Node]) -> list[Level]:
    """Where what is looked up in a table enters the network, with the axis of features that the network reads."""
    tables = _made_of(table, learned)
    lookups = [node for node in graph.nodes if node.target in LOOKUPS and node.args[0] in tables]
    lookups = [node for node in lookups if _is_plain(node) and node.meta["val"].is_floating_point()]
    if not lookups:
        return []
    best: list[Level] = []
    best_score = -1.0
    for choice in range(max(len(feature_axes(node)) for node in lookups)):
        for merge in (False, True):
            followed = _followed(graph, lookups, choice, merge, learned)
            levels = [
                Level(name, node, followed[node], _reader(node, followed[node]))
                for node in _ends(followed, lookups)
            ]
            if not levels or any(level.count > MOST_FEATURES for level in levels):
                continue
            score = sum(level.reader is not None for level in levels) / len(levels)
            if score > best_score and (score > 0 or not merge):
                best, best_score = levels, score
    return best


def _made_of(table: fx.Node, learned: set[fx.Node]) -> set[fx.Node]:
    """A parameter, and what is made of it alone, value by value, before something is looked up in it."""
    found = {table}
    for node in table.graph.nodes:
        sources = [source for source in node.all_input_nodes if source in learned]
        plain = node.target in LINEAR or node.target in UNARY | MULTIPLY | DIVIDE | NEGATE
        if len(sources) == 1 and sources[0] in found and plain and node.target not in LOOKUPS:
            found.add(node)
    return found


def _followed(
    graph: fx.Graph, lookups: Collection[fx.Node], choice: int, merge: bool, learned: set[fx.Node]
) -> dict[fx.Node, int]:
    """What is linear in what is looked up, and in it alone, with the axis of its features."""
    found: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op != "call_function" or not _is_plain(node):
            continue
        if node in lookups:
            axes = feature_axes(node)
            given = {cast(fx.Node, node.args[0]): axes[choice]} if choice < len(axes) else {}
        else:
            given = {source: found[source] for source in _linear_in(node, found, learned)}
        axes = {axis_after(node, source, axis, merge) for source, axis in given.items()}
        axis = axes.pop() if len(axes) == 1 else None
        if axis is not None:
            found[node] = axis
    return found


def _linear_in(node: fx.Node, found: Collection[fx.Node], learned: set[fx.Node]) -> list[fx.Node]:
    """The arguments that an op is linear in, if all were looked up and no other is learned."""
    mine = [source for source in node.all_input_nodes if source in found]
    others = [source for source in node.all_input_nodes if source not in found]
    if not mine or (others and node.target not in LOOKUPS and not learned.isdisjoint(others)):
        return []
    target: Any = node.target
    first, *rest = node.args
    if target in ADD:
        # A sum in Python starts from 0.
        plain = [one for one in node.args[:2] if one not in mine]
        return mine if all(isinstance(one, int | float) and one == 0 for one in plain) else []
    if target in MULTIPLY:
        return mine if sum(one in mine for one in node.args[:2]) == 1 else []
    if target in DIVIDE:
        return mine if first in mine and rest[0] not in mine else []
    if target in NEGATE:
        return mine
    if target in EINSUM:
        return mine if sum(one in mine for one in cast(Any, rest[0])) == 1 else []
    if target in MATRIX_PRODUCTS:
        # A product with a matrix that nothing changes is a layer.
        is_layer = first in mine and len(shape_of(cast(fx.Node, rest[0]))) == 2
        return mine if len(mine) == 1 and not is_layer else []
    if is_linear(node) and target not in NUMBER:
        linear = [one for place in LINEAR[target] for one in _nodes(node, place)]
        return mine if set(linear) == set(mine) else []
    return []


def _nodes(node: fx.Node, place: int) -> Iterator[fx.Node]:
    given: Any = node.args[place] if place < len(node.args) else []
    yield from (
        one for one in (given if isinstance(given, list | tuple) else [given]) if isinstance(one, fx.Node)
    )


def _ends(followed: Mapping[fx.Node, int], lookups: Collection[fx.Node]) -> list[fx.Node]:
    """Where the network goes on from what was looked up; not twice from one value."""
    ends: list[fx.Node] = []
    for node in followed:
        if all(user in followed for user in node.users):
            continue
        if not leading_to([node], ends).isdisjoint(set(lookups).intersection(followed)):
            ends.append(node)
    return ends


def _reader(node: fx.Node, axis: int) -> fx.Node | None:
    """The first layer behind a value that has this axis of it as its units."""
    waiting, seen = [(node, axis)], {node}
    while waiting:
        source, place = waiting.pop(0)
        for user in source.users:
            if user.target in LAYERS and user.args[0] is source:
                kernel = str(LAYERS[user.target])[-2:]
                n_axes = int(kernel[0]) if kernel.endswith("d") else 0
                if place == len(shape_of(source)) - 1 - n_axes:
                    return user
                continue
            if user in seen or user.op != "call_function" or not _is_plain(user):
                continue
            seen.add(user)
            joined = user.target in _JOINS or shape_of(user) == shape_of(source)
            found = axis_after(user, source, place)
            found = place if found is None and joined else found
            if found is not None:
                waiting.append((user, found))
    return None


def _is_plain(node: fx.Node) -> bool:
    """Whether an op gives one tensor, of a known shape."""
    return isinstance(node.meta.get("val"), torch.Tensor) and not is_open(node)


# --- give them an op --------------------------------------------------------------------------------------------------


def _insert(graph: fx.Graph, constants: dict[str, torch.Tensor], level: Level) -> None:
    """Put the op in: a linear layer over the features of each place, or a convolution over a map of them."""
    node, axis, n = level.node, level.axis, len(shape_of(level.node))
    value = cast(torch.Tensor, node.meta["val"])
    reader = "" if level.reader is None else LAYERS[level.reader.target]
    as_map = reader in _CONVOLUTIONS and axis <= 1 and n - axis - 1 == int(reader[-2])
    weight = torch.eye(level.count, dtype=value.dtype)
    weight = weight.reshape(*weight.shape, *(1,) * (n - axis - 1 if as_map else 0))
    with graph.inserting_before(next(iter(graph.nodes))):
        identity = graph.placeholder(f"features_{len(constants)}")
    identity.meta["val"] = value.new_empty(weight.shape)
    constants[identity.name] = weight
    users, after = list(node.users), node.next
    turned = [*(one for one in range(n) if one != axis), axis]
    made, source = [], node
    if not as_map and axis != n - 1:
        source = insert_before(after, aten.permute.default, node, turned)
        made.append(source)
    op: Any = _CONVOLUTIONS[reader] if as_map else aten.linear.default
    layer = insert_before(after, op, source, identity)
    made.append(layer)
    if source is not node:
        made.append(
            insert_before(after, aten.permute.default, layer, [turned.index(one) for one in range(n)])
        )
    for one in made:
        one.meta = {
            **{key: kept for key, kept in node.meta.items() if key != WRITTEN},
            "val": one.meta["val"],
        }
    layer.meta[TABLE] = level.table
    for user in users:
        user.replace_input_with(node, made[-1])
