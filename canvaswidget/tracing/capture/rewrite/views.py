"""Views of a tensor that depend on its layout in memory, and parts of joined tensors, as what they select."""

from __future__ import annotations

import math
import operator
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.editing import WRITTEN, insert_before, is_open, replace, shape_of
from canvaswidget.tracing.capture.interpreter import Program
from canvaswidget.tracing.capture.ops import aten, overloads

_SPLITS = overloads("split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk")
_LAYOUT = overloads(
    "reshape permute transpose contiguous clone flatten unflatten movedim squeeze unsqueeze select"
)
_LARGEST = 2**22  # values to try an arrangement on


def _as_reshape(node: fx.Node) -> None:
    """Terms of a value need not lie in memory as the value does, so that a view of it may need a copy of them."""
    node.target, node.meta[WRITTEN] = aten.reshape.default, "view"


def _as_index(node: fx.Node) -> None:
    """A view by strides as a look-up by position, since terms need not lie in memory as the value does."""
    source, size, strides = cast(Any, node.args[:3])
    if not source.meta["val"].is_contiguous():
        return
    offset = cast(Any, node.args[3] if len(node.args) > 3 else None) or 0
    places = insert_before(node, aten.full.default, size, offset, dtype=torch.long)
    for axis, (n, stride) in enumerate(zip(size, strides, strict=True)):
        along = insert_before(node, aten.arange.start_step, 0, n * stride or 1, stride or 1)
        along = along if stride else insert_before(node, aten.full.default, [n], 0, dtype=torch.long)
        shape = [1] * axis + [n] + [1] * (len(size) - axis - 1)
        along = insert_before(node, aten.reshape.default, along, shape)
        places = insert_before(node, aten.add.Tensor, places, along)
    flat = insert_before(node, aten.reshape.default, source, [-1])
    replace(node, insert_before(node, aten.index.Tensor, flat, [places]))


def _as_piece(node: fx.Node) -> None:
    """A part of joined values that is one of them: that one, so that terms of the others don't seem to pass it."""
    cut: Any = node.args[0] if node.target is operator.getitem else node
    joined = (
        cut.args[0] if isinstance(cut, fx.Node) and cut.args else None
    )  # a step before may have erased it
    if not isinstance(joined, fx.Node) or joined.target not in (aten.cat.default, aten.stack.default):
        return
    values = cast("list[fx.Node]", joined.args[0])
    if any(map(is_open, [joined, *values])):
        return
    sizes, n_axes = shape_of(joined), len(shape_of(joined))
    along = cast(int, joined.args[1] if len(joined.args) > 1 else 0) % n_axes
    is_stack, of_stack = joined.target is aten.stack.default, {aten.select.int, aten.unbind.int}
    if cut.target not in (of_stack if is_stack else {aten.slice.Tensor, *_SPLITS}):
        return
    place = 2 if cut.target in _SPLITS else 1
    if cast(int, cut.args[place] if len(cut.args) > place else 0) % n_axes != along:
        return
    if is_stack:
        number = cast(int, node.args[1] if cut is not node else node.args[2])
        replace(node, values[number])
        return
    if cut is node:
        start, end, step = (*node.args[2:], *(None, None, 1)[len(node.args) - 2 :])
        span = (*slice(start, end).indices(sizes[along])[:2], step)
    else:
        number = cast(int, node.args[1])
        widths = [int(part.shape[along]) for part in cut.meta["val"]]
        span = (sum(widths[:number]), sum(widths[: number + 1]), 1)
    first = 0
    for value in values:
        if len(shape_of(value)) == n_axes:
            last = first + shape_of(value)[along]
            if span == (first, last, 1) and value.meta["val"].dtype == joined.meta["val"].dtype:
                replace(node, value)
                return
            first = last


def as_pixel_shuffle(node: fx.Node) -> None:
    """Reshapes and permutations that arrange values as a pixel shuffle does: the pixel shuffle."""
    run, source = [node], cast(fx.Node, node.args[0])
    while source.target in _LAYOUT and len(source.users) == 1:
        run.insert(0, source)
        source = cast(fx.Node, source.args[0])
    values = [source.meta.get("val"), node.meta["val"]]
    if len(run) < 3 or not all(isinstance(value, torch.Tensor) and value.ndim in (3, 4) for value in values):
        return
    before, after = shape_of(source), shape_of(node)
    factor = after[-1] // max(before[-1], 1)
    if factor < 2 or math.prod(before) != math.prod(after) or math.prod(before) > _LARGEST:
        return
    if before[-3:] != [after[-3] * factor**2, after[-2] // factor, after[-1] // factor]:
        return
    numbers = torch.arange(math.prod(before)).reshape(before)
    arranged = Program(run).run(lambda _: numbers, [node])[node]
    if torch.equal(arranged, torch.nn.functional.pixel_shuffle(numbers, factor).reshape(after)):
        made = insert_before(node, aten.pixel_shuffle.default, source, factor)
        same = shape_of(made) == after  # but for a batch axis of length 1
        replace(node, made if same else insert_before(node, aten.reshape.default, made, after))


BY_OP = {
    **dict.fromkeys((aten.view.default, aten._unsafe_view.default), _as_reshape),
    aten.as_strided.default: _as_index,
    **dict.fromkeys((aten.slice.Tensor, aten.select.int, operator.getitem), _as_piece),
}
