"""Products with a weight, however they are written, as layers: linear ones, and without a bias that is computed."""

from __future__ import annotations

import math
import string
from collections.abc import Set as AbstractSet
from typing import Any, cast

from torch import fx

from canvaswidget.tracing.capture.editing import WRITTEN, insert_before, replace, shape_of
from canvaswidget.tracing.capture.ops import (
    EINSUM,
    LAYERS,
    PRODUCTS,
    aten,
    overloads,
)

_PRODUCTS_OF_MATRICES = overloads("matmul mm bmm mv linear")
_WITH_BIAS = overloads(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution"
)
PRODUCTS_WITH_WEIGHTS = EINSUM | _PRODUCTS_OF_MATRICES | _WITH_BIAS
_SPREAD = overloads("expand repeat")
_MADE_BY_LAYERS = set(LAYERS) | set(PRODUCTS) - overloads("mul div") | EINSUM


def as_layers(node: fx.Node, varying: AbstractSet[fx.Node], parameters: AbstractSet[fx.Node]) -> None:
    """Write an op of `PRODUCTS_WITH_WEIGHTS` as the layer that it is, where its weight is fixed.

    Parameters
    ----------
    varying : set of fx.Node
        What depends on the model's inputs.
    parameters : set of fx.Node
        The model's parameters, and what is made of them.
    """
    if node.target in _WITH_BIAS and len(node.args) > 2:
        _with_bias_apart(node, varying)
    elif node.target in EINSUM:
        for pair in _in_pairs(node):
            _einsum_as_linear(pair, varying)
    elif node.target in _PRODUCTS_OF_MATRICES:
        _product_as_linear(node, varying, parameters)


def _with_bias_apart(node: fx.Node, varying: AbstractSet[fx.Node]) -> None:
    """A layer whose bias depends on the input: the layer without one, and an addition."""
    bias = node.args[2] if len(node.args) > 2 else None
    if not isinstance(bias, fx.Node) or bias not in varying:
        return
    data, weight, _, *others = cast(Any, node.args)
    made = insert_before(node, cast(Any, node.target), data, weight, None, *others)
    if node.target not in overloads("linear"):
        bias = insert_before(node, aten.reshape.default, bias, [-1, *[1] * (weight.meta["val"].ndim - 2)])
    replace(node, insert_before(node, aten.add.Tensor, made, bias))


def _product_as_linear(
    node: fx.Node, varying: AbstractSet[fx.Node], parameters: AbstractSet[fx.Node]
) -> None:
    """``x @ w`` where `w` is a vector or has axes of length 1 before its matrix, and ``w @ x`` for a parameter `w`."""
    first, second = cast("tuple[fx.Node, fx.Node]", node.args[:2])
    from_left, is_linear = second in varying, node.target in overloads("linear")
    data, weight = (second, first) if from_left else (first, second)
    n_axes = weight.meta["val"].ndim
    if data not in varying or weight not in parameters - varying or _is_made_by_a_layer(weight):
        return
    if (n_axes == 2 and not from_left) or (is_linear and from_left):
        return  # it is a layer as it is, or none
    matrix = _matrix(node, weight)
    if matrix is None:
        return
    turned = from_left and data.meta["val"].ndim > 1
    if turned:
        data = insert_before(node, aten.transpose.int, data, -2, -1)
    elif not from_left and n_axes > 1:
        matrix = insert_before(node, aten.permute.default, matrix, [1, 0])
    made = insert_before(node, aten.linear.default, data, matrix)
    made.meta[WRITTEN] = str(node.target).split(".")[1]
    if turned and n_axes > 1:
        made = insert_before(node, aten.transpose.int, made, -2, -1)
    if shape_of(made) != shape_of(node):  # by axes of length 1
        made = insert_before(node, aten.reshape.default, made, shape_of(node))
    replace(node, made)


def _matrix(node: fx.Node, weight: fx.Node) -> fx.Node | None:
    """A weight with two axes: a vector as a row, and the matrix of one that is the same for all it multiplies."""
    while weight.target in _SPREAD:
        source = cast(fx.Node, weight.args[0])
        if len(shape_of(source)) < 2 or shape_of(source)[-2:] != shape_of(weight)[-2:]:
            break
        weight = source
    *others, n_rows, n_columns = [1, *shape_of(weight)]
    if any(n != 1 for n in others):
        return None  # a matrix for each group
    if weight.meta["val"].ndim == 2:
        return weight
    return insert_before(node, aten.reshape.default, weight, [n_rows, n_columns])


def _is_made_by_a_layer(weight: fx.Node) -> bool:
    """Whether a value is features, as those of constant tokens."""
    waiting, seen = [weight], {weight}
    while waiting:
        one = waiting.pop()
        if one.target in _MADE_BY_LAYERS:
            return True
        waiting.extend(set(one.all_input_nodes) - seen)
        seen.update(one.all_input_nodes)
    return False


def _einsum_as_linear(node: fx.Node, varying: AbstractSet[fx.Node]) -> None:
    """``einsum("nig,oig->no", x, w)`` with a fixed `w`: what is summed over is the layer's input."""
    equation, operands = cast(str, node.args[0]), cast(list[fx.Node], node.args[1])
    if len(operands) != 2 or sum(operand in varying for operand in operands) != 1:
        return
    place = int(operands[0] not in varying)
    x, weight = operands[place], operands[1 - place]
    terms = _letters(equation, [len(shape_of(operand)) for operand in operands])
    if terms is None:
        return
    of_x, of_weight, result = terms[place], terms[1 - place], terms[2]
    of_sizes = dict(zip(of_weight, shape_of(weight), strict=True))
    # Without the axes of length 1 that the weight shares with what is kept of the data.
    of_weight = "".join(
        letter for letter, n in of_sizes.items() if n != 1 or letter not in of_x or letter not in result
    )
    summed = [letter for letter in of_x if letter in of_weight and letter not in result]
    kept = [letter for letter in of_x if letter not in of_weight and letter in result]
    made = [letter for letter in of_weight if letter not in of_x and letter in result]
    if not summed or not made or {*summed, *kept} != {*of_x} or {*summed, *made} != {*of_weight}:
        return  # a diagonal, a sum over one alone, or weights of their own for each row
    sizes = of_sizes | dict(zip(of_x, shape_of(x), strict=True))
    if any(sizes[letter] != of_sizes[letter] for letter in summed):
        return  # one of them is spread before it is summed

    def order(source: fx.Node, letters: str, wanted: list[str]) -> fx.Node:
        moved = [letters.index(letter) for letter in wanted]
        return source if moved == sorted(moved) else insert_before(node, aten.permute.default, source, moved)

    def fold(source: fx.Node, shape: list[int]) -> fx.Node:
        return (
            source if shape_of(source) == shape else insert_before(node, aten.reshape.default, source, shape)
        )

    rows, width = [sizes[letter] for letter in kept], math.prod(sizes[letter] for letter in summed)
    data = fold(order(x, of_x, kept + summed), [*rows, width])
    weight = fold(weight, [sizes[letter] for letter in of_weight])
    matrix = fold(
        order(weight, of_weight, made + summed), [math.prod(sizes[letter] for letter in made), width]
    )
    product = insert_before(node, aten.linear.default, data, matrix)
    product.meta[WRITTEN] = "einsum"
    unfolded = fold(product, rows + [sizes[letter] for letter in made])
    replace(node, order(unfolded, "".join(kept + made), list(result)))


def _in_pairs(node: fx.Node) -> list[fx.Node]:
    """A contraction of more than two values as contractions of two, from left to right."""
    operands = list(cast(list[fx.Node], node.args[1]))
    if len(operands) < 3:
        return [node]
    terms = _spelled(cast(str, node.args[0]), [len(shape_of(operand)) for operand in operands])
    if terms is None:
        return [node]
    *of_operands, result = terms
    first, letters, made = operands[0], of_operands[0], []
    for place in range(1, len(operands)):
        after = "".join(of_operands[place + 1 :]) + result
        last = place == len(operands) - 1
        both = dict.fromkeys(letters + of_operands[place])
        kept = result if last else "".join(letter for letter in both if letter in after)
        equation = f"{letters},{of_operands[place]}->{kept}"
        first = insert_before(node, aten.einsum.default, equation, [first, operands[place]])
        letters = kept
        made.append(first)
    replace(node, first)
    return made


def _letters(equation: str, ndims: list[int]) -> tuple[str, str, str] | None:
    """The axes of both operands and of the result, each with a letter of its own; None where one occurs twice."""
    terms = _spelled(equation, ndims)
    if terms is None or any(len(set(term)) != len(term) for term in terms):
        return None
    return terms[0], terms[1], terms[2]


def _spelled(equation: str, ndims: list[int]) -> list[str] | None:
    """The letters of each operand and of the result, with letters for what an ellipsis stands for."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    unused = [letter for letter in string.ascii_letters if letter not in equation]
    dots = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    spread = "".join(unused[: max(dots)]) if "..." in left else ""
    if max(dots) > len(unused):
        return None
    terms = [
        term.replace("...", spread[len(spread) - n :] if n else "")
        for term, n in zip(terms, dots, strict=True)
    ]
    if not arrow:
        once = sorted(letter for letter in set(left) if letter.isalpha() and left.count(letter) == 1)
        result = "..." * bool(spread) + "".join(once)
    return [*terms, result.replace("...", spread)]
