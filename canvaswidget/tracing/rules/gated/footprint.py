"""Which positions of a layer's output each pixel of the image can depend on.

Every value carries, beside its shape, the box of positions that its elements are made from: the lowest and highest row
and column. Ops that only move values move the boxes; a convolution takes the union over its window; what is not known
here takes the union over everything. So a box is never too small. It depends on the model alone, not on a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import fx
from torch.nn import functional

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Lookup
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.rules.gated.linearise import Plan, Step

# Ops whose result holds elements of their argument and nothing else.
MOVES = ops.overloads(
    "view _unsafe_view reshape permute transpose t numpy_T mT squeeze unsqueeze expand expand_as clone contiguous "
    "alias detach slice select narrow flip roll repeat tile pixel_shuffle pixel_unshuffle channel_shuffle flatten "
    "unflatten movedim swapaxes swapdims upsample_nearest2d _upsample_nearest_exact2d index_select reflection_pad2d "
    "replication_pad2d split split_with_sizes chunk unbind to _to_copy cat stack constant_pad_nd"
)
# Interpolation between neighbours: so many positions to each side of the nearest one.
SPREADS = {
    **dict.fromkeys(ops.overloads("upsample_bilinear2d"), 1),
    **dict.fromkeys(ops.overloads("upsample_bicubic2d"), 3),
}
MEANS = ops.overloads("mean sum") - {aten.mean.default, aten.sum.default}
ELEMENTWISE = ops.MULTIPLY | ops.DIVIDE
NOTHING = -torch.inf  # the highest position of no position


@dataclass(frozen=True)
class Footprint:
    """The boxes of positions of a layer's output that pixels depend on.

    Rows and columns are those of the output grid of a 2-d convolution. The positions of a linear layer are all in one
    row, in C order.

    Attributes
    ----------
    first, last : (2, height, width)
        Of every pixel, the first and the last row and column; the first lies behind the last where there is none.
    """

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    @property
    def spacing(self) -> tuple[int, int]:
        """How many rows and columns apart pixels must be so that no two of them depend on one position."""
        height, width = self.first.shape[1:]
        rows = [self.first.min(2), self.last.max(2)]  # (2, height), of all pixels of a row together
        between = next((d for d in range(1, height) if _apart(rows[0], rows[1], d)), height)
        beside = next((d for d in range(1, width) if _apart(self.first, self.last, d)), width)
        return between, beside


def _apart(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], distance: int) -> bool:
    """Whether boxes this far from each other along the last axis follow one another, in their rows or their columns."""
    follow = last[..., :-distance] < first[..., distance:]
    return any(bool(one.all()) for one in follow)


def footprint(capture: Capture, plan: Plan, layer: WeightedOp) -> Footprint | None:
    """The boxes of a layer: the whole of its positions where the way to the image is not known to be local.

    None where values of the frame decide the shape of something on the way.
    """

    def compute(node: fx.Node, arrived: Lookup) -> Any:
        return _boxes(capture, plan.steps[node], arrived)

    program = plan.program(layer.node, layer.layer.name)
    if not all(_is_fixed(node) for node in (layer.node, *program.nodes)):
        return None
    start = {layer.node: _positions(layer)}
    boxes = program.run(start.get, [capture.output], compute)[capture.output].amax(1).numpy()
    boxes = np.where(np.isfinite(boxes), boxes, -1).astype(np.int64)  # NOTHING: from 1 to -1
    return Footprint(-boxes[:2], boxes[2:])


def _is_fixed(node: fx.Node) -> bool:
    """Whether the shape of a value is the same in every frame."""
    return all(isinstance(size, int) for part in _parts(node.meta["val"]) for size in part.shape)


def _positions(layer: WeightedOp) -> torch.Tensor:
    """The box of every element of a layer's output: its own position, ``(4, *output)``."""
    shape = layer.node.meta["val"].shape
    if layer.layer.op == "linear":
        columns = torch.arange(int(np.prod(shape[:-1])), dtype=torch.float32).reshape(*shape[:-1], 1)
        rows = torch.zeros_like(columns)
    else:
        rows = torch.arange(shape[-2], dtype=torch.float32)[:, None]
        columns = torch.arange(shape[-1], dtype=torch.float32)[None]
    # The first position with its sign turned, so that every union is a maximum.
    return torch.stack([part.expand(shape) for part in (-rows, -columns, rows, columns)])


def _boxes(capture: Capture, step: Step, arrived: Lookup) -> Any:
    node: Any = step.node
    sources = [found for found in (arrived(source) for source in step.carries) if found is not None]
    found = _local(capture, step, node, arrived, sources)
    value = node.meta["val"]
    if isinstance(value, list | tuple):
        return found if found is not None else [_anywhere(sources, part.shape) for part in value]
    if found is None or found.shape[1:] != value.shape:
        return _anywhere(sources, value.shape)
    return found


def _anywhere(sources: list[Any], shape: torch.Size) -> torch.Tensor:
    """The union of everything."""
    flat = torch.cat([part.reshape(4, -1) for source in sources for part in _parts(source)], 1)
    return flat.amax(1).reshape(4, *(1,) * len(shape)).expand(4, *shape)


def _parts(source: Any) -> list[Any]:
    return list(source) if isinstance(source, list | tuple) else [source]


def _local(capture: Capture, step: Step, node: Any, arrived: Lookup, sources: list[Any]) -> Any:
    """What an op makes of the boxes that arrive; None where that is not known."""
    if step.kind in ("gate", "add", "choice") or (step.kind == "product" and node.target in ELEMENTWISE):
        return _union(sources, node.meta["val"].shape)
    if step.kind == "layer":
        return _through(capture, node, sources[0])
    if step.kind != "linear":
        return None
    if getattr(node.target, "__name__", "") == "getitem":
        return sources[0][node.args[1]]
    if node.target in MOVES:
        return _moved(node, arrived)
    if node.target in MEANS and len(node.args) > 1 and node.args[1]:
        keepdim = len(node.args) > 2 and bool(node.args[2])
        axes = node.args[1] if isinstance(node.args[1], list | tuple) else [node.args[1]]
        return torch.stack([box.amax(tuple(axes), keepdim) for box in sources[0]])
    if node.target in SPREADS and sources[0].ndim == 5:
        margin = SPREADS[node.target]
        wide = functional.max_pool2d(sources[0].flatten(0, 1), 2 * margin + 1, 1, margin)
        near = functional.interpolate(wide, size=node.meta["val"].shape[-2:], mode="nearest")
        return near.unflatten(0, sources[0].shape[:2])
    return None


def _union(sources: list[torch.Tensor], shape: torch.Size) -> torch.Tensor:
    together = [
        source.reshape(4, *(1,) * (len(shape) - source.ndim + 1), *source.shape[1:]).expand(4, *shape)
        for source in sources
    ]
    return together[0] if len(together) == 1 else torch.stack(together).amax(0)


def _through(capture: Capture, node: Any, boxes: torch.Tensor) -> torch.Tensor | None:
    """Through a layer: every output channel reads all input channels."""
    found = next(one for one in capture.weighted.values() if one.node is node)
    shape = node.meta["val"].shape
    if found.layer.op == "linear":
        return boxes.amax(-1, keepdim=True).expand(4, *shape)
    if node.target is not aten.conv2d.default or boxes.ndim != 5:
        return None
    stride, padding, dilation = window_of(found)
    merged = boxes.amax(2)
    merged = functional.pad(merged, (padding[1], padding[1], padding[0], padding[0]), value=NOTHING)
    merged = functional.max_pool2d(merged, found.layer.kernel_size, stride, 0, dilation)
    return merged[:, :, None].expand(4, *shape)


def window_of(layer: WeightedOp) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Stride, padding and dilation of a 2-d convolution."""
    given = [*layer.node.args[3:6], *([1, 1], [0, 0], [1, 1])[len(layer.node.args[3:6]) :]]
    stride, padding, dilation = ((one[0], one[-1]) for one in cast(Any, given))
    return stride, padding, dilation


def _moved(node: Any, arrived: Lookup) -> Any:
    results = []
    for side in range(4):

        def box(source: fx.Node, side: int = side) -> Any:
            found = arrived(source)
            return torch.full(source.meta["val"].shape, NOTHING) if found is None else found[side]

        arguments = list(fx.map_arg(node.args, box))
        if node.target is aten.constant_pad_nd.default:
            arguments[2:] = [NOTHING]
        keywords = {key: value for key, value in node.kwargs.items() if key not in ("dtype", "device")}
        results.append(node.target(*arguments, **keywords))
    if isinstance(results[0], list | tuple):
        return [torch.stack(parts) for parts in zip(*results, strict=True)]
    return torch.stack(results)
