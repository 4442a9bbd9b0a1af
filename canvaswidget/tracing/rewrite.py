"""What is recorded, in fewer kinds of op: some written in terms of others, which what reads the graph knows.

None of it changes a value. `DECOMPOSITIONS` are for `torch.export`; `rewrite` then changes the recorded graph in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.ops import EINSUM, aten

WRITTEN = "written"  # of a node's meta: the op that the model has in its place


def rewrite(graph: fx.Graph, constants: Collection[str]) -> None:
    """Change a recorded graph in place.

    Parameters
    ----------
    constants : collection of str
        The inputs of the graph that are no inputs of the model.
    """
    varying = reached(graph, inputs(graph, constants))
    for node in list(graph.nodes):
        if node.target is aten.view.default:
            # Terms of a value need not lie in memory as the value does.
            node.target, node.meta[WRITTEN] = aten.reshape.default, "view"
        elif node.target in EINSUM:
            _as_linear(node, varying)
        elif node.target in (aten.max.dim, aten.min.dim, aten.amax.default, aten.amin.default):
            _as_gather(node)
    graph.eliminate_dead_code()


def inputs(graph: fx.Graph, constants: Collection[str]) -> set[fx.Node]:
    """What the model is called with, as against its weights, buffers and literals."""
    return {node for node in graph.nodes if node.op == "placeholder" and node.name not in constants}


def reached(graph: fx.Graph, roots: set[fx.Node]) -> set[fx.Node]:
    """Some ops, and all that depends on them."""
    found = set(roots)
    for node in graph.nodes:
        if found.intersection(node.all_input_nodes):
            found.add(node)
    return found


# --- a contraction with a weight is a linear layer -----------------------------------------------------------------


def _as_linear(node: fx.Node, varying: set[fx.Node]) -> None:
    """``einsum("nig,oig->no", x, w)`` with a fixed `w`: what is summed over is the layer's input."""
    equation, operands = cast(str, node.args[0]), cast(list[fx.Node], node.args[1])
    if len(operands) != 2 or sum(operand in varying for operand in operands) != 1:
        return
    place = int(operands[0] not in varying)
    x, weight = operands[place], operands[1 - place]
    terms = _letters(equation, [len(_shape(operand)) for operand in operands])
    if terms is None:
        return
    of_x, of_weight, result = terms[place], terms[1 - place], terms[2]
    summed = [letter for letter in of_x if letter in of_weight and letter not in result]
    kept = [letter for letter in of_x if letter not in of_weight and letter in result]
    made = [letter for letter in of_weight if letter not in of_x and letter in result]
    if not summed or not made or {*summed, *kept} != {*of_x} or {*summed, *made} != {*of_weight}:
        return  # a diagonal, a sum over one alone, or weights of their own for each row
    sizes = dict(zip(of_x, _shape(x), strict=True)) | dict(zip(of_weight, _shape(weight), strict=True))

    def order(source: fx.Node, letters: str, wanted: list[str]) -> fx.Node:
        moved = [letters.index(letter) for letter in wanted]
        return source if moved == sorted(moved) else _before(node, aten.permute.default, source, moved)

    def fold(source: fx.Node, shape: list[int]) -> fx.Node:
        return source if _shape(source) == shape else _before(node, aten.reshape.default, source, shape)

    rows, width = [sizes[letter] for letter in kept], math.prod(sizes[letter] for letter in summed)
    data = fold(order(x, of_x, kept + summed), [*rows, width])
    matrix = fold(
        order(weight, of_weight, made + summed), [math.prod(sizes[letter] for letter in made), width]
    )
    product = _before(node, aten.linear.default, data, matrix)
    product.meta[WRITTEN] = "einsum"
    unfolded = fold(product, rows + [sizes[letter] for letter in made])
    _replace(node, order(unfolded, "".join(kept + made), list(result)))


def _letters(equation: str, ndims: list[int]) -> tuple[str, str, str] | None:
    """The axes of both operands and of the result, each with a letter of its own; None where one occurs twice."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    unused = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in equation]
    dots = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    spread = "".join(unused[: max(dots)]) if "..." in left else ""
    terms = [
        term.replace("...", spread[len(spread) - n :] if n else "")
        for term, n in zip(terms, dots, strict=True)
    ]
    if not arrow:
        once = sorted(letter for letter in set(left) if letter.isalpha() and left.count(letter) == 1)
        result = "..." * bool(spread) + "".join(once)
    terms.append(result.replace("...", spread))
    if any(len(set(term)) != len(term) for term in terms):
        return None
    return terms[0], terms[1], terms[2]


# --- the largest of some values is one of them ---------------------------------------------------------------------


def _as_gather(node: fx.Node) -> None:
    """The value at the place that is the largest in the frame: linear, once the place is frozen.

    Not where it is only taken off the values it is the largest of, as before an exponential: that is a constant.
    """
    source = cast(fx.Node, node.args[0])
    given = node.args[1] if len(node.args) > 1 else []
    dims = [int(cast(Any, dim)) for dim in (given if isinstance(given, list | tuple) else [given])]
    keep = bool(node.args[2]) if len(node.args) > 2 else False
    values = next((user for user in node.users if _item(user) == 0), None) if _is_tuple(node) else node
    if len(dims) != 1 or values is None or _is_taken_off(values, source):
        return
    largest = node.target in (aten.max.dim, aten.amax.default)
    find = aten.argmax.default if largest else aten.argmin.default
    places = _before(node, find, source, dims[0], True)
    found = _before(node, aten.gather.default, source, dims[0], places)
    found.meta[WRITTEN] = "max" if largest else "min"
    _replace(values, found if keep else _before(node, aten.squeeze.dim, found, dims[0]))


def _is_taken_off(values: fx.Node, source: fx.Node) -> bool:
    """Whether a user subtracts it from what it is the largest of."""
    return any(user.target is aten.sub.Tensor and user.args[0] is source for user in values.users)


def _is_tuple(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), list | tuple)


def _item(node: fx.Node) -> int | None:
    is_item = getattr(node.target, "__name__", "") == "getitem"
    return cast(int, node.args[1]) if is_item else None


# --- the graph --------------------------------------------------------------------------------------------------------


def _before(node: fx.Node, target: Callable[..., Any], *arguments: Any) -> fx.Node:
    """A new op right before `node`, said to be of the same module."""
    with node.graph.inserting_before(node):
        made = node.graph.call_function(target, arguments)
    made.meta.update({name: value for name, value in node.meta.items() if name != "val"})
    values = fx.map_arg(arguments, lambda source: source.meta["val"])
    made.meta["val"] = target(*values)
    return made


def _replace(node: fx.Node, by: fx.Node) -> None:
    node.replace_all_uses_with(by)
    node.graph.erase_node(node)


def _shape(node: fx.Node) -> list[int]:
    return [int(n) for n in node.meta["val"].shape]


# --- decompositions for torch.export -------------------------------------------------------------------------------


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Softmax attention as the products it is made of; there is no dropout in evaluation."""
    if enable_gqa:
        key, value = (one.repeat_interleave(query.shape[-3] // one.shape[-3], -3) for one in (key, value))
    scores = (query @ key.mT) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        boolean = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, float("-inf")) if boolean else scores + attn_mask
    return torch.softmax(scores, -1) @ value


def _top(
    x: torch.Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    places = x.argsort(dim, descending=largest).narrow(dim, 0, k)
    return x.gather(dim, places), places


def _max_pool(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int] | None = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> torch.Tensor:
    """The values at the places that torch finds the largest."""
    _, places = aten.max_pool2d_with_indices(
        x, kernel_size, stride or kernel_size, padding, dilation, ceil_mode
    )
    return x.flatten(-2).gather(-1, places.flatten(-2)).unflatten(-1, places.shape[-2:])


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.scaled_dot_product_attention.default: _attention,
    aten.topk.default: _top,
    aten.max_pool2d.default: _max_pool,
}
