"""What is recorded, in fewer kinds of op: some written in terms of others, which what reads the graph knows.

None of it changes a value. `DECOMPOSITIONS` are for `torch.export`; `rewrite` then changes the recorded graph in place.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.contractions import PRODUCTS_OF_MATRICES, as_layers
from canvaswidget.tracing.capture.editing import (
    WRITTEN,
    insert_before,
    is_open,
    replace,
    shape_of,
)
from canvaswidget.tracing.capture.interpreter import Program
from canvaswidget.tracing.capture.ops import EINSUM, aten, overloads


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
        if node.target is aten.view.default:
            # Terms of a value need not lie in memory as the value does.
            node.target, node.meta[WRITTEN] = aten.reshape.default, "view"
        elif node.target is aten.copy.default:
            replace(node, _shaped(node, cast(fx.Node, node.args[1]), cast(fx.Node, node.args[0])))
        elif node.target is aten.slice_scatter.default:
            _as_clear_slice(node)
        elif node.target in _WRITES:
            _as_look_up(node)
        elif node.target is aten.as_strided.default:
            _as_index(node)
        elif node.target in (aten.slice.Tensor, aten.select.int, operator.getitem):
            _as_piece(node)
        elif node.target in _WITH_BIAS and len(node.args) > 2:
            _with_bias_apart(node, varying)
        elif node.target in EINSUM | PRODUCTS_OF_MATRICES:
            as_layers(node, varying, weights)
        elif node.target in _CHOOSING:
            _as_its_places(node)
        elif node.target in _NORMS:
            _as_plain_norm(node)
        elif node.target in (aten.max.dim, aten.min.dim, aten.amax.default, aten.amin.default):
            _as_gather(node)
    for node in list(graph.nodes):
        if node.target is aten.reshape.default:
            _as_pixel_shuffle(node)
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


# --- in-place writes -----------------------------------------------------------------------------------------------


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


_WRITES = {aten.scatter.src, aten.index_copy.default, aten.index_put.default}


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


_SPLITS = overloads("split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk")


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


# --- a bias that the network computes ------------------------------------------------------------------------------

_WITH_BIAS = overloads(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution"
)


def _with_bias_apart(node: fx.Node, varying: set[fx.Node]) -> None:
    """A layer whose bias depends on the input: the layer without one, and an addition."""
    bias = node.args[2] if len(node.args) > 2 else None
    if not isinstance(bias, fx.Node) or bias not in varying:
        return
    data, weight, _, *others = cast(Any, node.args)
    made = insert_before(node, cast(Any, node.target), data, weight, None, *others)
    if node.target not in overloads("linear"):
        bias = insert_before(node, aten.reshape.default, bias, [-1, *[1] * (weight.meta["val"].ndim - 2)])
    replace(node, insert_before(node, aten.add.Tensor, made, bias))


# --- norms ---------------------------------------------------------------------------------------------------------

_NORMS = {
    aten._native_batch_norm_legit_functional.default,
    aten.native_layer_norm.default,
    aten.native_group_norm.default,
    aten.instance_norm.default,
}


def _as_plain_norm(node: fx.Node) -> None:
    """A norm that also gives or writes its statistics: the norm alone."""
    values = next((user for user in node.users if _item(user) == 0), None)
    given = list(cast(Any, node.args))
    if node.target is aten.instance_norm.default:
        if given[5]:  # it measures: running statistics would only be written
            node.args = (*given[:3], None, None, *given[5:])
    elif values is None:
        return
    elif node.target is aten.native_layer_norm.default:
        replace(values, insert_before(values, aten.layer_norm.default, *given))
    elif node.target is aten.native_group_norm.default:
        x, weight, bias, _, _, _, groups, eps = given
        replace(values, insert_before(values, aten.group_norm.default, x, groups, weight, bias, eps))
    elif given[5]:
        norm = insert_before(values, aten._native_batch_norm_legit.no_stats, *given[:3], *given[5:])
        replace(values, insert_before(values, operator.getitem, norm, 0))
    else:
        norm = insert_before(
            values, aten._native_batch_norm_legit_no_training.default, *given[:5], *given[6:]
        )
        replace(values, insert_before(values, operator.getitem, norm, 0))


# --- a pixel shuffle by hand ---------------------------------------------------------------------------------------

_LAYOUT = overloads("reshape permute transpose contiguous clone flatten unflatten movedim squeeze unsqueeze")
_LARGEST = 2**22  # values to try an arrangement on


def _as_pixel_shuffle(node: fx.Node) -> None:
    """Reshapes and permutations that arrange values as a pixel shuffle does: the pixel shuffle."""
    run, source = [node], cast(fx.Node, node.args[0])
    while source.target in _LAYOUT and len(source.users) == 1:
        run.insert(0, source)
        source = cast(fx.Node, source.args[0])
    values = [source.meta.get("val"), node.meta["val"]]
    if len(run) < 3 or not all(isinstance(value, torch.Tensor) and value.ndim == 4 for value in values):
        return
    before, after = shape_of(source), shape_of(node)
    factor = after[-1] // max(before[-1], 1)
    if factor < 2 or after != [
        before[0],
        before[1] // factor**2,
        before[2] * factor,
        before[3] * factor,
    ]:
        return
    if math.prod(before) > _LARGEST:
        return
    numbers = torch.arange(math.prod(before)).reshape(before)
    arranged = Program(run).run(lambda _: numbers, [node])[node]
    if torch.equal(arranged, torch.nn.functional.pixel_shuffle(numbers, factor)):
        replace(node, insert_before(node, aten.pixel_shuffle.default, source, factor))


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
    places = insert_before(node, find, source, dims[0], True)
    found = insert_before(node, aten.gather.default, source, dims[0], places)
    found.meta[WRITTEN] = "max" if largest else "min"
    replace(values, found if keep else insert_before(node, aten.squeeze.dim, found, dims[0]))


_CHOOSING = {aten.median.dim, aten.nanmedian.dim, aten.kthvalue.default, aten.mode.default}
_CHOOSING |= {aten.cummax.default, aten.cummin.default}


def _as_its_places(node: fx.Node) -> None:
    """The values that an op chooses along an axis, by the places that it gives beside them."""
    values = next((user for user in node.users if _item(user) == 0), None)
    if values is None:
        return
    source, *given = cast(Any, node.args)
    dim = given[1] if node.target is aten.kthvalue.default and len(given) > 1 else -1
    if given and node.target is not aten.kthvalue.default:
        dim = given[0]
    places = next((user for user in node.users if _item(user) == 1), None)
    if places is None:
        places = insert_before(values, operator.getitem, node, 1)
    elif places.prev is not node:
        node.append(places)
    same = len(shape_of(places)) == len(shape_of(source))
    along = places if same else insert_before(values, aten.unsqueeze.default, places, dim)
    found = insert_before(values, aten.gather.default, source, dim, along)
    found.meta[WRITTEN] = str(node.target).split(".")[1]
    replace(values, found if same else insert_before(values, aten.squeeze.dim, found, dim))


def _is_taken_off(values: fx.Node, source: fx.Node) -> bool:
    """Whether a user subtracts it from what it is the largest of."""
    return any(user.target is aten.sub.Tensor and user.args[0] is source for user in values.users)


def _is_tuple(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), list | tuple)


def _item(node: fx.Node) -> int | None:
    is_item = getattr(node.target, "__name__", "") == "getitem"
    return cast(int, node.args[1]) if is_item else None


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


def _max_pool1d(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int] | None = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> torch.Tensor:
    """A row of pixels, pooled in two dimensions."""

    def two(size: Any, other: int) -> list[int]:
        return [other, *([size] if isinstance(size, int) else size)]

    stride = stride or kernel_size
    pooled = _max_pool(
        x[..., None, :], two(kernel_size, 1), two(stride, 1), two(padding, 0), two(dilation, 1), ceil_mode
    )
    return pooled[..., 0, :]


def _sorted(x: torch.Tensor, dim: int = -1, descending: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    places = x.argsort(dim, descending=descending)
    return x.gather(dim, places), places


def _addmm(
    added: torch.Tensor, first: torch.Tensor, second: torch.Tensor, beta: Any = 1, alpha: Any = 1
) -> torch.Tensor:
    """``torch.addmm`` and its kin as the sum that they are."""
    return _plus(added, first @ second, beta, alpha)


def _addbmm(
    added: torch.Tensor, first: torch.Tensor, second: torch.Tensor, beta: Any = 1, alpha: Any = 1
) -> torch.Tensor:
    return _plus(added, (first @ second).sum(0), beta, alpha)


def _plus(added: torch.Tensor, product: torch.Tensor, beta: Any, alpha: Any) -> torch.Tensor:
    return (product if alpha == 1 else alpha * product) + (added if beta == 1 else beta * added)


def _between(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """A clamp to limits that are tensors."""
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _bilinear(
    first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    made = torch.einsum("...i,oij,...j->...o", first, weight, second)
    return made if bias is None else made + bias


def _masked_fill(x: torch.Tensor, mask: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, value, x)


def _masked_scatter(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """The n-th place of the mask gets the n-th value."""
    x, mask = torch.broadcast_tensors(x, mask)
    places = (mask.flatten().cumsum(0) - 1).clamp_min(0)
    return torch.where(mask, source.flatten()[places].reshape(x.shape), x)


def _take(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return x.flatten()[places]


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.masked_fill.Tensor: _masked_fill,
    aten.masked_scatter.default: _masked_scatter,
    aten.take.default: _take,
    aten.scaled_dot_product_attention.default: _attention,
    aten.topk.default: _top,
    aten.sort.default: _sorted,
    aten.max_pool1d.default: _max_pool1d,
    aten.max_pool2d.default: _max_pool,
    aten.addmm.default: _addmm,
    aten.baddbmm.default: _addmm,
    aten.addmv.default: _addmm,
    aten.addbmm.default: _addbmm,
    aten.clamp.Tensor: _between,
    aten.bilinear.default: _bilinear,
}
