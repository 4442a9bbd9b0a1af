"""Which positions of a value each pixel of the image depends on: an interval on each axis.

An interval ``[low, high]`` comes from running the ops with coordinates in the place of terms: an op that moves values
moves coordinates, and an op that adds values takes the smallest ``low`` and the largest ``high`` of what it adds. This
depends on shapes alone, not on weights or on a frame.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import fx

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.interpreter import Lookup, Program
from canvaswidget.tracing.capture.ops import overloads
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.rules.gated.linearise import Step, linear_arguments

_MOVES = overloads(
    "view _unsafe_view reshape permute transpose t numpy_T mT squeeze unsqueeze expand clone contiguous alias detach",
    "slice select narrow flip roll repeat tile pixel_shuffle pixel_unshuffle channel_shuffle flatten unflatten",
    "movedim swapaxes swapdims cat stack split split_with_sizes chunk unbind upsample_nearest2d dropout",
    "reflection_pad2d replication_pad2d _upsample_nearest_exact2d index_select expand_as to _to_copy",
)
# Interpolation between neighbours: so many positions to each side of the nearest one.
_SPREADS = {
    **dict.fromkeys(overloads("upsample_bilinear2d"), 1),
    **dict.fromkeys(overloads("upsample_bicubic2d"), 3),
}
_MEANS = overloads("mean sum")
_PADS = overloads("constant_pad_nd")
_SHUFFLES = overloads("pixel_shuffle")
# Moves that treat each channel of an image alone.
_BY_CHANNEL = overloads("upsample_nearest2d _upsample_nearest_exact2d")
_EXACT = 2**24  # the integers that single precision holds


class _UnknownError(Exception):
    """An op that is not known here."""


@dataclass(frozen=True)
class Spans:
    """The intervals of each pixel.

    Attributes
    ----------
    axes : tuple of int
        The axes of the value that they are on, counted from the end; the others have one position.
    sizes : tuple of int
        How many positions those axes have.
    low, high : torch.Tensor
        ``(axes, height, width)``, inclusive; a pixel that depends on no position has ``high < low``.
    """

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    low: torch.Tensor
    high: torch.Tensor

    @functools.cached_property
    def widest(self) -> list[int]:
        """The longest interval on each axis."""
        return [max(1, int(n)) for n in (self.high - self.low + 1).flatten(1).amax(1)]


def find_spans(
    program: Program,
    steps: dict[fx.Node, Step],
    layers: dict[fx.Node, WeightedOp],
    start: fx.Node,
    output: fx.Node,
    channel_axis: int,
    device: torch.device,
) -> Spans | None:
    """The intervals on the axes of a value other than its channels'; None where an op is not known here.

    Parameters
    ----------
    program : Program
        The ops after the value, to the image.
    """
    shape = cast(torch.Tensor, start.meta["val"]).shape
    if not _is_fixed(shape):
        return None
    axes = [axis for axis in range(-len(shape), 0) if axis != channel_axis and shape[axis] > 1]
    if max(shape) >= _EXACT:
        return None
    if not axes:  # one position, which every pixel may depend on
        nothing = torch.empty(
            0, *cast(torch.Tensor, output.meta["val"]).shape[1:], dtype=torch.long, device=device
        )
        return Spans((), (), nothing, nothing)
    low, high = [], []
    try:
        for axis in axes:
            along = torch.arange(shape[axis], dtype=torch.float32, device=device)
            # The largest of some numbers is the smallest of their negatives.
            ahead, back = (one.reshape(-1, *(1,) * (-axis - 1)).expand(shape) for one in (along, -along))
            low.append(_smallest(program, steps, layers, output, {start: ahead}))
            high.append(-_smallest(program, steps, layers, output, {start: back}))
    except _UnknownError:
        return None
    least, most = torch.stack(low), torch.stack(high)
    reached = torch.isfinite(least).all(0)
    least, most = torch.where(reached, least, 0), torch.where(reached, most, -1)
    return Spans(tuple(axes), tuple(shape[axis] for axis in axes), least.long(), most.long())


def _smallest(
    program: Program,
    steps: dict[fx.Node, Step],
    layers: dict[fx.Node, WeightedOp],
    output: fx.Node,
    coordinates: dict[fx.Node, torch.Tensor],
) -> torch.Tensor:
    """The smallest coordinate that each pixel depends on; infinity where it depends on none."""

    def compute(node: fx.Node, value: Lookup) -> Any:
        return _carried(steps[node], value, layers.get(node))

    return program.run(coordinates.get, [output], compute)[output].amin(0)


def _carried(step: Step, value: Lookup, layer: WeightedOp | None) -> Any:
    node = step.node
    shape: Any = getattr(node.meta["val"], "shape", ())  # of several values none is needed
    if not _is_fixed(shape):
        raise _UnknownError
    arrived = {source: found for source in step.carries if (found := value(source)) is not None}
    if layer is not None:
        return _read_by(layer, next(iter(arrived.values())), shape)
    pointwise = step.kind in ("gate", "add", "choice")
    pointwise |= step.kind == "product" and node.target in ops.MULTIPLY | ops.DIVIDE
    if pointwise:
        parts = [torch.broadcast_to(found, shape) for found in arrived.values()]
        smallest = parts[0]
        for part in parts[1:]:
            smallest = torch.minimum(smallest, part)
        return smallest
    target: Any = node.target
    if step.kind == "linear" and getattr(target, "__name__", "") == "getitem":
        return target(next(iter(arrived.values())), node.args[1])
    if step.kind == "linear" and target in _MEANS:
        found = next(iter(arrived.values()))
        axes = node.args[1] if len(node.args) > 1 and node.args[1] else list(range(found.ndim))
        return found.amin(cast(Any, axes), keepdim=len(node.args) > 2 and bool(node.args[2]))
    if step.kind == "linear" and target in _SPREADS:
        return _between_neighbours(next(iter(arrived.values())), _SPREADS[target], shape)
    if step.kind != "linear" or target not in _MOVES | _PADS:
        raise _UnknownError

    def resolve(source: fx.Node) -> Any:
        if source in arrived:
            return arrived[source]
        if source not in linear_arguments(node):
            raise _UnknownError  # a place or a size that the network computes
        return torch.full(source.meta["val"].shape, torch.inf, device=next(iter(arrived.values())).device)

    arguments = list(fx.map_arg(node.args, resolve))
    if target in _PADS:
        arguments[2:] = [torch.inf]
    data: Any = arguments[0]
    if target in _SHUFFLES | _BY_CHANNEL and _is_alike(data, -3):
        # As many channels as make one: the others are copies.
        count = cast(int, arguments[1]) ** 2 if target in _SHUFFLES else 1
        return target(data.narrow(-3, 0, count), *arguments[1:]).expand(shape)
    return target(*arguments, **fx.map_arg(node.kwargs, resolve))


def _read_by(layer: WeightedOp, coordinates: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """What the outputs of a layer depend on: everything under the kernel, in all channels."""
    smallest = _over_channels(coordinates, layer.channel_axis)
    if layer.layer.op == "linear":
        return smallest.expand(shape)
    if layer.layer.op != "conv2d" or coordinates.ndim != 4:
        raise _UnknownError
    stride, padding, dilation = layer.window
    padded = F.pad(smallest, [*padding[1], *padding[0]], value=torch.inf)
    pooled = -F.max_pool2d(-padded, layer.layer.kernel_size, stride, dilation=dilation)
    return pooled.expand(shape)


def _between_neighbours(coordinates: torch.Tensor, margin: int, shape: torch.Size) -> torch.Tensor:
    """What an interpolation to a size reads: the nearest position and those beside it."""
    if coordinates.ndim != 4:
        raise _UnknownError
    own = coordinates.narrow(-3, 0, 1) if _is_alike(coordinates, -3) else coordinates
    wide = -F.max_pool2d(-own, 2 * margin + 1, 1, margin)
    return F.interpolate(wide, size=shape[-2:], mode="nearest").expand(shape)


def _over_channels(coordinates: torch.Tensor, axis: int) -> torch.Tensor:
    """The smallest coordinate in any channel, with an axis of length 1 in their place."""
    if _is_alike(coordinates, axis):
        return coordinates.narrow(axis, 0, 1)
    return coordinates.amin(axis, keepdim=True)


def _is_alike(coordinates: torch.Tensor, axis: int) -> bool:
    """Whether all channels share their memory, as after a layer, whose outputs all depend on the same positions."""
    return coordinates.ndim >= -axis > 0 and coordinates.stride(axis) == 0


def _is_fixed(shape: Iterable[Any]) -> bool:
    """Whether a shape is known before the values are."""
    return all(isinstance(n, int) for n in shape)
