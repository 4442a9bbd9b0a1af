"""Write values into slices, listed places and masks of a tensor as choices between old and new values."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.editing import insert_before, is_open, replace, shape_of
from canvaswidget.tracing.capture.ops import aten


def _as_value(node: fx.Node) -> None:
    """``y[:, :3] = x`` copies `x` into what it replaces: `x` in that shape and type."""
    replace(node, _shaped(node, cast(fx.Node, node.args[1]), cast(fx.Node, node.args[0])))


def _shaped(node: fx.Node, source: fx.Node, like: fx.Node) -> fx.Node:
    """``y[:, :3] = x`` copies `x` into the shape and type of what it replaces, of which nothing else remains."""
    value = like.meta["val"]
    if source.meta["val"].dtype != value.dtype:
        source = insert_before(node, aten._to_copy.default, source, dtype=value.dtype)
    if source.meta["val"].shape != value.shape:
        source = insert_before(node, aten.expand.default, source, list(value.shape))
    return source


def _as_clear_slice(node: fx.Node) -> None:
    """A write to a slice whose end is the axis's, where it is "the largest number"; of all of it the value alone."""
    into, source, *place = cast(Any, node.args)
    dim, start, end, step = [*place, *[None] * 4][:4]
    dim, start, step = dim or 0, start or 0, step or 1
    size = into.meta["val"].shape[dim]
    # Both may count from the end, which torch's batched rule misreads.
    start, end, _ = slice(start, end).indices(size)
    if (start, end, step) == (0, size, 1):
        replace(node, _shaped(node, source, into))
    else:
        node.args = (into, source, dim, start, end, step)


def _as_look_up(node: fx.Node) -> None:
    """A write to listed places as a choice between the old value and the one written last.

    Where a place is listed twice, autograd would give a slope to each of the values written.
    """
    into, *place, written = cast(Any, node.args[: 3 if node.target is aten.index_put.default else 4])
    if node.target is aten.index_put.default:
        listed = [one for one in place[0] if one is not None]
        if node.args[3:] == (True,):
            return  # the values add up
        if any(one.meta["val"].dtype == torch.bool for one in listed):
            _as_masked(node)
            return
        if any(map(is_open, [written, *listed])):
            return
        indexed = fx.map_arg(place[0], lambda one: one.meta["val"])
        shape = list(aten.index.Tensor(into.meta["val"], indexed).shape)
        written = insert_before(node, aten.expand.default, written, shape)
    ones = insert_before(node, aten.ones_like.default, written, dtype=torch.long)
    flat = insert_before(node, aten.reshape.default, ones, [-1])
    numbers = insert_before(node, aten.sub.Tensor, insert_before(node, aten.cumsum.default, flat, 0), 1)
    numbers = insert_before(node, aten.reshape.default, numbers, shape_of(written))
    none = insert_before(node, aten.full_like.default, into, -1, dtype=torch.long)
    found = insert_before(node, cast(Any, node.target), none, *place, numbers)
    flat = insert_before(node, aten.reshape.default, written, [-1])
    looked_up = insert_before(
        node, aten.index.Tensor, flat, [insert_before(node, aten.clamp_min.default, found, 0)]
    )
    is_written = insert_before(node, aten.ge.Scalar, found, 0)
    replace(node, insert_before(node, aten.where.self, is_written, looked_up, into))


def _as_masked(node: fx.Node) -> None:
    """``y[mask] = 0.1`` and ``y[mask] = x[mask]`` as a choice, whose shapes don't depend on the mask."""
    into, places, written = cast(Any, node.args[:3])
    if len(places) != 1:
        return
    mask, shape = places[0], shape_of(into)
    within = len(shape) - mask.meta["val"].ndim
    if written.target is aten.index.Tensor and _is_same(written.args[1][0], mask):
        value = cast(fx.Node, written.args[0])
        if shape_of(value) != shape:
            return
    elif written.meta["val"].ndim <= within:
        value = written
    else:
        return
    if within:
        mask = insert_before(node, aten.reshape.default, mask, [*shape_of(mask), *[1] * within])
    replace(node, insert_before(node, aten.where.self, mask, value, into))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two ops are the same op of the same values."""
    if not isinstance(one, fx.Node) or not isinstance(other, fx.Node):
        return one == other
    return one is other or (
        one.op == "call_function" and one.target == other.target and one.args == other.args
    )


BY_OP = {
    aten.copy.default: _as_value,
    aten.slice_scatter.default: _as_clear_slice,
    **dict.fromkeys((aten.scatter.src, aten.index_copy.default, aten.index_put.default), _as_look_up),
}
