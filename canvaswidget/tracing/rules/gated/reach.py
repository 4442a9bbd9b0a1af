"""Carry a term at the channels that it reaches, and nowhere else.

A kernel writes to one channel of its layer's output. Until the next layer mixes channels, its term is 0 in all others:
gates, pixel shuffles, slices and concatenations touch that channel only, and the next layer needs one slice of its
weights. `carried` knows these ops; for any other the caller takes the term as a `whole` value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import fx
from torch.utils import _pytree as pytree

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.interpreter import Lookup
from canvaswidget.tracing.capture.ops import overloads
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.rules.gated.linearise import Step, added_with, factors_of

_UNCHANGED = overloads("clone contiguous alias lift_fresh_copy dropout") | ops.DETACH
_RESHAPED = overloads("view _unsafe_view reshape flatten unflatten squeeze unsqueeze")
_TURNED = overloads("permute")
_SHUFFLED = overloads("pixel_shuffle")
_CUT = overloads("slice")
_JOINED = overloads("cat")
_PADDED = overloads("constant_pad_nd")
# Ops that treat each channel of an image alone.
_SPATIAL = overloads(
    "upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa",
    "avg_pool2d adaptive_avg_pool2d _adaptive_avg_pool2d reflection_pad2d replication_pad2d",
)


@dataclass(frozen=True)
class Slice:
    """A value that is 0 but for some channels.

    Attributes
    ----------
    values : torch.Tensor
        Those channels.
    axis : int
        Of the channels, counted from the end.
    start : int
        The first of them.
    size : int
        How many channels the whole value has.
    """

    values: torch.Tensor
    axis: int
    start: int
    size: int

    @property
    def length(self) -> int:
        """How many channels it holds."""
        return int(self.values.shape[self.axis])

    def at_same_channels(self, other: Slice) -> bool:
        """Whether another slice is of the same channels."""
        return (self.axis, self.start, self.length) == (other.axis, other.start, other.length)

    def of(self, constant: Any) -> Any:
        """What a constant that broadcasts to the whole value is at these channels."""
        if not isinstance(constant, torch.Tensor) or constant.ndim < -self.axis:
            return constant
        if constant.shape[self.axis] == 1:
            return constant
        return constant.narrow(self.axis, self.start, self.length)

    def holding(self, values: torch.Tensor) -> Slice:
        """Other values of the same channels."""
        return Slice(values, self.axis, self.start, self.size)


# A transform of torch's, such as `vmap`, takes and gives slices like tensors.
pytree.register_pytree_node(
    Slice,
    lambda one: ([one.values], (one.axis, one.start, one.size)),
    lambda values, context: Slice(cast(Any, next(iter(values))), *context),
)


def sliced(values: torch.Tensor, axis: int, start: int, size: int) -> Slice | torch.Tensor:
    """A slice, or the value itself where it has all channels."""
    return values if values.shape[axis] == size else Slice(values, axis, start, size)


def whole(value: Any) -> Any:
    """A value with all its channels."""
    if not isinstance(value, Slice):
        return value
    after = value.size - value.start - value.length
    return F.pad(value.values, [0, 0] * (-value.axis - 1) + [value.start, after])


def carried(
    step: Step,
    term: Lookup,
    layer: WeightedOp | None,
    gate: Callable[[Step], torch.Tensor],
    value: Callable[[Any], Any],
) -> Any:
    """What an op makes of a slice; None where no slice arrives, or the op is not known to keep to channels.

    Parameters
    ----------
    layer : WeightedOp
        Which the op is, if it is one.
    gate : callable
        The gate of a pointwise function.
    value : callable
        The value of a factor that no term arrives at.
    """
    sources = list(dict.fromkeys(step.carries))
    arrived = [(source, one) for source in sources if (one := term(source)) is not None]
    if len(arrived) == 1 and isinstance(arrived[0][1], Slice):
        return _one(step, *arrived[0], layer, gate, value)
    slices = [one for _, one in arrived if isinstance(one, Slice)]
    if step.kind == "add" and len(slices) == len(arrived) == 2 and slices[0].at_same_channels(slices[1]):
        if any(_shape(source) != _shape(step.node) for source in sources):
            return None
        by_source = {source: one.values for (source, _), one in zip(arrived, slices, strict=True)}
        arguments = (by_source[cast(fx.Node, argument)] for argument in step.node.args[:2])
        return slices[0].holding(cast(Any, step.node.target)(*arguments, **step.node.kwargs))
    return None


def _one(
    step: Step,
    source: fx.Node,
    given: Slice,
    layer: WeightedOp | None,
    gate: Callable[[Step], torch.Tensor],
    value: Callable[[Any], Any],
) -> Any:
    node, values = step.node, given.values
    if layer is not None:
        return _through_layer(layer, given)
    if step.kind == "linear":
        return _moved(node, source, given)
    if _shape(source) != _shape(node) or values.is_complex():
        return None
    if step.kind == "gate":
        found = gate(step)
        return None if found.is_complex() else given.holding(given.of(found) * values)
    if step.kind == "add" and [*node.args[:2]].count(source) == 1:
        # The other part is a constant, which has no share in a term.
        factor = added_with(node)[0 if node.args[0] is source else 1]
        return given if factor == 1 else given.holding(factor * values)
    if step.kind == "product" and node.target in ops.MULTIPLY | ops.DIVIDE and not node.kwargs:
        factors = factors_of(node)
        if factors.count(source) != 1:
            return None
        others = [given.of(value(factor)) if factor is not source else values for factor in factors]
        return given.holding(cast(Any, node.target)(*others))
    return None


def _through_layer(layer: WeightedOp, given: Slice) -> torch.Tensor | None:
    """The layer's output, from the slice of its weights that reads these channels."""
    if layer.layer.n_groups > 1 or given.axis != layer.channel_axis:
        return None
    weight = layer.weight.narrow(0 if layer.is_transposed else 1, given.start, given.length)
    return layer.apply(given.values, weight)


def _moved(node: fx.Node, source: fx.Node, given: Slice) -> Any:
    """What an op that moves values, or treats channels alike, makes of a slice."""
    target, values, axis = cast(Any, node.target), given.values, given.axis
    old, new, args = _shape(source), _shape(node), cast(Any, node.args)
    if not old or not new or any(one is not source for one in node.all_input_nodes):
        return _joined(node, source, given) if target in _JOINED else None
    if target in _UNCHANGED:
        return given
    if target in _RESHAPED:
        return _reshaped(given, old, new)
    if target in _TURNED:
        order = [place % len(old) for place in args[1]]
        moved = order.index(len(old) + axis) - len(old)
        return Slice(values.permute(order), moved, given.start, given.size)
    if target in _CUT:
        return _cut(node, given, len(old))
    if target in _SHUFFLED and axis == -3:
        return _shuffled(given, args[1], new[-3])
    if target in _SPATIAL and axis == -3:
        return given.holding(target(values, *args[1:], **node.kwargs))
    if target in _PADDED and len(args[1]) <= 2 * (-axis - 1):
        return given.holding(target(values, args[1], 0))
    if target in _JOINED:
        return _joined(node, source, given)
    return None


def _reshaped(given: Slice, old: tuple[int, ...], new: tuple[int, ...]) -> Slice | None:
    """Another shape in which the channels are still an axis, with the same values before it or after it."""
    place = len(old) + given.axis
    if old[place:] == new[len(new) + given.axis :] and len(new) >= -given.axis:
        axis = given.axis
    elif old[: place + 1] == new[: place + 1]:
        axis = place - len(new)
    else:
        return None
    shape = list(new)
    shape[axis] = given.length
    return Slice(given.values.reshape(shape), axis, given.start, given.size)


def _cut(node: fx.Node, given: Slice, ndim: int) -> Slice | None:
    """A part of an axis other than the channels'."""
    arguments: Any = [*node.args, *[None] * 5][:5]
    if ((arguments[1] or 0) % ndim) - ndim == given.axis:
        return None
    return given.holding(cast(Any, node.target)(given.values, *node.args[1:], **node.kwargs))


def _shuffled(given: Slice, factor: int, size: int) -> Slice | torch.Tensor:
    """The pixel shuffle of the image channels that these channels make."""
    per_channel = factor**2
    first = given.start // per_channel
    last = -(-(given.start + given.length) // per_channel)
    missing = given.start - first * per_channel, last * per_channel - given.start - given.length
    values = F.pad(given.values, [0, 0, 0, 0, *missing]) if any(missing) else given.values
    return sliced(F.pixel_shuffle(values, factor), -3, first, size)


def _joined(node: fx.Node, source: fx.Node, given: Slice) -> Slice | None:
    """A concatenation of channels, of which only this part has a term."""
    arguments: Any = node.args
    parts, shape = arguments[0], _shape(node)
    axis = (arguments[1] if len(arguments) > 1 else 0) % max(len(shape), 1) - len(shape)
    if axis != given.axis or list(parts).count(source) != 1:
        return None
    before = sum(_shape(part)[axis] for part in parts[: list(parts).index(source)])
    return Slice(given.values, axis, before + given.start, shape[axis])


def _shape(node: fx.Node) -> tuple[int, ...]:
    """The shape of a value; empty where values decide it."""
    shape = getattr(node.meta.get("val"), "shape", ())
    return tuple(shape) if all(isinstance(n, int) for n in shape) else ()
