"""The largest, the median and the like as a look-up of one value, linear once its place is frozen."""

from __future__ import annotations

import operator
from typing import Any, cast

from torch import fx

from canvaswidget.tracing.capture.editing import WRITTEN, insert_before, replace, result, shape_of
from canvaswidget.tracing.capture.ops import aten

_CHOOSING = (
    aten.median.dim,
    aten.nanmedian.dim,
    aten.kthvalue.default,
    aten.mode.default,
    aten.cummax.default,
    aten.cummin.default,
)


def _as_gather(node: fx.Node) -> None:
    """The value at the place that is the largest in the frame: linear, once the place is frozen.

    Not where it is only taken off the values it is the largest of, as before an exponential: that is a constant.
    """
    source = cast(fx.Node, node.args[0])
    given = node.args[1] if len(node.args) > 1 else []
    dims = [int(cast(Any, dim)) for dim in (given if isinstance(given, list | tuple) else [given])]
    keep = bool(node.args[2]) if len(node.args) > 2 else False
    values = result(node, 0) if _is_tuple(node) else node
    if len(dims) != 1 or values is None or _is_taken_off(values, source):
        return
    largest = node.target in (aten.max.dim, aten.amax.default)
    find = aten.argmax.default if largest else aten.argmin.default
    places = insert_before(node, find, source, dims[0], True)
    found = insert_before(node, aten.gather.default, source, dims[0], places)
    found.meta[WRITTEN] = "max" if largest else "min"
    replace(values, found if keep else insert_before(node, aten.squeeze.dim, found, dims[0]))


def _as_its_places(node: fx.Node) -> None:
    """The values that an op chooses along an axis, by the places that it gives beside them."""
    values = result(node, 0)
    if values is None:
        return
    source, *given = cast(Any, node.args)
    dim = given[1] if node.target is aten.kthvalue.default and len(given) > 1 else -1
    if given and node.target is not aten.kthvalue.default:
        dim = given[0]
    places = result(node, 1)
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


BY_OP = {
    **dict.fromkeys((aten.max.dim, aten.min.dim, aten.amax.default, aten.amin.default), _as_gather),
    **dict.fromkeys(_CHOOSING, _as_its_places),
}
