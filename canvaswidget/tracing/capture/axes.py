"""Follow one axis of a value through the ops of a recorded graph: where it is in what an op makes of the value."""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

from torch import fx

from canvaswidget.tracing.capture.editing import shape_of
from canvaswidget.tracing.capture.naming import op_name
from canvaswidget.tracing.capture.ops import ADD, EINSUM, LAYERS, MATRIX_PRODUCTS, SCALE, UNARY, overloads

_SAME_PLACE = (
    ADD
    | SCALE
    | UNARY
    | overloads(
        "clone contiguous alias detach _to_copy to type_as lift_fresh_copy where lerp expand expand_as dropout",
        "slice narrow flip roll grid_sampler grid_sampler_2d grid_sampler_3d upsample_linear1d upsample_bilinear2d",
        "upsample_bicubic2d upsample_trilinear3d upsample_nearest1d upsample_nearest2d upsample_nearest3d",
        "_upsample_nearest_exact2d _upsample_bilinear2d_aa constant_pad_nd",
    )
)
_VIEWS = overloads("view _unsafe_view reshape flatten unflatten squeeze unsqueeze")
_TRANSPOSES = overloads("transpose t numpy_T mT")
_SUMS = overloads("sum mean")
INDEX = overloads("index")
INDEX_OF_AXIS = overloads("index_select gather")
EMBEDDING = overloads("embedding")
# What reads a table at places that something else gives; the axes that are left are of features.
LOOKUPS = (
    INDEX
    | INDEX_OF_AXIS
    | EMBEDDING
    | overloads("grid_sampler grid_sampler_2d grid_sampler_3d")
    | overloads("upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d")
    | overloads("upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d")
)


def feature_axes(lookup: fx.Node) -> list[int]:
    """The axes of a table that a look-up leaves as they are, the likeliest to be of features first."""
    n = len(shape_of(cast(fx.Node, lookup.args[0])))
    if lookup.target in INDEX:
        looked_up = [axis for axis, index in enumerate(cast(Any, lookup.args[1])) if index is not None]
        left = [axis for axis in range(n) if axis not in looked_up]
    elif lookup.target in INDEX_OF_AXIS:
        left = [axis for axis in range(n) if axis != cast(int, lookup.args[1]) % n]
    else:
        left = [1]  # the second of an embedding's weight, the channels of what is sampled
    return [*left[-1:], *left[:-1]]


def axis_after(node: fx.Node, source: fx.Node, axis: int, merge: bool = False) -> int | None:
    """Where an axis of `source` is in what `node` makes of it; None where it is no axis any more, or that is not known.

    Parameters
    ----------
    merge : bool
        Whether it may be joined with the axes before it, as ``(levels, features)`` to ``(levels * features)``.
    """
    before, after = shape_of(source), shape_of(node)
    target: Any = node.target
    n, args = len(before), cast(Any, node.args)
    found: int | None = None
    if target in _SAME_PLACE:
        found = len(after) - n + axis
    elif target in _VIEWS:
        return _in_view(before, after, axis, merge)
    elif target in overloads("permute"):
        found = [dim % n for dim in args[1]].index(axis)
    elif target in _TRANSPOSES:
        one, other = (args[1] % n, args[2] % n) if op_name(node) == "transpose" else (n - 2, n - 1)
        found = {one: other, other: one}.get(axis, axis)
    elif target in overloads("select"):
        found = _without(axis, [args[1] % n])
    elif target in _SUMS:
        dims = [dim % n for dim in (args[1] if len(args) > 1 and args[1] is not None else range(n))]
        keeps = len(args) > 2 and args[2]
        found = None if axis in dims else axis if keeps else _without(axis, dims)
    elif target in overloads("cat"):
        found = None if _dim(args, len(after)) == axis else axis
    elif target in overloads("stack"):
        found = axis + (_dim(args, len(after)) <= axis)
    elif target in INDEX:
        found = _after_index(args[1], len(after), n, axis)
    elif target in INDEX_OF_AXIS:
        found = None if args[1] % n == axis else axis
    elif target in EMBEDDING:
        found = len(after) - 1 if axis == 1 else None
    elif target in EINSUM:
        found = _after_einsum(node, source, axis)
    elif target in MATRIX_PRODUCTS or target in LAYERS:
        found = _after_product(node, source, axis, len(after))
    return found if found is not None and after[found] == before[axis] else None


def _dim(args: Any, n: int) -> int:
    return (args[1] if len(args) > 1 else 0) % n


def _without(axis: int, removed: list[int]) -> int | None:
    return None if axis in removed else axis - sum(one < axis for one in removed)


def _in_view(before: list[int], after: list[int], axis: int, merge: bool) -> int | None:
    """By how far apart neighbours on the axis are in memory, which a change of shape leaves as it is."""
    size, stride = before[axis], math.prod(before[axis + 1 :])
    places = [j for j in range(len(after)) if math.prod(after[j + 1 :]) == stride]
    same = [j for j in places if after[j] == size]
    if same:
        return same[-1]
    joined = [j for j in places if merge and size > 1 and after[j] % size == 0]
    return joined[-1] if joined else None


def _after_index(indices: Any, n_after: int, n_before: int, axis: int) -> int | None:
    looked_up = [place for place, index in enumerate(indices) if index is not None]
    is_mask = any(indices[place].meta["val"].dtype.itemsize == 1 for place in looked_up)
    if axis in looked_up or is_mask:
        return None
    n_index = n_after - n_before + len(looked_up)
    before = sum(one < axis for one in looked_up)
    if any(b - a > 1 for a, b in itertools.pairwise(looked_up)):
        return axis - before + n_index  # indices that are not side by side put their axes first
    return axis if axis < looked_up[0] else axis - before + n_index


def _after_einsum(node: fx.Node, source: fx.Node, axis: int) -> int | None:
    equation, operands = cast(Any, node.args[:2])
    terms, arrow, result = equation.replace(" ", "").partition("->")
    terms = terms.split(",")
    if not arrow or "." in equation or operands.count(source) != 1:
        return None
    own = operands.index(source)
    letter = terms[own][axis]
    alone = all(letter not in term for place, term in enumerate(terms) if place != own)
    return result.index(letter) if alone and letter in result else None


def _after_product(node: fx.Node, source: fx.Node, axis: int, n_after: int) -> int | None:
    """Of a product of matrices: rows of the first factor, columns of the second."""
    if node.target not in MATRIX_PRODUCTS:
        return None
    first, second = node.args[:2]
    if first is second:
        return None
    n = len(shape_of(source))
    from_end = axis - n
    if source is second and from_end == -1 and n > 1:
        return n_after - 1
    if source is first and from_end == -2 and len(shape_of(cast(fx.Node, second))) > 1:
        return n_after - 2
    return None
